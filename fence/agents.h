/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_AGENTS_H
#define FENCE_AGENTS_H 1

/* The process that runs fence agents: a child of ovn-ha-fence.
 *
 * Agents are other people's programs, which hang, talk without end and leave
 * children behind; the worker with its hand on the door must know nothing of
 * that.  So this process has neither its priority nor its locked memory, and
 * a socket of its own, by which the supervisor says what is configured and
 * whom to fence.  It decides nothing: fence/fencing does.
 *
 * The worker keeps it running by the functions below, and it ends with the
 * worker. */

#include <poll.h>
#include <stdbool.h>

#include "lib/child.h"
#include "lib/mono.h"

struct agents {
    const char *path; /* Of its socket. */
    struct child child;
    mono_t next; /* When to start it (again). */
};

/* 'path' must stay valid.  Starts nothing yet. */
void agents_init(struct agents *, const char *path, mono_t now);
void agents_close(struct agents *);

/* Starts it, and again when it has died. */
void agents_run(struct agents *, mono_t now);
unsigned int agents_poll(const struct agents *, struct pollfd pfds[]);
mono_t agents_due(const struct agents *);

#endif /* fence/agents.h */
