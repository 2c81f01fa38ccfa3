# SPDX-License-Identifier: Apache-2.0
"""Nodes whose databases have different schemas, most of them real ones: OVN
of Debian 12, which is installed here, and of Debian 13 (schemas/)."""

import json
import subprocess
from pathlib import Path

import big_sb
import pytest
from guard import Guard
from lab import Corosync, wait_until
from replica_parts import (COMPLETE, NAMES, P_FAILED, P_IDLE, SCHEMAS,
                           V_EQUAL)
from test_resync import assert_same, cluster, dump, put_file, write
from watch import bring_up, others, wait_equal, wait_well

FOLDER = Path(__file__).with_name("schemas")
NEWER = {"nb": FOLDER / "ovn-nb-7.11.0.ovsschema",
         "sb": FOLDER / "ovn-sb-20.41.0.ovsschema"}


def version(path):
    return json.loads(Path(path).read_text())["version"]


OLD, NEW = version(SCHEMAS["sb"]), version(NEWER["sb"])
CONVERTED = f"converted from schema {OLD} to the source's {NEW}"

pytestmark = pytest.mark.skipif(
    tuple(map(int, OLD.split("."))) >= tuple(map(int, NEW.split("."))),
    reason=f"the OVN that is installed is not older than {NEW}")


def version_of(node):
    """Of the schema that a node's server has."""
    return node.call("get_schema", [NAMES["sb"]])["result"]["version"]


def convert_offline(node, schema):
    """Ends a node, converts its file as ovn-had does, and starts it again.
    Returns its status."""
    node.stop_worker()
    node.stop_server()
    subprocess.run(["ovsdb-tool", "convert", str(node.file), str(schema)],
                   check=True)
    node.last_role = None
    node.start_server()
    node.start_worker()
    return node.wait(lambda s: s.phase == P_IDLE)


def convert_online(node, schema):
    subprocess.run(["ovsdb-client", "convert", f"unix:{node.sock}",
                    str(schema)], check=True, timeout=20)


def describe_flows(node):
    """Writes what only the newer schema has a place for."""
    node.transact({"op": "update", "table": "Logical_Flow", "where": [],
                   "row": {"flow_desc": "what only the newer one knows"}})


def pair(cluster, tmp_path, schema=None):
    """An active node, with some rows and with 'schema', and one that follows
    it, both at the same position."""
    a, b = cluster.add(), cluster.add()
    path = tmp_path / "few.db"
    big_sb.write(path, big_sb.make_rows(20, 100),
                 schema or SCHEMAS["sb"])
    put_file(a, path)
    cluster.meet()
    a.active(1)
    b.follow(a, 1)
    b.wait_following(30)
    write(a)
    return a, b, assert_same(a, b)


@pytest.mark.parametrize("first", ["upgraded", "following"])
def test_rolling_upgrade(cluster, tmp_path, first):
    """The standby gets the newer schema and follows the active, which has the
    older one; they change roles; then the other node is upgraded, or follows
    as it is.  Nobody needs a snapshot, and nothing is missing anywhere."""
    a, b, head = pair(cluster, tmp_path)
    status = convert_offline(b, NEWER["sb"])
    assert status.pos == head and status.flags & COMPLETE
    b.follow(a, 1)
    b.wait_following()
    write(a)
    head = a.head()
    b.wait_at(head)
    assert (version_of(a), version_of(b)) == (OLD, NEW)
    assert a.dump() == b.dump()  # As far as the older schema goes.
    v = b.verify()
    assert v.state == V_EQUAL and v.skipped > 0 and v.rows > 100, v

    a.idle(2)
    b.idle(2)
    assert b.active(2).pos == head
    describe_flows(b)
    if first == "upgraded":
        status = convert_offline(a, NEWER["sb"])
        assert status.pos == head and status.flags & COMPLETE
    a.follow(b, 2)
    a.wait_following()
    write(b)
    assert_same(b, a)
    assert version_of(a) == NEW
    assert b"what only the newer one knows" in dump(a, "Logical_Flow")
    assert a.tail(None).count(CONVERTED) == (first == "following")
    v = a.verify()
    assert v.state == V_EQUAL and v.skipped == 0, v
    for node in (a, b):
        assert node.status.snapshots == 0 and node.status.resumes == 1
        assert not list(node.state.glob("diverged/*"))
    # And back again.
    head = b.head()
    b.idle(3)
    a.wait_at(head)
    a.idle(3)
    assert a.active(3).pos == head
    b.follow(a, 3)
    b.wait_following()
    write(a)
    assert_same(a, b)


