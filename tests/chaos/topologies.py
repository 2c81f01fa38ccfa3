# SPDX-License-Identifier: Apache-2.0
"""The clusters that operators run, each with what it may lose at most."""

from contextlib import contextmanager
from dataclasses import dataclass, field

from lab import Corosync, Lab
from pairs import fenced_pair
from watch import bring_up, setting

# Of devices that hang: not long, or rounds are about them alone.
DEVICE = {"timeout-ms": 8000, "monitor-s": 3}
# What they may lose is to be little, so that a failure shows.
MANY = "[insync]\nlag-ms = 2000\n"
PAIR = "[quorum]\nfence-delay-ms = 4000\neligible-ms = 20000\n"


@dataclass
class Topology:
    """See the module."""
    name: str
    control: int = 2
    quorum: dict = field(default_factory=dict)
    qnetd: bool = False
    witness: str = None

    @property
    def fenced(self):
        """Whether it lives on proof by fence devices."""
        return self.control == 2

    @contextmanager
    def up(self, name):
        """A lab of it, all well."""
        made = []

        def make(**kwargs):
            made.append(Lab(name, **kwargs))
            made[0].create()
            return made[0]
        parts = fenced_pair(make, PAIR, self.quorum, self.qnetd, **DEVICE) \
            if self.fenced else self._unfenced(make)
        try:
            yield next(parts)
            next(parts, None)
        finally:
            parts.close()
            for lab in made:
                lab.down()

    def _unfenced(self, make):
        lab = make(control=self.control, compute=0, corosync=Corosync.fast())
        bring_up(lab, {n.name: MANY + (
            "[node]\nwitness = yes\n" if n.name == self.witness else "")
            for n in lab.control})
        yield lab

    def bound_ms(self, node):
        """Of what was acknowledged, how much a failover may lose at most: of
        the old active's last moments so much."""
        names = ["eligible-ms"] if self.fenced else ["lease-ms", "lag-ms"]
        return sum(int(setting(node, name)) for name in names)


TOPOLOGIES = {t.name: t for t in (
    Topology("three", control=3),
    Topology("five", control=5),
    Topology("witness", control=3, witness="n3"),
    Topology("qdevice", qnetd=True),
    Topology("two-node", quorum={"two_node": 1}),
    Topology("plain"),
)}
