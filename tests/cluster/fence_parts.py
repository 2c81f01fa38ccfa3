# SPDX-License-Identifier: Apache-2.0
"""Real ovn-ha-fence workers and ovsdb-servers on loopback addresses, and a
supervisor's end of the worker that tests hold in their hand.

The messages are those of lib/wire.h."""

import hashlib
import hmac
import json
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

from lab import wait_until

(CONFIG, MEMBERS, DB, NORTHD, SUPPORT, SERVE, CLOSE, PING, EXIT) = range(1, 10)
STATE, SUPPORTED = 64, 65
CLOSED, WAITING, OPENING, OPEN, CLOSING = range(5)
# enum wire_kernel_lease, enum wire_kernel.
UNTOLD, OFF, AUTO, ON = range(4)
UNUSED, PENDING, USED, MISSING = range(4)
# enum wire_watchdog_state.
DOG_NONE, DOG_PENDING, DOG_READY, DOG_ARMED, DOG_MISSING = range(5)
MAX_NODES, PATH_LEN, REMOTE_LEN, MAX_REMOTES = 16, 108, 128, 8

LEASE = 0.5
BEAT = 0.05
MARGIN = LEASE / 4
DRIFT_PPM = 10000
SECRET = bytes(range(128))

# Connects, hands the connection to its parent, and lives on, so that the
# worker takes this process for its supervisor and kills it, not the test.
STAND_IN = """
import socket, sys, time
up = socket.socket(fileno=int(sys.argv[1]))
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
up.send(b"ready")
up.recv(1)
for _ in range(1000):
    try:
        s.connect(sys.argv[2])
        break
    except OSError:
        time.sleep(0.005)
socket.send_fds(up, [b"x"], [s.fileno()])
s.close()
up.recv(1)
"""


def boottime_us():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def free_port(kind, addresses):
    """A port that is free on all of the addresses."""
    for _ in range(50):
        socks = []
        try:
            port = 0
            for address in addresses:
                s = socket.socket(socket.AF_INET, kind)
                socks.append(s)
                s.bind((address, port))
                port = s.getsockname()[1]
            return port
        except OSError:
            continue
        finally:
            for s in socks:
                s.close()
    raise RuntimeError("no free port")


def kill(proc):
    """Ends a process of ours, stopped or not."""
    if proc.poll() is None:
        proc.kill()
    proc.wait(5)


def is_dead(proc):
    return proc.poll() is not None


class State:
    """struct wire_f_state."""

    FORMAT = "=IIIIIIqqqqII160sII160s16x160xIIII108s36s160s"

    def __init__(self, body):
        (sn, snode, pn, pnode, self.door, self.n_acks, self.lease_left_us,
         self.old_promise_left_us, self.opened_us, self.closed_us,
         self.lease_losses, self.pid, why, self.kernel, _,
         kernel_why, self.dog, self.nowayout, self.timeout_ms, _, path,
         identity, dog_why) = struct.unpack(
            self.FORMAT, body[:struct.calcsize(self.FORMAT)])
        self.serve, self.support = (sn, snode), (pn, pnode)
        self.why = why.split(b"\0")[0].decode()
        self.kernel_why = kernel_why.split(b"\0")[0].decode()
        self.dog_path = path.split(b"\0")[0].decode()
        self.identity = identity.split(b"\0")[0].decode()
        self.dog_why = dog_why.split(b"\0")[0].decode()

    def __repr__(self):
        return str(vars(self))


