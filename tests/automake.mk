# SPDX-License-Identifier: Apache-2.0
#
# Unit tests: tests/unit/test-NAME.c, one cmocka program with one group a
# module.  'make check' runs them through automake's TAP driver, which counts
# the single tests.  Each folder's automake.mk lists the tests of its modules:
#
#   UNIT_TESTS += tests/unit/test-NAME
#   tests_unit_test_NAME_SOURCES = tests/unit/test-NAME.c
#   tests_unit_test_NAME_LDADD = $(TEST_LIBS)
#
# Tests of the core put ha/core/libcore.a before $(TEST_LIBS).  Tests of
# replica/ add $(OVS_CPPFLAGS) and $(OVS_LIBS) as replica/automake.mk does.

AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT;
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
TEST_LIBS = lib/libha.a $(LIBHA_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)

# Run by lint-alerts.
EXTRA_DIST += tests/alerts/ovn-ha.test.yml

include tests/replay/automake.mk
include tests/explore/automake.mk
include tests/sim/automake.mk
include tests/fuzz/automake.mk
include tests/lab/automake.mk
include tests/cluster/automake.mk
include tests/bench/automake.mk
include tests/chaos/automake.mk
include tests/vm/automake.mk

# Breaks every condition of the decisions, and expects the tests to notice.
# Takes long, and is no part of 'make check'.
EXTRA_DIST += tests/mutate tests/mutate.survivors tests/coverage
mutate:
	$(srcdir)/tests/mutate --dir tests/mutate.tmp $(MUTATE_FLAGS)

# Which lines and branches of the decisions the tests reach.
coverage:
	$(srcdir)/tests/coverage $(COVERAGE_FLAGS)
.PHONY: mutate coverage
