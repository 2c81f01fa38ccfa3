# SPDX-License-Identifier: Apache-2.0
"""Numbered UDP and new flows between pairs of workloads, and what of it was
lost."""

import json
import signal
from dataclasses import dataclass

from .wait import wait_until


@dataclass
class Way:
    """One direction of one pair."""
    sender: str
    receiver: str
    sent: int
    received: int
    lost: int
    longest_gap_ms: float
    longest_gap_at: float
    flows_opened: int
    flows_failed: int
    flow_slowest_ms: float
    missing: list

    def __str__(self):
        return (f"{self.sender} -> {self.receiver}: {self.sent} sent, "
                f"{self.received} received, {self.lost} lost, longest gap "
                f"{self.longest_gap_ms:.0f} ms; {self.flows_opened} flows, "
                f"{self.flows_failed} failed, slowest "
                f"{self.flow_slowest_ms:.0f} ms")


class Traffic:
    """Runs lab-traffic at both ends of pairs of workloads."""

    def __init__(self, lab, pairs=None, rate=1000):
        self.lab = lab
        self.pairs = list(pairs if pairs is not None else lab.pairs())
        self.rate = rate

    def _ends(self):
        return [end for pair in self.pairs for end in (pair, pair[::-1])]

    @staticmethod
    def _service(workload):
        return f"traffic-{workload.name}"

    def _report(self, workload):
        path = workload.node.root(
            f"/var/log/lab/{self._service(workload)}.json")
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            return {"state": "starting"}

    def start(self, deadline=20):
        """Starts all, and returns when packets flow both ways."""
        for workload, peer in self._ends():
            node, name = workload.node, self._service(workload)
            node.exec("rm", "-f", f"/var/log/lab/{name}.json")
            node.service_start(name, [
                *node.first_in_line(), self.lab.program("lab-traffic"),
                peer.address, self.rate, f"/var/log/lab/{name}.json"],
                netns=workload.name)
        wait_until(lambda: all(self._report(w).get("received")
                               for w, _ in self._ends()), deadline,
                   "traffic flows between all workloads", interval=0.1)
        return self

    def stop(self, deadline=20):
        """Stops sending, drains, and returns the ways, one a direction."""
        for workload, _ in self._ends():
            for process in workload.node.processes():
                if process.comm == "lab-traffic":
                    process.send_signal(signal.SIGTERM)
        wait_until(lambda: all(self._report(w)["state"] == "done"
                               for w, _ in self._ends()), deadline,
                   "traffic drained", interval=0.1)
        return self.ways()

    def ways(self):
        """The state of each direction; exact only after stop()."""
        found = []
        for sender, receiver in self._ends():
            mine, theirs = self._report(sender), self._report(receiver)
            found.append(Way(
                sender.name, receiver.name, mine["sent"], theirs["received"],
                mine["sent"] - theirs["received"],
                theirs["longest_gap_ms"], theirs["longest_gap_at"],
                mine["flows_opened"], mine["flows_failed"],
                mine["flow_slowest_ms"], theirs["missing"]))
        return found

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
