/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_PREPARE_H
#define HA_PREPARE_H 1

/* Gets a database file ready before its server starts, as ovn-ctl does.
 *
 * Creates it from OVN's schema if it is missing; if its schema is older,
 * keeps a copy, compacts and converts it.  ovsdb-tool does the work, in
 * processes of its own, while the loop goes on.  Unlike ovn-ctl it never puts
 * an empty database in the place of one that cannot be converted, and never
 * converts one to an older schema: what the active has in columns that this
 * node's packages do not know yet would be gone. */

#include "ha/settings.h"

struct ev_loop;
struct prepare;

/* 'error' is NULL if the file is ready, else one sentence. */
typedef void prepare_done_func(void *aux, const char *error);

struct prepare *prepare_start(struct ev_loop *, const struct settings *,
                              enum ha_db, prepare_done_func *, void *aux);
/* Also kills what still runs. */
void prepare_destroy(struct prepare *);

#endif /* ha/prepare.h */
