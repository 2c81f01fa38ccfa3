# SPDX-License-Identifier: Apache-2.0
"""Sockets in another network namespace, from this very process."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result < 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))


def _setns(fd):
    _check(_libc.setns(fd, CLONE_NEWNET))


@contextlib.contextmanager
def _and_back():
    """Whatever namespace this thread enters, it is left in the end."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _setns(home)
        os.close(home)


@contextlib.contextmanager
def inside(pid):
    """Sockets that this thread makes in the 'with' block live, for good, in
    the network namespace of process 'pid'."""
    with _and_back():
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        yield


@contextlib.contextmanager
def own():
    """A new network namespace, with nothing but loopback, for this thread
    and what it starts in the 'with' block."""
    with _and_back():
        _check(_libc.unshare(CLONE_NEWNET))
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
