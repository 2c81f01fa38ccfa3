# SPDX-License-Identifier: Apache-2.0
"""Commands on the machine itself, with errors that say what was run."""

import os
import shlex
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


class CommandError(Exception):
    """A command that had to succeed did not."""


def build_folder():
    """The folder that holds the built programs."""
    return Path(os.environ.get("OVN_HA_BUILD") or TOP / "_build").resolve()


def python(module):
    """A command line for main() of one of this package's modules.

    These are clients, which run on machines of their own elsewhere: here they
    must not wait for a core, or what they measure is that."""
    return ["nice", "-n", "-20", "/usr/bin/python3", "-P", "-c",
            f"import sys; sys.path.insert(0, {str(TOP / 'tests')!r}); "
            f"from {module} import main; sys.exit(main())"]


def run(argv, *, check=True, stdin=None, timeout=30.0, env=None):
    """Runs 'argv' and returns its result, with output as text."""
    argv = [str(arg) for arg in argv]
    try:
        result = subprocess.run(
            argv, input=stdin, capture_output=True, text=True,
            errors="replace", timeout=timeout, env=env, check=False,
            **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    except subprocess.TimeoutExpired as err:
        raise CommandError(
            f"{shlex.join(argv)}: no end after {timeout} s") from err
    if check and result.returncode != 0:
        raise CommandError(
            f"{shlex.join(argv)}: exit status {result.returncode}: "
            f"{(result.stderr or result.stdout).strip()}")
    return result
