/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_KERNEL_CHILD_H
#define FENCE_KERNEL_CHILD_H 1

/* The process that keeps the lease in the kernel, on behalf of its parent,
 * the worker: table 'inet ovn_ha' of nftables, and nothing else.
 *
 * A packet from a client port leaves while both keys live (fence/keys.h).
 * What may not leave is answered with a reset to its own sender: the session
 * is over, and what it had to say is not sent again once this node serves
 * under another lease.  Resets themselves leave always: they acknowledge
 * nothing, and a client of a closed port should not have to wait. *
 * Started by fence/kernel; does nothing that it was not told, and forgets no
 * port before the end. */

#include <stdint.h>

#include "lib/types.h"
#include "lib/wire.h"

/* What the worker wants.  Each is answered. */
struct kernel_wish {
    uint32_t use;           /* 0: nothing is to be in the kernel. */
    int32_t pids[HA_N_DBS]; /* The databases; 0: none. */
    int64_t until_us;       /* Packets may leave until then, by
                               * CLOCK_BOOTTIME; long ago: not at all. */
};

/* What is so. */
struct kernel_answer {
    uint32_t state; /* enum wire_kernel, but PENDING. */
    uint32_t reserved;
    int64_t until_us;       /* USED: packets leave until then. */
    char why[WIRE_WHY_LEN]; /* What is wrong; "". */
};

/* The child's life: until the worker's end of 'fd' is closed. */
void kernel_child_run(int fd, const void *aux);

#endif /* fence/kernel-child.h */
