# SPDX-License-Identifier: Apache-2.0
"""What ovn-ha's replication is measured beside: servers of OVN's own, started
by hand on this machine; ovsdb-server's backup mode (--sync-from), and a RAFT
cluster."""

import subprocess
import tempfile
from pathlib import Path

from lab import wait_until
from lab.ovsdb import Closed, Session, dial

PATIENCE = 1200


class Servers:
    """Ends those that were started with it."""

    def __init__(self, folder):
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.pids = {}
        self._servers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self._servers:
            server.kill()
            server.wait()

    def sock(self, name):
        return self.folder / f"{name}.sock"

    def start(self, name, *args):
        """One that listens at sock(name), of the database file 'name'."""
        ctl = self.folder / f"{name}.ctl"
        server = subprocess.Popen(
            ["ovsdb-server", f"--remote=punix:{self.sock(name)}",
             f"--unixctl={ctl}", "-vconsole:off", "--no-chdir", *args,
             str(self.folder / name)])
        self._servers.append(server)
        self.pids[name] = server.pid
        wait_until(ctl.exists, PATIENCE, f"{name} runs")
        return server.pid

    def end(self, name):
        """Kills it; start() starts it again."""
        server, = [s for s in self._servers if s.pid == self.pids[name]]
        server.kill()
        server.wait()
        self._servers.remove(server)
        (self.folder / f"{name}.ctl").unlink()

    def appctl(self, name, *args):
        subprocess.run(["ovs-appctl", "-T", str(PATIENCE), "-t",
                        str(self.folder / f"{name}.ctl"), *args], check=True,
                       stdout=subprocess.DEVNULL)

    def backup(self, name, active_sock):
        """One in backup mode, of the file 'name', that is to be told when to
        begin: connect().  It listens before that, as ovn-ha's does."""
        self.start(name, "--active", f"--sync-from=unix:{active_sock}")

    def connect(self, name):
        self.appctl(name, "ovsdb-server/connect-active-ovsdb-server")

    def raft_first(self, name, file):
        """The first member of a cluster, with the content of a file."""
        subprocess.run(["ovsdb-tool", "create-cluster",
                        str(self.folder / name), str(file),
                        f"unix:{self.folder}/{name}.raft"], check=True)
        self.start(name)

    def raft_join(self, name, first, db):
        """Makes the file of another member, which start() has join."""
        subprocess.run(["ovsdb-tool", "join-cluster", str(self.folder / name),
                        db, f"unix:{self.folder}/{name}.raft",
                        f"unix:{self.folder}/{first}.raft"], check=True)


def says(sock, ops, right):
    """True if a server answers a transaction with what is right(result)."""
    try:
        session = Session(dial(sock))
        result = session.call("transact", ops, PATIENCE)["result"]
        session.close()
        return right(result)
    except (OSError, Closed, KeyError, IndexError):
        return False
