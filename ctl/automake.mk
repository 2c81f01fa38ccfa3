# SPDX-License-Identifier: Apache-2.0
#
# The operator's command, once ctl/main.c exists:
#   bin_PROGRAMS += ovn-hactl
#   ovn_hactl_SOURCES = ctl/main.c ...
#   ovn_hactl_LDADD = lib/libha.a $(LIBHA_LIBS)
