/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_ADDRESS_CHILD_H
#define FENCE_ADDRESS_CHILD_H 1

/* The process that takes and leaves the virtual IP on behalf of its parent,
 * the worker.
 *
 * It asks first whether another host has an address, and takes it only if
 * none answers.  While it is told to hold, the kernel has each address with a
 * lifetime no longer than a little over the lease, so that one whose keepers
 * stand still is dropped by itself; one that someone else removed is put
 * back.  Otherwise, and when the worker is gone, it leaves all of them on
 * whatever interface they are; but one that has no lifetime there is somebody
 * else's, and stays.  Does nothing that it was not told, and nothing before
 * the child of an earlier worker is gone. */

#include <stdint.h>

#include "lib/wire.h"

/* What the worker wants. */
struct address_wish {
    struct wire_addresses addresses;
    uint32_t serial;   /* Comes back with the answers. */
    uint32_t hold;     /* 0: this node is to have none of them. */
    uint32_t announce; /* 1: all neighbors are to be told. */
    uint32_t reserved;
    int64_t until_us; /* Held until then, by CLOCK_BOOTTIME. */
};

/* What is so: to each change of 'serial', and whenever it changed. */
struct address_answer {
    uint32_t serial;
    uint32_t state;         /* enum wire_address_state. */
    uint32_t unfit;         /* 1: they could not be taken here. */
    uint32_t n_wishes;      /* So many it was sent until now. */
    char why[WIRE_WHY_LEN]; /* What is wrong; "". */
};

/* The child's life: until the worker's end of 'fd' is closed. */
void address_child_run(int fd, const void *lock_file);

#endif /* fence/address-child.h */
