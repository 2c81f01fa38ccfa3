# SPDX-License-Identifier: Apache-2.0
"""For comparison: ovsdb-server's own backup mode, one active node and the
others following it.  Nobody promotes but promote(): a script that is told of a
fault at once is the best that this mode can have.  Clients stay with a standby
that lets them in, so only the active does."""

from .control import create_database, listeners, server_argv, start_northd
from .node import ROLES
from .ovsdb import DATABASES
from .wait import wait_until


def start_backup(node, active):
    """Servers of one node; 'active' is the name of the one to follow."""
    source = node.lab[active]
    for db in DATABASES:
        create_database(node, db)
        sync = [] if source is node else [
            f"--sync-from=tcp:{source.address}:{node.lab.port(db)}"]
        node.service_start(f"ovsdb-{db}",
                           server_argv(db, *sync, listen=not sync), 75)
        wait_until(node.root(f"/run/ovn/ovn{db}_db.sock").exists, 30,
                   f"{db} of {node.name} listens")
    if source is node:
        start_northd(node)


ROLES["backup"] = start_backup


def replicating(node, db):
    """Whether a database in backup mode has all that its source has had."""
    status = node.out("ovs-appctl", "-t", f"/run/ovn/ovn{db}_db.ctl",
                      "ovsdb-server/sync-status")
    return "state: backup" in status and "replicating" in status


class Backup:
    """Backup mode instead of ovn-had."""

    name = "backup"

    def __init__(self, lab):
        self.lab = lab

    def start(self, deadline=60):
        """Starts everything; returns the active."""
        first = self.lab.control[0]
        for node in self.lab.control:
            self._enable(node, first)
            start_backup(node, first.name)
            if node is first:
                self.lab.open_ports(first)
        wait_until(lambda: all(replicating(n, db)
                               for n in self.lab.control[1:]
                               for db in DATABASES), deadline,
                   "all standbys replicate", interval=0.1)
        return first

    @staticmethod
    def _enable(node, active):
        node.enable("backup", active=active.name)

    @staticmethod
    def _appctl(node, db, *args):
        return node.out("ovs-appctl", "-t", f"/run/ovn/ovn{db}_db.ctl",
                        *args)

    def active(self):
        """The node whose servers are not in backup mode."""
        for node in self.lab.control:
            if node.serves("nb", unix=True) and node.serves("sb", unix=True):
                return node
        return None

    def promote(self, node):
        """What an operator's script would do, and no more."""
        for db in DATABASES:
            self._appctl(node, db,
                         "ovsdb-server/disconnect-active-ovsdb-server")
            self._appctl(node, db, "ovsdb-server/add-remote", listeners(db))
        start_northd(node)
        self._enable(node, node)

    def follow(self, node, active):
        """Makes a node a standby of another."""
        node.service_stop("northd")
        self._enable(node, active)
        for db in DATABASES:
            if listeners(db) in self._appctl(node, db,
                                             "ovsdb-server/list-remotes"):
                self._appctl(node, db, "ovsdb-server/remove-remote",
                             listeners(db))
            self._appctl(node, db, "ovsdb-server/set-active-ovsdb-server",
                         f"tcp:{active.address}:{self.lab.port(db)}")
            self._appctl(node, db,
                         "ovsdb-server/connect-active-ovsdb-server")

    def switchover(self, to):
        """Moves the active role: first nobody writes, then another."""
        old = self.active()
        self.follow(old, to)
        self.promote(to)
        for node in self.lab.control:
            if node not in (old, to) and node.pid:
                self.follow(node, to)
