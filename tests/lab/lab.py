# SPDX-License-Identifier: Apache-2.0
"""A lab: control nodes, compute nodes and wires on one machine.

A lab lives in a folder, $TMPDIR/ovn-ha-lab/NAME, and in the processes under
its warden.  Any process may load a lab by its name and work with it.  It ends
with down(), or when the process that made it ends (unless it was made to
stay): then the warden goes, and everything with it."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from pathlib import Path

from .compute import SWITCH, ComputeNode
from .control import ControlNode, Corosync, takes_writes
from .netns import inside
from .node import ROLES, process_start, process_state
from .ovsdb import DATABASES, PORTS, Closed, Session, dial
from .qdevice import QnetdNode
from .shell import CommandError, build_folder, run
from .switch import Switch
from .wait import wait_until


def labs_folder():
    """Where all labs live."""
    return Path(tempfile.gettempdir()) / "ovn-ha-lab"


class Lab:
    """See the module.

    control, compute, workloads   how many, the last per compute node
    corosync                      a Corosync
    build                         folder of the built programs
    probe_interval_ms             ovn-controller's ovn-remote-probe-interval
    ipv6                          control nodes and clients have IPv6, too
    qnetd                         whether there is a quorum device, q1
    """

    client_address = "10.10.0.254"
    client_address6 = "fd00:10::fe"
    patience = 60       # Seconds until all is well after whatever it was.

    def __init__(self, name="lab", control=3, compute=2, workloads=2,
                 corosync=None, build=None, probe_interval_ms=1000,
                 ipv6=False, qnetd=False):
        if not name.isidentifier():
            raise CommandError(f"{name!r} is no name for a lab")
        self.name = name
        self.folder = labs_folder() / name
        self.build = Path(build or build_folder()).resolve()
        self.corosync = corosync or Corosync()
        self.workloads = workloads
        self.probe_interval_ms = probe_interval_ms
        self.ipv6 = ipv6
        self.vip = None
        self.warden = None
        self.switch = Switch(self)
        self.control = [ControlNode(self, f"n{i + 1}", i + 1)
                        for i in range(control)]
        self.compute = [ComputeNode(self, f"c{i + 1}", i + 1)
                        for i in range(compute)]
        self.qnetd = QnetdNode(self, "q1", 1) if qnetd else None
        self.nodes = {n.name: n for n in self.control + self.compute
                      + ([self.qnetd] if qnetd else [])}

    def __getitem__(self, name):
        try:
            return self.nodes[name]
        except KeyError:
            raise CommandError(
                f"no node {name!r}: {', '.join(self.nodes)}") from None

    def program(self, name, folder="tests/lab"):
        """The path of a built program."""
        path = (self.build / folder / name).resolve()
        if not path.exists():
            raise CommandError(f"{path} is not built")
        return path

    # Life.

    @classmethod
    def load(cls, name):
        """A lab that is up."""
        try:
            state = json.loads(
                (labs_folder() / name / "state.json").read_text())
        except FileNotFoundError:
            raise CommandError(f"no lab {name!r} is up") from None
        vip = state.pop("vip")
        lab = cls(name, corosync=Corosync(**state.pop("corosync")),
                  **{k: v for k, v in state.items()
                     if not k.startswith("warden")})
        if not _warden_lives(state):
            raise CommandError(f"lab {name!r} is dead; `down` removes it")
        lab.warden = state["warden"]
        lab.vip = vip
        return lab

    def create(self):
        """Removes an earlier lab of the name, and what is left of dead ones,
        then makes folder, warden and wires.  All nodes are off."""
        for program in ("lab-host", "lab-keeper", "lab-traffic"):
            self.program(program)
        labs_folder().mkdir(parents=True, exist_ok=True)
        with open(labs_folder() / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            remove(self.name)
            remove_dead()
            self.folder.mkdir()
            self.warden = int(run([self.program("lab-host"), "warden",
                                   os.getpid()]).stdout)
            self._save()
        (self.folder / "authkey").write_bytes(secrets.token_bytes(256))
        self.switch.create()

    def _save(self):
        (self.folder / "state.json").write_text(json.dumps({
            "control": len(self.control), "compute": len(self.compute),
            "workloads": self.workloads, "build": str(self.build),
            "probe_interval_ms": self.probe_interval_ms, "vip": self.vip,
            "ipv6": self.ipv6,
            "qnetd": bool(self.qnetd),
            "corosync": self.corosync.save(), "warden": self.warden,
            "warden_start": process_start(self.warden)}))

    def stay(self):
        """From now on the lab outlives the process that made it."""
        os.kill(self.warden, signal.SIGUSR1)

    def down(self):
        """Ends the lab and removes its folder."""
        remove(self.name)
        self.warden = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    # Bringing it up.

    def power_on(self, nodes=None):
        """Switches nodes on, all by default; they run nothing yet."""
        for node in nodes or self.nodes.values():
            node.power_on()

    def start_corosync(self, nodes=None, deadline=30):
        """Starts corosync and waits until everyone sees everyone."""
        nodes = nodes or self.control
        if self.qnetd:
            self.start_role(self.qnetd, "qnetd")
        for node in nodes:
            self.start_role(node, "corosync")
            if self.qnetd:
                self.qnetd.enroll(node)
                self.start_role(node, "qdevice")
        self.wait_quorate(nodes, deadline)

    @staticmethod
    def start_role(node, role):
        """From now on, and after each boot."""
        node.enable(role)
        ROLES[role](node)

    def wait_quorate(self, nodes=None, deadline=30):
        """Waits until 'nodes' are quorate, each with all of their votes, and
        that of the quorum device."""
        nodes = nodes or self.control
        votes = len(nodes) + bool(self.qnetd)
        wait_until(lambda: all(n.votes() == votes for n in nodes),
                   deadline, lambda: "quorum: " + ", ".join(
                       f"{n.name} sees {n.votes()} votes" for n in nodes))

    def start_ovn_had(self, nodes=None, args=("--wait",), deadline=30):
        """Starts ovn-had and waits until one node serves."""
        for node in nodes or self.control:
            node.enable("ovn-had", args=list(args))
            node.start_ovn_had(args)
        return self.wait_active(deadline)

    def start_compute(self, nodes=None):
        """Starts the compute nodes' part."""
        for node in nodes or self.compute:
            node.enable("chassis")
            node.start_chassis()

    def open_ports(self, node):
        """Makes the databases of the active listen; replicated rows, so once
        is enough."""
        node.nbctl("set-connection", f"ptcp:{self.port('nb')}")
        node.sbctl("set-connection", f"ptcp:{self.port('sb')}")

    def create_network(self, node):
        """One logical switch with all workloads, connections tracked."""
        args = ["ls-add", SWITCH]
        for workload in self.all_workloads():
            args += ["--", "lsp-add", SWITCH, workload.name,
                     "--", "lsp-set-addresses", workload.name,
                     f"{workload.mac} {workload.address}"]
        for direction in ("from-lport", "to-lport"):
            args += ["--", "acl-add", SWITCH, direction, "100",
                     "ip4", "allow-related"]
        node.nbctl(*args)

    def wait_network(self, node, deadline=30):
        """Waits until every workload's port is up."""
        ports = [w.name for w in self.all_workloads()]

        def down():
            out = node.nbctl("--bare", "--columns=name", "find",
                             "logical_switch_port", "up=true")
            return sorted(set(ports) - set(out.split()))
        wait_until(lambda: not down(), deadline,
                   lambda: f"ports down: {', '.join(down())}")
        node.nbctl("--wait=hv", "sync")

    def all_workloads(self):
        """Of all compute nodes."""
        return [w for node in self.compute for w in node.workloads]

    def pairs(self):
        """Workloads that talk to each other: across compute nodes, node by
        node in twos."""
        found = []
        for a, b in zip(self.compute[::2], self.compute[1::2]):
            found += zip(a.workloads, b.workloads)
        return found

    def up(self, args=("--wait",)):
        """All of it, with ovn-had.  Returns the active."""
        self.create()
        self.power_on()
        self.start_corosync()
        active = self.start_ovn_had(args=args)
        self.open_ports(active)
        self.finish_compute(active)
        return active

    def finish_compute(self, active):
        """The compute nodes' part of up(), once a node serves."""
        if self.compute:
            self.start_compute()
            self.create_network(active)
            self.wait_network(active)

    @staticmethod
    def port(db):
        """The clients' TCP port of "nb" or "sb"."""
        return PORTS[db]

    def use_vip(self, address):
        """From now on clients use one address, wherever it is."""
        self.vip = address
        self._save()

    def servers(self):
        """What clients are told: {name: address}."""
        return {"vip": self.vip} if self.vip else {
            n.name: n.address for n in self.control}

    # Faults.

    def crash(self, *names):
        """Power cut.  Returns when the last link went down."""
        return [self[name].power_cut() for name in names][-1]

    def boot(self, *names, empty_disk=False):
        """Switches nodes on again and starts what they are enabled for."""
        for name in names:
            if empty_disk:
                self[name].erase_disk()
            self[name].power_on()
            self[name].start()

    def cut(self, name, peer=None, **kwargs):
        """Silences a node, or the way between two nodes."""
        self.switch.cut(self[name], peer and self[peer], **kwargs)

    def heal(self, name=None, peer=None, **kwargs):
        """Undoes a cut, or all."""
        self.switch.heal(name and self[name], peer and self[peer], **kwargs)

    def partition(self, *sides):
        """Cuts between groups of node names; clients reach all of them."""
        self.switch.cut_all([(self[a], self[b]) for i, side in enumerate(sides)
                             for other in sides[i + 1:]
                             for a in side for b in other])

    # Asking.

    def serving(self, db="nb", unix=True):
        """The control nodes that acknowledge writes."""
        return [n for n in self.control if n.serves(db, unix)]

    def active(self):
        """The node that serves both databases; None unless it is one."""
        nb, sb = self.serving("nb"), self.serving("sb")
        return nb[0] if len(nb) == 1 and nb == sb else None

    def wait_active(self, deadline=30, among=None):
        """Waits for an active, one of the names 'among' if given."""
        def found():
            node = self.active()
            return node if node and (
                among is None or node.name in among) else None
        return wait_until(found, deadline, "a node serves both databases",
                          interval=0.05)

    def dial(self, address, db):
        """A session as a client on the database network has it."""
        try:
            with inside(self.warden):
                return Session(dial((address, PORTS[db])))
        except OSError as err:
            raise Closed(str(err)) from err

    def answers(self, address, db, timeout=1.0):
        """Whether writes to an address are acknowledged to such a client."""
        return takes_writes(lambda: self.dial(address, db), db, timeout)

    def select(self, node, db, table, columns, where=()):
        """Rows of a node's database, over its own unix socket."""
        session = node.dial(db, unix=True)
        try:
            return session.transact(DATABASES[db], {
                "op": "select", "table": table, "columns": list(columns),
                "where": list(where)}, timeout=60)[0]["rows"]
        finally:
            session.close()

    def status(self):
        """One line a node."""
        lines = []
        for node in self.nodes.values():
            if not node.pid:
                lines.append(f"{node.name}  off")
                continue
            names = sorted({p.comm for p in node.processes()
                            if p.comm != "lab-keeper"})
            extra = ""
            if node in self.control:
                serves = [db for db in DATABASES if node.serves(db, True)]
                extra = f"  serves {'+'.join(serves) or 'nothing'}"
            lines.append(f"{node.name}  {node.address:12}  pid {node.pid}"
                         f"{extra}  [{' '.join(names)}]")
        for cut in self.switch.cuts():
            lines.append(f"cut: {cut}")
        return "\n".join(lines)

    def collect(self, target):
        """Copies every node's logs, state and configuration to 'target'."""
        target = Path(target)
        for node in self.nodes.values():
            for part in ("var-log", "var-lib-ovn-ha", "var-lib-ovn",
                         "etc-corosync", "etc-ovn-ha"):
                if (node.disk / part).is_dir():
                    shutil.copytree(
                        node.disk / part, target / node.name / part,
                        symlinks=True, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("authkey", "*.lock"),
                        ignore_dangling_symlinks=True,
                        copy_function=_copy_if_there)
        for file in self.folder.glob("*.*"):
            if file.is_file():
                shutil.copy(file, target)
        return target


