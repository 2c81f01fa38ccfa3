# SPDX-License-Identifier: Apache-2.0
"""The last resort: where nobody may become active, an operator accepts that
records are lost, having been told which."""

import time

from lab import Corosync, wait_until
from watch import (NoReplication, Watch, bring_up, cluster, diverged, local,
                   others, wait_in_sync, wait_state, wait_well, wait_why)

# Much is lost, which the old active does not ask about.
CONF = "[insync]\nlag-ms = 3000\n[replication]\nshrink-guard = 0\n"
FORCE = ("failover", "--allow-data-loss")


def hactl(node, *args, stdin=None):
    """An ovn-hactl command; returns its result."""
    return node.exec(node.lab.program("ovn-hactl", "."), *args, stdin=stdin,
                     check=False, timeout=70)


def test_not_in_sync(make_lab):
    """Both standbys lack what the active wrote last, and it dies."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    old = bring_up(lab, CONF)
    one, two = others(lab, old)
    with Watch(lab, "resort") as watch:
        watch.busy()
        assert hactl(two, "failover").returncode == 2
        done = hactl(two, *FORCE, "--yes")
        assert done.returncode == 1, done
        assert "an active node serves" in done.stderr
        with NoReplication(one, old), NoReplication(two, old):
            wait_in_sync(old, [old.name])
            watch.busy()
            lab.crash(old.name)
            for node in (one, two):
                wait_state(node, "blocked")
        done = hactl(one, *FORCE, "--to", old.name, "--yes")
        assert (done.returncode, done.stdout) == (1, ""), done
        assert "it is not in the group" in done.stderr
        done = hactl(one, *FORCE, "--to", two.name, stdin="yes\n")
        assert done.returncode == 1 and "not confirmed" in done.stderr, done
        assert "records of " + old.name + " are lost" in done.stdout
        assert f"waits until its lease is over.\nType \"{two.name}\"" \
            in done.stdout, done
        assert {local(n)["state"] for n in (one, two)} == {"blocked"}
        done = hactl(one, *FORCE, "--to", two.name, stdin=f"{two.name}\n")
        assert done.returncode == 0, done
        assert f"nobody -> {two.name} in " in done.stdout
        history = one.hactl("history")
        assert "failover: root accepts the loss: NB: " in history
        assert f"failover: an operator on node {one.index} lets node " \
            f"{two.index} become active" in two.hactl("history")
        assert "root accepts the loss" in one.log("lab/ovn-had.log")
        lab.boot(old.name)
        assert wait_well(lab) is two
        watch.busy()
        watch.assert_one_at_a_time(old, two)
    wait_until(lambda: list(old.root("/var/lib/ovn-ha/diverged").glob(
        "*.json")), 20, "what was lost is set aside")
    assert cluster(two)["active"] == two.name


def test_pair_started_anew(make_lab):
    """The survivor of a pair was started while the other one was away: it may
    have the older data, and the operator's word is the proof, too."""
    lab = make_lab(control=2, compute=0, corosync=Corosync.fast())
    old = bring_up(lab)
    new, = others(lab, old)
    lab.crash(new.name)
    lab.crash(old.name)
    lab.boot(new.name)
    wait_why(new, "unmet", 60)
    done = hactl(new, *FORCE, stdin="\n")
    assert done.returncode == 1, done
    assert f"Nothing proves that {old.name} is off." in done.stdout
    assert f"how far {old.name} went is not known here" in done.stdout
    assert local(new)["state"] == "blocked"
    done = hactl(new, *FORCE, "--yes")
    assert done.returncode == 0, done
    assert new.serves("nb", unix=True)
    lab.boot(old.name)
    assert wait_well(lab) is new


def test_later_word_counts(make_lab):
    """An operator lets one node of a pair go on and, once that one is lost,
    too, the other one, though each lacks what the other served.  Together
    again, what was served last is the truth."""
    lab = make_lab(control=2, compute=0, corosync=Corosync.fast())
    last = bring_up(lab)
    first, = others(lab, last)
    lab.crash(first.name)
    lab.crash(last.name)
    said = 0
    for alone in (first, last):
        lab.boot(alone.name)
        wait_why(alone, "unmet", 60)
        # Epochs of last resorts are counted in seconds.
        wait_until(lambda after=said: time.time() > after, what="a later second")
        assert hactl(alone, *FORCE, "--yes").returncode == 0
        said = int(time.time()) + 1
        assert alone.serves("nb", unix=True)
        alone.out("ovn-nbctl", "ls-add", f"of-{alone.name}")
        if alone is first:
            lab.crash(first.name)
    lab.boot(first.name)
    assert wait_well(lab) is last
    assert last.out("ovn-nbctl", "--bare", "--columns=name", "list",
                    "Logical_Switch").split() == [f"of-{last.name}"]
    assert any(f"of-{first.name}" in text for text in diverged(first))
