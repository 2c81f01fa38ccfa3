# SPDX-License-Identifier: Apache-2.0
#
# The lab: three small programs, the rest is Python that runs from the tree.

noinst_PROGRAMS += tests/lab/lab-host tests/lab/lab-keeper \
	tests/lab/lab-traffic
tests_lab_lab_host_SOURCES = tests/lab/host.c
tests_lab_lab_keeper_SOURCES = tests/lab/keeper.c
tests_lab_lab_traffic_SOURCES = tests/lab/traffic.c

EXTRA_DIST += quickstart $(LAB_FILES)
LAB_FILES = \
	tests/lab/__init__.py \
	tests/lab/backup.py \
	tests/lab/bmc.py \
	tests/lab/cli.py \
	tests/lab/compute.py \
	tests/lab/control.py \
	tests/lab/door.py \
	tests/lab/drill.py \
	tests/lab/flows.py \
	tests/lab/lab.py \
	tests/lab/labctl \
	tests/lab/ledger.py \
	tests/lab/mirror.py \
	tests/lab/netns.py \
	tests/lab/node.py \
	tests/lab/ovsdb.py \
	tests/lab/pacemaker.py \
	tests/lab/prober.py \
	tests/lab/qdevice.py \
	tests/lab/raft.py \
	tests/lab/shell.py \
	tests/lab/switch.py \
	tests/lab/systemctl \
	tests/lab/timeline.py \
	tests/lab/traffic.py \
	tests/lab/wait.py \
	tests/lab/writer.py
