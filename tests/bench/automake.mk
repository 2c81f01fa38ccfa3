# SPDX-License-Identifier: Apache-2.0
#
# Measurements; each prints its figures, none of them is a test.

EXTRA_DIST += tests/bench/replica_lag.py
