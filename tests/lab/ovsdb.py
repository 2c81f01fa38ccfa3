# SPDX-License-Identifier: Apache-2.0
"""Raw OVSDB JSON-RPC (RFC 7047): just enough to write, ask and measure.

The lab speaks it by itself, and not through a client library, because what
such a library does behind one's back (reconnecting, backing off, repeating
what was not answered) is what is to be measured."""

import json
import os
import select
import socket
import time

PORTS = {"nb": 6641, "sb": 6642}
DATABASES = {"nb": "OVN_Northbound", "sb": "OVN_Southbound"}

# A transaction that changes nothing, and that a server in read-only mode
# refuses nevertheless.
NO_OP = {"op": "commit", "durable": False}


class Closed(ConnectionError):
    """The server ended the session, or could not be reached."""


def dial(address):
    """A socket on its way to 'address': (host, port), or a path.  It does not
    block; Session.connected() says how it went.  May raise OSError."""
    family = socket.AF_UNIX
    if isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.connect(str(address) if family == socket.AF_UNIX else address)
    except BlockingIOError:
        pass
    except OSError:
        sock.close()
        raise
    return sock


class Session:
    """One connection, not blocking; call() and transact() wait for it."""

    def __init__(self, sock):
        self.sock = sock
        self._in = ""
        self._out = b""
        self._decoder = json.JSONDecoder()
        self._next_id = 0
        self._up = False

    def fileno(self):
        """For selectors."""
        return self.sock.fileno()

    def close(self):
        """Ends the session."""
        self.sock.close()

    def connected(self):
        """Whether the connection stands; raises Closed when it failed."""
        if not self._up:
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise Closed(os.strerror(error))
            try:
                self.sock.getpeername()
                self._up = True
            except OSError:
                return False
        return True

    def wants_write(self):
        """Whether to wait for POLLOUT too."""
        return not self._up or bool(self._out)

    def send(self, method, params):
        """Sends a request, or as much as fits; returns its id."""
        self._next_id += 1
        self._push({"method": method, "params": params, "id": self._next_id})
        return self._next_id

    def _push(self, message):
        self._out += json.dumps(message, separators=(",", ":")).encode()
        self.flush()

    def flush(self):
        """Sends on what did not fit."""
        try:
            while self._out:
                self._out = self._out[self.sock.send(self._out):]
        except BlockingIOError:
            pass
        except OSError as err:
            raise Closed(str(err)) from err

    def receive(self):
        """The messages that have come in; answers the server's probes by
        itself.  Raises Closed at the end of the session."""
        try:
            while True:
                data = self.sock.recv(1 << 20)
                if not data:
                    raise Closed("end of session")
                self._in += data.decode()
                if len(data) < 1 << 16:
                    break
        except BlockingIOError:
            pass
        except Closed:
            raise
        except OSError as err:
            raise Closed(str(err)) from err

        # Parsing again what is incomplete costs; it ends with a brace anyway.
        messages = []
        while self._in and self._in.rstrip().endswith("}"):
            try:
                message, end = self._decoder.raw_decode(self._in)
            except ValueError:
                break
            self._in = self._in[end:].lstrip()
            if message.get("method") == "echo":
                self._push({"id": message["id"], "error": None,
                            "result": message["params"]})
            else:
                messages.append(message)
        return messages

    # With waiting.

    def call(self, method, params, timeout=10.0):
        """Sends a request and waits for its answer, which it returns."""
        end = time.monotonic() + timeout
        self._wait_for(self.connected, end)
        return self.answer(self.send(method, params), end)

    def answer(self, request, end):
        """Waits until 'end' for the answer to what send() has sent."""
        answers = []

        def answer():
            self.flush()
            answers.extend(m for m in self.receive()
                           if m.get("id") == request)
            return bool(answers)
        self._wait_for(answer, end)
        return answers[0]

    def _wait_for(self, condition, end):
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise Closed("no answer in time")
            ready = select.poll()     # Of a test with any number of sockets.
            ready.register(self, select.POLLIN
                           | (select.POLLOUT if self.wants_write() else 0))
            ready.poll(left * 1000)

    def transact(self, database, *operations, timeout=10.0):
        """Waits for a transaction's results; raises RuntimeError when it was
        refused."""
        reply = self.call("transact", [database, *operations], timeout)
        return results(reply)


def refusal(reply):
    """Why a transact reply is no acknowledgement; None when it is one."""
    if reply.get("error"):
        return json.dumps(reply["error"])
    for result in reply.get("result") or []:
        if result and result.get("error"):
            return f"{result['error']}: {result.get('details', '')}"
    return None


def results(reply):
    """The results in a transact reply."""
    why = refusal(reply)
    if why:
        raise RuntimeError(why)
    return reply["result"]
