# SPDX-License-Identifier: Apache-2.0
"""An active that is held: it stands still for longer than its lease and the
failover, while clients hold connections to it and have writes in flight; then
it goes on.  Counted is what it acknowledges after the new one was promoted."""

import select
import time

from chaos.lookout import status as ask
from guard import sweep
from lab import Closed, Writer, wait_until
from lab.ovsdb import DATABASES, refusal
from lab.writer import TABLES
from watch import others, wait_well

CLIENTS = 4         # Of each database.


class Client:
    """Holds a connection to one server, whatever it hears, and counts what is
    acknowledged of what it wrote."""

    def __init__(self, lab, node, db, name):
        self.session = lab.dial(node.address, db)
        self.db, self.name = db, name
        self.acknowledged, self.last, self.ended = 0, 0.0, False
        self.session.transact(DATABASES[db], self._insert(""))

    def _insert(self, suffix):
        table, make_row, _, _ = TABLES[self.db]
        return {"op": "insert", "table": table,
                "row": make_row(self.name + suffix)}

    def write(self):
        """A write that nobody waits for."""
        self.session.send("transact", [DATABASES[self.db], self._insert("_")])

    def ask(self):
        """Makes whoever is there answer: with a reset if nobody is."""
        try:
            self.session.send("echo", [])
        except Closed:
            self.ended = True

    def listen(self):
        """Takes what is here; returns whether the session has ended."""
        while not self.ended and select.select([self.session], [], [], 0)[0]:
            try:
                for message in self.session.receive():
                    if message.get("result") and not refusal(message):
                        self.acknowledged += 1
                        self.last = time.time()
            except Closed:
                self.ended = True
        return self.ended


def freeze(node):
    """Every process of a node stands still."""
    node.stop("all")


def thaw(node):
    """All of a node goes on, in the worst order: the databases before those
    who would close them."""
    for what in ("nb", "sb", "all"):
        node.cont(what)


def is_shut(node):
    """Whether a node's door is shut, by its own account."""
    return ask(node).get("local", {}).get("fence", {}).get("door") == "closed"


def hold(lab, name, promoted, halt=freeze, go_on=thaw, rate=100):
    """One round; returns how many writes the old active acknowledged after
    the new one was promoted, to clients that hold on and to writers, which
    move on; and how many ms after it went on that ended.

    'halt' and 'go_on' are what is done to the active; if it was fenced
    meanwhile it boots.  'promoted' is called with both in between; 'rate' is
    that of the writers."""
    old = wait_well(lab)
    writers = [Writer(lab, f"{name}_{db}", db, rate) for db in DATABASES]
    clients = [Client(lab, old, db, f"{name}_{db}_{i}")
               for db in DATABASES for i in range(CLIENTS)]
    try:
        for writer in writers:
            writer.start()
        halt(old)
        for client in clients:
            client.write()
        new = lab.wait_active(lab.patience,
                              [n.name for n in others(lab, old)])
        wait_until(lambda: all(w.ledger().first_ack(0, new.name)
                               for w in writers), 30, "the new one is used")
        promoted(old, new)
        went_on = time.time()
        if old.pid:
            go_on(old)
        else:
            lab.boot(old.name)
        wait_until(lambda: all([c.listen() for c in clients]) or is_shut(old),
                   lab.patience, f"{old.name} is shut", interval=0.002)
        assert wait_well(lab) is new
        for client in clients:
            client.listen()
            client.ask()
        wait_until(lambda: all([c.listen() for c in clients]), 30,
                   "no session with the old active is left")
    finally:
        ledgers = [writer.stop() for writer in writers]
        for client in clients:
            client.session.close()
    late = [e for ledger in ledgers for e in ledger.acknowledged()
            if e.server == old.name
            and e.acked > ledger.first_ack(0, new.name)]
    last = max([c.last for c in clients] + [e.acked for e in late])
    # Or a hundred rounds would leave ovn-northd more than it can do in time.
    sweep(lab, wait_well(lab), writers)
    return sum(c.acknowledged for c in clients) + len(late), \
        max(0.0, last - went_on) * 1000


def hold_often(lab, name, rounds, promoted=lambda old, new: None, **kwargs):
    """The sum of all rounds; each tells what it counted."""
    total = 0
    for i in range(rounds):
        late, window_ms = hold(lab, f"{name}_{i}", promoted, **kwargs)
        total += late
        print(f"{name}, round {i + 1}: {late} acknowledged too late, "
              f"until {window_ms:.1f} ms after it went on, "
              f"{2 * CLIENTS} were in flight; {total} in all", flush=True)
    return total
