# SPDX-License-Identifier: Apache-2.0
"""What holds through a fault that the cluster mends by itself: no two nodes
take writes at the same time, no acknowledged write is missing in the end, on
any node, and everyone says that all is well."""

import re

from lab import Closed, CommandError, wait_until
from lab.ovsdb import DATABASES
from lab.prober import overlaps
from lab.writer import TABLES
from watch import (Watch, cluster, differences, private, wait_well,
                   with_data)

DEADLINE = 40       # Seconds until a cluster has mended itself.


def epoch(node):
    """The epoch that a node knows."""
    return cluster(node).get("epoch")


def pick(lab, role):
    """The active, or a standby, of a lab in which all is well."""
    active = wait_well(lab)
    if role == "active":
        return active
    return [n for n in lab.control if n is not active][-1]


def reaches_sb(node):
    """An NB change reaches SB through this node's northd."""
    try:
        node.nbctl("--wait=sb", "sync")
        return True
    except CommandError:
        return False


def sweep(lab, active, writers):
    """Removes the writers' rows everywhere.  These may be most of all rows,
    about which the standbys ask first (shrink-guard)."""
    for db in DATABASES:
        session = private(active, db)
        session.transact(DATABASES[db], {
            "op": "delete", "table": TABLES[db][0], "where": []})
        session.close()

    def gone():
        # northd removes from SB what followed from them, which is most of
        # that, too.
        if reaches_sb(active) and not differences(lab):
            return not any(writer.rows(active) for writer in writers)
        active.hactl("accept-shrink", check=False)
        return False
    wait_until(gone, DEADLINE, lambda: "the writers' rows are gone: "
               f"{differences(lab)}", interval=0.1)


class Guard(Watch):
    """Watches a fault until the cluster has mended itself."""

    def __init__(self, lab, name="g", **kwargs):
        super().__init__(lab, name, **kwargs)

    def verify(self, bound_ms=0):
        """All of the above.  Ends writers and prober, removes the writers'
        rows, and returns the active.

        bound_ms is the loss that is stated for the fault: what the old active
        acknowledged in its last bound_ms may be missing, and is then in the
        copy that it set aside."""
        active = wait_well(self.lab)
        self.busy(5)
        assert self.lab.wait_active(self.lab.patience) is active
        assert reaches_sb(active), "an NB change reaches SB"
        for db, writer in self.writers.items():
            ledger = writer.stop()
            lost = ledger.lost(self.rows(active, db))
            if lost:
                self._check_loss(ledger, lost, db, bound_ms)
            self.wait_everywhere(ledger, lost, db)
        assert overlaps(self.prober.stop()) == []
        self.sweep(active)
        return active

    def wait_everywhere(self, ledger, lost, db):
        """Waits until every node has all that was acknowledged, but what is
        'lost'."""
        ledger.entries = [e for e in ledger.entries if e not in lost]
        for node in with_data(self.lab):
            wait_until(lambda: not self._missing(ledger, node, db),
                       DEADLINE, lambda: f"{node.name} has all of {db}; "
                       f"it lacks {self._missing(ledger, node, db)}")

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
            self.wait_set_aside(ledger, mine, db)

    def wait_set_aside(self, ledger, lost, db):
        """Waits until what one server alone had is in the copies that it set
        aside."""
        server = lost[0].server
        names = {ledger.row(e.number) for e in lost}
        wait_until(lambda: self._set_aside(self.lab[server], db) >= names,
                   DEADLINE, f"what {server} alone had is set aside")

    @staticmethod
    def _set_aside(node, db):
        """The names of writers' rows in the copies that a node set aside."""
        folder = node.root("/var/lib/ovn-ha/diverged")
        return {name for file in folder.glob(f"ovn{db}-*.db")
                for name in re.findall(rf'"([a-z0-9]+_{db}_\d+)"',
                                       file.read_text())}

    def _missing(self, ledger, node, db):
        try:
            return [e.number for e in ledger.lost(self.rows(node, db))]
        except (Closed, OSError) as err:
            return str(err)

    def sweep(self, active):
        """Removes the writers' rows everywhere."""
        sweep(self.lab, active, self.writers.values())
