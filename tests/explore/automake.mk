# SPDX-License-Identifier: Apache-2.0
#
# The exhaustive search: a small model around the objects that the daemon and
# the fence worker link.  Part of 'make check-sim'; 'make explore-long' goes one
# event further.

check_PROGRAMS += tests/explore/explore
tests_explore_explore_SOURCES = \
	tests/explore/events.c \
	tests/explore/explore.c \
	tests/explore/fence.c \
	tests/explore/intern.c \
	tests/explore/intern.h \
	tests/explore/judge.c \
	tests/explore/logs.c \
	tests/explore/model.c \
	tests/explore/model.h \
	tests/explore/search.c \
	tests/explore/search.h \
	tests/explore/times.c
tests_explore_explore_LDADD = ha/core/libcore.a fence/liblease.a
tests_explore_explore_CFLAGS = $(HA_CFLAGS) -O2
EXTRA_DIST += tests/explore/README.md

EXPLORE = tests/explore/explore

check-explore: $(EXPLORE)
	$(EXPLORE) --tap

explore-long: $(EXPLORE)
	$(EXPLORE) --long -v
.PHONY: check-explore explore-long
