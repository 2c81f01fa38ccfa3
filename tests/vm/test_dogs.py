# SPDX-License-Identifier: Apache-2.0
"""Watchdogs of a real kernel: one of the machine, and one of the kernel
itself.  What holds the active up has it reset before another node serves; what
does not, or is planned, leaves it alone."""

import time

import pytest
from guard import Guard
from lab import CommandError, wait_until
from machine import IDENTITIES, PANIC_SAYS
from watch import (Watch, bring_up, dog_state, local, others, switch_to,
                   wait_equal, wait_in_sync, wait_well)

LEASE_MS = 5100
TIMEOUT_S = 4       # The longest that fits.
# The machine is emulated: writes a second, and the prober's questions.
LOAD = {"rate": 3, "period_ms": 200}
TIMING = f"[timing]\nlease-ms = {LEASE_MS}\n"


@pytest.fixture(scope="module", params=IDENTITIES)
def lab(make_lab, request):
    """Three control nodes, of which the machine alone has a watchdog."""
    made = make_lab(control=3, dog=request.param)
    bring_up(made, {node.name: TIMING for node in made.control} | {
        made.machine.name: f"{TIMING}[watchdog]\n"
        f"identity = {IDENTITIES[request.param]}\n"})
    yield made
    # Two machines would be in each other's way.
    made.down()


@pytest.fixture
def machine(lab):
    """The machine, which serves, its watchdog armed; and the same after the
    test as a member in good health."""
    switch_to(lab, lab.machine)
    wait_dog(lab.machine, "armed")
    assert kernel_says(lab.machine, "timeout") == str(TIMEOUT_S)
    yield lab.machine
    if not lab.machine.pid:
        lab.boot(lab.machine.name)
    wait_well(lab)


def wait_dog(machine, state):
    """Waits until ovn-had and the kernel agree about the watchdog."""
    active = "active" if state == "armed" else "inactive"
    wait_until(lambda: (dog_state(machine), kernel_says(machine, "state"))
               == (state, active), 40, lambda: f"{state}: "
               f"{local(machine).get('fence')}", interval=0.1)


def kernel_says(machine, what):
    """What the machine's kernel says of its watchdog."""
    return machine.root(
        f"/sys/class/watchdog/watchdog0/{what}").read_text().strip()


def uptime(machine):
    """Seconds by the machine's own clock."""
    return float(machine.root("/proc/uptime").read_text().split()[0])


def spared(machine, condition=lambda: True):
    """The machine lives on for longer than its watchdog would wait."""
    end = uptime(machine) + 2.5 * TIMEOUT_S

    def over():
        assert machine.pid, "it was reset"
        assert condition()
        return uptime(machine) > end
    wait_until(over, machine.lab.patience, "time passes for the machine",
               interval=0.5)


class TakeOver:
    """A fault of the active machine, under load, which ends it: another node
    serves, never both at a time, and nothing is lost but what was in
    flight."""

    def __init__(self, lab, name):
        self.lab, self.old = lab, lab.machine
        self.watch = Watch(lab, name, **LOAD)
        self.had = self.new = None

    def __enter__(self):
        self.watch.__enter__()
        self.watch.busy()
        self.had = self.watch.everywhere(others(self.lab, self.old))
        return self

    def __exit__(self, *args):
        self.watch.__exit__(*args)

    def wait_new(self, fault):
        """Waits until another node acknowledges writes."""
        rest = [n.name for n in others(self.lab, self.old)]
        self.new = self.lab.wait_active(self.lab.patience, rest)
        self.watch.acknowledged(fault, self.new)
        wait_in_sync(self.new, rest)

    def verify(self):
        """The machine boots and follows."""
        self.lab.boot(self.old.name)
        assert wait_well(self.lab) is self.new
        self.watch.busy()
        self.watch.assert_lost_in_flight(self.new, self.old, self.had)
        self.watch.assert_one_at_a_time(self.old, self.new)
        assert self.watch.turns("nb") == self.watch.turns("sb") \
            == [self.old.name, self.new.name]
        wait_equal(self.lab)


def assert_reset(lab, name, *targets):
    """The processes stand still until the watchdog ends that."""
    machine = lab.machine
    with TakeOver(lab, name) as take_over:
        fault = machine.stop_all(targets)
        assert machine.wait_end(lab.patience) == machine.dog
        take_over.wait_new(fault)
        take_over.verify()


def test_frozen_worker(lab, machine):
    """Whoever could close the door, and whoever would start them again."""
    assert_reset(lab, "worker", "ovn-had", "fence")


def test_frozen_node(lab, machine):
    """Everything that the machine runs."""
    assert_reset(lab, "node", "all")


def test_frozen_ovn_had(lab, machine):
    """The worker closes the door, and feeds the watchdog until then: no reason
    for a reset."""
    with Guard(lab, "had", **LOAD) as guard:
        old = machine.stop("ovn-had")
        wait_until(lambda: all(p.gone() for p in old), lab.patience,
                   "ovn-had is replaced")
        spared(machine)
        guard.verify()


def test_frozen_fence_worker(lab, machine):
    """The worker alone: ovn-had ends it, and a new one closes the door.  If
    that takes this machine too long it is reset, which is as good."""
    with Guard(lab, "fence", **LOAD) as guard:
        guard.busy()
        had = guard.everywhere(others(lab, machine))
        [old] = machine.stop("fence")

        def over():
            try:
                return not machine.pid or old.gone()
            except CommandError:
                return False        # It is being reset.
        wait_until(over, lab.patience, "the fence worker is ended")
        if machine.pid:
            guard.verify()
            return
        assert machine.wait_end(lab.patience) == machine.dog
        lab.boot(machine.name)
        new = wait_well(lab)
        guard.busy()
        # A reset takes with it what was not yet on the machine's disk.
        guard.assert_lost_in_flight(new, machine, had)
        guard.assert_one_at_a_time(machine, new)


def test_panic(lab, machine):
    """The kernel panics.  A watchdog of its own is none any more: what keeps
    two from serving then is the lease alone."""
    with TakeOver(lab, "panic") as take_over:
        fault = time.time()
        machine.panic()
        if machine.dog == "softdog":
            take_over.wait_new(fault)
            assert machine.pid and PANIC_SAYS in machine.console
            lab.crash(machine.name)
        else:
            assert machine.wait_end(lab.patience) == machine.dog
            take_over.wait_new(fault)
        take_over.verify()


def test_spared(lab, machine):
    """Who serves in good health, moves the role away and back, stands still
    as a standby, or ends the service is not reset."""
    with Watch(lab, "spared", **LOAD) as watch:
        watch.busy()
        spared(machine, lambda: kernel_says(machine, "state") == "active")

        standby = others(lab, machine)[0]
        switch_to(lab, standby)
        wait_dog(machine, "ready")
        machine.stop("all")
        spared(machine)
        machine.cont("all")
        switch_to(lab, machine)
        wait_dog(machine, "armed")

        machine.service_stop("ovn-had", lab.patience)
        assert kernel_says(machine, "state") == "inactive"
        spared(machine)
        new = lab.wait_active(lab.patience)
        machine.start_ovn_had()
        assert wait_well(lab) is new
        watch.assert_none_lost(new)
        assert watch.turns("nb") == watch.turns("sb") == [
            n.name for n in (machine, standby, machine, new)]
