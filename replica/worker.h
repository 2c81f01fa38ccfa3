/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_WORKER_H
#define HA_REPLICA_WORKER_H 1

/* The worker as a whole: what the supervisor tells it, the role that follows
 * from that, and what it reports. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/tls.h"
#include "lib/types.h"

struct worker_config {
    enum ha_db db;
    uint32_t self;
    const char *file;   /* The database. */
    const char *server; /* Remote of its private socket. */
    const char *listen; /* "ADDRESS:PORT" for receivers. */
    const char *state_dir;
    const char *key_file;      /* Or NULL. */
    struct tls_files tls;      /* All NULL: no TLS. */
    unsigned int shrink_share; /* The guard's, in percent; 0: none. */
    uint64_t shrink_rows;      /* It lets fewer rows go. */
    int fd;                    /* To the supervisor; -1: none. */
};

struct worker;

/* Returns 0 or a negative errno. */
int worker_create(const struct worker_config *, struct worker **ret);
void worker_destroy(struct worker *);

/* Returns false once the supervisor is gone. */
bool worker_run(struct worker *);
void worker_wait(struct worker *);

#endif /* replica/worker.h */
