/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_ADDRESS_H
#define FENCE_ADDRESS_H 1

/* The virtual IP: addresses that this node has while it serves.
 *
 * Taken before the door opens, after nobody else was heard to have them, so
 * that listeners can be bound to them and clients that come early get a reset
 * instead of silence; told to all neighbors once the door is open.  Left when
 * the sessions have been closed, so that they can be ended first, or soon
 * after that was begun.
 *
 * A child does it (fence/address-child.h), because the kernel makes whoever
 * changes addresses wait for others; it leaves them by itself at the end of
 * what it was promised, or when this process dies.  Used by fence/worker
 * only.  Without addresses there is no child, and nothing is done.  Never
 * waits. */

#include <poll.h>
#include <stdbool.h>

#include "fence/address-child.h"
#include "fence/helper.h"
#include "lib/mono.h"

struct address {
    struct helper helper;
    char lock_file[WIRE_PATH_LEN + 16];
    struct address_wish wish;
    bool due;     /* 'wish' is to be sent. */
    bool leaving; /* Not to be taken again before it was left. */
    mono_t leave_at;
    mono_t renewed;             /* 'until' of the last wish. */
    struct address_answer said; /* To the present wish, or to none. */
};

/* The lock of 'lock_file' is held by the one child that may act. */
void address_init(struct address *, const char *lock_file);
void address_close(struct address *);

/* What the configuration says.  Those that were found are left first. */
void address_set(struct address *, const struct wire_addresses *, mono_t now);

/* Has them until 'until'.  Nothing while it is leaving them. */
void address_hold(struct address *, mono_t until);

/* Tells all neighbors, once until it is left. */
void address_announce(struct address *);

/* Leaves them: at 'at', or when address_run() is told that the door is shut,
 * if that is sooner. */
void address_leave(struct address *, mono_t at);

/* True if there are none, or all are on this node's interface. */
bool address_is_held(const struct address *);

/* True if there are none, or it is known that none is on this node. */
bool address_is_left(const struct address *);

/* What is so, and what is wrong with it; "". */
enum wire_address_state address_state(const struct address *);
const char *address_why(const struct address *);

/* True if this node could not take them. */
bool address_is_unfit(const struct address *);

#define ADDRESS_MAX_POLL HELPER_MAX_POLL
unsigned int address_poll(const struct address *, struct pollfd pfds[]);
mono_t address_next(const struct address *);
void address_run(struct address *, bool shut, mono_t now);

#endif /* fence/address.h */
