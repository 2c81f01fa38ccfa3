/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_XALLOC_H
#define HA_LIB_XALLOC_H 1

/* Memory that is always there.
 *
 * A control node that has no memory left for a few kilobytes cannot do its
 * job; these abort, and the lease sees to it that another node takes over.
 * Not for sizes that the outside world chooses without a limit, and not for
 * the pure parts, which allocate nothing. */

#include <stddef.h>

/* Zeroed memory for 'n' objects of 'size'. */
void *ha_calloc(size_t n, size_t size) __attribute__((malloc));
void *ha_realloc(void *p, size_t size);
char *ha_strdup(const char *s) __attribute__((malloc));
char *ha_asprintf(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), malloc));

#endif /* HA_LIB_XALLOC_H */
