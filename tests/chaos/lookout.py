# SPDX-License-Identifier: Apache-2.0
"""Reads every node's status all the time, and holds it to what it promises:
who is blocked says why, and what ends that."""

import http.client
import json
import re
import socket
import threading
import time

from lab import CommandError

PERIOD = 0.25
PATIENCE = 0.5
# These end by themselves, in a time that is known; a server that is down or
# hangs is started again.
PASSING = {"agreeing", "grace", "lease", "tail", "log", "door", "northd",
           "fence-delay", "fencing", "retry", "under-way", "database"}
# So does this where it is for but a moment: a worker that was started again
# has to read what lineage it has.
BRIEF = {"lineage"}
MOMENT = 3.0        # Seconds.
# A command, or whom to start, which ends what does not pass by itself.
COMMAND = re.compile(r"ovn-hactl [a-z]|systemctl|corosync-quorumtool|"
                     r"\bstart (it|the other)|are started")


def status(node, patience=PATIENCE):
    """What ovn-had says over its socket; {} if nothing, in time."""
    pid = node.pid
    if not pid:
        return {}
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(patience)
    try:
        sock.connect(f"/proc/{pid}/root/run/ovn-ha/status.sock")
        connection = http.client.HTTPConnection("ovn-ha")
        connection.sock = sock
        connection.request("GET", "/status")
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        sock.close()


def _fences(said):
    """Whether a node is having another one fenced, which that may not have
    noticed yet."""
    fencing = said.get("local", {}).get("fencing") or {}
    return any(n["phase"] == "working" for n in fencing.get("nodes", []))


def well(lab):
    """The active, if every node agrees that all is well."""
    said = [status(n) for n in lab.control]
    views = [s.get("cluster", {}) for s in said]
    if all(v.get("health") == "ok" for v in views) \
            and not any(_fences(s) for s in said) \
            and len({(v["epoch"], v["active"]) for v in views}) == 1:
        return lab[views[0]["active"]]
    return None


def fault_in(said):
    """What is wrong with what a node says of its being blocked; ""."""
    local = said["local"]
    why = local.get("why") or {}
    text = f"{why.get('text', '')}; {why.get('ends', '')}"
    if not why.get("code") or not why.get("text") or not why.get("ends"):
        return f"no reason, or none that ends: {why}"
    if why["code"] not in PASSING and not COMMAND.search(text):
        return f"{why['code']} names no way out: {text}"
    if not any(p["node"] == said["node"] and p["code"] == why["code"]
               and p["ends"] for p in said["problems"]):
        return f"{why['code']} is not among the problems"
    return ""


class Lookout(threading.Thread):
    """Looks until the end of the 'with' block."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab = lab
        self.ending = threading.Event()
        self.blocked = {}       # {code: how often that began}
        self.faults = set()
        self.last = {}          # {node: code}
        self.since = {}         # {node: when that began}
        self.error = None       # What ended it before its time.

    def run(self):
        try:
            while not self.ending.wait(PERIOD):
                self.look_at_all()
        except Exception as error:  # Of whatever kind: it saw no more.
            self.error = error

    def look_at_all(self):
        for node in self.lab.control:
            try:
                self.look(node, status(node))
            except CommandError:
                pass

    def look(self, node, said):
        """One answer."""
        local = said.get("local", {})
        code, now = None, time.monotonic()
        if local.get("state") == "blocked":
            code = (local.get("why") or {}).get("code", "?")
            if code != self.last.get(node.name):
                self.blocked[code] = self.blocked.get(code, 0) + 1
                self.since[node.name] = now
            lasts = now - self.since[node.name]
            fault = fault_in(said)
            if fault and (code not in BRIEF or lasts > MOMENT):
                self.faults.add(f"{node.name} is blocked: {fault}")
        self.last[node.name] = code

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()
        if self.error:
            raise AssertionError(f"cannot look any more: {self.error!r}")
