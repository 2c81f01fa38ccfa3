# SPDX-License-Identifier: Apache-2.0
"""Real ovsdb-servers with an ovn-ha-replica worker each, and the supervisor's
end of each worker in the test's hand.

The messages are those of lib/wire.h."""

import hashlib
import json
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
import uuid
from collections import namedtuple
from pathlib import Path

from lab import wait_until
from lab.ovsdb import Closed, Session, dial
from lab.shell import build_folder

ROLE, PEERS, SERVER, PROBE, CONSENT = range(128, 133)
STATUS, PEER, ROLE_DONE, PROBED, ASIDE, INSTALL = range(192, 198)
VERIFY, VERIFICATION, DIFFERENCE = 144, 208, 209
IDLE, FOLLOW, ACTIVE = range(3)
ASK_NONE, ASK_REINIT, ASK_SHRINK = range(3)
(P_NO_FILE, P_LOADING, P_NO_SERVER, P_IDLE, P_CONNECTING, P_SNAPSHOT,
 P_FOLLOWING, P_ACTIVE, P_FAILED) = range(9)
(COMPLETE, HAS_DATA, FOREIGN, SERVER_OK, CONNECTED,
 DIFFERS) = (1 << i for i in range(6))
V_NONE, V_WAITING, V_RUNNING, V_EQUAL, V_DIFFERS, V_FAILED = range(6)
MAX_NODES = 16
NAME_LEN = 64

SCHEMAS = {"nb": "/usr/share/ovn/ovn-nb.ovsschema",
           "sb": "/usr/share/ovn/ovn-sb.ovsschema"}
NAMES = {"nb": "OVN_Northbound", "sb": "OVN_Southbound"}
LINEAGE = 0xfeedc0de12345678

Pos = namedtuple("Pos", "lineage n node seq chain")
Status = namedtuple("Status", "role phase flags resumes snapshots source pos "
                    "head file_bytes done total seen_us why ask ask_seq "
                    "ask_rows ask_lost resync need")
PeerStatus = namedtuple("PeerStatus", "node connected complete acked head "
                        "lag_us")
Done = namedtuple("Done", "role token pos error")
Probed = namedtuple("Probed", "token error took_ms")
Aside = namedtuple("Aside", "source by_record records ops left_out name")
Verification = namedtuple("Verification", "token state phase tables done "
                          "total rows differ skipped source pos took_ms "
                          "ended_ms why")
Difference = namedtuple("Difference", "table row column there here")
Install = namedtuple("Install", "token")

POS = struct.Struct("=QIIQQ")
HDR = struct.Struct("=HHI")


def text(raw):
    """Of an array of characters."""
    return raw.split(b"\0")[0].decode()


def parse(kind, body):
    """Turns a message's body into a tuple."""
    def pos(offset):
        return Pos(*POS.unpack_from(body, offset))
    if kind == STATUS:
        head = struct.unpack_from("=6I", body)
        rest = struct.unpack_from("=QQQq160sI4xQQQ160s160s", body, 88)
        why, *ask, resync, need = rest[4:]
        return Status(*head, pos(24), pos(56), *rest[:4],
                      text(why), *ask, text(resync), text(need))
    if kind == PEER:
        node, connected, complete, _ = struct.unpack_from("=4I", body)
        return PeerStatus(node, connected, complete, pos(16), pos(48),
                          struct.unpack_from("=q", body, 80)[0])
    if kind == ROLE_DONE:
        role, token = struct.unpack_from("=II", body)
        return Done(role, token, pos(8),
                    struct.unpack_from("=i", body, 40)[0])
    if kind == ASIDE:
        *head, name = struct.unpack_from("=IIQQQ108s", body)
        return Aside(*head, name.split(b"\0")[0].decode())
    if kind == VERIFICATION:
        head = struct.unpack_from("=4I4Q2I", body)
        tail = struct.unpack_from("=qq160s", body, 88)
        return Verification(*head, pos(56), *tail[:2], text(tail[2]))
    if kind == DIFFERENCE:
        return Difference(*map(text, struct.unpack_from(
            "=64s40s64s160s160s", body)))
    if kind == INSTALL:
        return Install(*struct.unpack_from("=I", body))
    return Probed(*struct.unpack_from("=IiI", body))


