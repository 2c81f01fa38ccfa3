#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How far a standby is behind, and how fast it catches up.

Two hand-started ovsdb-servers with a worker each, on this machine.

    fdatasync what the standby's disk needs for a record of the same size when
              nothing else goes on: its server waits for that before it
              answers
    transaction
              what the writer itself waits for the active, to compare
    lag       from a writer's acknowledgement by the active until the
              standby's ovsdb-server, after its fdatasync, tells a monitor
    backup    the same with ovsdb-server's own backup mode, without fdatasync
    raft      the same from the leader to a follower of three
    catch-up  records a second after the standby's worker was down

Nodes on one disk wait for what the other has written, too: --active-folder
puts the active, which waits for no disk, on another one, say on a tmpfs.

Usage: replica_lag.py [--rate N] [--seconds N] [--records N]
                      [--active-folder DIR]"""

import argparse
import json
import multiprocessing
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "cluster")]

from bench.rivals import PATIENCE, Servers, says  # noqa: E402
from lab import wait_until  # noqa: E402
from lab.ovsdb import Closed, Session, dial  # noqa: E402
from replica_parts import NAMES, SCHEMAS, Cluster, program  # noqa: E402


def own_machine(pid, nice):
    """Nodes and clients run on machines of their own elsewhere: here those
    that are measured do not wait until others leave a core."""
    os.setpriority(os.PRIO_PROCESS, pid, nice)


def measure_disk(folder, n=2000):
    """Of 'n' records, one each 2 ms."""
    took = []
    with open(Path(folder) / "disk", "wb", buffering=0) as file:
        for _ in range(n):
            file.write(b"x" * 200)
            before = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - before) * 1000)
            time.sleep(.002)
    return {"fdatasync_p50_ms": round(quantile(took, .5), 2),
            "fdatasync_p99_ms": round(quantile(took, .99), 2),
            "fdatasync_max_ms": round(max(took), 2)}


def numbered_rows():
    return [NAMES["nb"], {"op": "select", "table": "NB_Global", "where": [],
                          "columns": ["name"]}]


def any_row(result):
    return result[0]["rows"]


def numbered(i):
    return [NAMES["nb"], {"op": "update", "table": "NB_Global", "where": [],
                          "row": {"name": str(i)}}]


def write_paced(sock, rate, seconds, pipe):
    """Writes numbered transactions; sends the times of their replies."""
    session = Session(dial(sock))
    session.call("echo", [])
    acks = []
    begin = time.monotonic()
    for i in range(int(rate * seconds)):
        left = begin + i / rate - time.monotonic()
        if left > 0:
            time.sleep(left)
        sent = time.monotonic()
        session.call("transact", numbered(i))
        acks.append((sent, time.monotonic()))
    pipe.send(acks)


class Watcher(threading.Thread):
    """Notes when each number is seen in a standby's database."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.session = Session(dial(sock))
        self.session.call("monitor", [NAMES["nb"], None, {
            "NB_Global": [{"columns": ["name"]}]}])
        self.seen = {}

    def run(self):
        own_machine(threading.get_native_id(), -20)
        try:
            while True:
                select.select([self.session], [], [])
                self.take()
        except Closed:
            pass  # The end of the measurement.

    def take(self):
        for message in self.session.receive():
            now = time.monotonic()
            if message.get("method") != "update":
                continue
            for row in message["params"][1]["NB_Global"].values():
                self.seen[int(row["new"]["name"] or -1)] = now


def cpu_of(pid):
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def measure_lag(active, standby, rate, seconds):
    """Of two servers, told by their sockets."""
    watcher = Watcher(standby)
    watcher.start()
    mine, theirs = multiprocessing.Pipe()
    writer = multiprocessing.get_context("fork").Process(
        target=write_paced, args=(active, rate, seconds, theirs))
    begin = time.monotonic()
    writer.start()
    acks = mine.recv()
    took = time.monotonic() - begin
    writer.join()
    wait_until(lambda: len(acks) - 1 in watcher.seen, PATIENCE, "level")
    # What a monitor told together was there together.
    lags, at = [], None
    for i in reversed(range(len(acks))):
        at = watcher.seen.get(i, at)
        lags.append(max(0, at - acks[i][1]) * 1000)
    # What the active's own server takes tells how busy the machine is.
    own = [(done - sent) * 1000 for sent, done in acks]
    return {"rate": round(len(acks) / took), "records": len(acks),
            "load_average": os.getloadavg()[0],
            "transaction_p50_ms": round(quantile(own, .5), 2),
            "transaction_p99_ms": round(quantile(own, .99), 2),
            "lag_p50_ms": round(quantile(lags, .5), 2),
            "lag_p99_ms": round(quantile(lags, .99), 2),
            "lag_max_ms": round(max(lags), 2)}


