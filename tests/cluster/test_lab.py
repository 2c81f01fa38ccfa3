# SPDX-License-Identifier: Apache-2.0
"""The lab itself: what the other tests believe it does, it does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab import (CommandError, Lab, Mirror, Prober, Traffic, Writer,
                 labs_folder, wait_until)
from lab.node import process_state
from lab.ovsdb import DATABASES
from lab.prober import Span, overlaps
from lab.shell import TOP


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control and two compute nodes; plain databases on n1."""
    lab = make_lab(control=3, compute=2)
    lab.power_on()
    lab.start_corosync()
    lab["n1"].enable("central")
    lab["n1"].start_central()
    active = lab.wait_active()
    assert active is lab["n1"]
    lab.open_ports(active)
    lab.finish_compute(active)
    return lab


def reaches(a, b):
    """Whether node a gets an answer from node b."""
    return a.exec("ping", "-c", "1", "-W", "1", b.address,
                  check=False).returncode == 0


def test_nodes_are_separate(lab):
    """Name, network, disk and processes are a node's own."""
    n1, n2 = lab["n1"], lab["n2"]
    assert n1.out("hostname") == "n1"
    assert n1.address in n1.out("ip", "-4", "addr", "show", "eth0")
    n1.exec("sh", "-c", "echo mine > /var/lib/ovn-ha/mark; "
            "echo mine > /run/mark; echo mine > /dev/shm/mark")
    for path in ("/var/lib/ovn-ha/mark", "/run/mark", "/dev/shm/mark"):
        assert n2.exec("test", "-e", path, check=False).returncode == 1
        assert not Path(path).exists()
    assert [p.comm for p in n2.find("corosync")] == ["corosync"]
    assert not n2.find("nb")
    assert not Path("/sys/class/net/eth1").exists()


def test_cut_and_heal(lab):
    """Cuts do what they say, each way, and clients are not in them unless the
    whole node is."""
    n1, n2, n3 = lab.control
    assert reaches(n1, n2) and reaches(n1, n3)
    lab.cut("n1", "n2")
    assert not reaches(n1, n2) and not reaches(n2, n1)
    assert reaches(n1, n3) and reaches(n2, n3)
    lab.heal("n1", "n2")
    assert reaches(n1, n2)

    lab.cut("n1", "n2", one_way=True)
    assert lab.switch.cuts() == ["n1-db -> n2-db"]
    lab.heal()
    assert not lab.switch.cuts()

    lab.cut("n1")
    assert not reaches(n1, n2) and not reaches(n3, n1) and reaches(n2, n3)
    lab.heal("n1")
    assert reaches(n1, n2)


def test_partition_takes_quorum(lab):
    """One node alone is not quorate, two are; healing unites them."""
    lab.wait_quorate()
    lab.partition(["n3"], ["n1", "n2"])
    wait_until(lambda: lab["n3"].votes() == 0, 15, "n3 loses quorum")
    lab.wait_quorate(lab.control[:2], 15)
    lab.heal()
    lab.wait_quorate()


def test_power_cut_and_boot(lab):
    """A power cut ends all processes and lets no last word out; the disk
    stays, /run does not."""
    n3 = lab["n3"]
    n3.exec("sh", "-c", "echo kept > /var/lib/ovn-ha/disk; "
            "echo gone > /run/mark")
    ends = [p.pid for p in n3.processes()]
    assert ends
    lab.crash("n3")
    assert n3.pid is None
    assert all(process_state(pid) in (None, "Z", "X") for pid in ends)
    assert n3.root("/var/lib/ovn-ha/disk").read_text() == "kept\n"
    with pytest.raises(CommandError):
        n3.exec("true")
    lab.wait_quorate(lab.control[:2], 15)

    lab.boot("n3")
    assert n3.out("cat", "/var/lib/ovn-ha/disk") == "kept"
    assert n3.exec("test", "-e", "/run/mark", check=False).returncode == 1
    lab.wait_quorate()

    lab.crash("n3")
    lab.boot("n3", empty_disk=True)
    assert n3.exec("test", "-e", "/var/lib/ovn-ha/disk",
                   check=False).returncode == 1
    lab.wait_quorate()


