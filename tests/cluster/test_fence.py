# SPDX-License-Identifier: Apache-2.0
"""ovn-ha-fence on real ovsdb-servers: the door is open only under a lease.

Workers run on 127.0.0.1 to .3; the first has databases."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from fence_parts import (ACK_TYPE, BEAT_TYPE, CLOSE, CLOSED, EXIT, LEASE,
                         MARGIN, OPEN, OPENING, SECRET, WAITING, Cluster,
                         boottime_us, is_dead, make_beat, parse_beat, serve)
from lab import wait_until
from preload import build_preload

# What a loaded machine may add to a bound.
SLACK = 0.5


@pytest.fixture
def cluster(tmp_path):
    programs = Path(os.environ["OVN_HA_PKGLIBEXECDIR"])
    cluster = Cluster(tmp_path, programs / "ovn-ha-fence")
    yield cluster
    cluster.stop()
    print(cluster.logs())


@pytest.fixture
def node(cluster):
    """Node 1 with its databases, supported by nodes 2 and 3, all of them past
    their fresh start; not serving yet."""
    return cluster.bring_up()


class Peer:
    """Node 1's end of the wire, held by the test."""

    def __init__(self, cluster, ident=1):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((f"127.0.0.{ident}", cluster.port))
        self.to = ("127.0.0.2", cluster.port)

    def beat(self, *args, **kwargs):
        """Sends a beat; returns what was acknowledged of it, or None."""
        self.sock.settimeout(0.1)
        self.sock.sendto(make_beat(BEAT_TYPE, *args, **kwargs), self.to)
        try:
            return parse_beat(self.sock.recv(2048))
        except TimeoutError:
            return None

    def take(self, timeout=2.0):
        """The next beat of node 1 that arrives."""
        self.sock.settimeout(timeout)
        return dict(zip(("kind", "sender", "to", "epoch", "life", "seq",
                         "sent", "lease_us"),
                        parse_beat(self.sock.recv(2048))))

    def acknowledge(self, beat, sender=2, secret=SECRET, **changes):
        """Answers a beat of node 1, as node 2 if nothing else is said."""
        beat = beat | {"kind": ACK_TYPE, "sender": sender, "to": 1} | changes
        self.sock.sendto(make_beat(secret=secret, **beat),
                         ("127.0.0.1", self.to[1]))


def elapsed(since):
    return time.monotonic() - since


def test_hardened(cluster):
    """Neither swapped out nor kept waiting by other processes; the agents that
    it starts are ordinary ones."""
    node = cluster.add(1)
    worker = Path("/proc", str(node.worker.pid))

    def agents():
        pids = (worker / f"task/{node.worker.pid}/children").read_text()
        return [int(p) for p in pids.split() if Path(
            "/proc", p, "comm").read_text() == "ovn-ha-agents\n"]
    wait_until(agents, 5, "its agents")
    locked, = re.findall(r"^VmLck:\s+(\d+)", (worker / "status").read_text(),
                         re.M)
    assert int(locked) > 0
    policy = os.sched_getscheduler(node.worker.pid)
    assert policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
    assert os.sched_getscheduler(agents()[0]) == os.SCHED_OTHER


def test_opens_only_with_a_lease(cluster):
    node = cluster.add(1, databases=True)
    node.setup()
    assert node.sup.support(1, 1) > 0
    node.sup.serve(1, 1)
    state = node.sup.wait_door(WAITING)
    assert state.lease_left_us == 0 and state.why

    # A supporter of no epoch, then one that is fresh: neither is enough.
    other = cluster.add(2)
    other.setup()
    wait_until(lambda: other.sup.state, 2)
    assert other.sup.support(1, 1) > 0
    assert node.shut() and not node.open()

    # The same supporter, once its fresh start is over.
    state = node.sup.wait_door(OPEN)
    assert 0 < state.lease_left_us <= LEASE * 1e6
    assert state.serve == (1, 1) and not state.why
    wait_until(node.open, 1)
    for server in node.servers:
        assert server.remotes() == sorted([server.private] + server.public)


def test_open_means_that_clients_are_served(cluster, tmp_path, monkeypatch):
    """A server answers that it has a new remote before it listens."""
    monkeypatch.setenv("LD_PRELOAD",
                       str(build_preload("slowlisten", tmp_path)))
    node = cluster.bring_up()
    node.sup.serve(1, 1)
    node.sup.wait_door(OPEN)
    assert node.open()


