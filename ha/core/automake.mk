# SPDX-License-Identifier: Apache-2.0
#
# The pure core: decides, and neither blocks, allocates, logs nor reads a
# clock.  'make lint' proves it.

noinst_LIBRARIES += ha/core/libcore.a
ha_core_libcore_a_SOURCES =
