# SPDX-License-Identifier: Apache-2.0
"""The watchdog: ovn-ha-fence on real ovsdb-servers and a device that is played
by tests/cluster/watchdog.c, and a whole cluster with one in each node."""

import os
import re
import signal
import struct
from pathlib import Path

import pytest
from dog import IDENTITY, Dog
from fence_parts import (CLOSE, CLOSED, CLOSING, DOG_ARMED, DOG_MISSING,
                         DOG_NONE, DOG_READY, EXIT, OPEN, WAITING, Cluster,
                         boottime_us, is_dead, kill, serve)
from lab import Corosync, wait_until
from preload import build_preload
from watch import bring_up as bring_up_lab
from watch import (dog_state, local, others, problem_codes, shown, switch_to,
                   wait_well)

DEVICE = "/dev/watchdog0"
LEASE = 1.5
TIMEOUT_S = 1
MAX_MS = 1400
NOWAYOUT_NO, NOWAYOUT_YES = 1, 2


def told(device=DEVICE, identity="", timeout_s=TIMEOUT_S, pretimeout_s=0,
         max_ms=MAX_MS, reset_program="", reset_after_ms=300):
    """struct wire_watchdog."""
    return struct.pack("=108s36sIIII108s", device.encode(), identity.encode(),
                       timeout_s, pretimeout_s, max_ms, reset_after_ms,
                       reset_program.encode())


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return build_preload("watchdog", tmp_path_factory.mktemp("driver"))


@pytest.fixture
def cluster(tmp_path, driver):
    cluster = Cluster(tmp_path, Path(os.environ["OVN_HA_PKGLIBEXECDIR"])
                      / "ovn-ha-fence", lease=LEASE, watchdog=told())
    cluster.prefix = ["env", f"LD_PRELOAD={driver}",
                      f"WATCHDOG_STATE={tmp_path}/dog",
                      f"WATCHDOG_SYSFS={tmp_path}/sys"]
    cluster.dog = None
    yield cluster
    if cluster.dog:
        cluster.dog.stop()
    cluster.stop()
    print(cluster.logs(), cluster.dog)


def power_cut(node):
    """What a reset does to a node, however it stands still."""
    for proc in [node.worker, *(s.process for s in node.servers)]:
        kill(proc)


def bring_up(cluster, **registers):
    """Node 1 with databases and a watchdog, and its two supporters."""
    cluster.dog = Dog(cluster.folder / "dog",
                      lambda: power_cut(cluster.nodes[1]), **registers)
    return cluster.bring_up()


def wait_dog(node, state, deadline=3):
    wait_until(lambda: node.sup.state and node.sup.state.dog == state,
               deadline, lambda: f"watchdog {state}, but {node.sup.state}",
               interval=0.005)
    return node.sup.state


def fed_while(dog, condition, seconds=2.5 * TIMEOUT_S):
    """It stays armed for so long, is fed, and does not bite."""
    n, end = dog.n_fed, boottime_us() + seconds * 1e6
    while boottime_us() < end:
        assert dog.armed and not dog.bitten_us and condition(), dog
    return dog.n_fed - n


def test_armed_while_it_serves(cluster):
    """Tried and disarmed on a standby; armed before the door opens; fed;
    disarmed once it is proven shut."""
    node = bring_up(cluster)
    dog = cluster.dog
    state = wait_dog(node, DOG_READY)
    assert (state.identity, state.dog_path) == (IDENTITY, DEVICE)
    assert not dog.armed and dog.n_disarmed == 1 and dog.timeout_s == 1
    opened = []
    node.sup.serve(1, 1)
    wait_until(lambda: opened.append((dog.armed, node.servers[0].remotes()))
               or len(opened[-1][1]) > 1, 5, interval=0.001)
    assert all(armed for armed, remotes in opened if len(remotes) > 1)
    assert node.sup.wait_door(OPEN).dog == DOG_ARMED
    assert fed_while(dog, node.open) >= 8
    node.sup.send(CLOSE, bytes(8))
    wait_dog(node, DOG_READY)
    assert node.shut() and not dog.armed and dog.n_disarmed == 2
    # A clean end of one that serves is no reason to bite, either.
    node.start_northd()
    node.tell()
    for n in cluster.nodes.values():
        n.sup.support(2, 1)
    dog.set("blocked", 1)
    node.sup.serve(2, 1)
    wait_until(lambda: node.sup.state and any(
        s.door == WAITING and s.why == "the watchdog is being armed"
        for s in node.sup.states), 5, interval=0.005)
    dog.set("blocked", 0)
    node.sup.wait_door(OPEN)
    node.sup.send(EXIT)
    assert node.worker.wait(5) == 0
    assert node.shut() and not dog.armed and dog.n_disarmed == 3
    assert not dog.bitten_us


