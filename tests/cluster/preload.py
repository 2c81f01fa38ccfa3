# SPDX-License-Identifier: Apache-2.0
"""The libraries of this folder that change what a call does, to preload into
the processes under test."""

import subprocess
from pathlib import Path


def build_preload(name, folder):
    """Compiles NAME.c into 'folder'; returns the library's path."""
    lib = folder / f"{name}.so"
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", lib,
                    Path(__file__).with_name(f"{name}.c"), "-ldl"], check=True)
    return lib
