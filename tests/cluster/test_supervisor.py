# SPDX-License-Identifier: Apache-2.0
"""ovn-had comes and goes, and the databases do not notice: reload, upgrade,
crash, stop."""

import re
import shutil
import signal

import pytest
from guard import DEADLINE, Guard, epoch, pick
from lab import CommandError, Corosync, wait_until
from lab.shell import build_folder, run
from watch import bring_up, cluster, local, status, wait_well

ROLES = ["active", "standby"]
PROGRAMS = ["ovn-had", "ovn-ha-fence", "ovn-ha-replica", "ovn-hactl",
            "tests/lab/lab-host", "tests/lab/lab-keeper",
            "tests/lab/lab-traffic"]

# What outlives ovn-had, and what a stop must end.
CHILDREN = ["nb", "sb", "northd", "fence"]


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A copy of the build folder, whose programs a test may replace."""
    folder = tmp_path_factory.mktemp("build")
    for name in PROGRAMS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build_folder() / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def lab(make_lab, build):
    """Three control nodes, and a compute node as a client."""
    lab = make_lab(control=3, compute=1, workloads=1, build=build,
                   corosync=Corosync.fast())
    bring_up(lab)
    return lab


def pids(node, targets=tuple(CHILDREN)):
    """The processes of the targets."""
    return {t: [p.pid for p in node.find(t)] for t in targets}


def connections(node):
    """The client connections to the node's ports: (server, client)."""
    out = node.out("ss", "-Htn", "state", "established",
                   "( sport = :6641 or sport = :6642 )")
    return {tuple(line.split()[-2:]) for line in out.splitlines()}


def controller_joined(lab, node):
    """Whether the compute node is connected to this node's SB."""
    return any(":6642" in server and lab.compute[0].address in client
               for server, client in connections(node))


def took_over(node):
    """How often its workers, since they were started, went on where they
    were, and how often they needed a snapshot."""
    return [[status(node)["local"][db][how] for db in ("nb", "sb")]
            for how in ("resumes", "snapshots")]


class Undisturbed:
    """No client reconnects, no child is restarted, no epoch ends."""

    def __init__(self, lab, node):
        self.lab = lab
        self.node = node
        self.active = wait_well(lab)
        # Three clients by now: two writers, and ovn-controller.
        wait_until(lambda: controller_joined(lab, self.active), DEADLINE,
                   "ovn-controller is connected")
        self.before = self._look()
        assert len(self.before[0]) >= 3 and all(self.before[1].values())

    def _look(self):
        return connections(self.active), pids(self.node), epoch(self.active)

    def verify(self, guard):
        """Nothing has changed; then the usual."""
        assert wait_well(self.lab) is self.active
        guard.busy()
        assert self._look() == self.before
        for writer in guard.writers.values():
            entries = writer.ledger().entries
            assert all(e.acked for e in entries), "a write went unanswered"
            assert {e.server for e in entries} == {self.active.name}
        guard.verify()


def log(node):
    """What ovn-had said."""
    return node.log("lab/ovn-had.log")


def wait_new_life(node, before, words):
    """Waits until ovn-had's log has more lines with 'words' than before."""
    wait_until(lambda: log(node).count(words) > before, DEADLINE,
               f"{node.name} says once more: {words}")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("how", ["SIGHUP", "ovn-hactl"])
def test_reload(lab, role, how):
    """A reload executes ovn-had anew, and no client notices."""
    node = pick(lab, role)
    with Guard(lab) as guard:
        calm = Undisturbed(lab, node)
        pid = pids(node, ["ovn-had"])
        for _ in range(3):
            told = log(node).count("executed anew")
            if how == "SIGHUP":
                node.send_signal("ovn-had", signal.SIGHUP)
            else:
                node.hactl("reload")
            wait_new_life(node, told, "executed anew")
            wait_well(lab)
        assert pids(node, ["ovn-had"]) == pid
        calm.verify(guard)


