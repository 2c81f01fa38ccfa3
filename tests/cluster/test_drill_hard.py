# SPDX-License-Identifier: Apache-2.0
"""Drills that do something to the whole active, and are run elsewhere; and
drills one after another."""

import json
import signal
import subprocess
import xml.etree.ElementTree as ET

import pytest
from lab import Bmc, Corosync, FlowWatch, wait_until
from test_drill import (DRILL, FAILED, FINE, USAGE, Running, assert_refused,
                        drill, drill_json, failed, report_of, rows, told)
from watch import (bring_up, cluster, local, others, switch_to, wait_state,
                   wait_well)

# Databases are tiny here, and nearly any row is too much to go at once.
CONF = "[insync]\nlag-ms = 3000\n[replication]\nshrink-rows = 5\n"

# Of writes that were acknowledged just before a crash: a tenth of a second's.
LOST = 5


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes, of which n2 has a fence device, and a compute
    node."""
    made = make_lab(control=3, compute=1, corosync=Corosync.fast())
    made.bmc = Bmc(made.control[1]).start()
    bring_up(made, CONF + "[fence n2]\nlevel-1 = ipmi-n2\n"
             + made.bmc.device("ipmi-n2", retries=0))
    yield made
    made.bmc.close()


@pytest.fixture(autouse=True)
def nothing_left(lab):
    """After each test all is well, nothing of a drill is there, and no
    compute node has noticed: by its own account."""
    node, = lab.compute
    controller = node.find("ovn-controller")[0].pid
    flows = FlowWatch(lab).start()
    yield
    dips = flows.stop()
    active = wait_well(lab)
    assert rows(active) == []
    for n in lab.control:
        wait_until(lambda n=n: cluster(n)["drill"] is None, 10,
                   f"no drill runs by the account of {n.name}")
    assert dips == {node.name: 0}
    assert node.find("ovn-controller")[0].pid == controller


def wait_device(node):
    """Waits until 'node' knows the fence device to be well."""
    wait_until(lambda: all(d["well"] for d in
                           local(node)["fencing"]["devices"]), 60,
               "the fence device is well", interval=0.2)


def make_active(lab, name):
    """The victim to be, with the compute node connected, as only what is
    there before is waited for later.  The fence device is not asked twice
    here, and one answer that was late keeps a drill from beginning."""
    switch_to(lab, lab[name])
    for node in lab.control:
        wait_device(node)
    wait_until(lab.compute[0].connected, 60, "ovn-controller is connected",
               interval=0.1)
    return lab[name]


def is_cut(node):
    """Whether the kernel drops something there for a drill."""
    out = node.exec("nft", "list", "ruleset", check=False).stdout
    return "ovn_ha_drill" in out and "expires" in out


def assert_everywhere(nodes, text):
    """All of their histories tell the same of the last drill."""
    for node in nodes:
        wait_until(lambda n=node: told(n) and text in told(n)[-1], 10,
                   lambda n=node: f"{n.name} tells {text}; it tells {told(n)}")


def test_plan(lab):
    """What is going to be done is shown; a hard one is not done from where
    it would end the drill itself."""
    make_active(lab, "n2")
    wait_device(lab["n1"])
    code, out, err = drill(lab["n1"], "crash", "--dry-run")
    assert (code, err) == (FINE, "")
    assert "corosync's too, by its fence device\n" in out, out
    assert "4 address sets" in out, out
    code, out, err = drill(lab["n1"], "isolate", "--dry-run", "--cut", "7s")
    assert (code, err) == (FINE, "") and "for 7 s\n" in out, out
    for kind in ("crash", "isolate"):
        assert_refused(lab["n2"], "run it on another one", kind, "--yes")
    assert_refused(lab["n1"], "--cut is from 1s", "isolate", "--yes",
                   "--cut", "0s")


def test_strays(lab):
    """Nothing but a drill that runs, by ovn-hactl, does harm."""
    active = wait_well(lab)
    for node in others(lab, active):
        for args, text in ((("drill/act", "0", "5000"), "no such drill"),
                           (("drill/act", "1234", "5000"), "no such drill"),
                           (("drill/end", "1234"), "no such drill"),
                           (("drill/begin", "crash"), "only ovn-hactl")):
            done = node.exec("ovn-appctl", "-t", "ovn-had", *args,
                             check=False)
            assert done.returncode and text in done.stderr, done
    # What is registered is another drill, and its token is known to all.
    running = Running(active, "kill-northd")
    running.wait_acted()
    token = cluster(others(lab, active)[0])["drill"]["token"]
    for node in lab.control:
        done = node.exec("ovn-appctl", "-t", "ovn-had", "drill/act", token,
                         "5000", check=False)
        assert done.returncode, done
        assert_refused(node, "another drill is running", "switchover",
                       "--yes")
    assert running.end()[0] == FINE
    assert wait_well(lab) is active


def test_crash(lab):
    """Without a device the active's own ovn-had ends all."""
    victim, here = make_active(lab, "n1"), lab["n3"]
    try:
        code, report = drill_json(here, "crash", "--max-write-outage", "30s",
                                  "--max-compute-return", "60s",
                                  "--max-lost", LOST)
        assert not victim.find("corosync")
        assert not [p for p in victim.processes()
                    if p.comm in ("ovsdb-server", "ovn-northd")]
    finally:
        victim.start_corosync()
    assert (code, report["verdict"]) == (FINE, "PASS"), report["checks"]
    assert report["remains"] == []
    assert report["compute"]["back"] == 1
    assert "n1 is down" in "".join(report["notes"]), report
    assert cluster(here)["active"] != "n1"
    assert_everywhere(others(lab, victim), "drill: crash PASS: all is well")


