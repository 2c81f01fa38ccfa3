# SPDX-License-Identifier: Apache-2.0
"""Clients that know one address only, in IPv4 and in IPv6: it is where the
active is, on one node at a time, and never taken from someone else."""

import re
import select
import signal
import subprocess
import time

import pytest
from lab import Closed, Corosync, Writer, wait_until
from lab.ovsdb import DATABASES, refusal
from lab.shell import run
from lab.writer import TABLES
from watch import (Watch, bring_up, cluster, configure, local, others,
                   reconfigure, row, shown, status, switch_to, wait_state,
                   wait_well, wait_why)

VIP, VIP6 = "10.10.0.100", "fd00:10::100"
BOTH = [VIP, VIP6]
# As what an earlier life of ours has given.
LIFETIME = ["valid_lft", "300", "preferred_lft", "300"]
# No question can be asked.
MUTE = """
table netdev mute {
    chain out {
        type filter hook egress device eth0 priority 0
        ether type arp arp operation request arp saddr ip 0.0.0.0 drop
    }
}
"""
CONF = f"[virtual-ip]\naddress = {VIP}/24, {VIP6}/64\ninterface = "


@pytest.fixture(scope="module")
def lab(make_lab):
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast(), ipv6=True)
    active = bring_up(lab, CONF + "eth0\n")
    active.nbctl("set-connection", "ptcp:6641:[::]")
    active.sbctl("set-connection", "ptcp:6642:[::]")
    lab.use_vip(VIP)
    yield lab


@pytest.fixture(autouse=True)
def afterwards(lab):
    """The next test finds all well, and the address held."""
    yield
    lab.heal()
    for address in BOTH:
        strange(lab, "del", address, check=False)
    for node in lab.control:
        if not node.pid:
            lab.boot(node.name)
    wait_held(lab, wait_well(lab))


# What there is.

def has(node):
    """Which of the addresses a node's kernel has."""
    if not node.pid:
        return []
    out = node.out("ip", "-o", "addr", "show")
    return [a for a in BOTH if f" {a}/" in out]


def wait_held(lab, active):
    """Waits until the active has both addresses, and nobody else has any."""
    wait_until(lambda: has(active) == BOTH
               and not any(has(n) for n in others(lab, active))
               and all(lab.answers(a, "nb") for a in BOTH), 20,
               lambda: f"{active.name} has the addresses; "
               f"{ {n.name: has(n) for n in lab.control} }")


def virtual_ip(node):
    """A node's own account."""
    return local(node).get("fence", {}).get("virtual_ip") or {}


def strange(lab, verb, address, **kwargs):
    """Another host takes the address, or leaves it."""
    bits = 128 if ":" in address else 32
    nodad = ["nodad"] if bits == 128 and verb == "add" else []
    run(lab.switch.command(["ip", "addr", verb, f"{address}/{bits}", "dev",
                            "br-db", *nodad]), **kwargs)


def mac(lab, node=None):
    """The MAC address of a node, or of what clients are behind."""
    command = ["cat", "/sys/class/net/eth0/address"]
    return node.out(*command) if node else run(lab.switch.command(
        ["ip", "-o", "link", "show", "br-db"])).stdout.split(
            "link/ether ")[1].split()[0]


def neighbor(lab, address):
    """Where clients think that an address is."""
    out = run(lab.switch.command(["ip", "neigh", "show", address])).stdout
    return re.findall(r"lladdr (\S+)", out)


# Says whose address it is each time that somebody announces one unasked.
LISTEN = r"""
import ipaddress, socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("br-db", 0))
while True:
    f = s.recv(200)
    if f[12:14] == b"\x08\x06" and f[28:32] == f[38:42]:
        who, mac = f[28:32], f[22:28]
    elif f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136 \
            and f[38:54] == ipaddress.ip_address("ff02::1").packed:
        who, mac = f[62:78], f[80:86]
    else:
        continue
    print(ipaddress.ip_address(who), mac.hex(":"), flush=True)
"""


def child_of(node):
    """The process that takes and leaves the address."""
    child, = [p for p in node.processes() if p.comm == "ovn-ha-address"]
    return child


def log_of(node):
    """What the workers say."""
    return node.log("ovn/ovn-ha-workers.log")