def test_opens_within_milliseconds(node):
    took = []
    for n in range(2, 7):
        for other in node.cluster.nodes.values():
            other.sup.support(n, 1)
        start = boottime_us()
        state = serve(node, n)
        took.append(state.opened_us - start)
    # Beat, acknowledgement, add-remote on both servers.
    assert sorted(took)[2] < 50_000, took


def test_one_supporter_of_two_is_enough(cluster, node):
    serve(node)
    cluster.nodes[2].worker.kill()
    session = node.servers[0].connect()
    end = time.monotonic() + 1.5 * LEASE
    wait_until(lambda: time.monotonic() > end or not node.open(), 5)
    assert node.open() and node.sup.state.lease_losses == 0
    session.setblocking(False)
    with pytest.raises(BlockingIOError):
        session.recv(1)
    session.close()


def test_closes_before_the_lease_ends(cluster, node):
    serve(node)
    session = node.servers[1].connect()
    cluster.nodes[2].worker.kill()
    cut = boottime_us()
    cluster.nodes[3].worker.kill()
    state = node.sup.wait_door(CLOSED)
    # The last beat that could be acknowledged was sent before the cut.
    assert state.closed_us < cut + LEASE * 1e6
    assert state.closed_us > cut + (LEASE - MARGIN - 0.2) * 1e6
    assert state.serve == (0, 0) and state.lease_losses == 1
    assert "lease" in state.why
    assert node.shut() and not node.open()
    assert not Path(node.servers[0].public[1].removeprefix("punix:")).exists()
    assert session.recv(1) == b""
    session.close()
    assert is_dead(node.northd)
    assert not is_dead(node.servers[0].process)


def test_lost_lease_does_not_come_back_by_itself(cluster, node):
    serve(node)
    for ident in (2, 3):
        os.kill(cluster.nodes[ident].worker.pid, signal.SIGSTOP)
    node.sup.wait_door(CLOSED)
    for ident in (2, 3):
        os.kill(cluster.nodes[ident].worker.pid, signal.SIGCONT)
    wait_until(lambda: cluster.nodes[2].sup.state.support == (1, 1), 2)
    assert node.shut() and node.sup.state.door == CLOSED
    # The supervisor may ask again, and gets it under the same epoch.
    node.start_northd()
    node.tell()
    serve(node)
    assert node.open() and not is_dead(node.northd)


def test_thawed_worker_closes_at_once(node):
    serve(node)
    os.kill(node.worker.pid, signal.SIGSTOP)
    end = time.monotonic() + 1.5 * LEASE
    wait_until(lambda: time.monotonic() > end, 5)
    assert node.open()          # A frozen worker closes nothing.
    thaw = boottime_us()
    os.kill(node.worker.pid, signal.SIGCONT)
    state = node.sup.wait_door(CLOSED)
    assert state.lease_losses == 1 and node.shut()
    # At worst, the servers are too slow to show it.
    assert state.closed_us < thaw + (MARGIN + 0.05) * 1e6


def pretend_supporter(cluster, **config):
    """Node 1, serving once the test acknowledges as node 2."""
    node = cluster.add(1, databases=True)
    node.connect()
    node.configure(**config)
    node.tell()
    node.sup.support(1, 1)
    peer = Peer(cluster, 2)
    node.sup.serve(1, 1)
    return node, peer


def test_wakes_when_the_lease_is_over(cluster):
    """Not with the next beat, or whatever else comes."""
    node, peer = pretend_supporter(cluster, beat=LEASE)
    node.sup.silence()
    with peer.sock:
        peer.acknowledge(beat := peer.take())
        node.sup.wait_door(OPEN)
        state = node.sup.wait_door(CLOSED)
    over = beat["sent"] + (LEASE - MARGIN) * 1e6
    assert over < state.closed_us < over + 50_000


def test_lease_counts_before_messages_that_waited(cluster):
    """Thawed in the time that closing needs, the worker closes: it does not
    ask first whether something in its buffer might save it."""
    node, peer = pretend_supporter(cluster)
    with peer.sock:
        first = peer.take()
        peer.acknowledge(first)
        node.sup.wait_door(OPEN)
        last = first
        while last["sent"] < first["sent"] + (LEASE - MARGIN) / 2 * 1e6:
            last = peer.take()
        os.kill(node.worker.pid, signal.SIGSTOP)
        peer.acknowledge(last)
        over = first["sent"] + (LEASE - MARGIN) * 1e6
        wait_until(lambda: boottime_us() > over + 20_000, 3, interval=0.005)
        os.kill(node.worker.pid, signal.SIGCONT)
        state = node.sup.wait_door(CLOSED)
    assert state.lease_losses == 1
    assert state.closed_us < last["sent"] + (LEASE - MARGIN) * 1e6


