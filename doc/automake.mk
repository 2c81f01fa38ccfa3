# SPDX-License-Identifier: Apache-2.0
#
# Manual pages: add each to dist_man8_MANS.

# The list of options is written from the option table.
nodist_man5_MANS += doc/ovn-ha.conf.5
EXTRA_DIST += doc/ovn-ha.conf.5.in
CLEANFILES += doc/ovn-ha.conf.5 doc/options.mdoc
doc/ovn-ha.conf.5: doc/ovn-ha.conf.5.in lib/conf-doc$(EXEEXT)
	$(AM_V_GEN)mkdir -p doc && lib/conf-doc man > doc/options.mdoc && \
	sed -e '/^@OPTIONS@/{r doc/options.mdoc' -e 'd}' \
	    $(srcdir)/doc/ovn-ha.conf.5.in > $@.tmp && mv $@.tmp $@

dist_man8_MANS += doc/ovn-had.8 doc/ovn-hactl.8

dist_doc_DATA += \
	doc/BACKUP.md \
	doc/CERTIFICATES.md \
	doc/FAILURES.md \
	doc/MIGRATION.md \
	doc/REPLACE.md \
	doc/STATUS.md
