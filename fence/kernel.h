/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_KERNEL_H
#define FENCE_KERNEL_H 1

/* The kernel-held lease: what the databases say leaves this node only while
 * the kernel, too, holds the lease.
 *
 * Why: when every process of a node stands still and later goes on,
 * ovsdb-server acknowledges what waited in its sockets before anyone can stop
 * it.  The kernel did not stand still: the packets of the client ports need
 * set elements whose timeouts end no later than the lease.
 *
 * The worker says until when; a child does it (fence/kernel-child.h), because
 * the kernel makes whoever changes its rules wait for all others that do, and
 * beats must not.  So it takes a moment, and what has been reached is what
 * kernel_until() says.  Used by fence/worker only.  Never waits. */

#include <poll.h>
#include <stdbool.h>

#include "fence/helper.h"
#include "fence/kernel-child.h"
#include "lib/mono.h"
#include "lib/wire.h"

struct kernel {
    enum wire_kernel_lease policy;
    enum wire_kernel state;
    char why[WIRE_WHY_LEN]; /* Why it is not held. */
    mono_t until;           /* USED: until then packets leave.  PENDING:
                             * what counts meanwhile. */

    struct helper helper;
    struct kernel_wish wish;
    bool due;  /* 'wish' is to be sent. */
    bool busy; /* One was sent and is not answered. */
};

void kernel_init(struct kernel *);
void kernel_close(struct kernel *);

/* What the configuration says.  An 'endless' lease needs nothing in the
 * kernel, because no time ends it.  A node that is 'serving' goes on while
 * the kernel is being told. */
void kernel_set(struct kernel *, enum wire_kernel_lease, bool endless,
                bool serving, mono_t now);

/* From now on packets may leave until 'until', and the databases are the
 * processes 'pids' (0: none). */
void kernel_renew(struct kernel *, mono_t until, const pid_t pids[HA_N_DBS]);

/* Until when the door may be open, as far as the kernel is concerned: for
 * ever where it holds no lease and need not. */
mono_t kernel_until(const struct kernel *);

/* Takes everything out of the kernel again: for the end, when nothing can be
 * reached any more. */
void kernel_remove(struct kernel *, mono_t now);

/* True once it is out, or cannot be taken out. */
bool kernel_is_removed(const struct kernel *);

#define KERNEL_MAX_POLL HELPER_MAX_POLL
unsigned int kernel_poll(const struct kernel *, struct pollfd pfds[]);
mono_t kernel_next(const struct kernel *);
void kernel_run(struct kernel *, mono_t now);

#endif /* fence/kernel.h */