def wire_node(ident, address="127.0.0.1"):
    """A struct wire_node; id 0 is none."""
    addr = struct.pack("=H", socket.AF_INET) + b"\0\0"
    addr += socket.inet_aton(address)
    return struct.pack("=II", ident, 0) + addr.ljust(128, b"\0")


# Not those that the kernel gives to outgoing connections: such a one could take
# it before it is listened on.
_ports = random.sample(range(20000, 32000), 12000)


def free_port():
    """Another one each time: that of the node before may not be listened on
    yet."""
    while True:
        port = _ports.pop()
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Node:
    """One ovsdb-server with its worker."""

    def __init__(self, ident, folder, program, db="nb", key=None, tls=None,
                 address="127.0.0.1", options=()):
        """'tls' is what the names of its files begin with, less -key.pem and
        -cert.pem; ca.pem is beside them.  'address' is where it listens; the
        nodelist has all nodes at 127.0.0.1."""
        self.id = ident
        self.db = db
        self.address = address
        self.folder = Path(folder)
        self.program = program
        self.key = key
        self.tls = tls
        self.options = options
        self.folder.mkdir(parents=True)
        self.file = self.folder / f"ovn{db}_db.db"
        self.sock = self.folder / f"{db}.sock"
        self.ctl = self.folder / f"{db}.ctl"
        self.state = self.folder / "state"
        self.state.mkdir()
        self.port = free_port()
        self.server = self.worker = self.sup = None
        self.status = None
        self.history = []
        self.peers = {}
        self.dones = {}
        self.probes = {}
        self.asides = []
        self.verifications = []
        self.differences = []
        self.token = 0
        self.cond = threading.Condition()
        self.peer_ids = []
        self.last_role = None
        self.installs = []
        self.may_install = True
        self.installer = None
        self.env = {}

    # The database.

    def create_db(self, schema=None):
        subprocess.run(["ovsdb-tool", "create", str(self.file),
                        schema or SCHEMAS[self.db]], check=True)

    def start_server(self):
        if not self.file.exists():
            self.create_db()
        # With SIGXFSZ ignored, as Python has it: a limit of the file's size is
        # an error of its disk then.
        self.server = subprocess.Popen(
            ["ovsdb-server", f"--remote=punix:{self.sock}",
             f"--unixctl={self.ctl}", "-vconsole:off",
             f"--log-file={self.folder}/server.log", "--no-chdir",
             str(self.file)], restore_signals=False)
        wait_until(self.answers, 120, "ovsdb-server answers")
        try:
            if self.sup:
                self.send(SERVER, struct.pack("=I", self.server.pid))
        except OSError:
            pass  # The worker has died meanwhile.

    def answers(self):
        try:
            self.call("echo", [])
            return True
        except (OSError, Closed):
            return False

    def stop_server(self):
        """Kills it."""
        self.server.kill()
        self.server.wait()
        self.sock.unlink(missing_ok=True)

    def install(self):
        """What ovn-had does when the worker offers another file."""
        self.stop_server()
        try:
            os.rename(f"{self.file}.install", self.file)
        except FileNotFoundError:
            pass  # Withdrawn.
        self.start_server()

    def session(self):
        return Session(dial(self.sock))

    def call(self, method, params, timeout=20):
        s = self.session()
        try:
            return s.call(method, params, timeout)
        finally:
            s.close()

    def transact(self, *ops):
        """One transaction; returns its results, raises if one failed."""
        answer = self.call("transact", [NAMES[self.db], *ops])
        bad = [r for r in answer["result"] if r and r.get("error")]
        assert not bad, bad
        return answer["result"]

    def compact(self):
        subprocess.run(["ovs-appctl", "-t", str(self.ctl),
                        "ovsdb-server/compact"], check=True,
                       stdout=subprocess.DEVNULL, timeout=20)

    def dump(self):
        """All rows of all tables with their _uuid, but ephemeral columns."""
        schema = json.loads(Path(SCHEMAS[self.db]).read_text())
        ops, tables = [], sorted(schema["tables"])
        for t in tables:
            columns = [c for c, d in schema["tables"][t]["columns"].items()
                       if not d.get("ephemeral")]
            ops.append({"op": "select", "table": t, "where": [],
                        "columns": columns + ["_uuid"]})
        result = self.transact(*ops)
        return {t: {r["_uuid"][1]: canonical(r) for r in res["rows"]}
                for t, res in zip(tables, result) if res["rows"]}

    # The worker.

    def start_worker(self):
        mine, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        argv = [str(self.program), f"--db={self.db}", f"--file={self.file}",
                f"--server=unix:{self.sock}",
                f"--listen={self.address}:{self.port}", f"--self={self.id}",
                f"--state-dir={self.state}", f"--fd={theirs.fileno()}",
                f"--log-file={self.folder}/worker.log", *self.options]
        if self.key:
            argv.append(f"--key-file={self.key}")
        if self.tls:
            argv += [f"--private-key={self.tls}-key.pem",
                     f"--certificate={self.tls}-cert.pem",
                     f"--ca-cert={self.tls.parent}/ca.pem"]
        self.worker = subprocess.Popen(argv, pass_fds=[theirs.fileno()],
                                       env={**os.environ, **self.env})
        theirs.close()
        self.sup = mine
        self.status = None
        threading.Thread(target=self._listen, args=(mine,),
                         daemon=True).start()
        self.set_peers(self.peer_ids)
        if self.last_role:
            self.send_role(*self.last_role)

    def stop_worker(self):
        """Kills it."""
        self.worker.kill()
        self.worker.wait()
        self.sup.close()
        self.sup = None

    def end_worker(self):
        """Ends it by closing its socket."""
        self.sup.shutdown(socket.SHUT_RDWR)
        self.sup.close()
        self.sup = None
        return self.worker.wait(5)

    def _listen(self, sock):
        while True:
            try:
                data = sock.recv(65536)
            except OSError:
                return
            if not data:
                return
            kind = HDR.unpack_from(data)[1]
            m = parse(kind, data[HDR.size:])
            with self.cond:
                if kind == STATUS:
                    self.status = m
                    self.history.append((time.monotonic(), m))
                elif kind == PEER:
                    self.peers[m.node] = m
                elif kind == ROLE_DONE:
                    self.dones[m.token] = m
                elif kind == ASIDE:
                    self.asides.append(m)
                elif kind == VERIFICATION:
                    self.verifications.append(m)
                elif kind == DIFFERENCE:
                    self.differences.append(m)
                elif kind == INSTALL:
                    self.installs.append(m)
                    if m.token == self.token and self.may_install:
                        self.installer = threading.Thread(
                            target=self.install, daemon=True)
                        self.installer.start()
                else:
                    self.probes[m.token] = m
                self.cond.notify_all()

    def wait(self, condition, deadline=10, what=None):
        """Waits until condition(status) of a status to come holds."""
        end = time.monotonic() + deadline
        with self.cond:
            while True:
                if self.status and condition(self.status):
                    return self.status
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"node {self.id}: {what}; status "
                                       f"{self.status}\n{self.tail()}")
                self.cond.wait(left)

    def wait_peer(self, ident, condition, deadline=10):
        end = time.monotonic() + deadline
        with self.cond:
            while True:
                m = self.peers.get(ident)
                if m and condition(m):
                    return m
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"node {self.id}: peer {m}\n"
                                       + self.tail())
                self.cond.wait(left)

    def tail(self, n=4000):
        """The end of the worker's log; all of it if 'n' is None."""
        log = self.folder / "worker.log"
        return log.read_text()[-n if n else 0:] if log.exists() else ""

    def send(self, kind, body):
        self.sup.send(HDR.pack(1, kind, len(body)) + body)

    def set_peers(self, ids):
        self.peer_ids = ids
        body = struct.pack("=I4x", len(ids))
        body += b"".join(wire_node(i) for i in ids)
        body = body.ljust(8 + MAX_NODES * 136, b"\0")
        body += b"".join(f"n{i}".encode().ljust(NAME_LEN, b"\0")
                         for i in ids)
        self.send(PEERS, body.ljust(8 + MAX_NODES * (136 + NAME_LEN), b"\0"))

    def send_role(self, role, epoch, source=None, lineage=LINEAGE):
        self.token += 1
        self.last_role = (role, epoch, source, lineage)
        body = struct.pack("=IIQII", role, self.token, lineage, *epoch)
        body += wire_node(source.id if source else 0)
        body += struct.pack("=HHI", source.port if source else 0, 0, 0)
        self.send(ROLE, body)
        return self.token

    def role(self, role, epoch, source=None, lineage=LINEAGE, deadline=10):
        """Tells the role and waits until it is so."""
        token = self.send_role(role, epoch, source, lineage)
        end = time.monotonic() + deadline
        with self.cond:
            while token not in self.dones:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"node {self.id}: no ROLE_DONE; "
                                       f"{self.status}\n{self.tail()}")
                self.cond.wait(left)
            return self.dones[token]

    def active(self, n, lineage=LINEAGE):
        done = self.role(ACTIVE, (n, self.id), lineage=lineage)
        assert done.error == 0, done
        # The answer comes before the status that says the same.
        self.wait(lambda s: s.role == ACTIVE and s.flags & COMPLETE
                  and s.pos.seq >= done.pos.seq, what="active")
        return done

    def follow(self, source, n, lineage=LINEAGE):
        done = self.role(FOLLOW, (n, source.id), source, lineage)
        assert done.error == 0, done

    def idle(self, n=1):
        done = self.role(IDLE, (n, self.id))
        assert done.error == 0, done
        return done

    def consent(self, ask, until=0):
        """An operator lets happen what the worker asks for."""
        self.send(CONSENT, struct.pack("=IIQ", ask, 0, until))

    def probe(self, timeout=5):
        self.token += 1
        token = self.token
        self.send(PROBE, struct.pack("=II", token, int(timeout * 1000)))
        wait_until(lambda: token in self.probes, timeout + 3)
        return self.probes[token]

    def ask_verify(self):
        self.token += 1
        self.send(VERIFY, struct.pack("=II", self.token, 0))
        return self.token

    def wait_verified(self, token, deadline=30):
        """The end of the verification that has this token."""
        def ended():
            return next((v for v in self.verifications if v.token == token
                         and v.state >= V_EQUAL), None)
        return wait_until(ended, deadline, f"node {self.id} verified")

    def verify(self, deadline=30):
        return self.wait_verified(self.ask_verify(), deadline)

    def wait_following(self, deadline=15):
        return self.wait(lambda s: s.phase == P_FOLLOWING, deadline,
                         "following")

    def wait_at(self, pos, deadline=20):
        """Waits until the durable position is 'pos'."""
        return self.wait(lambda s: s.pos.seq == pos.seq
                         and s.pos.chain == pos.chain, deadline, f"at {pos}")

    def head(self, deadline=5):
        """The position of an active node once it has read all that was
        written before."""
        size = self.file.stat().st_size
        return self.wait(lambda s: s.file_bytes >= size, deadline,
                         f"at byte {size}").pos

    def stop(self):
        """Ends both.  Returns the worker's exit status: 0 if it was well until
        now, None if it was ended before."""
        status = None
        if self.server and self.server.poll() is None:
            self.server.kill()
            self.server.wait()
        if self.sup:
            try:
                status = self.end_worker()
            except (OSError, subprocess.TimeoutExpired):
                self.worker.kill()
                status = self.worker.wait()
        return status


