# SPDX-License-Identifier: Apache-2.0
#
# Tests with a virtual machine in the lab: `tests/vm/run`.

EXTRA_DIST += \
	tests/vm/agent.py \
	tests/vm/conftest.py \
	tests/vm/doors.py \
	tests/vm/image.py \
	tests/vm/init \
	tests/vm/machine.py \
	tests/vm/qmp.py \
	tests/vm/run \
	tests/vm/test_dogs.py \
	tests/vm/test_stopped.py
