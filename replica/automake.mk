# SPDX-License-Identifier: Apache-2.0
#
# The only folder that includes headers of Open vSwitch, whose <config.h>
# comes first in each file.  Everything but main.c is in libreplica.a, and what
# needs nothing of Open vSwitch in libplain.a, which unit tests and fuzzers
# link alone.

noinst_LIBRARIES += replica/libplain.a
replica_libplain_a_SOURCES = \
	replica/aside.c \
	replica/aside.h \
	replica/certs.c \
	replica/certs.h \
	replica/finding.c \
	replica/finding.h \
	replica/frame.c \
	replica/frame.h \
	replica/points.c \
	replica/points.h \
	replica/record.c \
	replica/record.h \
	replica/rows.c \
	replica/rows.h \
	replica/shrink.c \
	replica/shrink.h \
	replica/snapshot.c \
	replica/snapshot.h

noinst_LIBRARIES += replica/libreplica.a
replica_libreplica_a_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
replica_libreplica_a_SOURCES = \
	replica/answer.c \
	replica/answer.h \
	replica/applier.c \
	replica/applier.h \
	replica/backup.c \
	replica/backup.h \
	replica/compare.c \
	replica/compare.h \
	replica/content.c \
	replica/content.h \
	replica/dbserver.c \
	replica/dbserver.h \
	replica/giveway.c \
	replica/giveway.h \
	replica/link.c \
	replica/link.h \
	replica/lost.c \
	replica/lost.h \
	replica/manifest.c \
	replica/manifest.h \
	replica/oplog-cursor.c \
	replica/oplog-private.h \
	replica/oplog.c \
	replica/oplog.h \
	replica/ops.c \
	replica/ops.h \
	replica/peers.c \
	replica/peers.h \
	replica/probe.c \
	replica/probe.h \
	replica/receiver.c \
	replica/receiver.h \
	replica/resync.c \
	replica/resync.h \
	replica/restore.c \
	replica/restore.h \
	replica/schemas.c \
	replica/schemas.h \
	replica/sender.c \
	replica/sender.h \
	replica/shadow.c \
	replica/shadow.h \
	replica/successor.c \
	replica/successor.h \
	replica/survey.c \
	replica/survey.h \
	replica/verifier-main.c \
	replica/verifier-private.h \
	replica/verifier.c \
	replica/verifier.h \
	replica/verify.c \
	replica/verify.h \
	replica/worker.c \
	replica/worker.h

pkglibexec_PROGRAMS += ovn-ha-replica
ovn_ha_replica_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS) \
	-DHA_VERSION='"$(VERSION)"'
ovn_ha_replica_SOURCES = replica/main.c
ovn_ha_replica_LDADD = replica/libreplica.a replica/libplain.a lib/libha.a \
	$(LIBHA_LIBS) $(OVS_LIBS)

UNIT_TESTS += tests/unit/test-record
tests_unit_test_record_SOURCES = tests/unit/test-record.c
tests_unit_test_record_LDADD = replica/libplain.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-frame
tests_unit_test_frame_SOURCES = tests/unit/test-frame.c
tests_unit_test_frame_LDADD = replica/libplain.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-points
tests_unit_test_points_SOURCES = tests/unit/test-points.c
tests_unit_test_points_LDADD = replica/libplain.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-aside
tests_unit_test_aside_SOURCES = tests/unit/test-aside.c
tests_unit_test_aside_LDADD = replica/libplain.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-shrink
tests_unit_test_shrink_SOURCES = tests/unit/test-shrink.c
tests_unit_test_shrink_LDADD = replica/libplain.a $(TEST_LIBS)
UNIT_TESTS += tests/unit/test-finding
tests_unit_test_finding_SOURCES = tests/unit/test-finding.c
tests_unit_test_finding_LDADD = replica/libplain.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-content
tests_unit_test_content_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
tests_unit_test_content_SOURCES = tests/unit/test-content.c tests/unit/dbfile.h
tests_unit_test_content_LDADD = replica/libreplica.a replica/libplain.a \
	$(TEST_LIBS) $(OVS_LIBS)

UNIT_TESTS += tests/unit/test-compare
tests_unit_test_compare_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
tests_unit_test_compare_SOURCES = tests/unit/test-compare.c tests/unit/dbfile.h
tests_unit_test_compare_LDADD = replica/libreplica.a replica/libplain.a \
	$(TEST_LIBS) $(OVS_LIBS)

UNIT_TESTS += tests/unit/test-ops
tests_unit_test_ops_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
tests_unit_test_ops_SOURCES = tests/unit/test-ops.c tests/unit/dbfile.h
tests_unit_test_ops_LDADD = replica/libreplica.a replica/libplain.a \
	$(TEST_LIBS) $(OVS_LIBS)

UNIT_TESTS += tests/unit/test-rows
tests_unit_test_rows_SOURCES = tests/unit/test-rows.c
tests_unit_test_rows_LDADD = replica/libplain.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-snapshot
tests_unit_test_snapshot_SOURCES = tests/unit/test-snapshot.c
tests_unit_test_snapshot_LDADD = replica/libplain.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-schemas
tests_unit_test_schemas_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
tests_unit_test_schemas_SOURCES = tests/unit/test-schemas.c
tests_unit_test_schemas_LDADD = replica/libreplica.a replica/libplain.a \
	$(TEST_LIBS) $(OVS_LIBS)

UNIT_TESTS += tests/unit/test-backup
tests_unit_test_backup_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
tests_unit_test_backup_SOURCES = tests/unit/test-backup.c tests/unit/dbfile.h
tests_unit_test_backup_LDADD = replica/libreplica.a replica/libplain.a \
	$(TEST_LIBS) $(OVS_LIBS)
