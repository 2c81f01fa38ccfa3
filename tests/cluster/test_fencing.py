# SPDX-License-Identifier: Apache-2.0
"""Fence devices, with the agents that operators use and real management
controllers that cut the power of nodes: what counts as a proof, what status
says, and ovn-hactl fence."""

import json
import re

import pytest
from lab import Bmc, Corosync, wait_until
from lab.node import Process
from watch import (bring_up, cluster, configure, local, others, problem_codes,
                   reconfigure, shown, status, wait_in_sync, wait_well)

REFUSED, USAGE = 1, 2


class Chassis:
    """A node's controllers: its own, and two outlets of a power strip."""

    def __init__(self, node):
        self.node = node
        self.ipmi, self.pdu_a, self.pdu_b = (
            Bmc(node, suffix).start() for suffix in ("", "a", "bb"))
        self.all = (self.ipmi, self.pdu_a, self.pdu_b)

    def conf(self, levels=("ipmi",), more="", **options):
        """Sections of ovn-ha.conf: 'levels' of devices, 'more' lines for the
        node, and options of its own controller."""
        name = self.node.name
        text = f"[fence {name}]\n{more}"
        for i, level in enumerate(levels):
            text += f"level-{i + 1} = " + " ".join(
                f"{device}-{name}" for device in level.split()) + "\n"
        return text + self.ipmi.device(f"ipmi-{name}", **options) \
            + self.pdu_a.device(f"pdua-{name}") \
            + self.pdu_b.device(f"pdub-{name}")

    def mend(self):
        """All is well with them again."""
        for bmc in self.all:
            bmc.cont()
            bmc.set_mode("well")


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes, each with its controllers."""
    made = make_lab(control=3, compute=0, corosync=Corosync.fast())
    made.chassis = {n.name: Chassis(n) for n in made.control}
    yield made
    for chassis in made.chassis.values():
        for bmc in chassis.all:
            bmc.close()


@pytest.fixture(scope="module", autouse=True)
def active(lab):
    """The active, which stays what it is."""
    return bring_up(lab, "".join(c.conf() for c in lab.chassis.values()))


@pytest.fixture
def victim(lab, active):
    """A standby that is to be fenced; afterwards it is back, and well."""
    node = others(lab, active)[0]
    yield node
    lab.chassis[node.name].mend()
    if not node.pid:
        lab.boot(node.name)
    wait_well(lab)


def give_devices(node, text):
    """Gives a running node another configuration."""
    reconfigure(node, text)
    wait_until(lambda: local(node).get("fencing", {}).get("connected"), 20,
               "fence agents run")


def device(node, name):
    """What 'node' says of a fence device."""
    return next((d for d in local(node).get("fencing", {}).get("devices", [])
                 if d["name"] == name), {})


def wait_device(node, name, well, deadline=90):
    """Waits until 'node' says that a device is well, or not; returns what it
    says."""
    wait_until(lambda: device(node, name).get("well") == well
               and (well or device(node, name)["why"]), deadline,
               lambda: f"{name} well: {well}; {local(node).get('fencing')}")
    return device(node, name)


def fence(node, name, *args, stdin=None):
    """ovn-hactl fence; returns its result."""
    return node.exec(node.lab.program("ovn-hactl", "."), "fence", name, *args,
                     stdin=stdin, check=False, timeout=120)


def agents_of(node):
    """Processes of fence agents on a node."""
    return [p for p in node.processes()
            if any("fence_" in arg or "ipmitool" in arg for arg in p.args)]


def test_status_knows_devices(lab, active):
    """A device that answers says when; what fences this very node is left
    to the others."""
    for node in others(lab, active):
        wait_device(active, f"ipmi-{node.name}", True)
        wait_until(lambda n=node: re.search(
            rf"^fence devices of {n.name}: ipmi-{n.name} answered its "
            r"monitor \d+ s ago$", active.hactl("status", check=False),
            re.MULTILINE), 20, "status tells it")
    assert not device(active, f"ipmi-{active.name}")


def test_secrets_stay_secret(active):
    """Neither the settings nor the status show a password."""
    for text in (active.hactl("config"), json.dumps(status(active))):
        assert "s3cret" not in text
    assert "password = (secret) ;" in active.hactl("config")


def test_dead_device_is_known(lab, active, victim):
    """Before it is needed; the agent that hung is gone, with its children."""
    name = f"ipmi-{victim.name}"
    wait_device(active, name, True)
    lab.chassis[victim.name].ipmi.stop()
    why = wait_device(active, name, False)["why"]
    assert why
    assert f"{name} DOES NOT WORK: " in active.hactl("status", check=False)
    assert f"fence device {name} does not work: " in shown(
        active, "fence-device")
    assert f"{name}: " in "\n".join(
        line for line in active.log("ovn/ovn-ha-workers.log").splitlines()
        if why in line)
    lab.chassis[victim.name].ipmi.cont()
    wait_device(active, name, True)
    assert "fence-device" not in problem_codes(active)


def test_fence(lab, active, victim):
    """Only after it was confirmed; then the node is off, and it is told what
    was done."""
    result = fence(active, victim.name, stdin="yes\n")
    assert result.returncode == REFUSED and victim.pid
    assert "not confirmed; nothing was done" in result.stderr

    result = fence(active, victim.name, stdin=f"{victim.name}\n")
    assert result.returncode == 0, result
    assert not victim.pid
    assert f"level 1: ipmi-{victim.name}: off" in result.stdout
    assert re.search(rf"{victim.name} is off: proven after [\d.]+ s",
                     result.stdout)
    assert f"{victim.name} was proven to be off " in active.hactl(
        "status", check=False)
    log = active.log("ovn/ovn-ha-workers.log")
    steps = [log.find(step) for step in (
        f"ipmi-{victim.name}: off of {victim.name} begins",
        f"ipmi-{victim.name}: off: done", f"{victim.name} is off: proven")]
    assert steps[0] >= 0 and steps == sorted(steps)
    wait_until(lambda: re.search(
        rf"(fencing: node {victim.index} is off|verdict: node {victim.index} "
        "serves no more: a fence device)", active.hactl("history")), 20,
        "history tells it")
    wait_in_sync(active, [n.name for n in others(lab, victim)])


def test_power_on(lab, active, victim):
    """Where it is configured, the node is switched on again after the proof,
    and comes back."""
    give_devices(active, lab.chassis[victim.name].conf(more="power-on = yes\n"))
    wait_device(active, f"ipmi-{victim.name}", True)
    before = victim.pid
    result = fence(active, victim.name, "--yes")
    assert result.returncode == 0, result
    steps = re.findall(rf"level 1: ipmi-{victim.name}: (off|on)\b",
                       result.stdout)
    assert steps == ["off", "on"], result
    wait_until(lambda: victim.pid not in (None, before), 40, "it boots")
    wait_until(lambda: cluster(active)["health"] == "ok", 60, "it is back")
    assert cluster(active)["active"] == active.name


def test_fence_refuses(active, victim):
    """What cannot be, and what nobody wants."""
    for name, reason in ((active.name, "a node does not fence itself"),
                         ("n9", "there is no node n9")):
        result = fence(active, name, "--yes")
        assert result.returncode == REFUSED
        assert reason in result.stderr, result
    result = active.exec(active.lab.program("ovn-hactl", "."), "fence",
                         check=False)
    assert result.returncode == USAGE
    assert victim.pid


def test_second_level(lab, active, victim):
    """A controller that refuses: then the power strip, of which both outlets
    have to be off."""
    chassis = lab.chassis[victim.name]
    give_devices(active, chassis.conf(("ipmi", "pdua pdub"), retries=0))
    for name in ("ipmi", "pdua", "pdub"):
        wait_device(active, f"{name}-{victim.name}", True)
    chassis.ipmi.set_mode("fails")
    result = fence(active, victim.name, "--yes")
    assert result.returncode == 0, result
    assert not victim.pid
    steps = [line for line in result.stdout.splitlines() if ": off" in line]
    assert steps == [f"level 1: ipmi-{victim.name}: off",
                     f"level 2: pdua-{victim.name}: off",
                     f"level 2: pdub-{victim.name}: off"]


def test_one_outlet_is_not_enough(lab, active, victim):
    """The second outlet does not switch: no proof, though the first says
    that it is off."""
    chassis = lab.chassis[victim.name]
    give_devices(active, chassis.conf(("pdua pdub",)))
    for name in ("pdua", "pdub"):
        wait_device(active, f"{name}-{victim.name}", True)
    chassis.pdu_a.set_mode("lies")
    chassis.pdu_b.set_mode("fails")
    result = fence(active, victim.name, "--yes")
    assert result.returncode == REFUSED and victim.pid
    assert f"{victim.name} could not be fenced: " in result.stderr
    assert f"{victim.name} could NOT be fenced: " in active.hactl(
        "status", check=False)


def test_hanging_agent(lab, active, victim):
    """It is ended in its time, and leaves no process behind."""
    chassis = lab.chassis[victim.name]
    give_devices(active, chassis.conf(retries=0, **{"timeout-ms": 8000}))
    wait_device(active, f"ipmi-{victim.name}", True)
    chassis.ipmi.stop()
    result = fence(active, victim.name, "--yes")
    assert result.returncode == REFUSED and victim.pid
    assert re.search("(off|monitor) took too long and was killed",
                     result.stderr), result
    wait_until(lambda: not agents_of(active), 10, "no agent is left",
               interval=0.05)


def test_liar_and_second_proof(lab, active, victim):
    """A controller that says "off" of a node that lives is not believed
    where another device has to confirm."""
    chassis = lab.chassis[victim.name]
    give_devices(active, chassis.conf(more=f"confirm = pdua-{victim.name}\n",
                                     retries=0))
    wait_device(active, f"ipmi-{victim.name}", True)
    wait_device(active, f"pdua-{victim.name}", True)
    chassis.ipmi.set_mode("lies")
    result = fence(active, victim.name, "--yes")
    assert result.returncode == REFUSED and victim.pid
    assert "it says that the node is still on" in result.stderr

    chassis.ipmi.set_mode("well")
    result = fence(active, victim.name, "--yes")
    assert result.returncode == 0 and not victim.pid
    assert f"pdua-{victim.name}: status" in result.stdout


def test_wrong_password(lab, active, victim):
    """Known from its monitor, and useless for fencing."""
    chassis = lab.chassis[victim.name]
    give_devices(active, chassis.conf(password="wrong", retries=0))
    wait_device(active, f"ipmi-{victim.name}", False)
    result = fence(active, victim.name, "--yes")
    assert result.returncode == REFUSED and victim.pid
    assert "monitor failed (exit status 1)" in result.stderr


def test_unknown_parameter(lab, active, victim):
    """Compared with the agent's metadata, before it is needed."""
    chassis = lab.chassis[victim.name]
    give_devices(active, chassis.conf().replace("lanplus =", "lanplsu ="))
    found = wait_device(active, f"ipmi-{victim.name}", False)
    assert found["why"] == 'the agent has no parameter "lanplsu"'
    assert not found["fits"]


