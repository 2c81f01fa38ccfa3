# SPDX-License-Identifier: Apache-2.0
"""Follows every change of br-int's OpenFlow rules on compute nodes, so that
no dip can hide between two looks."""

from .wait import wait_until

SERVICE = "flow-watch"


class FlowWatch:
    """One `ovs-ofctl monitor` a compute node, and what it saw."""

    def __init__(self, lab):
        self.lab = lab
        self.before = {}

    def _counts(self, node):
        """How many rules there were, after each change, from none on."""
        count, found = 0, []
        for line in node.log(f"lab/{SERVICE}.log").splitlines():
            change = ("event=ADDED" in line) - ("event=DELETED" in line)
            if change:
                count += change
                found.append(count)
        return found

    def start(self, deadline=20):
        """Returns once all rules that are there are known."""
        for node in self.lab.compute:
            node.exec("rm", "-f", f"/var/log/lab/{SERVICE}.log")
            node.service_start(SERVICE, ["ovs-ofctl", "monitor", "br-int",
                                         "watch:"])
        for node in self.lab.compute:
            wait_until(lambda n=node: self._counts(n)[-1:] == [n.flows()],
                       deadline, f"the rules of {node.name} are known")
            self.before[node.name] = len(self._counts(node))
        return self

    def stop(self):
        """Ends; by how many rules each node's number fell below what it was
        when this began."""
        dips = {}
        for node in self.lab.compute:
            counts = self._counts(node)
            first = self.before[node.name]
            dips[node.name] = counts[first - 1] - min(counts[first - 1:])
            # It knows all to the last: else it had stopped watching.
            assert counts[-1] == node.flows(), node.name
            node.service_stop(SERVICE)
        return dips
