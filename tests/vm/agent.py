# SPDX-License-Identifier: Apache-2.0
"""The only program of a machine that belongs to the lab and not to the node.

Its first process reaps what others leave behind.  The second one does what it
is asked over TCP: a line of JSON, {"do": WORD, ...}, is answered with another
one; what tests freeze or kill is all but these two.

It runs with nothing but Python's own modules."""

import glob
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time

PORT = 7000
CHUNK = 1 << 16


def state_of(pid):
    """The state letter of a process; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8",
                  errors="replace") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2]


def do_run(argv, env, stdin, timeout):
    """Runs a command to its end."""
    try:
        result = subprocess.run(
            argv, env=env, input=stdin, capture_output=True, text=True,
            errors="replace", timeout=timeout, check=False,
            **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    except subprocess.TimeoutExpired:
        return {"error": f"no end after {timeout} s"}
    except OSError as err:
        return {"returncode": 127, "stdout": "", "stderr": str(err)}
    return {"returncode": result.returncode, "stdout": result.stdout,
            "stderr": result.stderr}


def do_processes():
    """All processes but ours and the kernel's, each as [pid, comm, args,
    state]."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (1, os.getpid()):
            continue
        try:
            with open(f"/proc/{name}/cmdline", encoding="utf-8",
                      errors="replace") as file:
                args = file.read().rstrip("\0").split("\0")
            if args == [""]:
                continue        # A kernel's, or dead.
            with open(f"/proc/{name}/comm", encoding="utf-8",
                      errors="replace") as file:
                comm = file.read().rstrip("\n")
        except OSError:
            continue
        state = state_of(name)
        if state not in (None, "Z", "X"):
            found.append([int(name), comm, args, state])
    return {"processes": found}


def do_states(pids):
    """The state letters of processes."""
    return {"states": [state_of(pid) for pid in pids]}


def do_signal(pids, number):
    """Signals processes; those that are gone already are fine."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    return {}


def do_read(path):
    """What a file holds."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return {"text": file.read()}
    except OSError as err:
        return {"errno": err.errno, "error": str(err)}


def do_glob(pattern):
    """The paths that match."""
    return {"paths": sorted(glob.glob(pattern))}


def do_set_clock(seconds):
    """What the hardware's clock says is whole seconds."""
    time.clock_settime(time.CLOCK_REALTIME, seconds)
    return {}


def do_panic():
    """Makes the kernel panic."""
    with open("/proc/sysrq-trigger", "w", encoding="ascii") as file:
        file.write("c")


WORDS = {"run": do_run, "processes": do_processes, "states": do_states,
         "signal": do_signal, "read": do_read, "glob": do_glob,
         "set_clock": do_set_clock, "panic": do_panic}


def pump(source, sink):
    """Hands on what comes, to its end."""
    try:
        while data := source.recv(CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # Whoever is left learns it.
        for sock in source, sink:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def join(one, other):
    """Makes one connection of two, until both have ended."""
    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join()


def read_line(sock):
    """A line and no byte more: what follows is for another."""
    line = b""
    while not line.endswith(b"\n"):
        ahead = sock.recv(CHUNK, socket.MSG_PEEK)
        if not ahead:
            break
        line += sock.recv(ahead.find(b"\n") + 1 or len(ahead))
    return line


class Handler(socketserver.BaseRequestHandler):
    """One request."""

    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = json.loads(read_line(self.request) or "{}")
        word = asked.pop("do", None)
        if word == "dial":
            self.dial(asked["path"])
        elif word:
            answer = WORDS[word](**asked)
            self.request.sendall(json.dumps(answer).encode() + b"\n")

    def dial(self, path):
        """From now on this is a connection with a Unix socket."""
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(path)
            except OSError as err:
                self.request.sendall(json.dumps(
                    {"error": str(err)}).encode() + b"\n")
                return
            self.request.sendall(b"{}\n")
            join(self.request, sock)


class Server(socketserver.ThreadingTCPServer):
    """All requests."""
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main():
    """The two processes."""
    if os.fork():
        while True:
            os.wait()
    os.setsid()
    sys.stdin.close()
    with Server(("", PORT), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
