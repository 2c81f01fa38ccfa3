/* SPDX-License-Identifier: Apache-2.0 */

/* A journal of the core: an entry that is understood is the same when it is
 * written again. */

#include "ha/core/trace.h"
#include "tests/fuzz/fuzz.h"

/* Writes the entry that was read, less its actions, which a journal does not
 * hold; returns its length. */
static size_t
put(const struct trace_entry *e, uint8_t buf[TRACE_ENTRY_MAX])
{
    static const struct ha_actions no_actions;
    struct trace_state state = { 0, 0 };

    switch (e->kind) {
    case TRACE_LIFE:
        return trace_put_life(&state, &e->config, buf);
    case TRACE_STEP:
        return trace_put_step(&state, &e->event, &no_actions, buf);
    default:
        return 0;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct trace_entry e, again;
    static uint8_t once[TRACE_ENTRY_MAX], twice[TRACE_ENTRY_MAX];
    struct trace_state state = { 0, 0 }, fresh;
    size_t used, again_used, len;

    while (n && !trace_get(&state, data, n, &e, &used)) {
        assert(used && used <= n);
        assert(memchr(e.tell, '\0', sizeof e.tell));
        assert(e.kind != TRACE_IMAGE
               || (e.image >= data
                   && e.image + sizeof(struct ha_core) <= data + n));
        len = put(&e, once);
        if (len) {
            fresh = (struct trace_state){ 0, 0 };
            assert(!trace_get(&fresh, once, len, &again, &again_used));
            assert(again_used == len && put(&again, twice) == len);
            assert(!memcmp(once, twice, len));
        }
        data += used;
        n -= used;
    }
    return 0;
}
