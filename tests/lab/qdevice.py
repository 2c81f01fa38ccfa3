# SPDX-License-Identifier: Apache-2.0
"""A quorum device: corosync-qnetd on a machine of its own, and what the control
nodes need to ask it, over TLS with the certificates of its own tools."""

from .node import ROLES, Node

NSS_QNETD = "/etc/corosync/qnetd/nssdb"
NSS_NODE = "/etc/corosync/qdevice/net/nssdb"

# Of the quorum section.  The timeouts are as short as they may be here.
DEVICE = """
    device {{
        model: net
        votes: 1
        timeout: 1500
        sync_timeout: 3000
        net {{
            tls: required
            host: {host}
            algorithm: ffsplit
        }}
    }}"""


class QnetdNode(Node):
    """q1; see the module."""

    nets = ("db",)

    @property
    def address(self):
        """Where the control nodes ask."""
        return "10.10.0.200"

    def plug_in(self):
        self.lab.switch.plug(self, "db", "eth0", self.address)

    def start_qnetd(self):
        """Starts corosync-qnetd, with an authority of its own."""
        if not self.root(NSS_QNETD).exists():
            self.exec("corosync-qnetd-certutil", "-i")
        self.exec("mkdir", "-p", "/run/corosync-qnetd")
        self.service_start("qnetd", ["/usr/bin/corosync-qnetd", "-f"])

    def enroll(self, node):
        """Gives a control node a certificate, if it has none: the first asks
        for one, the others get that."""
        if node.root(NSS_NODE).exists():
            return
        tool = "corosync-qdevice-net-certutil"
        _carry(self, f"{NSS_QNETD}/qnetd-cacert.crt", node, "/run/ca.crt")
        node.exec(tool, "-i", "-c", "/run/ca.crt")
        p12 = self.folder / "node.p12"
        if p12.exists():
            node.root("/run/node.p12").write_bytes(p12.read_bytes())
            node.exec(tool, "-m", "-c", "/run/node.p12")
            return
        name = self.lab.name
        node.exec(tool, "-r", "-n", name)
        _carry(node, f"{NSS_NODE}/qdevice-net-node.crq", self, "/run/node.crq")
        self.exec("corosync-qnetd-certutil", "-s", "-c", "/run/node.crq",
                  "-n", name)
        _carry(self, f"{NSS_QNETD}/cluster-{name}.crt", node, "/run/node.crt")
        node.exec(tool, "-M", "-c", "/run/node.crt")
        p12.write_bytes(
            node.root(f"{NSS_NODE}/qdevice-net-node.p12").read_bytes())


def _carry(source, path, target, to):
    target.root(to).write_bytes(source.root(path).read_bytes())


def start_qdevice(node):
    """Starts corosync-qdevice on a control node."""
    node.exec("mkdir", "-p", "/run/corosync-qdevice")
    node.service_start("qdevice", ["/usr/sbin/corosync-qdevice", "-f"], 200)


ROLES["qnetd"] = QnetdNode.start_qnetd
ROLES["qdevice"] = start_qdevice
