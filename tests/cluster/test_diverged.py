# SPDX-License-Identifier: Apache-2.0
"""What a former active holds and the new one never had is set aside, told and
brought back: with real ovsdb-servers, workers and ovsdb-client."""

import json
import subprocess

import pytest
from lab import wait_until
from replica_parts import (ASK_REINIT, ASK_SHRINK, LINEAGE, NAMES, P_FAILED,
                           Cluster, program)


@pytest.fixture
def cluster(tmp_path):
    c = Cluster(tmp_path, program())
    yield c
    unwell = c.stop()
    for n in c.nodes:
        print(f"--- node {n.id}\n{n.tail()}")
    assert not unwell, "workers ended badly"


def insert(table, uuid_name=None, **row):
    op = {"op": "insert", "table": table, "row": row}
    return {**op, "uuid-name": uuid_name} if uuid_name else op


def where(name):
    return [["name", "==", name]]


def switch(node, name):
    """The Logical_Switch of that name, or None."""
    rows = node.dump().get("Logical_Switch", {}).values()
    return next((r for r in rows if r["name"] == name), None)


def ports(node):
    return {r["name"] for r in
            node.dump().get("Logical_Switch_Port", {}).values()}


def level(a, b):
    b.wait_at(a.head())


def pair(cluster):
    """An active node and a standby with a switch "old" and others."""
    a, b = cluster.add(), cluster.add()
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    a.transact(
        insert("Logical_Switch_Port", "p", name="p0"),
        insert("Logical_Switch", name="old", ports=["named-uuid", "p"],
               external_ids=["map", [["owner", "a"], ["zone", "1"]]]),
        insert("Logical_Switch", name="doomed"),
        insert("Logical_Switch", name="contested"),
        insert("Logical_Router", name="router", enabled=True))
    level(a, b)
    return a, b


def diverge(a, b, lost, since=None):
    """'lost' is written on a and never reaches b, which becomes active and
    gets 'since'; then a is back."""
    b.idle()
    lost()
    a.idle()
    b.active(2)
    if since:
        since()
    a.follow(b, 2)
    a.wait_following()
    level(b, a)
    wait_until(lambda: a.asides, 5, "it is told")
    assert a.dump() == b.dump()
    return files(a)


def files(node):
    """The last set of files under diverged/: path of the copy, report,
    request."""
    folder = node.state / "diverged"
    name = node.asides[-1].name
    assert not list(folder.glob("*.part"))
    return (folder / f"{name}.db", (folder / f"{name}.txt").read_text(),
            (folder / f"{name}.json").read_text())


def replay(node, request):
    """As the report tells an operator to."""
    out = subprocess.run(["ovsdb-client", "transact", f"unix:{node.sock}",
                          request], check=True, capture_output=True,
                         text=True).stdout
    results = json.loads(out)
    assert not [r for r in results if r and "error" in r], out
    return results


