# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a lab per module, and its logs when a test fails."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import Lab  # noqa: E402
from lab.shell import build_folder  # noqa: E402
from labs import collect_logs, lab_maker  # noqa: E402

# What these assert is told in full, as in a test.
pytest.register_assert_rewrite("watch", "guard", "held")

# Programs that a test starts by itself, and theirs, are found here.
os.environ.setdefault("OVN_HA_PKGLIBEXECDIR", str(build_folder()))


@pytest.fixture(scope="module")
def make_lab(request):
    """Returns a function that makes a Lab; see lab_maker()."""
    yield from lab_maker(request, Lab)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Failures come with logs."""
    outcome = yield
    collect_logs(item, call, outcome.get_result())