def test_crash_by_device(lab):
    """By its device its power is cut.  And of each limit that is too narrow
    is told."""
    victim, here = make_active(lab, "n2"), lab["n1"]
    wait_device(here)
    code, report = drill_json(
        here, "crash", "--max-write-outage", "0ms", "--max-sb-delay", "0ms",
        "--max-compute-return", "0ms", "--max-lost", LOST)
    off = not victim.pid
    if off:
        lab.boot("n2")
    assert off and (code, report["verdict"]) == (DRILL, "FAIL"), report
    assert failed(report) == ["write outage", "NB to SB, longest",
                              "compute nodes are back"]
    assert "n2 is off: proven" in here.log("lab/ovn-had.log")


def test_isolate(lab):
    """The active is cut off, another one takes over, and the first comes
    back by itself."""
    victim, here = make_active(lab, "n1"), lab["n3"]
    code, report = drill_json(here, "isolate", "--cut", "6s",
                              "--max-write-outage", "0ms")
    assert (code, report["verdict"]) == (DRILL, "FAIL"), report
    assert failed(report) == ["write outage"]
    assert report["writes"]["lost"] == 0 and report["remains"] == []
    assert report["active"] == {"before": "n1",
                                "after": cluster(here)["active"]}
    names = [p["name"] for p in report["phases"]]
    for name in ("detected: the group is another",
                 "elected: the record is held",
                 "fenced: the old active serves no more",
                 "another node is active", "the door is open",
                 "ovn-northd works", "the longest write outage ends",
                 "the longest time without a change in SB ends",
                 "the last compute node is back", "the cluster is well"):
        assert name in names, (name, report)
    assert cluster(here)["active"] != "n1" and not is_cut(victim)
    assert_everywhere(lab.control, "drill: isolate FAIL: all is well")


def test_isolate_all_killed(lab):
    """Whoever dies meanwhile, here or there: the kernel lets the victim
    back, and the cluster knows of no drill."""
    victim, here = make_active(lab, "n1"), lab["n3"]
    running = Running(here, "isolate", "--cut", "9s")
    running.wait_acted()
    wait_until(lambda: is_cut(victim), 5, "the victim is cut off",
               interval=0.05)
    wait_state(victim, "isolated")
    cutter, = (p for p in victim.processes()
               if any(a.startswith("--cut") for a in p.args))
    had = victim.find("ovn-had")[0]
    for process in (running.process(), cutter, had):
        process.send_signal(signal.SIGKILL)
    running.popen.wait(10)
    wait_until(lambda: cluster(here)["drill"] is None, 5, "the drill is over")
    assert is_cut(victim)
    wait_until(lambda: not is_cut(victim), 10, "the kernel ends it",
               interval=0.1)
    active = wait_well(lab)
    # The next drill removes the rows.
    assert len(rows(active)) == 4
    wait_device(active)
    code, out, err = drill(active, "switchover", "--yes", "--no-verify")
    assert code == FINE, (out, err)


def test_isolate_interrupted(lab):
    """An abort waits until the victim is back; a second one does not, and
    tells what is still to come."""
    victim, here = make_active(lab, "n1"), lab["n3"]
    running = Running(here, "isolate", "--cut", "5s")
    running.wait_acted()
    running.process().send_signal(signal.SIGHUP)
    code, report = running.end()
    assert (code, report["verdict"]) == (FAILED, "ABORTED")
    assert report["why"] == "interrupted" and report["remains"] == []
    assert report["duration_ms"] > 5000 and not is_cut(victim)

    switch_to(lab, victim)
    running = Running(here, "isolate", "--cut", "5s")
    running.wait_acted()
    wait_until(lambda: is_cut(victim), 5, "the victim is cut off")
    running.process().send_signal(signal.SIGHUP)
    for line in running.popen.stderr:
        if "the cluster is d" in line:
            break
    running.process().send_signal(signal.SIGHUP)
    code, report = running.end()
    assert code == FAILED
    assert report["remains"][0].startswith("n1 is cut off from corosync for")
    wait_until(lambda: not is_cut(victim), 10, "the kernel ends it")