class Supervisor:
    """The supervisor's end; pings in the background as ovn-had does.

    It exists before it connects: its start takes long on a loaded machine,
    and the worker is not patient."""

    def __init__(self, path):
        mine, its = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-IS", "-c", STAND_IN, str(its.fileno()), str(path)],
            pass_fds=[its.fileno()])
        its.close()
        self._up = mine
        mine.settimeout(10)
        mine.recv(16)
        self.sock = None
        self.states, self.supported = [], []
        self.gone = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ping, daemon=True)

    def connect(self):
        self._up.send(b"x")
        _, fds, _, _ = socket.recv_fds(self._up, 1, 1)
        self.sock = socket.socket(fileno=fds[0])
        self._thread.start()

    def silence(self):
        """Says nothing from now on by itself."""
        self._stop.set()

    def _ping(self):
        while not self._stop.wait(LEASE / 6):
            try:
                self.send(PING)
            except OSError:
                return

    def send(self, kind, body=b""):
        self.sock.send(struct.pack("=HHI", 1, kind, len(body)) + body)

    def read(self, timeout=0.0):
        """Takes all messages that are here."""
        while not self.gone and select.select([self.sock], [], [],
                                              timeout)[0]:
            try:
                msg = self.sock.recv(65536)
            except ConnectionResetError:
                msg = b""
            if not msg:
                self.gone = True
                return
            version, kind, length = struct.unpack_from("=HHI", msg)
            assert version == 1 and length == len(msg) - 8
            if kind == STATE:
                self.states.append(State(msg[8:]))
            elif kind == SUPPORTED:
                n, node, left = struct.unpack_from("=IIq", msg, 8)
                self.supported.append(((n, node), left))
            timeout = 0.0

    @property
    def state(self):
        self.read()
        return self.states[-1] if self.states else None

    def wait_door(self, door, deadline=3.0):
        """Returns the present state, or the first later one, in which the
        door is so."""
        self.read()
        seen = max(len(self.states) - 1, 0)

        def found():
            self.read()
            return [s for s in self.states[seen:] if s.door == door]
        return wait_until(found, deadline,
                          lambda: f"door {door}, but {self.state}",
                          interval=0.002)[0]

    def support(self, n, node, deadline=3.0):
        """Returns the old promise that is left, in microseconds."""
        before = len(self.supported)
        self.send(SUPPORT, struct.pack("=II", n, node))

        def answered():
            self.read()
            return len(self.supported) > before
        wait_until(answered, deadline, "WIRE_F_SUPPORTED", interval=0.002)
        epoch, left = self.supported[-1]
        assert epoch == (n, node)
        return left

    def serve(self, n, node):
        self.send(SERVE, struct.pack("=II", n, node))

    def close(self):
        """Ends the connection, as the death of the supervisor does."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.sock:
            self.sock.close()
        self._up.close()
        kill(self.process)


class Server:
    """An ovsdb-server that listens on a private socket."""

    def __init__(self, folder, name, address):
        self.db = 0 if name == "nb" else 1
        self.folder, self.name, self.address = folder, name, address
        self.file = folder / f"{name}.db"
        self.ctl = folder / f"{name}.ctl"
        self.private = f"punix:{folder}/{name}.private"
        self.port = free_port(socket.SOCK_STREAM, [address])
        self.public = [f"ptcp:{self.port}:{address}",
                       f"punix:{folder}/{name}.sock"]
        subprocess.run(
            ["ovsdb-tool", "create", self.file,
             f"/usr/share/ovn/ovn-{name}.ovsschema"], check=True)
        self.start()

    def start(self):
        self.ctl.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["ovsdb-server", "--no-chdir", f"--remote={self.private}",
             f"--unixctl={self.ctl}",
             f"--log-file={self.folder}/{self.name}.log",
             "-vconsole:off", str(self.file)])

    def message(self, pid=None):
        remotes = b"".join(r.encode().ljust(REMOTE_LEN, b"\0")
                           for r in self.public)
        return struct.pack(
            f"=II{PATH_LEN}s{REMOTE_LEN}sI{MAX_REMOTES * REMOTE_LEN}s",
            self.db, self.process.pid if pid is None else pid,
            str(self.ctl).encode(), self.private.encode(), len(self.public), remotes)

    def control(self, method, *params, timeout=3.0):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(str(self.ctl))
            s.send(json.dumps({"id": 0, "method": f"ovsdb-server/{method}",
                               "params": params}).encode())
            reply = b""
            while True:
                data = s.recv(65536)
                assert data
                reply += data
                try:
                    return json.loads(reply)["result"]
                except json.JSONDecodeError:
                    continue

    def remotes(self):
        return sorted(self.control("list-remotes").split())

    def connect(self):
        """A client's session, or None if it is refused."""
        s = socket.socket()
        s.settimeout(2)
        try:
            s.connect((self.address, self.port))
            return s
        except OSError:
            s.close()
            return None

    def answers(self):
        """Whether a client of the public port is served."""
        s = self.connect()
        if not s:
            return False
        with s:
            try:
                s.send(b'{"id":1,"method":"list_dbs","params":[]}')
                return b"OVN_" in s.recv(65536)
            except OSError:
                return False


