# SPDX-License-Identifier: Apache-2.0
#
# Manual pages: add each to dist_man8_MANS.
