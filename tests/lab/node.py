# SPDX-License-Identifier: Apache-2.0
"""One machine of a lab: an init in namespaces of its own, and a disk.

A node knows how to be switched on and off, how to run commands and services,
and how to find its processes.  What it runs is said by its subclasses."""

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .shell import CommandError, build_folder, run
from .wait import Timeout, wait_until


@dataclass
class Process:
    """A process of a node, by its pid outside."""
    pid: int
    comm: str
    args: list
    state: str = field(compare=False)  # When it was found.

    def send_signal(self, number):
        """Sends a signal; a process that is gone already is fine."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def now(self):
        """The state letter that it has now; None when it is gone."""
        return process_state(self.pid)

    def gone(self):
        """Whether it has ended, reaped or not."""
        return self.now() in (None, "Z", "X")


def process_state(pid):
    """The state letter of a process; None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2]


def process_start(pid):
    """When a process started, in ticks: with its pid, its identity."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text[text.rindex(")") + 2:].split()[19])


def _server_of(word):
    return lambda p: p.comm == "ovsdb-server" and any(
        word in arg for arg in p.args[1:])


def _replica_of(word):
    return lambda p: p.comm == "ovn-ha-replica" and f"--db={word}" in p.args


# Words for the processes that tests and people want to kill, stop, continue.
TARGETS = {
    "nb": _server_of("ovnnb"),
    "sb": _server_of("ovnsb"),
    "northd": lambda p: p.comm == "ovn-northd",
    "ovn-had": lambda p: p.comm == "ovn-had",
    "fence": lambda p: p.comm == "ovn-ha-fence",
    "replica": lambda p: p.comm == "ovn-ha-replica",
    "replica-nb": _replica_of("nb"),
    "replica-sb": _replica_of("sb"),
    "corosync": lambda p: p.comm == "corosync",
    "qdevice": lambda p: p.comm == "corosync-qdevic",
    "qnetd": lambda p: p.comm == "corosync-qnetd",
    "ovn-controller": lambda p: p.comm == "ovn-controller",
    "vswitchd": lambda p: p.comm == "ovs-vswitchd",
    "switch-db": _server_of("conf.db"),
}


# What a node may be enabled for: {role: function(node, **settings)}.
ROLES = {}


class Node:
    """One machine; see the module."""

    def __init__(self, lab, name, index):
        self.lab = lab
        self.name = name
        self.index = index
        self.folder = lab.folder / "nodes" / name
        self.disk = self.folder / "disk"

    # Power.

    @property
    def pid(self):
        """The pid of init, outside; None when the node is off."""
        try:
            pid = int((self.folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return None if process_state(pid) in (None, "Z", "X") else pid

    def power_on(self):
        """Starts init and plugs the node in.  Runs nothing yet."""
        if self.pid:
            raise CommandError(f"{self.name} is on already")
        self.disk.mkdir(parents=True, exist_ok=True)
        out = run([self.lab.program("lab-host"), "node", self.name,
                   self.lab.warden, self.disk]).stdout
        (self.folder / "pid").write_text(out)
        self.plug_in()

    def plug_in(self):
        """Connects the node's networks: the subclass's business."""
        raise NotImplementedError

    def start(self):
        """Starts everything that this node is enabled for, in the order in
        which it was enabled."""
        for role, settings in self.roles.items():
            ROLES[role](self, **settings)

    def power_cut(self):
        """Power cut: first the links, so that no last word escapes.  Returns
        when that was."""
        pid = self.pid
        if not pid:
            raise CommandError(f"{self.name} is off already")
        self.lab.switch.unplug(self)
        when = time.time()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: process_state(pid) in (None, "Z", "X"), 10,
                   f"{self.name} is off", interval=0.002)
        return when

    def erase_disk(self):
        """A new, empty disk.  The node must be off."""
        if self.pid:
            raise CommandError(f"{self.name} is on")
        shutil.rmtree(self.disk, ignore_errors=True)
        self.disk.mkdir(parents=True)

    # What it is enabled for, across reboots.

    @property
    def roles(self):
        """What start() starts, as {role: settings}."""
        try:
            return json.loads((self.folder / "roles.json").read_text())
        except FileNotFoundError:
            return {}

    def enable(self, role, **settings):
        """Makes start() start 'role' from now on."""
        self._save_roles({**self.roles, role: settings})

    def disable(self, role):
        """Undoes enable()."""
        self._save_roles({k: v for k, v in self.roles.items() if k != role})

    def forget(self):
        """Enabled for nothing."""
        self._save_roles({})

    def _save_roles(self, roles):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "roles.json").write_text(json.dumps(roles))

    # Commands.

    def environment(self):
        """What commands in the node see."""
        build = build_folder() if not self.lab.build else self.lab.build
        return {
            "PATH": f"{build}:/usr/local/sbin:/usr/local/bin"
                    ":/usr/sbin:/usr/bin:/sbin:/bin",
            "OVN_HA_PKGLIBEXECDIR": str(build),
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "TERM": os.environ.get("TERM", "dumb"),
            "LAB_NODE": self.name,
            **{k: v for k, v in os.environ.items()
               if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))},
        }

    def command(self, argv, netns=None):
        """'argv' as a command line that enters the node."""
        pid = self.pid
        if not pid:
            raise CommandError(f"{self.name} is off")
        enter = ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p",
                 "--"]
        if netns:
            enter += ["ip", "netns", "exec", netns]
        return enter + [str(arg) for arg in argv]

    def exec(self, *argv, check=True, stdin=None, timeout=30.0, netns=None):
        """Runs a command in the node and returns its result."""
        return run(self.command(argv, netns), check=check, stdin=stdin,
                   timeout=timeout, env=self.environment())

    def out(self, *argv, **kwargs):
        """What a command prints, stripped."""
        return self.exec(*argv, **kwargs).stdout.strip()

    def popen(self, *argv, netns=None, **kwargs):
        """Starts a command in the node and does not wait."""
        return subprocess.Popen(self.command(argv, netns),
                                env=self.environment(), **kwargs)

    def root(self, path):
        """A path of the node as seen from outside: anything while it is on,
        its disk's folders always."""
        pid = self.pid
        if pid:
            return Path(f"/proc/{pid}/root") / str(path).lstrip("/")
        parts = Path(path).parts[1:]
        for n in (3, 2):
            folder = self.disk / "-".join(parts[:n])
            if folder.is_dir():
                return folder.joinpath(*parts[n:])
        raise CommandError(f"{self.name} is off and {path} not on its disk")

    # Services, kept by lab-keeper.

    def service_start(self, name, argv, restart_ms=-1, netns=None):
        """Starts a service that the keeper starts again when it dies
        (restart_ms below 0: never)."""
        try:
            # The keeper of what was killed just now has yet to notice.
            wait_until(lambda: not self.service_running(name), 5)
        except Timeout:
            raise CommandError(f"{name} runs on {self.name} already") from None
        self.exec(self.lab.program("lab-keeper"), name, restart_ms, *argv,
                  netns=netns)

    def service_pid(self, name):
        """The keeper's pid inside, None when the service is stopped."""
        try:
            pid = int(self.root(f"/run/lab/{name}.pid").read_text())
        except (FileNotFoundError, CommandError, NotADirectoryError):
            return None
        state = self.inner_state(pid)
        return None if state in (None, "Z", "X") else pid

    def inner_state(self, pid):
        """The state letter of a process by its pid inside."""
        return process_state(f"{self.pid}/root/proc/{pid}")

    def service_running(self, name):
        """Whether the keeper of a service is there."""
        return self.service_pid(name) is not None

    def service_stop(self, name, deadline=30.0):
        """Like `systemctl stop`: SIGTERM, and wait for the end."""
        pid = self.service_pid(name)
        if pid is None:
            return
        self.exec("kill", "-TERM", pid)
        wait_until(lambda: not self.service_running(name), deadline,
                   f"{name} stopped on {self.name}")

    # Processes.

    def processes(self):
        """All processes of the node but init."""
        init = self.pid
        if not init:
            return []
        inside = os.readlink(f"/proc/{init}/ns/pid")
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == init:
                continue
            try:
                if os.readlink(f"/proc/{entry}/ns/pid") != inside:
                    continue
                folder = Path("/proc") / entry
                args = (folder / "cmdline").read_bytes()
                comm = (folder / "comm").read_text().rstrip("\n")
            except OSError:
                continue
            state = process_state(int(entry))
            if state not in (None, "Z", "X"):
                found.append(Process(
                    int(entry), comm,
                    args.decode(errors="replace").rstrip("\0").split("\0"),
                    state))
        return found

    def find(self, target):
        """The processes that a word of TARGETS, 'all', or a pid outside
        stands for."""
        if str(target).isdigit():
            return [p for p in self.processes() if p.pid == int(target)]
        if target == "all":
            return self.processes()
        if target not in TARGETS:
            raise CommandError(f"no such process {target!r}: one of "
                               f"{', '.join(sorted(TARGETS))}, all, a pid")
        return [p for p in self.processes() if TARGETS[target](p)]

    def send_signal(self, target, number):
        """Signals what find() finds, and returns it; nothing is an error."""
        found = self.find(target)
        if not found:
            raise CommandError(f"no process {target} on {self.name}")
        for process in found:
            process.send_signal(number)
        return found

    def kill(self, target, number=signal.SIGKILL):
        """Kills and waits until the processes are gone."""
        found = self.send_signal(target, number)
        if number == signal.SIGKILL:
            wait_until(lambda: all(p.gone() for p in found), 10,
                       f"{target} of {self.name} is gone", interval=0.002)
        return found

    def stop(self, target):
        """SIGSTOP, and waits until the processes stand still."""
        found = self.send_signal(target, signal.SIGSTOP)
        wait_until(lambda: all(p.now() in (None, "T", "Z", "X")
                               for p in found), 10,
                   f"{target} of {self.name} is stopped", interval=0.001)
        return found

    def cont(self, target):
        """SIGCONT."""
        return self.send_signal(target, signal.SIGCONT)

    def log(self, path):
        """The text of a log file under /var/log, '' when there is none."""
        try:
            return self.root(f"/var/log/{path}").read_text(errors="replace")
        except (FileNotFoundError, CommandError):
            return ""
