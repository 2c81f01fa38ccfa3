# SPDX-License-Identifier: Apache-2.0
"""Random faults.  Each function draws one, for an arena (see rounds): it
returns what it is, and the function that does it.  All of them are undone by
Arena.mend()."""

import re

from lab import wait_until

from .lookout import status

PROCESSES = ["nb", "sb", "northd", "replica-nb", "replica-sb", "fence",
             "ovn-had", "corosync"]
KILLED = PROCESSES[:-1]     # What is started again by itself.


def _names(nodes):
    return " ".join(n.name for n in nodes)


def _victim(rng, arena):
    """The active more often than not."""
    if rng.random() < 0.6:
        return arena.active
    return rng.choice([n for n in arena.lab.control if n is not arena.active])


def _some(rng, node, words, count):
    """So many of its processes; a witness has but a few."""
    there = [word for word in words if node.find(word)]
    return rng.sample(there, min(count, len(there)))


def _all(arena):
    """What can be cut: the nodes, and the quorum device."""
    return arena.lab.control + ([arena.lab.qnetd] if arena.lab.qnetd else [])


def partition(rng, arena):
    """Two sides, or everyone alone; clients reach all of them."""
    nodes = _all(arena)
    if rng.random() < 0.15:
        sides = [[n] for n in nodes]
    else:
        victim = _victim(rng, arena)
        rest = [n for n in nodes if n is not victim]
        with_it = rng.sample(rest, rng.randrange(len(rest)))
        sides = [[victim, *with_it], [n for n in rest if n not in with_it]]
    return "partition " + " | ".join(_names(s) for s in sides), \
        lambda: arena.lab.partition(*[[n.name for n in s] for s in sides])


def one_way(rng, arena):
    """A node is not heard by some, or does not hear them."""
    victim = _victim(rng, arena)
    rest = [n for n in _all(arena) if n is not victim]
    peers = rng.sample(rest, rng.randrange(1, len(rest) + 1))
    mute = rng.random() < 0.5

    def act():
        for peer in peers:
            ends = (victim, peer) if mute else (peer, victim)
            arena.lab.cut(ends[0].name, ends[1].name, one_way=True)
    return f"{victim.name} " + ("is not heard by " if mute else
                                "does not hear ") + _names(peers), act


def freeze(rng, arena):
    """Some processes of a node stand still."""
    victim = _victim(rng, arena)
    targets = _some(rng, victim, PROCESSES, rng.choice([1, 1, 2, 3]))

    def act():
        for target in targets:
            arena.stop(victim, target)
    return f"freeze {', '.join(targets)} of {victim.name}", act


def freeze_node(rng, arena):
    """A whole node stands still; its databases may go on first."""
    victim = _victim(rng, arena)
    order = rng.choice([["all"], ["nb", "sb", "all"]])

    def act():
        arena.stop(victim, "all")
        arena.thaw_order[victim.name] = order
    return f"freeze {victim.name}, to go on: {', '.join(order)}", act


def power_cut(rng, arena):
    """Of one node, or two."""
    victims = [_victim(rng, arena)]
    if rng.random() < (0.4 if len(arena.lab.control) > 3 else 0.15):
        victims.append(rng.choice([n for n in arena.lab.control
                                   if n not in victims]))

    def act():
        for victim in victims:
            arena.cut_power(victim)
    return f"power cut of {_names(victims)}", act


def kill(rng, arena):
    """Processes of a node die."""
    victim = _victim(rng, arena)
    targets = _some(rng, victim, KILLED, rng.choice([1, 2, 7]))

    def act():
        for target in targets:
            arena.kill(victim, target)
    return f"kill {', '.join(targets)} of {victim.name}", act


def no_proof(rng, arena):
    """The active of a pair dies, and its controller hangs.  The other node is
    blocked, and names the command by which an operator ends that."""
    old = arena.active
    new, = [n for n in arena.lab.control if n is not old]
    by_operator = rng.random() < 0.5

    def advised():
        why = (status(new).get("local", {}).get("why") or {})
        return re.search(r"run (ovn-hactl [a-z-]+) NODE",
                         why.get("text", ""))

    def act():
        arena.lab.bmc[old.name].stop()
        arena.cut_power(old)
        if not by_operator:
            return
        command = wait_until(advised, 60, lambda: f"{new.name} says what to "
                             f"do: {status(new).get('problems')}",
                             interval=0.2)[1]
        new.hactl(*command.split()[1:], old.name, "--yes", timeout=60)
        arena.commands.append(command)
        wait_until(lambda: new.serves("nb", unix=True), 60,
                   f"{new.name} serves, as the operator wants",
                   interval=0.2)
    return f"power cut of {old.name}, whose controller hangs" + (
        "; an operator vouches" if by_operator else ""), act


def draw(rng, arena):
    """One or two faults: [(seconds to wait before it, what, function)]."""
    kinds = {partition: 4, one_way: 2, freeze: 3, freeze_node: 4,
             power_cut: 4, kill: 2}
    if arena.topology.fenced and rng.random() < 0.12:
        return [(0.0, *no_proof(rng, arena))]
    count = 1 if rng.random() < 0.6 else 2
    chosen = rng.choices(list(kinds), list(kinds.values()), k=count)
    return [(rng.uniform(0, 1.5) if i else 0.0, *kind(rng, arena))
            for i, kind in enumerate(chosen)]
