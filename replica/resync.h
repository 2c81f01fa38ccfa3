/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_RESYNC_H
#define HA_REPLICA_RESYNC_H 1

/* How the own database becomes that of a snapshot.
 *
 * What comes of it is kept as a file (snapshot.h), read through once
 * (survey.h), and then compared with what is here (compare.h), so that the
 * difference can be applied in one transaction; or, where little is shared,
 * offered to ovn-had as a whole.  Either way nothing gives way before the guard
 * (shrink.h) lets it, nor before what is to be set aside is (giveway.h).
 * Whatever ends it before the last step, the own database is what it was.
 *
 * Used by the receiver, which has the connection.  One at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire.h"
#include "replica/frame.h"
#include "replica/oplog.h"

struct applier;
struct dbserver;
struct resync;
struct shrink;

/* How long to wait before another try. */
#define RETRY_MS 50          /* After a session ended. */
#define RETRY_OWN_MS 500     /* After the own server refused something. */
#define RETRY_FAILED_MS 5000 /* After one that cannot go well. */

struct resync_config {
    enum ha_db db;
    uint32_t self;
    const char *file; /* The database's. */
    const char *state_dir;
    bool installs; /* Somebody can put a whole file in its place. */
    struct shrink *guard;
    struct oplog *log;
    struct dbserver *server;
    struct applier *applier;
};

/* A snapshot that is announced. */
struct resync_source {
    uint32_t node;
    const char *schema; /* As JSON text. */
    struct frame_snapshot snapshot;
    enum oplog_found found; /* What the source says of the own position. */
    struct ha_pos fork;     /* Both logs share; seq 0: not known. */
    bool reinit;            /* Own data of another lineage may give way. */
    bool differs;           /* A verification found a difference. */
};

enum resync_outcome {
    RESYNC_GOES_ON,
    RESYNC_OFFERED,   /* It goes on without the source. */
    RESYNC_APPLIED,   /* The own database is the source's at its position. */
    RESYNC_INSTALLED, /* The own file is; all begins anew with it. */
    RESYNC_AGAIN,     /* It did not go well; resync_why(). */
    RESYNC_REFUSED,   /* ... nor will it by itself. */
    RESYNC_HELD,      /* The guard asks. */
};

struct resync *resync_create(const struct resync_config *);
void resync_destroy(struct resync *);

/* Begins; resync_take() takes the bytes as they come, resync_run() all else.
 * After any outcome but the first two it has ended. */
enum resync_outcome resync_begin(struct resync *,
                                 const struct resync_source *);
enum resync_outcome resync_take(struct resync *, const void *data, size_t n);
enum resync_outcome resync_run(struct resync *);
void resync_wait(const struct resync *);

/* Ends it, and withdraws what is offered. */
void resync_stop(struct resync *);

/* True while bytes are to come. */
bool resync_is_open(const struct resync *);

/* RESYNC_AGAIN and RESYNC_REFUSED: the reason, and when to try again. */
const char *resync_why(const struct resync *);
int resync_retry_ms(const struct resync *);

/* True, once, if the file that is offered is to be installed. */
bool resync_take_install(struct resync *);

/* True if something was set aside of which the supervisor is to be told. */
bool resync_take_aside(struct resync *, struct wire_r_aside *ret);

/* Fills in the progress, and how the last snapshot was taken over. */
void resync_get_status(const struct resync *, struct wire_r_status *);

#endif /* replica/resync.h */
