# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, never for time to pass."""

import time


class Timeout(AssertionError):
    """A condition did not come true before its deadline."""


def wait_until(condition, deadline=10.0, what=None, interval=0.02):
    """Polls 'condition' until it returns something true, and returns that.

    Raises Timeout after 'deadline' seconds.  'what' says in the message what
    was waited for; a callable is asked at that time."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            text = what() if callable(what) else what
            raise Timeout(f"not within {deadline} s: "
                          f"{text or getattr(condition, '__name__', '?')}")
        time.sleep(interval)
