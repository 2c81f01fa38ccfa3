# SPDX-License-Identifier: Apache-2.0
"""The benchmarks: each function does one round on a system that is well, and
returns {metric: value}, in ms unless the metric's name says otherwise."""

import signal
import time
from pathlib import Path

from lab import Closed, CommandError, Timeout, Traffic, wait_until
from lab.node import process_start
from lab.timeline import (first, log_lines, northd_active,
                          state_entered)

from .fill import sweep
from .measure import (POLL, Clients, Computes, Ctl, FlowWatch, callback,
                      journal, ms, phase, told)

DEADLINE = 60
# What died young is started again with delay, here and elsewhere; a round is
# about one death.
SETTLED = 11


class Bench:
    """What a round needs: the lab, the system, and a place for notes."""

    def __init__(self, lab, system, say):
        self.lab = lab
        self.system = system
        self.say = say
        self.notes = {}         # {benchmark: [(slowness, lines)]}
        self.rounds = 0

    def name(self):
        """A new name for a round's writer."""
        self.rounds += 1
        return str(self.rounds)

    def settle(self):
        """After a round: all well, and the writers' rows away."""
        def swept():
            try:
                sweep(self.lab, self.system.wait_synced())
                # Or their backoff adds up from round to round.
                return all(n.connected() for n in self.lab.compute)
            except (Closed, RuntimeError):
                return False
        wait_until(swept, DEADLINE, f"{self.system.label} is well again",
                   interval=POLL)

    def wait_settled(self, node):
        """Waits until what runs on a node has run for a while."""
        def settled():
            up = float(Path("/proc/uptime").read_text().split()[0])
            found = [process_start(p.pid) for target in ("nb", "sb", "northd")
                     for p in node.find(target)]
            return all(start is not None and up - start / 100 > SETTLED
                       for start in found)
        wait_until(settled, DEADLINE, f"{node.name} has settled",
                   interval=POLL)

    def kill(self, node, target):
        """Kills a process; returns when it was dead."""
        found = node.find(target)
        if not found:
            raise CommandError(f"no process {target} on {node.name}")
        for process in found:
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: all(p.gone() for p in found), 10,
                   interval=0.0005)
        return time.time()

    def note(self, benchmark, slowness, fault, until):
        """Keeps ovn-had's own words of a round, to explain slow ones."""
        if self.system.name == "ovn-ha":
            self.notes.setdefault(benchmark, []).append(
                (slowness, journal(self.lab, fault, until)))


def _took_over(bench, old, to=None, deadline=DEADLINE):
    """Who is active now, and not 'old', and 'to' if that is given; None:
    nobody in time."""
    def other():
        node = bench.system.active()
        return node if node and node is not old and to in (None, node) \
            else None
    try:
        return wait_until(other, deadline, interval=POLL)
    except Timeout:
        return None


def _wait_told(new, fault):
    """Until ovn-had itself says that the promotion is complete."""
    try:
        wait_until(lambda: state_entered(new, "active", fault), 20,
                   interval=POLL)
    except Timeout:
        pass


def _own_share(new, fault, acked):
    """ovn-had's phases on the node that took over.  Its own share is what
    lies between corosync's word and the first acknowledged write, without
    the time for which it waited for the old active's lease to run out.

    Corosync has two callbacks, libcpg's and libquorum's, some milliseconds
    apart; without the latter nobody may be promoted."""
    members = told(new, fault, "group: members are")
    quorum = first(log_lines(new, "lab/ovn-had.log"), fault, "corosync sees")
    begin, end = phase(new, fault, "lease has provably run out")
    waited = ms(end, begin) or 0.0

    def share(since):
        return None if acked is None or since is None \
            else ms(acked, since) - waited
    return {
        "ovn-had: members": ms(members, fault),
        "ovn-had: quorum": ms(quorum, fault),
        "ovn-had: promoting": ms(state_entered(new, "promoting", fault),
                                 fault),
        "ovn-had: lease over": ms(end, fault),
        "ovn-had: listening": ms(told(new, fault, "promotion: listening"),
                                 fault),
        "ovn-had: active": ms(state_entered(new, "active", fault), fault),
        "lease's remainder": waited,
        "from libcpg's word": share(members),
        "supervisor's own share": share(max(members, quorum))
        if members and quorum else None}


