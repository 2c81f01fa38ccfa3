# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a lab per module, and its logs when a test fails."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import Lab  # noqa: E402
from lab.shell import build_folder  # noqa: E402

# What these assert is told in full, as in a test.
pytest.register_assert_rewrite("watch", "guard")

# Programs that a test starts by itself, and theirs, are found here.
os.environ.setdefault("OVN_HA_PKGLIBEXECDIR", str(build_folder()))

_labs = []


def log_folder():
    """Where the logs of failed tests go."""
    return Path(os.environ.get("OVN_HA_TEST_LOGS")
                or Path(tempfile.gettempdir()) / "ovn-ha-test-logs")


@pytest.fixture(scope="module")
def make_lab(request):
    """Returns a function that makes a Lab named after the module and this
    process; all end with the module."""
    mine = []

    def make(**kwargs):
        stem = Path(request.node.fspath).stem
        lab = Lab(f"{stem}_{os.getpid()}_{len(mine)}", **kwargs)
        mine.append(lab)
        _labs.append(lab)
        lab.create()
        return lab
    yield make
    for lab in mine:
        _labs.remove(lab)
        lab.down()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Collects the logs of all labs when a test or a fixture fails."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for lab in [x for x in _labs if x.folder.exists()]:
        target = log_folder() / f"{item.name}-{call.when}" / lab.name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        (target / "status.txt").write_text(lab.status() + "\n")
        report.sections.append(("logs", str(lab.collect(target))))
