# SPDX-License-Identifier: Apache-2.0
#
# The operator's command.

bin_PROGRAMS += ovn-hactl
ovn_hactl_SOURCES = \
	ctl/consent.c \
	ctl/confirm.c \
	ctl/confirm.h \
	ctl/daemon.c \
	ctl/daemon.h \
	ctl/failover.c \
	ctl/fence.c \
	ctl/main.c \
	ctl/replay.c \
	ctl/switchover.c \
	ctl/verbs.c \
	ctl/verbs.h \
	ctl/verify.c \
	ctl/verify.h
ovn_hactl_LDADD = ha/core/libcore.a lib/libha.a $(LIBHA_LIBS)
