# SPDX-License-Identifier: Apache-2.0
"""A machine's Unix sockets, at the same paths of the lab's node that it sits
in: who looks for them there need not know that the node is a machine.

A program of its own, in that node: doors.py ADDRESS PATH..."""

import json
import os
import socket
import sys
import threading
import time

from agent import PORT, join, read_line

PATIENCE = 2.0      # To reach the agent.
SHUT = 0.2          # What was found shut is not tried again for so long.


class Door:
    """One socket."""

    def __init__(self, address, path):
        self.address, self.path = address, path
        self.shut_until = 0.0
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)

    def serve(self):
        """Lets in all who come."""
        while True:
            client, _ = self.listener.accept()
            if time.monotonic() < self.shut_until:
                client.close()
            else:
                threading.Thread(target=self.lead, args=(client,),
                                 daemon=True).start()

    def lead(self, client):
        """Leads one client to the socket in the machine."""
        with client:
            try:
                there = socket.create_connection((self.address, PORT),
                                                 PATIENCE)
            except OSError:
                return
            with there:
                there.settimeout(None)
                there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                there.sendall(json.dumps(
                    {"do": "dial", "path": self.path}).encode() + b"\n")
                if read_line(there) == b"{}\n":
                    join(client, there)
                else:
                    self.shut_until = time.monotonic() + SHUT


def main(address, *paths):
    """All of them."""
    doors = [Door(address, path) for path in paths]
    for door in doors[1:]:
        threading.Thread(target=door.serve, daemon=True).start()
    doors[0].serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
