# SPDX-License-Identifier: Apache-2.0
"""Fills NB with logical switch ports, as a cloud of some size has them, and
takes the writers' rows away again."""

from lab import wait_until
from lab.ovsdb import DATABASES

PORTS_PER_SWITCH = 100
ROUTER = "bench-router"


def _port(switch, number):
    mac = f"0a:00:00:{switch >> 8:02x}:{switch & 255:02x}:{number:02x}"
    address = f"10.{100 + (switch >> 8)}.{switch & 255}.{number + 2}"
    return {"name": f"bench-{switch}-{number}",
            "addresses": f"{mac} {address}"}


def _switch(switch, ports):
    """Operations for one switch with its ports, and its way to the router."""
    ids = [f"p{i}" for i in range(ports)]
    operations = [{"op": "insert", "table": "Logical_Switch_Port",
                   "uuid-name": ids[i], "row": _port(switch, i)}
                  for i in range(ports)]
    operations.append({
        "op": "insert", "table": "Logical_Switch_Port", "uuid-name": "up",
        "row": {"name": f"bench-{switch}-up", "type": "router",
                "addresses": "router",
                "options": ["map", [["router-port", f"bench-r{switch}"]]]}})
    operations.append({
        "op": "insert", "table": "Logical_Switch",
        "row": {"name": f"bench-{switch}", "ports": [
            "set", [["named-uuid", name] for name in [*ids, "up"]]]}})
    operations.append({
        "op": "insert", "table": "Logical_Router_Port", "uuid-name": "down",
        "row": {"name": f"bench-r{switch}",
                "mac": f"0a:01:00:00:{switch >> 8:02x}:{switch & 255:02x}",
                "networks": f"10.{100 + (switch >> 8)}.{switch & 255}.1/24"}})
    operations.append({
        "op": "mutate", "table": "Logical_Router",
        "where": [["name", "==", ROUTER]],
        "mutations": [["ports", "insert", ["named-uuid", "down"]]]})
    return operations


def count_ports(lab, node):
    """How many ports SB knows."""
    return len(lab.select(node, "sb", "Port_Binding", ["logical_port"],
                          [["type", "==", ""]]))


def fill(lab, node, ports, deadline=120):
    """Adds 'ports' ports, one transaction per switch of 100, and waits until
    northd has carried them all to SB."""
    before = count_ports(lab, node)
    session = node.dial("nb", unix=True)
    try:
        session.transact(DATABASES["nb"], {
            "op": "insert", "table": "Logical_Router",
            "row": {"name": ROUTER}})
        for switch in range((ports + PORTS_PER_SWITCH - 1)
                            // PORTS_PER_SWITCH):
            left = ports - switch * PORTS_PER_SWITCH
            session.transact(
                DATABASES["nb"],
                *_switch(switch, min(left, PORTS_PER_SWITCH)), timeout=60)
    finally:
        session.close()
    wait_until(lambda: count_ports(lab, node) >= before + ports, deadline,
               f"{ports} ports reach SB", interval=0.3)


def sweep(lab, node):
    """Removes all writers' rows: each round begins with the same database."""
    for db, table in (("nb", "Address_Set"), ("sb", "Controller_Event")):
        session = node.dial(db, unix=True)
        try:
            session.transact(DATABASES[db], {"op": "delete", "table": table,
                                             "where": []}, timeout=60)
        finally:
            session.close()
    wait_until(lambda: not _writers_rows(lab, node), 30,
               "the writers' rows are gone", interval=0.2)


def _writers_rows(lab, node):
    return [row for row in lab.select(node, "sb", "Address_Set", ["name"])
            if row["name"].startswith("bench")]