def test_frozen_worker(cluster):
    """Nobody closes the door: the node is reset before its lease ends."""
    node = bring_up(cluster)
    serve(node)
    frozen = boottime_us()
    os.kill(node.worker.pid, signal.SIGSTOP)
    wait_until(lambda: cluster.dog.bitten_us, 10, lambda: cluster.dog)
    # The last beat that could be acknowledged was sent before.
    bite = cluster.dog.fed_us + TIMEOUT_S * 1e6
    assert bite < frozen + LEASE * 1e6
    wait_until(lambda: is_dead(node.servers[0].process), 5)


def test_lost_lease_is_no_bite(cluster):
    """The door is closed in time, also with a server that has to be killed
    for it."""
    node = bring_up(cluster)
    serve(node)
    os.kill(node.servers[0].process.pid, signal.SIGSTOP)
    for ident in (2, 3):
        cluster.nodes[ident].worker.kill()
    node.sup.wait_door(CLOSED)
    wait_dog(node, DOG_READY)
    assert is_dead(node.servers[0].process) and not cluster.dog.bitten_us


def test_what_does_not_end_is_reset(cluster):
    """A database that is killed and does not end keeps the door from being
    shut: the worker, which is well, stops feeding."""
    node = bring_up(cluster)
    serve(node)
    cluster.dog.immortal.touch()
    os.kill(node.servers[0].process.pid, signal.SIGSTOP)
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSING)
    wait_until(lambda: cluster.dog.bitten_us, 10, lambda: cluster.dog)
    log = node.log.read_text()
    assert 0 <= log.find("killing ovsdb-server") \
        < log.find("no longer fed: this node is reset in")


def test_what_does_not_end_is_reset_without_a_lease(cluster):
    """Also of a pair on proof, whose lease has no end: one lease after the
    door began to close."""
    cluster.dog = Dog(cluster.folder / "dog",
                      lambda: power_cut(cluster.nodes[1]))
    node = cluster.alone()
    serve(node)
    assert fed_while(cluster.dog, node.open) >= 8
    cluster.dog.immortal.touch()
    os.kill(node.servers[0].process.pid, signal.SIGSTOP)
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSING)
    closing = boottime_us()
    wait_until(lambda: cluster.dog.bitten_us, 10, lambda: cluster.dog)
    assert cluster.dog.fed_us + TIMEOUT_S * 1e6 < closing + LEASE * 1e6


def test_what_ends_within_the_lease_is_not_reset(cluster):
    """A door that is closed on purpose has until the end of the lease that it
    had, which may be long after the watchdog's timeout; and no longer."""
    cluster.lease = 5 * TIMEOUT_S
    node = bring_up(cluster)
    dog = cluster.dog
    node.sup.serve(1, 1)
    node.sup.wait_door(OPEN, 20)    # One lease is over.
    dog.immortal.touch()
    os.kill(node.servers[0].process.pid, signal.SIGSTOP)
    closed = boottime_us()
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSING)
    wait_until(lambda: dog.fed_us > closed + TIMEOUT_S * 1e6 or dog.bitten_us,
               10, lambda: dog)
    assert not dog.bitten_us
    wait_until(lambda: dog.bitten_us, 10, lambda: dog)
    assert dog.fed_us + TIMEOUT_S * 1e6 \
        < closed + cluster.lease * 1e6


