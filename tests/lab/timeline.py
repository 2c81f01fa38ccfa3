# SPDX-License-Identifier: Apache-2.0
"""What happened after a fault, and when: read from the logs of corosync, of
OVN and of ovn-had, and from what the lab's clients saw."""

import re
from datetime import datetime

STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)Z\|")

BACK = "all compute nodes are back"


def utc(text):
    """Seconds since 1970 of a stamp such as 2026-11-22T01:02:03.456."""
    return datetime.fromisoformat(text + "+00:00").timestamp()


def log_lines(node, path):
    """(time, line) of a log in OVS's and ovn-had's form."""
    for line in node.log(path).splitlines():
        match = STAMP.match(line)
        if match:
            yield utc(match[1]), line


def first(lines, after, *words):
    """The time of the first line after a time with all words; or None."""
    for when, line in lines:
        if when >= after and all(word in line for word in words):
            return when
    return None


def history(node):
    """(time, state, text) of every line of ovn-had's journal."""
    path = node.root("/var/lib/ovn-ha/history/history.log")
    if not path.exists():
        return
    for line in path.read_text(errors="replace").splitlines():
        match = STAMP.match(line)
        parts = line.split("|", 3)
        if match and len(parts) == 4:
            yield utc(match[1]), parts[2], parts[3]


def state_entered(node, state, after):
    """When ovn-had on a node was first in a state after a time; or None."""
    for when, its, _ in history(node):
        if when >= after and its == state:
            return when
    return None


def told(node, text, after):
    """When ovn-had's journal first had a text after a time; or None."""
    for when, _, its in history(node):
        if when >= after and text in its:
            return when
    return None


def membership_changed(node, after):
    """When corosync first told a node of a new quorum membership."""
    stamp = re.compile(r"^(\w{3} \d\d \d\d:\d\d:\d\d\.\d+) .*\[QUORUM\] "
                       r"Members\[\d+\]")
    for line in node.log("corosync/corosync.log").splitlines():
        match = stamp.match(line)
        if match:
            # corosync writes local time, and no year.
            year = datetime.fromtimestamp(after).year
            when = datetime.strptime(f"{year} {match[1]}",
                                     "%Y %b %d %H:%M:%S.%f").timestamp()
            if when >= after:
                return when
    return None


def northd_active(node, after):
    """When northd got its lock."""
    return first(log_lines(node, "ovn/ovn-northd.log"), after,
                 "now active")


def controller_connected(node, server, after):
    """When ovn-controller of a compute node was connected to a server."""
    return first(log_lines(node, "ovn/ovn-controller.log"), after,
                 f"{server.address}:6642: connected")


class Failover:
    """The phases of one failover, in the order in which they are told."""

    def __init__(self, lab, fault, winner):
        self.lab = lab
        self.fault = fault
        self.winner = winner

    def _anyone_told(self, text):
        """One member proposes, and only that one tells of it."""
        times = [told(n, text, self.fault) for n in self.lab.control if n.pid]
        return min((t for t in times if t), default=None)

    def phases(self, prober, mirror, ledger):
        """[(name, time or None)]."""
        winner, fault = self.winner, self.fault
        back = [controller_connected(node, winner, fault)
                for node in self.lab.compute if node.pid]
        return [
            ("corosync: new membership", membership_changed(winner, fault)),
            ("election begins", self._anyone_told("election:")),
            ("elected: the record is held",
             told(winner, "in force", fault)),
            ("the door is open", told(winner, "door: open", fault)),
            ("NB takes writes", prober.first_answer(winner.name, "nb",
                                                    fault)),
            ("SB takes writes", prober.first_answer(winner.name, "sb",
                                                    fault)),
            ("first write acknowledged",
             ledger.first_ack(fault, winner.name)),
            ("northd active", northd_active(winner, fault)),
            ("first NB change in SB", mirror.reached(ledger, fault)),
            ("ovn-had: active", state_entered(winner, "active", fault)),
            (BACK, None if None in back or not back else max(back)),
        ]