def test_crash_interrupted(lab):
    """An abort waits until another node serves."""
    victim, here = make_active(lab, "n1"), lab["n3"]
    running = Running(here, "crash")
    running.wait_acted()
    running.process().send_signal(signal.SIGTERM)
    try:
        code, report = running.end()
        assert (code, report["verdict"]) == (FAILED, "ABORTED")
        assert report["why"] == "interrupted"
        assert cluster(here)["active"] not in ("n1", None)
    finally:
        victim.start_corosync()


# One after another.

def test_sequence(lab, tmp_path):
    """One verdict, and one report, in each form."""
    make_active(lab, "n1")
    file, junit, html = (tmp_path / name for name in ("s", "s.xml", "s.html"))
    file.write_text("# Tuesday\nkill-northd --probe 'test 1 = 1'\n\n"
                    "switchover --no-verify --to n3 --max-write-outage 0ms\n")
    code, out, err = drill(lab["n1"], "sequence", file, "--yes", "--json",
                           "--junit", junit, "--html", html)
    report = report_of(out)
    assert (code, report["verdict"]) == (DRILL, "FAIL"), (report, err)
    assert [(d["kind"], d["verdict"]) for d in report["drills"]] == [
        ("kill-northd", "PASS"), ("switchover", "FAIL")]
    assert failed(report["drills"][1]) == ["write outage"]
    assert cluster(lab["n1"])["active"] == "n3"
    suites = ET.parse(junit).getroot()
    assert [s.get("failures") for s in suites] == ["0", "1"]
    assert html.read_text().count("<svg") == 2
    assert_everywhere(lab.control,
                      "drill: sequence FAIL: kill-northd PASS, switchover FAIL")


def test_sequence_refused(lab, tmp_path):
    """What cannot be is told before anything is done; and a drill that may
    not begin ends it."""
    here = others(lab, wait_well(lab))[0]
    file = tmp_path / "s"
    for text, what in (("", "names no drill"), ("flood\n", "no such drill"),
                       ("crash --max-lost x\n", "is no drill"),
                       ("crash 'x\n", "no words")):
        file.write_text(text)
        code, _, err = drill(here, "sequence", file, "--yes")
        assert code == USAGE and what in err, err
    assert drill(here, "sequence", tmp_path / "none")[0] == USAGE
    assert drill(here, "sequence", file, "--to", "n1")[0] == USAGE
    file.write_text("kill-nb\nswitchover --no-verify\n")
    code, out, err = drill(here, "sequence", file, "--dry-run")
    assert code == FINE and out.endswith("drill switchover --no-verify\n")
    code, out, err = drill(here, "sequence", file, "--yes", "--json")
    report = json.loads(out[out.index("\n{") + 1:])
    assert code == FAILED and report["verdict"] == "ABORTED"
    assert report["why"] == '"kill-nb" did not begin' and not report["drills"]


def test_sequence_interrupted(lab, tmp_path):
    """The drill that runs is ended in good order, and no other begins."""
    active = wait_well(lab)
    file = tmp_path / "s"
    file.write_text("stop-northd\nkill-nb\n")
    process = active.popen(
        lab.program("ovn-hactl", "."), "drill", "sequence", file, "--yes",
        "--json", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    assert any("+0.000 s" in line for line in process.stderr)
    parent, = (p for p in active.processes()
               if p.comm == "ovn-hactl" and "sequence" in p.args)
    parent.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=100)
    report = report_of(out)
    assert (process.returncode, report["verdict"]) == (FAILED, "ABORTED")
    assert [d["verdict"] for d in report["drills"]] == ["ABORTED"]
    assert all(p.state != "T" for p in active.find("northd"))


def test_device_fails(lab):
    """A device that does not do it: nothing came of it, and the drill says
    so.  The last test, as no drill begins before the device is well again."""
    victim, here = make_active(lab, "n2"), lab["n1"]
    wait_device(here)
    lab.bmc.set_mode("fails")
    try:
        code, report = drill_json(here, "crash", "--timeout", "5")
    finally:
        lab.bmc.set_mode("well")
    assert code == DRILL and failed(report)[0] == "all is well again"
    assert "nothing came of it" in report["why"], report
    assert wait_well(lab) is victim
