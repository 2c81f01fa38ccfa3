/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_RESET_H
#define FENCE_RESET_H 1

/* The program that resets this node at once.
 *
 * Why: a process that was killed and does not end, because its disk does not
 * answer, keeps the door from being proven shut.  A watchdog bites then; where
 * there is none, or it takes too long, this program does.  What it is stands
 * in the configuration, so nothing here can reset a machine by itself.  Used
 * by fence/worker.  Never waits. */

#include "lib/child.h"
#include "lib/mono.h"
#include "lib/wire.h"

struct reset {
    char program[WIRE_PATH_LEN]; /* "": none. */
    uint32_t after_ms;
    struct child child;
    bool run; /* For what is stuck now. */
};

void reset_init(struct reset *);
void reset_close(struct reset *);
void reset_set(struct reset *, const struct wire_watchdog *);

/* When it is to be run; 'since' is when what does not end was killed, or
 * MONO_NEVER. */
mono_t reset_next(const struct reset *, mono_t since);

/* Runs it if that has come, once; 'what' does not end. */
void reset_run(struct reset *, mono_t since, const char *what, mono_t now);

#endif /* fence/reset.h */
