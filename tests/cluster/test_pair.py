# SPDX-License-Identifier: Apache-2.0
"""Pairs that live on proof: power cuts and partitions with real fence agents
and controllers, and without any."""

import re
import time

import pytest
from chaos.rounds import assert_rounds
from chaos.topologies import TOPOLOGIES
from lab import Bmc, Corosync, wait_until
from pairs import fenced_pair, mend, phases, wait_devices
from watch import (Watch, bring_up, cluster, local, others, reconfigure, shown,
                   status, wait_state, wait_well)


def confirmed(node, *args, stdin=None):
    """An ovn-hactl command; returns its result."""
    return node.exec(node.lab.program("ovn-hactl", "."), *args, stdin=stdin,
                     check=False, timeout=120)


@pytest.fixture(scope="module")
def lab(make_lab):
    """A pair without a tie-breaker, each with a controller.  One that hangs is
    given up before it is time to try again."""
    yield from fenced_pair(make_lab, "[quorum]\nfence-delay-ms = 8000\n",
                           **{"timeout-ms": 7000})


@pytest.fixture(autouse=True)
def afterwards(request):
    """The next test finds all well."""
    yield
    if "lab" in request.fixturenames:
        mend(request.getfixturevalue("lab"))


def test_policy(lab):
    """By itself, since there is no tie-breaker."""
    for node in lab.control:
        fencing = local(node)["fencing"]
        assert fencing["no_quorum_policy"] == "fence"
        assert fencing["advice"] == ""


def test_power_cut(lab):
    """The active's power is cut: fenced, then the other one is promoted."""
    old = wait_well(lab)
    new, = others(lab, old)
    wait_devices(lab)
    with Watch(lab, "pair_power") as watch:
        watch.busy()
        had = watch.everywhere([new])
        fault = lab.crash(old.name)
        watch.acknowledged(fault, new, deadline=120)
        history = new.hactl("history")
        assert f"verdict: node {old.index} serves no more: a fence device " \
            "has proven that it is off" in history
        wait_until(lambda: cluster(new).get("in_sync") == [new.name], 20,
                   "it stands alone")
        lab.boot(old.name)
        assert wait_well(lab) is new
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)


def test_cut_link(lab):
    """Neither sees the other: exactly one is fenced, the standby, and the
    active serves on; nothing is lost."""
    active = wait_well(lab)
    other, = others(lab, active)
    wait_devices(lab)
    with Watch(lab, "pair_cut") as watch:
        watch.busy()
        lab.cut(active.name, other.name)
        wait_until(lambda: not other.pid, 120, "the standby is fenced")
        watch.busy()
        assert active.pid
        wait_until(lambda: cluster(active).get("in_sync") == [active.name],
                   20, "it stands alone")
        assert local(active)["state"] == "active"
        lab.heal()
        lab.boot(other.name)
        assert wait_well(lab) is active
        watch.busy()
        watch.assert_undisturbed(active)


def test_device_fails(lab):
    """No proof: blocked, with the reason and the command that ends it; an
    operator vouches for it, after it was said what that means."""
    old = wait_well(lab)
    new, = others(lab, old)
    wait_devices(lab)
    with Watch(lab, "pair_ack") as watch:
        watch.busy()
        lab.bmc[old.name].stop()
        lab.crash(old.name)
        for code in "fence-delay", "fencing", "fence-failed", "fence-limit":
            shown(new, code, 120)
        wait_state(new, "blocked")
        text = new.hactl("status", check=False)
        assert "run ovn-hactl fence-ack NODE" in text
        assert not new.serves("nb", unix=True)

        refused = confirmed(new, "fence-ack", old.name, stdin="yes\n")
        assert refused.returncode == 1
        assert "two nodes will serve clients at once" in " ".join(
            refused.stdout.split())
        lab.bmc[old.name].cont()
        done = confirmed(new, "fence-ack", old.name, stdin=f"{old.name}\n")
        assert done.returncode == 0, done
        lab.wait_active(60, [new.name])
        lab.boot(old.name)
        assert wait_well(lab) is new
        watch.assert_one_at_a_time(old, new)


