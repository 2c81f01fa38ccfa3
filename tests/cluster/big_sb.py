# SPDX-License-Identifier: Apache-2.0
"""OVN_Southbound databases of any size, written as files.

northd would take minutes to make one; what matters here is only that the rows
look like its own.  The same seed gives the same rows."""

import hashlib
import json
import random
import subprocess
import uuid
from pathlib import Path

SCHEMA = "/usr/share/ovn/ovn-sb.ovsschema"
PORTS_PER_SWITCH = 50


def ident(r):
    return str(uuid.UUID(int=r.getrandbits(128), version=4))


def flow(r, i, datapath, more):
    """A Logical_Flow row; 'more' makes it longer."""
    mac = f"0a:00:{i >> 24 & 255:02x}:{i >> 16 & 255:02x}:" \
          f"{i >> 8 & 255:02x}:{i & 255:02x}"
    address = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
    return {
        "pipeline": "ingress" if i % 2 else "egress",
        "table_id": i % 30, "priority": 50 + i % 4000,
        "logical_datapath": ["uuid", datapath],
        "match": f'inport == "vm-{i}" && eth.src == {mac} && '
                 f"ip4.src == {address} && tcp.dst == {i % 65535} && "
                 f"reg1 == {i % 4096}" + more,
        "actions": f"reg0[0..15] = {i % 4096}; eth.dst = {mac}; "
                   f"outport = \"vm-{i}\"; next;",
        "external_ids": ["map", [
            ["source", "northd.c:5678"], ["stage-hint", ident(r)[:8]],
            ["stage-name", f"ls_in_port_sec_{i % 30}"]]]}


def binding(i, datapath):
    """A Port_Binding row."""
    return {
        "logical_port": f"vm-{i}", "datapath": ["uuid", datapath],
        "tunnel_key": 1 + i % PORTS_PER_SWITCH,
        "mac": f"0a:00:00:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:"
               f"{i & 255:02x} 10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}",
        "external_ids": ["map", [["neutron:port_name", f"port of vm {i}"]]],
        "up": True}


def make_rows(bindings, flows, seed=1, more=""):
    """All rows by table and _uuid.  With 'more' behind each flow's match a
    large file has few rows, which is easier to look at."""
    r = random.Random(seed)
    switches = [ident(r) for _ in range(-(-bindings // PORTS_PER_SWITCH))]
    return {
        "SB_Global": {ident(r): {"nb_cfg": 1}},
        "Datapath_Binding": {
            u: {"tunnel_key": i + 1, "external_ids": ["map", [
                ["logical-switch", u], ["name", f"switch-{i}"]]]}
            for i, u in enumerate(switches)},
        "Port_Binding": {
            ident(r): binding(i, switches[i // PORTS_PER_SWITCH])
            for i in range(bindings)},
        "Logical_Flow": {
            ident(r): flow(r, i, switches[i % len(switches)], more)
            for i in range(flows)}}


def choose(r, flows, share):
    """Those to be replaced, and those to be altered."""
    chosen = r.sample(sorted(flows), int(len(flows) * share))
    third = len(chosen) // 3
    return chosen[:third], chosen[third:]


def change(rows, share, seed=7):
    """Changes a share of all flows: a third each removed, added, altered."""
    r = random.Random(seed)
    flows = rows["Logical_Flow"]
    replaced, altered = choose(r, flows, share)
    for u in replaced:
        row = flows.pop(u)
        flows[ident(r)] = {**row, "priority": 1}
    for u in altered:
        flows[u] = {**flows[u], "actions": "drop;", "priority": 2}


def change_ops(flows, share, seed=11):
    """The same as transactions, each a list of operations."""
    replaced, altered = choose(random.Random(seed), flows, share)

    def on(op, u, **more):
        return {"op": op, "table": "Logical_Flow",
                "where": [["_uuid", "==", ["uuid", u]]], **more}
    for u in replaced:
        yield [on("delete", u), {"op": "insert", "table": "Logical_Flow",
                                 "row": {**flows[u], "priority": 1}}]
    for u in altered:
        yield [on("update", u, row={"actions": "drop;", "priority": 2})]


def record(content):
    body = json.dumps(content, separators=(",", ":")).encode() + b"\n"
    return b"OVSDB JSON %d %s\n%s" % (
        len(body), hashlib.sha1(body).hexdigest().encode(), body)


def write(path, rows, schema=SCHEMA):
    """A database file as a compaction leaves it: the schema, too, is as
    ovsdb-server writes it, or the next compaction would seem to change it."""
    Path(path).unlink(missing_ok=True)
    subprocess.run(["ovsdb-tool", "create", str(path), str(schema)],
                   check=True)
    with open(path, "ab") as f:
        f.write(record({**rows, "_date": 1700000000000,
                        "_comment": "compacting database online"}))
