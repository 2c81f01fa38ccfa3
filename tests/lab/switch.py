# SPDX-License-Identifier: Apache-2.0
"""The lab's wires: one bridge for the databases, one for the tunnels, both in
the warden's network namespace, and the cuts between their ports.

Cuts are silent: packets vanish, links stay up, as when a cable behind a switch
is pulled.  Only a power cut takes a link down."""

import json

from .shell import CommandError, run

NETS = ("db", "ul")

RULES = """
table bridge lab {
    set alone { type ifname; }
    set cuts { type ifname . ifname; }
    chain through {
        type filter hook forward priority 0;
        iifname @alone drop
        oifname @alone drop
        iifname . oifname @cuts drop
    }
    chain to_clients {
        type filter hook input priority 0;
        iifname @alone drop
    }
    chain from_clients {
        type filter hook output priority 0;
        oifname @alone drop
    }
}
"""


def port(node, net):
    """The name of the switch's port for a node."""
    return f"{node.name}-{net}"


def ways(node, peer, net):
    """The way from a node to another one, and the way back, as elements of
    the set of cuts."""
    mine, other = port(node, net), port(peer, net)
    return f'"{mine}" . "{other}"', f'"{other}" . "{mine}"'


class Switch:
    """Bridges, ports and cuts.  Clients (writers, probers) live here too."""

    def __init__(self, lab):
        self.lab = lab

    def command(self, argv):
        """'argv' as a command line that enters the switch's namespace."""
        return ["nsenter", "-t", str(self.lab.warden), "-n", "--"] + [
            str(arg) for arg in argv]

    def _ip(self, *lines, force=False):
        run(self.command(["ip", *(["-force"] if force else []),
                          "-batch", "-"]),
            stdin="\n".join(lines) + "\n", check=not force)

    def _nft(self, text):
        run(self.command(["nft", "-f", "-"]), stdin=text)

    def create(self):
        """Makes the bridges; the clients' address is on the first."""
        lines = []
        for net in NETS:
            lines += [f"link add br-{net} type bridge stp_state 0 "
                      "forward_delay 0 mcast_snooping 0",
                      f"link set br-{net} mtu 1600 up"]
        lines.append(f"addr add {self.lab.client_address}/24 dev br-db")
        if self.lab.ipv6:
            lines.append(f"addr add {self.lab.client_address6}/64 dev br-db "
                         "nodad")
        self._ip(*lines)
        self._nft(RULES)

    def plug(self, node, net, ifname, address=None, setup=(),
             address6=None):
        """Gives the node an interface 'ifname' on a bridge."""
        name = port(node, net)
        self._ip(f"link del {name}", force=True)
        self._ip(f"link add {name} mtu 1600 type veth peer name {ifname} "
                 f"mtu 1600 netns {node.pid}",
                 f"link set {name} master br-{net} up")
        lines = list(setup)
        if address:
            lines.append(f"addr add {address}/24 dev {ifname}")
        if address6:
            lines.append(f"addr add {address6}/64 dev {ifname} nodad")
        lines.append(f"link set {ifname} up")
        run(["nsenter", "-t", node.pid, "-n", "--", "ip", "-batch", "-"],
            stdin="\n".join(lines) + "\n")

    def unplug(self, node):
        """Takes all links of a node down, at once."""
        self._ip(*[f"link set {port(node, net)} down"
                   for net in node.nets])

    def cut(self, node, peer=None, *, one_way=False, net="db"):
        """Silences a node, or the way between two; 'one_way' only from node
        to peer."""
        self._change("add", node, peer, one_way, net)

    def cut_all(self, pairs, net="db"):
        """Cuts all these ways in the same moment."""
        self._element("add", "cuts", [
            way for one, two in pairs for way in ways(one, two, net)])

    def heal(self, node=None, peer=None, *, one_way=False, net="db"):
        """Undoes the same cut(); without a node, all of them."""
        if node is None:
            self._nft("flush set bridge lab alone\n"
                      "flush set bridge lab cuts\n")
        else:
            self._change("delete", node, peer, one_way, net)

    def _change(self, verb, node, peer, one_way, net):
        if net not in NETS:
            raise CommandError(f"no such network {net!r}: {NETS}")
        mine = port(node, net)
        if peer is None:
            self._element(verb, "alone", [f'"{mine}"'])
        else:
            there, back = ways(node, peer, net)
            self._element(verb, "cuts", [there] if one_way else [there, back])

    def _element(self, verb, which, elements):
        # Deleting what is not there fails; adding first makes both harmless.
        text = f"bridge lab {which} {{ {', '.join(elements)} }}\n"
        self._nft(f"add element {text}"
                  + (f"delete element {text}" if verb == "delete" else ""))

    def cuts(self):
        """The cuts in force, as text."""
        out = run(self.command(["nft", "-j", "list", "table", "bridge",
                                "lab"])).stdout
        found = []
        for item in json.loads(out)["nftables"]:
            for elem in item.get("set", {}).get("elem", []):
                if isinstance(elem, dict):
                    found.append("{} -> {}".format(*elem["concat"]))
                else:
                    found.append(f"{elem} alone")
        return found
