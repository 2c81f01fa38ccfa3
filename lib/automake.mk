# SPDX-License-Identifier: Apache-2.0
#
# What all programs share.  Includes nothing from the other folders.  A stanza
# a module, with its test, so that branches which add modules merge.

noinst_LIBRARIES += lib/libha.a
lib_libha_a_SOURCES =
lib_libha_a_SOURCES += lib/types.h
lib_libha_a_SOURCES += lib/wire.h
lib_libha_a_SOURCES += lib/jsonget.h
lib_libha_a_SOURCES += lib/dblock.c lib/dblock.h
lib_libha_a_SOURCES += lib/ovnunits.c lib/ovnunits.h
lib_libha_a_SOURCES += lib/schemafile.c lib/schemafile.h
lib_libha_a_SOURCES += lib/servertls.c lib/servertls.h
lib_libha_a_SOURCES += lib/unixpath.c lib/unixpath.h
lib_libha_a_SOURCES += lib/xalloc.c lib/xalloc.h

lib_libha_a_SOURCES += lib/log.c lib/log.h
UNIT_TESTS += tests/unit/test-log
tests_unit_test_log_SOURCES = tests/unit/test-log.c
tests_unit_test_log_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/mono.c lib/mono.h
UNIT_TESTS += tests/unit/test-mono
tests_unit_test_mono_SOURCES = tests/unit/test-mono.c
tests_unit_test_mono_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/version.c lib/version.h
UNIT_TESTS += tests/unit/test-version
tests_unit_test_version_SOURCES = tests/unit/test-version.c
tests_unit_test_version_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/seq.c lib/seq.h
UNIT_TESTS += tests/unit/test-seq
tests_unit_test_seq_SOURCES = tests/unit/test-seq.c
tests_unit_test_seq_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/uctl.h lib/uctl-client.c lib/uctl-server.c \
	lib/uctl-stream.c lib/uctl-stream.h
UNIT_TESTS += tests/unit/test-uctl
tests_unit_test_uctl_SOURCES = tests/unit/test-uctl.c
tests_unit_test_uctl_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/child.c lib/child.h
UNIT_TESTS += tests/unit/test-child
tests_unit_test_child_SOURCES = tests/unit/test-child.c
tests_unit_test_child_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/durable.c lib/durable.h
UNIT_TESTS += tests/unit/test-durable
tests_unit_test_durable_SOURCES = tests/unit/test-durable.c
tests_unit_test_durable_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/conf.c lib/conf.h lib/conf-options.c \
	lib/conf-fence.c lib/conf-private.h
UNIT_TESTS += tests/unit/test-conf
tests_unit_test_conf_SOURCES = tests/unit/test-conf.c
tests_unit_test_conf_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/sdnotify.c lib/sdnotify.h
UNIT_TESTS += tests/unit/test-sdnotify
tests_unit_test_sdnotify_SOURCES = tests/unit/test-sdnotify.c
tests_unit_test_sdnotify_LDADD = $(TEST_LIBS)

# Writes the example configuration and a part of a manual page.
noinst_PROGRAMS += lib/conf-doc
lib_conf_doc_SOURCES = lib/conf-doc.c
lib_conf_doc_LDADD = lib/libha.a $(LIBHA_LIBS)

lib_libha_a_SOURCES += lib/hmac.c lib/hmac.h
UNIT_TESTS += tests/unit/test-hmac
tests_unit_test_hmac_SOURCES = tests/unit/test-hmac.c
tests_unit_test_hmac_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/digest.c lib/digest.h
UNIT_TESTS += tests/unit/test-digest
tests_unit_test_digest_SOURCES = tests/unit/test-digest.c
tests_unit_test_digest_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/table.c lib/table.h
UNIT_TESTS += tests/unit/test-table
tests_unit_test_table_SOURCES = tests/unit/test-table.c \
	tests/unit/quoted.h
tests_unit_test_table_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/tls.c lib/tls.h
UNIT_TESTS += tests/unit/test-tls
tests_unit_test_tls_SOURCES = tests/unit/test-tls.c
tests_unit_test_tls_LDADD = $(TEST_LIBS)
lib_libha_a_SOURCES += lib/problems.c lib/problems.h
UNIT_TESTS += tests/unit/test-problems
tests_unit_test_problems_SOURCES = tests/unit/test-problems.c \
	tests/unit/quoted.h
tests_unit_test_problems_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/httphead.c lib/httphead.h
UNIT_TESTS += tests/unit/test-httphead
tests_unit_test_httphead_SOURCES = tests/unit/test-httphead.c
tests_unit_test_httphead_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/netaddr.c lib/netaddr.h
UNIT_TESTS += tests/unit/test-netaddr
tests_unit_test_netaddr_SOURCES = tests/unit/test-netaddr.c
tests_unit_test_netaddr_LDADD = $(TEST_LIBS)

lib_libha_a_SOURCES += lib/metrics.c lib/metrics.h
UNIT_TESTS += tests/unit/test-metrics
tests_unit_test_metrics_SOURCES = tests/unit/test-metrics.c \
	tests/unit/quoted.h
tests_unit_test_metrics_LDADD = $(TEST_LIBS)
