# SPDX-License-Identifier: Apache-2.0
"""What is compared: each system brings the lab's hosts up its own way, and
says who is active, when all is well again, and how to move on purpose."""

import json
import time

from lab import Backup, CommandError, Pacemaker, Raft, wait_until
from lab.ovsdb import DATABASES


def _synced_by_log(lab, active):
    """Whether the other servers have copied the active's databases."""
    def replicates(node, db):
        out = node.exec("ovs-appctl", "-t", f"/run/ovn/ovn{db}_db.ctl",
                        "ovsdb-server/sync-status", check=False).stdout
        return "replicating" in out
    return all(replicates(node, db) for node in lab.control
               if node is not active for db in DATABASES)


class System:
    """Common parts.  'implementation' is the lab's object, if it has one."""

    name = None
    label = None
    needs_corosync = True
    implementation = None

    def __init__(self, lab):
        self.lab = lab

    def start(self):
        """Brings it up on nodes with empty disks; returns the active."""
        return self.implementation.start()

    def active(self):
        """The node that serves now; None: nobody."""
        return self.implementation.active()

    def synced(self):
        """Whether every node is back and has all data."""
        raise NotImplementedError

    def after_power_cut(self, old):
        """Called at once when the power of 'old' was cut."""

    def boot(self, old):
        """Brings the node back whose power was cut."""
        self.lab.boot(old.name)

    def switchover(self, to):
        """Moves the active role; may return before it is done."""
        self.implementation.switchover(to)

    def settle(self):
        """After a switchover: what an operator has to do then."""

    def wait_synced(self, deadline=90):
        """Waits until the next fault may come; returns the active."""
        wait_until(self.synced, deadline, f"{self.label} is in sync",
                   interval=0.3)
        return wait_until(self.active, 30, f"{self.label} has an active",
                          interval=0.2)

    def others(self, node):
        """All control nodes but one."""
        return [n for n in self.lab.control if n is not node]


class OvnHa(System):
    """This project."""

    name = "ovn-ha"
    label = "ovn-ha"

    def start(self):
        active = self.lab.start_ovn_had(deadline=60)
        self.lab.open_ports(active)
        return active

    def active(self):
        return self.lab.active()

    def status(self):
        """ovn-hactl's status, from the first node that gives it."""
        for node in self.lab.control:
            if not node.pid:
                continue
            try:
                return json.loads(node.hactl("status", "--json",
                                             check=False))
            except (CommandError, ValueError):
                continue
        return {}

    def synced(self):
        nodes = self.status().get("nodes", [])
        return len(nodes) == len(self.lab.control) and all(
            node.get("in_sync") for node in nodes)

    def switchover(self, to):
        active = self.active() or to
        active.hactl("switchover", "--to", to.name, timeout=60)


class PacemakerTuned(System):
    """OVN's agent with its monitors as often as the agent can bear."""

    name = "pacemaker"
    label = "pacemaker, tuned"

    def __init__(self, lab):
        super().__init__(lab)
        self.implementation = Pacemaker(lab, monitor_s=(1, 2))

    def start(self):
        active = self.implementation.start()
        # Or it moves back by itself after a switchover.
        self._ask("crm_attribute", "--type", "rsc_defaults", "--name",
                  "resource-stickiness", "--update", "100")
        return active

    def _ask(self, *argv):
        node = next(n for n in self.lab.control if n.pid)
        return node.exec(*argv, check=False, timeout=90).stdout

    def synced(self):
        self._ask("crm_resource", "--wait", "--timeout=60s")
        active = self.active()
        return active is not None and _synced_by_log(self.lab, active)

    def settle(self):
        self.implementation.settle()
        # It may think so and move back.
        before = [None, time.monotonic()]

        def quiet():
            self._ask("crm_resource", "--wait", "--timeout=60s")
            active, now = self.active(), time.monotonic()
            if active is None or active is not before[0]:
                before[:] = [active, now]
            return now - before[1] > 2.0
        wait_until(quiet, 90, "pacemaker has come to rest", interval=0.3)


class RaftFast(System):
    """Clustered databases with the shortest election timer in use."""

    name = "raft"
    label = "RAFT, 200 ms election"
    needs_corosync = False

    def __init__(self, lab):
        super().__init__(lab)
        self.implementation = Raft(lab, election_ms=200)

    def start(self):
        active = self.implementation.start()
        # Or northd takes up to ten seconds to see that a node is dead.
        active.nbctl("set", "NB_Global", ".",
                     "options:northd_probe_interval=1000")
        return active

    def synced(self):
        return self.active() is not None and all(
            node.serves(db) for node in self.lab.control for db in DATABASES)

    def switchover(self, to):
        self.implementation.switchover()


class BackupScript(System):
    """Backup mode, with a script that is told of the power cut at once: no
    detector can be as good."""

    name = "backup"
    label = "backup mode, instant script"
    needs_corosync = False

    def __init__(self, lab):
        super().__init__(lab)
        self.implementation = Backup(lab)

    def synced(self):
        active = self.active()
        return active is not None and _synced_by_log(self.lab, active)

    def after_power_cut(self, old):
        new, *others = self.others(old)
        self.implementation.promote(new)
        for node in others:
            self.implementation.follow(node, new)

    def boot(self, old):
        new = wait_until(self.active, 20, "backup mode has an active")
        old.enable("backup", active=new.name)
        self.lab.boot(old.name)


SYSTEMS = {cls.name: cls for cls in (OvnHa, PacemakerTuned, RaftFast,
                                     BackupScript)}


def fresh(lab, system):
    """Every node new, with empty disks, and the system up on them with all
    of the compute nodes; returns the active."""
    lab.heal()
    for node in lab.nodes.values():
        if node.pid:
            node.power_cut()
        node.forget()
        node.erase_disk()
    lab.use_vip(None)
    lab.power_on()
    if system.needs_corosync:
        lab.start_corosync()
    active = system.start()
    lab.finish_compute(active)
    return system.wait_synced()
