/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_VERIFIER_H
#define HA_REPLICA_VERIFIER_H 1

/* A process that reads a database's file up to a position and then asks, or
 * answers, about its content (replica/content.h).
 *
 * To load a large file takes many seconds and as much memory as its server
 * has, and a worker must not be held up by that.  So it is done by another
 * process, of the same program, at the lowest priority for processor and disk,
 * and the first to go when memory is short.  Neither it nor the worker ever
 * talks to an ovsdb-server about it.
 *
 * The worker (replica/verify.c, replica/answer.c) starts and ends it and passes
 * on what it says; verifier_main() is what runs in it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/seq.h"
#include "lib/wire.h"

#define VERIFIER_TEXT_MAX (SEQ_MSG_MAX - 4096)

enum verifier_said {
    VERIFIER_TEXT,       /* 'text', for the one at the other end. */
    VERIFIER_PROGRESS,   /* 'verification', RUNNING. */
    VERIFIER_DIFFERENCE, /* 'difference'. */
    VERIFIER_RESULT,     /* 'verification': the last that it says. */
};

struct verifier_msg {
    uint32_t said;
    uint32_t len; /* Of 'text', without a NUL. */
    union {
        struct wire_r_verification verification;
        struct wire_r_difference difference;
        char text[VERIFIER_TEXT_MAX];
    };
};

/* ---- In the worker ------------------------------------------------------- */

struct verifier;

/* Starts one for the first 'upto' bytes of 'fd'.  Returns 0 or a negative
 * errno. */
int verifier_start(bool asks, int fd, uint64_t upto, struct verifier **ret);

/* Ends it, at once. */
void verifier_stop(struct verifier *);

/* Takes what it says next.  Returns 0; -EAGAIN if that is nothing, or a
 * negative errno if it is dead. */
int verifier_recv(struct verifier *, struct verifier_msg *);

/* Passes on what the other one says.  Returns 0 or a negative errno. */
int verifier_send(struct verifier *, const void *text, size_t n);
void verifier_wait(struct verifier *);

/* ---- In the process ------------------------------------------------------ */

/* Runs to the end with the socket and the file that verifier_start() left
 * behind.  Returns an exit status. */
int verifier_main(bool asks, uint64_t upto);

#endif /* replica/verifier.h */
