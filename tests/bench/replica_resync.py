#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a resynchronisation of a large OVN_Southbound costs, and whom.

Hand-started ovsdb-servers on this machine: ovn-ha's workers, and beside them
ovsdb-server's built-in backup mode (--sync-from) and the third member of a
RAFT cluster.

    empty      into an empty standby: seconds until it has all; longest wait
               of a client of the active meanwhile (beside 'machine', that of
               a process which wants nothing of anybody, and 'quiet', both
               without a resynchronisation), longest silence of the standby's
               server, most memory of server and worker, and the processor
               time of all of them, which tells more where a machine is busy
    differs    the same for one that was away while 1 % of the flows changed,
               and the active's log was compacted (RAFT's third member is
               started anew for that, and reads its own file first)
    diverged   the same for one of which the active knows nothing, and 1 % of
               the flows differ: first what gives way is set aside (backup mode
               and RAFT never do that)
    unchanged  records that a standby writes when it connects again
    memory     of server and worker beside the server's alone, once quiet
    cpu        of the active's server for each transaction, with two standbys
               beside none: time (quartiles of ratios), and what it executes
               (valgrind counts that)

Usage: replica_resync.py [--scale X] [--only NAME] [--repeat N]"""

import argparse
import json
import math
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "cluster")]

import big_sb  # noqa: E402
from lab import wait_until  # noqa: E402
from lab.ovsdb import Closed, Session, dial  # noqa: E402
from bench.rivals import PATIENCE, Servers, says  # noqa: E402
from replica_lag import own_machine, rss_mb  # noqa: E402
from replica_parts import (  # noqa: E402
    FOLLOW, NAMES, P_FOLLOWING, P_IDLE, Cluster, program)

BINDINGS, FLOWS = 50000, 300000
DB = NAMES["sb"]


def peak_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def forget_peak(pid):
    """What counts begins here, and not with the process."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def cpu_of(pid):
    """Seconds that a process has run; finer than clock ticks."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def ask(sock, end, pipe):
    """Asks a server again and again for one row; tells the longest time
    between two answers."""
    query = [DB, {"op": "select", "table": "SB_Global", "where": [],
                  "columns": ["nb_cfg"]}]
    own_machine(0, -20)
    session, longest = None, 0
    last = time.monotonic()
    while not end.is_set():
        try:
            session = session or Session(dial(sock))
            session.call("transact", query, PATIENCE)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        except (OSError, Closed):
            session = None
        time.sleep(.002)
    pipe.send(max(longest, time.monotonic() - last))


class Asker:
    """A client that asks all the time, in a process of its own; without a
    server to ask, one that only looks when it may run."""

    def __init__(self, sock=None):
        fork = multiprocessing.get_context("fork")
        self.pipe, theirs = fork.Pipe()
        self.end = fork.Event()
        self.process = fork.Process(
            target=ask if sock else nothing,
            args=(*([sock] if sock else []), self.end, theirs))
        self.process.start()

    def stop(self):
        """The longest silence in milliseconds."""
        self.end.set()
        longest = self.pipe.recv()
        self.process.join()
        return round(longest * 1000, 1)


def nothing(end, pipe):
    """What the machine itself does to a process of an asker's kind that wants
    nothing of anybody: the longest time beyond its sleep."""
    own_machine(0, -20)
    longest = 0
    last = time.monotonic()
    while not end.is_set():
        time.sleep(.002)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    pipe.send(longest)


def holds(sock, nb_cfg):
    """True if a server has that nb_cfg, which the active alone has at
    first."""
    return says(sock, [DB, {"op": "select", "table": "SB_Global",
                            "where": [], "columns": ["nb_cfg"]}],
                lambda result: result[0]["rows"][0]["nb_cfg"] == nb_cfg)


def timed(active_sock, standby_sock, begin, done):
    """Runs begin() and waits for done() beside two clients."""
    askers = [Asker(active_sock), Asker(standby_sock), Asker()]
    start = time.monotonic()
    begin()
    wait_until(done, PATIENCE, "resynchronised")
    took = time.monotonic() - start
    active, standby, machine = (a.stop() for a in askers)
    return {"seconds": round(took, 1), "active_stall_ms": active,
            "machine_stall_ms": machine, "standby_silent_ms": standby}


def put_file(node, source):
    """Puts a copy of a file in the place of a node's, and restarts it."""
    node.stop_worker()
    node.stop_server()
    node.file.unlink()
    if source:
        subprocess.run(["cp", str(source), str(node.file)], check=True)
    for old in (node.state / "sb.pos", Path(f"{node.file}.ovn-ha")):
        old.unlink(missing_ok=True)
    node.start_server()
    node.last_role = None
    node.start_worker()
    node.wait(lambda s: s.phase == P_IDLE, PATIENCE)