def test_device_lies(lab):
    """The active stands still, and its controller says that it is off: the
    one that has to confirm that says that it is on, so nobody takes over.  It
    goes on, and nothing is lost."""
    active = wait_well(lab)
    other, = others(lab, active)
    conf = other.root("/etc/ovn-ha/ovn-ha.conf").read_text()
    head = f"[fence {active.name}]\n"
    assert head in conf
    second = Bmc(active, "a").start()
    try:
        reconfigure(other, conf.replace(head, head + "confirm = second\n")
                    + second.device("second", retries=0))
        wait_devices(lab)
        lab.bmc[active.name].set_mode("lies")
        with Watch(lab, "pair_liar") as watch:
            watch.busy()
            active.stop("all")
            shown(other, "fence-limit", 120)
            assert f"{active.name} could NOT be fenced: it says that the node " \
                "is still on" in other.hactl("status", check=False)
            assert not other.serves("nb", unix=True)
            active.cont("all")
            assert wait_well(lab) is active
            watch.busy()
            watch.assert_none_lost(active)
            watch.assert_one_at_a_time(active)
    finally:
        second.close()
        reconfigure(other, conf)


def test_shared_power(lab):
    """The controller goes dark with its node: it cannot be asked, which is no
    proof, though it answered moments before.  With power again all is well."""
    old = wait_well(lab)
    new, = others(lab, old)
    wait_devices(lab)
    with Watch(lab, "pair_dark") as watch:
        watch.busy()
        lab.bmc[old.name].close()
        lab.crash(old.name)
        shown(new, "fence-failed", 120)
        assert not new.serves("nb", unix=True)
        lab.bmc[old.name].start()
        lab.boot(old.name)
        active = wait_well(lab)
        watch.busy()
        watch.assert_one_at_a_time(*{old, active})


def test_fenced_by_hand(lab):
    """The other one takes over on the proof that the operator's command got,
    and does not cut the power once more when corosync notices."""
    old = wait_well(lab)
    new, = others(lab, old)
    wait_devices(lab)

    def proofs():
        return new.log("ovn/ovn-ha-workers.log").count(
            f"{old.name} is off: proven by level")
    before = proofs()
    with Watch(lab, "pair_by_hand") as watch:
        watch.busy()
        result = confirmed(new, "fence", old.name, "--yes")
        assert result.returncode == 0, result
        lab.wait_active(60, [new.name])
        assert proofs() == before + 1
        lab.boot(old.name)
        assert wait_well(lab) is new
        watch.assert_one_at_a_time(old, new)


def test_ack_of_the_living(lab):
    """Nobody vouches for a node that is here."""
    active = wait_well(lab)
    other, = others(lab, active)
    result = confirmed(other, "fence-ack", active.name, "--yes")
    assert result.returncode == 1
    assert "it is in the group" in result.stderr
    assert wait_well(lab) is active


@pytest.mark.parametrize("role", ["standby", "active"])
def test_left_on_purpose(lab, role):
    """A node that was stopped, its corosync as well, is not fenced: its word is
    proof enough for the other one to go on alone, which serves on also when
    its ovn-had starts anew, and fences nobody then."""
    leaver = wait_well(lab)
    stays, = others(lab, leaver)
    if role == "standby":
        leaver, stays = stays, leaver
    wait_devices(lab)
    pid, before = leaver.pid, phases(stays)
    leaver.service_stop("ovn-had", 90)
    leaver.service_stop("corosync", 30)
    lab.wait_active(60, [stays.name])
    wait_until(lambda: cluster(stays).get("in_sync") == [stays.name], 30,
               lambda: f"it stands alone; {status(stays)}")
    assert "has ended on purpose" in stays.hactl("history")
    with Watch(lab, f"pair_left_{role}") as watch:
        watch.busy()
        stays.kill("ovn-had")
        wait_until(lambda: cluster(stays).get("in_force") is False
                   and stays.votes() == 0 and shown(stays, "absent"), 40)
        watch.busy()
        assert phases(stays) == before and leaver.pid == pid
        watch.assert_undisturbed(stays)
    leaver.start_corosync()
    leaver.start_ovn_had()
    assert wait_well(lab) is stays