@pytest.mark.parametrize("role", ROLES)
def test_upgrade(lab, build, role):
    """Another ovn-had in the place of the old one is what a reload
    executes."""
    node = pick(lab, role)
    text = (build_folder() / "ovn-had").read_bytes()
    version = run([build_folder() / "ovn-had", "-V"]).stdout.split()[-1]
    other = {"active": "9", "standby": "8"}[role] + version[1:]
    assert version.encode() in text
    (build / "ovn-had.new").write_bytes(
        text.replace(version.encode(), other.encode()))
    (build / "ovn-had.new").chmod(0o755)
    with Guard(lab) as guard:
        calm = Undisturbed(lab, node)
        (build / "ovn-had.new").rename(build / "ovn-had")
        node.hactl("reload")
        wait_until(lambda: _version(node) == other, DEADLINE,
                   "the new version runs")
        calm.verify(guard)


def _version(node):
    return status(node).get("version")


def systemctl_reload(node):
    """What the unit has systemd do, by the program that was built."""
    unit = (build_folder() / "etc/ovn-had.service").read_text()
    words = re.search(r"^ExecReload=\S*/(\S+) (.*)$", unit, re.M)
    node.exec(node.lab.program(words[1], "."), *words[2].split())


def test_reload_with_a_wrong_file(lab):
    """A reload that cannot work is refused, with file, line and reason, and
    everything goes on."""
    node = pick(lab, "active")
    conf = node.root("/etc/ovn-ha/ovn-ha.conf")
    with Guard(lab) as guard:
        calm = Undisturbed(lab, node)
        pid = pids(node, ["ovn-had"])
        conf.write_text("[timing]\nlease-ms = soon\n")
        told = log(node).count("executed anew")
        with pytest.raises(CommandError, match=(
                r"/ovn-ha\.conf:2: \[timing\] lease-ms: .*soon")):
            node.hactl("reload")
        conf.write_text("[paths]\nrun-dir = /run/elsewhere\n")
        with pytest.raises(CommandError, match=(
                r"/ovn-ha\.conf:2: \[paths\] run-dir cannot become "
                r"/run/elsewhere by a reload")):
            node.hactl("reload")
        with pytest.raises(CommandError, match="cannot become"):
            systemctl_reload(node)
        node.send_signal("ovn-had", signal.SIGHUP)
        wait_until(lambda: "reload refused" in log(node), DEADLINE)
        conf.unlink()
        assert pids(node, ["ovn-had"]) == pid
        assert log(node).count("executed anew") == told
        calm.verify(guard)


def test_config_names_its_sources(lab):
    """File, default, and what corosync has been asked."""
    node = pick(lab, "standby")
    text = node.hactl("config")
    assert "lease-ms = 1000 ; default\n" in text
    for other in lab.control:
        assert f"# node {other.name} = {other.index}, {other.address} ; " \
            "corosync, nodelist\n" in text
    assert "# token-ms = 500 ; corosync, totem.token in effect\n" in text
    assert "# beat-key = /etc/corosync/authkey ; corosync" in text
    assert "# no-quorum-policy = stop ; by auto; corosync has 3 nodes and " \
        "no quorum device" in text


@pytest.mark.parametrize("role", ROLES)
def test_crash(lab, role):
    """A crashed ovn-had that is back within a lease finds its children, no
    client notices, and whoever lost a worker or its source goes on where it
    was."""
    node = pick(lab, role)
    standbys = [n for n in lab.control if n is not pick(lab, "active")]
    with Guard(lab) as guard:
        calm = Undisturbed(lab, node)
        before = {n.name: took_over(n) for n in standbys}
        told = log(node).count("adopted")
        node.kill("ovn-had")
        wait_until(lambda: log(node).count("adopted") >= told + 4, DEADLINE,
                   "the children are adopted")
        calm.verify(guard)
    for n in standbys:
        resumes, snapshots = took_over(n)
        if n is node:  # New workers.
            assert min(resumes) > 0 and snapshots == [0, 0]
        elif role == "active":
            assert all(now > old for now, old in zip(resumes,
                                                     before[n.name][0]))
            assert snapshots == before[n.name][1]