def edit_file(path, old, new):
    """Replaces the bytes 'old' by 'new', which are as long, in every record of
    a database's file, each with the SHA-1 that is then right."""
    assert len(old) == len(new)
    data, out, edits = Path(path).read_bytes(), b"", 0
    while data:
        line, rest = data.split(b"\n", 1)
        word, kind, n, _ = line.split()
        body, data = rest[:int(n)], rest[int(n):]
        edits += body.count(old)
        body = body.replace(old, new)
        digest = hashlib.sha1(body).hexdigest().encode()
        out += b" ".join((word, kind, n, digest)) + b"\n" + body
    assert edits, f"{old} is not in {path}"
    with open(path, "r+b") as file:  # The same file, as long as before.
        assert file.seek(0, os.SEEK_END) == len(out)
        file.seek(0)
        file.write(out)
    return edits


def forge_chain(path):
    """Changes a digit of the hash over all records, as the last record of a
    standby's file has it in its comment.  Returns the record's number."""
    old = re.findall(rb"ovn-ha:1 [0-9a-f]{16} [0-9.]+ [0-9]+ [0-9a-f]{16}",
                     Path(path).read_bytes())[-1]
    edit_file(path, old, old[:-1] + (b"1" if old[-1:] == b"0" else b"0"))
    return int(old.split()[3])