def test_conversion_on_the_active(cluster, tmp_path):
    """Each standby does the same, and goes on where it was; also one that was
    not there when it happened, and one that begins with it."""
    a, b, _ = pair(cluster, tmp_path)
    c = cluster.add()
    c.follow(a, 1)
    c.wait_following()
    assert_same(a, c)
    c.stop_worker()
    convert_online(a, NEWER["sb"])
    describe_flows(a)
    write(a)
    assert_same(a, b)
    c.start_worker()
    d = cluster.add()
    d.follow(a, 1)
    for node in (c, d):
        node.wait_following()
        assert_same(a, node)
    for node in (b, c, d):
        assert version_of(node) == NEW
        assert node.tail(None).count(CONVERTED) == 1
        assert not list(node.state.glob("diverged/*"))
    assert (b.status.snapshots, b.status.resumes) == (1, 1)
    assert (c.status.snapshots, c.status.resumes) == (0, 1)
    assert d.status.snapshots == 1


def test_older_schema_gets_no_hold_of_a_standby(cluster, tmp_path):
    """What a column held that was dropped is not made good by its return: the
    position is not believed any more, and the difference is applied."""
    a, b, _ = pair(cluster, tmp_path, NEWER["sb"])
    assert version_of(b) == NEW
    describe_flows(a)
    assert_same(a, b)
    status = convert_offline(b, SCHEMAS["sb"])
    assert not status.flags & COMPLETE and not status.pos.lineage
    assert "does not follow from it" in status.why
    b.follow(a, 1)
    b.wait_following()
    assert_same(a, b)
    assert b.status.snapshots == 1 and version_of(b) == NEW
    assert b"what only the newer one knows" in dump(b, "Logical_Flow")


def altered(tmp_path, name, alter):
    """The path of the installed schema after alter(tables), with a version of
    its own."""
    schema = json.loads(Path(SCHEMAS["sb"]).read_text())
    alter(schema["tables"])
    schema["version"] = "99.0.0"
    path = tmp_path / f"{name}.ovsschema"
    path.write_text(json.dumps(schema))
    return path


def add_column(table, column):
    def alter(tables):
        tables[table]["columns"][column] = {"type": "string"}
    return alter


def wait_refused(node, why):
    """It says so in status and log, in one line."""
    status = node.wait(lambda s: s.phase == P_FAILED and why in s.why, 15, why)
    assert node.tail(None).count(f"receiver: node 1: {status.why}") == 1
    return status.why


def test_each_has_what_the_other_lacks(cluster, tmp_path):
    """No conversion helps, and both columns are named."""
    a, b, head = pair(cluster, tmp_path)
    before = b.dump()
    convert_online(b, altered(tmp_path, "b", add_column("Meter", "ours")))
    convert_online(a, altered(tmp_path, "a", add_column("Chassis", "its")))
    write(a)
    why = wait_refused(b, "schemas do not fit")
    assert why == ("schemas do not fit: the source's 99.0.0 has column its of "
                   "Chassis, which the own 99.0.0 lacks, and lacks column "
                   "ours of Meter")
    assert b.dump() == before and b.status.pos == head
    # An operator gives it both.

    def both(tables):
        add_column("Meter", "ours")(tables)
        add_column("Chassis", "its")(tables)
    convert_online(b, altered(tmp_path, "both", both))
    b.wait_following()
    b.wait_at(a.head())
    assert a.dump() == b.dump()


def without_stt(tables):
    """As OVN 25.09 has it."""
    kind = tables["Encap"]["columns"]["type"]["type"]["key"]
    assert kind["enum"] == ["set", ["geneve", "stt", "vxlan"]]
    kind["enum"] = ["set", ["geneve", "vxlan"]]


def add_chassis(node, kind, name="c"):
    node.transact(
        {"op": "insert", "table": "Encap", "uuid-name": "e",
         "row": {"type": kind, "ip": "192.0.2.1", "chassis_name": name}},
        {"op": "insert", "table": "Chassis", "row": {
            "name": name, "encaps": ["named-uuid", "e"]}})