class Client:
    """A connection to one address, which its owner may lose."""

    def __init__(self, lab, address, db="nb"):
        self.db = db
        self.written, self.acknowledged = None, False
        self.session = lab.dial(address, db)
        self.session.transact(DATABASES[db], {
            "op": "select", "table": f"{db.upper()}_Global", "where": []})

    def write(self, name):
        """A write that nobody waits for."""
        table, make_row, _, _ = TABLES[self.db]
        self.written = self.session.send("transact", [DATABASES[self.db], {
            "op": "insert", "table": table, "row": make_row(name)}])

    def ended(self):
        """Says something, and hears whether anyone is there."""
        try:
            self.session.send("echo", [])
            if select.select([self.session], [], [], 0.1)[0]:
                for message in self.session.receive():
                    self.acknowledged |= message["id"] == self.written \
                        and not refusal(message)
        except Closed:
            return True
        return False


def wait_ended(clients, since, what):
    """Waits until all of them know, and tells how long that took."""
    left = list(clients)

    def all_ended():
        left[:] = [c for c in left if not c.ended()]
        return not left
    wait_until(all_ended, 30, "old connections are reset", interval=0.02)
    print(f"{what}: {len(clients)} open connections were reset within "
          f"{time.time() - since:.2f} s")


# While all is well.

def test_status(lab):
    active = wait_well(lab)
    for node in lab.control:
        is_active = node is active
        said = virtual_ip(node)
        assert said["addresses"] == [f"{VIP}/24", f"{VIP6}/64"]
        assert said["interface"] == "eth0" and said["why"] == ""
        assert said["held"] is is_active and said["unfit"] is False
        assert said["state"] == ("held" if is_active else "left")
        assert f"virtual IP {VIP}/24 {VIP6}/64 on eth0: {said['state']}" \
            in node.hactl("status")
        metrics = node.out("curl", "-s", "--unix-socket",
                           "/run/ovn-ha/status.sock", "http://x/metrics")
        assert f"ovn_ha_virtual_ip_held {int(is_active)}\n" in metrics + "\n"


def test_removed_by_someone(lab):
    """It is put back; what a standby was given is taken away."""
    active = wait_well(lab)
    for address, bits in ((VIP, 24), (VIP6, 64)):
        active.exec("ip", "addr", "del", f"{address}/{bits}", "dev", "eth0")
        wait_held(lab, active)
        assert f"{address} is not on eth0 any more" in log_of(active)
    standby = others(lab, active)[0]
    standby.exec("ip", "addr", "add", f"{VIP6}/64", "dev", "lo", "nodad",
                 *LIFETIME)
    wait_held(lab, active)


def test_own_address(lab):
    """What a node has for good is never removed: nobody of us gave it that.
    Such a node does not become active, and says why."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    standby.exec("ip", "addr", "add", f"{VIP}/32", "dev", "lo")
    wait_until(lambda: f"{VIP} is an address of this node, on lo" in
               virtual_ip(standby).get("why", ""), 10,
               lambda: f"{virtual_ip(standby)}")
    wait_until(lambda: row(active, standby.name).get("not_eligible"), 10,
               "it is not eligible")
    assert cluster(active)["health"] == "degraded"
    standby.service_stop("ovn-had")
    standby.start_ovn_had()
    wait_until(lambda: virtual_ip(standby).get("unfit"), 20, "it looks again")
    assert has(standby) == [VIP]
    standby.exec("ip", "addr", "del", f"{VIP}/32", "dev", "lo")
    wait_held(lab, wait_well(lab))


# The active role moves.

def last(node, text):
    """When a node's workers said something for the last time."""
    return max(re.findall(rf"(\S+T\S+) .*{re.escape(text)}", log_of(node)))


def assert_left_first(old, new):
    """The new one did not even ask for it before."""
    assert last(old, f"leaving {VIP}/24") < last(new, f"taking {VIP}/24")
    assert "not taken" not in log_of(new)


