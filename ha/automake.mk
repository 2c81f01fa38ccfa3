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
	ha/drill.c \
	ha/drill.h \
	ha/drillbook.c \
	ha/drillbook.h \
	ha/ev.c \
	ha/ev.h \
	ha/events.c \
	ha/events.h \
	ha/failover.c \
	ha/failover.h \
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
	ha/hook.c \
	ha/hook.h \
	ha/http.c \
	ha/http.h \
	ha/instance.c \
	ha/instance.h \
	ha/journal.c \
	ha/journal.h \
	ha/lag.c \
	ha/lag.h \
	ha/loop.c \
	ha/loop.h \
	ha/northd.c \
	ha/northd.h \
	ha/observe.c \
	ha/observe.h \
	ha/page.h \
	ha/pause.c \
	ha/pause.h \
	ha/prepare.c \
	ha/prepare.h \
	ha/progress.c \
	ha/progress.h \
	ha/record.c \
	ha/record.h \
	ha/replica.c \
	ha/replica.h \
	ha/room.c \
	ha/room.h \
	ha/server.c \
	ha/server.h \
	ha/settings.c \
	ha/settings.h \
	ha/since.c \
	ha/since.h \
	ha/status.c \
	ha/status.h \
	ha/stop.c \
	ha/stop.h \
	ha/told.c \
	ha/told.h \
	ha/verify.c \
	ha/verify.h \
	ha/units.c \
	ha/units.h \
	ha/web.c \
	ha/web.h \
	ha/worker.c \
	ha/worker.h

# The page for people, as bytes.
nodist_ha_libsupervisor_a_SOURCES = ha/page.c
EXTRA_DIST += ha/page.html
CLEANFILES += ha/page.c
ha/page.c: ha/page.html ha/automake.mk
	$(AM_V_GEN)mkdir -p ha && { \
	    echo '/* Made of ha/page.html by ha/automake.mk. */' && \
	    echo '#include "ha/page.h"' && \
	    echo 'const char page_html[] = {' && \
	    od -An -v -tx1 $(srcdir)/ha/page.html | sed 's/ \(..\)/0x\1,/g' && \
	    echo '};' && \
	    echo 'const size_t page_html_len = sizeof page_html;'; \
	} > $@.tmp && mv $@.tmp $@

sbin_PROGRAMS += ovn-had
ovn_had_SOURCES = ha/main.c
ovn_had_LDADD = ha/libsupervisor.a ha/core/libcore.a lib/libha.a \
	$(COROSYNC_LIBS) $(EVENT_OPENSSL_LIBS) $(EVENT_LIBS) $(LIBHA_LIBS)

SUPERVISOR_TEST_LIBS = ha/libsupervisor.a ha/core/libcore.a $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-settings
tests_unit_test_settings_SOURCES = tests/unit/test-settings.c
tests_unit_test_settings_LDADD = $(SUPERVISOR_TEST_LIBS) $(COROSYNC_LIBS) \
	$(EVENT_OPENSSL_LIBS) $(EVENT_LIBS)

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

UNIT_TESTS += tests/unit/test-hook
tests_unit_test_hook_SOURCES = tests/unit/test-hook.c
tests_unit_test_hook_LDADD = $(SUPERVISOR_TEST_LIBS) \
	$(EVENT_OPENSSL_LIBS) $(EVENT_LIBS)

UNIT_TESTS += tests/unit/test-lag
tests_unit_test_lag_SOURCES = tests/unit/test-lag.c
tests_unit_test_lag_LDADD = $(SUPERVISOR_TEST_LIBS)

UNIT_TESTS += tests/unit/test-room
tests_unit_test_room_SOURCES = tests/unit/test-room.c
tests_unit_test_room_LDADD = $(SUPERVISOR_TEST_LIBS)

UNIT_TESTS += tests/unit/test-since
tests_unit_test_since_SOURCES = tests/unit/test-since.c
tests_unit_test_since_LDADD = $(SUPERVISOR_TEST_LIBS)

UNIT_TESTS += tests/unit/test-http
tests_unit_test_http_SOURCES = tests/unit/test-http.c
tests_unit_test_http_LDADD = $(SUPERVISOR_TEST_LIBS) \
	$(EVENT_OPENSSL_LIBS) $(EVENT_LIBS)

UNIT_TESTS += tests/unit/test-drillbook
tests_unit_test_drillbook_SOURCES = tests/unit/test-drillbook.c
tests_unit_test_drillbook_LDADD = $(SUPERVISOR_TEST_LIBS)
