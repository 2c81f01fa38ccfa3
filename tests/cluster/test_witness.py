# SPDX-License-Identifier: Apache-2.0
"""Two control nodes and a witness, which runs no databases: it lets either of
the two go on without the other."""

import json

import pytest
from chaos.rounds import assert_rounds
from chaos.topologies import TOPOLOGIES
from lab import CommandError, Corosync, wait_until
from watch import (Watch, bring_up, cluster, local, others, row, shown, status,
                   wait_in_sync, wait_state, wait_well, wait_why)

WITNESS = "[node]\nwitness = yes\n"
VIRTUAL_IP = "[virtual-ip]\naddress = 10.10.0.100/24\ninterface = eth0\n"


@pytest.fixture(scope="module")
def lab(make_lab):
    """n1 and n2 with databases and a virtual IP, and n3."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab, {"n1": VIRTUAL_IP, "n2": VIRTUAL_IP, "n3": WITNESS})
    return lab


def pair(lab):
    """The active and the standby, once all is well."""
    active = wait_well(lab)
    return active, others(lab, active, lab["n3"])[0]


def http(node, path):
    """The status code of one of ovn-had's pages."""
    return node.out("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                    "--unix-socket", "/run/ovn-ha/status.sock",
                    f"http://ovn-ha{path}")


def test_what_it_is(lab):
    """It has no databases, says so, and is never given the role; nothing of
    that is taken for a problem."""
    active, _ = pair(lab)
    witness = lab["n3"]
    assert not witness.find("nb") and not witness.find("northd")
    assert row(active, "n3")["state"] == local(witness)["state"] == "witness"
    assert row(active, "n3")["in_sync"] is None
    wait_until(lambda: all(status(n).get("problems") == []
                           for n in lab.control), 20, "nothing is amiss")
    shown, = [line.split() for line in active.hactl("status").splitlines()
              if line.startswith("n3 ")]
    assert shown == ["n3", "witness"] + 8 * ["-"]
    assert [http(witness, p) for p in ("/readyz", "/standby", "/active")] \
        == ["200", "503", "503"]

    with pytest.raises(CommandError, match="a witness: it has no databases"):
        active.hactl("switchover", "--to", "n3")
    with pytest.raises(CommandError, match="a witness: it has no databases"):
        active.hactl("verify", "n3")
    with pytest.raises(CommandError, match="witness cannot become no by a "):
        witness.root("/etc/ovn-ha/ovn-ha.conf").write_text("")
        witness.hactl("reload")
    witness.root("/etc/ovn-ha/ovn-ha.conf").write_text(WITNESS)
    found = json.loads(witness.hactl("check", "--json", check=False))
    assert found["findings"] == []
    assert wait_well(lab) is active


def test_power_cut(lab):
    """The active loses its power: the standby takes over, with the witness's
    vote.  What it served alone is on no other disk: when it is gone in turn,
    the one that was away does not follow it."""
    old, new = pair(lab)
    with Watch(lab, "witness_power") as watch:
        watch.busy()
        had = watch.everywhere([new])
        fault = lab.crash(old.name)
        watch.acknowledged(fault, new)
        wait_in_sync(new, [new.name])
        watch.busy()
        lab.crash(new.name)
        lab.boot(old.name)
        shown(old, "not-eligible")
        wait_state(old, "blocked")
        wait_until(lambda: (row(old, old.name).get("not_eligible")
                            or {}).get("code") == "not-in-sync", 20,
                   "it says what it lacks")
        assert not old.serves("nb", unix=True)
        lab.boot(new.name)
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)


def test_witness_lost(lab):
    """Without the witness two control nodes are two of three, and no client
    notices; nor when it is back."""
    active, _ = pair(lab)
    with Watch(lab, "witness_lost") as watch:
        watch.busy()
        lab.crash("n3")
        wait_until(lambda: "n3" not in cluster(active).get("group", ["n3"]), 20,
                   "the group knows")
        watch.busy()
        assert cluster(active)["health"] == "degraded"
        lab.boot("n3")
        assert wait_well(lab) is active
        watch.busy()
        watch.assert_undisturbed(active)


def test_partition(lab):
    """The active is cut off: it stops, and the standby goes on with the
    witness."""
    old, new = pair(lab)
    with Watch(lab, "witness_cut") as watch:
        watch.busy()
        had = watch.everywhere([new])
        lab.partition([old.name], [new.name, "n3"])
        lab.wait_active(60, [new.name])
        wait_state(old, "isolated")
        lab.heal()
        assert wait_well(lab) is new
        watch.busy()
        watch.assert_lost_in_flight(new, old, had)
        watch.assert_one_at_a_time(old, new)


def test_random_rounds(lab):
    """Rounds of random faults, as tests/chaos/run plays many of."""
    assert_rounds(lab, TOPOLOGIES["witness"], seed=1, numbers=[1, 2])
