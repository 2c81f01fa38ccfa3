/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_CONTENT_H
#define HA_REPLICA_CONTENT_H 1

/* What a database holds, as digests, and how two nodes find out where they
 * differ without sending each other the whole of it.
 *
 * A row's digest is over its columns' values as JSON, by name of the column,
 * a table's is over its rows by uuid; so neither depends on the order in which
 * things were written, nor on column indexes, which differ between two loads
 * of one schema.  Only columns that both sides have are counted: in a rolling
 * upgrade the standby's schema may be the newer one.
 *
 * One side asks, the other answers; a question and its answer are JSON:
 *
 *     ["tables", {TABLE: [COLUMN...]...}]   the asker's schema
 *         {TABLE: {"columns": [...], "rows": N, "digest": HEX}...}
 *     ["rows", TABLE, AFTER]                the next rows by uuid; AFTER: "" or
 *         [[UUID, HEX]...]                  the last uuid of the answer before
 *     ["row", TABLE, UUID]
 *         {COLUMN: HEX...}                  {} if there is no such row
 *     ["value", TABLE, UUID, COLUMN, OFFSET]
 *         [TEXT, OFFSET]                    a piece of it from there on
 *
 * A verifier that knows no OFFSET answers with the beginning, and without a
 * second member; one that asks without it gets the beginning.
 *
 * Used by the verifier's processes (replica/verifier.c).  Blocks while it
 * computes; never writes anything. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/wire.h"

struct content;
struct json;
struct shadow;

/* The content of 'shadow', which must stay. */
struct content *content_create(const struct shadow *);
void content_destroy(struct content *);

/* Calls 'progress' now and then while digests are computed. */
typedef void content_progress_func(void *aux, uint64_t done, uint64_t rows);
void content_set_progress(struct content *, content_progress_func *,
                          void *aux);

/* Answers 'question', which remains the caller's.  Returns NULL for what is no
 * question. */
struct json *content_answer(struct content *, const struct json *question);

/* How the asker gets an answer: takes over 'question', returns NULL if there
 * is none. */
typedef struct json *content_ask_func(void *aux, struct json *question);

struct content_result {
    uint64_t rows;     /* That were compared. */
    uint64_t n_differ; /* Rows that differ, or are on one side only. */
    uint32_t tables;   /* That were compared. */
    uint32_t skipped;  /* Tables and columns that only one side has. */
    uint32_t n_found;  /* Differences in 'found'; the first ones. */
    struct wire_r_difference found[WIRE_R_DIFFERENCES];
};

/* Asks for the other side's content and compares.  Returns 0, whatever the
 * result is, -EPIPE if there was no answer, or -EBADMSG if one made no
 * sense. */
int content_compare(struct content *, content_ask_func *, void *aux,
                    struct content_result *ret);

#endif /* replica/content.h */
