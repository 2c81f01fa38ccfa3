/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_SHADOW_H
#define HA_REPLICA_SHADOW_H 1

/* A copy of a database in memory, built by the code that ovsdb-server itself
 * loads its file with.
 *
 * A record holds differences (sets and maps as symmetric differences), so to
 * turn it into operations one must know the state before.  The receiver keeps
 * one shadow of its own database, and makes a second one of a snapshot to
 * compute the difference.
 *
 * Never writes anything. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;
struct ovsdb;
struct ovsdb_row;
struct ovsdb_error;
struct rows_row;
struct shadow;

#define SHADOW_WHY_LEN 160

/* An empty shadow of the database file 'fd', of which the first 'upto' bytes
 * will be loaded.  With 'schema_text' not NULL that schema (JSON) is used in
 * place of the file's own.  'fd' must stay open while it is loading. */
struct shadow *shadow_create(int fd, uint64_t upto, const char *schema_text);
void shadow_destroy(struct shadow *);

/* What the schema does not know is left out while it is loading. */
void shadow_convert(struct shadow *);

/* Frees about 'n' rows, and in the end the shadow itself.  Returns true when
 * it is gone.  A large one takes too long to be freed at once. */
bool shadow_discard(struct shadow *, size_t n);

/* Loads on, about 'budget' bytes, at least one record.  Returns 1 if there is
 * more to load, 0 if all is there, or a negative errno with a reason. */
int shadow_load(struct shadow *, size_t budget, char why[SHADOW_WHY_LEN]);

/* Loads on from where it was, up to 'upto' of the same file. */
void shadow_extend(struct shadow *, uint64_t upto);
uint64_t shadow_offset(const struct shadow *);

/* Rows that were loaded, and those of them that count (shrink.h). */
struct shadow_count {
    uint64_t rows, counted;
};
struct shadow_count shadow_count(const struct shadow *);

/* The row of that table and '_uuid'; NULL: there is none. */
const struct ovsdb_row *shadow_find_row(const struct shadow *,
                                        const struct rows_row *);

/* True if there is anything that packages and an idle northd do not write by
 * themselves. */
bool shadow_has_data(const struct shadow *);

/* What a record does to rows that count (shrink.h). */
struct shadow_effect {
    uint64_t rows; /* Before it. */
    uint64_t inserted, deleted;
};
typedef bool shadow_judge_cb(const struct shadow_effect *, void *aux);

/* Applies the record 'body' (of JSON text), and appends the operations that do
 * the same to a server's database to the array 'ops'.  Returns the number of
 * operations, 0 for a record without effect, or a negative errno: -EDQUOT if
 * 'judge' says no, and then the shadow is what it was. */
int shadow_apply(struct shadow *, const char *body, struct json *ops,
                 shadow_judge_cb *judge, void *aux, char why[SHADOW_WHY_LEN]);

/* Told of each row that a record changes, before and after; NULL: it is not
 * there. */
typedef bool shadow_change_cb(const struct ovsdb_row *old,
                              const struct ovsdb_row *new,
                              const unsigned long int *changed, void *aux);

/* Applies the record 'body' and calls 'each' for each row that it changes; if
 * then 'may_commit' is not NULL and says no, nothing has changed after all.
 * Returns 0, -EDQUOT in that case, or another negative errno with a reason. */
int shadow_visit(struct shadow *, const char *body, shadow_change_cb *each,
                 bool (*may_commit)(void *aux), void *aux,
                 char why[SHADOW_WHY_LEN]);

/* Does the same with a record that is JSON already, and was judged. */
int shadow_apply_json(struct shadow *, const struct json *record,
                      struct json *ops, char why[SHADOW_WHY_LEN]);

/* The same, for a database that clients write to: each row that is changed or
 * deleted has to be what it is in the shadow, or the whole transaction
 * fails. */
int shadow_apply_guarded(struct shadow *, const struct json *record,
                         struct json *ops, char why[SHADOW_WHY_LEN]);

/* The database itself, to be read; NULL as long as no schema was loaded. */
const struct ovsdb *shadow_db(const struct shadow *);

/* Turns an error of libovsdb, if there is one, into 'why', and frees it.
 * Returns 0 or -EINVAL. */
int shadow_explain(struct ovsdb_error *, char why[SHADOW_WHY_LEN]);

struct shadow_diff {
    uint64_t n_insert, n_delete, n_update;
    uint64_t n_shared;                    /* Rows that both have. */
    uint64_t n_counted, n_counted_delete; /* Own rows that count (shrink.h),
                                           * and those deleted of them. */
};

/* Appends the operations that make 'have' into 'want' to 'ops'. */
void shadow_diff(const struct shadow *have, const struct shadow *want,
                 struct json *ops, struct shadow_diff *ret);

#endif /* replica/shadow.h */
