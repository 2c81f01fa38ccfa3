# SPDX-License-Identifier: Apache-2.0
#
# 'make lint' proves what the compiler does not: style, layers, purity of the
# decisions, manual pages, and that what is generated is up to date.
# 'make format' puts the style right.

EXTRA_DIST += \
	build-aux/build-ovs \
	build-aux/check-failures \
	build-aux/check-layers \
	build-aux/check-symbols \
	build-aux/install-deps

FIND_C = cd $(srcdir) && find lib ha fence replica ctl tests -name '*.[ch]'

LINTS += lint-format
lint-format:
	$(FIND_C) | xargs clang-format-14 --dry-run -Werror

format:
	$(FIND_C) | xargs clang-format-14 -i

LINTS += lint-layers
lint-layers:
	$(srcdir)/build-aux/check-layers $(srcdir)

LINTS += lint-purity
lint-purity: ha/core/libcore.a fence/liblease.a
	$(srcdir)/build-aux/check-symbols pure ha/core/libcore.a \
		fence/liblease.a

LINTS += lint-symbols
lint-symbols: lib/libha.a
	$(srcdir)/build-aux/check-symbols distinct lib/libha.a \
		$(OVS)/ovsdb/.libs/libovsdb.a $(OVS)/lib/.libs/libopenvswitch.a

LINTS += lint-man
lint-man: $(man_pages)
	for page in $(man_pages); do \
	    test -e $$page || page=$(srcdir)/$$page; \
	    mandoc -T lint -W warning $$page || exit 1; \
	done
man_pages = $(dist_man8_MANS) $(nodist_man5_MANS)

LINTS += lint-failures
lint-failures:
	$(srcdir)/build-aux/check-failures $(srcdir)

# Without promtool, of Debian's package prometheus, it says so.
LINTS += lint-alerts
lint-alerts:
	if command -v promtool >/dev/null; then \
	    promtool check rules $(srcdir)/etc/ovn-ha.rules.yml && \
	    promtool test rules $(srcdir)/tests/alerts/ovn-ha.test.yml; \
	else \
	    echo "promtool is not installed: etc/ovn-ha.rules.yml is not tested"; \
	fi

LINTS += lint-shell
lint-shell:
	for script in build-aux/build-ovs build-aux/install-deps \
	    build-aux/check-symbols etc/compute-probe tests/fuzz/run tests/vm/run \
	    autogen.sh; do \
	    bash -n $(srcdir)/$$script || exit 1; \
	done

.PHONY: lint $(LINTS) format
lint: $(LINTS)
