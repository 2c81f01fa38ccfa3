# SPDX-License-Identifier: Apache-2.0
"""The transaction of a restore against real ovsdb-servers, with clients that
write in the very moment between what it has read and what it commits."""

import hashlib
import json
import os
import re
import resource
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from lab.shell import build_folder
from replica_parts import LINEAGE, Node

PROGRAM = build_folder() / "ovn-ha-replica"
SWITCH = {"op": "insert", "table": "Logical_Switch"}
SCHEMAS = Path(__file__).with_name("schemas")
HANG_UP = ["hang up"]


def where(name):
    """The switch of that name."""
    return {"table": "Logical_Switch", "where": [["name", "==", name]]}


def update(name, since):
    """Has its 'since' be another one."""
    return {"op": "update", **where(name),
            "row": {"other_config": ["map", [["since", since]]]}}


class Meddler:
    """Between the restore and NB's server.  With each request it does one of
    'deeds' before it passes it on; if that returns results, they are the
    answer, and the server never hears of the request; nor does it if that
    returns HANG_UP, and then there is no answer."""

    def __init__(self, path, server):
        self.path, self.server = path, server
        self.deeds = []
        self.requests = []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path))
        self.sock.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn = self.sock.accept()[0]
            except OSError:
                return
            with conn:
                request = self._receive(conn)
                self.requests.append(request)
                deed = self.deeds.pop(0) if self.deeds else lambda: None
                answer = {"id": request["id"], "error": None,
                          "result": deed()}
                if answer["result"] is HANG_UP:
                    continue
                if not answer["result"]:
                    with socket.socket(socket.AF_UNIX) as up:
                        up.connect(str(self.server))
                        up.sendall(json.dumps(request).encode())
                        answer = self._receive(up)
                conn.sendall(json.dumps(answer).encode())

    @staticmethod
    def _receive(sock):
        text = b""
        while True:
            text += sock.recv(1 << 16)
            try:
                return json.loads(text)
            except ValueError:
                pass

    def close(self):
        self.sock.close()


class Place:
    """Both databases, a backup of them with the switches "a" and "b", and what
    was done since: both are changed, and there is a "c"."""

    def __init__(self, folder, later=False):
        """'later': of a later OVN."""
        self.state = folder / "state"
        self.state.mkdir()
        self.backup = folder / "backup"
        self.nb = Node(1, folder / "nb", PROGRAM, "nb")
        self.sb = Node(1, folder / "sb", PROGRAM, "sb")
        if later:
            self.nb.create_db(SCHEMAS / "ovn-nb-7.11.0.ovsschema")
            self.sb.create_db(SCHEMAS / "ovn-sb-20.41.0.ovsschema")
        self.nb.start_server()
        self.sb.start_server()
        self.nb.transact({**SWITCH, "row": {"name": "a"}},
                         {**SWITCH, "row": {"name": "b"}})
        self.then = self.nb.dump()
        self._run(f"--backup={self.backup}").check_returncode()
        self.nb.transact(update("a", "1"), update("b", "1"),
                         {**SWITCH, "row": {"name": "c"}})
        self.told = None
        self.meddler = Meddler(folder / "between.sock", self.nb.sock)

    def _run(self, *args, fd=None, options=(), largest=None):
        """'largest': of the files that it may write."""
        def limit():
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        return subprocess.run(
            [PROGRAM, args[0], f"--state-dir={self.state}", "--self=1",
             *([f"--fd={fd}"] if fd else []), *options,
             self.nb.file, self.sb.file, *args[1:]], text=True,
            capture_output=True, timeout=30, check=False,
            pass_fds=[fd] if fd else [], preexec_fn=limit,
            restore_signals=False)  # SIGXFSZ stays ignored.

    def restore(self, *deeds, options=(), largest=None):
        """Runs it, while clients do their deeds.  It tells 'self.told'."""
        self.meddler.deeds = list(deeds)
        reader, writer = os.pipe()
        with open(reader, encoding="ascii") as told:
            result = self._run(f"--restore={self.backup}",
                               f"unix:{self.meddler.path}",
                               f"unix:{self.sb.sock}", fd=writer,
                               options=options, largest=largest)
            os.close(writer)
            self.told = told.read()
        print(result.stdout, result.stderr)
        return result

    def count_records(self):
        """From here on there are positions."""
        for node in (self.nb, self.sb):
            node.state = self.state
            node.start_worker()
            node.active(1)

    def n_committed(self):
        """Transactions of a restore in NB's log."""
        return len(re.findall("ovn-hactl restore", self.nb.file.read_text()))

    def aside(self):
        """The reports of what was set aside, the oldest first."""
        return [f.read_text() for f in sorted(
            self.state.glob("diverged/ovnnb-*.txt"),
            key=lambda f: f.stat().st_mtime)]

    def close(self):
        self.meddler.close()
        self.nb.stop()
        self.sb.stop()


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.close()