class Node:
    """One worker, perhaps with databases and something called northd."""

    def __init__(self, cluster, ident, databases):
        self.cluster, self.id = cluster, ident
        self.address = f"127.0.0.{ident}"
        self.folder = cluster.folder / f"n{ident}"
        self.folder.mkdir()
        self.socket = self.folder / "fence.sock"
        self.log = self.folder / "fence.log"
        self.servers = []
        self.northd = None
        # The workers of a test share a machine: one at most may be told.
        self.kernel = cluster.kernel if databases else UNTOLD
        self.sup, self.sups = None, []
        if databases:
            self.servers = [Server(self.folder, name, self.address)
                            for name in ("nb", "sb")]
            self.start_northd()
        # What is slow is done: the worker's fresh start is short.
        self.spare = self.prepare()
        self.start_worker()

    def start_worker(self):
        self.worker = subprocess.Popen(
            [*self.cluster.prefix, self.cluster.program,
             f"--socket={self.socket}", f"--log-file={self.log}", "-v"])

    def start_northd(self):
        path = self.folder / "ovn-northd"
        if not path.exists():
            shutil.copy(shutil.which("sleep"), path)
        self.northd = subprocess.Popen([path, "1000"])

    def connect(self):
        self.sup = self.spare or self.prepare()
        self.spare = None
        self.sup.connect()
        return self.sup

    def prepare(self):
        """A supervisor that connects later."""
        sup = Supervisor(self.socket)
        self.sups.append(sup)
        return sup

    def configure(self, supporters=None, key_file=None, beat=BEAT,
                  kernel=None):
        c = self.cluster
        nodes = b"".join(
            struct.pack("=IIHH4s120x", i, 0, socket.AF_INET, 0,
                        socket.inet_aton(f"127.0.0.{i}"))
            for i in c.ids).ljust(MAX_NODES * 136, b"\0")
        self.sup.send(CONFIG, struct.pack(
            f"=II{MAX_NODES * 136}sHHIQQII{PATH_LEN}sI", self.id,
            len(c.ids), nodes, c.port, 0, DRIFT_PPM, int(c.lease * 1e6),
            int(beat * 1e6),
            len(c.ids) // 2 if supporters is None else supporters, 0,
            str(c.key if key_file is None else key_file).encode(),
            self.kernel if kernel is None else kernel)
            + (bytes(184) + c.watchdog if c.watchdog and self.servers
               else b""))
        self.members(c.ids)

    def members(self, ids):
        self.sup.send(MEMBERS, struct.pack(
            f"=I{MAX_NODES}I", len(ids),
            *(list(ids) + [0] * (MAX_NODES - len(ids)))))

    def tell_of_none(self):
        """What a supervisor says that has not found its children yet."""
        for server in self.servers:
            self.sup.send(DB, server.message(pid=0))
        self.sup.send(NORTHD, struct.pack("=I", 0))

    def tell(self):
        """Tells the worker of databases and northd."""
        for server in self.servers:
            self.sup.send(DB, server.message())
        if self.northd:
            self.sup.send(NORTHD, struct.pack("=I", self.northd.pid))

    def setup(self, sup=None):
        """A supervisor, as it is after its start."""
        if sup:
            self.sup = sup
            sup.connect()
        else:
            self.connect()
        self.configure()
        self.tell()
        return self.sup

    def shut(self):
        """Whether no server has a public remote; the dead have none."""
        return all(is_dead(s.process) or s.remotes() == [s.private]
                   for s in self.servers)

    def open(self):
        return all(s.answers() for s in self.servers)

    def stop(self):
        for sup in self.sups:
            sup.close()
        kill(self.worker)
        for proc in [s.process for s in self.servers] + [self.northd]:
            if proc:
                kill(proc)


class Cluster:
    """prefix: of workers' command lines.  kernel: what the one with databases
    is told of the lease in the kernel; watchdog: of that, as it is sent."""

    def __init__(self, folder, program, prefix=(), kernel=UNTOLD, lease=LEASE,
                 watchdog=b""):
        self.folder, self.program = folder, program
        self.prefix, self.kernel = prefix, kernel
        self.lease, self.watchdog = lease, watchdog
        self.ids = [1, 2, 3]
        self.nodes = {}
        self.key = folder / "authkey"
        self.key.write_bytes(SECRET)
        self.port = free_port(socket.SOCK_DGRAM,
                              [f"127.0.0.{i}" for i in self.ids])

    def add(self, ident, databases=False):
        self.nodes[ident] = Node(self, ident, databases)
        return self.nodes[ident]

    def bring_up(self):
        """Nodes 1 to 3; returns the first, the one with databases, supported
        by the others, all of them past their fresh start."""
        node = self.add(1, databases=True)
        for ident in (2, 3):
            self.add(ident)
        for n in self.nodes.values():
            n.setup()
        for n in self.nodes.values():
            n.sup.support(1, 1)
        return node

    def alone(self):
        """A node with databases whose lease has no end: it needs no
        supporters."""
        node = self.add(1, databases=True)
        node.connect()
        node.configure(supporters=0)
        node.tell()
        node.sup.support(1, 1)
        return node

    def stop(self):
        for node in self.nodes.values():
            node.stop()

    def logs(self):
        return "\n".join(f"--- {path}\n{path.read_text()}"
                         for path in sorted(self.folder.glob("*/*.log")))


def serve(node, n=1):
    """Has a node serve epoch n of its own."""
    node.sup.serve(n, node.id)
    state = node.sup.wait_door(OPEN, 4)
    assert node.open()
    return state


BEAT_FORMAT = ">IBBHIIIIQQQQQ"
BEAT_TYPE, ACK_TYPE = 1, 2


def make_beat(kind, sender, to, epoch, life, seq, secret=SECRET, sent=12345,
              lease_us=int(LEASE * 1e6)):
    """A datagram as of fence/beat.h."""
    body = struct.pack(BEAT_FORMAT, 0x4f484142, 1, kind, 0, sender, to,
                       epoch[0], epoch[1], life, seq, sent, lease_us, 0)
    key = hmac.digest(secret, b"beat", hashlib.sha256)
    return body + hmac.digest(key, body, hashlib.sha256)


def parse_beat(datagram):
    (_, _, kind, _, sender, to, n, node, life, seq, sent, lease_us,
     _) = struct.unpack(BEAT_FORMAT, datagram[:-32])
    return kind, sender, to, (n, node), life, seq, sent, lease_us
