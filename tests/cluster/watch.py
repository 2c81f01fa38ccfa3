# SPDX-License-Identifier: Apache-2.0
"""What the cluster tests ask of the product: how it sees itself, and the
witnesses that watch it from outside through whatever a test does."""

import json
import re

from lab import CommandError, FlowWatch, Prober, Traffic, Writer, wait_until
from lab.ovsdb import DATABASES, Closed, Session, dial
from lab.prober import overlaps
from lab.shell import TOP
from lab.writer import STOPPED, TABLES

SCHEMAS = {"nb": "/usr/share/ovn/ovn-nb.ovsschema",
           "sb": "/usr/share/ovn/ovn-sb.ovsschema"}


# What a node says.

def status(node):
    """ovn-hactl status of a node; {} while it does not answer."""
    try:
        out = node.hactl("status", "--json", check=False)
        return json.loads(out)
    except (CommandError, ValueError):
        return {}


def local(node):
    """The node's own part of its status."""
    return status(node).get("local", {})


def cluster(node):
    """The cluster's part of a node's status."""
    return status(node).get("cluster", {})


def row(node, name):
    """What 'node' says of the node called 'name'."""
    return next((n for n in status(node).get("nodes", [])
                 if n["name"] == name), {})


def dog_state(node):
    """The state of a node's watchdog, by its own account."""
    return local(node).get("fence", {}).get("watchdog", {}).get("state")


def setting(node, name):
    """A setting in force on a node."""
    for line in node.hactl("config").splitlines():
        key, _, value = line.partition(" = ")
        if key == name:
            return value.split(";")[0].strip()
    raise KeyError(name)


def problem_codes(node):
    """What a node says is not well, anywhere."""
    return {p["code"] for p in status(node).get("problems", [])}


# Words of doc/FAILURES.md that stand for others.
PLACES = re.compile(r"\b(ADDRESS|DEVICE|DB|FILE|FOLDER|INTERFACE|MAC|N|NODE|"
                    r"PROGRAM|REASON|STATE|TABLE|TEXT|TIME)\b")


def documented(code):
    """The lines that doc/FAILURES.md says status shows for a code, as a
    pattern."""
    text = (TOP / "doc" / "FAILURES.md").read_text()
    lines = re.findall(rf"^\| [^|]* \| [^|]*`{code}`[^|]* \| ([^|]*) \| ",
                       text, re.M)
    assert lines, f"doc/FAILURES.md has no line for {code}"
    return re.compile("|".join("".join(
        ".+" if i % 2 else re.escape(part)
        for i, part in enumerate(PLACES.split(line))) for line in lines))


def shown(node, code, deadline=40, about=None):
    """Waits until ovn-hactl status says on a node what doc/FAILURES.md says of
    this code, below "not well", and of a node if one is named; returns the
    line."""
    pattern = documented(code)

    def line():
        texts = [p["text"] for p in status(node).get("problems", [])
                 if p["code"] == code and pattern.fullmatch(p["text"])
                 and (not about or p["text"].startswith(about.name))]
        _, _, table = node.hactl("status", check=False).partition(
            "\nnot well:\n")
        return next((t for t in texts if f"  {t}\n" in table), None)
    return wait_until(line, deadline, lambda: f'{node.name} says '
                      f'"{pattern.pattern}"; it says '
                      f'{status(node).get("problems")}', interval=0.05)


def wait_state(node, state, deadline=40):
    """Waits until a node is in a state by its own account."""
    wait_until(lambda: local(node).get("state") == state, deadline,
               lambda: f"{node.name} {state}; it says {local(node)}",
               interval=0.1)


def wait_why(node, code, deadline=40):
    """Waits until a node names this reason, by its code."""
    wait_until(lambda: (local(node).get("why") or {}).get("code") == code,
               deadline, lambda: f"{node.name}: {code}; it says "
               f"{local(node)}", interval=0.1)


def wait_well(lab, deadline=None):
    """Waits until every node agrees that all is well, all in sync, and
    returns the active.  Without a deadline it is the lab's patience."""
    def well():
        views = [cluster(n) for n in lab.control]
        if any(v.get("health") != "ok" for v in views) \
                or len({(v["epoch"], v["active"]) for v in views}) != 1:
            return None
        return lab[views[0]["active"]]
    return wait_until(
        well, deadline or lab.patience, lambda: "all is well; they say\n" + "\n".join(
            f"{n.name}: {cluster(n)}" for n in lab.control), interval=0.1)


def wait_in_sync(active, names, deadline=60):
    """Waits until the in-sync set is exactly these names."""
    wait_until(lambda: sorted(cluster(active).get("in_sync", []))
               == sorted(names), deadline,
               lambda: f"in sync {names}; {active.name} says "
               f"{cluster(active)}", interval=0.1)


def others(lab, *nodes):
    """The control nodes but these."""
    return [n for n in lab.control if n not in nodes]


