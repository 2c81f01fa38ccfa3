/* SPDX-License-Identifier: Apache-2.0 */

/* Times relative to now: without that, no state would ever come back. */

#include "tests/explore/model.h"

#include <assert.h>
#include <string.h>

#define OLD_US (11 * MODEL_TICK_US)

#define MAX_TIMES 128

/* Adds 't' to 'times', which are in order, the newest first. */
static uint32_t
note_time(int64_t times[MAX_TIMES], uint32_t n, int64_t t)
{
    uint32_t i = n;

    while (i > 0 && times[i - 1] < t) {
        i--;
    }
    if (i > 0 && times[i - 1] == t) {
        return n;
    }
    assert(n < MAX_TIMES);
    memmove(&times[i + 1], &times[i], (n - i) * sizeof times[0]);
    times[i] = t;
    return n + 1;
}

/* What becomes of 't'.  What is older than any patience is all alike.  A pair
 * compares two times of the past with each other, so there only the gaps
 * between them are made shorter. */
static int64_t
new_time(const struct model *m, const int64_t times[MAX_TIMES], int64_t t)
{
    int64_t now = m->now.us;
    int64_t new = MODEL_NOW;

    if (t >= now) {
        return MODEL_NOW + (t - now);
    }
    if (!m->cfg->pair_fence) {
        return t < now - OLD_US ? MODEL_NOW - OLD_US : MODEL_NOW + (t - now);
    }
    for (uint32_t i = 0; now > t; i++) {
        if (times[i] < now) {
            new -= now - times[i] < OLD_US ? now - times[i] : OLD_US;
            now = times[i];
        }
    }
    return new;
}

/* Where 'nd' has times; returns how many. */
static uint32_t
find_times(uint64_t *words, size_t n_words, uint64_t *found[MAX_TIMES])
{
    uint32_t n = 0;

    for (size_t i = 0; i < n_words; i++) {
        if (MODEL_IS_TIME(words[i])) {
            assert(n < MAX_TIMES);
            found[n++] = &words[i];
        }
    }
    return n;
}

static void
shift_times(const struct model *m, struct mnode *nd)
{
    uint64_t *found[MAX_TIMES];
    int64_t times[MAX_TIMES];
    uint32_t n, n_times = 0;

    n = find_times((uint64_t *) (void *) nd, sizeof *nd / sizeof(uint64_t),
                   found);
    for (uint32_t i = 0; m->cfg->pair_fence && i < n; i++) {
        n_times = note_time(times, n_times, (int64_t) *found[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        *found[i] = (uint64_t) new_time(m, times, (int64_t) *found[i]);
    }
}

void
model_normalize(struct model *m)
{
    _Static_assert(sizeof(struct mnode) % sizeof(uint64_t) == 0, "words");
    FOR_EACH_MNODE(nd, m)
    {
        shift_times(m, nd);
    }
    m->now.us = MODEL_NOW;
}
