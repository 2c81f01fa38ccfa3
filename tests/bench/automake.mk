# SPDX-License-Identifier: Apache-2.0
#
# Measurements; each prints its figures, none of them is a test.

# Benchmarks: `tests/bench/run` measures, 'make check' runs none of them.

EXTRA_DIST += \
	tests/bench/__init__.py \
	tests/bench/cli.py \
	tests/bench/faults.py \
	tests/bench/fill.py \
	tests/bench/measure.py \
	tests/bench/promotion.py \
	tests/bench/replica_lag.py \
	tests/bench/replica_resync.py \
	tests/bench/report.py \
	tests/bench/rivals.py \
	tests/bench/run \
	tests/bench/scrapes.py \
	tests/bench/stats.py \
	tests/bench/systems.py \
	tests/bench/verify_cost.py
