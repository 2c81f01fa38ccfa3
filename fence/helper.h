/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_HELPER_H
#define FENCE_HELPER_H 1

/* A child of the worker that does what may wait for the kernel.
 *
 * Why: whoever changes rules, addresses or routes waits for all others that
 * do, and beats must not.  The worker sends it wishes and reads its answers;
 * a helper that dies is started again.  Used by fence/kernel and
 * fence/address.  Never waits. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/child.h"
#include "lib/mono.h"

/* The child's life: until the worker's end of 'fd' is closed. */
typedef void helper_life(int fd);

struct helper {
    const char *name; /* Subsystem, for the log. */
    helper_life *life;
    struct child child;
    int fd;            /* To the child; -1: there is none. */
    mono_t next_start; /* Of a child; or MONO_NEVER. */
};

void helper_init(struct helper *, const char *name, helper_life *);

/* Lets the child end. */
void helper_hang_up(struct helper *);
void helper_close(struct helper *);

/* Has one, from the next helper_run() on. */
void helper_want(struct helper *, mono_t now);

/* Sends a wish.  Returns true if it is under way. */
bool helper_send(struct helper *, const void *wish, size_t n);

/* Takes an answer of exactly 'n' bytes.  Returns 1 if there was one, 0 if
 * there is none, -1 if the child is gone, which is told once. */
int helper_receive(struct helper *, void *answer, size_t n, mono_t now);

/* Starts a child if one is due.  Returns true if there is a new one. */
bool helper_run(struct helper *, mono_t now);

#define HELPER_MAX_POLL 1
unsigned int helper_poll(const struct helper *, struct pollfd pfds[]);
mono_t helper_next(const struct helper *);

/* For the child: what it needs and no more.  'name' is that of the process,
 * 15 characters at most; the worker's end becomes standard input. */
void helper_begin(int fd, const char *name);

#endif /* fence/helper.h */
