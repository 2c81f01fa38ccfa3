# SPDX-License-Identifier: Apache-2.0
"""Certificates are renewed as doc/CERTIFICATES.md says, by its commands, while
clients write: nobody is cut off, log shipping goes on where it was, and what is
shown to whom is what the page says."""

import pytest
from certs import Authority
from lab import Corosync, wait_until
from lab.shell import CommandError
from page import Page
from watch import (Watch, bring_up, cluster, others, reconfigure, status,
                   switch_to, wait_equal, wait_well)

PAGE = Page("CERTIFICATES.md")
SSL_PORT = 6651
CONF = """[replication]
private-key = /etc/ovn-ha/key.pem
certificate = /etc/ovn-ha/cert.pem
ca-cert = /etc/ovn-ha/ca.pem
[status]
listen = {}:6664
private-key = /etc/ovn-ha/key.pem
certificate = /etc/ovn-ha/cert.pem
"""


@pytest.fixture(scope="module")
def lab(make_lab, tmp_path_factory):
    """Three nodes with an authority's folder, n1 active."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    folder = tmp_path_factory.mktemp("authority")
    for node in lab.control:
        node.exec("sh", "-ec", "mount -t tmpfs ca /mnt; mkdir /mnt/ca; "
                  f"mount --bind {folder} /mnt/ca")
    switch_to(lab, lab["n1"])
    lab.ca = folder
    return lab


def shown(node, port):
    """The serial number of the certificate that a port of the node shows."""
    result = node.exec("sh", "-c", "openssl s_client -connect "
                       f"{node.address}:{port} </dev/null 2>/dev/null | "
                       "openssl x509 -noout -serial", check=False)
    return result.stdout.strip()


def wait_shown(lab):
    """Until every listener shows what the node's file holds."""
    active = lab["n1"]
    for node in lab.control:
        wanted = node.out("openssl", "x509", "-noout", "-serial", "-in",
                          "/etc/ovn-ha/cert.pem").strip()
        for port in (6661, 6662, 6664, *([SSL_PORT] if node is active
                                         else [])):
            wait_until(lambda: shown(node, port) == wanted, 20,
                       lambda: f"{node.name}:{port} shows {wanted}, and not "
                       f"{shown(node, port)}")


def client(lab, prefix, ca):
    """A new client's connection, with these files."""
    return lab["n1"].out(
        "ovn-nbctl", "--timeout=5", f"--db=ssl:{lab['n1'].address}:{SSL_PORT}",
        "-p", f"{prefix}-key.pem", "-c", f"{prefix}-cert.pem", "-C", str(ca),
        "get", "NB_Global", ".", "nb_cfg")


class Calm:
    """No standby connects anew, none needs a snapshot, no epoch ends."""

    def __init__(self, lab):
        self.lab = lab
        self.before = self.look()

    def look(self):
        """What may not change."""
        dbs = [status(node)["local"][db] for node in others(
            self.lab, self.lab["n1"]) for db in ("nb", "sb")]
        return ([(db["resumes"], db["snapshots"]) for db in dbs],
                cluster(self.lab["n1"])["epoch"])

    def verify(self, watch):
        """So it is, and writes go on and arrive."""
        watch.busy()
        wait_well(self.lab)
        assert self.look() == self.before


def test_rotation(lab, tmp_path):
    """A story in the order of the page."""
    active = lab["n1"]
    PAGE.run(lab, "The first ones")
    for node in lab.control:
        reconfigure(node, CONF.format(node.address))
    active.nbctl("--", "--id=@c", "create", "Connection",
                 f'target="pssl:{SSL_PORT}"', "--", "add", "NB_Global", ".",
                 "connections", "@c")
    wait_well(lab)
    wait_shown(lab)
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    for file in ("ca.pem", "ca-key.pem"):
        (old.folder / file).write_bytes((lab.ca / file).read_bytes())
    theirs = old.issue("client")
    client(lab, theirs, old.ca)
    with Watch(lab, "c") as watch:
        calm = Calm(lab)
        PAGE.run(lab, "A new key under the same authority")
        wait_shown(lab)
        client(lab, theirs, old.ca)
        calm.verify(watch)

        PAGE.run(lab, "A new authority")
        for file in ("ca.pem", "ca-key.pem"):
            (new.folder / file).write_bytes(
                (lab.ca / f"new-{file}").read_bytes())
        ours = new.issue("client")
        both = lab.ca / "both-ca.pem"
        for prefix in (theirs, ours):
            # The new one is accepted once the server has seen the file.
            wait_until(lambda: accepted(lab, prefix, both), 20,
                       f"{prefix} is let in")
        calm.verify(watch)

        PAGE.run(lab, "Certificates of the new authority")
        wait_shown(lab)
        for prefix in (theirs, ours):
            client(lab, prefix, both)
        calm.verify(watch)

        PAGE.run(lab, "Without the old authority")
        wait_until(lambda: not accepted(lab, theirs, both), 20,
                   "the old authority counts no more")
        client(lab, ours, new.ca)
        calm.verify(watch)

        node = others(lab, active)[0]
        node.service_stop("ovn-had")
        watch.busy()
        node.start_ovn_had()
        wait_well(lab)
        for db in ("nb", "sb"):
            said = status(node)["local"][db]
            assert (said["resumes"], said["snapshots"]) == (1, 0), said
        watch.assert_undisturbed(active)
    wait_equal(lab)
    assert PAGE.with_commands() == {
        "The first ones", "A new key under the same authority",
        "A new authority", "Certificates of the new authority",
        "Without the old authority"}


def accepted(lab, prefix, ca):
    """Whether a client with these files is let in."""
    try:
        client(lab, prefix, ca)
        return True
    except CommandError:
        return False
