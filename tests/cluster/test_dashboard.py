# SPDX-License-Identifier: Apache-2.0
"""The dashboard is what Grafana's documented model asks for.  That its questions
have answers is test_status_socket's."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from lab.shell import TOP

DASHBOARD = json.loads((TOP / "etc/ovn-ha.dashboard.json").read_text())
SCHEMA = json.loads(
    (Path(__file__).parent / "dashboard.schema.json").read_text())


def complaints(dashboard):
    """Where it is not as it should be."""
    return {"/".join(str(step) for step in error.path)
            for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(
                dashboard)}


def test_schema():
    """It fits, and no panel lies on another one or over the edge."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert complaints(DASHBOARD) == set()
    taken = set()
    for panel in DASHBOARD["panels"]:
        pos = panel["gridPos"]
        cells = {(x, y) for x in range(pos["x"], pos["x"] + pos["w"])
                 for y in range(pos["y"], pos["y"] + pos["h"])}
        assert not cells & taken and pos["x"] + pos["w"] <= 24, panel["title"]
        taken |= cells


@pytest.mark.parametrize("where, key, value", [
    ("", "panels", []),
    ("", "schemaVersion", "38"),
    ("", "titel", "x"),
    ("time", "from", 1),
    ("panels/0", "type", "graph"),
    ("panels/0", "id", None),
    ("panels/0/gridPos", "w", 25),
    ("panels/0/targets/0", "refId", ""),
    ("panels/0/targets/0", "legend", "x"),
    ("panels/0/datasource", "uid", "mine"),
    ("panels/0/fieldConfig/defaults/thresholds", "steps", [{"color": 1}]),
    ("templating/list/0", "query", None)])
def test_wrong_members_are_found(where, key, value):
    """What the schema is for: None is a member that is missing."""
    broken = copy.deepcopy(DASHBOARD)
    part = broken
    for step in where.split("/") if where else []:
        part = part[int(step) if step.isdigit() else step]
    if value is None:
        del part[key]
    else:
        part[key] = value
    assert any(c.startswith(where) for c in complaints(broken))
