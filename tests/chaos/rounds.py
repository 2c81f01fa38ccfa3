# SPDX-License-Identifier: Apache-2.0
"""A round: random faults on a cluster that is well and under write load, for
random seconds; then they are undone, and the cluster has to be well again.

Judged are, from outside: no two nodes took writes at the same time; no
acknowledged write is missing, but what the topology may lose, and that was
set aside; every node that was blocked said why, and what ends that."""

import random
import time
from dataclasses import asdict, dataclass, field

from guard import Guard, epoch
from lab import CommandError, Timeout, wait_until
from lab.prober import overlaps

from .faults import draw
from .lookout import Lookout, status, well

WELL = 90           # Seconds until a cluster is well again.
SWEEP_EVERY = 5     # Rounds, after which the writers' rows are removed.


@dataclass
class Outcome:
    """What a round was, and what came of it."""
    topology: str
    seed: int
    number: int
    what: str = ""
    seconds: float = 0.0
    before: str = ""
    after: str = ""
    outage_ms: float = 0.0      # The longer one of the two writers'.
    acknowledged: int = 0
    lost: int = 0               # Within what is allowed...
    lost_ms: float = 0.0        # ...of the old active's last moments.
    overlaps: int = 0
    inside_ms: float = 0.0      # See Judge.
    blocked: dict = field(default_factory=dict)
    commands: list = field(default_factory=list)
    failure: str = ""

    def line(self):
        """For people."""
        moved = self.before if self.before == self.after \
            else f"{self.before} -> {self.after}"
        text = f"{self.topology} seed {self.seed} round {self.number}: " \
            f"{self.what}: "
        if self.failure:
            return text + f"FAILED: {self.failure}"
        return text + f"{moved}, outage {self.outage_ms / 1000:.1f} s, " \
            f"{self.lost} of {self.acknowledged} writes lost" + "".join(
                f", blocked: {code}" for code in self.blocked)

    def as_json(self):
        """For programs."""
        return asdict(self)


def pass_time(seconds):
    """How long a fault lasts is part of it."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, seconds + 10)


class Arena:
    """A cluster on which rounds are played."""

    def __init__(self, lab, topology):
        self.lab, self.topology = lab, topology
        self.active = None
        self.frozen = set()         # Names of nodes.
        self.thaw_order = {}        # {name: targets}
        self.thawed = set()         # Of nodes that stood still as a whole.
        self.commands = []          # That an operator was told to run.

    # Faults; what is off already, or not there, is left alone.

    def cut_power(self, node):
        """A node's power is cut."""
        try:
            node.power_cut()
        except CommandError:
            if node.pid:
                raise

    def stop(self, node, target):
        """Processes stand still."""
        self.frozen.add(node.name)
        self._signal(node.stop, target)

    def kill(self, node, target):
        """Processes die."""
        self._signal(node.kill, target)

    @staticmethod
    def _signal(verb, target):
        try:
            verb(target)
        except CommandError:
            pass

    # And their end.

    def mend(self):
        """Undoes all faults."""
        self.lab.heal()
        for name in self.frozen:
            node = self.lab[name]
            for target in self.thaw_order.get(name, ["all"]):
                self._signal(node.cont, target)
        self.frozen.clear()
        self.thawed = set(self.thaw_order)
        self.thaw_order.clear()
        for bmc in getattr(self.lab, "bmc", {}).values():
            bmc.cont()

    def wait_well(self):
        """Waits until all is well, and returns the active.  A node that was
        fenced meanwhile is switched on, and one whose corosync died.  A
        controller that is slow does what it was told after all."""
        bmcs = getattr(self.lab, "bmc", {}).values()

        def is_well():
            if any(bmc.switches() for bmc in bmcs):
                return None
            for node in self.lab.control:
                if not node.pid:
                    self.lab.boot(node.name)
            return well(self.lab)
        return wait_until(is_well, WELL, lambda: "all is well again: " +
                          "; ".join(f"{n.name}: {self._says(n)}"
                                    for n in self.lab.control), interval=0.2)

    @staticmethod
    def _says(node):
        said = status(node)
        if not said:
            return "no answer" if node.pid else "off"
        return ", ".join(p["text"] for p in said["problems"]) or "well"


