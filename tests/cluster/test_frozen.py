# SPDX-License-Identifier: Apache-2.0
"""Every process of the active stands still for longer than its lease and the
failover, while clients hold connections to it and have writes in flight; then
all of it goes on.  Counted is what the old active acknowledges after the new
one was promoted.

OVN_HA_FROZEN_ROUNDS=100 makes it a hundred times."""

import os
import select
import time

import pytest
from chaos.lookout import status as ask
from lab import Bmc, Closed, Corosync, Writer, wait_until
from lab.ovsdb import DATABASES, refusal
from lab.writer import TABLES
from pairs import fenced_pair, wait_devices
from watch import (bring_up, configure, local, others, setting, status,
                   wait_well)

ROUNDS = int(os.environ.get("OVN_HA_FROZEN_ROUNDS", "2"))
CLIENTS = 4         # Of each database.


@pytest.fixture(scope="module")
def lab(make_lab):
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


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


def thaw(lab, node):
    """All of a node goes on, in the worst order: the databases before those
    who would close them.  If it was fenced, it boots.  Returns when."""
    when = time.time()
    if not node.pid:
        lab.boot(node.name)
        return when
    for what in ("nb", "sb", "all"):
        node.cont(what)
    return when


def is_shut(node):
    """Whether a node's door is shut, by its own account."""
    return ask(node).get("local", {}).get("fence", {}).get("door") == "closed"


def freeze(lab, name, promoted):
    """One round; returns how many writes the old active acknowledged after
    the new one was promoted, to clients that hold on and to writers, which
    move on; and how many ms after it went on that ended.  'promoted' is called
    with both before that."""
    old = wait_well(lab)
    writers = [Writer(lab, f"{name}_{db}", db) for db in DATABASES]
    clients = [Client(lab, old, db, f"{name}_{db}_{i}")
               for db in DATABASES for i in range(CLIENTS)]
    try:
        for writer in writers:
            writer.start()
        old.stop("all")
        for client in clients:
            client.write()
        new = lab.wait_active(60, [n.name for n in others(lab, old)])
        wait_until(lambda: all(w.ledger().first_ack(0, new.name)
                               for w in writers), 30, "the new one is used")
        promoted(old, new)
        thawed = thaw(lab, old)
        wait_until(lambda: all([c.listen() for c in clients]) or is_shut(old),
                   30, f"{old.name} is shut", interval=0.002)
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
    return sum(c.acknowledged for c in clients) + len(late), \
        max(0.0, last - thawed) * 1000


def freeze_often(lab, name, rounds=ROUNDS, promoted=lambda old, new: None):
    """The sum of all rounds; each tells what it counted."""
    total = 0
    for i in range(rounds):
        late, window_ms = freeze(lab, f"{name}_{i}", promoted)
        total += late
        print(f"{name}, round {i + 1}: {late} acknowledged too late, "
              f"until {window_ms:.1f} ms after it went on, "
              f"{2 * CLIENTS} were in flight; {total} in all", flush=True)
    return total


def wait_kernel_lease(lab, state):
    """Waits until this is so on all nodes, by their own account."""
    def states():
        return [local(n).get("fence", {}).get("kernel_lease", {})
                for n in lab.control]
    wait_until(lambda: all(s.get("state") == state for s in states()), 20,
               lambda: f"{state}: {states()}")
    return states()


def test_frozen_active(lab):
    wait_kernel_lease(lab, "used")
    assert freeze_often(lab, "with") == 0


def reconfigure(lab, conf):
    """Gives all nodes another configuration."""
    for node in lab.control:
        configure(node, conf)
        node.hactl("reload")


def test_without_lease_in_the_kernel(lab):
    """Switched off at run time: the old active's writes are acknowledged, and
    lost.  Everything else works."""
    active = wait_well(lab)
    reconfigure(lab, "[node]\nkernel-lease = off\n")
    states = wait_kernel_lease(lab, "unused")
    assert {s["why"] for s in states} == {"kernel-lease is off"}
    for node in lab.control:
        assert "ovn_ha" not in node.out("nft", "list", "tables")
    assert wait_well(lab) is active
    assert freeze_often(lab, "without") > 0


def test_fenced_by_an_operator(lab):
    """As before, but whoever sees the promotion has the old active fenced
    (ovn-hactl fence): it never goes on."""
    wait_well(lab)
    bmcs = [Bmc(n).start() for n in lab.control]
    try:
        reconfigure(lab, "[node]\nkernel-lease = off\n" + "".join(
            f"[fence {b.name}]\nlevel-1 = ipmi-{b.name}\n"
            + b.device(f"ipmi-{b.name}", retries=0) for b in bmcs))
        wait_until(lambda: all(
            d["well"] for n in lab.control for d in local(n).get(
                "fencing", {}).get("devices", [{"well": False}])), 90,
            lambda: f"all devices are well: {status(lab.control[0])}")

        def promoted(old, new):
            new.hactl("fence", old.name, "--yes", timeout=60)
            assert not old.pid
        assert freeze_often(lab, "fenced", (ROUNDS + 1) // 2, promoted) == 0
    finally:
        for bmc in bmcs:
            bmc.close()


@pytest.fixture(scope="module")
def pair(make_lab):
    yield from fenced_pair(make_lab, "[node]\nkernel-lease = off\n")


def test_pair(pair):
    """A pair, in which nobody is promoted before the other one is off."""
    for node in wait_well(pair), *others(pair, wait_well(pair)):
        assert setting(node, "kernel-lease") == "off"
    wait_devices(pair)

    def promoted(old, _):
        assert not old.pid
    assert freeze_often(pair, "pair", (ROUNDS + 1) // 2, promoted) == 0
