# SPDX-License-Identifier: Apache-2.0
"""A control node: corosync, and either ovn-had or, for tests of the lab
itself, plain standalone databases."""

import os
from dataclasses import asdict, dataclass, field

from .netns import inside
from .node import ROLES, Node
from .ovsdb import DATABASES, NO_OP, PORTS, Closed, Session, dial
from .qdevice import DEVICE
from .shell import CommandError
from .wait import wait_until

SCHEMAS = {"nb": "/usr/share/ovn/ovn-nb.ovsschema",
           "sb": "/usr/share/ovn/ovn-sb.ovsschema"}

GLOBAL_TABLES = {"nb": "NB_Global", "sb": "SB_Global"}


def create_database(node, db):
    """An empty standalone database, unless there is one."""
    path = f"/var/lib/ovn/ovn{db}_db.db"
    if not node.root(path).exists():
        node.exec("ovsdb-tool", "create", path, SCHEMAS[db])


def listeners(db):
    """The remote that stands for what the database itself says."""
    return f"db:{DATABASES[db]},{GLOBAL_TABLES[db]},connections"


def server_argv(db, *options, listen=True):
    """ovsdb-server by OVN's conventions, for clients too if it is to
    'listen'."""
    options += (f"--remote={listeners(db)}",) if listen else ()
    return ["ovsdb-server", "-vconsole:off", *options,
            f"--log-file=/var/log/ovn/ovsdb-server-{db}.log",
            f"--pidfile=/run/ovn/ovn{db}_db.pid",
            f"--unixctl=/run/ovn/ovn{db}_db.ctl",
            f"--remote=punix:/run/ovn/ovn{db}_db.sock",
            f"/var/lib/ovn/ovn{db}_db.db"]


def start_northd(node, everywhere=False):
    """northd on the node's own databases, or on those of 'everywhere'."""
    def remotes(db):
        if not everywhere:
            return f"unix:/run/ovn/ovn{db}_db.sock"
        return ",".join(f"tcp:{n.address}:{PORTS[db]}"
                        for n in node.lab.control)
    node.service_start("northd", [
        "ovn-northd", "-vconsole:off",
        "--pidfile=/run/ovn/ovn-northd.pid",
        "--log-file=/var/log/ovn/ovn-northd.log",
        f"--ovnnb-db={remotes('nb')}", f"--ovnsb-db={remotes('sb')}"], 75)


def takes_writes(dial_it, db, timeout):
    """Whether the server behind a session takes writes."""
    try:
        session = dial_it()
    except Closed:
        return False
    try:
        session.transact(DATABASES[db], NO_OP, timeout=timeout)
        return True
    except (Closed, RuntimeError):
        return False
    finally:
        session.close()


def _second_link(node):
    return f"\n        ring1_addr: {node.address6}" if node.address6 else ""


@dataclass
class Corosync:
    """What may differ between one lab's corosync and another's."""
    token_ms: int = 1000
    coefficient_ms: int = 650
    # With a token of 500 ms knet's own ping timeout gives false alarms.
    ping_cure: bool = False
    # More lines of the quorum section, such as {"two_node": 1}.
    quorum: dict = field(default_factory=dict)
    # Nodes of the nodelist; empty: all control nodes of the lab.
    nodes: list = field(default_factory=list)

    @classmethod
    def fast(cls):
        """The shortest detection that held in measurements."""
        return cls(token_ms=500, coefficient_ms=0, ping_cure=True)

    def text(self, lab):
        """corosync.conf."""
        interface = "".join(f"""
    interface {{
        linknumber: {link}
        knet_ping_interval: 200
        knet_ping_timeout: 1000
        knet_pong_count: 1
    }}""" for link in range(1 + lab.ipv6)) if self.ping_cure else ""
        nodes = "".join(f"""
    node {{
        nodeid: {node.index}
        name: {node.name}
        ring0_addr: {node.address}{_second_link(node)}
    }}""" for node in lab.control if not self.nodes or node.name in self.nodes)
        quorum = "".join(f"\n    {key}: {value}"
                         for key, value in self.quorum.items())
        if lab.qnetd:
            quorum += DEVICE.format(host=lab.qnetd.address)
        return f"""totem {{
    version: 2
    cluster_name: {lab.name}
    transport: knet
    crypto_cipher: aes256
    crypto_hash: sha256
    token: {self.token_ms}
    token_coefficient: {self.coefficient_ms}{interface}
}}
nodelist {{{nodes}
}}
quorum {{
    provider: corosync_votequorum{quorum}
}}
logging {{
    to_stderr: no
    to_syslog: no
    to_logfile: yes
    logfile: /var/log/corosync/corosync.log
    timestamp: hires
}}
"""

    def save(self):
        """For the lab's state file."""
        return asdict(self)


