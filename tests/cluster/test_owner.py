# SPDX-License-Identifier: Apache-2.0
"""Who else runs the databases: OVN's own scripts on a member, a standalone
ovn-central on a node that is none yet, a second ovn-had."""

import signal

import pytest
from guard import DEADLINE, Guard, epoch, pick
from lab import Corosync, wait_until
from lab.ovsdb import DATABASES
from watch import bring_up, private, wait_well

OVN_CTL = "/usr/share/ovn/scripts/ovn-ctl"
ROLES = ["active", "standby"]
OURS = "/run/ovn-ha/private/"


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three members."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def log(node):
    """What ovn-had said."""
    return node.log("lab/ovn-had.log")


def databases(node):
    """All processes that OVN's scripts start, whoever did."""
    return [p for p in node.processes()
            if p.comm in ("ovsdb-server", "ovn-northd")]


def foreign(node):
    """Those of them that are not ours."""
    return [p for p in databases(node)
            if not any(OURS in arg for arg in p.args)]


@pytest.mark.parametrize("role", ROLES)
def test_scripts_find_ours(lab, role):
    """On a member OVN's scripts find everything running, and start nothing."""
    node = pick(lab, role)
    with Guard(lab) as guard:
        before = epoch(node), [p.pid for p in databases(node)]
        for verb in ("start_ovsdb", "start_northd"):
            node.exec(OVN_CTL, verb)
        assert not foreign(node)
        guard.verify()
        assert (epoch(node), [p.pid for p in databases(node)]) == before


@pytest.mark.parametrize("role", ROLES)
def test_scripts_start_when_ours_die(lab, role):
    """A unit that starts ovsdb-server in the moment in which ours dies, as
    systemd's would: never two writable copies."""
    node = pick(lab, role)
    with Guard(lab) as guard:
        for _ in range(5):
            for target in ("northd", "nb", "sb"):
                for process in node.find(target):
                    process.send_signal(signal.SIGKILL)
            node.exec(OVN_CTL, "start_northd", check=False)
            wait_until(lambda: not foreign(node), DEADLINE,
                       lambda: f"cut: {foreign(node)}")
        guard.verify()


@pytest.mark.parametrize("role", ROLES)
def test_foreign_owner(lab, role):
    """What took the place of our servers while ovn-had was away is ended, the
    log says so, and what was written to a standby's copy does not stay."""
    node = pick(lab, role)
    for keeper in [p for p in node.processes()
                   if p.comm == "lab-keeper" and "ovn-had" in p.args]:
        keeper.send_signal(signal.SIGKILL)
    wait_until(lambda: not node.service_running("ovn-had"))
    node.kill("ovn-had")
    for target in ("northd", "nb", "sb"):
        for process in node.find(target):
            process.send_signal(signal.SIGKILL)
    wait_until(lambda: not databases(node), DEADLINE)
    node.exec(OVN_CTL, "start_northd")
    strangers = foreign(node)
    assert {p.comm for p in strangers} == {"ovsdb-server", "ovn-northd"}
    node.nbctl("ls-add", f"foreign-{role}")

    told = log(node).count("is in use: process")
    node.start_ovn_had()
    wait_until(lambda: all(p.gone() for p in strangers), DEADLINE,
               lambda: f"cut: {foreign(node)}")
    with Guard(lab) as guard:
        guard.verify()
    assert log(node).count("is in use: process") >= told + 2
    assert not foreign(node)
    if role == "standby":
        for other in lab.control:
            assert "foreign-standby" not in switches(other)


UNITS = ["ovn-central", "ovn-northd", "ovn-ovsdb-server-nb",
         "ovn-ovsdb-server-sb"]


def masked(node):
    """The units that systemd would not start on a node."""
    folder = node.root("/etc/systemd/system")
    return sorted(f.name.removesuffix(".service") for f in folder.iterdir()
                  if f.is_symlink() and str(f.readlink()) == "/dev/null")


def start_under_systemd(node, *env):
    """The same ovn-had on a node that systemd seems to run, whose units are
    in a folder of the node's own."""
    node.service_stop("ovn-had")
    node.exec("sh", "-ec", "mkdir -p /run/systemd/system; "
              "mount -t tmpfs units /etc/systemd/system")
    node.service_start("ovn-had", [
        "env", *env, node.lab.program("ovn-had", "."), "--wait"], 75)


def test_units_are_masked(lab):
    """A member's systemd does not start ovn-central, neither at boot nor when
    its package is upgraded."""
    node = pick(lab, "standby")
    start_under_systemd(node, "SYSTEMD_OFFLINE=1")
    wait_well(lab)
    assert masked(node) == UNITS
    assert "units: this node joins a cluster: masked" in log(node)


def test_units_that_cannot_be_masked(lab):
    """systemctl does not work here: it is said, with the way out, and the
    node joins."""
    node = pick(lab, "standby")
    start_under_systemd(node)
    wait_well(lab)
    assert masked(node) == []
    assert "units: systemctl cannot mask the units of ovn-central" \
        in log(node)
    assert "run by hand: systemctl mask ovn-central" in log(node)


def switches(node):
    """The names of logical switches in a node's own copy."""
    session = private(node, "nb")
    try:
        found = session.transact(DATABASES["nb"], {
            "op": "select", "table": "Logical_Switch", "columns": ["name"],
            "where": []})
    finally:
        session.close()
    return {row["name"] for row in found[0]["rows"]}
