/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

static void *
check(void *p)
{
    if (!p) {
        ha_log(HA_LOG_ERR, "memory", "out of memory");
        abort();
    }
    return p;
}

void *
ha_calloc(size_t n, size_t size)
{
    return check(calloc(n ? n : 1, size ? size : 1));
}

void *
ha_realloc(void *p, size_t size)
{
    return check(realloc(p, size ? size : 1));
}

char *
ha_strdup(const char *s)
{
    return check(strdup(s));
}

char *
ha_asprintf(const char *fmt, ...)
{
    va_list args;
    char *s;
    int n;

    va_start(args, fmt);
    n = vasprintf(&s, fmt, args);
    va_end(args);
    return check(n < 0 ? NULL : s);
}
