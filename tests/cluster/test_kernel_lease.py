# SPDX-License-Identifier: Apache-2.0
"""The lease that ovn-ha-fence keeps in the kernel, on real ovsdb-servers.

Each test is in a network namespace of its own; of its three workers the first
has databases, and is the one that is told of the kernel."""

import json
import os
import select
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from fence_parts import (AUTO, CLOSE, CLOSED, EXIT, LEASE, MISSING, OFF, ON,
                         OPEN, PING, UNTOLD, UNUSED, USED, WAITING, Cluster,
                         boottime_us, free_port, is_dead, serve)
from lab import wait_until
from lab.netns import own
from preload import build_preload

TABLE = ("inet", "ovn_ha")
CONVENTION = {6641, 6642}
PROGRAM = Path(os.environ["OVN_HA_PKGLIBEXECDIR"]) / "ovn-ha-fence"


@contextmanager
def cluster_of(folder, **kwargs):
    with own():
        cluster = Cluster(folder, PROGRAM, **kwargs)
        try:
            yield cluster
        finally:
            cluster.stop()
            print(cluster.logs())


@pytest.fixture
def cluster(tmp_path):
    with cluster_of(tmp_path, kernel=AUTO) as cluster:
        yield cluster


@pytest.fixture
def node(cluster):
    return cluster.bring_up()


# What is in the kernel.

def nft(*words):
    """What nft says, as its list of objects; [] if it refuses."""
    out = subprocess.run(["nft", "-j", *words], capture_output=True,
                         text=True, timeout=10, check=False).stdout
    return json.loads(out)["nftables"][1:] if out else []


def table_is_there():
    return any("table" in o for o in nft("list", "table", *TABLE))


def elements(name):
    """The elements of a set."""
    return next((o["set"].get("elem", [])
                 for o in nft("list", "set", *TABLE, name) if "set" in o), [])


def ports():
    return set(elements("ports"))


def keys():
    """How many of the two keys live."""
    return sum(bool(elements(f"key{i}")) for i in range(2))


def n_refused():
    """Packets that were not let out."""
    return next(e["counter"]["packets"]
                for o in nft("list", "chain", *TABLE, "guarded")
                for e in o.get("rule", {}).get("expr", []) if "counter" in e)


# Clients.

def pass_time(seconds):
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, seconds + 10)


def request(session, number):
    """Sends a write whose row can be found again."""
    session.send(json.dumps({
        "id": number, "method": "transact",
        "params": ["OVN_Northbound", {
            "op": "insert", "table": "Address_Set",
            "row": {"name": f"row_{number}"}}]}).encode())


def hears(session, timeout):
    """What a client hears within that time: b"" is the end, None nothing."""
    if not select.select([session], [], [], timeout)[0]:
        return None
    try:
        return session.recv(65536)
    except ConnectionResetError:
        return b""


def is_written(server, number):
    """Whether the row is in the database's file."""
    return f"row_{number}" in server.file.read_text()


def stop_and_go(processes, pause):
    """All of them stand still for that long."""
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    pause()
    for pid in processes:
        os.kill(pid, signal.SIGCONT)


def child_of(node):
    """The process that keeps the lease in the kernel."""
    pid = node.worker.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(c) for c in children if Path(
        f"/proc/{c}/comm").read_text().strip() == "ovn-ha-kernel")


# While all is well.

def test_no_packet_is_lost(node):
    """Many renewals, and clients that never pause."""
    serve(node)
    assert node.sup.state.kernel == USED and node.sup.state.kernel_why == ""
    sessions = [s.connect() for s in node.servers]
    end = time.monotonic() + 6 * LEASE
    n = 0
    while time.monotonic() < end:
        for session in sessions:
            session.send(b'{"id":1,"method":"echo","params":[]}')
            assert session.recv(65536)
        n += 1
    assert n > 100 and n_refused() == 0
    assert node.sup.state.door == OPEN and not node.sup.state.lease_losses