def test_no_last_word(lab):
    """A client of a node whose power is cut hears nothing: no FIN, no RST."""
    n2 = lab["n2"]
    n2.start_server("nb")
    n2.nbctl("set-connection", "ptcp:6641")
    session = wait_until(lambda: _dialed(lab, n2), 10, "n2 lets a client in")
    assert session.transact(DATABASES["nb"], {"op": "comment",
                                              "comment": "hello"})
    lab.crash("n2")
    session.sock.settimeout(1.0)
    with pytest.raises(TimeoutError):
        session.sock.recv(1)
    session.close()
    lab.boot("n2")
    lab.wait_quorate()


def _dialed(lab, node):
    session = lab.dial(node.address, "nb")
    try:
        session.transact(DATABASES["nb"], timeout=1)
    except ConnectionError:
        session.close()
        return None
    return session


def test_keeper_restarts_and_stops(lab):
    """Restart=always, and stop means stop."""
    n1 = lab["n1"]
    n1.service_start("sleeper", ["sleep", "1000"], restart_ms=50)
    find = lambda: [p for p in n1.processes()  # noqa: E731
                    if p.args == ["sleep", "1000"]]
    first = wait_until(find, 5)[0]
    first.send_signal(signal.SIGKILL)
    second = wait_until(lambda: [p for p in find() if p.pid != first.pid], 5,
                        "the keeper starts it again")[0]
    n1.service_stop("sleeper")
    assert second.gone() and not find()
    assert not n1.service_running("sleeper")


def test_stop_and_continue(lab):
    """A stopped database answers nobody until it goes on."""
    n1 = lab["n1"]
    assert n1.serves("nb", unix=True)
    n1.stop("nb")
    assert [p.state for p in n1.find("nb")] == ["T"]
    assert not n1.serves("nb", unix=True, timeout=0.3)
    n1.cont("nb")
    assert n1.serves("nb", unix=True)


def test_routes_of_compute_nodes_stay(lab):
    """No route comes or goes by itself under the feet of Open vSwitch, which
    drops packets then."""
    for node in lab.compute:
        assert node.out("ip", "-6", "route", "show", "table", "all") == ""


def test_traffic_between_compute_nodes(lab):
    """Packets cross the tunnel, are counted, and none is lost; when the
    tunnel is cut the losses show."""
    with Traffic(lab) as traffic:
        wait_until(lambda: all(w.received > 3000 for w in traffic.ways()), 30)
    ways = traffic.ways()
    assert len(ways) == 4
    for way in ways:
        assert way.lost == 0 and not way.missing, str(way)
        assert way.flows_opened >= 20 and way.flows_failed == 0, str(way)

    traffic.start()
    lab.cut("c1", "c2", net="ul")
    before = max(w.sent for w in traffic.ways())
    wait_until(lambda: min(w.sent for w in traffic.ways()) > before + 500, 20)
    lab.heal()
    before = max(w.received for w in traffic.ways())
    wait_until(lambda: min(w.received for w in traffic.ways()) > before, 20)
    for way in traffic.stop():
        assert way.lost > 300 and way.missing, str(way)
        assert way.longest_gap_ms > 300, str(way)


def test_writer_and_ledger(lab):
    """Every acknowledged write is found; one that is taken away behind the
    writer's back is missed."""
    n1 = lab["n1"]
    with Writer(lab, "w1") as writer, Writer(lab, "w2", db="sb") as other:
        wait_until(lambda: len(writer.ledger().acknowledged()) > 100, 20)
        wait_until(lambda: len(other.ledger().acknowledged()) > 100, 20)
    assert writer.lost(n1) == [] and other.lost(n1) == []
    assert all(e.server == "n1" for e in writer.ledger().acknowledged())

    n1.nbctl("destroy", "Address_Set", "w1_42")
    assert [e.number for e in writer.lost(n1)] == [42]


def test_writer_measures_outage(lab):
    """A database that stands still for a while is an outage of that length,
    and a killed one's unanswered write is not called acknowledged."""
    n1 = lab["n1"]
    with Writer(lab, "w3") as writer:
        n1.stop("nb")
        begin = time.time()
        end = begin + 0.8
        wait_until(lambda: time.time() >= end, 5)
        n1.cont("nb")
        wait_until(lambda: writer.ledger().first_ack(time.time() - 0.1), 10,
                   "the writer is acknowledged again")
        assert 750 < writer.ledger().outage(begin).ms < 2500

        n1.kill("nb")
        killed = time.time()
        n1.start_server("nb")
        wait_until(lambda: writer.ledger().first_ack(killed), 20)
    ledger = writer.stop()
    assert any(not e.acked and e.sent > end for e in ledger.entries) \
        or ledger.outage(killed).ms > 5
    assert writer.lost(n1) == []


