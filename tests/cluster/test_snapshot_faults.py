# SPDX-License-Identifier: Apache-2.0
"""A snapshot meets a disk without room, or one that fills in the midst of a
write, a read-only file system, a compaction, a record of 50 MB.  The standby
keeps what it has, says why, and catches up."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import big_sb
import pytest
from lab import wait_until
from preload import build_preload
from replica_parts import COMPLETE, FOLLOW, FOREIGN, NAMES, P_FOLLOWING
from test_replica import Tap
from test_resync import (assert_same, cluster, dump, large, leftovers,
                         put_file, start, write)


def mount(*args):
    subprocess.run(["mount", *args], check=True)


MORE = " || tcp.src == 1" * 400  # Some 6 kB a flow.


def make_file(tmp_path, flows, seed):
    """A database of a few ports, with that many long flows."""
    path = tmp_path / f"{flows}.{seed}.db"
    big_sb.write(path, big_sb.make_rows(20, flows, seed=seed, more=MORE))
    return path


@contextmanager
def small_disk(node, size, tmp_path):
    """The node's folder is on a file system of its own meanwhile."""
    node.stop_worker()
    node.stop_server()
    copy = shutil.copytree(node.folder, tmp_path / "copy",
                           ignore=shutil.ignore_patterns("*.ctl"))
    mount("-t", "tmpfs", "-o", f"size={size}", "small", str(node.folder))
    try:
        shutil.copytree(copy, node.folder, dirs_exist_ok=True)
        node.start_server()
        node.start_worker()
        yield
        print(node.tail())
        assert node.stop() == 0
    finally:
        subprocess.run(["umount", "--lazy", str(node.folder)], check=True)


def make_room(node):
    mount("-o", "remount,size=99m", str(node.folder))


def room(node):
    at = os.statvfs(node.folder)
    return at.f_bavail * at.f_frsize


@pytest.fixture
def on_small_disk(cluster, large, tmp_path):
    """An active node with the large database, and one with a few other rows,
    whose folder is on a file system too small for a snapshot."""
    a, b = start(cluster, large)
    put_file(b, make_file(tmp_path, 10, seed=3))
    with small_disk(b, "12m", tmp_path):
        yield a, b


def assert_kept(node, why, before):
    """The node says why it takes no snapshot, and is what it was."""
    node.wait(lambda s: why in s.why, 30, why)
    assert dump(node) == before
    assert leftovers(node) == [] and not node.installs and not node.asides


def test_no_room_for_it(on_small_disk):
    a, b = on_small_disk
    before = dump(b)
    b.follow(a, 1)
    assert_kept(b, "No space left on device", before)
    write(a)
    make_room(b)
    b.wait_following(60)
    assert len(b.installs) == 1
    assert_same(a, b)


@pytest.fixture(scope="module")
def no_room_kept(tmp_path_factory):
    """A library to preload, with which no room can be set apart: that there is
    too little shows with a write."""
    return build_preload("nofallocate", tmp_path_factory.mktemp("lib"))


def test_disk_fills_with_a_snapshot(on_small_disk, no_room_kept):
    """Most of it has been written when nothing more fits in."""
    a, b = on_small_disk
    b.stop_worker()
    b.env = {"LD_PRELOAD": str(no_room_kept)}
    b.start_worker()
    before = dump(b)
    assert room(b) > 8 << 20
    b.follow(a, 1)
    assert_kept(b, "the snapshot cannot be written to the own disk: No space "
                   "left on device", before)
    write(a)
    make_room(b)
    b.wait_following(60)
    assert len(b.installs) == 1
    assert_same(a, b)


