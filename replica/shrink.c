/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/shrink.h"

#include <string.h>

#define N_SAMPLES (SHRINK_WINDOW_S + 1)

void
shrink_init(struct shrink *s, unsigned int share, uint64_t min_rows)
{
    memset(s, 0, sizeof *s);
    s->share = share;
    s->min_rows = min_rows;
}

bool
shrink_counts(const char *table)
{
    static const char *const fleeting[] = {
        "MAC_Binding",      "FDB",          "IGMP_Group",
        "Controller_Event", "Logical_Flow", "Logical_DP_Group",
    };

    for (size_t i = 0; i < sizeof fleeting / sizeof fleeting[0]; i++) {
        if (!strcmp(table, fleeting[i])) {
            return false;
        }
    }
    return true;
}

/* True if 'lost' of 'rows' are too many. */
static bool
is_most(const struct shrink *s, uint64_t rows, uint64_t lost)
{
    return s->share && lost >= s->min_rows
           && lost > rows / 100 * s->share + rows % 100 * s->share / 100;
}

static void
shrink_ask(struct shrink *s, const struct ha_pos *pos, uint64_t rows,
           uint64_t lost)
{
    s->asks = true;
    s->accepted = false;
    s->event.pos = *pos;
    s->event.rows = rows;
    s->event.lost = lost;
}

/* ---- Records ------------------------------------------------------------- */

/* Notes that there were 'rows' in the second of 'date_ms', and returns how
 * many there were when the window that ends with it began. */
static uint64_t
window_rows(struct shrink *s, int64_t date_ms, uint64_t rows)
{
    unsigned int last = (s->first + s->n + N_SAMPLES - 1) % N_SAMPLES;
    int64_t second = date_ms / 1000;

    /* A clock that is set back ends no window. */
    if (s->n && second < s->samples[last].second) {
        second = s->samples[last].second;
    }
    while (s->n && s->samples[s->first].second < second - SHRINK_WINDOW_S) {
        s->first = (s->first + 1) % N_SAMPLES;
        s->n--;
    }
    if (!s->n || s->samples[last].second != second) {
        last = (s->first + s->n) % N_SAMPLES;
        s->samples[last].second = second;
        s->samples[last].rows = rows;
        s->n++;
    }
    return s->samples[s->first].rows;
}

bool
shrink_may_apply(struct shrink *s, const struct ha_pos *pos, int64_t date_ms,
                 uint64_t rows, uint64_t inserted, uint64_t deleted)
{
    uint64_t left = rows + inserted - deleted;
    uint64_t were;

    if (s->accepted && pos->seq <= s->until) {
        s->n = 0;
        return true;
    }
    s->accepted = false;
    were = window_rows(s, date_ms, rows);
    if (is_most(s, rows, deleted)) {
        shrink_ask(s, pos, rows, deleted);
    } else if (left < were && is_most(s, were, were - left)) {
        shrink_ask(s, pos, were, were - left);
    }
    return !s->asks;
}

/* ---- Snapshots ----------------------------------------------------------- */

bool
shrink_may_replace(struct shrink *s, const struct ha_pos *pos, uint64_t rows,
                   uint64_t deleted)
{
    uint64_t allowed = s->accepted ? s->event.lost : 0;

    /* What was lost since it was allowed is judged by what was to remain. */
    if (deleted > allowed && is_most(s, rows - allowed, deleted - allowed)) {
        shrink_ask(s, pos, rows, deleted);
        return false;
    }
    s->accepted = false;
    s->n = 0;
    return true;
}

/* ---- Asking -------------------------------------------------------------- */

const struct shrink_event *
shrink_asks(const struct shrink *s)
{
    return s->asks ? &s->event : NULL;
}

bool
shrink_accept(struct shrink *s, uint64_t until)
{
    if (!s->asks || s->event.pos.seq > until) {
        return false;
    }
    s->asks = false;
    s->accepted = true;
    s->until = until;
    return true;
}

void
shrink_begin(struct shrink *s, struct ha_epoch epoch)
{
    if (ha_epoch_cmp(epoch, s->epoch)) {
        s->asks = s->accepted = false;
        /* What went meanwhile, while this node was active itself perhaps, is
         * what clients wanted. */
        s->n = 0;
    }
    s->epoch = epoch;
}