def measure_ours(active, standby, rate, seconds):
    before = [cpu_of(n.worker.pid) for n in (active, standby)]
    begin = time.monotonic()
    result = measure_lag(active.sock, standby.sock, rate, seconds)
    took = time.monotonic() - begin
    return {**result, **{
        f"{who}_cpu_share": round((cpu_of(n.worker.pid) - b) / took, 3)
        for who, n, b in zip(("sender", "receiver"), (active, standby),
                             before)}}


def measure_backup(active, folder, rate, seconds):
    """Of a backup of an active that exists."""
    with Servers(folder) as servers:
        subprocess.run(["ovsdb-tool", "create", str(servers.folder / "backup"),
                        SCHEMAS["nb"]], check=True)
        servers.backup("backup", active.sock)
        servers.connect("backup")
        sock = servers.sock("backup")
        own_machine(servers.pids["backup"], -15)
        wait_until(lambda: says(sock, numbered_rows(), any_row), PATIENCE,
                   "the backup has the active's row")
        return measure_lag(active.sock, sock, rate, seconds)


def measure_raft(folder, rate, seconds):
    with Servers(folder) as servers:
        subprocess.run(["ovsdb-tool", "create", str(servers.folder / "empty"),
                        SCHEMAS["nb"]], check=True)
        servers.raft_first("one", servers.folder / "empty")
        says(servers.sock("one"), [NAMES["nb"], {
            "op": "insert", "table": "NB_Global", "row": {}}], any)
        for name in "two", "three":
            servers.raft_join(name, "one", NAMES["nb"])
            servers.start(name)
            own_machine(servers.pids[name], -15)
            wait_until(lambda: says(servers.sock(name), numbered_rows(),
                                    any_row), PATIENCE, f"{name} joins")
        return measure_lag(servers.sock("one"), servers.sock("two"), rate,
                           seconds)


def measure_catch_up(active, standby, records):
    standby.stop_worker()
    session = active.session()
    session.call("echo", [])
    for base in range(0, records, 200):
        for i in range(base, min(base + 200, records)):
            session.send("transact", numbered(i))
        got = 0
        while got < min(200, records - base):
            select.select([session], [session] if session.wants_write()
                          else [], [])
            session.flush()
            got += len(session.receive())
    head = active.head()
    behind = head.seq
    standby.start_worker()
    standby.wait(lambda s: s.flags & 16, 20)
    begin = time.monotonic()
    behind -= standby.status.pos.seq
    standby.wait_at(head, 120)
    return {"records": behind,
            "per_second": round(behind / (time.monotonic() - begin))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--records", type=int, default=50000)
    parser.add_argument("--active-folder", help="where its database is")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, \
            tempfile.TemporaryDirectory(dir=args.active_folder) as other:
        cluster = Cluster(folder, program())
        try:
            a, b = cluster.add(other), cluster.add()
            a.transact({"op": "insert", "table": "NB_Global", "row": {}})
            for process in (a.worker, b.server, b.worker):
                own_machine(process.pid, -15)
            a.active(1)
            b.follow(a, 1)
            b.wait_following()
            idle = [cpu_of(n.worker.pid) for n in (a, b)]
            threading.Event().wait(5)
            idle = [(cpu_of(n.worker.pid) - i) / 5
                    for n, i in zip((a, b), idle)]
            result = {"idle_cpu_share": idle,
                      "rss_mb": [round(rss_mb(n.worker.pid), 1)
                                 for n in (a, b)],
                      "disk": measure_disk(folder),
                      "lag": measure_ours(a, b, args.rate, args.seconds),
                      "backup": measure_backup(a, folder, args.rate,
                                               args.seconds),
                      "raft": measure_raft(folder, args.rate, args.seconds),
                      "catch_up": measure_catch_up(a, b, args.records)}
        finally:
            cluster.stop()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
