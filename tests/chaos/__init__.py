# SPDX-License-Identifier: Apache-2.0
"""Rounds of random faults on real clusters, judged from outside.  `run` is the
command line; the tests of the topologies in tests/cluster play a few rounds of
it on the clusters that they have."""