def test_undisturbed(place):
    assert place.restore().returncode == 0
    assert place.nb.dump() == place.then
    assert place.n_committed() == len(place.aside()) == 1
    assert {f.name for f in place.state.iterdir()} == \
        {"diverged", "restore.lock"}


@pytest.mark.parametrize("deed, trace", [
    (update("b", "2"), "2"), (update("c", "2"), "2"),
    ({"op": "delete", **where("b")}, None)],
    ids=["changed", "changed what is to go", "deleted"])
def test_client_writes(place, deed, trace):
    """What a client was told is saved is never lost without a copy, and what
    fails has done nothing."""
    result = place.restore(lambda: place.nb.transact(deed) and None)
    assert result.returncode == 0
    assert "NB: computed anew" in result.stdout
    assert place.nb.dump() == place.then
    assert place.n_committed() == 1
    assert len(place.aside()) == 2
    if trace:
        assert f'since="{trace}"' in place.aside()[1]


def test_out_of_the_way(place):
    """What is not in the way stays, and nothing is done twice."""
    result = place.restore(lambda: place.nb.transact(
        {**SWITCH, "row": {"name": "d"}}) and None)
    assert result.returncode == 0 and "anew" not in result.stdout
    assert place.n_committed() == 1
    assert "d" in {row["name"]
                   for row in place.nb.dump()["Logical_Switch"].values()}


def test_server_refuses(place):
    """To try again what is not for others to mend would only fill the disk."""
    result = place.restore(*2 * [lambda: [
        {"error": "I/O error", "io-error": "No space left on device"}]])
    assert result.returncode == 1
    assert "No space left on device" in result.stderr
    assert "anew" not in result.stdout
    assert len(place.meddler.requests) == len(place.aside()) == 1


def test_set_aside_once(place):
    """Not again what has not changed."""
    result = place.restore(lambda: [{"error": "constraint violation",
                                     "details": "this and that"}])
    assert result.returncode == 0
    assert "computed anew, since it changed meanwhile: this" in result.stdout
    assert place.nb.dump() == place.then
    assert len(place.meddler.requests) == 2
    assert len(place.aside()) == 1


def test_tells_the_position(place):
    """Whoever has the record that it tells has what was restored; also if
    clients wrote meanwhile, and if there was nothing to do."""
    place.count_records()
    before = place.nb.head().seq
    assert place.restore(lambda: place.nb.transact(
        {**SWITCH, "row": {"name": "d"}}) and None).returncode == 0
    head = place.nb.head().seq
    assert head == before + 2
    sb = f"sb {place.sb.head().seq} {LINEAGE:016x}\n"
    assert place.told == f"nb {head} {LINEAGE:016x}\n{sb}"
    place.nb.transact({"op": "delete", **where("d")})
    assert place.restore().returncode == 0
    assert place.told == f"nb {place.nb.head().seq} {LINEAGE:016x}\n{sb}"


# What may be wrong.

@pytest.fixture
def other(tmp_path, request):
    """Another place, of a later OVN if the test's parameter says so."""
    (tmp_path / "other").mkdir()
    place = Place(tmp_path / "other", getattr(request, "param", False))
    yield place
    place.close()


def assert_refused(place, word, *deeds, **kwargs):
    """It fails with this word, and nothing is done."""
    before = place.nb.dump(), place.sb.dump()
    result = place.restore(*deeds, **kwargs)
    assert result.returncode == 1 and word in result.stderr, result
    assert (place.nb.dump(), place.sb.dump()) == before
    assert place.n_committed() == 0
    assert not list(place.state.glob("restore-*"))
    return result


