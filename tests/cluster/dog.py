# SPDX-License-Identifier: Apache-2.0
"""A watchdog device without hardware: tests/cluster/watchdog.c is its driver,
and this is what bites."""

import fcntl
import mmap
import struct
import threading
import time
from contextlib import contextmanager
from pathlib import Path

IDENTITY = "Lab dog"
FIELDS = ("armed", "fed_us", "timeout_s", "pretimeout_s", "n_opened", "n_fed",
          "n_disarmed", "nowayout", "shortest_s", "blocked",
          "faulty")
SIZE = 8 * len(FIELDS) + 32


def boottime_us():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Dog:
    """The registers of one device, in a file, and its timer, a thread here:
    as in a machine, nothing that happens to the node's processes stops it.
    It calls bite() once, when the device was not fed in time."""

    def __init__(self, path, bite, **registers):
        self.path, self.bite = Path(path), bite
        new = self.path.with_suffix(".new")
        new.write_bytes(bytes(SIZE - 32) + IDENTITY.encode().ljust(32, b"\0"))
        with new.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        for name, value in registers.items():
            self.set(name, value)
        new.rename(self.path)
        self.bitten_us = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __getattr__(self, name):
        if name not in FIELDS:
            raise AttributeError(name)
        return struct.unpack_from("q", self._map, 8 * FIELDS.index(name))[0]

    def set(self, name, value):
        """Sets a register."""
        struct.pack_into("q", self._map, 8 * FIELDS.index(name), value)

    def _watch(self):
        while not self._end.wait(0.005):
            now = boottime_us()
            if self.armed and now >= self.fed_us + self.timeout_s * 1_000_000:
                self.bitten_us = now
                self.bite()
                return

    def __repr__(self):
        return str({n: getattr(self, n) for n in FIELDS}
                   | {"bitten_us": self.bitten_us})

    def stop(self):
        """No more bites; and who waits for the driver goes on."""
        self.set("blocked", 0)
        self._end.set()
        self._thread.join()

    @contextmanager
    def owned(self):
        """Another process has the device open."""
        with self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def immortal(self):
        """The file while which nothing ends that is killed."""
        return self.path.with_name(self.path.name + ".immortal")
