# SPDX-License-Identifier: Apache-2.0
"""ovn-hactl check: a good cluster gives OK, and what was made bad is named."""

import json
import signal
from pathlib import Path

import pytest
from certs import Authority
from lab import Corosync, wait_until
from watch import bring_up, configure, others, reconfigure, status, wait_well

SCHEMA = Path("/usr/share/ovn/ovn-nb.ovsschema")
UNREACHABLE = """
[device bmc]
agent = fence_ipmilan
ip = 127.0.0.1
username = u
password = p
timeout-ms = 1000
retries = 0
monitor-s = 1

[fence n1]
level-1 = bmc
"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture(scope="module")
def lab(make_lab, ca):
    """As it should be."""
    lab = make_lab(control=3, compute=1, workloads=1,
                   corosync=Corosync.fast())
    lab.power_on()
    for node in lab.control:
        configure(node, ca.install(node))
    lab.start_corosync()
    lab.open_ports(lab.start_ovn_had())
    lab.start_compute()
    wait_well(lab)
    return lab


def check(node, *options):
    """The exit code, and codes and texts of what was found."""
    result = node.exec(node.lab.program("ovn-hactl", "."), "check", "--json",
                       *options, check=False)
    found = json.loads(result.stdout)
    return result.returncode, {f["code"]: f["what"]
                               for f in found["findings"]}


def wait_found(node, *codes):
    """Until these are found there, and no others.  Returns them."""
    wait_until(lambda: set(check(node)[1]) == set(codes), 30,
               lambda: f"{node.name} finds {codes}: {check(node)}")
    return check(node)[1]


def test_well(lab):
    """Every node knows of every other one, and finds nothing."""
    for node in lab.control:
        wait_until(lambda: all(n["told"] for n in status(node)["nodes"]), 30,
                   "all told something of themselves")
        assert check(node) == (0, {})
        out = node.hactl("check").splitlines()
        assert len(out) == 1 and out[0].startswith("OK: 0 findings of ")
    assert check(lab.compute[0], "--client") == (0, {})


def test_databases(lab):
    """What the databases hold is looked at on every node, active or not."""
    active = wait_well(lab)
    standby = others(lab, active)[0]
    active.nbctl("set", "connection", ".", "inactivity_probe=0")
    for name, address in (("old", "192.0.2.1"), ("new", "192.0.2.2")):
        active.sbctl("chassis-add", name, "geneve", address, "--", "set",
                     "chassis", name, "hostname=twin")
    active.sbctl("chassis-add", "tunnel", "vxlan", "192.0.2.1")
    found = wait_found(standby, "probe-off", "chassis-host-twice",
                       "chassis-address-twice")
    assert "NB: inactivity_probe of ptcp:6641 is 0" == found["probe-off"]
    assert "twin" in found["chassis-host-twice"]
    assert "192.0.2.1" in found["chassis-address-twice"]
    assert check(standby)[0] == 2
    for name in ("old", "new", "tunnel"):
        active.sbctl("chassis-del", name)
    assert set(wait_found(standby, "probe-off")) and check(standby)[0] == 1
    active.nbctl("remove", "connection", ".", "inactivity_probe", "0")
    wait_found(standby)


def test_nodes_that_differ(lab, ca):
    """Another lease, another schema, a certificate that ends soon, a fence
    device that cannot be reached: seen where it is, and by the others what
    concerns them."""
    active = wait_well(lab)
    odd, other = others(lab, active)
    newer = json.loads(SCHEMA.read_text())
    newer["version"] = "99.0.0"
    odd.root("/etc/ovn-ha/newer.ovsschema").write_text(json.dumps(newer))
    configure(odd, ca.install(odd, 5) + (
        "[timing]\nlease-ms = 1050\n"
        "[paths]\nnb-schema = /etc/ovn-ha/newer.ovsschema\n"
        + UNREACHABLE.replace("n1", other.name)))
    odd.hactl("reload")
    found = wait_found(odd, "option-differs", "schema-skew", "fence-device",
                       "schema-unconverted", "certificate-ends")
    assert "expires in 5 days" in found["certificate-ends"]
    found = wait_found(other, "option-differs", "schema-skew")
    assert found["option-differs"] \
        == f"[timing] lease-ms is 1000 here, and 1050 on {odd.name}"
    assert f"and 99.0.0 on {odd.name}" in found["schema-skew"]
    reconfigure(odd, ca.install(odd))
    for node in lab.control:
        wait_found(node)


def test_clients(lab):
    """What only a compute node knows."""
    node = lab.compute[0]
    node.vsctl("set", "open", ".", "external_ids:ovn-remote=tcp:10.10.0.1:6642",
               "external_ids:ovn-remote-probe-interval=0")
    node.root("/etc/openvswitch/system-id.conf").write_text("reset\n")
    code, found = check(node, "--client")
    assert code == 2
    assert set(found) == {"one-remote", "remote-probe-off",
                          "system-id-changes"}
    node.vsctl("clear", "open", ".", "external_ids")
    assert "no-remote" in check(node, "--client")[1]
    for keeper in [p for p in node.processes() if p.comm == "lab-keeper"]:
        keeper.send_signal(signal.SIGKILL)
    node.kill("switch-db")
    assert check(node, "--client")[0] == 3


def test_owners(lab):
    """Somebody else's server, port, units and pacemaker, while ovn-had does
    not run; then corosync does not either, nor does the configuration do."""
    node = others(lab, wait_well(lab))[0]
    node.exec("prlimit", f"--pid={inner(node, 'nb')}", "--nofile=80:80")
    found = wait_found(node, "descriptors")
    assert "may open 80 files" in found["descriptors"]
    node.service_stop("ovn-had")
    wait_found(node, "daemon-down")
    node.exec("mkdir", "-p", "/run/systemd/system")
    node.exec("sh", "-ec", "mkdir -p /var/lib/pacemaker/cib; "
              "mount -t tmpfs units /etc/systemd/system; echo "
              "'<primitive type=\"ovndb-servers\"/>' "
              "> /var/lib/pacemaker/cib/cib.xml")
    node.service_start("stranger", ["python3", "-m", "http.server", "6661"])
    node.start_server("nb")
    found = wait_found(node, "daemon-down", "units-unmasked", "pacemaker",
                       "port-taken", "foreign-server")
    assert "(python3)" in found["port-taken"]
    assert "ovnnb_db.db is in use by process" in found["foreign-server"]
    node.service_stop("corosync")
    assert "corosync-unseen" in check(node)[1]
    bad_corosync(node)
    configure(node, "[timing]\nlease-ms = no\n")
    code, found = check(node)
    assert code == 2
    assert found["configuration"] == "/etc/ovn-ha/ovn-ha.conf:2: " \
        "[timing] lease-ms: \"no\" is not a whole number"


def bad_corosync(node):
    """Everything that can be wrong about it, as far as it starts."""
    file = node.root("/etc/corosync/corosync.conf")
    text = file.read_text().replace("aes256", "none").replace(
        "sha256", "none").replace("token: 500", "token: 400").replace(
        "knet_ping_timeout: 1000", "knet_ping_timeout: 250").replace(
        "provider: corosync_votequorum", "provider: corosync_votequorum\n"
        "last_man_standing: 1\nexpected_votes: 2")
    file.write_text(text.replace("name: n1", "name: n1\nquorum_votes: 3"))
    node.service_start("corosync", ["/usr/sbin/corosync", "-f"])
    bad = {"token-short", "lease-long", "knet-ping", "corosync-in-clear",
           "last-man-standing", "expected-votes", "uneven-votes"}
    wait_until(lambda: bad <= set(check(node)[1]), 30,
               lambda: f"{bad}: {check(node)}")
    found = check(node)[1]
    assert "is 2, but nodes and quorum device have 5" \
        in found["expected-votes"]
    assert "1000, but corosync knows after 880 ms" in found["lease-long"]


def inner(node, target):
    """A process's pid as its node has it."""
    line, = [x for x in Path(
        f"/proc/{node.find(target)[0].pid}/status").read_text().splitlines()
        if x.startswith("NSpid:")]
    return line.split()[-1]
