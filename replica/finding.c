/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/finding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/durable.h"
#include "lib/log.h"
#include "lib/xalloc.h"

struct finding *
finding_create(const char *path)
{
    struct finding *f = ha_calloc(1, sizeof *f);
    char *text = NULL;
    size_t n;
    int error;

    f->path = ha_strdup(path);
    error = durable_read(path, sizeof f->why - 1, &text, &n);
    f->differs = error != -ENOENT;
    if (f->differs) {
        snprintf(f->why, sizeof f->why, "%s",
                 error ? "an earlier verification found a difference" : text);
        ha_log(HA_LOG_WARN, "verify", "still to be made good: %s", f->why);
    }
    free(text);
    return f;
}

void
finding_destroy(struct finding *f)
{
    if (f) {
        free(f->path);
        free(f);
    }
}

void
finding_set(struct finding *f, const char *why)
{
    int error;

    f->differs = true;
    snprintf(f->why, sizeof f->why, "%s", why);
    error = durable_write(f->path, f->why, strlen(f->why), 0600);
    if (error) {
        ha_log(HA_LOG_ERR, "verify", "%s cannot be written: %s", f->path,
               strerror(-error));
    }
}

void
finding_clear(struct finding *f)
{
    int error = f->differs ? durable_remove(f->path) : 0;

    if (error) {
        ha_log(HA_LOG_ERR, "verify", "%s cannot be removed: %s", f->path,
               strerror(-error));
    }
    f->differs = false;
    f->why[0] = '\0';
}
