# SPDX-License-Identifier: Apache-2.0
#
# Whatever comes from outside is parsed by a fuzz target here, a file each.
# 'make check' replays the inputs in tests/fuzz/corpus; 'make fuzz' builds all
# of it apart with clang, libFuzzer and the sanitizers, and looks for new ones
# for FUZZ_SECONDS a target.

FUZZ_TARGETS = \
	tests/fuzz/fuzz-beat \
	tests/fuzz/fuzz-content \
	tests/fuzz/fuzz-frame \
	tests/fuzz/fuzz-neighbor \
	tests/fuzz/fuzz-oplog \
	tests/fuzz/fuzz-points \
	tests/fuzz/fuzz-receiver \
	tests/fuzz/fuzz-record \
	tests/fuzz/fuzz-recordfile \
	tests/fuzz/fuzz-sender \
	tests/fuzz/fuzz-trace \
	tests/fuzz/fuzz-uctl
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/run tests/fuzz/replay.c tests/fuzz/corpus

# The main program: libFuzzer's, or the one that replays.
if FUZZING
FUZZ_MAIN =
FUZZ_FLAGS = -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay.c
FUZZ_FLAGS =
endif
FUZZ_SRC = $(FUZZ_MAIN) tests/fuzz/fuzz.h
FUZZ_LINK = $(AM_LDFLAGS) $(FUZZ_FLAGS)
FUZZ_OVS_LINK = $(FUZZ_LINK) -Wl,--wrap=inotify_init1
FUZZ_LIBS = replica/libplain.a lib/libha.a $(LIBHA_LIBS)

# With Open vSwitch's libraries beneath.
FUZZ_FILE_SRC = $(FUZZ_SRC) tests/fuzz/logfile.c tests/fuzz/logfile.h
FUZZ_OVS_FLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
FUZZ_OVS_LIBS = replica/libreplica.a $(FUZZ_LIBS) $(OVS_LIBS)
FUZZ_WIRE_SRC = $(FUZZ_FILE_SRC) tests/fuzz/wire.c tests/fuzz/wire.h
FUZZ_WIRE_LINK = $(FUZZ_OVS_LINK) \
	-Wl,--wrap=stream_open -Wl,--wrap=pstream_open

tests_fuzz_fuzz_content_SOURCES = tests/fuzz/fuzz-content.c $(FUZZ_FILE_SRC)
tests_fuzz_fuzz_content_CPPFLAGS = $(FUZZ_OVS_FLAGS)
tests_fuzz_fuzz_content_LDFLAGS = $(FUZZ_OVS_LINK)
tests_fuzz_fuzz_content_LDADD = $(FUZZ_OVS_LIBS)

tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz-frame.c $(FUZZ_SRC)
tests_fuzz_fuzz_frame_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_frame_LDADD = $(FUZZ_LIBS)

tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz-record.c $(FUZZ_SRC)
tests_fuzz_fuzz_record_CPPFLAGS = $(FUZZ_OVS_FLAGS)
tests_fuzz_fuzz_record_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_record_LDADD = $(FUZZ_OVS_LIBS)

tests_fuzz_fuzz_oplog_SOURCES = tests/fuzz/fuzz-oplog.c $(FUZZ_FILE_SRC)
tests_fuzz_fuzz_oplog_CPPFLAGS = $(FUZZ_OVS_FLAGS)
tests_fuzz_fuzz_oplog_LDFLAGS = $(FUZZ_OVS_LINK)
tests_fuzz_fuzz_oplog_LDADD = $(FUZZ_OVS_LIBS)

tests_fuzz_fuzz_sender_SOURCES = tests/fuzz/fuzz-sender.c $(FUZZ_WIRE_SRC)
tests_fuzz_fuzz_sender_CPPFLAGS = $(FUZZ_OVS_FLAGS)
tests_fuzz_fuzz_sender_LDFLAGS = $(FUZZ_WIRE_LINK)
tests_fuzz_fuzz_sender_LDADD = $(FUZZ_OVS_LIBS)

tests_fuzz_fuzz_receiver_SOURCES = tests/fuzz/fuzz-receiver.c \
	$(FUZZ_WIRE_SRC)
tests_fuzz_fuzz_receiver_CPPFLAGS = $(FUZZ_OVS_FLAGS)
tests_fuzz_fuzz_receiver_LDFLAGS = $(FUZZ_WIRE_LINK)
tests_fuzz_fuzz_receiver_LDADD = $(FUZZ_OVS_LIBS)

tests_fuzz_fuzz_points_SOURCES = tests/fuzz/fuzz-points.c $(FUZZ_FILE_SRC)
tests_fuzz_fuzz_points_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_points_LDADD = $(FUZZ_LIBS)

tests_fuzz_fuzz_uctl_SOURCES = tests/fuzz/fuzz-uctl.c $(FUZZ_FILE_SRC)
tests_fuzz_fuzz_uctl_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_uctl_LDADD = $(FUZZ_LIBS)

tests_fuzz_fuzz_beat_SOURCES = tests/fuzz/fuzz-beat.c $(FUZZ_SRC)
tests_fuzz_fuzz_beat_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_beat_LDADD = fence/libfence.a $(FUZZ_LIBS)

tests_fuzz_fuzz_neighbor_SOURCES = tests/fuzz/fuzz-neighbor.c $(FUZZ_SRC)
tests_fuzz_fuzz_neighbor_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_neighbor_LDADD = fence/libfence.a $(FUZZ_LIBS)

tests_fuzz_fuzz_trace_SOURCES = tests/fuzz/fuzz-trace.c $(FUZZ_SRC)
tests_fuzz_fuzz_trace_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_trace_LDADD = ha/core/libcore.a $(FUZZ_LIBS)

tests_fuzz_fuzz_recordfile_SOURCES = tests/fuzz/fuzz-recordfile.c $(FUZZ_SRC)
tests_fuzz_fuzz_recordfile_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_fuzz_recordfile_LDADD = ha/libsupervisor.a ha/core/libcore.a \
	$(FUZZ_LIBS)

FUZZ_SECONDS = 60
fuzz:
	$(srcdir)/tests/fuzz/run --with-ovs-source=$(OVS) $(FUZZ_SECONDS)
.PHONY: fuzz
