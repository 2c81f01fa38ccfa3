/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_TYPES_H
#define HA_TYPES_H 1

/* Words that every part of ovn-ha shares: databases, epochs, positions.
 *
 * Exists so that the core, the workers and the tools mean the same thing by
 * the same name (DESIGN.md, Vocabulary).  Pure: no I/O, no allocation. */

#include <stdbool.h>
#include <stdint.h>

#define HA_MAX_NODES 16 /* Members of corosync's nodelist. */

enum ha_db { HA_NB, HA_SB, HA_N_DBS };

/* One node's time as active.  Grows with every promotion; ordered by 'n',
 * then 'node'.  {0, 0} is "none". */
struct ha_epoch {
    uint32_t n;    /* Number. */
    uint32_t node; /* Corosync id of the node that is active. */
};

/* How far a replica has come in one database.  Ordered by epoch, then seq;
 * positions of different lineages cannot be compared. */
struct ha_pos {
    uint64_t lineage;      /* Random id of the history; 0: none. */
    struct ha_epoch epoch; /* Epoch in which the last record was made. */
    uint64_t seq;          /* Records since the lineage began. */
    uint64_t chain;        /* Hash chained over these records. */
};

/* What a replica asks an operator for before it goes on. */
enum ha_ask {
    HA_ASK_NONE,
    HA_ASK_REINIT, /* Own data of another lineage are to give way. */
    HA_ASK_SHRINK, /* Most of the rows are to go. */
};

static inline int
ha_epoch_cmp(struct ha_epoch a, struct ha_epoch b)
{
    return (a.n != b.n         ? (a.n < b.n ? -1 : 1)
            : a.node != b.node ? (a.node < b.node ? -1 : 1)
                               : 0);
}

/* Compares two positions of one lineage; 'chain' is not compared. */
static inline int
ha_pos_cmp(const struct ha_pos *a, const struct ha_pos *b)
{
    int c = ha_epoch_cmp(a->epoch, b->epoch);
    return c ? c : a->seq < b->seq ? -1 : a->seq > b->seq;
}

static inline const char *
ha_db_name(enum ha_db db)
{
    return db == HA_NB ? "NB" : "SB";
}

#endif /* lib/types.h */
