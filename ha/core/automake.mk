# SPDX-License-Identifier: Apache-2.0
#
# The pure core: decides, and neither blocks, allocates, logs nor reads a
# clock.  'make lint' proves it.

noinst_LIBRARIES += ha/core/libcore.a
ha_core_libcore_a_SOURCES = \
	ha/core/consent.c \
	ha/core/coord.c \
	ha/core/core-private.h \
	ha/core/core.c \
	ha/core/core.h \
	ha/core/force.c \
	ha/core/member.c \
	ha/core/pause.c \
	ha/core/promote.c \
	ha/core/record.c \
	ha/core/replica.c \
	ha/core/role.c \
	ha/core/set.c \
	ha/core/states.c \
	ha/core/trace.c \
	ha/core/trace.h \
	ha/core/verdict.c

UNIT_TESTS += tests/unit/test-core
tests_unit_test_core_SOURCES = tests/unit/test-core.c
tests_unit_test_core_LDADD = ha/core/libcore.a $(TEST_LIBS)

# doc/STATES.md is written from the table of states; lint compares.
noinst_PROGRAMS += ha/core/states-doc
ha_core_states_doc_SOURCES = ha/core/states-doc.c
ha_core_states_doc_LDADD = ha/core/libcore.a
dist_doc_DATA += doc/STATES.md
update-states: ha/core/states-doc
	ha/core/states-doc > $(srcdir)/doc/STATES.md
LINTS += lint-states
lint-states: ha/core/states-doc
	ha/core/states-doc | diff -u $(srcdir)/doc/STATES.md - \
	|| { echo "doc/STATES.md is old: make update-states"; exit 1; }
.PHONY: update-states

UNIT_TESTS += tests/unit/test-guards
tests_unit_test_guards_SOURCES = tests/unit/test-guards.c
tests_unit_test_guards_LDADD = ha/core/libcore.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-trace
tests_unit_test_trace_SOURCES = tests/unit/test-trace.c
tests_unit_test_trace_LDADD = ha/core/libcore.a $(TEST_LIBS)