def test_frozen_server_is_killed(cluster, node):
    serve(node)
    nb, sb = node.servers
    os.kill(nb.process.pid, signal.SIGSTOP)
    start = time.monotonic()
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSED)
    assert elapsed(start) < MARGIN + SLACK
    assert is_dead(nb.process) and not is_dead(sb.process)
    assert sb.remotes() == [sb.private]


def test_frozen_server_is_killed_before_the_lease_ends(cluster, node):
    serve(node)
    os.kill(node.servers[0].process.pid, signal.SIGSTOP)
    cut = boottime_us()
    for ident in (2, 3):
        cluster.nodes[ident].worker.kill()
    state = node.sup.wait_door(CLOSED)
    assert is_dead(node.servers[0].process)
    assert state.closed_us < cut + (LEASE + 0.05) * 1e6


def test_frozen_standby_is_not_killed(node):
    """A server that was never opened owes no proof."""
    nb = node.servers[0]
    wait_until(lambda: node.sup.state.door == CLOSED, 2)
    os.kill(nb.process.pid, signal.SIGSTOP)
    node.sup.send(CLOSE, bytes(8))
    node.sup.support(2, 3)
    end = time.monotonic() + LEASE
    wait_until(lambda: time.monotonic() > end, 5)
    assert not is_dead(nb.process)
    os.kill(nb.process.pid, signal.SIGCONT)


def test_server_that_does_not_answer_is_waited_for(node):
    """Told to open while a server owes an answer, the worker sleeps until it
    comes: it is real time, and must not spin."""
    nb = node.servers[0]
    wait_until(lambda: node.sup.state.door == CLOSED, 2)
    os.kill(nb.process.pid, signal.SIGSTOP)
    # The next look at it goes unanswered.
    end = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > end, 5)
    node.sup.serve(1, 1)
    node.sup.wait_door(OPENING)
    end = time.monotonic() + 2 * LEASE
    wait_until(lambda: time.monotonic() > end, 5)
    os.kill(nb.process.pid, signal.SIGCONT)
    node.sup.wait_door(OPEN)
    assert node.log.read_text().count("did not run") < 100


def test_restarted_server_is_opened_again(node):
    serve(node)
    nb, sb = node.servers
    session = sb.connect()
    nb.process.kill()
    nb.process.wait()
    wait_until(lambda: node.sup.state.door != OPEN, 2)
    assert not node.sup.state.lease_losses
    nb.start()
    node.sup.send(3, nb.message())
    node.sup.wait_door(OPEN)
    wait_until(nb.answers, 1)
    assert sb.answers()
    session.setblocking(False)
    with pytest.raises(BlockingIOError):
        session.recv(1)         # The other database noticed nothing.
    session.close()


def test_supervisor_gone_for_a_lease(node):
    serve(node)
    node.sup.silence()
    left = time.monotonic()
    node.sup.close()
    wait_until(lambda: not node.open(), 3, interval=0.01)
    assert LEASE * 0.9 < elapsed(left) < LEASE + SLACK
    wait_until(node.shut, 2)
    assert is_dead(node.northd)
    # The next one finds a worker that went on supporting.
    sup = node.setup()
    wait_until(lambda: sup.state, 2)
    assert sup.state.support == (1, 1) and sup.state.serve == (0, 0)
    assert "supervisor" in sup.state.why


def test_new_supervisor_takes_over_unnoticed(node):
    first, second = node.prepare(), node.prepare()
    serve(node)
    sessions = [s.connect() for s in node.servers]
    node.sup.close()
    node.setup(first)
    node.sup.wait_door(OPEN)
    node.setup(second)          # While the one before is still connected.
    node.sup.wait_door(OPEN)
    wait_until(lambda: first.read() or first.gone, 2)
    end = time.monotonic() + 1.5 * LEASE
    wait_until(lambda: time.monotonic() > end, 5)
    node.tell_of_none()         # As an ovn-had that has just started.
    end = time.monotonic() + LEASE / 2
    wait_until(lambda: time.monotonic() > end, 5)
    assert node.sup.state.door == OPEN and node.open()
    for session in sessions:
        session.setblocking(False)
        with pytest.raises(BlockingIOError):
            session.recv(1)
        session.close()
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSED)
    assert node.shut() and is_dead(node.northd)
    assert not any(is_dead(s.process) for s in node.servers)


