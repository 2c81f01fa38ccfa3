/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_CHASSIS_H
#define CTL_DRILL_CHASSIS_H 1

/* When compute nodes are back: northd passes NB's nb_cfg on, and each
 * ovn-controller that has followed writes it into its row of Chassis_Private.
 * Pure: fed with updates of that table by ctl/drill-clients, asked by
 * ctl/drill. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mono.h"

struct chassis;

struct chassis *chassis_create(void);
void chassis_destroy(struct chassis *);

/* Takes rows of an update of monitor_cond. */
void chassis_update(struct chassis *, const json_t *rows, mono_t now);

/* NB's nb_cfg was raised to 'nb_cfg': from now on a node is back when it has
 * written that.  Those that are not back from the last time do not count: they
 * were not there before. */
void chassis_expect(struct chassis *, int64_t nb_cfg, mono_t now);

struct chassis_sums {
    size_t n, n_back;
    mono_t p50, p99, last; /* When half, 99 %, all were back; MONO_NEVER. */
    const char *missing;   /* One that is not back; NULL. */
};
void chassis_sum(const struct chassis *, struct chassis_sums *);

#endif /* ctl/drill-chassis.h */