def canonical(row):
    """Sets and maps in a fixed order."""
    out = {}
    for column, value in row.items():
        if isinstance(value, list) and value and value[0] in ("set", "map"):
            value = [value[0], sorted(value[1], key=json.dumps)]
        out[column] = value
    return out


class Writer(threading.Thread):
    """Random transactions on NB: sets, maps, references, garbage, deletes."""

    def __init__(self, node, seed, rate=None):
        super().__init__(daemon=True)
        self.node = node
        self.random = random.Random(seed)
        self.tag = f"w{seed}"
        self.rate = rate
        self.stopping = False
        self.acknowledged = 0
        self.errors = []
        self.switches = []

    def stop(self):
        self.stopping = True
        self.join(20)
        assert not self.errors, self.errors
        return self.acknowledged

    def run(self):
        session = None
        while not self.stopping:
            try:
                session = session or self.node.session()
                self.step(session)
                if self.rate:
                    time.sleep(self.random.expovariate(self.rate))
            except (OSError, Closed, TimeoutError):
                if session:
                    session.close()
                session = None
                time.sleep(0.02)
        if session:
            session.close()

    def step(self, session):
        ops = self.make()
        answer = session.call("transact", [NAMES["nb"], *ops], 5)
        bad = [r for r in answer["result"] if r and r.get("error")]
        if bad:
            self.errors.append(bad)
        else:
            self.acknowledged += 1

    def make(self):
        r = self.random
        if len(self.switches) < 3:
            return self.add_switch()
        kind = r.choice(["port", "port", "map", "set", "toggle", "acl",
                         "drop", "switch", "unport"])
        return getattr(self, "add_" + kind)()

    def where(self):
        return [["_uuid", "==", ["uuid", self.random.choice(self.switches)]]]

    def add_switch(self):
        ident = str(uuid.UUID(int=self.random.getrandbits(128)))
        self.switches.append(ident)
        return [{"op": "insert", "table": "Logical_Switch", "uuid": ident,
                 "row": {"name": f"{self.tag}-{len(self.switches)}"}},
                {"op": "comment", "comment": "a client's comment"}]

    def add_port(self):
        name = f"{self.tag}-{self.random.getrandbits(48):x}"
        return [{"op": "insert", "table": "Logical_Switch_Port",
                 "uuid-name": "p", "row": {
                     "name": name, "addresses": ["set", ["dynamic", name]],
                     "options": ["map", [["a", name], ["b", "ü\"\\"]]]}},
                {"op": "mutate", "table": "Logical_Switch",
                 "where": self.where(), "mutations": [
                     ["ports", "insert", ["set", [["named-uuid", "p"]]]]]}]

    def add_map(self):
        key = f"k{self.random.randrange(20)}"
        return [{"op": "mutate", "table": "Logical_Switch",
                 "where": self.where(), "mutations": [
                     ["external_ids", "delete", ["set", [key]]],
                     ["external_ids", "insert",
                      ["map", [[key, str(self.random.random())]]]]]}]

    def add_set(self):
        return [{"op": "update", "table": "Logical_Switch",
                 "where": self.where(), "row": {"other_config": [
                     "map", [[f"o{self.random.randrange(9)}", "1"]]]}}]

    def add_toggle(self):
        op = self.random.choice(["insert", "delete"])
        value = ["map", [["t", "1"]]] if op == "insert" else ["set", ["t"]]
        return [{"op": "mutate", "table": "Logical_Switch",
                 "where": self.where(),
                 "mutations": [["external_ids", op, value]]}]

    def add_acl(self):
        return [{"op": "insert", "table": "ACL", "uuid-name": "a", "row": {
                     "priority": self.random.randrange(32768),
                     "direction": "to-lport", "action": "allow",
                     "match": "ip4 && tcp.dst == 1"}},
                {"op": "update", "table": "Logical_Switch",
                 "where": self.where(),
                 "row": {"acls": ["set", [["named-uuid", "a"]]]}}]

    def add_drop(self):
        if len(self.switches) < 6:
            return self.add_switch()
        where = self.where()
        self.switches.remove(where[0][2][1])
        return [{"op": "delete", "table": "Logical_Switch", "where": where}]

    def add_unport(self):
        return [{"op": "update", "table": "Logical_Switch",
                 "where": self.where(), "row": {"ports": ["set", []]}}]