def test_silent_supervisor_is_killed(node):
    serve(node)
    node.sup.silence()
    silent = time.monotonic()
    wait_until(lambda: is_dead(node.sup.process), 5, interval=0.01)
    assert node.sup.process.returncode == -signal.SIGKILL
    assert 2.5 * LEASE < elapsed(silent) < 3 * LEASE + SLACK
    wait_until(lambda: not node.open(), 3, interval=0.01)
    assert elapsed(silent) < 4 * LEASE + 2 * SLACK
    assert not is_dead(node.worker)


def test_foreign_remote_is_cut(node):
    nb = node.servers[0]
    foreign = f"punix:{node.folder}/foreign.sock"
    wait_until(lambda: node.sup.state.door == CLOSED, 2)
    nb.control("add-remote", foreign)
    nb.control("add-remote", "db:OVN_Northbound,NB_Global,connections")
    wait_until(node.shut, 3)
    assert "someone else" in node.log.read_text()
    # While serving, it is the administrator's business.
    serve(node)
    nb.control("add-remote", foreign)
    end = time.monotonic() + 1.5
    wait_until(lambda: time.monotonic() > end or foreign not in nb.remotes(),
               5, interval=0.1)
    assert foreign in nb.remotes()
    # It is closed with the rest.
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSED)
    assert node.shut()


def test_higher_epoch_closes_first(node):
    serve(node)
    before = boottime_us()
    # A frozen server shows nothing: the answer has to wait for its death.
    nb = node.servers[0]
    os.kill(nb.process.pid, signal.SIGSTOP)
    assert node.sup.support(2, 3) == 0  # No promise but its own lease.
    assert is_dead(nb.process) and node.shut() and is_dead(node.northd)
    state = node.sup.wait_door(CLOSED)
    assert state.support == (2, 3) and state.serve == (0, 0)
    assert state.closed_us >= before


def test_lower_epoch_is_refused(cluster, node):
    other = cluster.nodes[2].sup
    node.sup.support(3, 1)
    for n in (2, 3):
        node.sup.serve(n, 1)
    node.sup.wait_door(WAITING)
    other.send(5, bytes(8))     # Support of {0, 0}.
    other.support(3, 1)
    node.sup.wait_door(OPEN)
    assert other.support(4, 2) > 0      # The promise to node 1.
    cluster.nodes[3].sup.support(4, 2)
    node.sup.wait_door(CLOSED)          # No one renews it.
    before = len(other.supported)
    other.send(5, (3).to_bytes(4, "little") + (1).to_bytes(4, "little"))
    node.sup.support(4, 2)
    node.sup.serve(3, 1)
    wait_until(lambda: node.sup.state.support == (4, 2), 2)
    end = time.monotonic() + LEASE
    wait_until(lambda: time.monotonic() > end, 5)
    other.read()
    assert len(other.supported) == before
    assert other.state.support == (4, 2)
    assert node.sup.state.serve == (0, 0) and node.shut()


def test_beats_are_judged(cluster):
    node = cluster.add(2)
    node.setup()
    peer, stranger = Peer(cluster), Peer(cluster, 3)
    with peer.sock, stranger.sock:
        assert node.sup.support(5, 1) > 0
        seq = iter(range(1, 10000))
        assert peer.beat(1, 2, (5, 1), 7, next(seq)) is None    # Fresh.
        wait_until(lambda: peer.beat(1, 2, (5, 1), 7, next(seq)), 3)

        good = (5, 1)
        sent = next(seq)
        assert peer.beat(1, 2, good, 7, sent) == (
            ACK_TYPE, 2, 1, good, 7, sent, 12345, int(LEASE * 1e6))
        assert peer.beat(1, 2, good, 7, sent) is None           # Replay.
        assert peer.beat(1, 2, good, 7, sent - 1) is None
        assert peer.beat(1, 2, good, 6, next(seq)) is None      # Older life.
        assert peer.beat(1, 2, (4, 1), 7, next(seq)) is None
        assert peer.beat(1, 2, (6, 1), 7, next(seq)) is None
        assert peer.beat(1, 3, good, 7, next(seq)) is None      # Not to it.
        assert peer.beat(3, 2, good, 7, next(seq)) is None
        assert stranger.beat(1, 2, good, 7, next(seq)) is None
        assert peer.beat(1, 2, good, 7, next(seq),
                         secret=bytes(128)) is None             # Forged.
        assert peer.beat(1, 2, good, 7, next(seq))
        # A new life of node 1.
        assert peer.beat(1, 2, good, 8, 1)
        assert peer.beat(1, 2, good, 7, next(seq)) is None

        node.members([2, 3])
        wait_until(lambda: peer.beat(1, 2, good, 8, next(seq)) is None, 2)
        node.members([1, 2, 3])
        wait_until(lambda: peer.beat(1, 2, good, 8, next(seq)), 2)
        # Epochs below are never supported again.
        assert 0 < node.sup.support(6, 3) <= LEASE * 1.01 * 1e6
        assert peer.beat(1, 2, good, 8, next(seq)) is None


