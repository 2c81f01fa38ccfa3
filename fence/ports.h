/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_PORTS_H
#define FENCE_PORTS_H 1

/* The TCP ports on which the database servers listen.
 *
 * The kernel is asked, not the configuration: a server opens what the
 * Connection table of its database says, which can change at any time and
 * which nobody tells the worker.  Used by fence/kernel-child each time that it
 * renews the lease.  Sees only this network namespace, and only listeners: a
 * connection that a server opened itself (tcp:, ssl:) is none. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/types.h"

#define PORTS_MAX 64             /* Ports that are remembered. */
#define PORTS_MAX_LISTENERS 1024 /* Of the whole machine. */

struct ports {
    int fd; /* Of the kernel's socket statistics. */
    pid_t pids[HA_N_DBS];
    /* Every listener of the machine at the last look, by inode: whose they
     * are has to be found out for new ones only, which takes long. */
    uint32_t seen[PORTS_MAX_LISTENERS];
    unsigned int n_seen;
    uint16_t port[PORTS_MAX]; /* Found so far. */
    unsigned int n;
};

/* OVN's own ports are known from the start. */
void ports_init(struct ports *);
void ports_close(struct ports *);

/* Looks for ports that the processes 'pids' (0: none) listen on and that are
 * not in 'port' yet, and appends them.  Returns 0 or a negative errno. */
int ports_look(struct ports *, const pid_t pids[HA_N_DBS]);

#endif /* fence/ports.h */
