# SPDX-License-Identifier: Apache-2.0
#
# What is installed as it is: units, example configuration, alerts,
# dashboard, completion.

systemdsystemunit_DATA = etc/ovn-had.service
EXTRA_DIST += etc/ovn-had.service.in
CLEANFILES += etc/ovn-had.service
etc/ovn-had.service: etc/ovn-had.service.in Makefile
	$(AM_V_GEN)mkdir -p etc && \
	sed -e 's,[@]sbindir[@],$(sbindir),g' -e 's,[@]bindir[@],$(bindir),g' \
	    $(srcdir)/etc/ovn-had.service.in > $@

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = etc/completion/bash/ovn-hactl
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = etc/completion/zsh/_ovn-hactl

# For compute nodes, which need nothing else of ovn-ha.
dist_pkgdata_SCRIPTS = etc/compute-probe

examplesdir = $(docdir)/examples
dist_examples_DATA = \
	etc/corosync.conf.example \
	etc/ovn-ha.conf.example \
	etc/ovn-ha.dashboard.json \
	etc/ovn-ha.rules.yml \
	etc/uidgid.example

# The example is kept in the tree for those who read it there; after a change
# of the option table, 'make update-example' writes it anew.
LINTS += lint-example
lint-example: lib/conf-doc$(EXEEXT)
	lib/conf-doc example | diff -u $(srcdir)/etc/ovn-ha.conf.example -

update-example: lib/conf-doc$(EXEEXT)
	lib/conf-doc example > $(srcdir)/etc/ovn-ha.conf.example
.PHONY: update-example
