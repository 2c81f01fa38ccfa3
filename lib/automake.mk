# SPDX-License-Identifier: Apache-2.0
#
# What all programs share.  Includes nothing from the other folders.

noinst_LIBRARIES += lib/libha.a
lib_libha_a_SOURCES = \
	lib/log.c \
	lib/log.h \
	lib/mono.c \
	lib/mono.h \
	lib/seq.c \
	lib/seq.h \
	lib/types.h \
	lib/unixpath.c \
	lib/unixpath.h \
	lib/wire.h

UNIT_TESTS += tests/unit/test-log
tests_unit_test_log_SOURCES = tests/unit/test-log.c
tests_unit_test_log_LDADD = $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-mono
tests_unit_test_mono_SOURCES = tests/unit/test-mono.c
tests_unit_test_mono_LDADD = $(TEST_LIBS)

UNIT_TESTS += tests/unit/test-seq
tests_unit_test_seq_SOURCES = tests/unit/test-seq.c
tests_unit_test_seq_LDADD = $(TEST_LIBS)