def test_value_that_the_standby_cannot_have(cluster, tmp_path):
    """In a record, and in a snapshot: it stops before it."""
    a, b, _ = pair(cluster, tmp_path)
    convert_online(b, altered(tmp_path, "new", without_stt))
    add_chassis(a, "geneve")
    head = a.head()
    b.wait_at(head)
    add_chassis(a, "stt", "d")
    b.wait(lambda s: f"record {head.seq + 1} does not fit the own database: "
           in s.why and "stt is not one of the allowed values" in s.why, 15)
    b.wait_at(head)
    c = cluster.add()
    convert_online(c, altered(tmp_path, "new", without_stt))
    c.follow(a, 1)
    why = wait_refused(c, "the source's snapshot does not fit the own database")
    assert "stt is not one of the allowed values" in why
    # The row is gone, and with it the reason.
    a.transact({"op": "delete", "table": "Chassis",
                "where": [["name", "==", "d"]]})
    b.stop_worker()
    for _ in range(2):  # The record is not in the log any more.
        write(a)
        a.compact()
    write(a)
    b.start_worker()
    for node in (b, c):
        node.wait_following(30)
        node.wait_at(a.head())
        assert a.dump() == node.dump()


def test_own_data_that_do_not_convert(cluster, tmp_path):
    """They stay as they are."""
    a, b = cluster.add(), cluster.add()
    convert_online(a, altered(tmp_path, "new", without_stt))
    add_chassis(a, "geneve")
    a.active(1)
    add_chassis(b, "stt", "own")
    before = b.dump()
    b.follow(a, 1)
    why = wait_refused(b, "the own database does not convert to the source's "
                          "schema: ")
    assert "stt is not one of the allowed values" in why
    assert b.dump() == before and version_of(b) == OLD
    b.transact({"op": "delete", "table": "Chassis", "where": []})
    b.wait_following(30)
    b.wait_at(a.head())
    assert a.dump() == b.dump()


# With ovn-had and ovn-northd.


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three members."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    bring_up(lab)
    return lab


def versions(node):
    """What its servers have; an error's text from one that converts now."""
    return {db: node.out("ovsdb-client", "get-schema-version",
                         f"unix:/run/ovn-ha/private/{db}.sock",
                         NAMES[db], check=False).strip() for db in ("nb", "sb")}


OLDS = {db: version(path) for db, path in SCHEMAS.items()}
NEWS = {db: version(path) for db, path in NEWER.items()}


def backups(node):
    """The copies of databases that were converted."""
    return sorted(p.name.split(".")[0] for p in
                  node.root("/var/lib/ovn").glob("*.backup-*"))


def restart(node):
    node.service_stop("ovn-had", 60)
    node.start_ovn_had()


def upgrade(node):
    """What the package manager does to a node, as far as it concerns
    schemas."""
    node.service_stop("ovn-had", 60)
    for db in ("nb", "sb"):
        node.exec("mount", "--bind", str(NEWER[db]), SCHEMAS[db])
    node.start_ovn_had()


def test_cluster_follows_a_conversion(lab):
    """Of a database that is served; and a node whose packages are older keeps
    what it has got."""
    active = wait_well(lab)
    with Guard(lab) as guard:
        guard.busy()
        active.exec("ovsdb-client", "convert",
                    "unix:/run/ovn-ha/private/nb.sock", str(NEWER["nb"]))
        now = {"nb": NEWS["nb"], "sb": OLDS["sb"]}
        wait_until(lambda: all(versions(n) == now for n in lab.control), 30,
                   lambda: f"converted; {[versions(n) for n in lab.control]}")
        assert guard.verify() is active
    standby = others(lab, active)[0]
    restart(standby)
    wait_well(lab)
    assert versions(standby) == now and backups(standby) == []
    assert f"has schema {NEWS['nb']}, newer than the {OLDS['nb']} of " \
        in standby.log("lab/ovn-had.log")
    wait_equal(lab)


def test_cluster_is_upgraded_node_by_node(lab):
    """The standbys, a switchover, and the old active; clients write."""
    active = wait_well(lab)
    first, second = others(lab, active)
    with Guard(lab) as guard:
        upgrade(first)
        assert wait_well(lab) is active
        guard.busy()
        assert versions(first) == NEWS
        assert versions(active)["sb"] == OLDS["sb"]
        assert backups(first)[-1:] == ["ovnsb_db"]
        first.hactl("switchover", "--to", first.name, timeout=70)
        assert wait_well(lab) is first
        guard.busy()
        # These follow the newer one, whatever their packages have.
        assert versions(second) == versions(active) == NEWS
        for node in (active, second):
            upgrade(node)
        assert guard.verify() is first
    assert [versions(n) for n in lab.control] == [NEWS] * 3
    wait_equal(lab)
