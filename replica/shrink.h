/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_SHRINK_H
#define HA_REPLICA_SHRINK_H 1

/* The guard against an active whose database suddenly lost most of its rows:
 * a reinstalled package, a wiped disk, the wrong file.
 *
 * It stops what would remove more than a share of the rows that are here: a
 * snapshot or one transaction, whatever it adds in their place, or several
 * transactions that leave that few of the rows that were there a minute before
 * (by their own dates).  Then it asks, and nothing is followed until an
 * operator lets it, up to a position, or another epoch begins.
 *
 * Rows that come and go by themselves do not count: what ovn-controllers learn,
 * and logical flows, of which an upgrade of northd replaces nearly all.
 *
 * Used by the applier and the receiver.  Pure: no I/O, no clock. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/types.h"

#define SHRINK_WINDOW_S 60 /* Transactions within it count together. */

/* What was stopped. */
struct shrink_event {
    struct ha_pos pos; /* Of the source, after it. */
    uint64_t rows;     /* That count, and were there before... */
    uint64_t lost;     /* ...and would be gone. */
};

struct shrink {
    unsigned int share;    /* Percent; 0: no guard. */
    uint64_t min_rows;     /* Fewer may always go. */
    struct ha_epoch epoch; /* In which a source is followed. */

    /* Rows before the first record of a second; a ring. */
    struct {
        int64_t second;
        uint64_t rows;
    } samples[SHRINK_WINDOW_S + 1];
    unsigned int first, n;

    bool asks;
    struct shrink_event event; /* Last one. */
    bool accepted;             /* The event may pass, ... */
    uint64_t until;            /* ... and all up to this 'seq'. */
};

void shrink_init(struct shrink *, unsigned int share, uint64_t min_rows);

/* True if rows of 'table' count. */
bool shrink_counts(const char *table);

/* Says whether a record that was made at 'date_ms' may be applied, after which
 * the source is at 'pos', and which makes of 'rows' rows that count so many
 * more and fewer.  If not, it asks from now on. */
bool shrink_may_apply(struct shrink *, const struct ha_pos *pos,
                      int64_t date_ms, uint64_t rows, uint64_t inserted,
                      uint64_t deleted);

/* The same for a snapshot.  What is allowed is counted anew from then on. */
bool shrink_may_replace(struct shrink *, const struct ha_pos *pos,
                        uint64_t rows, uint64_t deleted);

/* What it asks for; NULL: nothing. */
const struct shrink_event *shrink_asks(const struct shrink *);

/* Lets through what it asks for, and all records up to 'until'.  Returns false
 * if it asks for nothing, or for something later. */
bool shrink_accept(struct shrink *, uint64_t until);

/* A source is followed in 'epoch': what was asked for in another one, allowed,
 * or counted, is void. */
void shrink_begin(struct shrink *, struct ha_epoch epoch);

#endif /* replica/shrink.h */