def power_cut(bench):
    """The active's power is cut."""
    lab, system = bench.lab, bench.system
    old = system.active()
    computes = Computes(lab, old)
    with Clients(lab, bench.name()) as clients:
        fault = lab.crash(old.name)
        system.after_power_cut(old)
        seen = clients.wait(fault, DEADLINE)
        new = _took_over(bench, old)
        if new and system.name == "ovn-ha":
            _wait_told(new, fault)
        found = clients.metrics(fault)
        acked = clients.writer.ledger().first_ack(fault)
        if system.needs_corosync:
            found["corosync callback"] = ms(
                callback(lab, system.others(old), fault), fault)
        if new and system.name == "ovn-ha":
            found |= _own_share(new, fault, acked)
            found["northd active"] = ms(northd_active(new, fault), fault)
        if new:
            found["writes lost (count)"] = clients.lost(new)
            found |= computes.back(fault)
    bench.note("power-cut", found["NB change in SB"] or 1e9, fault,
               fault + (4 if seen else 15))
    system.boot(old)
    bench.settle()
    return found


def kill_nb(bench):
    """The active's NB server is killed."""
    lab, system = bench.lab, bench.system
    active = system.active()
    bench.wait_settled(active)
    with Ctl(lab, system) as ctl, Clients(lab, bench.name()) as clients:
        fault = bench.kill(active, "nb")
        ctl.start()
        clients.wait(fault, DEADLINE)
        found = clients.metrics(fault)
        found["ovn-nbctl"] = ms(ctl.end(), fault)
        where = system.wait_synced()
        found["writes lost (count)"] = clients.lost(where)
    bench.note("kill-nb", found["first write acknowledged"] or 1e9, fault,
               fault + 3)
    bench.settle()
    return found


def kill_sb(bench):
    """The SB server is killed that compute nodes are connected to."""
    lab, system = bench.lab, bench.system
    active = system.active()
    bench.wait_settled(active)
    computes = Computes(lab, active)
    with Clients(lab, bench.name(), db="sb") as clients:
        fault = bench.kill(active, "sb")
        clients.wait(fault, DEADLINE, sb=False)
        found = clients.metrics(fault)
        del found["NB change in SB"]
        found |= computes.back(fault)
        where = system.wait_synced()
        found["writes lost (count)"] = clients.lost(where)
    bench.note("kill-sb", found["first write acknowledged"] or 1e9, fault,
               fault + 3)
    bench.settle()
    return found


def kill_northd(bench):
    """northd of the active is killed (RAFT: the one that holds the lock)."""
    lab, system = bench.lab, bench.system
    node = _northd_node(bench)
    bench.wait_settled(node)
    with Clients(lab, bench.name()) as clients:
        fault = bench.kill(node, "northd")
        clients.wait(fault, DEADLINE)
        found = {"NB change in SB": clients.metrics(fault)
                 ["NB change in SB"],
                 "write outage": clients.metrics(fault)["write outage"]}
    bench.note("kill-northd", found["NB change in SB"] or 1e9, fault,
               fault + 3)
    bench.settle()
    return found


def _northd_node(bench):
    if bench.system.name != "raft":
        return bench.system.active()
    for node in bench.lab.control:
        if "active" == node.exec(
                "ovn-appctl", "-t", "ovn-northd", "status",
                check=False).stdout.strip().removeprefix("Status: "):
            return node
    return bench.system.active()