@pytest.mark.parametrize("other", [True], indirect=True)
def test_backup_of_a_later_ovn(place, other):
    """It holds what has no place here."""
    place.backup = other.backup
    said = assert_refused(place, "cannot be restored here").stderr
    assert "upgrade OVN on the control nodes first" in said
    assert not place.aside()


@pytest.mark.parametrize("other", [True], indirect=True)
def test_backup_of_an_earlier_ovn(place, other):
    """There is a place for all of it."""
    place.nb.transact({**SWITCH, "row": {"name": "earlier"}})
    place.backup = place.backup.with_name("later")
    place._run(f"--backup={place.backup}").check_returncode()
    other.backup = place.backup
    assert other.restore().returncode == 0
    assert {row["name"] for row in other.nb.dump()["Logical_Switch"].values()
            } == {"a", "b", "c", "earlier"}


def claim(backup, db, **what):
    """Has backup.json say something else."""
    file = backup / "backup.json"
    said = json.loads(file.read_text())
    said[db].update(what)
    file.write_text(json.dumps(said))


def test_backup_of_another_cluster(place, other):
    """It is said before, and done if that is wanted; what gives way is set
    aside."""
    place.count_records()
    place.backup = other.backup
    for db in ("nb", "sb"):
        claim(place.backup, db, lineage="00000000deadbeef", epoch="1.1",
              record=5)
    dry = place.restore(options=["--dry-run"])
    assert dry.returncode == 0
    assert dry.stdout.count("the backup is of another lineage") == 2
    assert place.n_committed() == 0
    assert place.restore().returncode == 0
    assert place.nb.dump() == other.then
    assert "name: c" in place.aside()[0]


@pytest.mark.parametrize("harm", [
    lambda b: b[:-40], lambda b: b.replace(b"OVSDB JSON", b"OVSDB JUNK"),
    lambda b: b"", lambda b: b.replace(b'"a"', b'"A"')],
    ids=["end", "header", "empty", "sum"])
def test_backup_was_damaged_before(place, harm):
    """Its checksum is right, because it was made of that."""
    file = place.backup / place.nb.file.name
    bad = harm(file.read_bytes())
    assert bad != file.read_bytes()
    file.write_bytes(bad)
    claim(place.backup, "nb", bytes=len(bad),
          sha256=hashlib.sha256(bad).hexdigest())
    assert_refused(place, str(file))
    assert not place.aside()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 99}'])
def test_no_manifest(place, text):
    (place.backup / "backup.json").write_text(text)
    assert_refused(place, "backup.json is damaged, or of a later version")


def test_no_room(place):
    """Less would be left than was asked for; or a write does not fit."""
    said = assert_refused(place, "there is no room for it in",
                          options=["--spare-mb=1000000000"]).stderr
    assert "make room, and run it again" in said
    assert_refused(place, "restore-nb.db: File too large", largest=100)
    # It fits but for what is to be set aside.
    (place.state / "diverged").write_text("in the way")
    assert_refused(place, "cannot be set aside")


def test_two_at_once(place):
    """The second one does nothing."""
    second = []

    def deed():
        second.append(place._run(f"--restore={place.backup}",
                                 f"unix:{place.nb.sock}",
                                 f"unix:{place.sb.sock}"))
    assert place.restore(deed).returncode == 0
    assert second[0].returncode == 1
    assert "another restore runs, process" in second[0].stderr
    assert place.n_committed() == 1


def test_clients_do_not_stop(place):
    """It gives up, and theirs is what stays."""
    numbers = iter(range(10, 20))
    result = place.restore(*5 * [lambda: place.nb.transact(
        update("b", str(next(numbers)))) and None])
    assert result.returncode == 1
    assert "clients write too much that is in the way" in result.stderr
    assert place.n_committed() == 0
    assert {"b", "14"} <= {word for row in place.nb.dump()[
        "Logical_Switch"].values() for word in re.findall(r"\w+", str(row))}


def test_role_moves(place):
    """The server's door closes before it has answered."""
    assert_refused(place, "so the role has moved, maybe", lambda: HANG_UP)
