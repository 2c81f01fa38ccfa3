# SPDX-License-Identifier: Apache-2.0
"""QEMU's control socket: commands, and the events of the machine."""

import json
import socket
import threading

from lab import CommandError

TIMEOUT = 30.0


class Qmp:
    """A session with one QEMU.  'events' grows until QEMU ends."""

    def __init__(self, path):
        self.events = []
        self._answer = None
        self._changed = threading.Condition()
        self._ended = False
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.connect(str(path))
        self._file = self._sock.makefile("rw", encoding="utf-8")
        self._file.readline()       # Its greeting.
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self.command("qmp_capabilities")

    def _listen(self):
        try:
            for line in self._file:
                message = json.loads(line)
                with self._changed:
                    if "event" in message:
                        self.events.append(message)
                    else:
                        self._answer = message
                    self._changed.notify_all()
        except OSError:
            pass
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def command(self, name, **arguments):
        """Runs a command; returns what it returns."""
        with self._changed:
            self._answer = None
            try:
                self._file.write(json.dumps(
                    {"execute": name, "arguments": arguments}) + "\n")
                self._file.flush()
            except OSError as err:
                raise CommandError(f"{name}: {err}") from err
            self._changed.wait_for(lambda: self._answer or self._ended,
                                   TIMEOUT)
            if not self._answer or "return" not in self._answer:
                raise CommandError(f"{name}: {self._answer}")
            return self._answer["return"]

    def told(self, event):
        """The data of all events of a name."""
        return [e.get("data", {}) for e in list(self.events)
                if e["event"] == event]

    def close(self):
        """Ends the session, once QEMU has or not; the events remain."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join()
        self._file.close()
        self._sock.close()
