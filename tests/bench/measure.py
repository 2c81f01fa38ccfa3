# SPDX-License-Identifier: Apache-2.0
"""What clients and logs saw of one fault."""

import itertools
import re
import subprocess
import threading
import time
from contextlib import ExitStack

from lab import Mirror, Timeout, Writer, wait_until
from lab.timeline import history, log_lines, membership_changed

# Seldom: looking takes time from who is watched.  The clients' own reports say
# exactly when things happened.
POLL = 0.15


def ms(when, since):
    """An interval, None when its end was not seen."""
    return None if when is None or since is None else (when - since) * 1000


class Clients:
    """A writer and a mirror for one fault."""

    def __init__(self, lab, name, db="nb"):
        self.lab = lab
        self.writer = Writer(lab, f"bench{name}", db=db)
        self.mirror = Mirror(lab)
        self.stack = ExitStack()

    def __enter__(self):
        self.stack.enter_context(self.mirror)
        self.stack.enter_context(self.writer)
        wait_until(self._running, 30, "writes reach SB", interval=POLL)
        return self

    def _running(self):
        ledger = self.writer.ledger()
        return len(ledger.acknowledged()) > 50 and (
            self.writer.db == "sb" or self.mirror.reached(ledger, 0))

    def __exit__(self, *args):
        return self.stack.__exit__(*args)

    def wait(self, fault, deadline, sb=True):
        """Waits until writes are acknowledged, and seen in SB, again."""
        try:
            wait_until(lambda: self.writer.ledger().first_ack(fault),
                       deadline, "a write after the fault", interval=POLL)
            if sb:
                wait_until(lambda: self.mirror.reached(
                    self.writer.ledger(), fault), deadline,
                    "a change after the fault in SB", interval=POLL)
        except Timeout:
            return False
        return True

    def metrics(self, fault):
        """The client's view of the fault, in ms."""
        ledger = self.writer.ledger()
        return {
            "first write acknowledged": ms(ledger.first_ack(fault), fault),
            "write outage": ledger.outage(fault - 0.001).ms
            if ledger.first_ack(fault) else None,
            "NB change in SB": ms(self.mirror.reached(ledger, fault), fault)}

    def lost(self, node):
        """How many acknowledged writes a node lacks.  Ends the writer."""
        return len(self.writer.lost(node))


class Ctl:
    """ovn-nbctl's daemon on a compute node, which reconnects with its own
    patience, and one command to it at the moment of the fault.  (Without
    --detach ovn-nbctl gives up when no server lets it in.)"""

    def __init__(self, lab, system):
        self.node = lab.compute[0]
        servers = ",".join(f"tcp:{address}:{lab.port('nb')}"
                           for address in lab.servers().values())
        self.options = [f"--db={servers}"] + (
            [] if system.name == "raft" else ["--no-leader-only"])
        self.control = None
        self.done = None
        self.thread = None

    def _set(self):
        result = self.node.exec(
            "ovn-nbctl", "-u", self.control, "--timeout=60", "set",
            "NB_Global", ".", f"external_ids:bench={time.time()}",
            check=False, timeout=70)
        if result.returncode == 0:
            self.done = time.time()

    def __enter__(self):
        self.control = self.node.out("ovn-nbctl", "--detach", "--pidfile",
                                     *self.options)
        self._set()
        return self

    def start(self):
        """Gives it the command, and does not wait."""
        self.done = None
        self.thread = threading.Thread(target=self._set, daemon=True)
        self.thread.start()

    def end(self):
        """When it had succeeded; None: it failed."""
        self.thread.join(75)
        return self.done

    def __exit__(self, *_):
        self.node.exec("ovn-appctl", "-t", self.control, "exit", check=False)


