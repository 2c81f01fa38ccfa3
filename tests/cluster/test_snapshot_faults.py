# SPDX-License-Identifier: Apache-2.0
"""A snapshot meets a disk without room, a read-only file system, a compaction,
a record of 50 MB.  The standby keeps what it has, says why, and catches up."""

import shutil
import signal
import subprocess
from pathlib import Path

import big_sb
import pytest
from lab import wait_until
from replica_parts import FOLLOW, NAMES
from test_resync import (assert_same, cluster, dump, large, leftovers,
                         put_file, start, write)


def mount(*args):
    subprocess.run(["mount", *args], check=True)


@pytest.fixture
def on_small_disk(cluster, large, tmp_path):
    """An active node with the large database, and one with a few other rows,
    whose folder is on a file system too small for a snapshot."""
    a, b = start(cluster, large)
    few = tmp_path / "few.db"
    big_sb.write(few, big_sb.make_rows(20, 100, seed=3))
    put_file(b, few)
    b.stop_worker()
    b.stop_server()
    copy = shutil.copytree(b.folder, tmp_path / "copy",
                           ignore=shutil.ignore_patterns("*.ctl"))
    mount("-t", "tmpfs", "-o", "size=12m", "small", str(b.folder))
    try:
        shutil.copytree(copy, b.folder, dirs_exist_ok=True)
        b.start_server()
        b.start_worker()
        yield a, b
        print(b.tail())
        assert b.stop() == 0
    finally:
        subprocess.run(["umount", "--lazy", str(b.folder)], check=True)


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
    mount("-o", "remount,size=99m", str(b.folder))
    b.wait_following(60)
    assert len(b.installs) == 1
    assert_same(a, b)


def test_read_only_file_system(on_small_disk):
    """For whoever opens or names a file from now on."""
    a, b = on_small_disk
    mount("-o", "remount,size=99m", str(b.folder))
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


def stop_within(a, b):
    """Lets 'b' follow, and stops its worker while a snapshot comes in."""
    coming = Path(f"{b.file}.snapshot")
    b.send_role(FOLLOW, (1, a.id), a)
    wait_until(coming.exists, 30, "a snapshot", interval=0.001)
    b.worker.send_signal(signal.SIGSTOP)
    # More than the sockets hold is still to be sent.
    assert coming.stat().st_size < a.file.stat().st_size / 2


@pytest.mark.parametrize("times", [1, 2])
def test_compaction_meanwhile(cluster, large, times):
    """What was begun is sent to its end from the file that was; and the log
    goes on from there, unless it is too long ago."""
    a, b = start(cluster, large)
    stop_within(a, b)
    for _ in range(times):
        write(a)
        a.compact()
    write(a)
    b.worker.send_signal(signal.SIGCONT)
    b.wait_following(60)
    assert_same(a, b)
    assert b.status.snapshots <= times, b.status


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
