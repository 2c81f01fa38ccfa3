# SPDX-License-Identifier: Apache-2.0
#
# The only folder that includes headers of Open vSwitch, whose <config.h>
# comes first in each file.  Everything but main.c is in libreplica.a.

noinst_LIBRARIES += replica/libreplica.a
replica_libreplica_a_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
replica_libreplica_a_SOURCES =

# The worker, once replica/main.c exists:
#   pkglibexec_PROGRAMS += ovn-ha-replica
#   ovn_ha_replica_CPPFLAGS = $(AM_CPPFLAGS) $(OVS_CPPFLAGS)
#   ovn_ha_replica_SOURCES = replica/main.c
#   ovn_ha_replica_LDADD = replica/libreplica.a lib/libha.a \
#   	$(LIBHA_LIBS) $(OVS_LIBS)