def test_nothing_else_is_touched(node):
    """Other ports, other protocols, other tables: as before."""
    subprocess.run(["nft", "add table inet other"], check=True)
    with socket.create_server(("127.0.0.9", 7777)) as listener, \
            socket.create_connection(("127.0.0.9", 7777)) as client:
        peer, _ = listener.accept()
        with peer:
            peer.send(b"x")
            assert client.recv(1) == b"x"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        a.bind(("127.0.0.9", 6641))
        b.bind(("127.0.0.9", 0))
        a.sendto(b"y", b.getsockname())
        b.settimeout(2)
        assert b.recv(1) == b"y"
    node.sup.send(EXIT)
    assert node.worker.wait(3) == 0
    assert [o["table"]["name"] for o in nft("list", "tables")] == ["other"]


def test_closed_port_refuses_at_once(node):
    """A client of a standby is not kept waiting."""
    wait_until(lambda: node.sup.state.kernel == USED, 3)
    assert ports() >= CONVENTION and not keys()
    for port in CONVENTION:
        with socket.socket() as s:
            s.settimeout(2)
            with pytest.raises(ConnectionRefusedError):
                s.connect((node.address, port))


def test_ports_that_open_later(node):
    """Nobody tells the worker what the servers open besides."""
    serve(node)
    wait_until(lambda: ports() >= {s.port for s in node.servers}, 3)
    other = free_port(socket.SOCK_STREAM, ["127.0.0.1"])
    node.servers[1].control("add-remote", f"ptcp:{other}:127.0.0.1")
    wait_until(lambda: other in ports(), 3)
    assert "guarding port %d" % other in node.log.read_text()


def test_closing_is_heard(node):
    """Told to close, it cuts its clients while they can still hear that."""
    serve(node)
    sessions = [s.connect() for s in node.servers]
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSED)
    assert [hears(s, 2) for s in sessions] == [b"", b""]
    # Nothing opens what is left of the lease again, and it ends.
    wait_until(lambda: not keys(), LEASE + 1)


def test_lost_lease_is_heard(cluster, node):
    """The same when the lease is lost: before it ends."""
    serve(node)
    sessions = [s.connect() for s in node.servers]
    for ident in (2, 3):
        cluster.nodes[ident].worker.kill()
    node.sup.wait_door(CLOSED)
    assert [hears(s, 2) for s in sessions] == [b"", b""]


def test_keys_end_with_the_lease(cluster, node):
    """However busy the kernel is with other rules meanwhile."""
    serve(node)
    big = cluster.folder / "big.nft"
    big.write_text("table ip big {\n set s { type ipv4_addr; elements = { %s "
                   "} }\n}\ndelete table ip big\n" % ", ".join(
                       f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}"
                       for i in range(30000)))
    busy = subprocess.Popen(["sh", "-c", f"while nft -f {big}; do :; done"],
                            start_new_session=True)
    try:
        pass_time(LEASE)
        for ident in (2, 3):
            cluster.nodes[ident].worker.kill()
        cut = boottime_us()
        wait_until(lambda: boottime_us() > cut + LEASE * 1e6, 5,
                   interval=0.001)
    finally:
        os.killpg(busy.pid, signal.SIGKILL)
        busy.wait()
    assert keys() < 2
    node.sup.wait_door(CLOSED)


# Frozen.