def move(lab, name, how):
    """Clients of the addresses alone, while the role moves from the active to
    another node; returns the old and the new active."""
    old = wait_well(lab)
    clients = [Client(lab, a, db) for a in BOTH for db in DATABASES]
    assert neighbor(lab, VIP) == neighbor(lab, VIP6) == [mac(lab, old)]
    writers = [Writer(lab, f"{name}_{db}", db) for db in DATABASES]
    try:
        for writer in writers:
            writer.start()
        fault = time.time()
        how(old)
        wait_ended(clients, fault, name)
        wait_until(lambda: all(w.ledger().first_ack(fault) for w in writers),
                   60, "writes go on")
        new = lab.wait_active(60, [n.name for n in others(lab, old)])
        moved = time.time()
        wait_until(lambda: all(w.ledger().first_ack(moved) for w in writers),
                   60, "writes go on with the new one")
        wait_until(lambda: [mac(lab, new)] == neighbor(lab, VIP)
                   == neighbor(lab, VIP6), 10, "neighbors know the new one")
    finally:
        for writer in writers:
            writer.stop()
    return old, new


def test_switchover(lab, tmp_path):
    """Neighbors are told more than once: one that is busy misses the first."""
    def how(old):
        to = others(lab, old)[0]
        old.hactl("switchover", "--to", to.name, timeout=70)
    heard = tmp_path / "heard"
    with heard.open("wb") as out, subprocess.Popen(
            lab.switch.command(["/usr/bin/python3", "-c", LISTEN]),
            stdout=out) as listener:
        try:
            old, new = move(lab, "switchover", how)
            # A round has two frames for each address.
            wait_until(lambda: all(heard.read_text().count(
                f"{a} {mac(lab, new)}") >= 8 for a in BOTH), 20,
                lambda: f"it is announced again:\n{heard.read_text()}")
        finally:
            listener.kill()
    assert_left_first(old, new)


def test_closed_with_the_address(lab):
    """A node whose listeners are closed has not stopped serving before it has
    left the address, too."""
    old = wait_well(lab)
    child = child_of(old)
    old.stop(child.pid)
    try:
        mover = old.popen(lab.program("ovn-hactl", "."), "switchover")
        wait_until(lambda: not lab.answers(old.address, "nb"), 30,
                   "the listeners are closed")
        wait_until(lambda: virtual_ip(old).get("state") == "leaving", 10,
                   "the address is being left")
        assert local(old)["fence"]["door"] == "closing"
    finally:
        child.send_signal(signal.SIGCONT)
    wait_until(lambda: local(old)["fence"]["door"] == "closed", 20,
               "it is left")
    mover.wait(70)


def test_power_cut(lab):
    """A client that waits for the old active hears a reset of the new."""
    old, new = move(lab, "power_cut", lambda old: lab.crash(old.name))
    lab.boot(old.name)
    assert wait_well(lab) is new


def test_partition(lab):
    """Clients reach all nodes, which do not see each other: it is left before
    it is taken, and no two nodes ever serve."""
    old = wait_well(lab)
    with Watch(lab, "vip_partition") as watch:
        watch.busy()
        cut = time.time()
        lab.partition([old.name], [n.name for n in others(lab, old)])
        lab.wait_active(60, [n.name for n in others(lab, old)])
        assert not has(old)
        watch.acknowledged(cut + 1)
        lab.heal()
        new = wait_well(lab)
        watch.assert_one_at_a_time(old, new)
    assert_left_first(old, new)


def test_frozen_active(lab):
    """Every process of the active stands still: its kernel gives the address
    up, the next active takes it only then, and nothing that was written
    before is acknowledged when it goes on."""
    old = wait_well(lab)
    clients = [Client(lab, a, db) for a in BOTH for db in DATABASES]
    old.stop("all")
    try:
        frozen = time.time()
        for client in clients:
            client.write(f"late_{client.db}_{clients.index(client)}")
        lab.wait_active(60, [n.name for n in others(lab, old)])
        wait_until(lambda: lab.answers(VIP, "nb"), 30, "the address serves")
        print(f"frozen: served again after {time.time() - frozen:.2f} s")
        assert not has(old)
    finally:
        for what in ("nb", "sb", "all"):
            old.cont(what)
    new = wait_well(lab)
    assert new is not old
    wait_held(lab, new)
    wait_ended(clients, time.time(), "thawed")
    assert not any(c.acknowledged for c in clients)


# What dies.