class ControlNode(Node):
    """n1, n2, ...; see the module."""

    nets = ("db",)

    @property
    def address(self):
        """Its address, corosync's and the databases'."""
        return f"10.10.0.{self.index}"

    @property
    def address6(self):
        """The same in IPv6; None where the lab has none."""
        return f"fd00:10::{self.index}" if self.lab.ipv6 else None

    def plug_in(self):
        self.lab.switch.plug(self, "db", "eth0", self.address,
                             address6=self.address6)

    # corosync.

    def write_corosync_conf(self):
        """Writes configuration and key to the node's disk."""
        etc = self.root("/etc/corosync")
        (etc / "corosync.conf").write_text(
            self.lab.corosync.text(self.lab))
        key = etc / "authkey"
        key.unlink(missing_ok=True)
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT, 0o400),
                       "wb") as file:
            file.write((self.lab.folder / "authkey").read_bytes())

    def start_corosync(self):
        """Starts corosync; as with Debian's unit nothing restarts it."""
        self.write_corosync_conf()
        self.service_start("corosync", ["/usr/sbin/corosync", "-f"])

    def votes(self):
        """Votes present if the node is quorate, 0 if not."""
        out = self.exec("corosync-quorumtool", "-s", check=False).stdout
        lines = dict(line.split(":", 1) for line in out.splitlines()
                     if ":" in line)
        if lines.get("Quorate", "").strip() != "Yes":
            return 0
        return int(lines["Total votes"])

    # ovn-had.

    def start_ovn_had(self, args=("--wait",), restart_ms=75):
        """Starts ovn-had from the build folder, kept alive, as its systemd
        unit does."""
        self.service_start("ovn-had",
                           [self.lab.program("ovn-had", "."), *args],
                           restart_ms)

    # Standalone databases and northd.

    def start_central(self):
        """Plain ovsdb-servers and northd that know nothing of each other."""
        for db in ("nb", "sb"):
            self.start_server(db)
        start_northd(self)

    def start_server(self, db):
        """One standalone server, listening as its database says."""
        create_database(self, db)
        self.service_start(f"ovsdb-{db}", server_argv(db))
        wait_until(lambda: self.serves(db, unix=True), 30,
                   f"{db} of {self.name} serves")

    # Asking and setting.

    def dial(self, db, unix=False):
        """A session with this node's database, from inside the node."""
        pid = self.pid
        if not pid:
            raise Closed(f"{self.name} is off")
        try:
            if unix:
                return Session(dial(self.root(f"/run/ovn/ovn{db}_db.sock")))
            with inside(pid):
                return Session(dial((self.address, PORTS[db])))
        except (OSError, CommandError) as err:
            raise Closed(str(err)) from err

    def serves(self, db="nb", unix=False, timeout=1.0):
        """Whether this node acknowledges writes."""
        return takes_writes(lambda: self.dial(db, unix), db, timeout)

    def nbctl(self, *args, **kwargs):
        """ovn-nbctl over the node's own socket."""
        return self.out("ovn-nbctl", "-t", "20", *args, **kwargs)

    def sbctl(self, *args, **kwargs):
        """ovn-sbctl over the node's own socket."""
        return self.out("ovn-sbctl", "-t", "20", *args, **kwargs)

    def hactl(self, *args, **kwargs):
        """ovn-hactl from the build folder."""
        return self.out(self.lab.program("ovn-hactl", "."), *args, **kwargs)


ROLES["corosync"] = ControlNode.start_corosync
ROLES["ovn-had"] = ControlNode.start_ovn_had
ROLES["central"] = ControlNode.start_central
