# SPDX-License-Identifier: Apache-2.0
#
# Rounds of random faults: `tests/chaos/run`.

EXTRA_DIST += \
	tests/chaos/__init__.py \
	tests/chaos/cli.py \
	tests/chaos/faults.py \
	tests/chaos/lookout.py \
	tests/chaos/rounds.py \
	tests/chaos/run \
	tests/chaos/topologies.py