def let_die(lab, still):
    """The worker of the active is killed while ovn-had, the worker itself or
    the child stands still; the address is left, and taken again."""
    old = wait_well(lab)
    before = log_of(old).count(f"leaving {VIP}/24")
    child = child_of(old)
    if still == "child":
        old.stop(child.pid)
    else:
        old.stop("ovn-had")
    if still == "worker":
        old.stop("fence")
    else:
        old.kill("fence")
    wait_until(lambda: log_of(old).count(f"leaving {VIP}/24") > before, 10,
               "it was left", interval=0.01)
    if still == "worker":
        old.kill("fence")
    if still == "child":
        # Or it would go on some day, and leave what others have taken.
        wait_until(child.gone, 10, "the orphan was ended")
    else:
        old.cont("ovn-had")
    wait_held(lab, wait_well(lab))


def test_child_hangs(lab):
    """One that does not answer is replaced, on the active and elsewhere."""
    for node in wait_well(lab), others(lab, wait_well(lab))[0]:
        child = child_of(node)
        node.stop(child.pid)
        if node is not wait_well(lab):
            reconfigure(node, CONF + "eth0\ndetect-ms = 101\n")
        wait_until(child.gone, 20, "it was ended")
        wait_until(lambda n=node: [p for p in n.processes() if p.comm ==
                                   "ovn-ha-address"], 10, "there is another")
    wait_held(lab, wait_well(lab))


@pytest.mark.parametrize("still", ["ovn-had", "worker", "child"])
def test_worker_dies(lab, still):
    """The child leaves the address when the worker is killed, though nobody
    starts another, and when the worker stands still, at the end of the lease.
    If the child stands still, the next worker leaves it."""
    let_die(lab, still)


def test_found_at_start(lab):
    """Whatever an earlier life left there."""
    node = others(lab, wait_well(lab))[0]
    node.service_stop("ovn-had")
    for address, bits in ((VIP, 24), (VIP6, 64)):
        node.exec("ip", "addr", "add", f"{address}/{bits}", "dev", "lo",
                  *LIFETIME)
    assert has(node) == BOTH
    node.start_ovn_had()
    wait_until(lambda: not has(node), 10, "they are gone")


# A pause.

def wait_paused(lab):
    """Waits until all know that the cluster is paused, and is else well."""
    wait_until(lambda: all(
        cluster(n).get("health") == "ok"
        and cluster(n)["pause"]["state"] == "on" for n in lab.control), 40,
        lambda: f"all are paused; they say {[cluster(n) for n in lab.control]}")


def test_pause(lab):
    """It stays where it is as the lease does, and is left as ever: when the
    node stops, and, after the pause, at the end of the lease."""
    active = wait_well(lab)
    apart = others(lab, active)
    active.hactl("pause")
    wait_paused(lab)
    lab.partition([active.name], [n.name for n in apart])
    for node in apart:
        wait_why(node, "paused")
    wait_until(lambda: local(active)["fence"]["acks"] == 0, 10)
    wait_held(lab, active)
    lab.heal()
    wait_paused(lab)

    # The node's own address goes, and takes what came after it along.  If the
    # virtual IP were the first to be back, the node's own would end with it.
    active.exec("sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0")
    own = f"{active.address}/24"
    active.exec("ip", "addr", "del", own, "dev", "eth0")
    wait_until(lambda: "eth0 has no other address in the network of "
               f"{VIP}/24" in virtual_ip(active).get("why", ""), 10,
               lambda: f"{virtual_ip(active)}")
    assert has(active) == [VIP6]
    active.exec("ip", "addr", "add", own, "dev", "eth0")
    wait_held(lab, active)
    wait_paused(lab)

    active.service_stop("ovn-had")
    assert not has(active) and own in active.out("ip", "addr", "show", "eth0")
    active.start_ovn_had()
    wait_held(lab, active)
    wait_paused(lab)
    active.hactl("resume", timeout=70)
    assert wait_well(lab) is active
    let_die(lab, "worker")


def test_given_to_us(lab):
    """An address that was there without us, as pacemaker leaves it: clients
    stay on it."""
    active = wait_well(lab)
    before = log_of(active).count(f"leaving {VIP}/24")
    reconfigure(active, "")
    wait_until(lambda: not has(active), 20, "it is not ours any more")
    assert log_of(active).count(f"leaving {VIP}/24") > before
    active.exec("ip", "addr", "add", f"{VIP}/24", "dev", "eth0")
    wait_until(lambda: lab.answers(VIP, "nb"), 10, "it serves")
    client = Client(lab, VIP)
    reconfigure(active, CONF + "eth0\n")
    wait_held(lab, active)
    assert "forever" not in active.out("ip", "addr", "show", "to", VIP)
    client.session.transact(DATABASES["nb"], {
        "op": "select", "table": "NB_Global", "where": []})


