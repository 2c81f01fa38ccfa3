/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_JOURNAL_H
#define HA_JOURNAL_H 1

/* Every event that the core was fed, and what it decided, on disk.
 *
 * 'ovn-hactl replay' runs such a file through the core once more, so that a
 * decision that surprised somebody can be looked at for as long as it takes.
 * Bounded: journal becomes journal.1 when it is full.  Written by the loop
 * after a step's actions were carried out, never waiting for the disk by
 * fsync, and left alone for a while when the disk is slow or full: then a new
 * segment begins with the core as it is. */

#include "ha/core/core.h"

struct journal;

/* Opens the file in 'folder', and begins a life with 'config'.  Never fails:
 * a supervisor that cannot write its journal supervises all the same. */
struct journal *journal_open(const char *folder,
                             const struct ha_config *config);
void journal_close(struct journal *);

/* 'core' has just taken 'ev' and decided on 'actions'. */
void journal_step(struct journal *, const struct ha_core *core,
                  const struct ha_event *ev, const struct ha_actions *actions);

#endif /* ha/journal.h */
