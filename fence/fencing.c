/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/fencing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAUSE_US 1000000  /* Before a step is tried again. */
#define SPREAD_US 250000  /* Between the first runs of two devices. */
#define RECENT_MONITORS 3 /* What was said so many monitors ago is stale. */

void
fencing_start(struct fencing *f, mono_t now)
{
    for (uint32_t i = 0; i < f->n_devices; i++) {
        struct fencing_device *d = &f->devices[i];

        d->fits = d->well = d->for_target = d->abort = false;
        d->answered = d->tried = MONO_MIN;
        d->running = FENCING_NONE;
        d->next = mono_add_us(now, i * SPREAD_US);
        d->why[0] = '\0';
    }
    for (uint32_t i = 0; i < f->n_targets; i++) {
        struct fencing_target *t = &f->targets[i];

        t->phase = FENCING_IDLE;
        t->step = FENCING_STEP_END;
        t->fenced = MONO_MIN;
        t->why[0] = '\0';
    }
}

static struct fencing_target *
find_target(struct fencing *f, uint32_t node)
{
    for (uint32_t i = 0; i < f->n_targets; i++) {
        if (f->targets[i].node == node) {
            return &f->targets[i];
        }
    }
    return NULL;
}

/* True if 'device' is of any level of 't', or confirms. */
static bool
target_uses(const struct fencing_target *t, uint32_t device)
{
    for (uint32_t l = 0; l < FENCING_MAX_LEVELS; l++) {
        for (uint32_t i = 0; i < t->levels[l].n; i++) {
            if (t->levels[l].devices[i] == device) {
                return true;
            }
        }
    }
    return t->has_confirm && t->confirm == device;
}

/* True if a step is to be taken. */
static bool
target_is_busy(const struct fencing_target *t)
{
    return t->step != FENCING_STEP_END
           && (t->phase == FENCING_WORKING || t->step == FENCING_STEP_ON);
}

bool
fencing_can(const struct fencing *f, uint32_t node)
{
    const struct fencing_target *t = find_target((struct fencing *) f, node);

    return t && t->levels[0].n;
}

bool
fencing_believes(const struct fencing_device *d, mono_t now)
{
    return d->fits
           && mono_before(
               now, mono_add_us(d->answered, RECENT_MONITORS * d->monitor_us
                                                 + d->timeout_us));
}

const char *
fencing_action_name(enum fencing_action action)
{
    switch (action) {
    case FENCING_METADATA:
        return "metadata";
    case FENCING_MONITOR:
        return "monitor";
    case FENCING_STATUS:
        return "status";
    case FENCING_OFF:
        return "off";
    case FENCING_ON:
        return "on";
    case FENCING_NONE:
        break;
    }
    return "nothing";
}

/* ---- Steps of a target ---------------------------------------------- */

static uint32_t
step_device(const struct fencing_target *t)
{
    return t->step == FENCING_STEP_CONFIRM
                   || t->step == FENCING_STEP_CONFIRM_HEAR
               ? t->confirm
               : t->levels[t->level].devices[t->pos];
}

static void
go_to(struct fencing_target *t, enum fencing_step step, mono_t now)
{
    t->step = step;
    t->failures = 0;
    t->step_next = now;
    t->step_end = MONO_NEVER;
}

/* Begins with the first device of level 'level'. */
static void
begin_level(struct fencing_target *t, uint32_t level, mono_t now)
{
    t->level = level;
    t->pos = 0;
    go_to(t, FENCING_STEP_HEAR, now);
}

/* What is not a step of fencing must not keep a node from being fenced for as
 * long as it hangs. */
static void
clear_the_way(struct fencing_device *d)
{
    d->abort = d->running != FENCING_NONE
               && (!d->for_target || d->running == FENCING_ON);
}

int
fencing_request(struct fencing *f, uint32_t node, uint32_t token, mono_t now)
{
    struct fencing_target *t = find_target(f, node);

    if (!t || !t->levels[0].n) {
        return -ENODEV;
    }
    t->token = token;
    if (t->phase == FENCING_WORKING) {
        return 0;
    }
    t->phase = FENCING_WORKING;
    t->since = now;
    t->fenced = MONO_MIN;
    t->why[0] = '\0';
    begin_level(t, 0, now);
    for (uint32_t i = 0; i < f->n_devices; i++) {
        if (target_uses(t, i)) {
            clear_the_way(&f->devices[i]);
        }
    }
    return 0;
}