def test_reset_program(cluster):
    """The same without a watchdog: the program of the configuration."""
    mark, program = cluster.folder / "reset", cluster.folder / "reset.sh"
    program.write_text(f'#!/bin/sh\necho "$1" >> {mark}\n')
    program.chmod(0o755)
    cluster.watchdog = told(device="", reset_program=str(program))
    node = cluster.bring_up()
    immortal = cluster.folder / "dog.immortal"
    serve(node)
    assert node.sup.state.dog == DOG_NONE
    immortal.touch()
    os.kill(node.servers[0].process.pid, signal.SIGSTOP)
    node.sup.send(CLOSE, bytes(8))
    wait_until(mark.exists, 5)
    wait_until(lambda: "not shown yet" in mark.read_text(), 2)
    # It is run once, and what ends in time is no reason.
    immortal.unlink()
    node.sup.wait_door(CLOSED)
    assert mark.read_text().count("\n") == 1


def test_nowayout(cluster):
    """What cannot be disarmed is fed on while the door is shut, and bites if
    nobody feeds it."""
    node = bring_up(cluster, nowayout=1)
    state = wait_dog(node, DOG_ARMED)
    assert state.nowayout == NOWAYOUT_YES
    assert fed_while(cluster.dog, node.shut) >= 8
    serve(node)
    node.sup.send(CLOSE, bytes(8))
    node.sup.wait_door(CLOSED)
    assert fed_while(cluster.dog, node.shut) >= 8
    os.kill(node.worker.pid, signal.SIGSTOP)
    wait_until(lambda: cluster.dog.bitten_us, 10, lambda: cluster.dog)


def test_what_does_not_fit(cluster):
    """Refused with its reason, and disarmed; the node serves without, and
    takes it when it fits."""
    node = bring_up(cluster)
    wait_dog(node, DOG_READY)

    def refused(why, **changes):
        cluster.watchdog = told(**changes)
        node.configure()
        wait_until(lambda: why in node.sup.state.dog_why
                   and node.sup.state.dog == DOG_MISSING, 3,
                   lambda: f"{why}: {node.sup.state}", interval=0.005)
        assert not cluster.dog.armed and not cluster.dog.bitten_us

    refused('it is "Lab dog", and not "other dog"', identity="other dog")
    cluster.dog.set("shortest_s", 3)
    refused("its timeout is 3000 ms")
    refused("it is not there", device="/dev/watchdog7")
    refused("it is no watchdog", device="/dev/null")
    refused("no watchdog is known", device="", identity=IDENTITY)
    sysfs = cluster.folder / "sys"
    (sysfs / "watchdog0").mkdir(parents=True)
    (sysfs / "watchdog0/identity").write_text(f"{IDENTITY}\n")
    (sysfs / "watchdog0/nowayout").write_text("0\n")
    n_opened = cluster.dog.n_opened
    refused('here is "Lab dog"', device="", identity="other dog")
    refused('and not "other dog"', identity="other dog")
    assert cluster.dog.n_opened == n_opened    # Nor even armed.
    serve(node)
    cluster.dog.set("shortest_s", 0)
    cluster.watchdog = told(device="", identity=IDENTITY)
    node.configure()
    state = wait_dog(node, DOG_ARMED)
    assert (state.dog_path, state.nowayout) == (DEVICE, NOWAYOUT_NO)
    assert node.open()


def test_another_owner(cluster):
    """It belongs to someone else: told, and served without."""
    cluster.dog = Dog(cluster.folder / "dog", lambda: None)
    with cluster.dog.owned():
        node = cluster.bring_up()
        assert "another process has it" in wait_dog(node, DOG_MISSING).dog_why
        serve(node)
        assert node.sup.state.dog == DOG_MISSING and not cluster.dog.armed
    node.sup.send(CLOSE, bytes(8))
    wait_dog(node, DOG_READY)


