# SPDX-License-Identifier: Apache-2.0
"""Faults that an operator has to name from ovn-hactl status alone: those that
no other test makes.  What is to be shown stands in doc/FAILURES.md."""

import re
import signal
from contextlib import contextmanager

import pytest
from lab import CommandError, Corosync, Timeout, wait_until
from preload import build_preload
from replica_parts import forge_chain
from test_replica import make_record
from watch import (NoReplication, bring_up, cluster, contents, local, others,
                   reconfigure, row, shown, status, switch_to, wait_equal,
                   wait_in_sync, wait_state, wait_well)

# What stands still is not started anew while it is looked at, and a lease is
# long enough to be seen.
CONF = "[timing]\nlease-ms = 4000\nhang-ms = 60000\n"
SERVER, NORTHD = "/usr/sbin/ovsdb-server", "/usr/bin/ovn-northd"


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab, CONF)
    return lab


@contextmanager
def broken(node, program):
    """The program ends at once whenever it is started on this node."""
    node.exec("mount", "--bind", "/bin/false", program)
    try:
        yield
    finally:
        # It may be running just then.
        node.exec("umount", "--lazy", program)


@contextmanager
def frozen(*targets):
    """Processes that stand still: each a node and what of it."""
    stopped = [p for node, what in targets for p in node.stop(what)]
    try:
        yield
    finally:
        for process in stopped:
            if not process.gone():
                process.send_signal(signal.SIGCONT)


@contextmanager
def moving(lab, to):
    """A switchover is on its way, and has its end afterwards."""
    mover = to.popen(lab.program("ovn-hactl", "."), "switchover", "--to",
                     to.name, "--no-verify")
    try:
        yield
    finally:
        mover.terminate()
        mover.wait(20)


def test_nofailover(lab):
    """A node may not, by its configuration."""
    active = wait_well(lab)
    node = others(lab, active)[0]
    reconfigure(node, CONF + "[node]\nnofailover = yes\n")
    shown(active, "nofailover", about=node)
    reconfigure(node, CONF)
    wait_well(lab)


def test_leaving(lab):
    """One that is being stopped has something that takes its time."""
    active = wait_well(lab)
    node = others(lab, active)[0]
    with frozen((node, "nb")):
        node.exec("kill", "-TERM", node.service_pid("ovn-had"))
        shown(active, "leaving", about=node)
    wait_until(lambda: not node.service_running("ovn-had"), 60)
    node.start_ovn_had()
    wait_well(lab)


def test_fence_worker(lab):
    """It does not start."""
    node = others(lab, wait_well(lab))[0]
    with broken(node, lab.program("ovn-ha-fence", ".")):
        node.kill("fence")
        shown(node, "fence-down")
    wait_well(lab)


def test_kernel_lease(lab):
    """The service may not use nftables."""
    node = others(lab, wait_well(lab))[0]
    node.service_stop("ovn-had")
    node.service_start("ovn-had", [
        "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
        lab.program("ovn-had", "."), "--wait"])
    shown(node, "kernel-lease-missing")
    node.service_stop("ovn-had")
    node.start_ovn_had()
    wait_well(lab)


def test_slow_kernel(lab, tmp_path):
    """The active's kernel is so slow to change its rules that it does not
    hold the lease."""
    lib = build_preload("slownft", tmp_path)
    active = wait_well(lab)
    to = others(lab, active)[0]
    preload, slow = to.root("/etc/ld.so.preload"), to.root("/run/slow-nft")
    preload.write_text(f"{lib}\n")
    try:
        to.kill("fence")
        switch_to(lab, to)
        slow.touch()
        shown(to, "kernel-lease")
    finally:
        preload.unlink()
        slow.unlink(missing_ok=True)
    wait_well(lab)


def test_database_servers(lab):
    """They do not start."""
    node = others(lab, wait_well(lab))[0]
    with broken(node, SERVER):
        node.kill("nb")
        node.kill("sb")
        shown(node, "nb-server")
        shown(node, "sb-server")
    wait_well(lab)


def test_replication(lab):
    """Corosync's network works, that of the databases does not."""
    active = wait_well(lab)
    node = others(lab, active)[0]
    with NoReplication(node, active):
        shown(node, "nb-replica")
        shown(node, "sb-replica")
    wait_well(lab)


def stray(node, name):
    """What an operator must not do: write to a standby's own server."""
    node.exec("ovn-nbctl", "--no-leader-only",
              "--db=unix:/run/ovn-ha/private/nb.sock", "ls-add", name)


