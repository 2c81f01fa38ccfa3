/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_PROGRESS_H
#define HA_PROGRESS_H 1

/* Is a silent process hung, or only busy?
 *
 * ovsdb-server and ovn-northd may be deaf for many seconds over a large
 * transaction; to kill them then would make it worse.  So they are judged by
 * progress: what the kernel says of the process, processor time consumed,
 * files growing, answers on the control socket.  Pure: the caller observes
 * and brings the time. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/child.h"
#include "lib/mono.h"

struct progress {
    mono_t since;       /* Watched since then. */
    mono_t moved_at;    /* Last sign of progress. */
    mono_t answered_at; /* Last answer. */
    mono_t seen_at;     /* Last observation. */
    mono_t stopped_at;  /* Observed as stopped since; MONO_NEVER. */
    uint64_t cpu_ticks;
    int64_t file_bytes;
};

struct progress_limits {
    int64_t stopped_us; /* Patience with a stopped process, */
    int64_t idle_us;    /* with one that neither answers nor works, */
    int64_t busy_us;    /* and with one that works but is deaf. */
};

enum progress_verdict {
    PROGRESS_FINE, /* Answers. */
    PROGRESS_BUSY, /* Does not answer, but does something. */
    PROGRESS_HUNG,
};

void progress_start(struct progress *, mono_t now);

/* It answered. */
void progress_answer(struct progress *, mono_t now);

/* Takes an observation: the kernel's, and the summed sizes of the files that
 * it writes. */
enum progress_verdict progress_observe(struct progress *,
                                       const struct progress_limits *,
                                       const struct child_stat *,
                                       int64_t file_bytes, mono_t now);

#endif /* ha/progress.h */