class Bench:
    """An active node, with the large file, and standbys."""

    def __init__(self, folder, scale):
        self.folder = Path(folder)
        rows = big_sb.make_rows(int(BINDINGS * scale), int(FLOWS * scale))
        self.file = self.folder / "sb.db"
        big_sb.write(self.file, rows)
        self.flows = dict(rows["Logical_Flow"])
        big_sb.change(rows, .01)
        next(iter(rows["SB_Global"].values()))["nb_cfg"] = 0
        self.nb_cfg = 1  # Which nobody else has.
        self.other = self.folder / "other.db"
        big_sb.write(self.other, rows)
        del rows
        self.cluster = Cluster(folder, program(), db="sb")
        self.active = self.cluster.add()
        put_file(self.active, self.file)
        self.active.active(1)
        own_machine(self.active.server.pid, -10)
        own_machine(self.active.worker.pid, -10)
        self.alone_mb = rss_mb(self.active.server.pid)

    def ours(self, standby, source):
        put_file(standby, source)
        self.cluster.meet()
        return self.follow(standby)

    def behind(self, standby):
        """One that was level, and then away for a while."""
        active, session = self.active, self.active.session()
        standby.idle()
        for ops in big_sb.change_ops(self.flows, .01):
            session.call("transact", [DB, *ops])
        self.nb_cfg += 1
        active.transact({"op": "update", "table": "SB_Global", "where": [],
                         "row": {"nb_cfg": self.nb_cfg}})
        session.close()
        # A log before the current one is kept, too.
        for _ in range(2):
            subprocess.run(["ovs-appctl", "-T", str(PATIENCE), "-t",
                            str(active.ctl), "ovsdb-server/compact"],
                           check=True, stdout=subprocess.DEVNULL)
        active.head(PATIENCE)
        self.quiet(5)  # A server is slow after its own compaction.
        return self.follow(standby)

    def follow(self, standby):
        active = self.active
        snapshots = standby.status.snapshots

        def done():
            status = standby.status
            return status and status.pos.seq == active.status.pos.seq \
                and status.phase == P_FOLLOWING
        def used():
            # Of a server that was started anew all counts.
            return sum(cpu_of(p.pid) for p in (
                active.server, active.worker, standby.worker,
                standby.server))
        before, server = used(), standby.server
        gone = cpu_of(server.pid)
        for process in (server, standby.worker):
            forget_peak(process.pid)
        result = timed(active.sock, standby.sock,
                       lambda: standby.send_role(FOLLOW, (1, active.id),
                                                 active), done)
        again = gone if standby.server is not server else 0
        result["cpu_s"] = round(used() - before + again, 2)
        result["snapshots"] = standby.status.snapshots - snapshots
        result["way"] = standby.status.resync
        result["peak_mb"] = [round(peak_mb(p.pid)) for p in
                             (standby.server, standby.worker)]
        return result

    def level(self, standby):
        if not standby.last_role:
            self.ours(standby, None)

    def copy(self):
        """The active's file as it is now."""
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "copy.db"
        subprocess.run(["cp", str(self.active.file), str(path)], check=True)
        return path

    def quiet(self, seconds):
        askers = [Asker(self.active.sock), Asker()]
        time.sleep(seconds)
        return [a.stop() for a in askers]

    def builtin(self, source):
        """The same with --sync-from."""
        with Servers(self.folder) as servers:
            if source:
                subprocess.run(["cp", str(source),
                                str(servers.folder / "backup")], check=True)
            else:
                subprocess.run(["ovsdb-tool", "create",
                                str(servers.folder / "backup"),
                                big_sb.SCHEMA], check=True)
            servers.backup("backup", self.active.sock)
            servers.appctl("backup", "version")
            pid = servers.pids["backup"]
            before = cpu_of(pid) + cpu_of(self.active.server.pid)
            result = timed(self.active.sock, servers.sock("backup"),
                           lambda: servers.connect("backup"),
                           lambda: holds(servers.sock("backup"), self.nb_cfg))
            result["cpu_s"] = round(
                cpu_of(pid) + cpu_of(self.active.server.pid) - before, 2)
            result["peak_mb"] = [round(peak_mb(pid))]
            return result

    def raft(self, empty, differs):
        """The third member of a cluster whose other two have the database:
        that it joins, and that it is back after it missed something.  Yields
        what is asked for, by name."""
        with Servers(self.folder) as servers:
            def join(name):
                servers.raft_join(name, "one", DB)
                servers.start(name)

            def level(name, nb_cfg=1):
                return holds(servers.sock(name), nb_cfg)

            def measure_third(begin, done):
                result = timed(servers.sock("one"), servers.sock("three"),
                               begin, done)
                result["peak_mb"] = [round(peak_mb(servers.pids["three"]))]
                return result
            servers.raft_first("one", self.file)
            own_machine(servers.pids["one"], -10)
            wait_until(lambda: level("one"), PATIENCE, "the first one serves")
            join("two")
            wait_until(lambda: level("two"), PATIENCE, "the second one joins")
            joined = measure_third(lambda: join("three"),
                                   lambda: level("three"))
            if empty:
                yield "empty", joined
            if differs:
                servers.end("three")
                self.change_raft(servers, 2)
                yield "differs", measure_third(
                    lambda: servers.start("three"), lambda: level("three", 2))

    def change_raft(self, servers, nb_cfg):
        """What behind() does to the active, while the third member is not
        there: it needs a snapshot afterwards."""
        ops = [op for some in big_sb.change_ops(self.flows, .01)
               for op in some]
        ops.append({"op": "update", "table": "SB_Global", "where": [],
                    "row": {"nb_cfg": nb_cfg}})
        session = Session(dial(servers.sock("one")))
        for i in range(0, len(ops), 100):
            session.transact(DB, *ops[i:i + 100], timeout=PATIENCE)
        session.close()
        wait_until(lambda: holds(servers.sock("two"), nb_cfg), PATIENCE,
                   "the second one has it")
        for name in "one", "two":
            servers.appctl(name, "ovsdb-server/compact")
        self.quiet(5)

    def unchanged(self, standby):
        before = standby.file.stat().st_size
        standby.stop_worker()
        standby.start_worker()
        standby.wait_following(PATIENCE)
        standby.wait_at(self.active.head(), PATIENCE)
        return {"bytes_written": standby.file.stat().st_size - before,
                "resumes": standby.status.resumes}

    def memory(self, standby):
        mb = [rss_mb(p.pid) for p in (standby.server, standby.worker)]
        return {"server_alone_mb": round(self.alone_mb),
                "standby_mb": [round(m) for m in mb],
                "ratio": round(sum(mb) / self.alone_mb, 2)}


