/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_SEQUENCE_H
#define CTL_DRILL_SEQUENCE_H 1

/* 'ovn-hactl drill sequence FILE': drills one after another, each with its own
 * limits, with one verdict and one report.
 *
 * Each line of the file is a drill as on the command line, with words as a
 * shell makes them; it is run as a process of its own, so that one
 * drill cannot spoil the next.  Between two of them the cluster has to be well.
 * Called by ctl/drill. */

#include "ctl/verbs.h"

/* Returns an exit status. */
int sequence_run(const struct verb_args *);

#endif /* ctl/drill-sequence.h */