def test_stray_record(lab):
    """A standby's own database is written to.  It is named, on this node and
    the others, as long as it is there; then it gives way, and is kept."""
    active = wait_well(lab)
    node = others(lab, active)[0]
    before = len(list(node.root("/var/lib/ovn-ha").glob("diverged/*.txt")))
    with NoReplication(node, active, ["nb"]):
        shown(node, "nb-replica")
        stray(node, "not-the-replicas")
        wait_until(lambda: "a record that is not the replica's writes to "
                   "Logical_Switch at offset" in shown(node, "nb-replica"),
                   40, "it is named")
        assert local(node)["nb"]["foreign"]
        for each in lab.control:
            shown(each, "incomplete", about=node)
        with pytest.raises(CommandError) as refusal:
            node.hactl("switchover", "--to", node.name)
        assert "may not become active" in str(refusal.value)
    wait_well(lab)
    assert local(node)["nb"]["snapshot_why"] == "own file holds foreign records"
    assert "set aside: own NB 1 records" in node.hactl("history")
    assert f"snapshot: NB is taken over from {active.name}: own file holds " \
        "foreign records" in node.hactl("history")
    reports = sorted(node.root("/var/lib/ovn-ha").glob("diverged/*.txt"))
    assert len(reports) == before + 1
    assert "name: not-the-replicas" in reports[-1].read_text()
    wait_equal(lab)
    assert "not-the-replicas" not in str(contents(node, "nb").values())


def test_other_records(lab):
    """A standby's records are not the active's, though they are as many: what
    its last one says of all before it is changed while its service is down.
    It is named by both nodes, and is not in sync before it was resynchronised
    and verified."""
    active = wait_well(lab)
    node = others(lab, active)[0]
    wait_equal(lab)
    node.service_stop("ovn-had", 60)
    seq = forge_chain(node.root("/var/lib/ovn/ovnnb_db.db"))
    node.start_ovn_had()
    text = f"own record {seq}, or one before it, is another than the source's"

    def is_named():
        own, seen = local(node).get("nb") or {}, row(active, node.name)
        return own.get("differs") and text in str(own) \
            and seen["not_eligible"] and not seen["in_sync"]
    wait_until(is_named, 40, "it is named, and may not become active")
    assert f"NB has other records than {active.name}'s at the same position" \
        in node.hactl("history")
    log = active.root("/var/log/ovn/ovn-ha-workers.log").read_text()
    assert re.search(rf"\|ERR\|sender: node \d+ holds another record {seq}", log)
    wait_well(lab)
    wait_equal(lab)
    assert not local(node)["nb"]["differs"]
    assert local(node)["nb"]["snapshot_why"] == \
        "own file differs from the source's"


@pytest.mark.parametrize("db, written", [("nb", True), ("sb", False)])
def test_damaged_log(lab, db, written):
    """The last record of the active's file is damaged, and its worker is
    started anew: nobody follows any more, nor is in sync.  Every node says what
    ends that, and it does; what was written since is set aside."""
    log = {"nb": "nb-log", "sb": "sb-log"}[db]
    replica = {"nb": "nb-replica", "sb": "sb-replica"}[db]
    old = wait_well(lab)
    # What northd writes to SB later would put the file right.
    old.nbctl("--wait=sb", "ls-add", f"before-{db}-{written}")
    wait_equal(lab)
    record = make_record(b'{"Logical_Switch":{}}\n', b"another")
    with open(old.root(f"/var/lib/ovn/ovn{db}_db.db"), "ab") as file:
        file.write(record)
    old.kill(f"replica-{db}")
    to = others(lab, old)[0]
    for each in lab.control:
        shown(each, log, about=old)
        assert cluster(each)["health"] == "degraded"
        assert f"damaged or replaced: stop ovn-had there, then, on another " \
            "node, ovn-hactl failover --allow-data-loss. What only " \
            f"{old.name} has" in each.hactl("status", check=False)
    wait_until(lambda: "damaged at offset" in shown(old, replica), 40,
               "it says where")
    if written:
        old.nbctl("ls-add", "since")
    wait_in_sync(old, [old.name])
    with pytest.raises(CommandError) as refusal:
        to.hactl("switchover", "--to", to.name, "--no-verify")
    assert "not in sync" in str(refusal.value)
    old.service_stop("ovn-had")
    wait_state(to, "blocked")
    to.hactl("failover", "--allow-data-loss", "--to", to.name, "--yes",
             timeout=70)
    old.start_ovn_had()
    assert wait_well(lab) is to
    wait_equal(lab)
    assert f"before-{db}-{written}" in to.nbctl("ls-list")
    if written:
        assert "since" not in to.nbctl("ls-list")
        (report,) = [r for r in old.root("/var/lib/ovn-ha").glob(
            "diverged/ovnnb-*.txt") if "name: since" in r.read_text()]
        to.exec("ovsdb-client", "transact", "unix:/run/ovn/ovnnb_db.sock",
                report.with_suffix(".json").read_text())
        assert "since" in to.nbctl("ls-list")
        wait_equal(lab)


