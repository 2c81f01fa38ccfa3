# SPDX-License-Identifier: Apache-2.0
"""A client that writes all the time, and keeps the ledger.

It knows all control nodes and knocks at those it is not connected to every
10 ms, so that what it measures is the cluster and not its own patience: an
answer that does not come is given up as soon as another node lets it in.  It
never writes the same number twice: what was not acknowledged stays so."""

import argparse
import json
import os
import select
import signal
import subprocess
import time

from .door import KNOCK_EVERY, Door
from .ledger import Entry, Ledger
from .ovsdb import DATABASES, PORTS, Closed, refusal
from .shell import CommandError, python
from .wait import wait_until

PATIENCE = 0.05         # Without answer so long: rather another node...
STUBBORN = 1.0          # ...or the same one again.
FLUSH_EVERY = 0.1
STOPPED = "the writer was stopped"

# Tables that OVN itself leaves alone: rows in the column that names them.
TABLES = {
    "nb": ("Address_Set", lambda name: {"name": name},
           lambda row: row["name"], ["name"]),
    "sb": ("Controller_Event",
           lambda name: {"event_type": "empty_lb_backends",
                         "event_info": ["map", [["lab", name]]]},
           lambda row: dict(row["event_info"][1]).get("lab", ""),
           ["event_info"]),
}


class Pen:
    """The writing loop."""

    def __init__(self, doors, db, name, path, period, durable):
        self.doors = doors
        self.db = db
        self.table, self.make_row, _, _ = TABLES[db]
        self.name = name
        self.period = period
        self.durable = durable
        self.file = open(path, "w", encoding="ascii")
        self.number = 0
        self.door = None            # The node written to...
        self.session = None         # ...and the session with it.
        self.pending = None         # (Entry, request id, monotonic time)
        self.next_write = 0.0
        self.next_flush = 0.0
        # One clock for the intervals, shown as wall clock.
        self.epoch = time.time() - time.monotonic()

    def note(self, entry):
        """Into the ledger."""
        self.file.write(entry.line())

    def give_up(self, why):
        """The pending write counts as unanswered."""
        if self.pending:
            entry = self.pending[0]
            entry.why = why
            self.note(entry)
        self.pending = None

    def leave(self, why):
        """Ends the current session."""
        self.give_up(why)
        if self.session:
            self.session.close()
        self.door = self.session = None

    def write(self, now):
        """One write to the current server."""
        self.number += 1
        self.next_write = max(now, self.next_write + self.period)
        operations = [{"op": "insert", "table": self.table,
                       "row": self.make_row(f"{self.name}_{self.number}")}]
        if self.durable:
            operations.append({"op": "commit", "durable": True})
        entry = Entry(self.number, now + self.epoch, None,
                      self.door.name, "")
        try:
            request = self.session.send(
                "transact", [DATABASES[self.db], *operations])
        except Closed as err:
            entry.why = f"send: {err}"
            self.note(entry)
            self.leave("")
            return
        self.pending = entry, request, now

    def listen(self, now):
        """Takes what came in on the current server."""
        try:
            self.session.flush()
            messages = self.session.receive()
        except Closed as err:
            self.leave(str(err))
            return
        for message in messages:
            if not self.pending or message.get("id") != self.pending[1]:
                continue
            why = refusal(message)
            if why:
                self.leave(f"refused: {why}".replace("\t", " "))
                return
            self.pending[0].acked = now + self.epoch
            self.give_up("")

    def choose(self, now):
        """Knocks, and moves on when there is reason and a place to go."""
        waited = now - self.pending[2] if self.pending else 0.0
        if self.session and waited < PATIENCE:
            return
        for door in self.doors:
            # A busy server's kernel lets in what the server will not hear.
            if door is self.door and waited < STUBBORN:
                continue
            session = door.knock(now)
            if session:
                self.enter(door, session, waited)
                return

    def enter(self, door, session, waited):
        """A new current session."""
        self.leave(f"no answer within {waited:.3f} s")
        self.door, self.session = door, session
        for other in self.doors:
            other.leave()
        # Another first choice next time.
        self.doors.remove(door)
        self.doors.append(door)

    def turn(self):
        """Waits for something to do, a moment at most, and does it."""
        now = time.monotonic()
        self.choose(now)
        if self.session and not self.pending and now >= self.next_write:
            self.write(now)
        wait = KNOCK_EVERY
        if self.session and not self.pending:
            wait = min(wait, max(0.0, self.next_write - now))
        reads = [self.session] if self.session else []
        writes = [d.session for d in self.doors if d.session] + [
            s for s in reads if s.wants_write()]
        ready, _, _ = select.select(reads, writes, [], wait)
        if ready:
            self.listen(time.monotonic())
        if now >= self.next_flush:
            self.file.flush()
            self.next_flush = now + FLUSH_EVERY

    def close(self):
        """Ends the ledger."""
        self.leave(STOPPED)
        for door in self.doors:
            door.leave()
        self.file.close()


def main(argv=None):
    """The writer's process, inside the switch's namespace."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--warden", type=int, required=True)
    parser.add_argument("--db", choices=TABLES, default="nb")
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("name")
    parser.add_argument("path")
    parser.add_argument("servers", help="JSON: {name: address}")
    args = parser.parse_args(argv)

    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warden = select.poll()
    warden.register(os.pidfd_open(args.warden), select.POLLIN)
    pen = Pen([Door(name, (address, PORTS[args.db]))
               for name, address in json.loads(args.servers).items()],
              args.db, args.name, args.path, 1 / args.rate, args.durable)
    while not stopped and not warden.poll(0):
        pen.turn()
    pen.close()


class Writer:
    """A writer process of a lab, and its ledger."""

    def __init__(self, lab, name="w1", db="nb", rate=100, durable=False):
        self.lab = lab
        self.name = name
        self.db = db
        self.path = lab.folder / f"ledger-{name}.tsv"
        self.process = None
        self.options = ["--db", db, "--rate", str(rate)] + (
            ["--durable"] if durable else [])

    def start(self, deadline=10):
        """Starts it, and returns when its first write is acknowledged."""
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self.lab.switch.command(
                [*python("lab.writer"), "--warden", self.lab.warden,
                 *self.options, self.name, self.path,
                 json.dumps(self.lab.servers())]),
            stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: self.ledger().acknowledged(), deadline,
                   f"writer {self.name} is acknowledged", interval=0.05)
        return self

    def ledger(self):
        """The ledger as far as it is written."""
        if not self.path.exists():
            return Ledger(self.name, [])
        return Ledger.load(self.path, self.name, table=TABLES[self.db][0],
                           db=self.db)

    def stop(self):
        """Ends the writer and returns its ledger."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            if self.process.wait(10) != 0:
                raise CommandError(f"writer {self.name} failed")
            self.process = None
        return self.ledger()

    def rows(self, node):
        """The names of all writers' rows that a node has."""
        table, _, name_of, columns = TABLES[self.db]
        return {name_of(row) for row in
                self.lab.select(node, self.db, table, columns)}

    def lost(self, node):
        """Stops; returns the acknowledged writes that 'node' lacks."""
        return self.stop().lost(self.rows(node))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
