# SPDX-License-Identifier: Apache-2.0
#
# liblease.a is pure, like the core: the simulator links it too.

noinst_LIBRARIES += fence/liblease.a
fence_liblease_a_SOURCES = \
	fence/feed.c \
	fence/feed.h \
	fence/fencing.c \
	fence/fencing.h \
	fence/lease.c \
	fence/lease.h

UNIT_TESTS += tests/unit/test-lease
tests_unit_test_lease_SOURCES = tests/unit/test-lease.c
tests_unit_test_lease_LDADD = fence/liblease.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-feed
tests_unit_test_feed_SOURCES = tests/unit/test-feed.c
tests_unit_test_feed_LDADD = fence/liblease.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-fencing
tests_unit_test_fencing_SOURCES = tests/unit/test-fencing.c
tests_unit_test_fencing_LDADD = fence/liblease.a $(TEST_LIBS)

# Everything of the worker but main.c.
noinst_LIBRARIES += fence/libfence.a
fence_libfence_a_SOURCES = \
	fence/address.c \
	fence/address.h \
	fence/address-child.c \
	fence/address-child.h \
	fence/agent.c \
	fence/agent.h \
	fence/agents.c \
	fence/agents.h \
	fence/beat.c \
	fence/beat.h \
	fence/cut.c \
	fence/cut.h \
	fence/door.c \
	fence/door.h \
	fence/gate.c \
	fence/gate.h \
	fence/harden.c \
	fence/harden.h \
	fence/helper.c \
	fence/helper.h \
	fence/kernel.c \
	fence/kernel.h \
	fence/kernel-child.c \
	fence/kernel-child.h \
	fence/keys.c \
	fence/keys.h \
	fence/link.c \
	fence/link.h \
	fence/logger.c \
	fence/logger.h \
	fence/neighbor.c \
	fence/neighbor.h \
	fence/nft.c \
	fence/nft.h \
	fence/place.c \
	fence/place.h \
	fence/ports.c \
	fence/ports.h \
	fence/metadata.c \
	fence/metadata.h \
	fence/reset.c \
	fence/reset.h \
	fence/rtnl.c \
	fence/rtnl.h \
	fence/runner.c \
	fence/runner.h \
	fence/sup.c \
	fence/sup.h \
	fence/target.c \
	fence/target.h \
	fence/wires.c \
	fence/wires.h \
	fence/tell.c \
	fence/tell.h \
	fence/watchdog.c \
	fence/watchdog.h \
	fence/watchdog-child.c \
	fence/watchdog-child.h \
	fence/wdt.c \
	fence/wdt.h \
	fence/worker.c \
	fence/worker.h

pkglibexec_PROGRAMS += ovn-ha-fence
ovn_ha_fence_SOURCES = fence/main.c
ovn_ha_fence_LDADD = fence/libfence.a fence/liblease.a lib/libha.a \
	$(LIBHA_LIBS) $(NFTABLES_LIBS) $(MNL_LIBS)

UNIT_TESTS += tests/unit/test-address
tests_unit_test_address_SOURCES = tests/unit/test-address.c
tests_unit_test_address_LDADD = fence/libfence.a $(TEST_LIBS) $(MNL_LIBS)
# With a kernel of its own.
UNIT_TESTS += tests/unit/test-place
tests_unit_test_place_SOURCES = tests/unit/test-place.c
tests_unit_test_place_LDADD = fence/libfence.a $(TEST_LIBS)
UNIT_TESTS += tests/unit/test-helper
tests_unit_test_helper_SOURCES = tests/unit/test-helper.c
tests_unit_test_helper_LDADD = fence/libfence.a $(TEST_LIBS)
UNIT_TESTS += tests/unit/test-beat
tests_unit_test_beat_SOURCES = tests/unit/test-beat.c
tests_unit_test_beat_LDADD = fence/libfence.a fence/liblease.a $(TEST_LIBS)

# With a kernel and a clock of its own.
UNIT_TESTS += tests/unit/test-keys
tests_unit_test_keys_SOURCES = tests/unit/test-keys.c
tests_unit_test_keys_LDADD = fence/libfence.a $(TEST_LIBS)
UNIT_TESTS += tests/unit/test-neighbor
tests_unit_test_neighbor_SOURCES = tests/unit/test-neighbor.c
tests_unit_test_neighbor_LDADD = fence/libfence.a $(TEST_LIBS)
UNIT_TESTS += tests/unit/test-gate
tests_unit_test_gate_SOURCES = tests/unit/test-gate.c
tests_unit_test_gate_LDADD = fence/libfence.a $(TEST_LIBS)
UNIT_TESTS += tests/unit/test-watchdog
tests_unit_test_watchdog_SOURCES = \
	tests/cluster/watchdog.c \
	tests/unit/test-watchdog.c
tests_unit_test_watchdog_LDADD = fence/libfence.a fence/liblease.a $(TEST_LIBS)
UNIT_TESTS += tests/unit/test-metadata
tests_unit_test_metadata_SOURCES = tests/unit/test-metadata.c
tests_unit_test_metadata_LDADD = fence/libfence.a fence/liblease.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-agent
tests_unit_test_agent_SOURCES = tests/unit/test-agent.c
tests_unit_test_agent_LDADD = fence/libfence.a fence/liblease.a $(TEST_LIBS)
