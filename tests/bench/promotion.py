#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long a promotion takes after corosync's word that the active is gone:
in a pair, by fence_ipmilan on an IPMI controller, beside the agent's own time;
of three nodes, on the lease, beside its length ("besides" counts from
corosync's word; "late" from the power cut, since when nothing renews it).
What is left is ovn-ha's.

    tests/bench/promotion.py [--rounds N] [fence|lease]..."""

import argparse
import os
import statistics
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "cluster")]

from bench.measure import ms, told  # noqa: E402
from chaos.topologies import DEVICE  # noqa: E402
from lab import Corosync, Lab, wait_until  # noqa: E402
from lab.timeline import first, log_lines, state_entered  # noqa: E402
from pairs import fenced_pair, wait_devices  # noqa: E402
from watch import bring_up, cluster, others, wait_well  # noqa: E402


def fenced(make):
    """A pair whose devices are asked at once."""
    return fenced_pair(make, "[quorum]\nfence-delay-ms = 0\n", **DEVICE)


def leased(make):
    """Three nodes, of which the lease outlasts corosync's noticing by far."""
    lab = make(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab, "[timing]\nlease-ms = 4000\n")
    yield lab


def agent_times(new, fault):
    """Of the first run of the agent, and of its proof."""
    lines = list(log_lines(new, "ovn/ovn-ha-workers.log"))
    return (first(lines, fault, "agents: fencing node"),
            first(lines, fault, "is off: proven by"))


def one_round(lab, mode):
    """The active's power is cut; returns the times."""
    old = wait_well(lab)
    if mode == "fence":
        wait_devices(lab)
    lease = cluster(old)["lease_ms"]
    fault = lab.crash(old.name)
    new = lab.wait_active(60, [n.name for n in others(lab, old)])
    wait_until(lambda: state_entered(new, "active", fault), 30,
               f"{new.name} is active", interval=0.1)
    members = told(new, fault, "group: members are")
    found = {"members": ms(members, fault)}
    bound = lease
    if mode == "fence":
        asked, proven = agent_times(new, fault)
        bound = ms(proven, asked)
        found["asked"] = ms(asked, members)
    found |= {
        "serving": ms(told(new, fault, "promotion: listening"), members),
        "active": ms(state_entered(new, "active", fault), members)}
    found["agent" if mode == "fence" else "lease"] = bound
    found["serving, besides"] = found["serving"] - bound
    found["active, besides"] = found["active"] - bound
    if mode == "lease":
        found["late"] = found["members"] + found["serving, besides"]
    lab.boot(old.name)
    return found


def run(mode, rounds):
    """All rounds of a mode; prints the figures."""
    made = []

    def make(**kwargs):
        made.append(Lab(f"promotion_{os.getpid()}", **kwargs))
        made[0].create()
        return made[0]
    parts = fenced(make) if mode == "fence" else leased(make)
    try:
        lab = next(parts)
        all_found = []
        for i in range(rounds):
            all_found.append(one_round(lab, mode))
            print(f"{mode} {i + 1}/{rounds}: " + ", ".join(
                f"{k} {v:.0f}" for k, v in all_found[-1].items()), flush=True)
    finally:
        parts.close()
        for lab in made:
            lab.down()
    for key in all_found[0]:
        values = sorted(f[key] for f in all_found)
        print(f"{mode}: {key:18} median {statistics.median(values):7.1f} ms, "
              f"{values[0]:.1f} to {values[-1]:.1f}")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n",
                                                               maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("modes", nargs="*", metavar="fence|lease",
                        default=["fence", "lease"])
    args = parser.parse_args()
    for mode in args.modes:
        run(mode, args.rounds)


if __name__ == "__main__":
    main()
