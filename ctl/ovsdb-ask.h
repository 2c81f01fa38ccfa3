/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_OVSDB_ASK_H
#define CTL_OVSDB_ASK_H 1

/* One question to a database server on a unix socket, waiting for its answer
 * for some seconds.  For 'ovn-hactl check'. */

#include <jansson.h>

/* The "result" of 'method', which the caller owns; NULL if there was none.
 * Takes over 'params'. */
json_t *ovsdb_ask(const char *path, const char *method, json_t *params);

/* All rows of a table; 'columns' is JSON.  The same. */
json_t *ovsdb_ask_rows(const char *path, const char *db, const char *table,
                       const char *columns);

/* A map of strings as a JSON object.  The caller owns it. */
json_t *ovsdb_ask_map(const json_t *value);

#endif /* ctl/ovsdb-ask.h */
