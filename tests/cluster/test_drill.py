# SPDX-License-Identifier: Apache-2.0
"""Drills: every kind comes through, every limit can fail, nothing is left
behind however a drill ends."""

import json
import os
import pty
import re
import signal
import socketserver
import subprocess
import threading
import xml.etree.ElementTree as ET
from contextlib import contextmanager

import pytest
from certs import Authority
from lab import Corosync, wait_until
from lab.node import Process
from lab.shell import TOP
from watch import NoReplication, bring_up, cluster, others, wait_well

FINE, FAILED, USAGE, DRILL = 0, 1, 2, 6
ON_ACTIVE = ["kill-nb", "kill-sb", "kill-northd", "stop-northd",
             "kill-supervisor"]
KINDS = ["switchover", *ON_ACTIVE]

# A standby that hears nothing leaves the in-sync set soon.
CONF = "[insync]\nlag-ms = 3000\n"


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes and a compute node."""
    lab = make_lab(control=3, compute=1, corosync=Corosync.fast())
    bring_up(lab, CONF)
    return lab


@pytest.fixture(autouse=True)
def nothing_left(lab):
    """After each test all is well, and no row of a drill is there."""
    yield
    assert rows(wait_well(lab)) == []


def rows(active):
    """The names of drills' rows."""
    return [name for name in active.nbctl(
        "--bare", "--columns=name", "list", "Address_Set").split()
        if name.startswith("ovn_ha_drill_")]


def drill(node, kind, *args):
    """Exit status, output and errors of a drill."""
    done = node.exec(node.lab.program("ovn-hactl", "."), "drill", kind, *args,
                     check=False, timeout=100)
    return done.returncode, done.stdout, done.stderr


def report_of(out):
    """The JSON behind the plan."""
    return json.loads(out[out.index("\n{") + 1:])


def drill_json(node, kind, *args):
    """Exit status and report of a drill that nobody is asked about."""
    code, out, err = drill(node, kind, "--yes", "--json", *args)
    assert "\n{" in out, (code, out, err)
    return code, report_of(out)


def told(node):
    """What a node's history says of drills."""
    return [line for line in node.hactl("history", "-n", "200").splitlines()
            if "|drill: " in line]


def failed(report):
    """The names of the checks that failed."""
    return [c["name"] for c in report["checks"] if not c["pass"]]


def assert_refused(node, text, kind, *args):
    """One line says why, and nothing was done."""
    before = cluster(node).get("epoch")
    code, out, err = drill(node, kind, *args)
    assert code in (FAILED, USAGE), (code, out, err)
    assert err.startswith("ovn-hactl: ") and text in err, err
    assert err.count("\n") == 1, err
    assert cluster(node).get("epoch") == before