def test_lost_rows_are_told_and_come_back(cluster):
    """Inserts, changes and deletions, each by record, and after a replay on
    the new active all of them are there, beside what it has got since."""
    a, b = pair(cluster)

    def lost():
        a.transact(
            insert("Logical_Switch_Port", "p", name="p-lost"),
            {"op": "mutate", "table": "Logical_Switch", "where": where("old"),
             "mutations": [["ports", "insert", ["named-uuid", "p"]]]},
            {"op": "comment", "comment": "ovn-nbctl: add p-lost"})
        a.transact(
            insert("Logical_Switch", name="lost"),
            {"op": "delete", "table": "Logical_Switch",
             "where": where("doomed")},
            {"op": "update", "table": "Logical_Router",
             "where": where("router"), "row": {"enabled": False}})
        a.transact({"op": "mutate", "table": "Logical_Switch",
                    "where": where("old"), "mutations": [
                        ["external_ids", "delete", ["map", [["zone", "1"]]]],
                        ["external_ids", "insert", ["map", [["x", "y"]]]]]})

    def since():
        b.transact(
            insert("Logical_Switch_Port", "p", name="p-new"),
            {"op": "mutate", "table": "Logical_Switch", "where": where("old"),
             "mutations": [["ports", "insert", ["named-uuid", "p"]]]})

    copy, text, request = diverge(a, b, lost, since)
    told = a.asides[-1]
    assert (told.by_record, told.records, told.left_out) == (1, 3, 0)
    assert copy.name.startswith("ovnnb-1.1-")
    for words in ("insert Logical_Switch_Port", "name: p-lost",
                  "comment: ovn-nbctl: add p-lost", "delete Logical_Switch",
                  "name: doomed", "enabled: true -> false",
                  "{owner=a, zone=\"1\"} -> {owner=a, x=y}",
                  "of epoch 1.1", "nothing\n"):
        assert words in text, f"{words} in\n{text}"
    assert "p-lost" not in ports(b) and switch(b, "doomed")

    replay(b, request)
    assert ports(b) == {"p0", "p-new", "p-lost"}
    old = switch(b, "old")
    assert len(old["ports"][1]) == 3
    assert dict(old["external_ids"][1]) == {"owner": "a", "x": "y"}
    assert switch(b, "lost") and not switch(b, "doomed")
    (router,) = b.dump()["Logical_Router"].values()
    assert router["enabled"] is False
    # The same rows, not others like them.
    db = subprocess.run(["ovsdb-tool", "query", str(copy), json.dumps(
        [NAMES["nb"], {"op": "select", "table": "Logical_Switch",
                       "where": where("lost"), "columns": ["_uuid"]}])],
        check=True, capture_output=True, text=True).stdout
    assert json.loads(db)[0]["rows"][0]["_uuid"] == \
        switch(b, "lost")["_uuid"]
    level(b, a)
    assert a.dump() == b.dump()


def test_what_the_active_changed_since_stays(cluster):
    """A replay overwrites nothing newer: what does not fit is left out and
    told, and a value that changes between report and replay stays."""
    a, b = pair(cluster)

    def lost():
        a.transact(
            {"op": "update", "table": "Logical_Switch",
             "where": where("contested"), "row": {"name": "a's name"}},
            {"op": "update", "table": "Logical_Router",
             "where": where("router"), "row": {"name": "a's router"}},
            {"op": "update", "table": "Logical_Switch",
             "where": where("doomed"), "row": {"name": "a's doomed"}},
            {"op": "delete", "table": "Logical_Switch",
             "where": where("old")})

    def since():
        b.transact(
            {"op": "update", "table": "Logical_Switch",
             "where": where("contested"), "row": {"name": "b's name"}},
            {"op": "delete", "table": "Logical_Switch",
             "where": where("doomed")},
            {"op": "mutate", "table": "Logical_Switch", "where": where("old"),
             "mutations": [["other_config", "insert",
                            ["map", [["since", "1"]]]]]})

    _, text, request = diverge(a, b, lost, since)
    assert "name: was changed by the active since" in text
    assert "was deleted by the active since" in text
    assert "was deleted here, but changed by the active since" in text
    assert a.asides[-1].left_out == 3
    b.transact({"op": "update", "table": "Logical_Router",
                "where": where("router"), "row": {"name": "even newer"}})
    replay(b, request)
    assert switch(b, "b's name") and switch(b, "old")
    assert not switch(b, "a's name") and not switch(b, "a's doomed")
    (router,) = b.dump()["Logical_Router"].values()
    assert router["name"] == "even newer"


def test_a_lost_deletion_is_told(cluster):
    """Rows that come back are a loss, too."""
    a, b = pair(cluster)
    _, text, request = diverge(a, b, lambda: a.transact(
        {"op": "delete", "table": "Logical_Switch", "where": where("doomed")}))
    assert "delete Logical_Switch" in text and "name: doomed" in text
    assert switch(b, "doomed")
    replay(b, request)
    assert not switch(b, "doomed")


def test_lost_references(cluster):
    """A row that refers to one that the active has deleted since: the
    reference is left out, and the rest comes back."""
    a, b = pair(cluster)

    def lost():
        (port,) = a.dump()["Logical_Switch_Port"]
        a.transact(insert("Logical_Switch", name="lost",
                          ports=["uuid", port]))

    _, text, request = diverge(a, b, lost, lambda: b.transact(
        {"op": "delete", "table": "Logical_Switch", "where": where("old")}))
    assert "refers to what the active does not have any more" in text
    replay(b, request)
    assert switch(b, "lost")["ports"] == ["set", []]


