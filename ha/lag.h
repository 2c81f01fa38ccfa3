/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_LAG_H
#define HA_LAG_H 1

/* How far each node's replicas were behind over the last hour, for the page.
 *
 * A ring in memory: for each node and database the largest lag that was seen
 * within each step of five seconds.  Fed and printed by ha/web.c.  It is not
 * kept across a reload. */

#include <jansson.h>
#include <stdio.h>

#include "lib/mono.h"

#define LAG_STEP_S 5
#define LAG_STEPS (3600 / LAG_STEP_S)

struct lag;

struct lag *lag_create(void);
void lag_destroy(struct lag *);

/* Takes the lags out of a status that was made at 'now'. */
void lag_add(struct lag *, const json_t *status, mono_t now);

/* Writes a JSON object: "step_s", and "nodes", by name and then by "nb" and
 * "sb" a list of records behind, null where that is not known, the newest
 * last. */
void lag_print(const struct lag *, FILE *);

#endif /* ha/lag.h */