def with_data(lab):
    """The control nodes but witnesses."""
    return [n for n in lab.control if "witness = yes" not in
            (n.root("/etc/ovn-ha/ovn-ha.conf").read_text()
             if n.root("/etc/ovn-ha/ovn-ha.conf").exists() else "")]


# Bringing it up.

def configure(node, conf):
    """Writes the configuration of a node."""
    file = node.root("/etc/ovn-ha/ovn-ha.conf")
    file.write_text(conf)
    file.chmod(0o600)


def reconfigure(node, conf):
    """Gives a running node another configuration."""
    configure(node, conf)
    node.hactl("reload")


def bring_up(lab, conf=None):
    """Starts all nodes of a lab, each with the configuration 'conf', which may
    be one by name, and returns the active once all is well."""
    lab.power_on()
    for node in lab.control:
        text = conf.get(node.name) if isinstance(conf, dict) else conf
        if text:
            configure(node, text)
    lab.start_corosync()
    active = lab.start_ovn_had()
    lab.open_ports(active)
    lab.finish_compute(active)
    return wait_well(lab)


def switch_to(lab, node):
    """Makes 'node' the active, unless it is."""
    if wait_well(lab) is not node:
        node.hactl("switchover", "--to", node.name,
                   timeout=lab.patience + 10)
    assert wait_well(lab) is node


class NoReplication:
    """The log of 'source' does not reach 'node', though corosync does: the
    connection is refused, or, if 'silent', just stands still."""

    def __init__(self, node, source, dbs=("nb", "sb"), silent=False):
        self.node = node
        ports = ", ".join({"nb": "6661", "sb": "6662"}[db] for db in dbs)
        verdict = "drop" if silent else "reject with tcp reset"
        self.rules = f"""
table inet test {{
    chain out {{
        type filter hook output priority 0;
        ip daddr {source.address} tcp dport {{ {ports} }} {verdict}
    }}
    # What is on its way would still be taken, until this side answers.
    chain in {{
        type filter hook input priority 0;
        ip saddr {source.address} tcp sport {{ {ports} }} iifname != "lo" drop
    }}
}}
"""

    def __enter__(self):
        self.node.exec("nft", "-f", "-", stdin=self.rules)
        return self

    def __exit__(self, *_):
        if self.node.pid:
            # A reboot has removed it, too.
            self.node.exec("nft", "delete table inet test", check=False)


# What a node has.

def private(node, db):
    """A session with a node's database where only ovn-ha gets in."""
    return Session(dial(node.root(f"/run/ovn-ha/private/{db}.sock")))


def contents(node, db):
    """All rows of all tables by their _uuid, but ephemeral columns."""
    with open(SCHEMAS[db], encoding="utf-8") as file:
        tables = json.load(file)["tables"]
    ask = [{"op": "select", "table": table, "where": [],
            "columns": ["_uuid"] + [
                name for name, column in body["columns"].items()
                if not column.get("ephemeral")]}
           for table, body in tables.items()]
    session = private(node, db)
    try:
        found = session.transact(DATABASES[db], *ask)
    finally:
        session.close()
    return {(table, row["_uuid"][1]): _canonical(row)
            for table, result in zip(tables, found)
            for row in result["rows"]}


def _canonical(row_):
    def sorted_value(value):
        if isinstance(value, list) and value[:1] in (["set"], ["map"]):
            return [value[0], sorted(value[1], key=json.dumps)]
        return value
    return {key: sorted_value(value) for key, value in row_.items()}


def differences(lab):
    """What rows differ between nodes, as text."""
    found, nodes = [], with_data(lab)
    for db in DATABASES:
        try:
            first, *rest = [contents(n, db) for n in nodes]
        except (OSError, Closed) as err:
            return [f"{db}: {err}"]
        for node, its in zip(nodes[1:], rest):
            if its != first:
                keys = [k for k in first.keys() | its.keys()
                        if first.get(k) != its.get(k)]
                found.append(f"{db} of {node.name}: {keys[:5]}")
    return found


def wait_equal(lab, deadline=30):
    """Waits until all nodes have the same rows."""
    wait_until(lambda: not differences(lab), deadline,
               lambda: f"equal databases: {differences(lab)}", interval=0.2)


def diverged(node):
    """The texts of the files that a node set aside."""
    folder = node.root("/var/lib/ovn-ha") / "diverged"
    return [f.read_text(errors="replace")
            for f in sorted(folder.glob("*.db"))] if folder.is_dir() else []


# Witnesses.

