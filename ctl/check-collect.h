/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CHECK_COLLECT_H
#define CTL_CHECK_COLLECT_H 1

/* Looks at this node for 'ovn-hactl check': everything that the checks judge
 * by, as one JSON object.  Changes nothing, and waits for nobody for longer
 * than some seconds; what cannot be had is missing. */

#include <jansson.h>

#include "lib/conf.h"

/* On a control node, and on a compute node.  The caller owns the facts. */
json_t *check_collect(void);
json_t *check_collect_client(void);

/* For the collectors: notes in 'facts' that something could not be looked
 * at. */
void check_collect_unseen(json_t *facts, const char *code, const char *what,
                          const char *mend);

/* check-databases.c: adds "databases", and to 'certificates' those that the
 * databases name. */
void check_collect_databases(const struct conf *, json_t *facts,
                             json_t *certificates);

/* check-collect.c: one certificate's end. */
void check_collect_certificate(json_t *certificates, const char *what,
                               const char *file, bool authority);

/* check-processes.c: adds "holders", "listeners" and "pacemaker". */
void check_collect_processes(const struct conf *, json_t *facts);

/* The path of the socket on which only ovn-ha's own server of "nb" or "sb"
 * listens, in memory that the caller frees. */
char *check_private_socket(const struct conf *, const char *db);

#endif /* ctl/check-collect.h */
