# SPDX-License-Identifier: Apache-2.0
"""A compute node: user-space Open vSwitch, ovn-controller, and workloads in
network namespaces of their own."""

from .node import ROLES, Node
from .ovsdb import PORTS
from .shell import CommandError
from .wait import wait_until

OVS_DB = "/var/lib/openvswitch/conf.db"
OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
SWITCH = "lab-sw0"


class Workload:
    """What would be a virtual machine."""

    def __init__(self, node, number):
        self.node = node
        self.number = number
        self.name = f"{node.name}w{number}"
        # A chassis has room for 15 workloads.
        slot = node.index * 16 + number
        self.address = f"192.168.{slot // 256}.{slot % 256}"
        self.mac = f"02:00:00:00:{slot // 256:02x}:{slot % 256:02x}"
        self.port = f"vif-{self.name}"

    def exec(self, *argv, **kwargs):
        """Runs a command in the workload."""
        return self.node.exec(*argv, netns=self.name, **kwargs)


class ComputeNode(Node):
    """c1, c2, ...; see the module."""

    nets = ("db", "ul")

    def __init__(self, lab, name, index):
        super().__init__(lab, name, index)
        self.workloads = [Workload(self, number + 1)
                          for number in range(lab.workloads)]

    @property
    def address(self):
        """Its address towards the databases."""
        return f"10.10.0.{100 + self.index}"

    @property
    def tunnel_address(self):
        """Its address towards the other compute nodes."""
        return f"10.20.0.{self.index}"

    def plug_in(self):
        # At each change of the kernel's routes Open vSwitch forgets all of
        # them and reads them anew, and drops what its revalidators send into
        # tunnels meanwhile.  IPv6 brings such changes by itself, seconds after
        # an interface is up, when its address proves to be nobody else's.
        self.exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                  "net.ipv6.conf.default.disable_ipv6=1")
        self.lab.switch.plug(self, "db", "eth0", self.address)
        # The address is on br-phy, in user space; the kernel must not answer
        # for it on the port.
        self.lab.switch.plug(self, "ul", "eth1",
                             setup=["link set eth1 arp off"])

    def start_chassis(self):
        """Open vSwitch, the workloads, and then ovn-controller."""
        self._start_switch()
        self._configure()
        for workload in self.workloads:
            self._attach(workload)
        self.start_controller()

    def first_in_line(self):
        """Command words that give the data plane a core whenever it wants
        one: elsewhere nobody competes with it for that."""
        real_time = ["chrt", "-r", "1"]
        if self.exec(*real_time, "true", check=False).returncode == 0:
            return real_time
        return ["nice", "-n", "-20"]

    def start_controller(self):
        """ovn-controller alone."""
        self.service_start("ovn-controller", [
            "ovn-controller", "--pidfile=/run/ovn/ovn-controller.pid",
            "--log-file=/var/log/ovn/ovn-controller.log", "-vconsole:off"],
            75)

    def _start_switch(self):
        if not self.root(OVS_DB).exists():
            self.exec("ovsdb-tool", "create", OVS_DB, OVS_SCHEMA)
        self.service_start("switch-db", [
            "ovsdb-server", "-vconsole:off",
            "--log-file=/var/log/openvswitch/ovsdb-server.log",
            "--pidfile=/run/openvswitch/ovsdb-server.pid",
            "--remote=punix:/run/openvswitch/db.sock", OVS_DB])
        wait_until(self.root("/run/openvswitch/db.sock").exists, 10,
                   f"the switch's database of {self.name} listens")
        self.vsctl("--no-wait", "init")
        self.service_start("vswitchd", [
            *self.first_in_line(), "ovs-vswitchd", "--disable-system",
            "-vconsole:off", "--pidfile=/run/openvswitch/ovs-vswitchd.pid",
            "--log-file=/var/log/openvswitch/ovs-vswitchd.log"], 75)

    def remotes(self):
        """ovn-remote: every control node's SB."""
        return ",".join(f"tcp:{address}:{PORTS['sb']}"
                        for address in self.lab.servers().values())

    def _configure(self):
        settings = {
            "ovn-remote": f'"{self.remotes()}"',
            "ovn-remote-probe-interval": self.lab.probe_interval_ms,
            "ovn-encap-type": "geneve",
            "ovn-encap-ip": self.tunnel_address,
            "ovn-bridge-datapath-type": "netdev",
            "system-id": self.name,
            "hostname": self.name,
        }
        self.vsctl(
            "set", "open", ".",
            *[f"external_ids:{key}={value}"
              for key, value in settings.items()],
            "--", "--may-exist", "add-br", "br-int",
            "--", "set", "bridge", "br-int", "datapath_type=netdev",
            "fail-mode=secure",
            "--", "--may-exist", "add-br", "br-phy",
            "--", "set", "bridge", "br-phy", "datapath_type=netdev",
            "--", "--may-exist", "add-port", "br-phy", "eth1")
        self.exec("ip", "-batch", "-", stdin=(
            f"addr add {self.tunnel_address}/24 dev br-phy\n"
            "link set br-phy mtu 1600 up\n"))

    def _attach(self, workload):
        name, port = workload.name, workload.port
        self.exec("ip", "netns", "add", name)
        self.exec("ip", "-batch", "-", stdin=(
            f"link add {port} type veth peer name eth0 netns {name}\n"
            f"link set {port} up\n"))
        workload.exec("ip", "-batch", "-", stdin=(
            "link set lo up\n"
            f"link set eth0 address {workload.mac} mtu 1400 up\n"
            f"addr add {workload.address}/16 dev eth0\n"))
        # User-space forwarding computes no checksums for others.
        workload.exec("ethtool", "-K", "eth0", "tx", "off")
        self.vsctl("--may-exist", "add-port", "br-int", port, "--", "set",
                   "interface", port, f"external_ids:iface-id={name}")

    def vsctl(self, *args):
        """ovs-vsctl."""
        return self.out("ovs-vsctl", "-t", "20", *args)

    def flows(self):
        """How many OpenFlow rules br-int holds."""
        out = self.out("ovs-ofctl", "dump-aggregate", "br-int")
        return int(out.rsplit("flow_count=", 1)[1])

    def connected(self):
        """Whether ovn-controller is connected to an SB."""
        try:
            return self.out("ovn-appctl", "-t", "ovn-controller",
                            "connection-status") == "connected"
        except CommandError:
            return False


ROLES["chassis"] = ComputeNode.start_chassis
