/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_LOST_H
#define HA_REPLICA_LOST_H 1

/* What a database that gives way held and the source never had: told for
 * people, and written as one transaction that brings it back.
 *
 * Where the two logs parted, if that place is still in the own file, the
 * records after it are told one by one, and the transaction does what all of
 * them came to.  Otherwise the two contents are compared, and what is only
 * here counts as lost; nothing is deleted then.
 *
 * The transaction is made for the source as it is now.  It changes a column of
 * one value only if it is still as it was where the logs parted, adds to and
 * takes from sets and maps, and leaves out, with a word in the report, what
 * does not fit any more.
 *
 * Used by giveway.c.  Writes to two streams and nothing else. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/types.h"

struct compare;
struct lost;
struct oplog;
struct shadow;

struct lost_config {
    enum ha_db db;
    uint32_t self, source;    /* Node ids... */
    const char *backup;       /* ...but with this the other one is a file. */
    struct oplog *log;        /* Own; its end is the end of what is lost. */
    struct ha_pos fork;       /* The last common position; seq 0: unknown. */
    const struct shadow *own; /* Own content at that end... */
    const struct compare *theirs; /* ... and the source's. */
    const char *name;             /* Of the files, without an ending. */
    FILE *text, *request;
};

/* What was found. */
struct lost_counts {
    bool by_record; /* The place where the logs parted is known. */
    uint64_t n_records;
    uint64_t n_ops;      /* In the transaction. */
    uint64_t n_left_out; /* Changes that are not in it. */
};

/* All that 'cfg' points to must outlive it. */
struct lost *lost_create(const struct lost_config *cfg);
void lost_destroy(struct lost *);

/* Works on.  Returns 1 if there is more to do, 0 when all is written, or a
 * negative errno. */
int lost_run(struct lost *);

const struct lost_counts *lost_counts(const struct lost *);

#endif /* replica/lost.h */
