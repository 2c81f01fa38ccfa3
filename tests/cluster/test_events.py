# SPDX-License-Identifier: Apache-2.0
"""Events: what the journal gets and what the operator's program is told, and
that neither is ever in the way."""

import json
import signal

import pytest
from lab import Corosync, wait_until
from watch import (configure, local, others, reconfigure, shown, status,
                   switch_to, wait_state, wait_well)

HOOK = "/etc/ovn-ha/told-of-events"
TOLD = "/var/lib/ovn-ha/told"
CONF = f"[events]\nprogram = {HOOK}\ntimeout-ms = 10000\n"
JOURNALD = "/lib/systemd/systemd-journald"


def set_hook(node, script):
    """Makes it the program that is told."""
    path = node.root(HOOK)
    path.with_suffix(".new").write_text(f"#!/bin/sh\n{script}\n")
    path.with_suffix(".new").chmod(0o755)
    path.with_suffix(".new").rename(path)


@pytest.fixture(scope="module")
def lab(make_lab):
    """Three control nodes with a journal and a program."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    lab.power_on()
    for node in lab.control:
        # It names the control group of whoever sends.
        node.exec("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
        # What comes before it runs waits for it.
        node.exec("sysctl", "-qw", "net.unix.max_dgram_qlen=512")
        node.service_start("journald", [JOURNALD])
        configure(node, CONF)
        set_hook(node, f"cat >> {TOLD}")
    lab.start_corosync()
    lab.open_ports(lab.start_ovn_had())
    wait_well(lab)
    return lab


def told(node):
    """What the program was told."""
    try:
        text = node.root(TOLD).read_text()
        return [json.loads(line)
                for line in text[:text.rfind("\n") + 1].splitlines()]
    except FileNotFoundError:
        return []


def journal(node, *matches):
    """The journal's entries, as dictionaries."""
    node.exec("journalctl", "--sync", check=False)
    out = node.out("journalctl", "-o", "json", "-D", "/run/log/journal",
                   "SYSLOG_IDENTIFIER=ovn-had", *matches)
    return [json.loads(line) for line in out.splitlines()]


def signal_journald(node, number):
    """Where it runs: a boot has not started it again."""
    for process in node.processes():
        if process.comm == "systemd-journal":
            process.send_signal(number)


def problems(node):
    """The codes of what is not well there."""
    return {(p["node"], p["code"]) for p in status(node).get("problems", [])}


def test_switchover(lab):
    """The new active tells that it is, to both, in the words of its
    history."""
    old = wait_well(lab)
    new = others(lab, old)[0]
    switch_to(lab, new)

    def active():
        return [e for e in told(new) if e["event"] == "decision"
                and e["state"] == "active"]
    wait_until(active, 20, lambda: f"it is told: {told(new)[-5:]}")
    event = active()[0]
    assert event["schema"] == 1 and event["node"] == new.name
    assert f"|{event['epoch']}|active|{event['text']}" in new.hactl("history")
    entries = journal(new, "OVN_HA_EVENT=decision", "OVN_HA_STATE=active")
    assert [e for e in entries
            if event["text"] in e["MESSAGE"] and e["PRIORITY"] == "6"
            and e["OVN_HA_NODE"] == new.name
            and e["OVN_HA_EPOCH"] == event["epoch"]]


def test_problem(lab):
    """A problem is told when it begins and when it is over."""
    active = wait_well(lab)
    gone = others(lab, active)[-1]

    def ever(event):
        return [e for e in told(active) if e["event"] == event
                and e["problem"]["node"] == gone.name
                and e["problem"]["code"] == "absent"]
    # It may have been late at the start, too.
    before = {e: len(ever(e)) for e in ("problem", "problem-over")}

    def of(event):
        return ever(event)[before[event]:]
    lab.crash(gone.name)
    wait_until(lambda: of("problem"), 40, "the problem is told")
    shown(active, "absent")
    assert not of("problem-over")
    problem = of("problem")[0]["problem"]
    assert problem.keys() == {"node", "code", "text", "ends", "since",
                              "seconds"}
    lab.boot(gone.name)
    wait_well(lab)
    wait_until(lambda: of("problem-over"), 20, "its end is told")
    for event in ("problem", "problem-over"):
        entries = journal(active, f"OVN_HA_EVENT={event}",
                          "OVN_HA_PROBLEM=absent",
                          f"OVN_HA_PROBLEM_NODE={gone.name}")
        assert len(entries) == len(ever(event))
        assert problem["text"] in entries[-1]["MESSAGE"]


def test_neither_is_waited_for(lab):
    """A program that hangs and a journal that stands still: the role moves,
    the program is killed, and what it missed is said until it works."""
    active = wait_well(lab)
    heir = others(lab, active)[0]
    for node in lab.control:
        reconfigure(node, CONF.replace("10000", "1000"))
    wait_well(lab)
    for node in lab.control:
        set_hook(node, "sleep 1000 & sleep 1000")
        signal_journald(node, signal.SIGSTOP)
    try:
        switch_to(lab, heir)
        shown(heir, "events")
        wait_until(lambda: "|problem: events are not told: "
                   in heir.log("lab/ovn-had.log"), 40, "it lasts")
        assert "it ran for longer than 1000 ms" in heir.log("lab/ovn-had.log")
    finally:
        for node in lab.control:
            set_hook(node, f"cat >> {TOLD}")
            signal_journald(node, signal.SIGCONT)
    switch_to(lab, active)  # There is something to tell.
    seen = {}

    def well():
        seen.update(status(heir))
        events = seen.get("local", {}).get("events")
        return events and not seen["problems"] and not events["waiting"] \
            and events["error"] is None
    wait_until(well, 60, lambda: f"all is well: {seen}")
    events = seen["local"]["events"]
    assert events["failed"] > 0 and events["told"] > 0
    # Else one that fails at this would be told of it for ever.
    assert not [e for e in told(heir) if "events are not told" in e["text"]]


def test_reload_takes_the_program_along(lab):
    """Another program, or none, is a matter of the configuration."""
    node = others(lab, wait_well(lab))[0]
    reconfigure(node, "")
    wait_until(lambda: local(node).get("events", "?") is None, 30,
               "there is no program any more")
    wait_state(node, "standby")
    assert "ovn_ha_events_total" not in node.out(
        "curl", "-s", "--unix-socket", "/run/ovn-ha/status.sock",
        "http://x/metrics")
