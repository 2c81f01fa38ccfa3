# SPDX-License-Identifier: Apache-2.0
"""The drill of ./quickstart: a writer and traffic run, the active's power is
cut, and what happened is told."""

import json

from .mirror import Mirror
from .prober import Prober
from .shell import CommandError
from .timeline import Failover
from .traffic import Traffic
from .wait import Timeout, wait_until
from .writer import Writer

# Seconds before a power cut in which an acknowledged write can be lost.
LOSS_BOUND = 0.1


class Drill:
    """One drill in a lab that is up, with 'say' to tell of it."""

    def __init__(self, lab, say):
        self.lab = lab
        self.say = say
        self.writer = Writer(lab, "drill")
        self.prober = Prober(lab)
        self.mirror = Mirror(lab)
        self.traffic = Traffic(lab) if lab.pairs() else None

    def show_status(self, node):
        """ovn-hactl's own words."""
        try:
            out = node.hactl("status", check=False)
        except CommandError as err:
            out = str(err)
        for line in out.splitlines():
            self.say(("    " + line).rstrip())

    def run(self):
        """Returns whether everything that must hold did hold."""
        old = self.lab.wait_active()
        self._wait_synced(old)
        self.say(f"{old.name} is active:\n")
        self.show_status(old)
        self.say("")
        started = []
        try:
            for part in (self.prober, self.mirror, self.writer,
                         self.traffic):
                if part:
                    part.start()
                    started.append(part)
            return self._fault(old)
        finally:
            for part in reversed(started):
                part.stop()

    def _wait_synced(self, old):
        """A standby that never was in sync may not be promoted."""
        def out_of_sync():
            out = old.hactl("status", "--json", check=False)
            synced = json.loads(out)["cluster"]["in_sync"] if out else []
            return {n.name for n in self.lab.control} - set(synced)
        wait_until(lambda: not out_of_sync(), 30,
                   lambda: f"not in sync: {', '.join(out_of_sync())}")

    def _fault(self, old):
        before = len(self.writer.ledger().acknowledged())
        wait_until(lambda: len(self.writer.ledger().acknowledged())
                   > before + 200, 30, "the writer writes")
        flows = {c.name: c.flows() for c in self.lab.compute}
        self.say(f"A writer and {2 * len(self.lab.pairs())} packet streams "
                 f"run.  Power cut of {old.name} now.")
        fault = self.lab.crash(old.name)
        others = [n.name for n in self.lab.control if n is not old]
        winner = self.lab.wait_active(60, others)
        report = Failover(self.lab, fault, winner)
        try:
            wait_until(lambda: all(when for _, when in self._phases(report)),
                       30, interval=0.2)
        except Timeout:
            self.say("Not everything was seen within 30 s.")
        self._tell(report, old)
        return self._sums(fault, winner, flows)

    def _phases(self, report):
        return report.phases(self.prober, self.mirror, self.writer.ledger())

    def _tell(self, report, old):
        self.say("")
        self.say(f"      0 ms  power cut of {old.name}; "
                 f"{report.winner.name} takes over")
        phases = self._phases(report)
        for name, when in sorted((p for p in phases if p[1]),
                                 key=lambda p: p[1]):
            self.say(f"{(when - report.fault) * 1000:7.0f} ms  {name}")
        for name, when in phases:
            if not when:
                self.say(f"      ? ms  {name}: not seen")
        self.say("")

    def _sums(self, fault, winner, flows):
        ledger = self.writer.stop()
        lost = self.writer.lost(winner)
        # Standbys follow the active's log and do not hold up its answers: what
        # was acknowledged in the very last moment can be lost, and nothing
        # that is older.
        good = all(entry.acked > fault - LOSS_BOUND for entry in lost)
        self.say(f"Write outage {ledger.outage(fault).ms:.0f} ms; "
                 f"{len(ledger.acknowledged())} writes acknowledged, "
                 f"{len(ledger.unanswered())} unanswered, {len(lost)} lost.")
        for entry in lost:
            self.say(f"    lost: write {entry.number}, acknowledged "
                     f"{(fault - entry.acked) * 1000:.1f} ms before the cut")
        self.mirror.stop()
        overlaps = self.prober.overlaps()
        good = good and not overlaps
        self.say(f"Two nodes took writes at once: "
                 f"{'never' if not overlaps else overlaps}.")
        if self.traffic:
            ways = self.traffic.stop()
            packets = sum(w.lost for w in ways)
            failed = sum(w.flows_failed for w in ways)
            good = good and not packets and not failed
            self.say(f"Packets: {sum(w.sent for w in ways)} sent, {packets} "
                     f"lost.  New flows: {sum(w.flows_opened for w in ways)} "
                     f"opened, {failed} failed.")
            now = {c.name: c.flows() for c in self.lab.compute}
            self.say(f"OpenFlow rules before {flows}, now {now}.")
        return good
