/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_PHASES_H
#define CTL_DRILL_PHASES_H 1

/* The phases of a failover, found in what ovn-had has told and decided: when
 * the group noticed, when the old active was proven to serve no more, who was
 * elected, when its listeners and ovn-northd worked.  Pure.  Used by
 * ctl/drill. */

#include <jansson.h>
#include <stdint.h>

/* Adds a phase, an object of "name" and "ms". */
void phases_add(json_t *phases, const char *name, int64_t ms);

/* Adds those that 'timeline' tells of, a list of objects of "ms" and "text",
 * oldest first.  'from' was active before, in the epoch 'before', which is
 * text such as "7.2". */
void phases_add_told(json_t *phases, const json_t *timeline, const char *from,
                     const char *before);

#endif /* ctl/drill-phases.h */