class Cluster:
    """Nodes under one folder."""

    def __init__(self, folder, program, **kwargs):
        self.folder = Path(folder)
        self.program = program
        self.kwargs = kwargs
        self.nodes = []
        self.key = self.folder / "authkey"
        self.key.write_bytes(hashlib.sha256(b"key").digest() * 8)

    def add(self, folder=None, **kwargs):
        """A node with an empty database, its worker idle; below 'folder' if
        not below the cluster's."""
        args = {"key": self.key, **self.kwargs, **kwargs}
        ident = len(self.nodes) + 1
        node = Node(ident, Path(folder or self.folder) / f"n{ident}",
                    self.program, **args)
        self.nodes.append(node)
        node.start_server()
        node.start_worker()
        self.meet()
        return node

    def meet(self):
        ids = [n.id for n in self.nodes]
        for n in self.nodes:
            if n.sup:
                n.set_peers(ids)

    def stop(self):
        """Ends all; returns the workers that were not well."""
        return [n.id for n in self.nodes if n.stop() not in (0, None)]

    def save_logs(self, target):
        for n in self.nodes:
            shutil.copytree(n.folder, Path(target) / f"n{n.id}",
                            ignore=shutil.ignore_patterns("*.sock", "*.ctl"))


def program():
    return build_folder() / "ovn-ha-replica"


# For tests.

def running(folder):
    """The body of a fixture: a Cluster, whose workers have to end well."""
    c = Cluster(folder, program())
    yield c
    unwell = c.stop()
    for n in c.nodes:
        print(f"--- node {n.id}\n{n.tail()}")
    assert not unwell, "workers ended badly"


def pair(cluster, **kwargs):
    """An active node and one that follows it."""
    a, b = cluster.add(**kwargs), cluster.add(**kwargs)
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    return a, b


def write(node, n=20, seed=1):
    """'n' random transactions."""
    w = Writer(node, seed)
    s = node.session()
    for _ in range(n):
        w.step(s)
    s.close()
    assert not w.errors
