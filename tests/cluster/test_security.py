# SPDX-License-Identifier: Apache-2.0
"""Who may follow whom: TLS, certificates, addresses, the key.

Whoever is refused is told why, the refusing side logs it, and nothing is
shipped."""

import socket
import ssl
import struct
import threading
from pathlib import Path

import pytest
from certs import Authority
from lab import Corosync, wait_until
from replica_parts import (COMPLETE, P_CONNECTING, P_FAILED, P_FOLLOWING,
                           Cluster, Writer, program)
from watch import bring_up, status, wait_equal, wait_well

CONF = "/etc/ovn-ha/ovn-ha.conf"


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "nodes").mkdir()
    c = Cluster(tmp_path / "nodes", program())
    yield c
    unwell = c.stop()
    for n in c.nodes:
        print(f"--- node {n.id}\n{n.tail()}")
    assert not unwell, "workers ended badly"


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / "ca")


def pair(cluster, *tls):
    """An active node and one that follows it, with these certificates."""
    a, b = (cluster.add(tls=t) for t in tls)
    a.active(1)
    b.follow(a, 1)
    b.wait_following()
    return a, b


def write(node, n=20, seed=1):
    w = Writer(node, seed)
    s = node.session()
    for _ in range(n):
        w.step(s)
    s.close()


def assert_same(a, b):
    b.wait_at(a.head())
    assert a.dump() == b.dump()


def wait_for_line(node, text):
    wait_until(lambda: text in node.tail(None), 15, f"'{text}' in the log")


def assert_nothing_shipped(node, to):
    """'node' was never connected to receiver number 'to'."""
    assert to not in node.peers or not node.peers[to].connected
    assert f"node {to} at record" not in node.tail(None)


def test_nodes_follow_over_tls(cluster, ca):
    """By name in one certificate, by address in the other."""
    a, b = pair(cluster, ca.issue("n1"),
                ca.issue("unused", san="IP:127.0.0.1"))
    write(a, 200)
    assert_same(a, b)
    for node in (a, b):
        assert "is used; it is valid until" in node.tail(None)


# ---- The side that listens ------------------------------------------------


def context(prefix, side):
    """What Python's own TLS needs to come as 'prefix'."""
    c = ssl.SSLContext(side)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if prefix:
        c.load_cert_chain(f"{prefix}-cert.pem", f"{prefix}-key.pem")
    return c


def expired(ca):
    """A certificate of n2 that was good until a moment ago."""
    prefix = ca.issue("n2", days=0, file="expired")
    wait_until(lambda: not ca.is_valid(prefix), 10, "the certificate expires")
    return prefix


def impostor(kind, ca, tmp_path):
    """Files of a certificate that is not to be accepted from n2, and what is
    said of it."""
    if kind == "other authority":
        return (Authority(tmp_path / "other").issue("n2"),
                'the certificate of "n2" is of another authority than ours')
    if kind == "expired":
        return expired(ca), 'the certificate of "n2" expired on'
    if kind == "no certificate":
        return None, "no certificate was shown"
    return ca.issue("stranger"), '"stranger", and'


KINDS = ["other authority", "expired", "no member"]


@pytest.mark.parametrize("kind", [*KINDS, "no certificate"])
def test_sender_refuses(cluster, ca, tmp_path, kind):
    a = cluster.add(tls=ca.issue("n1"))
    a.active(1)
    write(a)
    prefix, text = impostor(kind, ca, tmp_path)
    with socket.create_connection(("127.0.0.1", a.port)) as raw:
        raw.settimeout(15)
        said = b""
        try:
            with context(prefix, ssl.PROTOCOL_TLS_CLIENT).wrap_socket(
                    raw) as tls:
                while data := tls.recv(65536):
                    said += data
        except (ssl.SSLError, ConnectionError):
            pass
    wait_for_line(a, text)
    # No more than the challenge, and a refusal.
    assert len(said) < 300 and b"tables" not in said
    assert not a.peers


def test_sender_refuses_another_members_certificate(cluster, ca):
    """n2's certificate does not make a node n3."""
    n1, n2 = ca.issue("n1"), ca.issue("n2")
    a, _ = pair(cluster, n1, n2)
    c = cluster.add(tls=n2)
    c.follow(a, 1)
    c.wait(lambda s: "has this id, address and certificate" in s.why)
    wait_for_line(a, "no member of the cluster has this id, address and "
                     "certificate")
    assert_nothing_shipped(a, c.id)
    assert not c.status.flags & COMPLETE


def test_plaintext_on_a_tls_port(cluster, ca):
    a = cluster.add(tls=ca.issue("n1"))
    a.active(1)
    b = cluster.add()
    b.follow(a, 1)
    b.wait(lambda s: s.phase == P_FAILED and "speaks TLS only" in s.why)
    wait_for_line(a, "it speaks plaintext, and this node TLS only")
    assert_nothing_shipped(a, b.id)
    assert not b.status.flags & COMPLETE


def test_tls_on_a_plaintext_port(cluster, ca):
    a = cluster.add()
    a.active(1)
    b = cluster.add(tls=ca.issue("n2"))
    b.follow(a, 1)
    b.wait(lambda s: s.phase == P_FAILED and "it speaks plaintext" in s.why)
    wait_for_line(a, "it speaks TLS, and this node does not")
    assert_nothing_shipped(a, b.id)
    assert not b.status.flags & COMPLETE


def test_another_key_of_corosync(cluster, ca, tmp_path):
    """A certificate alone is not enough where corosync has a key."""
    a = cluster.add(tls=ca.issue("n1"))
    a.active(1)
    key = tmp_path / "other-key"
    key.write_bytes(b"k" * 128)
    b = cluster.add(tls=ca.issue("n2"), key=key)
    b.follow(a, 1)
    b.wait(lambda s: s.phase == P_FAILED and "the key differs" in s.why)
    wait_for_line(a, "is refused: the key differs")
    assert_nothing_shipped(a, b.id)


