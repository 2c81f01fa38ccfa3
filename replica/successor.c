/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/successor.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "openvswitch/json.h"
#include "util.h"

#include "lib/log.h"
#include "replica/shadow.h"

#define LOAD_SLICE (1u << 20)

struct successor {
    struct shadow *old, *new;
};

struct successor *
successor_create(int old_fd, uint64_t old_end, int new_fd, uint64_t new_end,
                 const char *schema)
{
    struct successor *s = xzalloc(sizeof *s);

    s->old = shadow_create(old_fd, old_end, schema);
    shadow_convert(s->old);
    s->new = shadow_create(new_fd, new_end, NULL);
    return s;
}

void
successor_destroy(struct successor *s)
{
    if (s) {
        shadow_destroy(s->old);
        shadow_destroy(s->new);
        free(s);
        malloc_trim(0);
    }
}

/* Loads a slice of 'shadow'.  Returns as shadow_load(). */
static int
successor_load(struct shadow *shadow)
{
    char why[SHADOW_WHY_LEN];
    int ret = shadow_load(shadow, LOAD_SLICE, why);

    if (ret < 0) {
        ha_log(HA_LOG_WARN, "successor", "a file does not load: %s", why);
    }
    return ret;
}

int
successor_run(struct successor *s)
{
    struct json *ops;
    struct shadow_diff d;
    int ret = successor_load(s->new);

    if (!ret) {
        ret = successor_load(s->old);
    }
    if (ret) {
        return ret;
    }
    ops = json_array_create_empty();
    shadow_diff(s->old, s->new, ops, &d);
    json_destroy(ops);
    return d.n_insert || d.n_delete || d.n_update ? -EXDEV : 0;
}