static void
prove(struct fencing_target *t, mono_t now)
{
    t->phase = FENCING_FENCED;
    t->fenced = now;
    t->pos = 0;
    go_to(t, t->power_on ? FENCING_STEP_ON : FENCING_STEP_END, now);
}

/* Goes on after a step that went well. */
static void
advance(struct fencing *f, struct fencing_target *t, mono_t now)
{
    const struct fencing_level *level = &t->levels[t->level];

    switch (t->step) {
    case FENCING_STEP_HEAR:
        go_to(t, FENCING_STEP_OFF, now);
        break;
    case FENCING_STEP_OFF:
        go_to(t, FENCING_STEP_STATUS, now);
        t->step_end = mono_add_us(now, f->devices[step_device(t)].timeout_us);
        break;
    case FENCING_STEP_STATUS:
        if (++t->pos < level->n) {
            go_to(t, FENCING_STEP_HEAR, now);
        } else if (t->has_confirm) {
            go_to(t, FENCING_STEP_CONFIRM_HEAR, now);
        } else {
            prove(t, now);
        }
        break;
    case FENCING_STEP_CONFIRM_HEAR:
        go_to(t, FENCING_STEP_CONFIRM, now);
        t->step_end = mono_add_us(now, f->devices[t->confirm].timeout_us);
        break;
    case FENCING_STEP_CONFIRM:
        prove(t, now);
        break;
    case FENCING_STEP_ON:
        if (++t->pos < level->n) {
            go_to(t, FENCING_STEP_ON, now);
        } else {
            go_to(t, FENCING_STEP_END, now);
        }
        break;
    case FENCING_STEP_END:
        break;
    }
}

/* This level cannot do it. */
static void
give_up_level(struct fencing_target *t, mono_t now)
{
    if (t->level + 1 < FENCING_MAX_LEVELS && t->levels[t->level + 1].n) {
        begin_level(t, t->level + 1, now);
    } else {
        t->phase = FENCING_FAILED;
        go_to(t, FENCING_STEP_END, now);
    }
}

/* A step failed.  Waiting for "off" has a time of its own instead of a count:
 * a machine takes its time to die. */
static void
step_failed(struct fencing *f, struct fencing_target *t, bool still_on,
            const char *why, mono_t now)
{
    snprintf(t->why, sizeof t->why, "%s", why);
    t->step_next = mono_add_us(now, PAUSE_US);
    if (still_on ? mono_before(t->step_next, t->step_end)
                 : t->failures++ < f->devices[step_device(t)].retries) {
        return;
    }
    if (t->step == FENCING_STEP_ON) {
        advance(f, t, now);
    } else {
        give_up_level(t, now);
    }
}

static void
step_done(struct fencing *f, struct fencing_target *t,
          enum fencing_outcome outcome, const char *why, mono_t now)
{
    bool asks =
        t->step == FENCING_STEP_STATUS || t->step == FENCING_STEP_CONFIRM;

    if (outcome == FENCING_BAD) {
        step_failed(f, t, false, why, now);
    } else if (asks && outcome != FENCING_IS_OFF) {
        step_failed(f, t, true, "it says that the node is still on", now);
    } else {
        advance(f, t, now);
    }
}

/* What 't' wants of its device; FENCING_NONE: nothing now. */
static enum fencing_action
step_action(struct fencing *f, struct fencing_target *t, mono_t now)
{
    const struct fencing_device *d;

    if (!target_is_busy(t) || mono_before(now, t->step_next)) {
        return FENCING_NONE;
    }
    d = &f->devices[step_device(t)];
    if (d->running != FENCING_NONE) {
        return FENCING_NONE;
    }
    switch (t->step) {
    case FENCING_STEP_HEAR:
    case FENCING_STEP_CONFIRM_HEAR:
        return d->fits ? FENCING_MONITOR : FENCING_METADATA;
    case FENCING_STEP_OFF:
        return FENCING_OFF;
    case FENCING_STEP_ON:
        return FENCING_ON;
    default:
        return FENCING_STATUS;
    }
}

/* Passes by what needs no run. */
static void
skip_steps(struct fencing *f, struct fencing_target *t, mono_t now)
{
    while (t->phase == FENCING_WORKING
           && (t->step == FENCING_STEP_HEAR
               || t->step == FENCING_STEP_CONFIRM_HEAR)
           && fencing_believes(&f->devices[step_device(t)], now)) {
        advance(f, t, now);
    }
}

/* ---- Runs ----------------------------------------------------------- */

