# SPDX-License-Identifier: Apache-2.0
"""Asks every node's client ports, all the time, whether they take writes.

It asks from inside each node, over TCP on the node's own address and over the
public unix socket, so that no cut between nodes hides an answer.  A session
that stands is used on, as a client would; an answer counts when it arrives,
however late, because that is when a client believes it.  The times of
consecutive answers make a span; spans of two nodes must never overlap."""

import argparse
import json
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass

from .netns import inside
from .node import process_state
from .ovsdb import DATABASES, NO_OP, PORTS, Closed, Session, dial, refusal
from .shell import CommandError, python
from .wait import wait_until

SILENCE = 0.5           # An answer later than this begins a new span.


@dataclass
class Span:
    """A node took writes from 'first' to 'last' at least."""
    node: str
    db: str
    way: str
    first: float
    last: float


class Target:
    """One port of one node."""

    def __init__(self, node, pid_file, db, way, address):
        self.node = node
        self.pid_file = pid_file
        self.db = db
        self.way = way
        self.address = address
        self.session = None
        self.asked = None       # When the question under way was sent.
        self.request = None
        self.span = None

    def init_pid(self):
        """The pid of the node's init; None when it is off."""
        try:
            with open(self.pid_file, encoding="ascii") as file:
                pid = int(file.read())
        except (FileNotFoundError, ValueError):
            return None
        return None if process_state(pid) in (None, "Z", "X") else pid

    def connect(self):
        """Begins a session if the node is on."""
        pid = self.init_pid()
        if pid is None:
            return
        try:
            if self.way == "unix":
                path = f"/proc/{pid}/root/run/ovn/ovn{self.db}_db.sock"
                self.session = Session(dial(path))
            else:
                with inside(pid):
                    self.session = Session(dial((self.address,
                                                 PORTS[self.db])))
        except OSError:
            self.session = None

    def ask(self, now):
        """One question, if none is under way.  Returns a span that ended
        with the session."""
        if not self.session:
            self.connect()
        try:
            if self.session and self.asked is None \
                    and self.session.connected():
                self.request = self.session.send(
                    "transact", [DATABASES[self.db], NO_OP])
                self.asked = now
        except Closed:
            self.close()
            return self.end_span()
        return []

    def close(self):
        """The session has ended."""
        if self.session:
            self.session.close()
        self.session = self.asked = None

    def hear(self, quiet_until, now):
        """Takes answers.  They arrived after 'quiet_until' and by 'now'.
        Returns spans that are complete."""
        try:
            messages = self.session.receive()
        except Closed:
            self.close()
            return self.end_span()
        ended = []
        for message in messages:
            if message.get("id") != self.request or self.asked is None:
                continue
            if refusal(message):
                ended += self.end_span()
            else:
                if now - self.asked > SILENCE:
                    ended += self.end_span()
                if not self.span:
                    # Its edges are what is certain: the first answer was
                    # there by now, the last one not before it was looked for.
                    self.span = Span(self.node, self.db, self.way, now, now)
                self.span.last = max(self.span.first, quiet_until)
            self.asked = None
        return ended

    def end_span(self):
        """The span is over: returns it, if there was one."""
        ended, self.span = self.span, None
        return [ended] if ended else []


class Watch:
    """The asking loop."""

    def __init__(self, targets, path, period):
        self.targets = targets
        self.file = open(path, "w", encoding="ascii")
        self.period = period
        self.epoch = time.time() - time.monotonic()
        self.looked = {}        # When a target was last found quiet.

    def note(self, kind, span):
        """A line in the report."""
        self.file.write(json.dumps({
            "kind": kind, "node": span.node, "db": span.db, "way": span.way,
            "first": span.first + self.epoch,
            "last": span.last + self.epoch}) + "\n")
        self.file.flush()

    def round(self):
        """Asks everyone, then listens until the next round."""
        start = time.monotonic()
        for target in self.targets:
            for span in target.ask(time.monotonic()):
                self.note("span", span)
        end = start + self.period
        while True:
            wait = end - time.monotonic()
            by_session = {t.session: t for t in self.targets if t.session}
            looking = time.monotonic()
            ready, _, _ = select.select(list(by_session), [], [],
                                        max(0.0, wait))
            for session in ready:
                self.hear(by_session[session])
            for session, target in by_session.items():
                if session not in ready:
                    self.looked[target] = looking
            if wait <= 0:
                return

    def hear(self, target):
        """One target has something to say."""
        new = target.span is None
        for span in target.hear(self.looked.get(target, 0.0),
                                time.monotonic()):
            self.note("span", span)
            new = True
        if new and target.span:
            self.note("open", target.span)

    def close(self):
        """Ends the report."""
        for target in self.targets:
            for span in target.end_span():
                self.note("span", span)
            target.close()
        self.file.close()


def main(argv=None):
    """The prober's process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--warden", type=int, required=True)
    parser.add_argument("--period-ms", type=int, default=20)
    parser.add_argument("path")
    parser.add_argument("nodes", help="JSON: {name: [pid file, address]}")
    args = parser.parse_args(argv)

    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warden = select.poll()
    warden.register(os.pidfd_open(args.warden), select.POLLIN)
    watch = Watch([Target(name, pid_file, db, way, address)
                   for name, (pid_file, address)
                   in json.loads(args.nodes).items()
                   for db in DATABASES for way in ("tcp", "unix")],
                  args.path, args.period_ms / 1000)
    while not stopped and not warden.poll(0):
        watch.round()
    watch.close()


def overlaps(spans):
    """Pairs of spans in which two nodes took writes to one database at the
    same time."""
    found = []
    for i, a in enumerate(spans):
        for b in spans[i + 1:]:
            if a.node != b.node and a.db == b.db \
                    and max(a.first, b.first) < min(a.last, b.last):
                found.append((a, b))
    return found


class Prober:
    """A prober process of a lab, and its report."""

    def __init__(self, lab, name="prober", period_ms=20):
        self.lab = lab
        self.path = lab.folder / f"{name}.jsonl"
        self.period_ms = period_ms
        self.process = None

    def start(self):
        """Starts it."""
        self.path.unlink(missing_ok=True)
        nodes = {n.name: [str(n.folder / "pid"), n.address]
                 for n in self.lab.control}
        self.process = subprocess.Popen(
            [*python("lab.prober"), "--warden", str(self.lab.warden),
             "--period-ms", str(self.period_ms), str(self.path),
             json.dumps(nodes)],
            stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(self.path.exists, 40, "the prober runs")
        return self

    def _lines(self, kind):
        lines = self.path.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [Span(**{k: v for k, v in item.items() if k != "kind"})
                for item in found if item["kind"] == kind]

    def first_answer(self, node, db, after, way="tcp"):
        """When a node began to take writes, after a time; None: not yet."""
        times = [s.first for s in self._lines("open")
                 if (s.node, s.db, s.way) == (node, db, way)
                 and s.first >= after]
        return min(times, default=None)

    def stop(self):
        """Ends it and returns all spans."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            if self.process.wait(10) != 0:
                raise CommandError("the prober failed")
            self.process = None
        return self._lines("span")

    def overlaps(self):
        """Stops; returns where two nodes took writes at once."""
        return overlaps(self.stop())

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
