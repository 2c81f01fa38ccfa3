/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_AGENT_H
#define FENCE_AGENT_H 1

/* One run of one fence agent, by the ClusterLabs interface.
 *
 * Options go to its standard input, so that no secret shows on a command
 * line.  It runs in a session of its own; what it prints is kept up to a
 * bound and the rest thrown away.  When it takes too long, or is in the way,
 * it is killed with its children; those that left its session are found once
 * they are orphans.  Used by fence/agents, which polls; nothing here waits. */

#include <poll.h>
#include <stdbool.h>

#include "fence/fencing.h"
#include "lib/child.h"
#include "lib/mono.h"

#define AGENT_OUTPUT_MAX 131072

struct agent {
    struct child child; /* CHILD_NONE: none runs. */
    int out;            /* Its output; -1. */
    char *text;         /* What it printed, AGENT_OUTPUT_MAX at most; NULL
                         * before the first run. */
    size_t n;
    mono_t end;     /* When it is killed; MONO_NEVER once it was, */
    mono_t give_up; /* and when its death is waited for no more. */
    bool killed;
};

void agent_init(struct agent *);

/* Kills what runs. */
void agent_close(struct agent *);

/* Runs 'path' with 'action' and 'params' (as in struct wire_a_device).
 * Returns 0, or a negative errno and a sentence in 'why': a secret that cannot
 * be read, or that others can. */
int agent_start(struct agent *, const char *path, enum fencing_action action,
                const char *params, int64_t timeout_us, mono_t now, char *why,
                size_t size);

bool agent_runs(const struct agent *);

/* Kills it and its children before its time. */
void agent_kill(struct agent *, mono_t now);

/* Appends what is to be polled: two entries at most. */
unsigned int agent_poll(const struct agent *, struct pollfd pfds[]);
mono_t agent_due(const struct agent *);

/* Reads, kills at the end of its time.  Returns -EAGAIN while it runs; its
 * exit status once it ended; -ETIMEDOUT if it was killed; -ECHILD if it ended
 * by a signal of somebody else.  Its output is in 'text' until the next run. */
int agent_run(struct agent *, mono_t now);

/* Where this process adopts orphans (PR_SET_CHILD_SUBREAPER), and while no agent
 * runs: kills what agents left behind in sessions of their own.  Returns true
 * while some of that is still there. */
bool agent_end_orphans(void);

/* The last line that it printed, without control characters, or "". */
void agent_last_line(const struct agent *, char *line, size_t size);

#endif /* fence/agent.h */
