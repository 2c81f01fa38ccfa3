# SPDX-License-Identifier: Apache-2.0
#
# The simulator links the very objects that the daemon and the fence worker
# link.  'make check' runs the stories, the seeds that once failed, and fresh
# random ones; 'make sim-long' runs until somebody stops it.

check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = \
	tests/sim/bmc.c \
	tests/sim/clients.c \
	tests/sim/door.c \
	tests/sim/faults.c \
	tests/sim/group.c \
	tests/sim/main.c \
	tests/sim/net.c \
	tests/sim/node.c \
	tests/sim/oracle.c \
	tests/sim/replica.c \
	tests/sim/script.c \
	tests/sim/sim.h \
	tests/sim/watchdog.c \
	tests/sim/world.c
tests_sim_sim_LDADD = ha/core/libcore.a fence/liblease.a
tests_sim_sim_CFLAGS = $(HA_CFLAGS) -O2

SIM = tests/sim/sim
SIM_SEEDS = $(srcdir)/tests/sim/seeds
SIM_STORIES = \
	tests/sim/address-lost.sim \
	tests/sim/bootstrap-cut.sim \
	tests/sim/cold-start.sim \
	tests/sim/disk-full.sim \
	tests/sim/disk-low.sim \
	tests/sim/double-failure.sim \
	tests/sim/empty-disk.sim \
	tests/sim/empty-disk-all.sim \
	tests/sim/fence-crash.sim \
	tests/sim/five.sim \
	tests/sim/flapping.sim \
	tests/sim/freshest-late.sim \
	tests/sim/frozen-corosync.sim \
	tests/sim/frozen-node.sim \
	tests/sim/had-crash.sim \
	tests/sim/had-gone.sim \
	tests/sim/last-resort.sim \
	tests/sim/last-resort-gone-on.sim \
	tests/sim/last-resort-pair.sim \
	tests/sim/last-resort-twice.sim \
	tests/sim/move-called-off.sim \
	tests/sim/move-record-full.sim \
	tests/sim/move-slow-door.sim \
	tests/sim/other-life.sim \
	tests/sim/pair.sim \
	tests/sim/pair-fence.sim \
	tests/sim/pair-left.sim \
	tests/sim/pair-left-off.sim \
	tests/sim/pair-no-device.sim \
	tests/sim/pair-stale.sim \
	tests/sim/partition-active.sim \
	tests/sim/partition-standby.sim \
	tests/sim/pause.sim \
	tests/sim/pause-absent.sim \
	tests/sim/pause-lost-disk.sim \
	tests/sim/pause-pair.sim \
	tests/sim/pause-partition.sim \
	tests/sim/pause-power-cut.sim \
	tests/sim/power-cut.sim \
	tests/sim/qdevice-stale.sim \
	tests/sim/qdevice.sim \
	tests/sim/record-full-five.sim \
	tests/sim/server-crash.sim \
	tests/sim/shutdown.sim \
	tests/sim/shutdown-record-full.sim \
	tests/sim/switchover.sim \
	tests/sim/two-wait.sim \
	tests/sim/upgrade.sim \
	tests/sim/watchdog.sim \
	tests/sim/witness.sim
EXTRA_DIST += tests/sim/README.md tests/sim/long tests/sim/seeds $(SIM_STORIES) $(SIM_STORIES:.sim=.golden)

# The stories; a second's work.
check-local: $(SIM)
	cd $(srcdir) && $(abs_builddir)/$(SIM) $(SIM_STORIES)

# All that ./check asks for.
check-sim: $(SIM) $(EXPLORE)
	cd $(srcdir) && $(abs_builddir)/$(SIM) --tap $(SIM_STORIES)
	$(SIM) --tap --file $(SIM_SEEDS)
	$(SIM) --tap --seeds 1 2000
	$(SIM) --tap --nodes 5 --seeds 1 300
	$(SIM) --tap --witness --seeds 1 300
	$(SIM) --tap --nodes 2 --seeds 1 200
	$(SIM) --tap --qdevice --seeds 1 200
	$(SIM) --tap --two-node --seeds 1 200
	$(SIM) --tap --watchdog --seeds 1 200
	$(SIM) --tap --compact --seeds 1 200
	$(SIM) --tap --nodes 1 --seeds 1 100
	$(EXPLORE) --tap

# Every kind of cluster, until somebody stops it.
SIM_FROM = 1000000
sim-long: $(SIM)
	$(srcdir)/tests/sim/long --sim $(SIM) --from $(SIM_FROM)
.PHONY: check-sim sim-long