def test_crash_for_good(lab):
    """An ovn-had on the active that does not come back: the fence worker
    closes the door, and another node takes over."""
    node = pick(lab, "active")
    others = [n.name for n in lab.control if n is not node]
    # What it acknowledges until its lease is over nobody may have taken.
    bound_ms = cluster(node)["lease_ms"]
    with Guard(lab) as guard:
        for keeper in [p for p in node.processes()
                       if p.comm == "lab-keeper" and "ovn-had" in p.args]:
            keeper.send_signal(signal.SIGKILL)
        wait_until(lambda: not node.service_running("ovn-had"))
        node.kill("ovn-had")
        lab.wait_active(DEADLINE, others)
        assert not connections(node)
        for db in ("nb", "sb"):
            assert not node.root(f"/run/ovn/ovn{db}_db.sock").exists()
        assert not node.find("northd")
        node.start_ovn_had()
        guard.verify(bound_ms=bound_ms)


def test_start_of_a_slow_fence_worker(lab):
    """One that needs more time than is first given to it gets more at the
    next try, each time anew."""
    node = pick(lab, "standby")
    program, late = lab.program("ovn-ha-fence", "."), node.root("/run/late")
    told = "does not listen on /run/ovn-ha/fence.sock"
    with Guard(lab) as guard:
        node.exec("sh", "-ec", f"""
            mkdir /run/real
            cp {program} /run/real/ovn-ha-fence""")
        late.write_text("#!/bin/sh\nsleep 1.2\n"
                        'exec /run/real/ovn-ha-fence "$@"\n')
        late.chmod(0o755)
        node.exec("mount", "--bind", "/run/late", program)
        for times in (1, 2):
            node.kill("fence")
            wait_until(lambda n=times: node.log("lab/ovn-had.log").count(
                "within 1000 ms; killed") == n, DEADLINE)
            wait_until(lambda: local(node).get("fence", {}).get("connected"),
                       DEADLINE, lambda: local(node).get("fence"))
        assert told in node.log("lab/ovn-had.log")
        node.exec("umount", "--lazy", program)
        node.kill("fence")
        guard.verify()


def test_stop_of_a_slow_fence_worker(lab):
    """One that takes its time to end is not killed for it: the client ports
    would stay mute to whatever serves on this node next."""
    node = pick(lab, "standby")
    with Guard(lab) as guard:
        [had], [fence] = node.find("ovn-had"), node.find("fence")
        fence.send_signal(signal.SIGSTOP)
        had.send_signal(signal.SIGTERM)
        wait_until(had.gone, DEADLINE, "ovn-had has stopped")
        fence.send_signal(signal.SIGCONT)
        wait_until(fence.gone, DEADLINE, "the fence worker has ended")
        assert "ovn_ha" not in node.out("nft", "list", "tables")
        wait_until(lambda: not node.service_running("ovn-had"))
        node.start_ovn_had()
        guard.verify()


def leave(node):
    """By hand, as before a reboot: once the command returns all is over."""
    node.exec(node.lab.program("ovn-hactl", "."), "leave", timeout=70)


@pytest.mark.parametrize("stop", [lambda node: node.service_stop("ovn-had"),
                                  leave], ids=["service", "leave"])
@pytest.mark.parametrize("role", ROLES)
def test_stop(lab, role, stop):
    """A stopped service leaves no process behind, and the active hands over
    before."""
    node = pick(lab, role)
    before = epoch(node)
    others = [n.name for n in lab.control if n is not node]
    with Guard(lab) as guard:
        stop(node)
        # A killed verifier, which has the lowest priority, may still be dying.
        wait_until(lambda: {p.comm for p in node.processes()}
                   <= {"corosync", "lab-keeper"}, 5, "nothing is left")
        for file in ("ovnnb_db.sock", "ovnsb_db.sock", "ovn-had.pid"):
            assert not node.root(f"/run/ovn/{file}").exists()
        lab.wait_active(DEADLINE, others)
        wait_until(lambda: not node.service_running("ovn-had"))
        node.start_ovn_had()
        active = guard.verify()
        if role == "standby":
            assert epoch(active) == before
    resumes, snapshots = took_over(node)
    assert min(resumes) > 0 and snapshots == [0, 0]
