# SPDX-License-Identifier: Apache-2.0
"""Watches what the writers' rows become: when an address set that was written
to NB has reached SB, through northd, where a client can see it.

It keeps a session with every control node that lets it in, and notes each name
once, when it sees it first."""

import argparse
import json
import os
import select
import signal
import subprocess
import time

from .door import KNOCK_EVERY, Door
from .ovsdb import DATABASES, PORTS, Closed
from .shell import CommandError, python
from .wait import wait_until

TABLE = "Address_Set"
FLUSH_EVERY = 0.05
PROBE_EVERY = 0.1       # A session is asked whether it lives...
PATIENCE = 1.0          # ...and left when it has said nothing for so long.


class Eye:
    """The watching loop."""

    def __init__(self, doors, path):
        self.doors = doors
        self.sessions = {}      # {session: door}
        self.heard = {}         # {session: when}
        self.next_probe = 0.0
        self.seen = set()
        self.file = open(path, "w", encoding="ascii")
        self.epoch = time.time() - time.monotonic()
        self.next_flush = 0.0

    def enter(self, door, session):
        """A node lets us in: asks for all rows and every change."""
        try:
            session.send("monitor", [
                DATABASES["sb"], None,
                {TABLE: [{"columns": ["name"],
                          "select": {"initial": True, "insert": True,
                                     "modify": False, "delete": False}}]}])
            self.sessions[session] = door
            self.heard[session] = time.monotonic()
        except Closed:
            session.close()

    def leave(self, session):
        """Ends a session."""
        session.close()
        del self.sessions[session], self.heard[session]

    def probe(self, now):
        """Finds out which sessions are dead."""
        for session in list(self.sessions):
            try:
                if now - self.heard[session] > PATIENCE:
                    self.leave(session)
                elif now >= self.next_probe:
                    session.send("echo", [])
            except Closed:
                self.leave(session)
        if now >= self.next_probe:
            self.next_probe = now + PROBE_EVERY

    def note(self, updates, server):
        """Rows in a reply to monitor, or in an update."""
        when = time.monotonic() + self.epoch
        for change in (updates or {}).get(TABLE, {}).values():
            name = change.get("new", {}).get("name")
            if name and name not in self.seen:
                self.seen.add(name)
                self.file.write(f"{name}\t{when:.6f}\t{server}\n")

    def listen(self, session):
        """Takes what came in."""
        door = self.sessions[session]
        try:
            messages = session.receive()
        except Closed:
            self.leave(session)
            return
        self.heard[session] = time.monotonic()
        for message in messages:
            if message.get("method") == "update":
                self.note(message["params"][1], door.name)
            elif isinstance(message.get("result"), dict):
                self.note(message["result"], door.name)

    def turn(self):
        """Knocks, waits a moment, listens."""
        now = time.monotonic()
        self.probe(now)
        inside = set(self.sessions.values())
        for door in self.doors:
            session = door not in inside and door.knock(now)
            if session:
                self.enter(door, session)
        trying = [d.session for d in self.doors if d.session]
        ready, _, _ = select.select(list(self.sessions), trying, [],
                                    KNOCK_EVERY)
        for session in ready:
            self.listen(session)
        if now >= self.next_flush:
            self.file.flush()
            self.next_flush = now + FLUSH_EVERY

    def close(self):
        """Ends the report."""
        for session in self.sessions:
            session.close()
        self.file.close()


def main(argv=None):
    """The mirror's process, inside the switch's namespace."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--warden", type=int, required=True)
    parser.add_argument("path")
    parser.add_argument("servers", help="JSON: {name: address}")
    args = parser.parse_args(argv)

    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warden = select.poll()
    warden.register(os.pidfd_open(args.warden), select.POLLIN)
    eye = Eye([Door(name, (address, PORTS["sb"]))
               for name, address in json.loads(args.servers).items()],
              args.path)
    while not stopped and not warden.poll(0):
        eye.turn()
    eye.close()


class Mirror:
    """A mirror process of a lab, and its report."""

    def __init__(self, lab):
        self.lab = lab
        self.path = lab.folder / "mirror.tsv"
        self.process = None

    def start(self):
        """Starts it."""
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self.lab.switch.command(
                [*python("lab.mirror"), "--warden", self.lab.warden,
                 self.path, json.dumps(self.lab.servers())]),
            stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(self.path.exists, 10, "the mirror runs")
        return self

    def seen(self):
        """{name of a row: when it was first seen in SB}."""
        found = {}
        for line in self.path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                name, when, _ = line.split("\t")
                found[name] = float(when)
        return found

    def reached(self, ledger, after):
        """When the first write of 'ledger' that was sent after a time and
        acknowledged was seen in SB; None: not yet."""
        seen = self.seen()
        times = [seen[ledger.row(e.number)] for e in ledger.acknowledged()
                 if e.sent >= after and ledger.row(e.number) in seen]
        return min(times, default=None)

    def stop(self):
        """Ends it."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            if self.process.wait(10) != 0:
                raise CommandError("the mirror failed")
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
