# SPDX-License-Identifier: Apache-2.0
"""The status socket: what each page says on an active and on a standby, in a
failover, to hostile clients, over TLS, and to a browser."""

import grp
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from lab import Corosync, wait_until
from lab.netns import inside
from watch import (NoReplication, bring_up, cluster, local, others, shown, status,
                   wait_in_sync, wait_state, wait_well, wait_why)

ETC = Path(__file__).resolve().parents[2] / "etc"
SOCKET = "/run/ovn-ha/status.sock"
PORT = 6664
GROUP = "adm"
PAGES = ["/", "/status", "/metrics", "/history", "/active", "/standby",
         "/healthz", "/readyz"]
TLS = "/etc/ovn-ha/tls"

# n1's TCP is in clear on loopback, the others' is TLS, n3's for its friends.
CONF = "[insync]\nlag-ms = 3000\n[status]\n"
CONFS = {
    "n1": f"group = {GROUP}\nlisten = 127.0.0.1:{PORT}\n",
    "n2": f"listen = 10.10.0.2:{PORT}\n"
          f"private-key = {TLS}/n2.key\ncertificate = {TLS}/n2.pem\n",
    "n3": f"listen = 10.10.0.3:{PORT}\n"
          f"private-key = {TLS}/n3.key\ncertificate = {TLS}/n3.pem\n"
          f"ca-cert = {TLS}/ca.pem\n",
}


def make_certificates(folder):
    """A CA, and a key and certificate for each node, as files."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True,
                       capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=lab CA", "-keyout", "ca.key", "-out", "ca.pem")
    for i, name in enumerate(CONFS, 1):
        (folder / f"{name}.ext").write_text(
            f"subjectAltName=IP:10.10.0.{i}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem",
                "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", f"{name}.ext", "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """The folder with the certificates."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def lab(make_lab, certificates):
    """Three control nodes with ovn-had."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    lab.power_on()
    for node in lab.control:
        shutil.copytree(certificates, node.root(TLS))
        node.root("/etc/ovn-ha/ovn-ha.conf").write_text(
            CONF + CONFS[node.name])
    lab.start_corosync()
    lab.open_ports(lab.start_ovn_had())
    wait_well(lab)
    return lab


class Client(http.client.HTTPConnection):
    """A connection to a node's Unix socket."""

    def __init__(self, node):
        super().__init__("status")
        self.path = str(node.root(SOCKET))

    def connect(self):
        # The path by way of /proc is too long for sun_path.
        folder = os.open(os.path.dirname(self.path), os.O_PATH)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(20)
            # It may be full: clients that would block, and do not.
            wait_until(lambda: self.try_connect(
                f"/proc/self/fd/{folder}/status.sock"), 20, "a connection")
        finally:
            os.close(folder)

    def try_connect(self, path):
        """Connects, unless so many do that this one has to wait."""
        try:
            self.sock.connect(path)
        except BlockingIOError:
            return False
        return True


def get(node, path, **headers):
    """Code, type and text of a page."""
    client = Client(node)
    try:
        client.request("GET", path, headers=headers)
        reply = client.getresponse()
        return (reply.status, reply.headers["Content-Type"],
                reply.read().decode())
    finally:
        client.close()


def code(node, path):
    """The code only."""
    return get(node, path)[0]


def metrics(node):
    """The metrics as {name and labels: value}."""
    lines = get(node, "/metrics")[2].splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in lines if not line.startswith("#")}


