# SPDX-License-Identifier: Apache-2.0
#
# Journals of two nodes of a real cluster (tests/replay/record makes them):
# the core must decide as it did there, to the letter.

JOURNALS = tests/replay/first.journal tests/replay/second.journal
EXTRA_DIST += $(JOURNALS) tests/replay/record
check-local: check-replay
check-replay: ovn-hactl
	for journal in $(JOURNALS); do \
	    ./ovn-hactl replay $(srcdir)/$$journal > replay.log \
	    || { cat replay.log; exit 1; }; \
	    tail -n 1 replay.log; \
	done
CLEANFILES += replay.log
.PHONY: check-replay