def test_where_the_logs_parted_is_not_known(cluster):
    """After two compactions in its worker's absence the contents are compared
    instead; then the transaction deletes nothing."""
    a, b = pair(cluster)
    b.idle()
    a.transact(insert("Logical_Switch", name="lost"),
               {"op": "delete", "table": "Logical_Switch",
                "where": where("doomed")})
    a.idle()
    a.stop_worker()
    for n in range(2):
        a.compact()
        a.transact(insert("Logical_Switch", name=f"after {n}"))
    a.last_role = None
    a.start_worker()
    b.active(2)
    b.transact(insert("Logical_Switch", name="new"))
    a.follow(b, 2)
    a.wait_following()
    wait_until(lambda: a.asides, 5, "it is told")
    assert not a.asides[-1].by_record
    _, text, request = files(a)
    assert "only here: Logical_Switch" in text and "not known" in text
    assert "new" not in [w.strip() for w in text.split(":")]
    replay(b, request)
    for name in ("lost", "after 0", "after 1", "new", "doomed"):
        assert switch(b, name), name


def test_nothing_is_lost_when_it_crashes(cluster):
    """The worker is killed again and again while it sets aside: the rows are
    here until copy, report and transaction are whole."""
    a, b = pair(cluster)
    b.idle()
    a.transact(*[insert("Logical_Switch", name=f"lost {i}", external_ids=[
        "map", [["padding", "x" * 4000]]]) for i in range(600)])
    a.idle()
    b.active(2)
    folder = a.state / "diverged"
    crashes = 0
    while crashes < 3:
        a.follow(b, 2)
        wait_until(lambda: list(folder.glob("*.part")), 30, "it is at it")
        a.stop_worker()
        if not list(folder.glob("*.part")):
            break  # It was faster; what follows holds all the same.
        crashes += 1
        assert not list(folder.glob("*.db"))
        assert switch(a, "lost 599")
        a.last_role = None
        a.start_worker()
    assert crashes
    a.follow(b, 2)
    a.wait_following(60)
    wait_until(lambda: a.asides, 5, "it is told")
    _, text, request = files(a)
    assert len(list(folder.iterdir())) == 3
    assert "lost 599" in text and not switch(a, "lost 599")
    assert "a command line takes" in text
    answer = b.call("transact", json.loads(request))
    assert not [r for r in answer["result"] if r and "error" in r]
    assert switch(b, "lost 0") and switch(b, "lost 599")


def test_without_room_nothing_gives_way(cluster):
    """As long as the files cannot be written, the rows stay."""
    a, b = pair(cluster)
    b.idle()
    a.transact(insert("Logical_Switch", name="lost"))
    a.idle()
    b.active(2)
    obstacle = a.state / "diverged"
    obstacle.write_text("")
    a.follow(b, 2)
    a.wait(lambda s: "cannot be set aside" in s.why, 20)
    assert switch(a, "lost")
    obstacle.unlink()
    a.wait_following(20)
    assert not switch(a, "lost") and "name: lost" in files(a)[1]


def test_data_of_another_lineage(cluster):
    """They stay until an operator lets them go, however few of their rows are
    kept; then they are set aside and told as a whole."""
    a, _ = pair(cluster)
    c = cluster.add(options=["--shrink-guard=70", "--shrink-rows=1"])
    c.active(1, lineage=LINEAGE + 1)
    c.transact(insert("Logical_Switch", name="of another life"))
    c.head()
    before = c.idle().pos
    c.follow(a, 1)
    c.wait(lambda s: s.ask == ASK_REINIT and s.phase == P_FAILED)
    c.consent(ASK_SHRINK, 100)
    wait_until(lambda: "not asked for" in c.tail(), 5, "it is refused")
    # An answer that was not carried out is forgotten with the worker.
    c.stop_worker()
    c.start_worker()
    c.wait(lambda s: s.ask == ASK_REINIT and s.phase == P_FAILED)
    assert c.status.pos == before and switch(c, "of another life")
    assert not list(c.state.glob("diverged/*"))
    c.consent(ASK_REINIT)
    c.wait_following()
    level(a, c)
    wait_until(lambda: c.asides, 5, "it is told")
    _, text, request = files(c)
    assert "only here: Logical_Switch" in text
    assert not switch(c, "of another life")
    replay(a, request)
    level(a, c)
    assert switch(a, "of another life") and switch(c, "old")
