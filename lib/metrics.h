/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_METRICS_H
#define HA_LIB_METRICS_H 1

/* The status for Prometheus and its kin.
 *
 * Made of the JSON that ovn-had hands out, as lib/table.h is, so that metrics,
 * table and page cannot differ.  What the JSON does not say has no sample.
 * Called by ha/web.c.  doc/STATUS.md describes each metric. */

#include <jansson.h>
#include <stdbool.h>

/* In memory that the caller frees: as OpenMetrics 1.0, or in the older text
 * format of Prometheus. */
char *metrics_render(const json_t *status, bool openmetrics);

#endif /* HA_LIB_METRICS_H */