def switchover(bench):
    """The active role is moved on purpose, under load."""
    lab, system = bench.lab, bench.system
    old = system.active()
    to = system.others(old)[bench.rounds % 2]
    computes = Computes(lab, old)
    with Clients(lab, bench.name()) as clients:
        fault = time.time()
        system.switchover(to)
        returned = time.time()
        if system.name == "raft":
            new = wait_until(system.active, DEADLINE, interval=POLL)
            moved = returned
        else:
            new = _took_over(bench, old, to)
            moved = _moved(clients, new)
        clients.wait(moved or returned, DEADLINE)
        found = {
            "write gap": clients.writer.ledger().outage(fault).ms,
            "NB change in SB": ms(_settled(clients, moved or fault), fault),
            "command": ms(returned, fault),
            "writes lost (count)": clients.lost(new) if new else None}
        found |= computes.back(fault)
    bench.note("switchover", found["write gap"], fault, fault + 2)
    system.settle()
    bench.settle()
    return found


def _moved(clients, new):
    """When the first write was acknowledged by the new node; with a virtual
    IP servers have no names, and the longest gap tells."""
    ledger = clients.writer.ledger()
    when = ledger.first_ack(0, new.name) if new else None
    return when or ledger.outage().end


def _settled(clients, moved):
    return clients.mirror.reached(clients.writer.ledger(), moved - 0.02)


# In this order: backup mode's services restart as what they were at first.
FAULTS = {"kill-nb": kill_nb, "kill-sb": kill_sb, "kill-northd": kill_northd,
          "switchover": switchover, "power-cut": power_cut}


def traffic(bench):
    """All faults, one after the other, while workloads talk: packets lost,
    new flows that failed, and by how many rules a compute node's flow table
    fell below what it was."""
    lab = bench.lab
    found = {}
    with FlowWatch(lab) as flows:
        running = Traffic(lab).start()
        for name, fault in FAULTS.items():
            try:
                fault(bench)
            except Timeout as err:
                bench.say(f"    during traffic: {name}: {err}")
                found["faults that failed (count)"] = 1 + found.get(
                    "faults that failed (count)", 0)
        ways = running.stop()
        found["packets sent (count)"] = sum(w.sent for w in ways)
        found["packets lost (count)"] = sum(w.lost for w in ways)
        found["longest gap"] = max(w.longest_gap_ms for w in ways)
        found["flows opened (count)"] = sum(w.flows_opened for w in ways)
        found["flows failed (count)"] = sum(w.flows_failed for w in ways)
        found["flow rules before (count)"] = sum(flows.before.values())
    found["flow rules missing at worst (count)"] = max(
        flows.dips().values())
    return found


PROGRAMS = ("ovn-had", "ovn-ha-fence", "ovn-ha-replica")


def idle(bench, seconds=60):
    """CPU and memory of the supervisor's processes while nothing happens, on
    the node where each costs most."""
    processes = {p.pid: (node.name, p.comm) for node in bench.lab.control
                 for p in node.processes() if p.comm in PROGRAMS}
    before = {pid: _cpu_ms(pid) for pid in processes}
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() - begin >= seconds, seconds + 5,
               interval=1.0)
    length = (time.monotonic() - begin) * 1000
    per = {}
    for pid, key in processes.items():
        used = per.setdefault(key, [0.0, 0.0])
        used[0] += (_cpu_ms(pid) - before[pid]) / length * 100
        used[1] = max(used[1], _rss_mb(pid))
    found = {}
    for program in PROGRAMS:
        mine = [used for key, used in per.items() if key[1] == program]
        if mine:
            found[f"{program} CPU (% of a core)"] = max(u[0] for u in mine)
            found[f"{program} RSS (MB, largest process)"] = max(
                u[1] for u in mine)
    return found


def _cpu_ms(pid):
    try:
        text = open(f"/proc/{pid}/stat", encoding="ascii").read()
    except OSError:
        return 0.0
    fields = text[text.rindex(")") + 2:].split()
    # utime, stime, and those of children that were waited for.
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) * 10.0


def _rss_mb(pid):
    try:
        lines = open(f"/proc/{pid}/status", encoding="ascii").readlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines
                 if line.startswith("VmRSS")), 0.0)
