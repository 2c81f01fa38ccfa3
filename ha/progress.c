/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/progress.h"

/* Who was not watched for longer than this cannot be blamed for silence: it
 * was the watcher that slept. */
#define BLIND_US 1000000

/* A fresh answer makes all else irrelevant. */
#define FRESH_US 1500000

void
progress_start(struct progress *p, mono_t now)
{
    *p = (struct progress){
        .since = now,
        .moved_at = now,
        .answered_at = now,
        .seen_at = now,
        .stopped_at = MONO_NEVER,
    };
}

void
progress_answer(struct progress *p, mono_t now)
{
    p->answered_at = p->moved_at = now;
}

static bool
longer(mono_t since, mono_t now, int64_t us)
{
    return mono_us_between(since, now) > us;
}

enum progress_verdict
progress_observe(struct progress *p, const struct progress_limits *limits,
                 const struct child_stat *st, int64_t file_bytes, mono_t now)
{
    int64_t blind_us = mono_us_between(p->seen_at, now);

    if (blind_us > BLIND_US) {
        p->moved_at = mono_add_us(p->moved_at, blind_us);
        p->answered_at = mono_add_us(p->answered_at, blind_us);
        if (p->stopped_at.us != MONO_NEVER.us) {
            p->stopped_at = mono_add_us(p->stopped_at, blind_us);
        }
    }
    p->seen_at = now;

    if (st->state != CHILD_STOPPED) {
        p->stopped_at = MONO_NEVER;
    } else if (p->stopped_at.us == MONO_NEVER.us) {
        p->stopped_at = now;
    }
    if (st->cpu_ticks != p->cpu_ticks || file_bytes != p->file_bytes) {
        p->cpu_ticks = st->cpu_ticks;
        p->file_bytes = file_bytes;
        p->moved_at = now;
    }

    if (p->stopped_at.us != MONO_NEVER.us
        && longer(p->stopped_at, now, limits->stopped_us)) {
        return PROGRESS_HUNG;
    }
    if (!longer(p->answered_at, now, FRESH_US)) {
        return PROGRESS_FINE;
    }
    /* To kill a process that waits for the disk does not make the disk
     * faster, and it would not die either. */
    if (longer(p->answered_at, now, limits->busy_us)
        || (st->state != CHILD_BLOCKED
            && longer(p->moved_at, now, limits->idle_us))) {
        return PROGRESS_HUNG;
    }
    return PROGRESS_BUSY;
}
