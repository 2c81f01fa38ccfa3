/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/core/core.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool
ha_set_has(const struct ha_set *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->id[i] == id) {
            return true;
        }
    }
    return false;
}

void
ha_set_add(struct ha_set *s, uint32_t id)
{
    uint32_t i = s->n;

    if (ha_set_has(s, id)) {
        return;
    }
    assert(s->n < HA_MAX_NODES);
    for (; i > 0 && s->id[i - 1] > id; i--) {
        s->id[i] = s->id[i - 1];
    }
    s->id[i] = id;
    s->n++;
}

void
ha_set_del(struct ha_set *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->id[i] == id) {
            s->n--;
            memmove(&s->id[i], &s->id[i + 1], (s->n - i) * sizeof s->id[0]);
            s->id[s->n] = 0;
            return;
        }
    }
}

bool
ha_set_equal(const struct ha_set *a, const struct ha_set *b)
{
    return a->n == b->n && !memcmp(a->id, b->id, a->n * sizeof a->id[0]);
}

const char *
ha_set_print(const struct ha_set *s, char *buf, size_t size)
{
    size_t used = 0;

    assert(size > 0);
    buf[0] = '\0';
    for (uint32_t i = 0; i < s->n && used < size; i++) {
        int len =
            snprintf(buf + used, size - used, "%s%u", i ? " " : "", s->id[i]);
        used += len > 0 ? (size_t) len : 0;
    }
    return buf;
}
