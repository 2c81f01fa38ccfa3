# SPDX-License-Identifier: Apache-2.0
"""Medians and tails of few values."""

import math
import statistics


def percentile(values, percent):
    """By the nearest rank: always one of the values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def summary(values):
    """What the report says of a metric; 'values' may hold None, for what was
    not seen before the deadline."""
    good = [v for v in values if v is not None]
    found = {"n": len(values), "not_seen": len(values) - len(good)}
    if good:
        found |= {"median": statistics.median(good),
                  "p99": percentile(good, 99), "worst": max(good),
                  "best": min(good)}
    return found