def test_forged_acknowledgements_are_ignored(cluster):
    node = cluster.add(1, databases=True)
    node.setup()
    node.sup.support(1, 1)
    node.sup.serve(1, 1)
    node.sup.wait_door(WAITING)
    peer = Peer(cluster, 2)
    with peer.sock:
        for changes in ({"secret": bytes(128)}, {"sender": 3}, {"to": 3},
                        {"epoch": (2, 1)}, {"life": 1}, {"sent": 1},
                        {"kind": BEAT_TYPE}):
            for _ in range(2):
                peer.acknowledge(peer.take(), **changes)
            assert node.sup.state.door == WAITING, changes
        peer.acknowledge(peer.take())
        node.sup.wait_door(OPEN)


def test_no_beats_without_the_key(cluster):
    """A key that cannot be read is no reason to go without."""
    node = cluster.add(1, databases=True)
    node.connect()
    missing = cluster.folder / "not-there"
    node.configure(key_file=missing)
    node.tell()
    node.sup.support(1, 1)
    with Peer(cluster, 2).sock as sock:
        node.sup.serve(1, 1)
        state = node.sup.wait_door(WAITING)
        assert "key" in state.why
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(2048)
        # As soon as it can be read, they go out.
        missing.write_bytes(bytes(range(128)))
        sock.settimeout(2)
        assert parse_beat(sock.recv(2048))[0] == BEAT_TYPE


def test_single_node_needs_no_one(cluster):
    cluster.ids = [1]
    node = cluster.add(1, databases=True)
    node.setup()
    node.sup.support(1, 1)
    serve(node)
    end = time.monotonic() + 1.5 * LEASE
    wait_until(lambda: time.monotonic() > end, 5)
    assert node.open()
    node.sup.send(CLOSE, bytes(8))
    state = node.sup.wait_door(CLOSED)
    assert state.lease_left_us == 0 and not state.lease_losses
    assert node.shut()


def test_restart_of_the_worker(cluster, node):
    """A new life promises for one lease, and closes what it finds."""
    serve(node)
    node.spare = node.prepare()
    node.worker.kill()
    node.worker.wait()
    assert node.open()
    node.start_worker()
    node.sup.close()
    node.setup()
    wait_until(node.shut, 2)
    assert node.sup.support(1, 1) > 0
    state = serve(node)
    assert state.old_promise_left_us >= 0 and node.open()

    # A supporter's new life does not acknowledge what the old one would.
    for ident in (2, 3):
        other = cluster.nodes[ident]
        other.spare = other.prepare()
        other.worker.kill()
        other.worker.wait()
        other.start_worker()
        other.sup.close()
        other.setup()
        assert other.sup.support(1, 1) > 0
    node.sup.wait_door(CLOSED)


def test_crashed_worker_and_frozen_server(node):
    """Nobody is left to ask but the file: the server is killed."""
    serve(node)
    nb, sb = node.servers
    os.kill(nb.process.pid, signal.SIGSTOP)
    node.worker.kill()
    node.worker.wait()
    node.sup.close()
    start = time.monotonic()
    node.start_worker()         # No supervisor ever comes.
    wait_until(lambda: is_dead(nb.process) and is_dead(sb.process), 4)
    assert elapsed(start) < 1 + SLACK


@pytest.mark.parametrize("how", ["SIGTERM", "EXIT"])
def test_ends_with_the_door_closed(node, how):
    serve(node)
    if how == "EXIT":
        node.sup.send(EXIT)
    else:
        node.worker.terminate()
    assert node.worker.wait(3) == 0
    assert node.shut() and is_dead(node.northd)
    assert not list(node.folder.glob("fence.sock.open"))


def test_only_one_worker(cluster, node):
    second = subprocess.run(
        [cluster.program, f"--socket={node.socket}"], capture_output=True,
        text=True, timeout=5, check=False)
    assert second.returncode == 1
    assert "another worker" in second.stderr
    assert not is_dead(node.worker)
    node.sup.send(8)
    assert node.sup.wait_door(CLOSED)
