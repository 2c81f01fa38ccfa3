# SPDX-License-Identifier: Apache-2.0
"""For comparison: OVN's clustered databases (RAFT) on the control nodes, with
a northd on each."""

from .control import SCHEMAS, server_argv, start_northd
from .node import ROLES
from .ovsdb import DATABASES
from .shell import CommandError
from .wait import wait_until

RAFT_PORTS = {"nb": 6643, "sb": 6644}


def start_raft(node):
    """Servers and northd of one node."""
    for db in DATABASES:
        node.service_start(f"ovsdb-{db}", server_argv(db), 75)
        wait_until(node.root(f"/run/ovn/ovn{db}_db.sock").exists, 30,
                   f"{db} of {node.name} listens")
    start_northd(node, everywhere=True)


ROLES["raft"] = start_raft


class Raft:
    """RAFT instead of ovn-had.  election_ms None: OVN's default, 1000."""

    name = "raft"

    def __init__(self, lab, election_ms=None):
        self.lab = lab
        self.election_ms = election_ms

    def start(self, deadline=60):
        """Makes the clusters and starts everything; returns the leader."""
        for db in DATABASES:
            for node in self.lab.control:
                self._create(node, db)
        for node in self.lab.control:
            node.enable("raft")
            start_raft(node)
        leader = wait_until(self.active, deadline, "RAFT elects a leader",
                            interval=0.1)
        for db, set_connection in (("nb", leader.nbctl),
                                   ("sb", self.leader("sb").sbctl)):
            set_connection("set-connection", f"ptcp:{self.lab.port(db)}")
        return leader

    def _create(self, node, db):
        path = f"/var/lib/ovn/ovn{db}_db.db"
        first = self.lab.control[0]
        if node is first:
            timer = [f"--election-timer={self.election_ms}"] \
                if self.election_ms else []
            node.exec("ovsdb-tool", *timer, "create-cluster", path,
                      SCHEMAS[db], self._address(node, db))
        else:
            node.exec("ovsdb-tool", "join-cluster", path, DATABASES[db],
                      self._address(node, db), self._address(first, db))

    @staticmethod
    def _address(node, db):
        return f"tcp:{node.address}:{RAFT_PORTS[db]}"

    @staticmethod
    def _status(node, db):
        try:
            return node.out("ovs-appctl", "-t", f"/run/ovn/ovn{db}_db.ctl",
                            "cluster/status", DATABASES[db], timeout=5)
        except CommandError:
            return ""

    def leader(self, db):
        """The leader as it sees itself; None if there is none."""
        for node in self.lab.control:
            if node.pid and "Role: leader" in self._status(node, db):
                return node
        return None

    def active(self):
        """NB's leader, once both databases have one and every node that is
        on has joined."""
        for db in DATABASES:
            for node in self.lab.control:
                if node.pid and "Status: cluster member" not in \
                        self._status(node, db):
                    return None
        return self.leader("nb") if self.leader("sb") else None

    def switchover(self):
        """Makes the leaders of both databases give it up."""
        for db in DATABASES:
            self.leader(db).exec(
                "ovs-appctl", "-t", f"/run/ovn/ovn{db}_db.ctl",
                "cluster/failure-test", "transfer-leadership")