def test_configuration_is_checked(lab, active):
    """A reload with nonsense is refused, and so is a secret that others can
    read."""
    text = "".join(c.conf() for c in lab.chassis.values())
    for wrong, reason in (
            (text.replace(f"[fence {active.name}]", "[fence n9]"),
             "corosync's nodelist has no such node"),
            (text.replace("level-1 = ipmi", "level-1 = impi"),
             "there is no [device impi-n1]")):
        configure(active, wrong)
        result = active.exec(lab.program("ovn-hactl", "."), "reload",
                             check=False)
        assert result.returncode == REFUSED and reason in result.stderr
    configure(active, text)
    active.root("/etc/ovn-ha/ovn-ha.conf").chmod(0o644)
    result = active.exec(lab.program("ovn-hactl", "."), "reload", check=False)
    assert "is a secret, but others than root can read" in result.stderr
    reconfigure(active, text)
    wait_well(lab)


def test_agents_process_comes_back(lab, active, victim):
    """Its death costs nothing but a moment; the door does not notice."""
    give_devices(active, lab.chassis[victim.name].conf())
    wait_device(active, f"ipmi-{victim.name}", True)
    before = local(active)
    runner, = [p for p in active.processes() if p.comm == "ovn-ha-agents"]
    assert isinstance(runner, Process)
    runner.send_signal(9)
    wait_until(runner.gone, 10, "it is dead")
    wait_device(active, f"ipmi-{victim.name}", True)
    after = local(active)
    assert after["fencing"]["pid"] != before["fencing"]["pid"]
    assert after["fence"]["pid"] == before["fence"]["pid"]
    assert after["fence"]["lease_losses"] == before["fence"]["lease_losses"]
    assert fence(active, victim.name, "--yes").returncode == 0
    assert not victim.pid
