# SPDX-License-Identifier: Apache-2.0
"""A control node that is a machine: QEMU runs in the lab's node, which is
only its case.  The machine has the node's address, its /etc and /var/log, and
a disk of its own for /var/lib; it has a kernel, and a watchdog.

What stops the machine (a reset, too) switches the node off: nothing starts it
again before a test does.  And the node's power is the machine's: whatever
cuts it, a fence device as well, ends QEMU.

    .dog        the watchdog's driver, "i6300esb" or "softdog"
    .qmp        see qmp.py"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from agent import PORT, read_line
from chaos.lookout import status as ask_status
from image import QEMU, image
from lab import CommandError, ControlNode, Corosync, Lab, wait_until
from lab.netns import inside
from lab.node import Process
from lab.ovsdb import DATABASES
from lab.shell import TOP, run
from qmp import Qmp

IDENTITIES = {"i6300esb": "i6300ESB timer", "softdog": "Software Watchdog"}

# What the kernel says on its console.
SOFTDOG_SAYS = "Initiating system reboot"
PANIC_SAYS = "Kernel panic"

RUN_FIRST = "echo -15 2>/dev/null >/proc/self/autogroup; nice -n -15 "

BOOT_S = 120
DISK_BYTES = 1 << 30
DOORS = [f"/run/ovn/ovn{db}_db.sock" for db in DATABASES] \
    + [f"/run/ovn-ha/private/{db}.sock" for db in DATABASES] \
    + ["/run/ovn-ha/status.sock"]


class MachineProcess(Process):
    """A process of a machine, by its pid there."""
    node = None

    @classmethod
    def of(cls, node, *fields):
        """One that the agent told of."""
        process = cls(*fields)
        process.node = node
        return process

    def send_signal(self, number):
        self.node.ask("signal", pids=[self.pid], number=number)

    def now(self):
        return self.node.ask("states", pids=[self.pid])["states"][0]


class MachineFile:
    """A path of a machine, as far as tests need one.  As text it is the path
    of its door, for sockets."""

    def __init__(self, node, path):
        self.node, self.path = node, str(path)

    def __truediv__(self, name):
        return MachineFile(self.node, f"{self.path}/{name}")

    def __str__(self):
        return f"/proc/{self.node.pid}/root{self.path}"

    def read_text(self, errors="replace"):
        """As of a Path; other 'errors' are none."""
        assert errors == "replace"
        answer = self.node.ask("read", path=self.path)
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]),
                          self.path)
        return answer["text"]

    def glob(self, pattern):
        """As of a Path."""
        return [MachineFile(self.node, path) for path in self.node.ask(
            "glob", pattern=f"{self.path}/{pattern}")["paths"]]

    def exists(self):
        """As of a Path."""
        return bool(self.node.ask("glob", pattern=self.path)["paths"])

    def is_dir(self):
        """As of a Path."""
        return bool(self.node.ask("glob", pattern=f"{self.path}/")["paths"])


class Machine(ControlNode):
    """See the module."""

    dog = "i6300esb"

    def __init__(self, lab, name, index):
        super().__init__(lab, name, index)
        self.qmp = None
        self._qemu = None
        self._paused = False

    @property
    def console(self):
        """What its kernel said."""
        return self.log("console.log")

    # Power.

    @property
    def case_address(self):
        """Of the node around the machine: what is asked from inside the node
        comes from there, past all cuts."""
        return f"10.10.0.{100 + self.index}"

    def plug_in(self):
        self.lab.switch.plug(self, "db", "wire")
        run(["nsenter", "-t", self.pid, "-n", "--", "ip", "-batch", "-"],
            stdin="\n".join([
                "link add case type bridge stp_state 0 forward_delay 0 "
                "mcast_snooping 0",
                "tuntap add dev tap mode tap",
                "link set tap mtu 1600 master case up",
                "link set wire master case",
                "link set case mtu 1600 up",
                f"addr add {self.case_address}/24 dev case"]) + "\n")

    def power_on(self):
        """Boots it."""
        self.take_out()
        super().power_on()
        disk = self.folder / "disk.ext4"
        if not disk.exists():
            with disk.open("wb") as file:
                file.truncate(DISK_BYTES)
            run(["mkfs.ext4", "-q", "-E", "nodiscard", disk])
        control = self.folder / "qmp"
        control.unlink(missing_ok=True)
        # The end of the machine is that of the node.  As a machine of its own
        # it would not wait for a core of ours.
        self.qmp = None
        self._qemu = subprocess.Popen(self.command(
            ["sh", "-c", RUN_FIRST + '"$@"; kill -TERM 1', "sh", *map(
                str, self._arguments(disk, control))]),
            stdin=subprocess.DEVNULL, start_new_session=True)
        subprocess.run(self.command(
            ["sh", "-c", '"$@" </dev/null >/var/log/lab/doors.log 2>&1 &',
             "sh", sys.executable, Path(__file__).with_name("doors.py"),
             self.address, *DOORS]), check=True)
        self.qmp = wait_until(lambda: self._dial_qemu(control), 30,
                              "QEMU answers")
        wait_until(self._answers, BOOT_S,
                   lambda: f"{self.name} boots:\n{self.console[-2000:]}")
        self.ask("set_clock", seconds=time.time())

    def _arguments(self, disk, control):
        """QEMU's command line."""
        def share(tag, path, options=""):
            return ["-fsdev", f"local,id={tag},path={path},"
                    f"security_model=none,multidevs=remap{options}",
                    "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        return [
            QEMU, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-m", "768", *image().arguments(),
            "-append", "console=ttyS0 quiet clocksource=hpet panic=0 "
            "mitigations=off init_on_alloc=0 nokaslr audit=0 "
            f"LAB_TOP={TOP} LAB_NODE={self.name} LAB_DOG={self.dog} "
            f"LAB_ADDRESS={self.address}",
            "-serial", "file:/var/log/console.log",
            "-qmp", f"unix:{control},server=on,wait=off",
            *share("root", "/", ",readonly=on"),
            *share("etc", "/etc"), *share("log", "/var/log"),
            # What the machine has synced is in a file here, which outlives
            # QEMU: more is not needed.
            "-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe",
            "-device", "virtio-blk-pci,drive=disk",
            "-netdev", "tap,id=net,ifname=tap,script=no,downscript=no",
            "-device", "virtio-net-pci,netdev=net,romfile=,host_mtu=1600,"
            f"mac=52:54:00:00:00:{self.index:02x}",
            "-device", "i6300esb"]

    def _dial_qemu(self, control):
        if self._qemu.poll() is not None:
            raise CommandError("QEMU did not start")
        try:
            return Qmp(control)
        except OSError:
            return None

    def _answers(self):
        if not self.pid:
            raise CommandError(f"{self.name} is off again: {self.console}")
        try:
            self.ask("states", pids=[], patience=1)
            return True
        except CommandError:
            return False

    def power_cut(self):
        when = super().power_cut()
        self.take_out()
        return when

    def take_out(self):
        """What is left of a machine that is off."""
        if self._qemu:
            self._qemu.wait(20)
            if self.qmp:
                self.qmp.close()
        self._qemu = None
        self._paused = False

    def wait_end(self, deadline):
        """Waits until the machine has ended by itself; returns what reset it:
        a watchdog's driver, or "other" for whatever else it was."""
        wait_until(lambda: not self.pid, deadline,
                   lambda: f"{self.name} is reset; its kernel says "
                   f"{self.console[-1000:]}")
        self.take_out()
        if self.qmp.told("WATCHDOG"):
            return "i6300esb"
        return "softdog" if SOFTDOG_SAYS in self.console else "other"

    def erase_disk(self):
        super().erase_disk()
        (self.folder / "disk.ext4").unlink(missing_ok=True)

    def pause(self):
        """The hypervisor stops it: its clocks, too."""
        self.qmp.command("stop")
        self._paused = True

    def go_on(self):
        """Undoes pause()."""
        self._paused = False
        self.qmp.command("cont")

    def panic(self):
        """Its kernel panics."""
        try:
            self.ask("panic", patience=1)
        except CommandError:
            pass        # Who panics does not answer.
        wait_until(lambda: PANIC_SAYS in self.console, 60,
                   f"the kernel of {self.name} panics")

    # Commands, files, processes: what its agent does.

    def ask(self, word, *, patience=30.0, **arguments):
        """Has the agent do something; returns its answer."""
        pid = self.pid
        if not pid:
            raise CommandError(f"{self.name} is off")
        if self._paused:
            raise CommandError(f"{self.name} is paused")
        try:
            with inside(pid):
                sock = socket.create_connection((self.address, PORT),
                                                patience)
            with sock:
                sock.sendall(json.dumps(
                    {"do": word, **arguments}).encode() + b"\n")
                return json.loads(read_line(sock))
        except (OSError, ValueError) as err:
            raise CommandError(f"{self.name}: {word}: {err}") from err

    def exec(self, *argv, check=True, stdin=None, timeout=30.0, netns=None):
        assert netns is None
        argv = [str(arg) for arg in argv]
        answer = self.ask("run", argv=argv, env=self.environment(),
                          stdin=stdin, timeout=timeout, patience=timeout + 5)
        if "error" in answer:
            raise CommandError(f"{self.name}: {argv}: {answer['error']}")
        result = subprocess.CompletedProcess(argv, **{
            "returncode": answer["returncode"], "stdout": answer["stdout"],
            "stderr": answer["stderr"]})
        if check and result.returncode != 0:
            raise CommandError(
                f"{self.name}: {argv}: exit status {result.returncode}: "
                f"{(result.stderr or result.stdout).strip()}")
        return result

    def hactl(self, *args, **kwargs):
        """What is asked all the time comes without starting a program: that
        takes half a second here."""
        if args == ("status", "--json"):
            return json.dumps(ask_status(self, patience=10))
        return super().hactl(*args, **kwargs)

    def root(self, path):
        """Of the machine: its disk's paths and /run only while it is on."""
        path = Path(path)
        if not self.pid or path.is_relative_to("/etc") \
                or path.is_relative_to("/var/log"):
            return super().root(path)
        return MachineFile(self, path)

    def inner_state(self, pid):
        return self.ask("states", pids=[pid])["states"][0]

    def processes(self):
        if not self.pid:
            return []
        return [MachineProcess.of(self, *fields)
                for fields in self.ask("processes")["processes"]]

    def send_signal(self, target, number):
        found = self.find(target)
        if not found:
            raise CommandError(f"no process {target} on {self.name}")
        self.ask("signal", pids=[p.pid for p in found], number=number)
        return found

    def stop_all(self, targets):
        """SIGSTOP to all of several targets at once.  Returns when."""
        when = time.time()
        pids = {p.pid for target in targets for p in self.find(target)}
        self.ask("signal", pids=sorted(pids), number=signal.SIGSTOP)
        return when