# Not taken.

@pytest.mark.parametrize("address", BOTH)
def test_duplicate(lab, address):
    """Another host has it: whoever is to become active does not, and says
    whose it is; when it is gone, one does."""
    old = wait_well(lab)
    to = others(lab, old)[0]
    clients_mac = mac(lab)
    strange(lab, "add", address)
    mover = old.popen(lab.program("ovn-hactl", "."), "switchover", "--to",
                      to.name)
    says = f"virtual IP: {address}: another host on eth0 has it, MAC " \
        f"address {clients_mac}"

    def told():
        return says in to.hactl("status", check=False)
    wait_until(told, 30, lambda: f"{says}: {virtual_ip(to)}")
    assert virtual_ip(to)["state"] == "refused" and not has(to)
    assert not lab.serving("nb")
    assert f"not taken: {address}: another host" in log_of(to)
    strange(lab, "del", address)
    wait_held(lab, wait_well(lab))
    mover.wait(70)


def test_nobody_can_be_asked(lab):
    """An address is not taken before others were asked for it: a frame that
    could not be sent was no question."""
    to = others(lab, wait_well(lab))[0]
    to.exec("nft", "-f", "-", stdin=MUTE)
    mover = to.popen(lab.program("ovn-hactl", "."), "switchover", "--to",
                     to.name)
    wait_until(lambda: f"cannot ask on eth0 who has {VIP}" in
               virtual_ip(to).get("why", ""), 30,
               lambda: f"{virtual_ip(to)}")
    assert not has(to)
    to.exec("nft", "delete", "table", "netdev", "mute")
    wait_held(lab, wait_well(lab))
    mover.wait(70)


def test_claimed_later(lab):
    """Someone else says that it is his while it is held: told, and denied."""
    active = wait_well(lab)
    strange(lab, "add", VIP)
    run(lab.switch.command(["ping", "-c", "1", "-W", "1", "-I", VIP,
                            active.address]), check=False)
    run(lab.switch.command(["ip", "neigh", "flush", "dev", "br-db"]))
    run(lab.switch.command(["ping", "-c", "1", "-W", "1", "-I", VIP,
                            active.address]), check=False)
    wait_until(lambda: "another host on eth0 has it" in virtual_ip(active).get(
        "why", ""), 10, lambda: f"{virtual_ip(active)}")
    shown(active, "virtual-ip")
    strange(lab, "del", VIP)
    assert has(active) == BOTH


def test_interface(lab):
    """A node whose interface is missing hands over, and is not elected."""
    old = wait_well(lab)
    reconfigure(old, CONF + "cl0\n")
    new = lab.wait_active(60, [n.name for n in others(lab, old)])
    wait_state(old, "standby")
    assert "interface cl0: there is none of that name" in old.hactl(
        "status", check=False)
    assert "there is none of that name [virtual-ip]" in old.hactl(
        "check", check=False)
    wait_until(lambda: (row(new, old.name).get("not_eligible") or {}).get(
        "code") == "database", 10, "it is not eligible")
    shown(new, "database")
    old.exec("ip", "link", "add", "cl0", "type", "veth", "peer", "cl1")
    for name in ("cl0", "cl1"):
        old.exec("ip", "link", "set", name, "up")
    wait_until(lambda: "interface cl0 has no other address in the network of "
               f"{VIP}/24" in virtual_ip(old).get("why", ""), 10,
               lambda: f"{virtual_ip(old)}")
    old.exec("ip", "link", "del", "cl0")
    assert not has(old)
    reconfigure(old, CONF + "eth0\n")
    wait_until(lambda: not row(new, old.name).get("not_eligible"), 20,
               "it is eligible again")
    switch_to(lab, old)


def test_refused_configuration(lab):
    """What can be known to be wrong is not taken."""
    node = others(lab, wait_well(lab))[0]
    for own in f"{node.address}/24", f"{node.address6}/64":
        configure(node, f"[virtual-ip]\naddress = {own}\n"
                  "interface = eth0\n")
        result = node.exec(node.lab.program("ovn-hactl", "."), "reload",
                           check=False)
        assert result.returncode and f"{own} is the address of " \
            f"{node.name} in corosync's nodelist" in result.stderr
    reconfigure(node, CONF + "eth0\n")
