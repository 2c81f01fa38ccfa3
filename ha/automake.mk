# SPDX-License-Identifier: Apache-2.0
#
# The supervisor around the core.  Everything but main.c is in libsupervisor.a,
# so that tests can link it.

noinst_LIBRARIES += ha/libsupervisor.a
ha_libsupervisor_a_SOURCES = \
	ha/act.c \
	ha/act.h \
	ha/asides.c \
	ha/asides.h \
	ha/agents.c \
	ha/agents.h \
	ha/call.c \
	ha/call.h \
	ha/cluster.c \
	ha/cluster.h \
	ha/control.c \
	ha/control.h \
	ha/ev.c \
	ha/ev.h \
	ha/fence.c \
	ha/fence.h \
	ha/fencing.c \
	ha/fencing.h \
	ha/foreign.c \
	ha/foreign.h \
	ha/group.c \
	ha/group.h \
	ha/had.h \
	ha/history.c \
	ha/history.h \
	ha/instance.c \
	ha/instance.h \
	ha/journal.c \
	ha/journal.h \
	ha/loop.c \
	ha/loop.h \
	ha/northd.c \
	ha/northd.h \
	ha/observe.c \
	ha/observe.h \
	ha/prepare.c \
	ha/prepare.h \
	ha/progress.c \
	ha/progress.h \
	ha/record.c \
	ha/record.h \
	ha/replica.c \
	ha/replica.h \
	ha/server.c \
	ha/server.h \
	ha/settings.c \
	ha/settings.h \
	ha/status.c \
	ha/status.h \
	ha/stop.c \
	ha/stop.h \
	ha/units.c \
	ha/units.h \
	ha/worker.c \
	ha/worker.h

sbin_PROGRAMS += ovn-had
ovn_had_SOURCES = ha/main.c
ovn_had_LDADD = ha/libsupervisor.a ha/core/libcore.a lib/libha.a \
	$(COROSYNC_LIBS) $(EVENT_LIBS) $(LIBHA_LIBS)

SUPERVISOR_TEST_LIBS = ha/libsupervisor.a ha/core/libcore.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-recordfile
tests_unit_test_recordfile_SOURCES = tests/unit/test-recordfile.c
tests_unit_test_recordfile_LDADD = $(SUPERVISOR_TEST_LIBS)

UNIT_TESTS += tests/unit/test-progress
tests_unit_test_progress_SOURCES = tests/unit/test-progress.c
tests_unit_test_progress_LDADD = $(SUPERVISOR_TEST_LIBS)

UNIT_TESTS += tests/unit/test-history
tests_unit_test_history_SOURCES = tests/unit/test-history.c
tests_unit_test_history_LDADD = $(SUPERVISOR_TEST_LIBS)

UNIT_TESTS += tests/unit/test-journal
tests_unit_test_journal_SOURCES = tests/unit/test-journal.c
tests_unit_test_journal_LDADD = $(SUPERVISOR_TEST_LIBS)
