# SPDX-License-Identifier: Apache-2.0
"""The command line of the rounds."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from lab import CommandError, Timeout

from .rounds import SWEEP_EVERY, Arena, play
from .topologies import TOPOLOGIES


def _topologies(text):
    names = text.split(",")
    for name in names:
        if name not in TOPOLOGIES:
            raise argparse.ArgumentTypeError(
                f"{name!r} is none of {', '.join(TOPOLOGIES)}")
    return names


def _parser():
    parser = argparse.ArgumentParser(
        prog="run", description="Rounds of random partitions, freezes and "
        "power cuts under write load, on a lab's real clusters, judged from "
        "outside.  Exit status 1 if a round failed.",
        epilog=f"Topologies: {', '.join(TOPOLOGIES)}.")
    parser.add_argument("--rounds", type=int, default=200,
                        help="in all, spread over the topologies "
                        "[%(default)s]")
    parser.add_argument("--topology", type=_topologies, metavar="NAME,...",
                        default=list(TOPOLOGIES))
    parser.add_argument("--seed", type=int, default=1, help="[%(default)s]")
    parser.add_argument("--first", type=int, default=1, metavar="NUMBER",
                        help="of the rounds of a topology: to play one "
                        "again, with --rounds 1 [%(default)s]")
    parser.add_argument("--seconds", type=int, help="begin no round later")
    parser.add_argument("--output", type=Path, default=Path("chaos-results"),
                        metavar="FOLDER", help="where results, and logs of "
                        "failed rounds, go [%(default)s]")
    return parser


class Run:
    """All rounds of a call."""

    def __init__(self, args):
        self.args = args
        self.begin = time.monotonic()
        self.outcomes = []
        share, more = divmod(args.rounds, len(args.topology))
        self.plan = {name: share + (i < more)
                     for i, name in enumerate(args.topology)}

    def say(self, text):
        """A line of progress."""
        print(f"{time.monotonic() - self.begin:7.1f} s  {text}", flush=True)

    def late(self):
        """Whether no more rounds are to begin."""
        limit = self.args.seconds
        return bool(limit) and time.monotonic() - self.begin > limit

    def run(self):
        """Returns whether all went well."""
        for name, count in self.plan.items():
            first = self.args.first
            while count > 0 and not self.late():
                done = self.on_one_cluster(TOPOLOGIES[name], first, count)
                first, count = first + done, count - done
                self.save()
        return bool(self.outcomes) \
            and not any(o.failure for o in self.outcomes)

    def on_one_cluster(self, topology, first, count):
        """Plays until one fails, which has the next ones begin with a new
        cluster; returns how many were played."""
        self.say(f"{topology.name}: starting")
        with topology.up(f"chaos_{os.getpid()}") as lab:
            arena = Arena(lab, topology)
            for done in range(count):
                if self.late():
                    return count    # No more of this one.
                number = first + done
                out = play(arena, self.args.seed, number,
                           sweep=number % SWEEP_EVERY == 0)
                self.outcomes.append(out)
                self.tell(out)
                if out.failure:
                    self.keep(lab, out)
                    return done + 1
        return count

    def tell(self, out):
        """Of a round, and of all."""
        done, total = len(self.outcomes), sum(self.plan.values())
        each = (time.monotonic() - self.begin) / done
        self.say(f"[{done}/{total}, {each:.1f} s each, "
                 f"{each * (total - done) / 60:.0f} min left] {out.line()}")

    def keep(self, lab, out):
        """The logs of a failed round."""
        folder = self.args.output / f"{out.topology}-{out.seed}-{out.number}"
        try:
            lab.collect(folder)
        except (CommandError, OSError) as err:
            self.say(f"logs not kept: {err}")
        self.say(f"look at {folder}; again: tests/chaos/run --topology "
                 f"{out.topology} --seed {out.seed} --first {out.number} "
                 "--rounds 1")

    def summary(self):
        """By topology, for people and programs."""
        rows = []
        for name in self.plan:
            mine = [o for o in self.outcomes if o.topology == name]
            if not mine:
                continue
            blocked = {}
            for out in mine:
                for code, n in out.blocked.items():
                    blocked[code] = blocked.get(code, 0) + n
            rows.append({
                "topology": name, "rounds": len(mine),
                "failed": sum(bool(o.failure) for o in mine),
                "overlaps": sum(o.overlaps for o in mine),
                "moved": sum(o.before != o.after for o in mine),
                "acknowledged": sum(o.acknowledged for o in mine),
                "lost": sum(o.lost for o in mine),
                "lost_ms": round(max(o.lost_ms for o in mine)),
                "outage_ms": round(max(o.outage_ms for o in mine)),
                "inside_ms": round(max(o.inside_ms for o in mine), 1),
                "commands": sum(len(o.commands) for o in mine),
                "blocked": blocked})
        return rows

    def save(self):
        """Writes what is known by now."""
        self.args.output.mkdir(parents=True, exist_ok=True)
        (self.args.output / "results.json").write_text(json.dumps({
            "seed": self.args.seed, "summary": self.summary(),
            "rounds": [o.as_json() for o in self.outcomes]}, indent=1) + "\n")
        (self.args.output / "results.txt").write_text(self.text())

    def text(self):
        """The summary, and what failed."""
        rows = self.summary()
        lines = [f"{'topology':10}{'rounds':>8}{'failed':>8}{'overlaps':>10}"
                 f"{'moved':>7}{'written':>9}{'lost':>6}{'over':>9}"
                 f"{'outage':>9}  blocked"]
        lines += [
            f"{r['topology']:10}{r['rounds']:8}{r['failed']:8}"
            f"{r['overlaps']:10}{r['moved']:7}{r['acknowledged']:9}"
            f"{r['lost']:6}{r['lost_ms']:6} ms{r['outage_ms'] / 1000:7.1f} s"
            "  " + (", ".join(f"{code} {n}" for code, n in sorted(
                r["blocked"].items())) or "-") for r in rows]
        lines += [o.line() for o in self.outcomes if o.failure]
        total = {key: sum(r[key] for r in rows)
                 for key in ("rounds", "failed", "overlaps")}
        lines.append("{rounds} rounds, {failed} failed, {overlaps} overlaps"
                     .format(**total))
        return "\n".join(lines) + "\n"


def main(argv=None):
    """Returns the exit status."""
    run = Run(_parser().parse_args(argv))
    good = False
    try:
        good = run.run()
    except (CommandError, Timeout) as err:
        print(f"run: {err}", file=sys.stderr)
    except KeyboardInterrupt:
        pass
    run.save()
    print(run.text(), end="")
    return 0 if good else 1