def test_blocked_driver(cluster):
    """The worker waits for no driver: it opens without after a moment, and
    goes on with it when it answers."""
    node = bring_up(cluster)
    wait_dog(node, DOG_READY)
    cluster.dog.set("blocked", 1)
    serve(node)
    state = wait_dog(node, DOG_MISSING)
    assert "driver does not answer" in state.dog_why
    assert not state.lease_losses
    cluster.dog.set("blocked", 0)
    wait_dog(node, DOG_ARMED)
    assert node.sup.state.door == OPEN
    # And it bites although beats go on: nobody knows that it is not fed.
    cluster.dog.set("blocked", 1)
    wait_until(lambda: cluster.dog.bitten_us, 10, lambda: cluster.dog)


def test_worker_dies(cluster):
    """The device goes on; the next worker closes the door and disarms it."""
    node = bring_up(cluster)
    serve(node)
    kill(node.worker)
    assert cluster.dog.armed
    node.start_worker()
    node.setup()
    node.sup.wait_door(CLOSED)
    wait_dog(node, DOG_READY)
    assert not cluster.dog.armed and not cluster.dog.bitten_us


def test_worker_dies_for_good(cluster):
    """And if there is no next one, it bites."""
    node = bring_up(cluster)
    serve(node)
    kill(node.worker)
    wait_until(lambda: cluster.dog.bitten_us, 10, lambda: cluster.dog)


# A whole cluster.

CONF = f"""[timing]
lease-ms = {LEASE * 1000:.0f}
[watchdog]
device = {DEVICE}
"""


def wait_dogs(active, lab):
    """Armed on the active, and on no other node."""
    wait_until(lambda: dog_state(active) == "armed" and all(
        dog_state(n) == "ready" for n in others(lab, active)), 20,
        lambda: [local(n).get("fence") for n in lab.control])


def test_whole_node(make_lab, driver):
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    active = bring_up_lab(lab, CONF)
    shown(active, "watchdog-missing")
    assert active.serves()

    dogs = {}
    for node in [*others(lab, active), active]:
        node.root("/etc/ld.so.preload").write_text(f"{driver}\n")
        dogs[node] = Dog(node.root("/run/watchdog0.state"), node.power_cut)
        node.kill("fence")
    try:
        old = wait_well(lab)
        wait_dogs(old, lab)
        assert re.search(
            rf"watchdog \d+ ms \+ .* <= lease {LEASE * 1000:.0f} ms < \d+ ms",
            old.hactl("check", check=False))

        # Planned moves and reloads bite nobody.
        active = others(lab, old)[0]
        switch_to(lab, active)
        wait_dogs(active, lab)
        assert not dogs[old].armed
        n_opened = dogs[active].n_opened
        active.hactl("reload")
        assert wait_well(lab) is active
        assert dogs[active].armed and dogs[active].n_opened == n_opened

        # Its driver does not do what it should.
        dogs[active].set("faulty", 1)
        shown(active, "watchdog")
        dogs[active].set("faulty", 0)
        wait_until(lambda: "watchdog" not in problem_codes(active), 20)

        # Nothing of the node runs any more, but its watchdog.
        active.stop("all")
        wait_until(lambda: dogs[active].bitten_us, 20, lambda: dogs)
        new = lab.wait_active(60, [n.name for n in others(lab, active)])
        wait_until(lambda: not active.pid, 10)
        assert all(not d.bitten_us for n, d in dogs.items() if n != active)

        # The end of the service is a clean one.
        wait_until(lambda: dog_state(new) == "armed", 10)
        new.service_stop("ovn-had", 60)
        assert not dogs[new].armed and not dogs[new].bitten_us

        # One that cannot be disarmed.
        dogs[new].set("nowayout", 1)
        new.start_ovn_had()
        shown(new, "watchdog-nowayout")
    finally:
        for dog in dogs.values():
            dog.stop()
        print({node.name: dog for node, dog in dogs.items()})