def test_random_rounds(lab):
    """Rounds of random faults, as tests/chaos/run plays many of."""
    assert_rounds(lab, TOPOLOGIES["plain"], seed=1, numbers=[10, 31])


def test_without_devices(make_lab):
    """It runs, and says that failover will block, and how to mend it."""
    pair = make_lab(control=2, compute=0, corosync=Corosync.fast())
    old = bring_up(pair)
    new, = others(pair, old)
    advice = f"failover will block: no fence device for {old.name}"
    assert advice in new.hactl("status", check=False)
    shown(new, "no-failover")
    assert advice in new.log("lab/ovn-had.log")
    assert "watchdog none: no [watchdog] device is configured" in new.hactl(
        "status", check=False)
    preflight = confirmed(new, "check")
    assert "no-tie-breaker" in preflight.stdout, preflight
    assert "configure [fence NODE] for both nodes" in preflight.stdout
    pair.crash(old.name)
    shown(new, "no-device", 60)
    wait_state(new, "blocked")
    assert not new.serves("nb", unix=True)
    assert confirmed(new, "fence-ack", old.name, "--yes").returncode == 0
    pair.wait_active(60, [new.name])
    pair.boot(old.name)
    assert wait_well(pair) is new


def test_proof_comes_too_late(make_lab):
    """The old active has served alone for longer than is to be lost when it
    dies: nobody is promoted, even if an operator vouches for it, before it is
    back; then all that it acknowledged is there."""
    pair = make_lab(control=2, compute=0, corosync=Corosync.fast())
    old = bring_up(pair, "[quorum]\neligible-ms = 1000\n")
    new, = others(pair, old)
    with Watch(pair, "pair_stale") as watch:
        watch.busy()
        cut = time.monotonic()
        pair.cut(old.name, new.name)
        shown(new, "stale", 60)
        shown(new, "no-failover")
        watch.busy()
        pair.crash(old.name)
        assert confirmed(new, "fence-ack", old.name, "--yes").returncode == 0
        shown(new, "stale")
        wait_state(new, "blocked")
        assert not new.serves("nb", unix=True)
        # What the last resort would lose is told, and since when.
        asked = confirmed(new, "failover", "--allow-data-loss", stdin="no\n")
        assert "not confirmed" in asked.stderr, asked
        assert "when last heard: at least " in asked.stdout
        apart = re.search(rf"All that {old.name} acknowledged since is lost, "
                          r"too; it was heard here last (\d+) s ago\.",
                          asked.stdout)
        assert apart and 1 <= int(apart[1]) < time.monotonic() - cut + 5, asked
        assert local(new)["state"] == "blocked"
        pair.heal()
        pair.boot(old.name)
        active = wait_well(pair)
        watch.busy()
        watch.assert_none_lost(active)
        watch.assert_one_at_a_time(old, active)


def test_without_fencing(make_lab):
    """no-quorum-policy = stop: whichever of the two dies, the other one serves
    nothing until it is back, and nothing is lost."""
    pair = make_lab(control=2, compute=0, corosync=Corosync.fast())
    active = bring_up(pair, "[quorum]\nno-quorum-policy = stop\n")
    with Watch(pair, "pair_stop") as watch:
        for active_dies in (False, True):
            other, = others(pair, active)
            victim, survivor = (active, other) if active_dies \
                else (other, active)
            watch.busy()
            pair.crash(victim.name)
            shown(survivor, "no-quorum")
            wait_state(survivor, "isolated")
            for db in ("nb", "sb"):
                wait_until(lambda d=db: not survivor.serves(d) and not
                           survivor.serves(d, unix=True), 20, "it stops")
            pair.boot(victim.name)
            active = wait_well(pair)
        watch.busy()
        watch.assert_none_lost(active)
        watch.assert_one_at_a_time(*[pair[name] for name
                                     in {*watch.turns("nb")}])
