/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_ROWS_H
#define HA_REPLICA_ROWS_H 1

/* The rows of one record of a database's log, straight from its text.
 *
 * The first record after the schema of a large database holds all of its rows.
 * To make one tree of JSON of it takes several times the memory of the text;
 * most who read it want one row at a time.
 *
 * Used by the survey and the comparison of a snapshot.  Pure: no I/O, no
 * memory of its own; what is no record of OVSDB is refused, and not read
 * beyond its end. */

#include <stdbool.h>
#include <stddef.h>

#define ROWS_UUID_LEN 36

struct rows {
    const char *p, *end;
    bool in_table;
    const char *table; /* Not terminated. */
    size_t table_len;
};

struct rows_row {
    const char *table; /* Not terminated, nor are those that follow. */
    size_t table_len;
    const char *uuid; /* ROWS_UUID_LEN characters. */
    const char *value;
    size_t value_len;
    bool deleted; /* The value is null. */
};

/* Begins with the record's 'body' of 'n' bytes, which stays the caller's. */
void rows_init(struct rows *, const char *body, size_t n);

/* The next row.  Returns 1, 0 at the end, or -EBADMSG. */
int rows_next(struct rows *, struct rows_row *ret);

#endif /* replica/rows.h */
