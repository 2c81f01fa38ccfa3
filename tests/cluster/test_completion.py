# SPDX-License-Identifier: Apache-2.0
"""Completion of ovn-hactl, in real shells."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lab import Corosync
from lab.shell import build_folder
from watch import bring_up

ETC = Path(__file__).resolve().parents[2] / "etc" / "completion"
BASH = f"""
. {ETC}/bash/ovn-hactl
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_ovn_hactl "$1"
[ ${{#COMPREPLY[@]}} = 0 ] || printf '%s\\n' "${{COMPREPLY[@]}}"
"""
# What zsh would be told; its own completion needs a terminal.
ZSH = f"""
compadd() {{ [ "$1" = -a ] && print -l -- ${{(P)2}} }}
_files() {{ print FILES }}
words=("$@"); CURRENT=$#
. {ETC}/zsh/_ovn-hactl
"""
SHELLS = {"bash": ["bash", "-c", BASH, "bash"],
          "zsh": ["zsh", "-f", "-c", ZSH, "zsh"]}


@pytest.fixture(params=SHELLS)
def shell(request):
    """The beginning of a command that prints what a shell offers for the
    words behind it."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return SHELLS[request.param]


def offered(shell, *words):
    """What is offered in place of the last word, without a daemon."""
    hactl = str(build_folder() / "ovn-hactl")
    out = subprocess.run(
        [*shell, hactl, *words], check=True, capture_output=True, text=True,
        env={**os.environ, "OVN_RUNDIR": "/nonexistent"}).stdout
    return [line for line in out.splitlines() if line != "FILES"]


def help_text():
    return subprocess.run([build_folder() / "ovn-hactl", "--help"],
                          check=True, capture_output=True, text=True).stdout


def test_commands(shell):
    """All that --help names."""
    named = re.findall(r"^  ([a-z-]+)", help_text().split("options:")[0],
                       re.MULTILINE)
    assert sorted(offered(shell, "")) == sorted(named)
    assert offered(shell, "sw") == ["switchover"]
    assert offered(shell, "--") == ["--help", "--version"]


def test_options(shell):
    """Of each command its own; together those of the manual page."""
    assert offered(shell, "check", "--") == ["--json", "--client"]
    assert offered(shell, "failover", "--a") == ["--allow-data-loss"]
    assert offered(shell, "--to", "n1", "switchover", "--t") \
        == ["--to", "--timeout"]
    every = {option for verb in offered(shell, "")
             for option in offered(shell, verb, "--")}
    manual = (ETC.parents[1] / "doc" / "ovn-hactl.8").read_text()
    assert every | set(offered(shell, "--")) \
        == {f"-{name}" for name in re.findall(r"\bFl (-[a-z-]+)", manual)}


def test_kinds(shell):
    """Of drills; once one was given, nothing."""
    kinds = offered(shell, "drill", "--yes", "")
    assert {"switchover", "kill-nb", "kill-northd"} <= set(kinds)
    assert offered(shell, "drill", "kill-s") == [
        k for k in kinds if k.startswith("kill-s")]
    assert offered(shell, "drill", "kill-nb", "") == []
    assert offered(shell, "drill", "--html", "") == []


def test_nodes(make_lab):
    """Those that ovn-had knows."""
    lab = make_lab(control=3, compute=0, corosync=Corosync.fast())
    node = bring_up(lab)
    hactl = lab.program("ovn-hactl", ".")

    def here(*words):
        return node.out(*SHELLS["bash"], hactl, *words).split()
    names = [n.name for n in lab.control]
    for words in (["fence", ""], ["verify", ""], ["fence-ack", "--yes", "n"],
                  ["switchover", "--to", ""], ["switchover", "--to", "="],
                  ["switchover", "--to", "=", "n"]):
        assert here(*words) == names, words
    assert here("reinit", "n2") == ["n2"]
    assert here("status", "") == []