def burn(nodes, n):
    """CPU seconds of each node's server for each of 'n' transactions, which
    all are given at once, each being first as often as the others."""
    sessions = [node.session() for node in nodes]
    for session in sessions:
        session.call("echo", [])
    before = [cpu_of(node.server.pid) for node in nodes]
    for i in range(n):
        sent = [(session, session.send("transact", [DB, {
            "op": "update", "table": "SB_Global", "where": [],
            "row": {"nb_cfg": i + 2}}])) for session in sessions]
        for session, request in sent:
            session.answer(request, time.monotonic() + PATIENCE)
        sessions.append(sessions.pop(0))
    used = [(cpu_of(node.server.pid) - b) / n
            for node, b in zip(nodes, before)]
    for session in sessions:
        session.close()
    return used


def spin(core):
    """Runs on a core whenever nobody else wants to."""
    os.sched_setaffinity(0, [core])
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass


@contextmanager
def never_idle(cores):
    """No core sleeps meanwhile: to wake one costs whoever does it, a virtual
    machine above all, and the busier of two cases would have less of that."""
    fork = multiprocessing.get_context("fork")
    spinners = [fork.Process(target=spin, args=(core,), daemon=True)
                for core in cores]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.join()


@contextmanager
def apart():
    """One core for a process that is measured, which is yielded, and the
    others for all that is started meanwhile."""
    cores = os.sched_getaffinity(0)
    own, *rest = sorted(cores)
    if not rest:
        sys.exit("cpu: needs two cores")
    os.sched_setaffinity(0, rest)
    try:
        with never_idle(cores):
            yield own
    finally:
        os.sched_setaffinity(0, cores)


class Trio:
    """An active, and two standbys that follow it when they are told to."""

    def __init__(self, folder):
        folder.mkdir()
        self.cluster = Cluster(folder, program(), db="sb")
        self.active, *self.standbys = (self.cluster.add() for _ in range(3))
        self.active.transact({"op": "insert", "table": "SB_Global", "row": {}})
        self.active.active(1)

    def attach(self):
        for node in self.standbys:
            node.follow(self.active, 1)
            node.wait_following(60)

    def detach(self):
        for node in self.standbys:
            node.idle()
        wait_until(lambda: not any(p.connected
                                   for p in self.active.peers.values()),
                   20, "disconnected")


def measure_cpu(folder, rounds, n=2000):
    """Of two actives on one core, which have the same transactions at the
    same time, each in turn has two standbys: whatever else goes on, and what
    the standbys do on the other cores, slows down both.  What they differ
    without any tells what a ratio is worth."""
    trios = []
    try:
        with apart() as core:
            trios += [Trio(folder / name) for name in ("one", "other")]
            for trio in trios:
                os.sched_setaffinity(trio.active.server.pid, [core])
            return compare(*trios, rounds, n)
    finally:
        for trio in trios:
            trio.cluster.stop()


