/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_INTERRUPT_H
#define CTL_INTERRUPT_H 1

/* Interruptions of what has to restore the cluster before it ends: they are
 * counted, and lead through the restoring.  A terminal that is gone must not
 * end it either.  Used by the drill and by a sequence of drills. */

/* From here on SIGINT, SIGTERM and SIGHUP only count, and SIGPIPE is
 * ignored. */
void interrupt_catch(void);

/* Signals so far. */
int interrupt_count(void);

#endif /* ctl/interrupt.h */
