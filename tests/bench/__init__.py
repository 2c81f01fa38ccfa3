# SPDX-License-Identifier: Apache-2.0
"""Benchmarks of ovn-had and, beside it in the same lab, of the alternatives.

They measure and report; nothing here passes or fails.  `run` is the command
line."""
