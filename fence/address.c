/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/address.h"

#include <stdio.h>
#include <string.h>

/* The child is told of a longer lease in steps of this. */
#define RENEW_US 200000

void
address_init(struct address *a, const char *lock_file)
{
    *a = (struct address){ .leave_at = MONO_NEVER };
    snprintf(a->lock_file, sizeof a->lock_file, "%s", lock_file);
    helper_init(&a->helper, "address", address_child_run, a->lock_file);
}

void
address_close(struct address *a)
{
    helper_close(&a->helper);
}

/* ---- What is wanted --------------------------------------------------- */

/* Nothing that was said of an earlier wish counts any more. */
static void
set_wish(struct address *a, bool hold, mono_t until)
{
    a->wish.hold = hold;
    a->wish.until_us = until.us;
    a->wish.serial++;
    a->due = true;
    a->renewed = until;
}

void
address_set(struct address *a, const struct wire_addresses *conf, mono_t now)
{
    if (!memcmp(&a->wish.addresses, conf, sizeof *conf)) {
        return;
    }
    a->wish.addresses = *conf;
    a->wish.addresses.interface[WIRE_IFNAME_LEN - 1] = '\0';
    if (a->wish.addresses.n > WIRE_MAX_ADDRESSES) {
        a->wish.addresses.n = WIRE_MAX_ADDRESSES;
    }
    set_wish(a, a->wish.hold, (mono_t){ a->wish.until_us });
    helper_want(&a->helper, now);
}

void
address_hold(struct address *a, mono_t until)
{
    if (!a->wish.addresses.n || a->leaving) {
        return;
    }
    if (!a->wish.hold) {
        set_wish(a, true, until);
    } else if (mono_before(until, a->renewed)
               || mono_us_between(a->renewed, until) > RENEW_US) {
        /* Less at once: a lease without an end has one again. */
        a->wish.until_us = until.us;
        a->renewed = until;
        a->due = true;
    }
}

void
address_announce(struct address *a)
{
    if (a->wish.addresses.n && !a->wish.announce) {
        a->wish.announce = true;
        a->due = true;
    }
}

void
address_leave(struct address *a, mono_t at)
{
    if (a->wish.hold && !a->leaving) {
        a->leaving = true;
        a->leave_at = at;
    }
}

/* ---- What is so ------------------------------------------------------- */

/* True if the child has said this of what is wanted now. */
static bool
is_said(const struct address *a, enum wire_address_state state)
{
    return a->said.serial == a->wish.serial && a->said.state == state;
}

bool
address_is_held(const struct address *a)
{
    return !a->wish.addresses.n
           || (a->wish.hold && !a->leaving && is_said(a, WIRE_ADDRESS_HELD));
}

bool
address_is_left(const struct address *a)
{
    if (!a->wish.addresses.n) {
        return true;
    }
    return !a->wish.hold && is_said(a, WIRE_ADDRESS_LEFT);
}

enum wire_address_state
address_state(const struct address *a)
{
    if (!a->wish.addresses.n) {
        return WIRE_ADDRESS_NONE;
    } else if (a->said.serial != a->wish.serial) {
        return a->wish.hold ? WIRE_ADDRESS_PROBING : WIRE_ADDRESS_LEAVING;
    }
    return a->said.state;
}

const char *
address_why(const struct address *a)
{
    return a->wish.addresses.n ? a->said.why : "";
}

bool
address_is_unfit(const struct address *a)
{
    return a->wish.addresses.n && a->said.unfit;
}

/* ---- Loop ------------------------------------------------------------- */

unsigned int
address_poll(const struct address *a, struct pollfd pfds[])
{
    return helper_poll(&a->helper, pfds);
}

mono_t
address_next(const struct address *a)
{
    return mono_min(helper_next(&a->helper), a->leave_at);
}

static void
receive(struct address *a, mono_t now)
{
    struct address_answer answer;
    int n;

    while ((n = helper_receive(&a->helper, &answer, sizeof answer, now)) > 0) {
        answer.why[sizeof answer.why - 1] = '\0';
        helper_answered(&a->helper, answer.n_wishes);
        if (answer.serial == a->wish.serial) {
            a->said = answer;
        }
    }
    if (n < 0) {
        /* It left them before it died, or the next one does. */
        a->wish.serial++;
    }
    if (is_said(a, WIRE_ADDRESS_NONE)) {
        helper_hang_up(&a->helper);
    }
}

void
address_run(struct address *a, bool shut, mono_t now)
{
    if (a->leave_at.us != MONO_NEVER.us
        && (shut || !mono_before(now, a->leave_at))) {
        a->leave_at = MONO_NEVER;
        a->wish.announce = false;
        set_wish(a, false, MONO_MIN);
    }
    receive(a, now);
    if (a->leaving && address_is_left(a)) {
        a->leaving = false;
    }
    if (helper_run(&a->helper, now)) {
        a->due = true;
    }
    if (a->due && helper_send(&a->helper, &a->wish, sizeof a->wish, now)) {
        a->due = false;
    }
}