static bool
begin(struct fencing_device *d, uint32_t device, enum fencing_action action,
      struct fencing_run *ret_run)
{
    d->running = action;
    d->abort = false;
    *ret_run = (struct fencing_run){ device, action, d->timeout_us };
    return true;
}

/* True if a target is being fenced that needs 'device'. */
static bool
is_needed(const struct fencing *f, uint32_t device)
{
    for (uint32_t i = 0; i < f->n_targets; i++) {
        if (target_is_busy(&f->targets[i])
            && target_uses(&f->targets[i], device)) {
            return true;
        }
    }
    return false;
}

bool
fencing_next(struct fencing *f, mono_t now, struct fencing_run *ret_run)
{
    for (uint32_t i = 0; i < f->n_targets; i++) {
        struct fencing_target *t = &f->targets[i];
        enum fencing_action action;

        skip_steps(f, t, now);
        action = step_action(f, t, now);
        if (action != FENCING_NONE) {
            struct fencing_device *d = &f->devices[step_device(t)];

            d->for_target = true;
            d->target = i;
            return begin(d, step_device(t), action, ret_run);
        }
    }
    for (uint32_t i = 0; i < f->n_devices; i++) {
        struct fencing_device *d = &f->devices[i];

        if (d->running == FENCING_NONE && !mono_before(now, d->next)
            && !is_needed(f, i)) {
            d->for_target = false;
            return begin(d, i, d->fits ? FENCING_MONITOR : FENCING_METADATA,
                         ret_run);
        }
    }
    return false;
}

/* True if a run of 'action' is what the present step of 't' waits for. */
static bool
is_of_step(const struct fencing_target *t, enum fencing_action action)
{
    switch (t->step) {
    case FENCING_STEP_HEAR:
    case FENCING_STEP_CONFIRM_HEAR:
        return action == FENCING_MONITOR || action == FENCING_METADATA;
    case FENCING_STEP_OFF:
        return action == FENCING_OFF;
    case FENCING_STEP_STATUS:
    case FENCING_STEP_CONFIRM:
        return action == FENCING_STATUS;
    case FENCING_STEP_ON:
        return action == FENCING_ON;
    case FENCING_STEP_END:
        break;
    }
    return false;
}

/* Takes what a run says about the device itself. */
static void
note_device(struct fencing_device *d, enum fencing_action action,
            enum fencing_outcome outcome, const char *why, mono_t now)
{
    d->tried = now;
    d->well = outcome != FENCING_BAD;
    snprintf(d->why, sizeof d->why, "%s", d->well ? "" : why);
    d->next = mono_add_us(now, d->monitor_us);
    if (action == FENCING_METADATA) {
        d->fits = d->well;
        d->well = false; /* It has not answered anything yet. */
        d->next = d->fits ? now : d->next;
    } else if (outcome == FENCING_GOOD
               && (action == FENCING_MONITOR || action == FENCING_STATUS)) {
        d->answered = now;
    }
}

void
fencing_done(struct fencing *f, uint32_t device, enum fencing_outcome outcome,
             const char *why, mono_t now)
{
    struct fencing_device *d = &f->devices[device];
    enum fencing_action action = d->running;
    bool aborted = d->abort;

    d->running = FENCING_NONE;
    d->abort = false;
    if (aborted && outcome == FENCING_BAD) {
        return; /* That says nothing about it. */
    }
    if (outcome == FENCING_IS_OFF && action != FENCING_STATUS) {
        outcome = FENCING_BAD;
    }
    note_device(d, action, outcome, why, now);
    if (!d->for_target) {
        return;
    }
    d->for_target = false;
    if (!is_of_step(&f->targets[d->target], action)
        || (action == FENCING_METADATA && outcome != FENCING_BAD)) {
        return; /* Of an earlier request; or the step is still to come. */
    }
    step_done(f, &f->targets[d->target], outcome, why, now);
}

mono_t
fencing_due(const struct fencing *f)
{
    mono_t due = MONO_NEVER;

    for (uint32_t i = 0; i < f->n_devices; i++) {
        if (f->devices[i].running == FENCING_NONE && !is_needed(f, i)) {
            due = mono_min(due, f->devices[i].next);
        }
    }
    for (uint32_t i = 0; i < f->n_targets; i++) {
        const struct fencing_target *t = &f->targets[i];

        if (target_is_busy(t)
            && f->devices[step_device(t)].running == FENCING_NONE) {
            due = mono_min(due, t->step_next);
        }
    }
    return due;
}
