# SPDX-License-Identifier: Apache-2.0
"""The command line of the benchmarks."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from lab import CommandError, Corosync, Lab, Timeout

from . import report
from .faults import FAULTS, Bench, idle, traffic
from .fill import fill
from .systems import SYSTEMS, fresh

BENCHMARKS = {**FAULTS, "traffic": traffic, "idle": idle}
# Those that last, and are about ovn-had alone.
ONCE = ("traffic", "idle")


def _words(known):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(
                    f"{word!r} is none of {', '.join(known)}")
        return words
    return parse


def _parser():
    parser = argparse.ArgumentParser(
        prog="run", description="Measures ovn-had, and beside it what it is "
        "compared with, on one lab of three control and two compute nodes.",
        epilog=f"Benchmarks: {', '.join(BENCHMARKS)}.  "
        f"Systems: {', '.join(SYSTEMS)}.")
    parser.add_argument("--rounds", type=int, default=10,
                        help="a benchmark [%(default)s]")
    parser.add_argument("--switchovers", type=int,
                        help="rounds of switchover [twice --rounds]")
    parser.add_argument("--other-rounds", type=int, metavar="ROUNDS",
                        help="for what ovn-ha is compared with [--rounds]")
    parser.add_argument("--calm", type=int, metavar="PERCENT", default=100,
                        help="begin a round when the machine's processors are "
                        "busy for at most this part of a second, or after a "
                        "minute [%(default)s]")
    parser.add_argument("--ports", type=int, default=1000,
                        help="logical switch ports in NB [%(default)s]")
    parser.add_argument("--systems", type=_words(SYSTEMS),
                        default=list(SYSTEMS), metavar="NAME,...")
    parser.add_argument("--only", type=_words(BENCHMARKS), metavar="NAME,...",
                        default=list(BENCHMARKS))
    parser.add_argument("--output", type=Path, metavar="FOLDER",
                        default=Path("bench-results"),
                        help="where results go [%(default)s]")
    parser.add_argument("--build", help="folder with the programs "
                        "[$OVN_HA_BUILD or _build]")
    parser.add_argument("--idle-seconds", type=int, default=60)
    return parser


class Run:
    """One run over systems, benchmarks and rounds."""

    def __init__(self, args):
        self.args = args
        self.begin = time.monotonic()
        self.results = {}
        self.failures = []
        self.notes = {}
        self.about = {
            "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "ports": args.ports,
            "corosync timing": "token 500, token_coefficient 0, knet ping "
            "timeout 1000", **report.machine()}

    def say(self, text):
        """A line of progress."""
        print(f"{time.monotonic() - self.begin:7.1f} s  {text}", flush=True)

    def rounds(self, system, benchmark):
        """How often a benchmark is run."""
        if benchmark in ONCE:
            return 1
        other = self.args.other_rounds
        if other and system.name != "ovn-ha":
            return other
        if benchmark == "switchover":
            return self.args.switchovers or 2 * self.args.rounds
        return self.args.rounds

    def run(self):
        """All of it."""
        lab = Lab(f"bench_{os.getpid()}", corosync=Corosync.fast(),
                  build=self.args.build)
        with lab:
            lab.create()
            lab.power_on()
            for name in self.args.systems:
                self.system(lab, SYSTEMS[name](lab))
        self.save()

    def save(self):
        """Writes what is known by now."""
        report.write(self.args.output, self.about, self.results,
                     {name: cls.label for name, cls in SYSTEMS.items()},
                     self.failures, self.notes)

    def system(self, lab, system):
        """All benchmarks of one system."""
        bench = Bench(lab, system, self.say)
        if not self.restart(bench):
            return
        for benchmark in self.args.only:
            if benchmark in ONCE and system.name != "ovn-ha":
                continue
            for number in range(self.rounds(system, benchmark)):
                if not self.round(bench, benchmark, number) \
                        and not self.restart(bench):
                    return
        if bench.notes:
            self.notes = bench.notes
        self.save()

    def restart(self, bench):
        """The system up on new nodes, and filled; False: it does not come
        up."""
        label = bench.system.label
        self.say(f"{label}: starting")
        try:
            active = fresh(bench.lab, bench.system)
            fill(bench.lab, active, self.args.ports)
            bench.system.wait_synced()
        except (Timeout, CommandError) as err:
            self.fail(bench, f"{label} does not start: {err}")
            return False
        self.say(f"{label}: {active.name} is active, {self.args.ports} "
                 "ports are in SB")
        return True

    def round(self, bench, benchmark, number):
        """One round; False: the system has to be started anew."""
        where = f"{bench.system.label}: {benchmark} {number + 1}/" \
            f"{self.rounds(bench.system, benchmark)}"
        options = {"seconds": self.args.idle_seconds} \
            if benchmark == "idle" else {}
        busy = report.wait_calm(self.args.calm)
        try:
            found = BENCHMARKS[benchmark](bench, **options)
        except (Timeout, CommandError, OSError, AttributeError,
                TypeError) as err:
            self.fail(bench, f"{where}: {type(err).__name__}: {err}")
            return False
        self.results.setdefault(bench.system.name, {}).setdefault(
            benchmark, []).append({**found, report.BUSY: busy})
        self.say(f"{where}: " + ", ".join(
            f"{key} {'never' if value is None else round(value, 1)}"
            for key, value in found.items()))
        self.notes = bench.notes or self.notes
        self.save()
        return True

    def fail(self, bench, text):
        """Tells of a failure and keeps the logs."""
        folder = Path(tempfile.mkdtemp(prefix="ovn-ha-bench-"))
        self.failures.append(text)
        try:
            bench.lab.collect(folder)
        except (CommandError, OSError) as err:
            text += f" (logs not kept: {err})"
        self.say(f"FAILED: {text}; logs in {folder}")
        self.save()


def main(argv=None):
    """Returns the exit status."""
    args = _parser().parse_args(argv)
    run = Run(args)
    try:
        run.run()
    except CommandError as err:
        print(f"run: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print((args.output / "results.md").read_text())
    return 0
