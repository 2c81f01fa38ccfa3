# SPDX-License-Identifier: Apache-2.0
"""What every suite on labs has of pytest: labs that end with their module, and
their logs when a test fails."""

import os
import shutil
import tempfile
from pathlib import Path

_labs = []


def log_folder():
    """Where the logs of failed tests go."""
    return Path(os.environ.get("OVN_HA_TEST_LOGS")
                or Path(tempfile.gettempdir()) / "ovn-ha-test-logs")


def lab_maker(request, kind):
    """For a fixture: yields a function that makes a lab of this kind, named
    after the module and this process; all end with the module."""
    mine = []

    def make(**kwargs):
        stem = Path(request.node.fspath).stem
        lab = kind(f"{stem}_{os.getpid()}_{len(mine)}", **kwargs)
        mine.append(lab)
        _labs.append(lab)
        lab.create()
        return lab
    yield make
    for lab in mine:
        _labs.remove(lab)
        lab.down()


def collect_logs(item, call, report):
    """Collects the logs of all labs when a test or a fixture fails."""
    if not report.failed:
        return
    for lab in [x for x in _labs if x.folder.exists()]:
        target = log_folder() / f"{item.name}-{call.when}" / lab.name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        (target / "status.txt").write_text(lab.status() + "\n")
        report.sections.append(("logs", str(lab.collect(target))))
