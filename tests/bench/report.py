# SPDX-License-Identifier: Apache-2.0
"""The results as JSON, and as tables for people."""

import json
import os
import platform
import subprocess
import time
from pathlib import Path

from .stats import summary

# Who else had work for the machine: where it is high, times are coarse.
BUSY = "machine busy before (%)"

# What the project has to reach: (benchmark, metric) -> the median at most.
GOALS = {
    ("power-cut", "NB change in SB"): 1300,
    ("power-cut", "supervisor's own share"): 50,
    ("kill-nb", "first write acknowledged"): 300,
    ("kill-northd", "NB change in SB"): 1000,
    ("switchover", "write gap"): 200,
    ("switchover", "writes lost (count)"): 0,
    ("traffic", "packets lost (count)"): 0,
    ("traffic", "flows failed (count)"): 0,
    ("traffic", "flow rules missing at worst (count)"): 0,
    ("idle", "ovn-had CPU (% of a core)"): 1,
    ("idle", "ovn-ha-fence CPU (% of a core)"): 1,
    ("idle", "ovn-ha-replica CPU (% of a core)"): 1,
    ("idle", "ovn-had RSS (MB, largest process)"): 30,
    ("idle", "ovn-ha-fence RSS (MB, largest process)"): 30,
}


def _busy_percent(seconds=1.0):
    """How busy all processors are for some time."""
    def ticks():
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(word) for word in file.readline().split()[1:9]]
        return sum(fields), fields[3] + fields[4]
    total, idle = ticks()
    time.sleep(seconds)
    total2, idle2 = ticks()
    return 100 - 100 * (idle2 - idle) / max(1, total2 - total)


def wait_calm(percent, deadline=60):
    """Waits until the machine is busy at most so much, or until the deadline;
    returns how busy it was."""
    end = time.monotonic() + deadline
    while True:
        busy = _busy_percent()
        if busy <= percent or time.monotonic() > end:
            return busy


def machine():
    """Where it was measured."""
    def first_line(*argv):
        try:
            return subprocess.run(argv, capture_output=True, text=True,
                                  check=False).stdout.splitlines()[0]
        except (OSError, IndexError):
            return "?"
    return {"cores": os.cpu_count(), "kernel": platform.release(),
            "ovsdb-server": first_line("ovsdb-server", "--version"),
            "ovn-northd": first_line("ovn-northd", "--version"),
            "corosync": first_line("corosync", "-v"),
            "source": first_line("git", "-C", str(Path(__file__).parent),
                                 "describe", "--always", "--dirty")}


def _number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 10 or value == int(value) \
        else f"{value:.2f}"


def _metrics(results, benchmark):
    names = []
    for system in results.values():
        for values in system.get(benchmark, []):
            names += [name for name in values if name not in names]
    return names


def summaries(results):
    """{system: {benchmark: {metric: summary}}}."""
    found = {}
    for system, benchmarks in results.items():
        for benchmark, rounds in benchmarks.items():
            for name in _metrics({system: benchmarks}, benchmark):
                found.setdefault(system, {}).setdefault(benchmark, {})[
                    name] = summary([values[name] for values in rounds
                                     if name in values])
    return found


def table(results, labels):
    """The tables, one a benchmark, systems side by side."""
    sums = summaries(results)
    benchmarks = []
    for system in results.values():
        benchmarks += [b for b in system if b not in benchmarks]
    lines = []
    for benchmark in benchmarks:
        systems = [s for s in results if benchmark in results[s]]
        rounds = ", ".join(f"{labels[s]} {len(results[s][benchmark])}"
                           for s in systems)
        lines += ["", f"## {benchmark}", "",
                  f"Median / p99 / worst in ms; rounds: {rounds}.", "",
                  "| metric | goal | "
                  + " | ".join(labels[s] for s in systems) + " |",
                  "| --- " * (len(systems) + 2) + "|"]
        for name in _metrics(results, benchmark):
            goal = GOALS.get((benchmark, name))
            cells = [_cell(sums[s][benchmark].get(name)) for s in systems]
            goal = "" if goal is None else _number(goal)
            lines.append(f"| {name} | {goal} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(found):
    if not found or found["n"] == found["not_seen"]:
        return "" if not found else "never"
    text = " / ".join(_number(found[key])
                      for key in ("median", "p99", "worst"))
    return text + (f" ({found['not_seen']} of {found['n']} not seen)"
                   if found["not_seen"] else "")


def write(folder, about, results, labels, failures, notes):
    """Writes results.json, results.md, and the journals of the slowest
    rounds; may be called again as results come in."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({
        "about": about, "summary": summaries(results), "rounds": results,
        "failures": failures}, indent=1) + "\n")
    head = "# Benchmarks\n\n" + "\n".join(
        f"- {key}: {value}" for key, value in about.items()) + "\n"
    tail = "\n## Rounds that failed\n\n" + "\n".join(
        f"- {text}" for text in failures) + "\n" if failures else ""
    (folder / "results.md").write_text(head + table(results, labels) + tail)
    lines = []
    for benchmark, rounds in notes.items():
        slowness, journal = max(rounds, key=lambda r: r[0])
        lines += [f"{benchmark}: slowest round, {slowness:.0f} ms", *journal,
                  ""]
    (folder / "slowest.txt").write_text("\n".join(lines))
