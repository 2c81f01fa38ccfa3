# SPDX-License-Identifier: Apache-2.0
"""A management controller for a node of a lab: a real one of IPMI over LAN
(ipmi_sim), which cuts the node's power and switches it on.

It listens on the clients' side of the wires, so that it lives when its node
does not, and ends with the process that started it.  What is wrong with it is
chosen by set_mode(): "well"; "fails", it refuses to switch; "lies", it says
that it has switched; stop() and cont() make it hang; close() makes it
unreachable.

Run as a program it is the hook that ipmi_sim calls:
bmc.py LAB NODE FOLDER set power|reset|shutdown VALUE"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

USER, PASSWORD = "admin", "s3cret"
PR_SET_PDEATHSIG = 1

LAN = """name "{name}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcd{index:02x}
  endlan
  chassis_control "{hook}"
  user 1 false "" "" user 10 none md2 md5 straight
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""

EMU = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""


# What is asked for all the time has to be cheap.
HOOK = """#!/bin/sh
if [ "$1 $2" = "get power" ]; then
    state=$(grep -s '^State:' "/proc/$(cat '{pid}')/status")
    case "$state" in
        '' | *Z* | *X*) echo power:0;;
        *) [ -e '{folder}/lied' ] && echo power:0 || echo power:1;;
    esac
    exit 0
fi
export TMPDIR='{tmp}'
exec /usr/bin/python3 '{program}' {lab} {node} '{folder}' "$@"
"""


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Bmc:
    """See the module.  'suffix' tells several of one node apart."""

    def __init__(self, node, suffix=""):
        self.node, self.lab = node, node.lab
        self.port = 9000 + node.index + 50 * len(suffix)
        self.name = f"{node.name}{suffix}"
        self.folder = self.lab.folder / "bmc" / self.name
        self.process = None

    def start(self):
        """Starts it, well."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.set_mode("well")
        hook = self.folder / "hook"
        hook.write_text(HOOK.format(
            tmp=self.lab.folder.parents[1], program=Path(__file__).resolve(),
            lab=self.lab.name, node=self.node.name, folder=self.folder,
            pid=self.node.folder / "pid"))
        hook.chmod(0o755)
        (self.folder / "lan.conf").write_text(LAN.format(
            name=self.name, address=self.lab.client_address, port=self.port,
            index=self.node.index, hook=hook, user=USER, password=PASSWORD))
        (self.folder / "emu").write_text(EMU)
        with open(self.folder / "log", "ab") as log:
            # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            self.process = subprocess.Popen(
                self.lab.switch.command(
                    ["ipmi_sim", "-c", self.folder / "lan.conf",
                     "-f", self.folder / "emu", "-s", self.folder / "state",
                     "-n"]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_die_with_parent)
        return self

    def set_mode(self, mode):
        """What is wrong with it from now on; see the module."""
        (self.folder / "mode").write_text(mode)
        (self.folder / "lied").unlink(missing_ok=True)

    def stop(self):
        """It hangs."""
        self.process.send_signal(signal.SIGSTOP)

    def cont(self):
        """It hangs no more."""
        self.process.send_signal(signal.SIGCONT)

    def switches(self):
        """Whether it is about to switch the node, maybe for an agent that has
        given up meanwhile."""
        folder = os.fsencode(str(self.folder))
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                args = file.read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            if folder in args and b" set " in args:
                return True
        return False

    def close(self):
        """It is gone."""
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def device(self, name, password=PASSWORD, **options):
        """A section of ovn-ha.conf for it."""
        options = {"agent": "fence_ipmilan", "monitor-s": 3,
                   "timeout-ms": 20000, **options,
                   "ip": self.lab.client_address, "ipport": self.port,
                   "lanplus": 1, "cipher": 3, "username": USER,
                   "password": password, "power_wait": 0}
        return f"[device {name}]\n" + "".join(
            f"{key} = {value}\n" for key, value in options.items())


def hook(lab_name, node_name, folder, _verb, what, value):
    """Does what the chassis is told.  Returns an exit status."""
    # pylint: disable=import-outside-toplevel
    from lab import Lab
    node = Lab.load(lab_name)[node_name]
    folder = Path(folder)
    mode = (folder / "mode").read_text()
    if mode == "fails":
        return 1
    if mode == "lies":
        (folder / "lied").touch()
        return 0
    if node.pid and (what != "power" or value == "0"):
        node.power_cut()
    if not node.pid and what == "power" and value == "1" or what == "reset":
        _boot(node)
    return 0


def _boot(node):
    """Booting takes longer than a controller waits."""
    if os.fork():
        return
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, 1024)
    node.power_on()
    node.start()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(hook(*sys.argv[1:]))
