# SPDX-License-Identifier: Apache-2.0
"""Into ovn-ha and out again: a story in its order, which runs what
doc/MIGRATION.md says.  Clients write through all of it and lose nothing, rows
stay the same ones, and compute nodes notice no more than a reconnection."""

import inspect
import shutil
import sys

import pytest
from lab import Corosync, Pacemaker, Writer, wait_until
from lab.ovsdb import DATABASES
from lab.shell import TOP
from page import Page
from watch import DataPlane, wait_equal, wait_well

PAGE = Page("MIGRATION.md")
VIP = "10.10.0.200"
FILES = [f"/var/lib/ovn/ovn{db}_db.db" for db in DATABASES]
# Tables whose rows are the network, and what of them may not change.
NETWORK = {
    "nb": {"Logical_Switch": [], "Logical_Switch_Port": [], "ACL": []},
    "sb": {"Datapath_Binding": ["tunnel_key"], "Chassis": [], "Encap": [],
           "Port_Binding": ["tunnel_key", "chassis"]},
}


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes, two compute nodes."""
    return make_lab(control=3, compute=2, workloads=1,
                    corosync=Corosync.fast())


def power_on(lab):
    """All nodes on, with empty disks, and with units like Debian's."""
    for node in lab.nodes.values():
        if node.pid:
            node.power_cut()
        node.forget()
        node.erase_disk()
    lab.power_on()
    for node in lab.control:
        install_units(node)
    lab.start_corosync()


def install_units(node):
    """From now on the node seems to run systemd."""
    unit = (node.lab.build / "etc/ovn-had.service").read_text().splitlines()
    had = node.lab.program("ovn-had", ".")
    ctl = node.lab.program("ovn-hactl", ".")
    node.exec("sh", "-ec", "mkdir -p /run/systemd/system /etc/default; "
              "mount -t tmpfs units /etc/systemd/system; "
              f"mount --bind {TOP}/tests/lab/systemctl /usr/bin/systemctl; "
              "cat > /etc/systemd/system/ovn-had.service",
              stdin="".join(
                  f"ExecStart={had} --wait\n" if line.startswith("ExecStart=")
                  else f"ExecReload={ctl} reload\n"
                  if line.startswith("ExecReload=")
                  else f"{line}\n" for line in unit))


def systemctl(node, *args):
    """Its exit status."""
    return node.exec("systemctl", *args, check=False).returncode


def enabled(node):
    """The units that would start at boot."""
    wants = node.root("/etc/systemd/system/multi-user.target.wants")
    return {f.name for f in wants.iterdir()} if wants.is_dir() else set()


def masked(node):
    """The units that never would."""
    return sorted(f.name for f in node.root("/etc/systemd/system").iterdir()
                  if f.is_symlink() and str(f.readlink()) == "/dev/null")


def network(lab):
    """What of the databases may not change, as n1 has it."""
    return {(table, str(row)) for db, tables in NETWORK.items()
            for table, columns in tables.items()
            for row in lab.select(lab["n1"], db, table, ["_uuid", *columns])}


class Move:
    """Writers on both databases, before and after which the network is the
    same, and which lose nothing."""

    def __init__(self, lab, name):
        self.lab = lab
        self.before = network(lab)
        self.writers = [Writer(lab, f"{name}_{db}", db, 50)
                        for db in DATABASES]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, kind, *_):
        for writer in self.writers:
            writer.stop()
        if kind is None:
            self._judge()

    def busy(self):
        """Waits until both are acknowledged more writes."""
        have = [len(w.ledger().acknowledged()) for w in self.writers]
        wait_until(lambda: all(
            len(w.ledger().acknowledged()) >= n + 20
            for w, n in zip(self.writers, have)), 40, "writes go on")

    def _judge(self):
        for writer in self.writers:
            ledger = writer.ledger()
            assert ledger.lost(writer.rows(self.lab["n1"])) == []
            print(f"{writer.name}: {len(ledger.acknowledged())} writes, "
                  f"out for {ledger.outage().ms:.0f} ms")
        assert network(self.lab) == self.before
        wait_until(lambda: all(c.connected() for c in self.lab.compute), 40,
                   "compute nodes are connected")
        self.lab["n1"].nbctl("--no-leader-only", "--wait=hv", "sync")


def to_standalone(lab):
    """A standalone ovn-central on n1, as a package leaves it, and one on n2,
    which has no data."""
    power_on(lab)
    for node in (lab["n1"], lab["n2"]):
        assert not systemctl(node, "enable", "--now", "ovn-central")
    wait_until(lambda: all(lab["n1"].serves(db, unix=True)
                           for db in DATABASES), 30)
    lab.open_ports(lab["n1"])
    lab.start_compute()
    for node in lab.compute:
        node.vsctl("set", "open", ".",
                   "external_ids:ovn-remote=tcp:10.10.0.1:6642")
    lab.create_network(lab["n1"])
    lab.wait_network(lab["n1"])


