# SPDX-License-Identifier: Apache-2.0
"""Fixtures of tests with machines, beside those of tests/cluster."""

import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "cluster")]

from image import missing  # noqa: E402
from lab.shell import build_folder  # noqa: E402
from labs import collect_logs, lab_maker  # noqa: E402
from machine import MachineLab  # noqa: E402

pytest.register_assert_rewrite("watch", "guard", "held")

os.environ.setdefault("OVN_HA_PKGLIBEXECDIR", str(build_folder()))


@pytest.fixture(scope="session", autouse=True)
def machines():
    """Without what they need nothing is tested here, which must not look as if
    all had gone well."""
    why = missing()
    if why:
        pytest.exit(f"nothing was tested: {why}", returncode=1)


@pytest.fixture(scope="module")
def make_lab(request):
    """Returns a function that makes a MachineLab; see lab_maker()."""
    yield from lab_maker(request, MachineLab)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Failures come with logs."""
    outcome = yield
    collect_logs(item, call, outcome.get_result())
