/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_LEDGER_H
#define CTL_DRILL_LEDGER_H 1

/* The ledger of a drill: each write, when it was sent, acknowledged and seen
 * in the Southbound database, and what follows from that.  Pure: no clock, no
 * input or output.  Filled by ctl/drill-clients, summed up by ctl/drill. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mono.h"

/* MONO_NEVER: not. */
struct ledger_write {
    mono_t sent;
    mono_t acked; /* The database promised to keep it. */
    mono_t seen;  /* First in the Southbound database. */
    bool lost;    /* Acknowledged, and not there in the end. */
};

struct ledger {
    struct ledger_write *writes; /* In the order in which they were sent. */
    size_t n, allocated;
    size_t n_acked, n_seen;
    mono_t last_acked, last_seen; /* MONO_MIN: none was. */
    mono_t last_seen_sent;        /* When that one was sent. */
};

void ledger_init(struct ledger *);
void ledger_close(struct ledger *);

/* Returns the number of the new write. */
size_t ledger_add(struct ledger *, mono_t now);
void ledger_ack(struct ledger *, size_t number, mono_t now);
/* Does nothing if it was seen before, or does not exist. */
void ledger_seen(struct ledger *, size_t number, mono_t now);
/* In the end: all that was acknowledged counts as lost... */
void ledger_doubt(struct ledger *);
/* ...unless it is found. */
void ledger_kept(struct ledger *, size_t number);

/* The longest time in which something did not happen. */
struct ledger_gap {
    mono_t from, to;
    bool over; /* Then it happened. */
};

struct ledger_sums {
    size_t acknowledged, unanswered;
    size_t lost;
    size_t unseen;            /* Kept, and not seen in SB. */
    int64_t sb_delay_us;      /* The longest from acknowledgement to SB. */
    struct ledger_gap outage; /* Without acknowledgement... */
    struct ledger_gap sb_gap; /* ...and without a change in SB. */
};

/* Sums up until 'to'.  Gaps and delays count if they reach into the time from
 * 'from' on, even if they begin earlier; those that never end count until
 * 'to'. */
void ledger_sum(const struct ledger *, mono_t from, mono_t to,
                struct ledger_sums *);

/* Counts, for each of 'n' steps from 'from' on, the writes that were
 * acknowledged, and those that were seen in SB. */
void ledger_count(const struct ledger *, mono_t from, int64_t step_us,
                  size_t n, int *ret_acked, int *ret_seen);

/* How long it is. */
int64_t ledger_gap_us(const struct ledger_gap *);

#endif /* ctl/drill-ledger.h */