def test_standalone(lab):
    """n3 is late, so there is a way back from the midst of it; at the second
    time all goes well.  n1 serves the very same files."""
    to_standalone(lab)
    n1 = lab["n1"]
    lab.plane = DataPlane(lab).start()
    PAGE.run(lab, "Moving in, and out again")
    files = [n1.root(f).stat().st_ino for f in FILES]
    with Move(lab, "adopt") as move:
        move.busy()
        PAGE.run(lab, "Before the window of 1", skip=["n3"])
        systemctl(n1, "disable", "--now", "ovn-central")
        systemctl(n1, "enable", "--now", "ovn-had")
        wait_until(lambda: "first start: waits" in n1.exec(
            "ovn-hactl", "status", check=False).stdout, 30)
        assert len(masked(n1)) == 4
        PAGE.run(lab, "Back, as long as n1 was not active in 1")
        move.busy()
        assert masked(n1) == [] and enabled(n1) == {"ovn-central.service"}

        PAGE.run(lab, "Before the window of 1")
        PAGE.run(lab, "The move of 1")
        move.busy()
        assert [n1.root(f).stat().st_ino for f in FILES] == files
        PAGE.run(lab, "Check")
    for node in lab.control:
        assert len(masked(node)) == 4 and enabled(node) == {"ovn-had.service"}
    wait_equal(lab)


def to_members(lab):
    """Leaves, to any."""
    PAGE.run(lab, "4. Out again")
    PAGE.run(lab, "The move of 4")
    for node in lab.control:
        assert masked(node) == [] and enabled(node) == set()
        assert "ovn_ha" not in node.out("nft", "list", "tables")


def test_to_raft(lab):
    """From ovn-ha to RAFT."""
    with Move(lab, "raft") as move:
        move.busy()
        to_members(lab)
        PAGE.run(lab, "To a RAFT cluster")
        move.busy()
    PAGE.run(lab, "Tidy up")


def test_from_raft(lab):
    """And back from it."""
    for node in lab.control:
        node.exec("rm", "-r", "/var/lib/ovn/left")
    with Move(lab, "fromraft") as move:
        move.busy()
        PAGE.run(lab, "Before the window of 3")
        move.busy()
        PAGE.run(lab, "The move of 3")
        move.busy()
    PAGE.run(lab, "Check")
    PAGE.run(lab, "Afterwards in 3")
    wait_equal(lab)


def test_clustered_file(lab):
    """A file of RAFT's in the place of a member's is named, with the way out,
    and once it is gone the member follows again."""
    node = lab["n3"]
    systemctl(node, "stop", "ovn-had")
    node.exec("cp", "/var/lib/ovn/raft/ovnnb_db.db", FILES[0])
    systemctl(node, "start", "ovn-had")
    wait_until(lambda: f"{FILES[0]}: refused: it belongs to a RAFT cluster"
               in node.exec("ovn-hactl", "status", check=False).stdout, 30)
    node.exec("rm", FILES[0])
    wait_well(lab)
    wait_equal(lab)


def test_to_standalone(lab):
    """From ovn-ha to a standalone ovn-central."""
    with Move(lab, "leave") as move:
        move.busy()
        to_members(lab)
        PAGE.run(lab, "To a standalone ovn-central")
        move.busy()
    PAGE.run(lab, "Tidy up")


def test_data_plane(lab):
    """Through all of the above: no packet lost, every new flow set up, never
    an OpenFlow rule less, ovn-controller not restarted."""
    lab.plane.stop()


@pytest.mark.skipif(not shutil.which("pacemakerd"),
                    reason="build-aux/install-deps --alternatives")
def test_pacemaker(lab):
    """From pacemaker's agent, with its virtual IP."""
    power_on(lab)
    system = Pacemaker(lab, monitor_s=(2, 3))
    active = system.start()
    if active is not lab["n1"]:
        system.switchover(lab["n1"])
        wait_until(lambda: system.active() is lab["n1"], 60)
    lab.finish_compute(lab["n1"])
    plane = DataPlane(lab).start()
    with Move(lab, "pcmk") as move:
        move.busy()
        PAGE.run(lab, "Before the window of 2")
        move.busy()
        PAGE.run(lab, "The move of 2")
        move.busy()
        PAGE.run(lab, "Clients leave the virtual IP in 2")
        move.busy()
    lab.vip = None
    with Move(lab, "list") as move:
        PAGE.run(lab, "The address goes in 2")
        move.busy()
        PAGE.run(lab, "Check")
    plane.stop()
    wait_equal(lab)


def test_all_of_the_page():
    """Every part with commands is run by a test."""
    source = inspect.getsource(sys.modules[__name__])
    for heading in PAGE.with_commands():
        assert f'"{heading}"' in source, heading
