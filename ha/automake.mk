# SPDX-License-Identifier: Apache-2.0
#
# The supervisor around the core.  Everything but main.c is in libsupervisor.a,
# so that tests can link it.

noinst_LIBRARIES += ha/libsupervisor.a
ha_libsupervisor_a_SOURCES =

# The program, once ha/main.c exists:
#   sbin_PROGRAMS += ovn-had
#   ovn_had_SOURCES = ha/main.c
#   ovn_had_LDADD = ha/libsupervisor.a ha/core/libcore.a lib/libha.a \
#   	$(COROSYNC_LIBS) $(EVENT_LIBS) $(LIBHA_LIBS)
