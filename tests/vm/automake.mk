# SPDX-License-Identifier: Apache-2.0
#
# Tests with a virtual machine in the lab: `make check-vm`, as root.

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

check-vm: all
	OVN_HA_BUILD=$(abs_builddir) $(srcdir)/tests/vm/run
.PHONY: check-vm
