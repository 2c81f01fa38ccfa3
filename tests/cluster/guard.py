# SPDX-License-Identifier: Apache-2.0
"""What holds through every fault: two nodes never take writes at the same
time, no acknowledged write is missing in the end, on any node, and the cluster
becomes healthy by itself."""

import json
import re

from lab import Closed, CommandError, Prober, Session, Writer, wait_until
from lab.ovsdb import DATABASES, dial
from lab.writer import TABLES

DEADLINE = 40       # Seconds until a cluster has mended itself.


def status(node):
    """What a node's ovn-had says; None while it cannot be asked."""
    try:
        out = node.hactl("status", "--json", check=False, timeout=10)
        return json.loads(out)
    except (CommandError, ValueError):
        return None


def epoch(node):
    """The epoch that a node knows."""
    return status(node)["cluster"]["epoch"]


def unhealthy(lab, nodes=None):
    """Why the cluster is not healthy; None if it is: every node says so, and
    all of the same active and epoch."""
    views = set()
    for node in nodes or lab.control:
        said = status(node)
        if not said:
            return f"{node.name}: ovn-had does not answer"
        cluster = said["cluster"]
        if cluster["health"] != "ok":
            return f"{node.name}: {cluster['health']}: " + ", ".join(
                f"{n['name']} {n['state']} {(n['why'] or {}).get('code')}"
                for n in said["nodes"])
        views.add((cluster["active"], cluster["epoch"]))
    if len(views) != 1:
        return f"the nodes disagree: {views}"
    name = views.pop()[0]
    if lab.active() is not lab[name]:
        return f"{name} is active, but serving are {lab.serving()}"
    return None


def wait_healthy(lab, deadline=DEADLINE):
    """Waits until it is; returns the active."""
    wait_until(lambda: not unhealthy(lab), deadline,
               lambda: f"healthy: {unhealthy(lab)}", interval=0.1)
    return lab.active()


def private_dial(node, db):
    """A session with a database that is not served to clients."""
    return Session(dial(node.root(f"/run/ovn-ha/private/{db}.sock")))


def rows(node, db):
    """The names of all writers' rows in a node's copy of a database."""
    table, _, name_of, columns = TABLES[db]
    session = private_dial(node, db)
    try:
        found = session.transact(DATABASES[db], {
            "op": "select", "table": table, "columns": columns, "where": []})
    finally:
        session.close()
    return {name_of(row) for row in found[0]["rows"]}


def reaches_sb(node):
    """An NB change reaches SB through this node's northd."""
    try:
        node.nbctl("--wait=sb", "sync")
        return True
    except CommandError:
        return False


class Guard:
    """Writers on both databases and a prober, over a part of a test."""

    def __init__(self, lab, name="g", rate=50):
        self.lab = lab
        self.writers = {db: Writer(lab, f"{name}_{db}", db, rate)
                        for db in DATABASES}
        self.prober = Prober(lab, f"prober_{name}", period_ms=25)

    def __enter__(self):
        self.prober.start()
        for writer in self.writers.values():
            writer.start(DEADLINE)
        return self

    def __exit__(self, *_):
        for writer in self.writers.values():
            writer.stop()
        self.prober.stop()

    def acknowledged_after(self, when, db="nb"):
        """When the first write sent after 'when' was acknowledged; None: not
        yet."""
        return self.writers[db].ledger().first_ack(when)

    def verify(self, deadline=DEADLINE, bound_ms=0):
        """All of the above.  Ends the writers and the prober; returns the
        active, the rows of the writers removed.

        bound_ms is the loss that is stated for the fault: what the old active
        acknowledged in its last bound_ms may be missing, and is then in the
        copy that it set aside."""
        active = wait_healthy(self.lab, deadline)
        for writer in self.writers.values():
            before = len(writer.ledger().acknowledged())
            wait_until(lambda: len(writer.ledger().acknowledged())
                       > before + 5, deadline, "the writers write")
        assert reaches_sb(active), "an NB change reaches SB"
        for db, writer in self.writers.items():
            ledger = writer.stop()
            assert ledger.acknowledged()
            lost = ledger.lost(rows(active, db))
            if lost:
                self._check_loss(ledger, lost, db, bound_ms)
            ledger.entries = [e for e in ledger.entries if e not in lost]
            for node in self.lab.control:
                wait_until(lambda: not self._missing(ledger, node, db),
                           deadline, lambda: f"{node.name} has all of {db}: "
                           f"{self._missing(ledger, node, db)}")
        self.prober.stop()
        assert self.prober.overlaps() == []
        self._sweep(active)
        return active

    def _check_loss(self, ledger, lost, db, bound_ms):
        """Acknowledged writes are missing: within the bound, and not gone."""
        for server in {e.server for e in lost}:
            mine = [e for e in lost if e.server == server]
            last = max(e.acked for e in ledger.acknowledged()
                       if e.server == server)
            first = min(e.acked for e in mine)
            assert bound_ms and (last - first) * 1000 <= bound_ms, \
                f"{len(mine)} writes to {server}'s {db} are lost, over " \
                f"{(last - first) * 1000:.0f} ms"
            wait_until(lambda: self._set_aside(
                self.lab[server], db) >= {ledger.row(e.number) for e in mine},
                DEADLINE, f"what {server} alone had is set aside")

    @staticmethod
    def _set_aside(node, db):
        """The names of writers' rows in the copies that a node set aside."""
        folder = node.root("/var/lib/ovn-ha/diverged")
        return {name for file in folder.glob(f"ovn{db}-*.db")
                for name in re.findall(rf'"([a-z]+_{db}_\d+)"',
                                       file.read_text())}

    @staticmethod
    def _missing(ledger, node, db):
        try:
            return [e.number for e in ledger.lost(rows(node, db))]
        except (Closed, OSError) as err:
            return str(err)

    @staticmethod
    def _sweep(active):
        for db in DATABASES:
            session = private_dial(active, db)
            session.transact(DATABASES[db], {
                "op": "delete", "table": TABLES[db][0], "where": []})
            session.close()
