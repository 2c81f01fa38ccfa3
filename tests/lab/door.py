# SPDX-License-Identifier: Apache-2.0
"""How the lab's clients get into a control node: by knocking often, so that
what they measure is the cluster and not their own patience."""

from .ovsdb import Closed, Session, dial

KNOCK_EVERY = 0.010     # Tries to connect to a node.
KNOCK_PATIENCE = 0.2    # A try that takes longer is made again.


class Door:
    """One control node as a client sees it from outside."""

    def __init__(self, name, address):
        self.name = name
        self.address = address
        self.session = None     # On its way.
        self.knocked = 0.0

    def leave(self):
        """Stops knocking."""
        if self.session:
            self.session.close()
        self.session = None

    def knock(self, now):
        """Goes on connecting; returns the session once it stands."""
        try:
            if self.session and self.session.connected():
                session, self.session = self.session, None
                return session
            if self.session and now - self.knocked > KNOCK_PATIENCE:
                self.leave()
            if not self.session and now - self.knocked >= KNOCK_EVERY:
                self.knocked = now
                self.session = Session(dial(self.address))
        except (OSError, Closed):
            self.leave()
        return None
