# SPDX-License-Identifier: Apache-2.0
"""The active's database file goes away under it.  What takes its place is not
an empty one: another node serves, and the data are nowhere lost."""

import time

import pytest
from lab import Corosync, wait_until
from watch import (Watch, bring_up, local, others, status, shown,
                   wait_equal, wait_well)


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


BOTH = pytest.mark.parametrize("db", ["nb", "sb"])


@BOTH
def test_file_is_gone(lab, db):
    """The file is moved away and its server dies: the role moves, and the
    node comes back as a standby with a file of its own."""
    old = wait_well(lab)
    path = f"/var/lib/ovn/ovn{db}_db.db"
    with Watch(lab, f"gone_{db}") as watch:
        watch.busy()
        had = watch.everywhere(others(lab, old))
        old.exec("mv", path, path + ".moved")
        fault = time.time()
        old.kill(db)
        new = lab.wait_active(60, [n.name for n in others(lab, old)])
        watch.acknowledged(fault, new)
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)
    old.exec("test", "-s", path)
    wait_equal(lab)


@BOTH
def test_nobody_else_may_serve(lab, db):
    """Without another node to hand over to the active says what is wrong,
    serves nothing, and goes on when the file is back."""
    active = wait_well(lab)
    path = f"/var/lib/ovn/ovn{db}_db.db"
    rest = others(lab, active)
    for node in rest:
        node.service_stop("ovn-had")
    # Its quorum stays: only ovn-had is gone on the others.
    active.exec("mv", path, path + ".moved2")
    active.kill(db)
    wait_until(lambda: "is gone" in str(status(active)), 30,
               lambda: f"the file is missed; it says {status(active)}")
    shown(active, {"nb": "nb-server-error", "sb": "sb-server-error"}[db])
    active.exec("test", "!", "-e", path)
    assert not active.serves(db)
    active.exec("mv", path + ".moved2", path)
    for node in rest:
        node.start_ovn_had()
    wait_well(lab)
    assert local(active)["state"] in ("active", "standby")
    wait_equal(lab)