class Running:
    """A drill in the background."""

    def __init__(self, node, kind, *args):
        self.node = node
        self.err = ""
        self.popen = node.popen(
            node.lab.program("ovn-hactl", "."), "drill", kind, "--yes",
            "--json", *args, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def process(self):
        """ovn-hactl itself."""
        return next(p for p in self.node.processes()
                    if p.comm == "ovn-hactl")

    def wait_acted(self):
        """Waits until it has told that it acted."""
        line = self.popen.stderr.readline()
        assert "+0.000 s" in line, line

    def end(self):
        """Its exit status and report."""
        out, self.err = self.popen.communicate(timeout=100)
        return self.popen.returncode, report_of(out)


# The plan.

def test_dry_run(lab):
    """The plan is shown, and nothing is done."""
    active = wait_well(lab)
    epoch = cluster(active)["epoch"]
    code, out, err = drill(active, "kill-nb", "--dry-run")
    assert (code, err) == (FINE, ""), err
    assert out.startswith("drill kill-nb: kills the Northbound"), out
    assert f"active is {active.name}" in out
    assert f"tcp:{active.address}:6641" in out
    assert cluster(active)["epoch"] == epoch and rows(active) == []


@pytest.mark.parametrize("kind", ON_ACTIVE)
def test_only_on_the_active(lab, kind):
    """What acts on processes says where it is to be run."""
    active = wait_well(lab)
    assert_refused(others(lab, active)[0],
                   f"run it there, on {active.name}", kind, "--yes")


def test_refusals(lab):
    """Who asks for what cannot be is told so."""
    active = wait_well(lab)
    assert_refused(active, 'there is no drill "flood"', "flood", "--yes")
    assert_refused(active, "there is no terminal", "kill-nb")
    assert_refused(active, "not a time such as", "kill-nb", "--yes",
                   "--max-write-outage", "2")
    assert_refused(active, "cannot be reached at tcp:127.0.0.1:1", "kill-nb",
                   "--yes", "--nb", "tcp:127.0.0.1:1")
    assert_refused(active, '"tls:1.2.3.4:1" is not', "kill-nb", "--yes",
                   "--nb", "tls:1.2.3.4:1")


def test_not_when_degraded(lab):
    """A cluster that is not well is not drilled."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    standby.service_stop("ovn-had")
    try:
        wait_until(lambda: cluster(active)["health"] == "degraded", 30,
                   "a standby is missed", interval=0.1)
        assert_refused(active, "the cluster is degraded", "kill-nb", "--yes")
    finally:
        standby.start_ovn_had()


def test_one_at_a_time(lab):
    """While a drill holds the lock there is no other, on any node."""
    active = wait_well(lab)
    session = active.dial("nb")
    try:
        assert session.call("lock", ["ovn_ha_drill"])["result"]["locked"]
        for node in lab.control:
            assert_refused(node, "another drill is running", "switchover",
                           "--yes")
    finally:
        session.close()


def test_asks(lab):
    """On a terminal the word has to be typed."""
    active = wait_well(lab)
    for word, code in (("no", FAILED), ("yes", FINE)):
        ours, theirs = pty.openpty()
        process = active.popen(lab.program("ovn-hactl", "."), "drill",
                               "kill-northd", stdin=theirs,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
        os.write(ours, f"{word}\n".encode())
        out, err = process.communicate(timeout=100)
        os.close(ours)
        os.close(theirs)
        assert process.returncode == code, (out, err)
        assert ("PASS" in out) == (code == FINE), out
        assert ("nothing was done" in err) == (code == FAILED), err


# The kinds.

@pytest.mark.parametrize("kind", KINDS)
def test_kinds(lab, kind):
    """Each kind comes through, and is told in full."""
    active = wait_well(lab)
    code, report = drill_json(active, kind, "--max-write-outage", "30s",
                              "--max-sb-delay", "30s")
    assert (code, report["verdict"]) == (FINE, "PASS"), report
    assert report["kind"] == kind and report["node"] == active.name
    assert failed(report) == [] and report["remains"] == []
    assert report["writes"]["lost"] == 0
    assert report["writes"]["acknowledged"] > 100
    names = [p["name"] for p in report["phases"]]
    assert "the longest write outage ends" in names
    if kind == "switchover":
        assert "elected: the record is held" in names
        assert "another node is active" in names
        assert f"--to {active.name} moves it back" in report["notes"][0]
    assert (report["compute"]["nodes"], report["compute"]["back"]) == (1, 1)
    assert 0 < report["compute"]["last_ms"]
    moments = [m["ms"] for m in report["timeline"]]
    assert moments == sorted(moments) and moments[0] == 0
    assert f"drill: {kind} begins" in told(active)[-2]
    assert f"drill: {kind} PASS: all is well again" in told(active)[-1]


def test_from_a_standby(lab):
    """A switchover is drilled from any node, to the one that is named."""
    active = wait_well(lab)
    here, to = others(lab, active)
    code, out, err = drill(here, "switchover", "--yes", "--to", to.name)
    assert code == FINE and "PASS" in out, (out, err)
    assert wait_well(lab) is to


@pytest.fixture
def authority(lab, tmp_path):
    """The databases listen with TLS, too."""
    made = Authority(tmp_path / "ca")
    server = made.issue("server")
    active = wait_well(lab)
    for ctl, port in ((active.nbctl, 6651), (active.sbctl, 6652)):
        ctl("set-ssl", f"{server}-key.pem", f"{server}-cert.pem", made.ca)
        ctl("--", "--id=@c", "create", "Connection",
            f'target="pssl:{port}"', "--", "add",
            "NB_Global" if ctl == active.nbctl else "SB_Global", ".",
            "connections", "@c")
    yield made
    active = wait_well(lab)
    lab.open_ports(active)
    for ctl in (active.nbctl, active.sbctl):
        ctl("del-ssl")


def test_tls(lab, authority):
    """A drill's clients speak TLS, with a certificate of their own."""
    active = wait_well(lab)
    remotes = [",".join(f"ssl:{n.address}:{port}" for n in lab.control)
               for port in (6651, 6652)]
    where = ("--nb", remotes[0], "--sb", remotes[1])
    client = authority.issue("client")
    files = ("--private-key", f"{client}-key.pem",
             "--certificate", f"{client}-cert.pem",
             "--ca-cert", authority.ca)
    code, report = drill_json(active, "switchover", *where, *files)
    assert code == FINE and report["writes"]["lost"] == 0, report
    assert report["compute"]["back"] == 1
    assert_refused(active, "needs --private-key", "switchover", "--yes",
                   *where)
    assert_refused(active, "give all of --private-key", "switchover", "--yes",
                   *where, *files[:4])
    # Files that do not belong together; and those of another authority.
    other = Authority(authority.folder / "other")
    assert_refused(active, f"ovn-hactl: --certificate {client}-cert.pem: ",
                   "switchover", "--yes", *where, *files[:5], other.ca)
    client = other.issue("client")
    assert_refused(active, "cannot be reached at ssl:", "switchover", "--yes",
                   *where, "--private-key", f"{client}-key.pem",
                   "--certificate", f"{client}-cert.pem",
                   "--ca-cert", other.ca)


# Each limit fails.

def test_write_outage_fails(lab):
    """A switchover cannot do without an outage."""
    active = wait_well(lab)
    code, report = drill_json(active, "switchover",
                              "--max-write-outage", "0ms")
    assert (code, report["verdict"]) == (DRILL, "FAIL")
    assert failed(report) == ["write outage"]
    assert "drill: switchover FAIL: " in told(active)[-1]
    assert "ms (limit 0 ms), NB to SB" in told(active)[-1]


def test_sb_delay_fails(lab):
    """northd takes longer than nothing."""
    code, report = drill_json(wait_well(lab), "stop-northd",
                              "--max-sb-delay", "1ms")
    assert (code, report["verdict"]) == (DRILL, "FAIL")
    assert failed(report) == ["NB to SB, longest"]


@pytest.mark.parametrize("limit", [0, 1])
def test_lost_fails(lab, limit):
    """An acknowledged write that is gone is found; the limit says whether
    that is too much."""
    active = wait_well(lab)
    running = Running(active, "kill-northd", "--max-lost", limit)
    running.wait_acted()
    name, = (n for n in rows(active) if n.endswith("_7"))
    active.nbctl("remove", "Address_Set", name, "addresses", "240.0.0.7")
    code, report = running.end()
    assert report["writes"]["lost"] == 1
    assert failed(report) == ([] if limit else ["acknowledged and lost"])
    assert code == (FINE if limit else DRILL)


def test_not_well_again_fails(lab):
    """A cluster that is not well in the end fails, and what is to be mended
    is listed."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    running = Running(active, "kill-northd", "--timeout", "6")
    running.wait_acted()
    with NoReplication(standby, active):
        code, report = running.end()
    assert (code, report["verdict"]) == (DRILL, "FAIL")
    assert failed(report) == ["all is well again", "to be mended by hand"]
    assert any(standby.name in text for text in report["remains"]), report


def test_compute_return_fails(lab):
    """A compute node needs a moment."""
    code, report = drill_json(wait_well(lab), "kill-sb",
                              "--max-compute-return", "0ms")
    assert code == DRILL and failed(report) == ["compute nodes are back"]


def test_compute_node_gone(lab):
    """One that was there and is not any more is missed; one that was not
    there before is not."""
    active = wait_well(lab)
    node, = lab.compute
    running = Running(active, "kill-sb", "--timeout", "8")
    running.wait_acted()
    node.service_stop("ovn-controller")
    try:
        code, report = running.end()
        assert code == DRILL and failed(report) == ["all is well again"]
        assert f"of 1 compute nodes 1 are not back after 8 s, for one " \
            f"{node.name}" == report["why"]
        code, report = drill_json(active, "kill-northd")
        assert code == FINE and report["compute"]["nodes"] == 0
    finally:
        node.start_controller()


@pytest.mark.parametrize("limit", ["0ms", "60s"])
def test_probe_fails(lab, tmp_path, limit):
    """A probe that fails once is told; the limit says whether that is too
    much."""
    active = wait_well(lab)
    flag = tmp_path / "flag"
    command = f"test ! -e {flag} || ! rm {flag}"
    running = Running(active, "kill-northd", "--probe", command,
                      "--max-probe-outage", limit, "--ping",
                      others(lab, active)[0].address)
    running.wait_acted()
    flag.touch()
    code, report = running.end()
    assert failed(report) == ([command] if limit == "0ms" else []), report
    assert code == (DRILL if limit == "0ms" else FINE)
    probe, ping = report["probes"]
    assert probe["failed"] == 1 and probe["outage_ms"] > 0
    assert ping["failed"] == 0 and ping["runs"] > 10


@pytest.mark.parametrize("args", [("--probe", "false"),
                                  ("--ping", "10.10.0.77")])
def test_probe_fails_before(lab, args):
    """What fails anyway proves nothing, so nothing is done."""
    active = wait_well(lab)
    pid = active.find("northd")[0].pid
    code, report = drill_json(active, "kill-northd", *args)
    assert (code, report["verdict"]) == (FAILED, "ABORTED")
    assert "it fails before anything was done" in report["why"]
    assert active.find("northd")[0].pid == pid
    assert_refused(active, "is no address to ping", "kill-northd", "--yes",
                   "--ping", "1.2.3.4;reboot")


# What it leaves on paper.

def test_files(lab, tmp_path):
    """Test cases for programs, and a page that needs nothing but itself."""
    junit, html = tmp_path / "drill.xml", tmp_path / "drill.html"
    args = ("--yes", "--junit", junit, "--html", html)
    code, out, err = drill(wait_well(lab), "kill-nb", *args,
                           "--max-write-outage", "0ms")
    assert code == DRILL, (out, err)
    suite = ET.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("6", "1")
    assert [case.get("name") for case in suite
            if case.find("failure") is not None] == ["write outage"]
    page = html.read_text()
    assert "FAIL</span>" in page and "<svg" in page
    assert page.endswith("</body></html>\n") and "://" not in page
    # Where there is no terminal, only what happens is told.
    assert re.search(r"\+0\.000 s  on n\d: kills the Northbound", err)
    assert "\033" not in err

    assert_refused(wait_well(lab), "cannot be written: No such file",
                   "kill-nb", "--yes", "--html", "/none/drill.html")


def test_live(lab):
    """On a terminal a line lives, and makes room for what happens."""
    ours, theirs = pty.openpty()
    active = wait_well(lab)
    process = active.popen(lab.program("ovn-hactl", "."), "drill",
                           "kill-northd", "--yes", stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:
        pass                    # The other end is closed.
    os.close(ours)
    process.communicate(timeout=100)
    assert process.returncode == FINE
    assert b"\r\033[Kmeasuring " in shown
    assert f"ok, {active.name} active\r\033[K".encode() in shown


# However it ends.

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_interrupted(lab, number):
    """The cluster serves, northd runs, and the row is gone."""
    active = wait_well(lab)
    northd = active.find("northd")[0].pid
    running = Running(active, "stop-northd")
    running.wait_acted()
    running.process().send_signal(number)
    code, report = running.end()
    assert (code, report["verdict"]) == (FAILED, "ABORTED")
    assert report["why"] == "interrupted" and report["remains"] == []
    assert "drill: stop-northd ABORTED (interrupted): " in told(active)[-1]
    assert all(p.state != "T" for p in active.find("northd"))
    # Continued, unless it took so long that ovn-had was faster.
    if report["duration_ms"] < 300:
        assert active.find("northd")[0].pid == northd


def test_terminal_lost(lab):
    """The same when nobody reads what it says any more."""
    active = wait_well(lab)
    running = Running(active, "stop-northd")
    running.wait_acted()
    process = running.process()
    running.popen.stdout.close()
    running.popen.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert running.popen.wait(60) == FAILED


def test_killed(lab):
    """What a drill that was killed left behind, the next one removes."""
    active = wait_well(lab)
    running = Running(active, "kill-northd")
    running.wait_acted()
    process: Process = running.process()
    process.send_signal(signal.SIGKILL)
    running.popen.wait(10)
    wait_well(lab)
    assert len(rows(active)) == 32
    code, out, err = drill(active, "kill-northd", "--dry-run")
    assert code == FINE and "32 left by earlier drills" in out, (out, err)
    code, report = drill_json(active, "kill-northd")
    assert code == FINE, report


# What a compute node says.

COMPUTE_PROBE = TOP / "etc" / "compute-probe"
RULE = "table=99,priority=7"
# In place of ssh: the word goes to the compute node, the exit status comes.
CARRY = """python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/to-c1.sock")
s.sendall(sys.argv[1].encode())
sys.exit(int(s.recv(9)))' """


@contextmanager
def reachable(compute, node):
    """compute-probe runs on a compute node for who asks on 'node'."""
    class Ask(socketserver.BaseRequestHandler):
        """One word, and the answer."""

        def handle(self):
            done = compute.exec(COMPUTE_PROBE, self.request.recv(99).decode(),
                                check=False)
            self.request.sendall(str(done.returncode).encode())
    path = node.root("/run/to-c1.sock")
    with socketserver.UnixStreamServer(str(path), Ask) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            path.unlink()


def test_compute_probe(lab):
    """The script by itself."""
    c1 = lab["c1"]

    def said(*args):
        done = c1.exec(COMPUTE_PROBE, *args, check=False)
        return done.returncode, done.stderr
    word = c1.out(COMPUTE_PROBE).strip()
    who, flows = word.rsplit(".", 1)
    assert int(flows) == c1.flows()
    assert who.split(".")[0] == str(c1.root(
        "/run/ovn/ovn-controller.pid").read_text().strip())
    assert said(word) == (0, "") == said(f"{who}.{int(flows) - 1}")
    code, err = said(f"{who}.{int(flows) + 1}")
    assert code == 1 and f"there are {flows} flows, before" in err
    code, err = said(f"1{word}")
    assert code == 1 and "was started anew" in err
    for wrong in ("", "1.2", "a.b.c", "1.2.3.4"):
        code, err = said(wrong)
        assert code == 1 and "is not what it has printed" in err
    pid = c1.root("/run/ovn/ovn-controller.pid")
    pid.rename(pid.with_suffix(".away"))
    try:
        code, err = said(word)
        assert code == 1 and "does not run" in err
    finally:
        pid.with_suffix(".away").rename(pid)


@pytest.mark.parametrize("harm", ["none", "restart", "dip"])
def test_compute_node_is_asked(lab, harm):
    """A drill in which ovn-controller is restarted, or flows are missing,
    fails; else it does not."""
    active, c1 = wait_well(lab), lab["c1"]
    c1.exec("ovs-ofctl", "add-flow", "br-int", f"{RULE},actions=drop")
    word = c1.out(COMPUTE_PROBE).strip()
    with reachable(c1, active):
        running = Running(active, "kill-nb", "--probe", CARRY + word)
        running.wait_acted()
        if harm == "restart":
            c1.kill("ovn-controller")
        elif harm == "dip":
            c1.exec("ovs-ofctl", "--strict", "del-flows", "br-int", RULE)
        code, report = running.end()
    assert (code == FINE) == (harm == "none"), report
    assert len(failed(report)) == (harm != "none"), report
    assert all(CARRY.split(maxsplit=1)[0] in name for name in failed(report))
    c1.exec("ovs-ofctl", "--strict", "del-flows", "br-int", RULE)
    wait_until(c1.connected, 30, "ovn-controller is back")