def promtool(node, text):
    """Output and exit status of Prometheus' own judge."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = node.exec("promtool", "check", "metrics", stdin=text, check=False)
    return done.returncode, done.stdout + done.stderr


# Each page.

def test_health_checks(lab):
    """The active and the standbys are told apart, and all of them are
    ready."""
    active = wait_well(lab)
    for node in lab.control:
        is_active = node is active
        role = "active" if is_active else "standby"
        yes, no = (200, "text/plain; charset=utf-8", f"{role}\n"), \
            (503, "text/plain; charset=utf-8", f"{role}\n")
        assert get(node, "/active") == (yes if is_active else no)
        assert get(node, "/standby") == (no if is_active else yes)
        assert code(node, "/readyz") == 200
        assert get(node, "/healthz")[2] == "ok\n"
        assert code(node, "/nonsense") == 404


def test_status(lab):
    """/status is what ovn-hactl shows, and says that all is well."""
    active = wait_well(lab)
    for node in lab.control:
        its_code, its_type, text = get(node, "/status")
        page = json.loads(text)
        assert (its_code, its_type) == (200, "application/json")
        assert page["schema"] == 1 and page["node"] == node.name
        assert page["cluster"]["active"] == active.name
        assert page["problems"] == []
        assert page.keys() == status(node).keys()
        assert page["cluster"].keys() == cluster(node).keys()


def test_metrics(lab):
    """What Prometheus scrapes is what the cluster is, and promtool has
    nothing to say about it."""
    active = wait_well(lab)
    for node in lab.control:
        its_code, its_type, text = get(node, "/metrics")
        assert (its_code, its_type) == (
            200, "text/plain; version=0.0.4; charset=utf-8")
        assert promtool(node, text) == (0, "")
        found = metrics(node)
        assert found['ovn_ha_health{state="ok"}'] == 1
        assert found["ovn_ha_problems"] == 0
        assert found["ovn_ha_in_sync_nodes"] == 3
        assert found["ovn_northd_status"] == (1 if node is active else 2)
        assert found['ovn_db_db_size_bytes{db_name="OVN_Southbound"}'] \
            == local(node)["sb"]["file_bytes"]
        for other in lab.control:
            role = "active" if other is active else "standby"
            assert found["ovn_ha_node_state{"
                         f'node="{other.name}",state="{role}"}}'] == 1


def families(text):
    """What the metrics' lines declare: {name of a sample: its labels}."""
    found = {line.split()[2]: set() for line in text.splitlines()
             if line.startswith("# TYPE ")}
    for line in text.splitlines():
        name, _, labels = line.rsplit(" ", 1)[0].partition("{")
        if not line.startswith("#"):
            found[name] |= set(re.findall(r'(\w+)="', labels))
    return found


