/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_HELPER_H
#define FENCE_HELPER_H 1

/* A child of the worker that does what may wait for the kernel.
 *
 * Why: whoever changes rules, addresses or routes waits for all others that
 * do, and beats must not.  The worker sends it wishes and reads its answers;
 * a helper that dies is started again, and one that owes an answer for too
 * long is ended.  Used by fence/kernel, fence/address and fence/watchdog.
 * Never waits. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/child.h"
#include "lib/mono.h"

/* The child's life: until the worker's end of 'fd' is closed. */
typedef void helper_life(int fd, const void *aux);

struct helper {
    const char *name; /* Subsystem, for the log. */
    helper_life *life;
    const void *aux;
    struct child child;
    int fd;            /* To the child; -1: there is none. */
    mono_t next_start; /* Of a child; or MONO_NEVER. */
    uint32_t n_sent;   /* Wishes to this child. */
    mono_t answer_by;  /* To the last one; MONO_NEVER: it has answered. */
};

/* How long an answer may take.  Others that change the kernel's tables may
 * well take seconds. */
#define HELPER_ANSWER_MS 5000

/* 'aux' is what 'life' gets, and has to last. */
void helper_init(struct helper *, const char *name, helper_life *,
                 const void *aux);

/* Lets the child end. */
void helper_hang_up(struct helper *);
void helper_close(struct helper *);

/* Has one, from the next helper_run() on. */
void helper_want(struct helper *, mono_t now);

/* Sends a wish.  Returns true if it is under way. */
bool helper_send(struct helper *, const void *wish, size_t n, mono_t now);

/* The child has answered the first 'n' wishes that it was sent. */
void helper_answered(struct helper *, uint32_t n);

/* Takes an answer of exactly 'n' bytes.  Returns 1 if there was one, 0 if
 * there is none, -1 if the child is gone or was ended, which is told once. */
int helper_receive(struct helper *, void *answer, size_t n, mono_t now);

/* Starts a child if one is due.  Returns true if there is a new one. */
bool helper_run(struct helper *, mono_t now);

#define HELPER_MAX_POLL 1
unsigned int helper_poll(const struct helper *, struct pollfd pfds[]);
mono_t helper_next(const struct helper *);

/* For the child: what it needs and no more.  'name' is that of the process,
 * 15 characters at most; the worker's end becomes standard input. */
void helper_begin(int fd, const char *name);

/* For a child that only answers: waits for a wish of 'n' bytes.  Returns
 * false if the worker is gone. */
bool helper_take(void *wish, size_t n);

#endif /* fence/helper.h */
