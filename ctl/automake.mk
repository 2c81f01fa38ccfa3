# SPDX-License-Identifier: Apache-2.0
#
# The operator's command.

bin_PROGRAMS += ovn-hactl
ovn_hactl_SOURCES = \
	ctl/backup.c \
	ctl/backup.h \
	ctl/check.c \
	ctl/check-collect.c \
	ctl/check-collect.h \
	ctl/check-databases.c \
	ctl/check-processes.c \
	ctl/consent.c \
	ctl/complete.c \
	ctl/complete.h \
	ctl/confirm.c \
	ctl/confirm.h \
	ctl/daemon.c \
	ctl/daemon.h \
	ctl/failover.c \
	ctl/drill.c \
	ctl/drill.h \
	ctl/drill-act.c \
	ctl/drill-act.h \
	ctl/drill-args.c \
	ctl/drill-args.h \
	ctl/drill-begin.c \
	ctl/drill-clients.c \
	ctl/drill-clients.h \
	ctl/drill-judge.c \
	ctl/drill-print.c \
	ctl/drill-probe.c \
	ctl/drill-probe.h \
	ctl/drill-sequence.c \
	ctl/drill-sequence.h \
	ctl/drill-watch.c \
	ctl/drill-watch.h \
	ctl/fence.c \
	ctl/interrupt.c \
	ctl/interrupt.h \
	ctl/main.c \
	ctl/ovsdb.c \
	ctl/ovsdb.h \
	ctl/ovsdb-ask.c \
	ctl/ovsdb-ask.h \
	ctl/pause.c \
	ctl/replay.c \
	ctl/restore.c \
	ctl/switchover.c \
	ctl/verbs.c \
	ctl/verbs.h \
	ctl/verify.c \
	ctl/verify.h
ovn_hactl_LDADD = ctl/libdrill.a ctl/libcheck.a ctl/libfollow.a ha/core/libcore.a lib/libha.a $(LIBHA_LIBS) -lm

# The pure parts of a drill, so that tests can link them.
noinst_LIBRARIES += ctl/libdrill.a
ctl_libdrill_a_SOURCES = \
	ctl/drill-chassis.c \
	ctl/drill-chassis.h \
	ctl/drill-ledger.c \
	ctl/drill-ledger.h \
	ctl/drill-page.c \
	ctl/drill-phases.c \
	ctl/drill-phases.h \
	ctl/drill-plan.c \
	ctl/drill-plan.h \
	ctl/drill-report.c \
	ctl/drill-report.h

UNIT_TESTS += tests/unit/test-drill
tests_unit_test_drill_SOURCES = tests/unit/test-drill.c
tests_unit_test_drill_LDADD = ctl/libdrill.a $(TEST_LIBS) -lm

# The same of a check: what it judges by is collected elsewhere.
noinst_LIBRARIES += ctl/libcheck.a
ctl_libcheck_a_SOURCES = \
	ctl/check.h \
	ctl/check-client.c \
	ctl/check-corosync.c \
	ctl/check-corosync.h \
	ctl/check-data.c \
	ctl/check-judge.c \
	ctl/check-node.c \
	ctl/check-owner.c \
	ctl/check-peers.c \
	ctl/check-quorum.c \
	ctl/check-totem.c

UNIT_TESTS += tests/unit/test-check
tests_unit_test_check_SOURCES = tests/unit/test-check.c tests/unit/quoted.h
tests_unit_test_check_LDADD = ctl/libcheck.a $(TEST_LIBS)

# The same of what backup and restore ask of the status.
noinst_LIBRARIES += ctl/libfollow.a
ctl_libfollow_a_SOURCES = \
	ctl/follow.c \
	ctl/follow.h

UNIT_TESTS += tests/unit/test-follow
tests_unit_test_follow_SOURCES = tests/unit/test-follow.c tests/unit/quoted.h
tests_unit_test_follow_LDADD = ctl/libfollow.a $(TEST_LIBS)