class Computes:
    """The compute nodes that are connected to a control node's SB, and when
    they are connected again, by ovn-controller's own log."""

    LINE = re.compile(r"tcp:([\d.]+):6642: (.*)")

    def __init__(self, lab, server):
        address = lab.vip or server.address
        self.hit = [node for node in lab.compute
                    if self._server(node) == address]

    def _events(self, node, after):
        for when, line in log_lines(node, "ovn/ovn-controller.log"):
            match = self.LINE.search(line)
            if match and when >= after - 0.001:
                yield when, match[1], match[2]

    def _server(self, node):
        last = None
        for _, address, what in self._events(node, 0):
            if what == "connected":
                last = address
            elif "connecting" not in what:
                last = None
        return last

    def back(self, fault, deadline=30):
        """As a metric; none if no compute node was hit."""
        if not self.hit:
            return {}

        def when():
            found = [next((when for when, _, what in self._events(n, fault)
                           if what == "connected"), None) for n in self.hit]
            return None if None in found else max(found)
        try:
            return {"ovn-controllers back": ms(wait_until(
                when, deadline, interval=POLL), fault)}
        except Timeout:
            return {"ovn-controllers back": None}


class FlowWatch:
    """Follows every change of br-int's OpenFlow rules on all compute nodes, so
    that no dip can hide between two looks."""

    def __init__(self, lab):
        self.lab = lab
        self.processes = []
        self.before = {}

    def __enter__(self):
        for node in self.lab.compute:
            path = node.disk / "var-log" / "bench-flows.log"
            path.unlink(missing_ok=True)
            self.before[node.name] = node.flows()
            self.processes.append(node.popen(
                "ovs-ofctl", "monitor", "br-int", "watch:!initial",
                stdin=subprocess.DEVNULL,
                stdout=open(path, "w", encoding="ascii"),
                stderr=subprocess.STDOUT))
            wait_until(lambda file=path: file.stat().st_size, 10,
                       f"the flows of {node.name} are watched")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            for child in _children(process.pid):
                subprocess.run(["kill", str(child)], check=False)
            process.terminate()
            process.wait(10)

    def _steps(self, name):
        """+1 for each rule that came, -1 for each that went, in order."""
        path = self.lab[name].disk / "var-log" / "bench-flows.log"
        for line in path.read_text(errors="replace").splitlines():
            if "event=ADDED" in line:
                yield 1
            elif "event=DELETED" in line:
                yield -1

    def changes(self, name):
        """How many rules of a node came or went."""
        return len(list(self._steps(name)))

    def dips(self):
        """By how many rules each node's count fell below what it was."""
        return {node.name: -min(itertools.accumulate(
            self._steps(node.name), initial=0)) for node in self.lab.compute}


def _children(pid):
    try:
        text = open(f"/proc/{pid}/task/{pid}/children",
                    encoding="ascii").read()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def callback(lab, nodes, fault):
    """When corosync first told one of 'nodes' of its new membership."""
    whens = [membership_changed(n, fault) for n in nodes if n.pid]
    return min((w for w in whens if w), default=None)


def told(node, fault, *words):
    """When ovn-had's journal first said something after the fault."""
    for when, state, text in history(node):
        if when >= fault - 0.001 and all(
                word in f"{state}|{text}" for word in words):
            return when
    return None


def phase(node, fault, words):
    """When a line of the journal was said after the fault, and when the one
    after it was: how long that went on."""
    begin = None
    for when, _, text in history(node):
        if when < fault - 0.001:
            continue
        if begin is not None:
            return begin, when
        if words in text:
            begin = when
    return begin, None


def journal(lab, fault, until):
    """All lines of ovn-had's journals and logs in a time, for a person."""
    lines = []
    for node in lab.control:
        if not node.pid:
            continue
        for when, state, text in history(node):
            if fault - 0.05 <= when <= until:
                lines.append((when, f"{node.name} journal {state}: {text}"))
        for when, line in log_lines(node, "lab/ovn-had.log"):
            if fault - 0.05 <= when <= until and "|core|" not in line:
                lines.append((when, f"{node.name} log "
                              f"{line.split('|', 1)[1]}"))
    return [f"{(when - fault) * 1000:7.0f} ms  {text}"
            for when, text in sorted(lines)]


__all__ = ["Clients", "Computes", "Ctl", "FlowWatch", "callback",
           "journal", "ms", "phase", "told"]