def test_dashboard(lab):
    """Every metric and label that the dashboard asks for is there, Prometheus
    understands each question, and nothing comes from elsewhere."""
    text = (ETC / "ovn-ha.dashboard.json").read_text()
    assert "://" not in text
    panels = json.loads(text)["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    targets = [t for panel in panels for t in panel["targets"]]
    node = wait_well(lab)
    node.hactl("pause")  # So that there is a problem.
    try:
        found = families(get(node, "/metrics")[2])
    finally:
        node.hactl("resume")
    for target in targets:
        asked = re.findall(r"(ovn_\w+)\{([^}]*)\}", target["expr"])
        assert [name for name, _ in asked] \
            == re.findall(r"ovn_\w+", target["expr"])
        for name, labels in asked:
            assert name in found, f"{name} is not in /metrics"
            shown = set(re.findall(r"(\w+)=", labels)) \
                | set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert shown <= found[name] | {"job", "instance"}, target
    rules = {"groups": [{"name": "dashboard", "rules": [
        {"record": f"panel_{i}", "expr": t["expr"].replace(
            "$__rate_interval", "5m")} for i, t in enumerate(targets)]}]}
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    node.root("/run/dashboard.yml").write_text(json.dumps(rules))
    out = node.out("promtool", "check", "rules", "/run/dashboard.yml")
    assert f"{len(targets)} rules found" in out


def test_openmetrics(lab):
    """Whoever asks for OpenMetrics gets it."""
    node = wait_well(lab)
    _, its_type, text = get(
        node, "/metrics",
        Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.3")
    assert its_type == ("application/openmetrics-text; version=1.0.0; "
                        "charset=utf-8")
    assert text.endswith("\n# EOF\n")
    assert "# TYPE ovn_ha_server_starts counter\n" in text
    assert "\novn_ha_server_starts_total{" in text


def test_history(lab):
    """The decisions, as ovn-hactl tells them, and the lag of both."""
    active = wait_well(lab)
    wait_until(lambda: lag_of(active, others(lab, active)[0]), 20,
               "a sample of the lag")
    page = json.loads(get(active, "/history")[2])
    assert page["schema"] == 1
    told = [line.split("|", 3)[3]
            for line in active.hactl("history", "-n", "100").splitlines()]
    assert [e["text"] for e in page["events"]][-len(told):] == told
    assert page["lag"]["nodes"].keys() == {n.name for n in lab.control}


def lag_of(node, other, db="nb"):
    """The samples that 'node' has of the lag of 'other'."""
    lag = json.loads(get(node, "/history")[2])["lag"]["nodes"]
    return [v for v in lag.get(other.name, {}).get(db, []) if v is not None]


def test_max_lag(lab):
    """A standby that is behind is one only to those who do not mind."""
    active = wait_well(lab)
    node, other = others(lab, active)
    assert code(node, "/standby?max_lag=0") == 200
    for wrong in ("x", "-1", "", "1.5"):
        assert code(node, f"/standby?max_lag={wrong}") == 400
    with NoReplication(node, active, ["sb"], silent=True):
        for i in range(30):
            active.sbctl("set", "SB_Global", ".", f"options:lag={i}")
        # It hears nothing of them but what the active tells the group.
        wait_until(lambda: get(node, "/standby?max_lag=5")[::2] == (
            503, "standby: it is further behind the active than max_lag\n"),
                   20, "the lag is told")
        assert code(other, "/standby?max_lag=1000000") == 200
        # In the end it knows that nobody sends to it.
        wait_until(lambda: code(node, "/standby") == 503, 60,
                   "it does not follow")
        assert code(node, "/readyz") == 503
        reason = get(node, "/standby")[2]
        assert reason == "standby: it does not follow the active's log\n"
        wait_in_sync(active, [active.name, other.name])
        problems = json.loads(get(active, "/status")[2])["problems"]
        assert {(p["node"], p["code"]) for p in problems} \
            >= {(node.name, "not-in-sync")}
        assert metrics(active)[
            f'ovn_ha_node_eligible{{node="{node.name}"}}'] == 0
        assert promtool(active, get(active, "/metrics")[2]) == (0, "")
    wait_well(lab)
    wait_until(lambda: code(node, "/standby?max_lag=0") == 200, 20,
               "it is level again")


def test_who_may_read(lab):
    """Root and the members of the group, and nobody else."""
    wait_well(lab)
    for node in lab.control:
        mode = node.root(SOCKET).stat()
        if node.name == "n1":
            assert mode.st_mode & 0o7777 == 0o660
            assert mode.st_gid == grp.getgrnam(GROUP).gr_gid
        else:
            assert mode.st_mode & 0o7777 == 0o600

    def curl(*user):
        return lab["n1"].exec(
            "setpriv", *user, "curl", "-s", "--unix-socket", SOCKET,
            "http://x/healthz", check=False).stdout
    gid = grp.getgrnam(GROUP).gr_gid
    assert curl("--reuid=65534", "--regid=65534", "--clear-groups") == ""
    assert curl("--reuid=65534", "--regid=65534", f"--groups={gid}") == "ok\n"


# TCP.

def https(lab, address, context):
    """GET /healthz over TLS, as a client on the database network."""
    with inside(lab.warden):
        sock = socket.create_connection((address, PORT), 20)
    with context.wrap_socket(sock, server_hostname=address) as tls:
        tls.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        text = b""
        while more := tls.recv(4096):
            text += more
        return text.decode()


def in_clear(lab, address):
    """What a client that speaks no TLS gets from there."""
    with inside(lab.warden):
        sock = socket.create_connection((address, PORT), 20)
    with sock:
        sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        try:
            return sock.recv(4096)
        except ConnectionResetError:
            return b""


def test_tls(lab, certificates):
    """Over TLS to whom the certificate is known; where clients have to have
    one, to nobody without."""
    wait_well(lab)
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    assert https(lab, "10.10.0.2", context).endswith("\r\n\r\nok\n")
    with pytest.raises(OSError):
        # In TLS 1.3 the refusal comes when the reply is read.
        https(lab, "10.10.0.3", context)
    context.load_cert_chain(certificates / "n2.pem", certificates / "n2.key")
    assert https(lab, "10.10.0.3", context).endswith("\r\n\r\nok\n")
    assert b"HTTP" not in in_clear(lab, "10.10.0.2")


def test_listener_that_cannot_be(lab, certificates):
    """A certificate that is missing keeps no database from being served, and
    is taken as soon as it is there."""
    node = others(lab, wait_well(lab), lab["n1"])[0]
    pem = node.root(f"{TLS}/{node.name}.pem")
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "n1.pem", certificates / "n1.key")
    pem.unlink()
    node.hactl("reload")
    wait_until(lambda: "trying again" in node.log("lab/ovn-had.log"), 20,
               "it says so")
    wait_well(lab)
    wait_until(lambda: code(node, "/readyz") == 200, 20, "it follows again")
    shutil.copy(certificates / pem.name, pem)

    def answers():
        try:
            return https(lab, node.address, context)
        except OSError:
            return None
    wait_until(answers, 30, "TLS is there")


def test_reload(lab):
    """After a reload the sockets are there again."""
    node = wait_well(lab)
    before = node.root(SOCKET).stat().st_ino
    node.hactl("reload")

    def anew():
        try:
            return node.root(SOCKET).stat().st_ino != before
        except FileNotFoundError:
            return False
    wait_until(anew, 20, "another socket is there")
    wait_well(lab)
    assert code(node, "/active") == 200
    assert lab["n1"].out("curl", "-s",
                         f"http://127.0.0.1:{PORT}/healthz") == "ok"


# Hostile clients.

def raw(node):
    """A connected socket."""
    client = Client(node)
    client.connect()
    client.sock.setblocking(False)
    return client.sock


def flood(node, stop):
    """Requests of every page, one after another, until 'stop' is set."""
    while not stop.is_set():
        for path in PAGES:
            try:
                code(node, path)
            except (OSError, http.client.HTTPException):
                pass                  # Ended for a newer one.


def test_hostile_clients(lab):
    """Half-sent requests, heads without end, floods, and 1,000 connections
    that say nothing: the active serves on, nobody is promoted, and who asks
    is answered."""
    active = wait_well(lab)
    epoch = cluster(active)["epoch"]
    losses = local(active)["fence"]["lease_losses"]
    before = descriptors(active)
    stop = threading.Event()
    threads = [threading.Thread(target=flood, args=(active, stop))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    socks = []
    try:
        for i in range(1000):
            sock = raw(active)
            socks.append(sock)
            try:
                sock.send([b"", b"GET /sta", b"x" * 20000, b"\0" * 100,
                           b"GET /history HTTP/1.1\r\n\r\n" * 100][i % 5])
            except OSError:
                pass
            if i % 100 == 0:
                assert code(active, "/healthz") == 200
        # Answered, so all that came before it were let in.
        assert code(active, "/active") == 200
        assert descriptors(active) < before + 100
        assert active.serves("nb", unix=True)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for sock in socks:
            sock.close()
    assert wait_well(lab) is active
    assert cluster(active)["epoch"] == epoch
    assert local(active)["fence"]["lease_losses"] == losses
    assert json.loads(get(active, "/status")[2])["problems"] == []


def descriptors(node):
    """How many descriptors ovn-had has open."""
    return len(os.listdir(f"/proc/{node.find('ovn-had')[0].pid}/fd"))


# The control socket, with the tool of Open vSwitch.

def appctl(node, *args, user=()):
    """Exit status, output and errors of ovn-appctl."""
    done = node.exec(*user, "ovn-appctl", "-t", control_path(node), *args,
                     check=False)
    return done.returncode, done.stdout, done.stderr


def control_path(node):
    """Where its control socket is."""
    pid = node.root("/run/ovn/ovn-had.pid").read_text().strip()
    return f"/run/ovn/ovn-had.{pid}.ctl"


def test_control(lab):
    """All of it answers ovn-appctl; changing is for root, reading for the
    group, too, and nothing for others."""
    active, node = wait_well(lab), lab["n1"]
    code_, out, _ = appctl(node, "list-commands")
    assert code_ == 0 and {"status", "cluster/status", "replica/status",
                           "vlog/set"} <= set(out.split())
    for command in ("status", "cluster/status"):
        code_, out, _ = appctl(node, command)
        assert code_ == 0 and f"active {active.name}" in out
    code_, out, _ = appctl(node, "replica/status")
    assert code_ == 0 and "nb server: running\n" in out
    assert json.loads(appctl(node, "replica/status", "--json")[1]).keys() \
        == {"nb", "sb"}
    for spec in ("dbg", "ANY:ANY:info"):
        assert appctl(node, "vlog/set", spec) == (0, "", "")
    assert "levels are" in appctl(node, "vlog/set", "vconn:dbg")[2]
    gid = grp.getgrnam(GROUP).gr_gid
    user = ("setpriv", "--reuid=65534", "--regid=65534")
    member = (*user, f"--groups={gid}")
    assert appctl(node, "replica/status", user=member)[0] == 0
    for change in (("vlog/set", "dbg"), ("switchover",), ("exit",)):
        code_, _, err = appctl(node, *change, user=member)
        assert code_ and "only root may do that" in err
    assert "Permission denied" in appctl(
        node, "status", user=(*user, "--clear-groups"))[2]
    assert wait_well(lab) is active


def test_hostile_control(lab):
    """Garbage, half-sent requests, and 1,000 connections that say nothing: who
    asks is answered, and the active serves on."""
    active = wait_well(lab)
    epoch, before = cluster(active)["epoch"], descriptors(active)
    path, socks = str(active.root(control_path(active))), []
    try:
        for i in range(1000):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            socks.append(sock)
            try:
                sock.send([b"{", b'{"method":"status"', b"x" * 70000, b"\0\n",
                           b'{"id":1,"method":"status","params":[[]]}'][i % 5],
                          socket.MSG_DONTWAIT)
            except OSError:
                pass
            if i % 100 == 0:
                assert appctl(active, "version")[0] == 0
        assert appctl(active, "version")[0] == 0
        assert descriptors(active) < before + 50
    finally:
        for sock in socks:
            sock.close()
    assert wait_well(lab) is active and cluster(active)["epoch"] == epoch


# In trouble.

def test_through_a_failover(lab):
    """The active dies while every page of every node is asked without pause:
    each says what happens, and at no time do two say that they are active."""
    active = wait_well(lab)
    rest = others(lab, active)
    stop = threading.Event()
    threads = [threading.Thread(target=flood, args=(n, stop)) for n in rest]
    for thread in threads:
        thread.start()
    try:
        lab.crash(active.name)
        seen = set()

        def taken_over():
            codes = [code(n, "/active") for n in rest]
            assert codes.count(200) <= 1, codes
            seen.update(p["code"] for n in rest for p in json.loads(
                get(n, "/status")[2])["problems"])
            return codes.count(200)
        wait_until(taken_over, 40, "one of the others is active")
        new = next(n for n in rest if code(n, "/active") == 200)
        wait_until(lambda: metrics(new)[
            f'ovn_ha_node_state{{node="{active.name}",state="absent"}}'], 20)
        assert "absent" in seen | {p["code"] for p in json.loads(
            get(new, "/status")[2])["problems"]}
        problem = next(p for p in json.loads(
            get(new, "/status")[2])["problems"] if p["code"] == "absent")
        assert problem["node"] == active.name
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                            problem["since"])
        assert problem["ends"]
        key = f'{{node="{active.name}",code="absent"}}'
        assert f"ovn_ha_problem_seconds{key}" in metrics(new)
        table = new.exec(new.lab.program("ovn-hactl", "."), "status",
                         check=False).stdout
        assert f"  {active.name} is absent: " in table
        assert "; ends when: " in table
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    lab.boot(active.name)
    wait_well(lab)


def test_isolated(lab):
    """A node without quorum says so, in all its pages."""
    node = others(lab, wait_well(lab))[0]
    lab.cut(node.name)
    try:
        wait_state(node, "isolated")
        wait_why(node, "no-quorum")
        for path in ("/active", "/standby", "/readyz"):
            its_code, _, text = get(node, path)
            assert its_code == 503 and text.startswith(
                "isolated: corosync has no quorum here"), text
        assert code(node, "/healthz") == 200
        found = metrics(node)
        assert found['ovn_ha_health{state="down"}'] == 1
        assert found["ovn_ha_quorate"] == 0
        assert 'ovn_ha_problem_seconds{node="",code="no-active"}' in found
        assert f'ovn_ha_problem_seconds{{node="{node.name}",' \
            'code="no-quorum"}' in found
        shown(node, "no-quorum")
        shown(node, "no-active")
        assert promtool(node, get(node, "/metrics")[2]) == (0, "")
    finally:
        lab.heal()
    wait_well(lab)


# The page for people.

def dump(node):
    """The page as a browser has it after some seconds of its time."""
    with tempfile.TemporaryDirectory() as profile:
        return node.out(
            "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={profile}",
            "--virtual-time-budget=5000", "--dump-dom",
            f"http://127.0.0.1:{PORT}/", timeout=120)


def text_of(dom, ident):
    """The text of the element with this id, tags left out."""
    match = re.search(rf'<(\w+)[^>]* id="{ident}".*?</\1>|'
                      rf'<(\w+) id="{ident}".*?</\2>', dom, re.S)
    return re.sub("<[^>]*>", " ", match.group(0)) if match else ""


def test_page_in_chromium(lab):
    """A browser shows who is active and what is wrong, first of all."""
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    active, node = wait_well(lab), lab["n1"]
    dom = dump(node)
    assert f"OK: {active.name} is active" in text_of(dom, "headline")
    assert text_of(dom, "problems").strip() == ""
    for other in lab.control:
        assert other.address in text_of(dom, "nodes")
    for db in ("nb", "sb"):
        assert f'aria-label="{db.upper()} records behind' in dom
    assert "promoting" in text_of(dom, "events") \
        or "record" in text_of(dom, "events")
    gone = others(lab, active, node)[-1]
    lab.crash(gone.name)
    wait_until(lambda: json.loads(get(node, "/status")[2])["problems"], 40)
    dom = dump(node)
    assert "DEGRADED: " in text_of(dom, "headline")
    assert f"{gone.name} is absent: " in text_of(dom, "problems")
    assert "ends when: " in text_of(dom, "problems")
    lab.boot(gone.name)
    wait_well(lab)


def test_page_needs_nothing_else(lab):
    """It names no other host."""
    text = get(wait_well(lab), "/")[2]
    urls = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)
    assert set(urls) <= {"http://www.w3.org"}, urls
