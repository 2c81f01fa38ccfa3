/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/tell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum wire_door
door_state(const struct worker *w)
{
    if (!w->door.want_open) {
        return !door_is_shut(&w->door)    ? WIRE_DOOR_CLOSING
               : !epoch_is_none(w->serve) ? WIRE_DOOR_WAITING
               : worker_is_shut(w)        ? WIRE_DOOR_CLOSED
                                          : WIRE_DOOR_CLOSING;
    }
    return door_is_open(&w->door) ? WIRE_DOOR_OPEN : WIRE_DOOR_OPENING;
}

/* Why the door is not open. */
static void
make_why(const struct worker *w, mono_t now, char why[WIRE_WHY_LEN])
{
    const char *door = door_why(&w->door);

    if (door[0]) {
        snprintf(why, WIRE_WHY_LEN, "%s", door);
    } else if (epoch_is_none(w->serve)) {
        snprintf(why, WIRE_WHY_LEN, "%s", w->closed_why);
    } else if (!w->has_lease && !link_is_up(&w->link)) {
        snprintf(why, WIRE_WHY_LEN, "%s", link_why(&w->link));
    } else if (!w->has_lease && lease_holder_alive(&w->holder, now)
               && !mono_before(now, kernel_until(&w->kernel))) {
        snprintf(why, WIRE_WHY_LEN, "no lease in the kernel: %.120s",
                 w->kernel.why[0] ? w->kernel.why
                                  : "it is not renewed in time");
    } else if (!w->has_lease) {
        snprintf(why, WIRE_WHY_LEN, "%u of %u supporters acknowledged",
                 lease_holder_n_bound(&w->holder, now), w->config.supporters);
    } else if (worker_is_shut(w)
               && !watchdog_lets_open(&w->watchdog,
                                      lease_holder_until(&w->holder))) {
        snprintf(why, WIRE_WHY_LEN, "the watchdog is being armed");
    } else if (!address_is_held(&w->address)) {
        snprintf(why, WIRE_WHY_LEN, "virtual IP: %.140s",
                 address_why(&w->address)[0] ? address_why(&w->address)
                                             : "it is being taken");
    } else {
        why[0] = '\0';
    }
}

static int64_t
state_time(mono_t t)
{
    return t.us == MONO_MIN.us ? 0 : t.us;
}

static void
make_state(const struct worker *w, mono_t now, struct wire_f_state *ret)
{
    mono_t until = lease_holder_until(&w->holder);

    memset(ret, 0, sizeof *ret);
    ret->serve = w->serve;
    ret->support = w->supporter.epoch;
    ret->door = door_state(w);
    ret->n_acks = lease_holder_n_bound(&w->holder, now);
    if (mono_before(now, until)) {
        ret->lease_left_us = mono_us_between(now, until);
    }
    if (w->configured) {
        ret->old_promise_left_us =
            lease_supporter_old_left_us(&w->supporter, now);
    }
    ret->opened_us = state_time(w->door.opened);
    ret->closed_us = state_time(w->door.closed);
    ret->lease_losses = w->lease_losses;
    ret->pid = getpid();
    make_why(w, now, ret->why);
    ret->kernel = w->kernel.state;
    snprintf(ret->kernel_why, sizeof ret->kernel_why, "%s", w->kernel.why);
    ret->endless = w->holder.end != LEASE_ORDINARY;
    ret->endless_token = w->endless_token;
    ret->address = address_state(&w->address);
    ret->address_unfit = address_is_unfit(&w->address);
    snprintf(ret->address_why, sizeof ret->address_why, "%s",
             address_why(&w->address));
    ret->watchdog = w->watchdog.is;
}

/* True if nothing is new that the supervisor waits for. */
static bool
is_as_told(const struct wire_f_state *s, const struct wire_f_state *told)
{
    return !ha_epoch_cmp(s->serve, told->serve)
           && !ha_epoch_cmp(s->support, told->support) && s->door == told->door
           && s->lease_losses == told->lease_losses
           && s->kernel == told->kernel
           && !strcmp(s->kernel_why, told->kernel_why)
           && s->endless == told->endless && s->address == told->address
           && s->address_unfit == told->address_unfit
           && !strcmp(s->address_why, told->address_why)
           && !memcmp(&s->watchdog, &told->watchdog, sizeof s->watchdog)
           && !s->lease_left_us == !told->lease_left_us;
}

void
tell_state(struct worker *w, mono_t now)
{
    struct wire_f_state s;

    if (w->sup.fd < 0) {
        return;
    }
    make_state(w, now, &s);
    if (!w->answer_due && is_as_told(&s, &w->told)) {
        return;
    }
    if (sup_send(&w->sup, WIRE_F_STATE, &s, sizeof s, now) != -EAGAIN) {
        w->answer_due = false;
        w->told = s;
    }
}

void
tell_supported(struct worker *w, mono_t now)
{
    struct wire_f_supported s = { .epoch = w->supporting };

    if (epoch_is_none(w->supporting)
        || (ha_epoch_cmp(w->serve, w->supporting) && !worker_is_shut(w))) {
        return;
    }
    s.old_promise_left_us = lease_supporter_old_left_us(&w->supporter, now);
    if (sup_send(&w->sup, WIRE_F_SUPPORTED, &s, sizeof s, now) != -EAGAIN) {
        w->supporting = NO_EPOCH;
    }
}