def _losses(ledger, lost):
    """Acknowledged writes that are missing, as runs of neighbors of one
    server, each with the time from its first one to its last."""
    gone, runs, last = {e.number for e in lost}, [], None
    for entry in ledger.entries:
        if entry.acked is not None and entry.number in gone:
            if last and last.server == entry.server:
                runs[-1].append(entry)
            else:
                runs.append([entry])
            last = entry
        elif entry.acked is not None:
            assert not last or last.server != entry.server, \
                f"write {last.number} to {last.server} is lost, and the " \
                "next one is not"
            last = None
        else:
            last = None
    return [(run, (run[-1].acked - run[0].acked) * 1000) for run in runs]


class Judge(Guard):
    """The witnesses of one round.

    A node of which every process stood still answers those of its own clients
    that use its unix sockets until its fence worker has had its turn.  Nothing
    of that leaves the node; how long it takes is told apart."""

    def judge(self, out, arena, bound_ms):
        """Says what has come of it, and raises if that may not be.  Returns
        the active."""
        arena.wait_well()
        self.busy(5)
        for writer in self.writers.values():
            writer.stop()
        active, rows = self._settled(arena)
        out.after = active.name
        for db, writer in self.writers.items():
            ledger = writer.ledger()
            out.acknowledged += len(ledger.acknowledged())
            out.outage_ms = max(out.outage_ms, ledger.outage().ms)
            lost = ledger.lost(rows[db])
            for run, length in _losses(ledger, lost):
                out.lost_ms = max(out.lost_ms, length)
                assert length <= bound_ms, f"{len(run)} writes to " \
                    f"{run[0].server}'s {db} are lost, over {length:.0f} ms"
                self.wait_set_aside(ledger, run, db)
            out.lost += len(lost)
            self.wait_everywhere(ledger, lost, db)
        found = []
        for pair in overlaps(self.prober.stop()):
            inside = [s for s in pair
                      if s.way == "unix" and s.node in arena.thawed]
            if inside:
                out.inside_ms = max(out.inside_ms, *[
                    (s.last - s.first) * 1000 for s in inside])
            else:
                found.append(pair)
        out.overlaps = len(found)
        assert not found, f"two nodes took writes at once: {found}"
        return active

    def _settled(self, arena):
        """The active, and the rows that it has.  A fault that has ended may be
        detected only now, and move the role."""
        while True:
            active = arena.wait_well()
            before = epoch(active)
            rows = {db: self.rows(active, db) for db in self.writers}
            if arena.wait_well() is active and epoch(active) == before:
                return active, rows


def play(arena, seed, number, sweep=True):
    """One round; returns its Outcome."""
    rng = random.Random(f"{seed}/{arena.topology.name}/{number}")
    out = Outcome(arena.topology.name, seed, number)
    begin = time.monotonic()
    try:
        _play(arena, rng, out, sweep)
    except (AssertionError, CommandError, OSError, Timeout) as err:
        out.failure = str(err) or repr(err)
    out.seconds = time.monotonic() - begin
    return out


def _play(arena, rng, out, sweep):
    arena.active = arena.wait_well()
    out.before = arena.active.name
    bound_ms = arena.topology.bound_ms(arena.active)
    arena.commands = out.commands
    plan = draw(rng, arena)
    hold = rng.choice([rng.uniform(0.2, 1.2), rng.uniform(2, 7)])
    out.what = " + ".join(what for _, what, _ in plan) + f", {hold:.1f} s"
    with Judge(arena.lab, f"r{out.number}") as guard, \
            Lookout(arena.lab) as lookout:
        guard.busy(5)
        try:
            for delay, _, act in plan:
                pass_time(delay)
                act()
            pass_time(hold)
        finally:
            arena.mend()
        active = guard.judge(out, arena, bound_ms)
        out.blocked = lookout.blocked
        assert not lookout.faults, "; ".join(sorted(lookout.faults))
        if sweep:
            guard.sweep(active)


def assert_rounds(lab, topology, seed, numbers):
    """For tests: some rounds on the cluster that they have."""
    arena = Arena(lab, topology)
    for number in numbers:
        out = play(arena, seed, number)
        print(out.line(), flush=True)
        assert not out.failure, out.line()


__all__ = ["Arena", "Outcome", "SWEEP_EVERY", "assert_rounds", "play"]
