# SPDX-License-Identifier: Apache-2.0
#
# liblease.a is pure, like the core: the simulator links it too.

noinst_LIBRARIES += fence/liblease.a
fence_liblease_a_SOURCES = \
	fence/lease.c \
	fence/lease.h

UNIT_TESTS += tests/unit/test-lease
tests_unit_test_lease_SOURCES = tests/unit/test-lease.c
tests_unit_test_lease_LDADD = fence/liblease.a $(TEST_LIBS)

# The worker, once fence/main.c exists:
#   pkglibexec_PROGRAMS += ovn-ha-fence
#   ovn_ha_fence_SOURCES = fence/main.c ...
#   ovn_ha_fence_LDADD = fence/liblease.a lib/libha.a $(LIBHA_LIBS)