def compare(one, other, rounds, n):
    used = {"two": [], "none": []}
    ratios = {"two": [], "none": []}

    def burn_with(attached):
        for trio in one, other:
            trio.attach() if trio is attached else trio.detach()
        return burn([one.active, other.active], n)
    for _ in range(rounds):
        for case, first, second in ("two", one, other), ("none", None, None):
            (a, b), (c, d) = burn_with(first), burn_with(second)
            used[case] += [a, d]
            ratios[case].append(math.sqrt(a / b * d / c))
    quartiles = {case: [round(q, 3) for q in statistics.quantiles(found)]
                 for case, found in ratios.items()}
    return {**{f"us_{case}": round(statistics.median(found) * 1e6, 1)
               for case, found in used.items()},
            "ratio": quartiles["two"], "none_to_none": quartiles["none"]}


@contextmanager
def counted(folder):
    """Servers started meanwhile count what they execute."""
    shim = Path(folder) / "bin" / "ovsdb-server"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\nexec valgrind --quiet --tool=callgrind "
                    f"--callgrind-out-file='{folder}/counts.%p' "
                    f"'{shutil.which('ovsdb-server')}' \"$@\"\n")
    shim.chmod(0o755)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{shim.parent}:{path}"
    try:
        yield
    finally:
        os.environ["PATH"] = path


def take_count(folder, node):
    """Instructions that a counted server executed since the last time."""
    subprocess.run(["vgdb", f"--pid={node.server.pid}", "dump"], check=True,
                   capture_output=True)
    newest = max(Path(folder).glob(f"counts.{node.server.pid}.*"),
                 key=lambda p: int(p.suffix[1:]))
    return next(int(line.split()[1])
                for line in newest.read_text().splitlines()
                if line.startswith(("totals:", "summary:")))


def measure_instructions(folder, n=1000):
    """Those of the active's server for a transaction: a figure without
    noise, of which the kernel's part is missing."""
    with counted(folder):
        trio = Trio(folder / "trio")
    try:
        def count():
            take_count(folder, trio.active)
            burn([trio.active], n)
            return take_count(folder, trio.active) / n
        found = {"none": round(count())}
        trio.attach()
        found["two"] = round(count())
        return {**found, "ratio": round(found["two"] / found["none"], 4)}
    finally:
        trio.cluster.stop()


def measure(folder, args, wanted):
    if wanted("cpu"):
        part = Path(folder) / "cpu"
        part.mkdir()
        yield "cpu", measure_cpu(part, 12 * args.repeat)
        part = Path(folder) / "counted"
        part.mkdir()
        yield "cpu counted", measure_instructions(part) \
            if shutil.which("vgdb") else "needs valgrind, which is not here"
    if not any(map(wanted, ("empty", "differs", "diverged", "unchanged",
                            "memory"))):
        return
    bench = Bench(folder, args.scale)
    try:
        yield "file_mb", bench.file.stat().st_size >> 20
        yield "quiet_stall_ms", bench.quiet(20)
        b = bench.cluster.add()
        for i in range(args.repeat):
            if wanted("diverged"):
                yield f"diverged ovn-ha {i}", bench.ours(b, bench.other)
                yield f"diverged backup {i}", bench.builtin(bench.other)
            if wanted("empty"):
                yield f"empty ovn-ha {i}", bench.ours(b, None)
                yield f"empty backup {i}", bench.builtin(None)
            if wanted("differs"):
                bench.level(b)
                copy = bench.copy()
                yield f"differs ovn-ha {i}", bench.behind(b)
                yield f"differs backup {i}", bench.builtin(copy)
            if wanted("empty") or wanted("differs"):
                for name, result in bench.raft(wanted("empty"),
                                               wanted("differs")):
                    yield f"{name} raft {i}", result
        if wanted("unchanged") or wanted("memory"):
            bench.level(b)
            yield "unchanged", bench.unchanged(b)
            yield "memory", bench.memory(b)
    finally:
        bench.cluster.stop()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", type=float, default=1,
                        help="1: 50,000 bindings, 300,000 flows")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", action="append",
                        help="one of the names above; may be repeated")
    args = parser.parse_args()

    def wanted(name):
        return not args.only or name in args.only
    with tempfile.TemporaryDirectory() as folder:
        for name, result in measure(folder, args, wanted):
            print(f"{name:<18} {json.dumps(result)}", flush=True)
    print(f"{'load_average':<18} {os.getloadavg()}")


if __name__ == "__main__":
    main()
