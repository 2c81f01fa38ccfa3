#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a verification costs the active's clients.

Two hand-started ovsdb-servers with a worker each, on this machine, so that
both sides' reading is paid for here.  A writer with a steady rate measures
each transaction, in turn without and with a verification under way.

Usage: verify_cost.py [--rows N] [--rate N] [--rounds N]"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "cluster"), str(TESTS / "bench")]

from replica_lag import quantile, write_paced  # noqa: E402
from replica_parts import V_EQUAL, Cluster, pair, program  # noqa: E402

BATCH = 200


def fill(node, rows):
    """'rows' address sets of some length."""
    for base in range(0, rows, BATCH):
        node.transact(*({"op": "insert", "table": "Address_Set", "row": {
            "name": f"as-{i}", "addresses": ["set", [
                f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}",
                "192.0.2.1", "198.51.100.77"]],
            "external_ids": ["map", [["owner", "bench"], ["n", str(i)]]]}}
            for i in range(base, min(base + BATCH, rows))))


def writing(node, rate, seconds):
    """Starts a writer of its own; returns it and where its times come."""
    mine, theirs = multiprocessing.Pipe()
    writer = multiprocessing.get_context("fork").Process(
        target=write_paced, args=(node, rate, seconds, theirs))
    writer.start()
    return writer, mine


def run(active, standby, rate, seconds, verify):
    """Times of transactions in ms; with 'verify' only of those while one was
    under way, and how it went."""
    writer, times = writing(active, rate, seconds)
    begin, verification = time.monotonic(), None
    if verify:
        verification = standby.verify(600)
        assert verification.state == V_EQUAL, verification
    end = time.monotonic()
    acks = times.recv()
    writer.join()
    return [(done - sent) * 1000 for sent, done in acks
            if not verify or begin <= sent <= end], verification


def summary(times):
    return {"transactions": len(times),
            "p50_ms": round(quantile(times, .5), 2),
            "p99_ms": round(quantile(times, .99), 2),
            "max_ms": round(max(times), 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    without, during, took = [], [], []

    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder, program())
        try:
            a, b = pair(cluster)
            a.transact({"op": "insert", "table": "NB_Global", "row": {}})
            fill(a, args.rows)
            b.wait_at(a.head(120), 300)
            size = a.file.stat().st_size
            seconds = max(5, b.verify(600).took_ms / 1000)
            for _ in range(args.rounds):
                without += run(a, b, args.rate, seconds, False)[0]
                times, verification = run(a, b, args.rate, 2 * seconds, True)
                during += times
                took.append(verification.took_ms)
        finally:
            cluster.stop()
    print(json.dumps({"rows": args.rows, "file_mb": round(size / 1e6, 1),
                      "verification_ms": took,
                      "load_average": os.getloadavg()[0],
                      "without": summary(without),
                      "during": summary(during)}, indent=1))


if __name__ == "__main__":
    main()