# ---- The side that connects -----------------------------------------------


class Source:
    """Number 1, as far as it says; with any certificate."""

    id = 1

    def __init__(self, prefix):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context = context(prefix, ssl.PROTOCOL_TLS_SERVER)
        self.heard = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                raw = self.listener.accept()[0]
            except OSError:
                return
            try:
                with self.context.wrap_socket(raw, server_side=True) as tls:
                    tls.send(struct.pack(">IHHII", 40, 1, 0, 1, 0)
                             + bytes(32))
                    while data := tls.recv(65536):
                        self.heard.append(data)
            except (ssl.SSLError, OSError):
                pass


@pytest.mark.parametrize("kind", KINDS)
def test_receiver_refuses(cluster, ca, tmp_path, kind):
    """And does not even say hello to such a source."""
    prefix, text = impostor(kind, ca, tmp_path)
    cluster.add(tls=ca.issue("n1"))
    b = cluster.add(tls=ca.issue("n2", file="good"))
    source = Source(prefix)
    b.follow(source, 1)
    b.wait(lambda s: s.phase == P_FAILED and text in s.why)
    wait_for_line(b, text)
    source.listener.close()
    assert not source.heard


# ---- Files ----------------------------------------------------------------


@pytest.mark.parametrize("what, text", [
    ("missing", "No such file or directory"),
    ("garbled", "there is no private key (PEM, without a passphrase) in it"),
    ("another", "it is not the key of the certificate")])
def test_bad_file_is_named_and_waited_for(cluster, ca, what, text):
    prefix = ca.issue("n2")
    key = ca.folder / "n2-key.pem"
    good = key.read_text()
    key.unlink()
    if what == "garbled":
        key.write_text("garbled")
    elif what == "another":
        key.write_text((ca.issue("n9").parent / "n9-key.pem").read_text())
    a = cluster.add(tls=ca.issue("n1"))
    a.active(1)
    b = cluster.add(tls=prefix)
    b.follow(a, 1)
    line = f"[replication] private-key {key}: {text}"
    b.wait(lambda s: str(key) in s.why and s.phase == P_CONNECTING)
    wait_for_line(b, line + "; log shipping waits for it")
    assert_nothing_shipped(a, b.id)
    # It need not be started anew.
    key.write_text(good)
    b.wait_following()
    write(a)
    assert_same(a, b)


def test_new_certificates_without_a_break(cluster, ca, tmp_path):
    a, b = pair(cluster, ca.issue("n1"), ca.issue("n2"))
    write(a)
    assert_same(a, b)
    resumes = b.status.resumes
    other = Authority(tmp_path / "other")
    for name in ("n1", "n2"):
        other.issue(name)
    for file in ("ca.pem", "n1-key.pem", "n1-cert.pem", "n2-key.pem",
                 "n2-cert.pem"):
        (other.folder / file).replace(ca.folder / file)
    for node in (a, b):
        wait_until(lambda: node.tail(None).count("is used; it is valid") == 2,
                   15, "the new certificate is in use")
    write(a, seed=2)
    assert_same(a, b)
    assert b.status.resumes == resumes
    assert b.status.phase == P_FOLLOWING
    # The next session is made with the new ones.
    b.stop_worker()
    b.start_worker()
    b.wait_following()
    write(a, seed=3)
    assert_same(a, b)


# ---- Without TLS ----------------------------------------------------------


def test_plaintext_only_on_the_own_address(cluster, ca):
    """The nodelist has 127.0.0.1 for it."""
    cluster.add()
    bad = cluster.add(address="127.0.0.2")
    wait_for_line(bad, f"not listening on 127.0.0.2:{bad.port}: without TLS "
                       "only on this node's own address")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", bad.port), 5)
    good = cluster.add(address="127.0.0.2", tls=ca.issue("n3"))
    wait_until(lambda: can_connect("127.0.0.2", good.port), 10, "it listens")


# ---- A whole cluster ------------------------------------------------------


WARNING = "log shipping is not encrypted, and only its beginning is"


def configure(node, ca):
    """TLS, as ovn-ha.conf(5) tells."""
    node.root(CONF).write_text(ca.install(node))


def test_cluster_moves_to_tls(make_lab, ca):
    """Begins in plaintext, with a warning; then each node gets certificates
    and is reloaded, and the warning is gone."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    active = bring_up(lab)
    for node in lab.control:
        assert WARNING in node.log("lab/ovn-had.log")
        assert len(status(node)["warnings"]) == 1
        assert f"\nwarning: {WARNING}" in node.hactl("status")
        assert "log shipping has no TLS" in node.hactl("check", check=False)
        # Between the nodes, and nowhere else.
        ports = node.out("ss", "-Hltn", "sport = :6661 or sport = :6662")
        assert {line.split()[3] for line in ports.splitlines()} == {
            f"{node.address}:6661", f"{node.address}:6662"}
    for node in lab.control:
        configure(node, ca)
        node.hactl("reload")
    for node in lab.control:
        wait_until(lambda: status(node).get("warnings") == [], 30,
                   "no warning")
    active.nbctl("ls-add", "in-tls")
    wait_well(lab)
    wait_equal(lab)
    for node in lab.control:
        assert "warning:" not in node.hactl("status")
        assert "log shipping" not in node.hactl("check", check=False)
        log = node.log("ovn/ovn-ha-workers.log")
        assert "certificate.pem is used; it is valid until" in log


def can_connect(address, port):
    try:
        socket.create_connection((address, port), 5).close()
        return True
    except ConnectionRefusedError:
        return False