def test_disk_fills_with_a_difference(cluster, tmp_path):
    """There is room for the snapshot, and not for the transaction that makes
    the own database its like."""
    a, b = cluster.add(), cluster.add()
    put_file(a, make_file(tmp_path, 1000, seed=1))
    put_file(b, make_file(tmp_path, 10, seed=1))
    cluster.meet()
    a.active(1)
    size = a.file.stat().st_size
    with small_disk(b, size * 3 // 2, tmp_path):
        before = dump(b)
        assert size < room(b) < 2 * size
        b.follow(a, 1)
        assert_kept(b, "was not applied by the own server: No space left on "
                       "device", before)
        write(a)
        make_room(b)
        b.wait_following(60)
        assert not b.installs and b.status.resync.startswith("difference: ")
        assert_same(a, b)


def test_disk_fills_with_what_is_set_aside(cluster, tmp_path):
    """As long as there is no whole copy nothing gives way."""
    a, b = cluster.add(), cluster.add()
    put_file(a, make_file(tmp_path, 10, seed=1))
    put_file(b, make_file(tmp_path, 1000, seed=2))
    cluster.meet()
    a.active(1)
    size = b.file.stat().st_size
    with small_disk(b, size * 3 // 2, tmp_path):
        before = dump(b)
        b.follow(a, 1)
        assert_kept(b, "cannot be set aside", before)
        assert not list(b.state.glob("diverged/*.db"))
        make_room(b)
        b.wait_following(60)
        assert_same(a, b)
        (aside,) = b.state.glob("diverged/*.db")
        assert aside.stat().st_size >= size


def test_disk_fills_with_a_record(cluster, tmp_path):
    """A standby that follows has room for a part of it.  It acknowledges
    nothing more, keeps what it has even if its server is started anew, and goes
    on by itself once there is room."""
    a, b = cluster.add(), cluster.add()
    put_file(a, make_file(tmp_path, 10, seed=1))
    cluster.meet()
    a.active(1)
    with small_disk(b, "3m", tmp_path):
        b.follow(a, 1)
        b.wait_following()
        write(a)
        head = assert_same(a, b)
        before = dump(b)
        snapshots = b.status.snapshots
        assert 1 << 20 < room(b) < 3 << 20
        a.transact({"op": "insert", "table": "Address_Set", "row": {
            "name": "large", "addresses": ["set", [
                f"{i:06} " + "x" * 1017 for i in range(4 << 10)]]}})
        write(a)
        why = f"record {head.seq + 1} was not applied by the own server: " \
            "No space left on device"
        b.wait(lambda s: s.why == why, 30, why)
        assert a.wait_peer(b.id, lambda p: p.head.seq > head.seq + 1
                           ).acked.seq == head.seq
        b.stop_server()
        b.start_server()
        b.wait(lambda s: s.pos == head and s.flags & COMPLETE, 30)
        assert dump(b) == before
        b.wait(lambda s: s.why == why, 30, "it is tried again")
        make_room(b)
        b.wait_at(a.head(), 30)
        assert_same(a, b)
        assert b.status.snapshots == snapshots
        assert not list(b.state.glob("diverged/*"))


def test_disk_takes_not_all_of_several_records(cluster):
    """Several records are under way at once; the own disk refuses one, and
    takes those that come after it.  What the standby has then is no state of
    the active's: it says which record is missing, counts no more, and takes
    over what differs once its disk lets it."""
    a, b = cluster.add(), cluster.add()
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    a.transact({"op": "insert", "table": "SB_Global", "row": {}})
    head = assert_same(a, b)
    snapshots = b.status.snapshots

    def set_limit(limit):
        resource.prlimit(b.server.pid, resource.RLIMIT_FSIZE,
                         (limit, resource.RLIM_INFINITY))
    b.server.send_signal(signal.SIGSTOP)
    write(a, 2)  # All that comes after the first one waits for it.
    a.transact({"op": "insert", "table": "Address_Set", "row": {
        "name": "large", "addresses": ["set", [
            f"{i:06} " + "x" * 1017 for i in range(2 << 10)]]}})
    write(a)
    taken = a.head()
    b.wait(lambda s: s.head.seq == taken.seq, 30, "all is there")
    set_limit(b.file.stat().st_size + (1 << 20))
    b.server.send_signal(signal.SIGCONT)
    why = f"record {head.seq + 4} follows {head.seq + 2} in the file where " \
        f"it should follow {head.seq + 3}"
    wait_until(lambda: why in b.tail(None), 30, why)
    b.wait(lambda s: s.flags & FOREIGN and not s.flags & COMPLETE)
    assert a.wait_peer(b.id, lambda p: p.head.seq == taken.seq
                       ).acked.seq < head.seq + 3
    set_limit(resource.RLIM_INFINITY)
    b.wait(lambda s: s.flags & COMPLETE and s.phase == P_FOLLOWING, 60)
    assert_same(a, b)
    assert b.status.snapshots > snapshots


def test_read_only_file_system(on_small_disk):
    """For whoever opens or names a file from now on."""
    a, b = on_small_disk
    make_room(b)
    before = dump(b)
    mount("--bind", str(b.folder), str(b.folder))
    mount("-o", "remount,bind,ro", str(b.folder))
    try:
        b.follow(a, 1)
        assert_kept(b, "Read-only file system", before)
        write(a)
    finally:
        subprocess.run(["umount", "--lazy", str(b.folder)], check=True)
    b.wait_following(60)
    assert len(b.installs) == 1
    assert_same(a, b)


@contextmanager
def own_disk(node, tmp_path):
    """The node's folder is on a disk of its own meanwhile, whose file system
    gives up writing with the first error, as they usually do."""
    image = tmp_path / "disk"
    image.write_bytes(b"")
    os.truncate(image, 64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(image)],
                   check=True)
    node.stop_worker()
    node.stop_server()
    copy = shutil.copytree(node.folder, tmp_path / "copy",
                           ignore=shutil.ignore_patterns("*.ctl"))
    if mount_disk(image, node):
        pytest.skip("no loop devices here")
    try:
        shutil.copytree(copy, node.folder, dirs_exist_ok=True)
        node.start_server()
        node.start_worker()
        yield image
        print(node.tail())
        assert node.stop() == 0
    finally:
        subprocess.run(["umount", "--lazy", str(node.folder)], check=True)


def mount_disk(image, node):
    return subprocess.run(["mount", "-o", "loop,errors=remount-ro",
                           str(image), str(node.folder)],
                          check=False).returncode


def break_disk(node):
    """The file system meets an error.  Files that are open for writing cannot
    be written to any more, either."""
    number = os.stat(node.folder).st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    Path("/sys/fs/ext4", device.resolve().name,
         "trigger_fs_error").write_text("1")


def mend_disk(image, node):
    """As an operator does.  What was not durable is gone."""
    node.stop_worker()
    node.server.kill()
    node.server.wait()
    subprocess.run(["umount", str(node.folder)], check=True)
    assert subprocess.run(["e2fsck", "-fy", str(image)],
                          check=False).returncode < 4
    assert mount_disk(image, node) == 0
    node.sock.unlink(missing_ok=True)


def test_read_only_in_the_midst_of_records(cluster, tmp_path):
    """Several records are under way when nothing can be written any more: none
    of them is acknowledged.  What was is there when the disk is mended, and
    the standby goes on from it."""
    a, b = cluster.add(), cluster.add()
    put_file(a, make_file(tmp_path, 10, seed=1))
    cluster.meet()
    a.active(1)
    with own_disk(b, tmp_path) as image:
        b.follow(a, 1)
        b.wait_following()
        write(a)
        head = assert_same(a, b)
        before = dump(b)
        b.server.send_signal(signal.SIGSTOP)
        write(a)
        b.wait(lambda s: s.head.seq == head.seq + 5, 30, "all is there")
        break_disk(b)
        b.server.send_signal(signal.SIGCONT)
        why = f"record {head.seq + 1} was not applied by the own server: " \
            "Read-only file system"
        b.wait(lambda s: s.why == why, 30, why)
        assert not b.status.flags & FOREIGN
        write(a)
        a.head()
        b.history.clear()
        wait_until(lambda: sum(s.why == why for _, s in b.history) > 2, 30,
                   "it stays so")
        assert a.wait_peer(b.id, lambda p: True).acked.seq == head.seq
        assert dump(b) == before
        mend_disk(image, b)
        role, b.last_role = b.last_role, None
        b.start_server()
        b.start_worker()
        b.wait(lambda s: s.pos == head and s.flags & COMPLETE, 30)
        assert dump(b) == before
        b.send_role(*role)
        b.wait_at(a.head(), 30)
        assert_same(a, b)
        assert (b.status.resumes, b.status.snapshots) == (1, 0)
        assert not list(b.state.glob("diverged/*"))


class Valve(Tap):
    """Lets a megabyte of the source's pass, and the rest once it is open."""

    def __init__(self, port):
        self.open = threading.Event()
        super().__init__(port)

    def dial(self):
        # Or the sockets could hold all that is to be sent.
        up = socket.socket()
        up.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        up.connect(("127.0.0.1", self.target))
        return up

    def pump(self, source, sink, keep):
        if keep:
            return super().pump(source, sink, keep)
        outer, left = self, [1 << 20]

        class Sink:
            """What passes it is counted."""
            close = sink.close

            @staticmethod
            def sendall(data):
                left[0] -= len(data)
                if left[0] < 0:
                    outer.open.wait()
                sink.sendall(data)
        return super().pump(source, Sink, keep)


def stop_within(a, b):
    """Lets 'b' follow, and stops its worker while a snapshot comes in.
    Returns what the rest waits for."""
    coming = Path(f"{b.file}.snapshot")
    valve = Valve(a.port)
    source = type("Source", (), {"id": a.id, "port": valve.port})
    b.send_role(FOLLOW, (1, a.id), source)
    wait_until(coming.exists, 30, "a snapshot")
    b.worker.send_signal(signal.SIGSTOP)
    assert coming.stat().st_size < a.file.stat().st_size / 2
    return valve.open


@pytest.mark.parametrize("times", [1, 2])
def test_compaction_meanwhile(cluster, large, times):
    """What was begun is sent to its end from the file that was; and the log
    goes on from there, unless it is too long ago."""
    a, b = start(cluster, large)
    rest = stop_within(a, b)
    for _ in range(times):
        write(a)
        a.compact()
    write(a)
    b.worker.send_signal(signal.SIGCONT)
    rest.set()
    b.wait_following(60)
    assert_same(a, b)
    assert b.status.snapshots <= times, b.status
    if b.status.snapshots == 2:
        assert b.status.need == "own position is older than the source's log"


@pytest.mark.parametrize("torn", [False, True])
def test_source_is_damaged_meanwhile(cluster, large, torn):
    """The source's disk gives back other bytes than were written, or fewer,
    in the part that is still to come: nothing is taken, the standby says why,
    and begins anew until the disk is well."""
    a, b = start(cluster, large)
    put_file(b, make_file(large[1].parent, 10, seed=3))
    before = dump(b)
    rest = stop_within(a, b)
    at = a.file.stat().st_size * 3 // 4
    with open(a.file, "r+b") as f:
        f.seek(at)
        good = f.read()
        f.seek(at)
        if torn:
            f.truncate()
        else:
            f.write(b"?")
        f.flush()
        b.worker.send_signal(signal.SIGCONT)
        rest.set()
        why = "the file cannot be read" if torn \
            else "the source's snapshot is damaged"
        b.wait(lambda s: why in s.why, 30, why)
        assert dump(b) == before
        assert not b.installs and not b.asides
        f.seek(at)
        f.write(good)
    b.wait_following(60)
    assert len(b.installs) == 1
    assert_same(a, b)


def test_record_of_50_mb(cluster):
    """As one of the log, and as one of a snapshot."""
    a, b = cluster.add(), cluster.add()
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    a.transact({"op": "insert", "table": "SB_Global", "row": {}})
    session = a.session()
    session.transact(NAMES["sb"], {
        "op": "insert", "table": "Address_Set", "row": {
            "name": "large", "addresses": ["set", [
                f"{i:06} " + "x" * 1017 for i in range(50 << 10)]]}},
        timeout=90)
    session.close()
    write(a)
    assert_same(a, b)
    assert b.status.snapshots == 1
    c = cluster.add()
    c.follow(a, 1)
    c.wait_following(120)
    assert len(c.installs) == 1
    write(a)
    assert_same(a, c)
    assert_same(a, b)
