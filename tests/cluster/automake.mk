# SPDX-License-Identifier: Apache-2.0
#
# Tests on real clusters in a lab, run by pytest.

EXTRA_DIST += \
	tests/cluster/certs.py \
	tests/cluster/big_sb.py \
	tests/cluster/conftest.py \
	tests/cluster/fence_parts.py \
	tests/cluster/guard.py \
	tests/cluster/killat.c \
	tests/cluster/nofallocate.c \
	tests/cluster/page.py \
	tests/cluster/pairs.py \
	tests/cluster/replica_parts.py \
	tests/cluster/test_alternatives.py \
	tests/cluster/test_bench.py \
	tests/cluster/test_check.py \
	tests/cluster/test_cold_start.py \
	tests/cluster/test_completion.py \
	tests/cluster/test_disk.py \
	tests/cluster/test_consent.py \
	tests/cluster/test_diverged.py \
	tests/cluster/test_drill.py \
	tests/cluster/test_drill_hard.py \
	tests/cluster/test_events.py \
	tests/cluster/test_failover.py \
	tests/cluster/test_faults.py \
	tests/cluster/test_fence.py \
	tests/cluster/test_five.py \
	tests/cluster/test_frozen.py \
	tests/cluster/test_kernel_lease.py \
	tests/cluster/test_fencing.py \
	tests/cluster/test_kills.py \
	tests/cluster/test_lab.py \
	tests/cluster/test_last_resort.py \
	tests/cluster/test_large.py \
	tests/cluster/test_lost_file.py \
	tests/cluster/test_migration.py \
	tests/cluster/test_owner.py \
	tests/cluster/test_pair.py \
	tests/cluster/test_partition.py \
	tests/cluster/test_pause.py \
	tests/cluster/test_qdevice.py \
	tests/cluster/test_replica.py \
	tests/cluster/schemas/README.md \
	tests/cluster/schemas/ovn-nb-7.11.0.ovsschema \
	tests/cluster/schemas/ovn-sb-20.41.0.ovsschema \
	tests/cluster/test_schema.py \
	tests/cluster/test_security.py \
	tests/cluster/test_shrink.py \
	tests/cluster/test_resync.py \
	tests/cluster/test_snapshot_faults.py \
	tests/cluster/test_start.py \
	tests/cluster/test_status_socket.py \
	tests/cluster/test_supervisor.py \
	tests/cluster/test_switchover.py \
	tests/cluster/test_two_node.py \
	tests/cluster/test_verify.py \
	tests/cluster/test_witness.py \
	tests/cluster/test_virtual_ip.py \
	tests/cluster/watch.py