class Watch:
    """Writers on both databases, and the prober.

    Each test has one for as long as it lasts: the writers' ledgers say what
    was promised, the prober who took writes."""

    def __init__(self, lab, name, rate=50, period_ms=20):
        self.lab = lab
        self.writers = {db: Writer(lab, f"{name}_{db}", db, rate)
                        for db in DATABASES}
        self.prober = Prober(lab, f"prober-{name}", period_ms)

    def __enter__(self):
        self.prober.start()
        for writer in self.writers.values():
            writer.start(40)
        return self

    def __exit__(self, *_):
        for part in (*self.writers.values(), self.prober):
            part.stop()

    def ledger(self, db):
        """A writer's ledger so far."""
        return self.writers[db].ledger()

    def acknowledged(self, after, node=None, deadline=60):
        """Waits until both writers were acknowledged a write sent after
        'after', by 'node' if given; and returns when."""
        def times():
            return [self.ledger(db).first_ack(after, node and node.name)
                    for db in DATABASES]
        wait_until(lambda: all(times()), deadline,
                   f"writes acknowledged{f' by {node.name}' if node else ''}",
                   interval=0.05)
        return max(times())

    def busy(self, count=20, deadline=60):
        """Waits until both writers got 'count' more acknowledgements."""
        have = {db: len(self.ledger(db).acknowledged()) for db in DATABASES}
        wait_until(lambda: all(
            len(self.ledger(db).acknowledged()) >= have[db] + count
            for db in DATABASES), deadline, "writes go on", interval=0.05)

    def rows(self, node, db):
        """The names of the writers' rows that a node's own server has."""
        table, _, name_of, columns = TABLES[db]
        session = private(node, db)
        try:
            found = session.transact(DATABASES[db], {
                "op": "select", "table": table, "columns": columns,
                "where": []}, timeout=30)[0]["rows"]
        finally:
            session.close()
        return {name_of(row_) for row_ in found}

    def everywhere(self, nodes):
        """The names that at least one of 'nodes' has, by database."""
        return {db: set().union(*[self.rows(n, db) for n in nodes])
                for db in DATABASES}

    def lost(self, node):
        """Stops the writers; the acknowledged writes that 'node' lacks, by
        database."""
        return {db: writer.stop().lost(self.rows(node, db))
                for db, writer in self.writers.items()}

    def assert_none_lost(self, node):
        """Every acknowledged write is on 'node'."""
        lost = self.lost(node)
        assert not any(lost.values()), lost

    def assert_lost_in_flight(self, new, old, had):
        """After a failover from 'old' to 'new' nothing is lost but what was
        on its way to the standbys: none that one of them 'had' before, and
        of what 'old' acknowledged only the newest, without holes, and not
        more than what a node in sync may be behind.  Returns them."""
        lost = self.lost(new)
        for db, gone in lost.items():
            ledger = self.ledger(db)
            mine = [e for e in ledger.acknowledged() if e.server == old.name]
            assert gone == (mine[-len(gone):] if gone else []), (db, gone)
            assert not {ledger.row(e.number) for e in gone} & had[db], db
            assert len(gone) <= int(setting(new, "lag-records")), db
            print(f"{db}: {len(gone)} of {len(mine)} writes that {old.name} "
                  "acknowledged are lost")
        return lost

    def assert_one_at_a_time(self, *served):
        """Two nodes never took writes at once, whoever asked them; those
        that did are the nodes 'served'."""
        spans = self.prober.stop()
        assert overlaps(spans) == []
        assert {s.node for s in spans} == {n.name for n in served}, spans

    def assert_undisturbed(self, active):
        """No client of the active noticed anything: no write was refused or
        unanswered, no connection was cut, nobody else served."""
        for db, writer in self.writers.items():
            unanswered = [e for e in writer.stop().unanswered()
                          if e.why != STOPPED]
            assert unanswered == [], db
            assert self.turns(db) == [active.name], db
        self.assert_one_at_a_time(active)
        self.assert_none_lost(active)

    def turns(self, db):
        """The servers that acknowledged writes, in the order in which they
        did."""
        names = [e.server for e in self.ledger(db).acknowledged()]
        return [a for a, b in zip(names, names[1:] + [None]) if a != b]


class DataPlane:
    """Traffic between workloads, the OpenFlow rules, and ovn-controller."""

    def __init__(self, lab):
        self.lab = lab
        self.traffic = Traffic(lab)
        self.flows = FlowWatch(lab)
        self.controllers = None

    def _controllers(self):
        return {c.name: [p.pid for p in c.find("ovn-controller")]
                for c in self.lab.compute}

    def start(self):
        """From now on nothing may happen to it."""
        self.controllers = self._controllers()
        self.flows.start()
        self.traffic.start()
        return self

    def stop(self):
        """Stops; nothing has happened to it."""
        ways = self.traffic.stop()
        dips = self.flows.stop()
        for way in ways:
            assert way.sent > 1000 and way.flows_opened > 0, str(way)
            assert way.lost == 0 and not way.missing, str(way)
            assert way.flows_failed == 0, str(way)
        assert not any(dips.values()), dips
        assert self._controllers() == self.controllers
