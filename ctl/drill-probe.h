/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_PROBE_H
#define CTL_DRILL_PROBE_H 1

/* The data plane during a drill: commands that are run over and over and have
 * to succeed, such as a ping of a workload.  Whatever happens to the databases,
 * compute nodes go on forwarding, and this is where an operator sees it.  Used
 * by ctl/drill. */

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/drill-args.h"
#include "lib/mono.h"

struct probe;

/* A probe that runs 'command' in a shell, 10 times a second if it is quick
 * enough; or, if 'ping', one that pings this address. */
struct probe *probe_create(const char *command, bool ping);
void probe_destroy(struct probe *);

/* What to wait for, 1 at most; and to do then. */
size_t probe_poll(const struct probe *, struct pollfd *);
void probe_step(struct probe *, mono_t now);

struct probe_sums {
    const char *name;
    size_t n, n_failed; /* Runs that ended. */
    /* From the begin of a run that failed to the end of the next that did
     * not; the longest.  0: none failed. */
    int64_t outage_us;
};
void probe_sum(const struct probe *, mono_t now, struct probe_sums *);

#endif /* ctl/drill-probe.h */