def _copy_if_there(source, target):
    """A node that runs meanwhile renames its files and removes them."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


def remove(name):
    """Ends the lab of this name, dead or alive, and removes its folder."""
    folder = labs_folder() / name
    pids = []
    try:
        state = json.loads((folder / "state.json").read_text())
        if _warden_lives(state):
            pids.append(state["warden"])
    except (FileNotFoundError, ValueError):
        pass
    for file in folder.glob("nodes/*/pid"):
        pid = int(file.read_text() or 0)
        if _is_init(pid):
            pids.append(pid)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_until(lambda: all(process_state(p) in (None, "Z", "X")
                           for p in pids), 15, f"the end of lab {name}",
               interval=0.01)
    _remove_folder(folder)


def remove_dead():
    """Removes what is left of labs whose maker was killed."""
    for file in labs_folder().glob("*/state.json"):
        try:
            dead = not _warden_lives(json.loads(file.read_text()))
        except (FileNotFoundError, ValueError):
            continue
        if dead:
            remove(file.parent.name)


def _warden_lives(state):
    return process_state(state["warden"]) not in (None, "Z", "X") \
        and process_start(state["warden"]) == state["warden_start"]


def _is_init(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text() == "lab-init\n"
    except OSError:
        return False


def _remove_folder(folder):
    # A node's last mount can outlive its init by a moment.
    end = time.monotonic() + 10
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > end:
                raise