@pytest.mark.parametrize("kernel", [AUTO, UNTOLD], ids=["with", "without"])
def test_frozen_node(tmp_path, kernel):
    """All processes of a node stand still for longer than its lease, with a
    write in a socket's buffer, and go on, the fence worker last: ovsdb-server
    writes and acknowledges.  Only the kernel keeps that from the client."""
    with cluster_of(tmp_path, kernel=kernel) as cluster:
        node = cluster.bring_up()
        serve(node)
        nb = node.servers[0]
        wait_until(lambda: kernel == UNTOLD or nb.port in ports(), 3)
        session = nb.connect()
        worker = [node.worker.pid] + ([child_of(node)] if kernel else [])

        def pause():
            request(session, 1)
            pass_time(1.5 * LEASE)
        for pid in worker:
            os.kill(pid, signal.SIGSTOP)
        stop_and_go([s.process.pid for s in node.servers], pause)
        wait_until(lambda: is_written(nb, 1), 5)
        heard = hears(session, LEASE)
        for pid in worker:
            os.kill(pid, signal.SIGCONT)
        node.sup.wait_door(CLOSED)
        if kernel == UNTOLD:
            assert b'"uuid"' in heard
            return
        assert heard is None and n_refused() > 0
        # A later lease does not let it out, either: the session is over.
        node.start_northd()
        node.tell()
        serve(node)
        assert hears(session, 3) is None
        session.send(b" ")
        assert hears(session, 2) == b""


@pytest.mark.parametrize("key", ["key0", "key1"])
def test_both_keys_are_needed(node, key):
    serve(node)
    nb = node.servers[0]
    wait_until(lambda: nb.port in ports(), 3)
    session = nb.connect()

    def pause():
        subprocess.run(["nft", f"flush set inet ovn_ha {key}"], check=True)
        session.send(b'{"id":1,"method":"echo","params":[]}')
        assert hears(session, LEASE / 5) is None and n_refused() > 0
    stop_and_go([node.worker.pid, child_of(node)], pause)


def test_frozen_child(node):
    """The kernel holds the end of the lease, and nobody renews it: the door
    closes while that can still be heard."""
    serve(node)
    sessions = [s.connect() for s in node.servers]
    os.kill(child_of(node), signal.SIGSTOP)
    state = node.sup.wait_door(CLOSED)
    assert "kernel" in state.why and state.lease_losses == 1
    assert [hears(s, 2) for s in sessions] == [b"", b""]
    # It says what is waited for, too.
    node.sup.serve(1, 1)
    node.sup.wait_door(WAITING)

    def says_why():
        node.sup.send(PING)
        return node.sup.state.why == ("no lease in the kernel: it is not "
                                      "renewed in time")
    wait_until(says_why, 3, lambda: node.sup.state)
    os.kill(child_of(node), signal.SIGCONT)
    node.start_northd()
    node.tell()
    serve(node)


def test_killed_child(node):
    """It is started again, and no client notices."""
    serve(node)
    session = node.servers[0].connect()
    first = child_of(node)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: "is gone" in node.log.read_text(), 3)
    end = time.monotonic() + 3 * LEASE
    while time.monotonic() < end:
        session.send(b'{"id":1,"method":"echo","params":[]}')
        assert hears(session, 2)
    assert child_of(node) != first and n_refused() == 0
    assert not node.sup.state.lease_losses


# What others do to the kernel's rules, and what the kernel refuses.

def test_flushed_rules(node):
    """Someone reloads the machine's own rules, which flushes all: the table
    is there again with the next renewal."""
    serve(node)
    session = node.servers[0].connect()
    subprocess.run(["nft", "flush ruleset"], check=True)
    wait_until(lambda: keys() == 2, 3)
    assert ports() >= CONVENTION | {s.port for s in node.servers}
    session.send(b'{"id":1,"method":"echo","params":[]}')
    assert hears(session, 2)
    assert node.sup.state.door == OPEN and node.sup.state.kernel == USED


NO_RIGHT = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]