def test_northd(lab):
    """It does not start: first on a standby, which then becomes active."""
    active = wait_well(lab)
    to = others(lab, active)[0]
    with broken(to, NORTHD):
        to.kill("northd")
        shown(to, "northd-role")
        shown(active, "northd-bad", about=to)
        with moving(lab, to):
            shown(to, "northd", about=to)
    wait_well(lab)


def test_old_door(lab):
    """Nobody closes the old active's door."""
    old = wait_well(lab)
    to = others(lab, old)[0]
    with frozen((old, "fence")), moving(lab, to):
        shown(to, "verdict", about=to)
    wait_well(lab)


def test_new_door(lab):
    """The new active's door does not open: a server hangs, and does not start
    anew."""
    to = others(lab, wait_well(lab))[0]
    with broken(to, SERVER), frozen((to, "nb")), moving(lab, to):
        shown(to, "door", about=to)
    wait_well(lab)


def test_no_lease(lab):
    """Beats of the active are acknowledged by nobody."""
    active = wait_well(lab)
    with frozen(*[(node, "fence") for node in others(lab, active)]):
        shown(active, "door-shut")
    wait_well(lab)


def test_log(lab):
    """The new active's workers do not take over, and those who would follow
    wait for that."""
    old = wait_well(lab)
    to = others(lab, old)[0]
    with frozen((to, "replica")), moving(lab, to):
        shown(to, "log", about=to)
    wait_well(lab)


def test_owed(lab):
    """The old active's replica worker hangs, so that nobody knows where its
    log ends; and as its database is down, too, it is not called off."""
    old = wait_well(lab)
    to = others(lab, old)[0]
    worker, = [p for p in old.find("replica") if "--db=nb" in p.args]
    with broken(old, SERVER), frozen((old, worker.pid), (old, "nb")), \
            moving(lab, to):
        shown(to, "owes", about=to)
    wait_well(lab)


def test_mute(lab):
    """A member does not answer while another one starts, which that one bears
    for half a second: a look may come too late."""
    starts, mute = others(lab, wait_well(lab))
    for last in (False, False, False, True):
        starts.service_stop("ovn-had")
        with frozen((mute, "ovn-had")):
            starts.start_ovn_had()
            try:
                shown(starts, "agreeing", 5, about=starts)
                break
            except Timeout:
                if last:
                    raise
        wait_well(lab)
    wait_well(lab)


def test_lease(lab):
    """The active has lost its power, which is no proof yet."""
    old = wait_well(lab)
    lab.crash(old.name)
    shown(others(lab, old)[0], "lease")
    lab.boot(old.name)
    wait_well(lab)


def test_grace(lab):
    """All lost their power, the active last, and it is not back."""
    old = wait_well(lab)
    rest = others(lab, old)
    for node in (*rest, old):
        lab.crash(node.name)
    lab.boot(*[n.name for n in rest])
    shown(rest[0], "grace")
    lab.boot(old.name)
    wait_well(lab)


def test_tail(lab):
    """Who may become active lacks what only a node has that it does not
    reach."""
    old = wait_well(lab)
    behind, fresh = others(lab, old)
    reconfigure(fresh, CONF + "[node]\nnofailover = yes\n")
    wait_until(lambda: "nofailover" in str(status(old)["problems"]), 20)
    wait_until(lambda: cluster(old)["health"] == "ok", 20)
    with NoReplication(behind, old, ["nb"]):
        old.nbctl("ls-add", "missing")
        wait_until(lambda: "missing" in str(contents(fresh, "nb")), 20,
                   "the other one has it")
        with NoReplication(behind, fresh, ["nb"]):
            lab.crash(old.name)
            shown(behind, "tail", about=behind)
    reconfigure(fresh, CONF)
    lab.boot(old.name)
    wait_well(lab)


def test_first_start_with_data(make_lab):
    """Two nodes bring data; which are to be served is not for us to say."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    lab.power_on()
    for node in lab.control[:2]:
        node.start_central()
        node.nbctl("ls-add", f"of-{node.name}")
        for service in ("northd", "ovsdb-nb", "ovsdb-sb"):
            node.service_stop(service)
    lab.start_corosync()
    for node in lab.control:
        node.start_ovn_had()
    n1 = lab["n1"]
    shown(n1, "bootstrap-data")
    shown(n1, "first-data")
    assert not local(n1)["state"] == "active"
    lab["n2"].service_stop("ovn-had")
    lab["n2"].exec("sh", "-c", "rm /var/lib/ovn/*.db")
    lab["n2"].start_ovn_had()
    wait_well(lab)
