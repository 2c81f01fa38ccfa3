/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_CLIENTS_H
#define CTL_DRILL_CLIENTS_H 1

/* The clients of a drill: one writes to the Northbound database and keeps the
 * ledger, the other looks when that has reached the Southbound one.
 *
 * Both know all nodes, and knock every 10 ms at those that they have no
 * session with, so that they measure the cluster and not their own patience.
 * What was not acknowledged is never written again.  Each write adds an
 * address to one of a few address sets that nobody uses: northd copies it, and
 * nothing else follows from it.  A few rows, because many that go at once would
 * look like the loss of a database, before which the standbys stop.
 *
 * A lock of the Northbound database sees to it that there is one drill at a
 * time; it goes with the session, so that nothing is left of a drill that was
 * killed but its rows, which the next one removes. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctl/drill-chassis.h"
#include "ctl/drill-ledger.h"
#include "lib/mono.h"

/* Of one drill. */
#define CLIENTS_ROWS_MAX 32
#define CLIENTS_NODES_MAX 16
#define CLIENTS_FDS_MAX (2 * (CLIENTS_NODES_MAX + 1))

struct clients;
struct tls;

/* 'nb' and 'sb' are remotes, separated by commas; 'tls', which may be NULL,
 * has to outlive it; 'n_rows' address sets are written to, CLIENTS_ROWS_MAX at
 * most.  Returns NULL after a line of error if they are not. */
struct clients *clients_create(const char *nb, const char *sb,
                               const struct tls *tls, size_t n_rows,
                               struct ledger *, struct chassis *);
void clients_destroy(struct clients *);

/* What to wait for, CLIENTS_FDS_MAX at most; and to do then, or after 5 ms. */
size_t clients_poll(const struct clients *, struct pollfd *);
void clients_step(struct clients *, mono_t now);

size_t clients_rows(const struct clients *);

/* Whether there are sessions with both databases. */
bool clients_connected(const struct clients *);

enum clients_lock {
    CLIENTS_LOCK_UNKNOWN,
    CLIENTS_LOCK_OURS,
    CLIENTS_LOCK_TAKEN, /* Another drill has it. */
};
enum clients_lock clients_lock(const struct clients *);

/* No writes from now on. */
void clients_stop(struct clients *);

/* Raises NB's nb_cfg as soon as that can be done, and has all compute nodes
 * expected to follow. */
void clients_raise(struct clients *);

/* Whether a write waits for its answer. */
bool clients_busy(const struct clients *);

/* The server's last words when it refused a write; "". */
const char *clients_refusal(const struct clients *);

/* These wait for the answer, until 'deadline'.  They return 0 or a negative
 * errno, -EIO if the database refused, see clients_refusal(). */

/* Removes the rows that drills left, makes the row and begins to write. */
int clients_start(struct clients *, mono_t deadline);
/* Counts the rows of all drills, and tells the ledger of all that was kept. */
int clients_look(struct clients *, mono_t deadline, size_t *ret_n);
/* Removes them. */
int clients_clean(struct clients *, mono_t deadline);

#endif /* ctl/drill-clients.h */