def slow_corosync():
    """One that does not mind how an emulated machine stutters."""
    return Corosync(token_ms=5000, coefficient_ms=0)


class MachineLab(Lab):
    """A lab whose n1 is a machine with a watchdog of this driver.  Emulated,
    it is slow: corosync and everyone who waits have patience."""

    patience = 180

    def __init__(self, name, dog="i6300esb", **kwargs):
        kwargs.setdefault("corosync", slow_corosync())
        super().__init__(name, **{"compute": 0, **kwargs})
        self.machine = Machine(self, "n1", 1)
        self.machine.dog = dog
        self.control[0] = self.nodes["n1"] = self.machine

    def start_corosync(self, nodes=None, deadline=patience):
        super().start_corosync(nodes, deadline)

    def start_ovn_had(self, nodes=None, args=("--wait",), deadline=patience):
        return super().start_ovn_had(nodes, args, deadline)

    def status(self):
        """Also of a machine that does not answer."""
        try:
            return super().status()
        except CommandError as err:
            return str(err)

    def collect(self, target):
        target = super().collect(target)
        try:
            journal = self.machine.root(
                "/var/lib/ovn-ha/history/history.log").read_text()
        except (CommandError, OSError):
            return target       # It is off, or does not answer.
        (target / "n1" / "history.log").write_text(journal)
        return target

    def down(self):
        super().down()
        self.machine.take_out()
