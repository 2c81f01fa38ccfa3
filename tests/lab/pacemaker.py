# SPDX-License-Identifier: Apache-2.0
"""For comparison: pacemaker with OVN's own agent, as OVN's documentation sets
it up: one promoted copy, northd managed with it, and a virtual IP that clients
use.  Without fencing, as most who run it."""

import json
import os

from .backup import replicating
from .node import ROLES
from .ovsdb import PORTS
from .shell import CommandError
from .wait import wait_until

VIP = "10.10.0.200"
AGENT = "/usr/share/ovn/scripts/ovndb-servers.ocf"
AGENTS = "/usr/lib/ocf/resource.d/ovn"


def start_pacemaker(node):
    """pacemakerd of one node; corosync runs already."""
    # Debian's link to the agent leads nowhere.
    node.exec("mount", "-t", "tmpfs", "agents", AGENTS)
    node.exec("install", "-m", "755", AGENT, f"{AGENTS}/ovndb-servers")
    for name in ("blackbox", "cib", "cores", "pengine"):
        node.exec("install", "-d", "-o", "hacluster", "-g", "haclient", "-m",
                  "750", f"/var/lib/pacemaker/{name}")
    node.exec("install", "-d", "-o", "hacluster", "-g", "haclient", "-m",
              "770", "/var/log/pacemaker")
    node.service_start("pacemaker", [
        "env", "PCMK_logfile=/var/log/pacemaker/pacemaker.log",
        "pacemakerd"], 75)


ROLES["pacemaker"] = start_pacemaker


class Pacemaker:
    """Pacemaker instead of ovn-had.  monitor_s is the interval of the agent's
    checks: (promoted, others); OVN's documentation has (15, 10)."""

    name = "pacemaker"

    def __init__(self, lab, monitor_s=(15, 10)):
        self.lab = lab
        self.monitor_s = monitor_s

    def start(self, deadline=120):
        """Starts everything; returns the node that serves."""
        if not os.path.exists("/usr/sbin/pacemakerd"):
            raise CommandError("pacemaker is missing: build-aux/install-deps"
                               " --alternatives")
        self.lab.use_vip(VIP)
        for node in self.lab.control:
            node.enable("pacemaker")
            start_pacemaker(node)
        first = self.lab.control[0]
        wait_until(lambda: self._online() == len(self.lab.control), deadline,
                   "pacemaker's nodes are online", interval=0.2)
        for name, value in (("stonith-enabled", "false"),
                            ("no-quorum-policy", "stop")):
            first.exec("crm_attribute", "--type", "crm_config", "--name",
                       name, "--update", value)
        first.exec("cibadmin", "--replace", "--scope", "resources",
                   "--xml-text", self._resources())
        first.exec("cibadmin", "--replace", "--scope", "constraints",
                   "--xml-text", self._constraints())
        active = wait_until(self.active, deadline,
                            "pacemaker promotes a node", interval=0.2)
        # Only now do the others follow it: a fault before they do would lose
        # whatever was written.
        wait_until(lambda: all(replicating(n, db) for n in self.lab.control
                               if n is not active for db in PORTS), deadline,
                   "all others replicate", interval=0.2)
        return active

    def _online(self):
        node = self._any()
        out = node.exec("crm_node", "-p", check=False).stdout
        return len(out.split()) if node.exec(
            "crm_mon", "-1", check=False).returncode == 0 else 0

    def _any(self):
        return next(n for n in self.lab.control if n.pid)

    def _resources(self):
        promoted, other = self.monitor_s

        def op(name, role, interval, timeout=30):
            role = f'role="{role}"' if role else ""
            return (f'<op id="ovndb-{name}-{interval}" name="{name}" {role} '
                    f'interval="{interval}s" timeout="{timeout}s"/>')
        # Two monitors of one resource may not have the same interval.
        if promoted == other:
            other += 1
        return f"""<resources>
<primitive id="vip" class="ocf" provider="heartbeat" type="IPaddr2">
 <instance_attributes id="vip-attrs">
  <nvpair id="vip-ip" name="ip" value="{VIP}"/>
  <nvpair id="vip-mask" name="cidr_netmask" value="24"/>
  <nvpair id="vip-nic" name="nic" value="eth0"/>
 </instance_attributes>
 <operations><op id="vip-mon" name="monitor" interval="30s"/></operations>
</primitive>
<clone id="ovndb-clone">
 <meta_attributes id="ovndb-clone-meta">
  <nvpair id="ovndb-promotable" name="promotable" value="true"/>
  <nvpair id="ovndb-notify" name="notify" value="true"/>
 </meta_attributes>
 <primitive id="ovndb" class="ocf" provider="ovn" type="ovndb-servers">
  <instance_attributes id="ovndb-attrs">
   <nvpair id="ovndb-ip" name="master_ip" value="{VIP}"/>
   <nvpair id="ovndb-northd" name="manage_northd" value="yes"/>
  </instance_attributes>
  <operations>
   {op("monitor", "Master", promoted)}
   {op("monitor", "Slave", other)}
   {op("start", "", 0, 60)}{op("stop", "", 0, 60)}
   {op("promote", "", 0, 60)}{op("demote", "", 0, 60)}
   {op("notify", "", 0, 60)}
  </operations>
 </primitive>
</clone>
</resources>"""

    @staticmethod
    def _constraints():
        return """<constraints>
<rsc_order id="promote-then-vip" first="ovndb-clone" first-action="promote"
 then="vip" then-action="start"/>
<rsc_colocation id="vip-with-promoted" rsc="vip" with-rsc="ovndb-clone"
 with-rsc-role="Master" score="INFINITY"/>
</constraints>"""

    def active(self):
        """The node that has the virtual IP and takes writes there."""
        for node in self.lab.control:
            if node.pid and self._has_vip(node) and all(
                    self.lab.answers(VIP, db) for db in PORTS):
                return node
        return None

    @staticmethod
    def _has_vip(node):
        links = json.loads(node.out("ip", "-j", "-4", "addr", "show",
                                    "eth0"))
        return any(a["local"] == VIP for a in links[0]["addr_info"])

    def switchover(self, to):
        """Moves the promoted copy, as an operator would."""
        self._any().exec("crm_resource", "--resource", "ovndb-clone",
                         "--move", "--promoted", "--node", to.name)

    def settle(self):
        """Takes the operator's wish back, so that faults move it again."""
        self._any().exec("crm_resource", "--resource", "ovndb-clone",
                         "--clear", check=False)