def test_mirror_sees_writes_in_sb(lab):
    """A write to NB shows in SB once northd has carried it there, and not
    while northd stands still."""
    n1 = lab["n1"]
    with Mirror(lab) as mirror, Writer(lab, "w4") as writer:
        wait_until(lambda: mirror.reached(writer.ledger(), 0), 10)
        n1.stop("northd")
        stopped = time.time()
        wait_until(lambda: writer.ledger().first_ack(stopped + 0.3), 10)
        assert mirror.reached(writer.ledger(), stopped) is None
        n1.cont("northd")
        going = time.time()
        assert wait_until(lambda: mirror.reached(
            writer.ledger(), stopped), 10) > going - 0.05
    assert writer.lost(n1) == []


def test_prober_sees_who_serves(lab):
    """One node serves: no overlap.  A second one that serves as well is
    caught, on each way in."""
    n2 = lab["n2"]
    with Prober(lab) as prober:
        wait_until(lambda: prober.first_answer("n1", "nb", 0) and
                   prober.first_answer("n1", "sb", 0, "unix"), 10)
        assert prober.first_answer("n2", "nb", 0) is None
    assert prober.overlaps() == []

    with Prober(lab) as prober:
        n2.start_server("nb")
        wait_until(lambda: prober.first_answer("n2", "nb", 0, "unix"), 10)
        n2.nbctl("set-connection", "ptcp:6641")
        wait_until(lambda: prober.first_answer("n2", "nb", 0), 10)
        later = time.time() + 0.2
        wait_until(lambda: time.time() > later)
    n2.service_stop("ovsdb-nb")
    found = prober.overlaps()
    ways = {(s.node, s.way) for pair in found for s in pair}
    assert ("n2", "tcp") in ways and ("n2", "unix") in ways


def test_overlaps():
    """Only spans of different nodes and one database overlap."""
    def span(node, first, last, db="nb"):
        return Span(node, db, "tcp", first, last)
    assert not overlaps([span("n1", 1, 2), span("n2", 2, 3)])
    assert not overlaps([span("n1", 1, 3), span("n1", 2, 4)])
    assert not overlaps([span("n1", 1, 3), span("n2", 2, 4, "sb")])
    assert overlaps([span("n1", 1, 3), span("n2", 2, 4)])
    assert overlaps([span("n1", 1, 9), span("n2", 2, 4)])


def test_side_by_side_and_killed_parent(lab):
    """A second lab does not touch the first, and goes when the process that
    made it is killed; the next of its name clears the folder."""
    name = f"orphan_{os.getpid()}"
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from lab import Lab
lab = Lab({name!r}, control=1, compute=0)
lab.create()
lab.power_on()
print("up", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], text=True,
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == "up\n"
        state = json.loads((labs_folder() / name / "state.json").read_text())
        init = int((labs_folder() / name / "nodes/n1/pid").read_text())
        other = Lab.load(name)
        assert other["n1"].out("hostname") == "n1"
        assert other["n1"].pid != lab["n1"].pid
        parent.kill()
    wait_until(lambda: all(process_state(pid) in (None, "Z", "X")
                           for pid in (state["warden"], init)), 10,
               "the orphaned lab ends")
    with pytest.raises(CommandError):
        Lab.load(name)
    with Lab(name, control=1, compute=0) as again:
        again.create()
        again.power_on()
        assert again["n1"].pid != init
    assert not (labs_folder() / name).exists()
    assert not list(labs_folder().glob("orphan_*"))
    assert lab["n1"].serves("nb")


def test_no_machines(tmp_path):
    """Where nothing can be tested with a virtual machine that is a failure,
    and says what is missing."""
    for name in ("sh", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = subprocess.run([TOP / "tests/vm/run", "-q"], text=True, check=False,
                          env={**os.environ, "PATH": str(tmp_path)},
                          stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 1, done
    assert "nothing was tested: no qemu" in done.stdout
    assert "build-aux/install-deps --vm" in done.stdout