def test_without_the_right(tmp_path):
    """Serves all the same, and says what is missing."""
    with cluster_of(tmp_path, kernel=AUTO, prefix=NO_RIGHT) as cluster:
        node = cluster.bring_up()
        state = serve(node)
        assert state.kernel == MISSING
        assert "Operation not permitted" in state.kernel_why
        assert "no lease in the kernel" in node.log.read_text()
        assert not table_is_there()
        # Told to insist, it does not serve.
        node.configure(kernel=ON)
        node.sup.wait_door(CLOSED)
        node.sup.serve(1, 1)
        state = node.sup.wait_door(WAITING)

        def says_why():
            node.sup.send(PING)
            return "not permitted" in node.sup.state.why
        wait_until(says_why, 3)
        assert node.shut()


def test_insisting(tmp_path):
    """With the right it serves."""
    with cluster_of(tmp_path, kernel=ON) as cluster:
        node = cluster.bring_up()
        assert serve(node).kernel == USED and keys() == 2


def test_endless_lease(cluster):
    """Without supporters no time ends the lease, so none is in the kernel."""
    node = cluster.alone()
    serve(node)
    wait_until(lambda: node.sup.state.kernel == UNUSED, 3)
    assert node.sup.state.door == OPEN and not table_is_there()


# Lives of the worker.

def test_switched_off_and_on(node):
    """A new configuration, while clients are served."""
    serve(node)
    session = node.servers[0].connect()
    node.configure(kernel=OFF)
    wait_until(lambda: not table_is_there(), 3)
    wait_until(lambda: node.sup.state.kernel == UNUSED, 3)
    pass_time(LEASE)
    assert node.sup.state.door == OPEN
    node.configure(kernel=AUTO)
    wait_until(lambda: node.sup.state.kernel == USED, 3)
    wait_until(lambda: keys() == 2, 3)
    session.send(b'{"id":1,"method":"echo","params":[]}')
    assert hears(session, 2)
    assert not node.sup.state.lease_losses


def test_begins_while_clients_are_served(cluster, tmp_path, monkeypatch):
    """Ports are guarded only once the keys are there, so that no client of them
    is cut off for a moment."""
    monkeypatch.setenv("LD_PRELOAD", str(build_preload("slownft", tmp_path)))
    monkeypatch.setenv("SLOW_AFTER_PORTS", "1")
    node = cluster.bring_up()
    node.configure(kernel=OFF)
    serve(node)
    wait_until(lambda: node.sup.state.kernel == UNUSED, 3)
    session = node.servers[0].connect()
    node.configure(kernel=AUTO)

    def begun():
        session.send(b'{"id":1,"method":"echo","params":[]}')
        assert hears(session, 2)
        return node.sup.state.kernel == USED and ports()
    wait_until(begun, 5)
    assert n_refused() == 0 and not node.sup.state.lease_losses


@pytest.mark.parametrize("how", ["SIGTERM", "EXIT"])
def test_end_leaves_nothing(node, how):
    serve(node)
    if how == "EXIT":
        node.sup.send(EXIT)
    else:
        node.worker.terminate()
    assert node.worker.wait(3) == 0 and node.shut()
    assert not table_is_there()


def test_crash_mutes(node):
    """Nobody renews for a dead worker; the next one takes over, or, switched
    off, takes out what it finds."""
    serve(node)
    nb = node.servers[0]
    wait_until(lambda: nb.port in ports(), 3)
    child = child_of(node)
    node.spare = node.prepare()
    node.worker.kill()
    node.worker.wait()
    wait_until(lambda: not Path(f"/proc/{child}").exists(), 3)
    wait_until(lambda: not keys(), LEASE + 1)
    assert nb.remotes() != [nb.private] and not nb.answers()
    node.start_worker()
    node.sup.close()
    node.setup()
    node.sup.support(1, 1)
    assert nb.port in ports()
    serve(node)
    assert keys() == 2

    node.spare = node.prepare()
    node.worker.kill()
    node.worker.wait()
    node.kernel = OFF
    node.start_worker()
    node.sup.close()
    node.setup()
    wait_until(lambda: not table_is_there(), 3)
    wait_until(lambda: node.sup.state.kernel == UNUSED, 3)
    assert not is_dead(node.worker)
