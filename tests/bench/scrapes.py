#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs a failover that the status sockets are scraped meanwhile.

The active of three nodes loses its power, again and again, in turn without
scrapes and with each of the given rates on the two that are left; and how long
each page takes to answer from the fault until the new active works.

    tests/bench/scrapes.py [--rounds N] [RATE|flood]..."""

import argparse
import multiprocessing
import os
import socket
import statistics
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "cluster")]

from bench.measure import Clients  # noqa: E402
from bench.stats import percentile  # noqa: E402
from chaos.topologies import TOPOLOGIES  # noqa: E402
from watch import others, wait_well  # noqa: E402

# What is scraped, mostly; the others are asked now and then.
MAIN = ["/metrics", "/status"]
OTHERS = ["/active", "/standby", "/healthz", "/readyz", "/history", "/"]
PAGES = [page for other in OTHERS for page in [*MAIN * 4, other]]
FLOOD = float("inf")


def rate_of(text):
    """Scrapes a second."""
    return FLOOD if text == "flood" else float(text)


class Asker:
    """One connection to a node's status socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(path)

    def ask(self, page):
        """Gets a page, whole."""
        self.sock.sendall(f"GET {page} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        text = b""
        while b"\r\n\r\n" not in text:
            text += self._more()
        head, _, body = text.partition(b"\r\n\r\n")
        length = int(next(line.split(b":")[1] for line in head.split(b"\r\n")
                          if line.lower().startswith(b"content-length:")))
        got = len(body)
        while got < length:
            got += len(self._more())

    def _more(self):
        part = self.sock.recv(1 << 20)
        if not part:
            raise ConnectionError("the status socket hung up")
        return part


def scrape(path, rate, stop, pipe):
    """Asks until it is to stop, then tells when each page was asked, and how
    many ms that took."""
    asker, found, number = Asker(path), [], 0
    pipe.send("ready")
    due = time.monotonic()
    while not stop.is_set():
        page = PAGES[number % len(PAGES)]
        number += 1
        when, begin = time.time(), time.monotonic()
        asker.ask(page)
        end = time.monotonic()
        found.append((when, page, (end - begin) * 1000))
        due = max(due + 1 / rate, end - 0.1)
        if due > end:
            time.sleep(due - end)
    pipe.send(found)


class Scrapers:
    """One for each node, together with a rate; 0 is none.  'found' is theirs
    afterwards."""

    def __init__(self, nodes, rate):
        self.nodes = nodes if rate else []
        self.rate = rate
        self.found = []

    def __enter__(self):
        self.stop = multiprocessing.Event()
        self.parts = []
        for node in self.nodes:
            mine, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=scrape, daemon=True, args=(
                f"/proc/{node.pid}/root/run/ovn-ha/status.sock",
                self.rate / len(self.nodes), self.stop, theirs))
            process.start()
            theirs.close()
            self.parts.append((process, mine))
        for _, pipe in self.parts:
            assert pipe.recv() == "ready"
        return self

    def __exit__(self, *_):
        self.stop.set()
        for process, pipe in self.parts:
            self.found += pipe.recv()
            process.join()


def one_round(lab, rate, name):
    """Returns the client's times, and the scrapes from the fault until the
    first NB change in SB."""
    old = wait_well(lab)
    rest = others(lab, old)
    with Clients(lab, name) as clients:
        with Scrapers(rest, rate) as scrapers:
            fault = lab.crash(old.name)
            assert clients.wait(fault, 30), "nobody took over"
        times = clients.metrics(fault)
    end = fault + times["NB change in SB"] / 1000
    lab.boot(old.name)
    return times, [(page, ms) for when, page, ms in scrapers.found
                   if fault <= when <= end]


def label(rate):
    """A name for a rate."""
    return "none" if not rate else "flood" if rate == FLOOD \
        else f"{rate:.0f}/s"


def tell(rate, rounds):
    """The figures of one rate."""
    scrapes = [s for _, found in rounds for s in found]
    print(f"\n{label(rate)}: {len(rounds)} failovers, "
          f"{len(scrapes)} scrapes in them, at most "
          f"{max(len(found) for _, found in rounds)} in one")
    for key in rounds[0][0]:
        values = sorted(times[key] for times, _ in rounds)
        print(f"  {key:26} median {statistics.median(values):7.1f} ms, "
              f"{values[0]:.1f} to {values[-1]:.1f}")
    for page in MAIN + OTHERS:
        values = [ms for p, ms in scrapes if p == page]
        if values:
            print(f"  {page:26} p50 {percentile(values, 50):5.2f} ms, "
                  f"p99 {percentile(values, 99):6.2f}, "
                  f"worst {max(values):6.2f} of {len(values)}")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n",
                                                               maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("rates", nargs="*", metavar="RATE|flood",
                        type=rate_of, default=[1000.0, FLOOD])
    args = parser.parse_args()
    rates = [0, *args.rates]
    rounds = {rate: [] for rate in rates}
    with TOPOLOGIES["three"].up(f"scrapes_{os.getpid()}") as lab:
        for number in range(args.rounds):
            # Not always in the same order: what comes first is not to gain.
            turn = number % len(rates)
            for rate in rates[turn:] + rates[:turn]:
                rounds[rate].append(one_round(
                    lab, rate, f"s{number}{rates.index(rate)}"))
                times, found = rounds[rate][-1]
                print(f"{number + 1}/{args.rounds} {label(rate)}: "
                      f"{len(found)} scrapes, " + ", ".join(
                          f"{k} {v:.0f}" for k, v in times.items()),
                      flush=True)
    print(f"\n{os.cpu_count()} processors, shared by three nodes, clients and "
          "scrapers")
    for rate in rates:
        tell(rate, rounds[rate])


if __name__ == "__main__":
    main()
