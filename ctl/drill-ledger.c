/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lib/xalloc.h"

void
ledger_init(struct ledger *l)
{
    *l = (struct ledger){ .last_acked = MONO_MIN,
                          .last_seen = MONO_MIN,
                          .last_seen_sent = MONO_MIN };
}

void
ledger_close(struct ledger *l)
{
    free(l->writes);
}

size_t
ledger_add(struct ledger *l, mono_t now)
{
    if (l->n == l->allocated) {
        l->allocated = l->allocated ? 2 * l->allocated : 1024;
        l->writes = ha_realloc(l->writes, l->allocated * sizeof *l->writes);
    }
    l->writes[l->n] = (struct ledger_write){ .sent = now,
                                             .acked = MONO_NEVER,
                                             .seen = MONO_NEVER };
    return l->n++;
}

void
ledger_ack(struct ledger *l, size_t number, mono_t now)
{
    l->writes[number].acked = l->last_acked = now;
    l->n_acked++;
}

void
ledger_seen(struct ledger *l, size_t number, mono_t now)
{
    if (number < l->n && l->writes[number].seen.us == MONO_NEVER.us) {
        l->writes[number].seen = l->last_seen = now;
        l->n_seen++;
        l->last_seen_sent =
            mono_max(l->last_seen_sent, l->writes[number].sent);
    }
}

void
ledger_doubt(struct ledger *l)
{
    for (size_t i = 0; i < l->n; i++) {
        l->writes[i].lost = l->writes[i].acked.us != MONO_NEVER.us;
    }
}

void
ledger_kept(struct ledger *l, size_t number)
{
    if (number < l->n) {
        l->writes[number].lost = false;
    }
}

int64_t
ledger_gap_us(const struct ledger_gap *gap)
{
    return mono_us_between(gap->from, gap->to);
}

/* From 'before' to 'now' nothing happened. */
static void
add_gap(struct ledger_gap *longest, mono_t before, mono_t now, bool over)
{
    struct ledger_gap gap = { before, now, over };

    if (ledger_gap_us(&gap) > ledger_gap_us(longest)) {
        *longest = gap;
    }
}

/* One write that was acknowledged. */
static void
sum_acked(const struct ledger_write *w, mono_t from, mono_t to,
          struct ledger_sums *s)
{
    int64_t delay = mono_us_between(w->acked, mono_min(w->seen, to));

    s->acknowledged++;
    s->lost += w->lost;
    if (!w->lost && !mono_before(w->seen, from)) {
        s->unseen += mono_before(to, w->seen);
        s->sb_delay_us = delay > s->sb_delay_us ? delay : s->sb_delay_us;
    }
}

void
ledger_sum(const struct ledger *l, mono_t from, mono_t to,
           struct ledger_sums *s)
{
    mono_t acked = from, seen = from; /* The last one. */

    *s = (struct ledger_sums){ .outage = { from, from, true },
                               .sb_gap = { from, from, true } };
    for (size_t i = 0; i < l->n; i++) {
        const struct ledger_write *w = &l->writes[i];

        if (mono_before(to, w->acked)) {
            s->unanswered++;
            continue;
        }
        sum_acked(w, from, to, s);
        if (!mono_before(w->acked, from)) {
            add_gap(&s->outage, acked, w->acked, true);
        }
        acked = w->acked;
        if (mono_before(to, w->seen)) {
            continue;
        } else if (!mono_before(w->seen, from)) {
            add_gap(&s->sb_gap, seen, w->seen, true);
        }
        seen = w->seen;
    }
    add_gap(&s->outage, acked, to, false);
    add_gap(&s->sb_gap, seen, to, false);
}

static void
count(mono_t when, mono_t from, int64_t step_us, size_t n, int *counts)
{
    int64_t us = mono_us_between(from, when);

    if (us >= 0 && us / step_us < (int64_t) n) {
        counts[us / step_us]++;
    }
}

void
ledger_count(const struct ledger *l, mono_t from, int64_t step_us, size_t n,
             int *ret_acked, int *ret_seen)
{
    memset(ret_acked, 0, n * sizeof *ret_acked);
    memset(ret_seen, 0, n * sizeof *ret_seen);
    for (size_t i = 0; i < l->n; i++) {
        count(l->writes[i].acked, from, step_us, n, ret_acked);
        count(l->writes[i].seen, from, step_us, n, ret_seen);
    }
}
