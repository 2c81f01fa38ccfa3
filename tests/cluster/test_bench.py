# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' own measuring: what they report is what was there."""

import pytest
from bench.fill import count_ports, fill, sweep
from bench.measure import FlowWatch, ms
from bench.report import summaries, table
from bench.stats import percentile, summary
from lab import Writer, wait_until


@pytest.fixture(scope="module")
def lab(make_lab):
    """A control node with plain databases and a compute node."""
    lab = make_lab(control=1, compute=1, workloads=1)
    lab.power_on()
    lab["n1"].start_central()
    lab.open_ports(lab["n1"])
    lab.finish_compute(lab["n1"])
    return lab


def test_summary():
    """The tail is one of the values; what was not seen is told apart."""
    values = [float(i) for i in range(1, 101)]
    assert percentile(values, 99) == 99.0
    assert percentile([5.0], 99) == 5.0
    assert summary([3.0, None, 1.0]) == {
        "n": 3, "not_seen": 1, "median": 2.0, "p99": 3.0, "worst": 3.0,
        "best": 1.0}
    assert summary([None]) == {"n": 1, "not_seen": 1}
    assert ms(None, 1.0) is None and ms(3.0, 1.0) == 2000.0


def test_table():
    """Systems stand side by side, and what never came back shows."""
    results = {"a": {"power-cut": [{"NB change in SB": 1100.0},
                                   {"NB change in SB": 1200.0}]},
               "b": {"power-cut": [{"NB change in SB": None, "other": 1}]}}
    assert summaries(results)["a"]["power-cut"]["NB change in SB"][
        "median"] == 1150.0
    text = table(results, {"a": "A", "b": "B"})
    assert "| NB change in SB | 1300 | 1150 / 1200 / 1200 | never |" in text
    assert "| other |  |  | 1 / 1 / 1 |" in text


def test_fill_and_sweep(lab):
    """The ports reach SB, and the writers' rows leave both databases."""
    n1 = lab["n1"]
    before = count_ports(lab, n1)
    fill(lab, n1, 150)
    assert count_ports(lab, n1) == before + 150
    with Writer(lab, "benchtest") as writer:
        wait_until(lambda: len(writer.ledger().acknowledged()) > 10, 10)
    assert writer.rows(n1)
    sweep(lab, n1)
    assert not writer.rows(n1)


def test_flow_watch_sees_a_dip(lab):
    """A rule that goes and comes back at once is missed; one more is none."""
    c1 = lab["c1"]
    rule = "table=99,priority=7"
    c1.exec("ovs-ofctl", "add-flow", "br-int", f"{rule},actions=drop")
    with FlowWatch(lab) as watch:
        c1.exec("ovs-ofctl", "add-flow", "br-int",
                "table=99,priority=8,actions=drop")
        wait_until(lambda: watch.changes("c1") == 1, 10)
    assert watch.dips() == {"c1": 0}
    with FlowWatch(lab) as watch:
        c1.exec("ovs-ofctl", "--strict", "del-flows", "br-int", rule)
        c1.exec("ovs-ofctl", "add-flow", "br-int", f"{rule},actions=drop")
        wait_until(lambda: watch.changes("c1") == 2, 10)
    assert watch.dips() == {"c1": 1}
