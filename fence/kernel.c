/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/kernel.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"

void
kernel_init(struct kernel *k)
{
    *k = (struct kernel){
        .until = MONO_MIN,
        .wish = { .until_us = MONO_MIN.us },
    };
    helper_init(&k->helper, "kernel", kernel_child_run, NULL);
}

void
kernel_close(struct kernel *k)
{
    helper_close(&k->helper);
}

/* ---- What is wanted -------------------------------------------------- */

static void
set_wish(struct kernel *k, const struct kernel_wish *wish)
{
    if (memcmp(&k->wish, wish, sizeof *wish)) {
        k->wish = *wish;
        k->due = true;
    }
}

/* Begins to want it, or to want nothing in the kernel.  'until' counts until
 * that is answered. */
static void
set_use(struct kernel *k, bool use, mono_t until, mono_t now)
{
    struct kernel_wish wish = { .use = use, .until_us = MONO_MIN.us };

    set_wish(k, &wish);
    k->due = true;
    k->state = WIRE_KERNEL_PENDING;
    k->until = until;
    snprintf(k->why, sizeof k->why, "it is being %s",
             use ? "set up" : "taken out");
    helper_want(&k->helper, now);
}

void
kernel_set(struct kernel *k, enum wire_kernel_lease policy, bool endless,
           bool serving, mono_t now)
{
    bool use = policy >= WIRE_KERNEL_LEASE_AUTO && !endless;

    if (policy == WIRE_KERNEL_LEASE_UNTOLD) {
        return;
    }
    if (k->policy == WIRE_KERNEL_LEASE_UNTOLD || k->wish.use != use) {
        set_use(k, use, use && !serving ? MONO_MIN : MONO_NEVER, now);
    }
    k->policy = policy;
}

void
kernel_renew(struct kernel *k, mono_t until, const pid_t pids[HA_N_DBS])
{
    struct kernel_wish wish = k->wish;

    if (!k->wish.use) {
        return;
    }
    wish.until_us = until.us;
    for (int db = 0; db < HA_N_DBS; db++) {
        wish.pids[db] = pids[db];
    }
    set_wish(k, &wish);
}

mono_t
kernel_until(const struct kernel *k)
{
    switch (k->state) {
    case WIRE_KERNEL_UNUSED:
        return MONO_NEVER;
    case WIRE_KERNEL_PENDING:
    case WIRE_KERNEL_USED:
        return k->until;
    case WIRE_KERNEL_MISSING:
        return k->policy == WIRE_KERNEL_LEASE_ON ? MONO_MIN : MONO_NEVER;
    }
    return MONO_MIN;
}

void
kernel_remove(struct kernel *k, mono_t now)
{
    if (k->wish.use) {
        set_use(k, false, MONO_NEVER, now);
    }
}

bool
kernel_is_removed(const struct kernel *k)
{
    return k->state == WIRE_KERNEL_UNUSED || k->state == WIRE_KERNEL_MISSING;
}

/* ---- The child ------------------------------------------------------- */

static void
tell_change(const struct kernel *k, enum wire_kernel old, const char *old_why)
{
    if (k->state == old && !strcmp(k->why, old_why)) {
        return;
    }
    if (k->state == WIRE_KERNEL_MISSING) {
        ha_log(HA_LOG_WARN, "kernel",
               "no lease in the kernel: %s; a node that was frozen may "
               "acknowledge writes late",
               k->why);
    } else if (k->why[0]) {
        ha_log(HA_LOG_WARN, "kernel", "%s", k->why);
    } else if (k->state == WIRE_KERNEL_USED) {
        ha_log(HA_LOG_INFO, "kernel", "the kernel holds the lease, too");
    }
}

static void
on_answer(struct kernel *k, const struct kernel_answer *a)
{
    bool used = a->state != WIRE_KERNEL_UNUSED;
    enum wire_kernel old = k->state;
    char old_why[WIRE_WHY_LEN];

    k->busy = false;
    helper_answered(&k->helper, k->helper.n_sent);
    if (used != (bool) k->wish.use) {
        return; /* It is about an older wish. */
    }
    memcpy(old_why, k->why, sizeof old_why);
    k->state = a->state;
    k->until = (mono_t){ a->until_us };
    snprintf(k->why, sizeof k->why, "%s", a->why);
    tell_change(k, old, old_why);
    if (k->state == WIRE_KERNEL_UNUSED && !k->due) {
        helper_hang_up(&k->helper);
    }
}

/* ---- Loop ------------------------------------------------------------ */

unsigned int
kernel_poll(const struct kernel *k, struct pollfd pfds[])
{
    return helper_poll(&k->helper, pfds);
}

mono_t
kernel_next(const struct kernel *k)
{
    return helper_next(&k->helper);
}

void
kernel_run(struct kernel *k, mono_t now)
{
    struct kernel_answer answer;
    int n;

    while ((n = helper_receive(&k->helper, &answer, sizeof answer, now)) > 0) {
        on_answer(k, &answer);
    }
    if (helper_run(&k->helper, now)) {
        k->due = true;
        k->busy = false;
    }
    if (k->due && !k->busy
        && helper_send(&k->helper, &k->wish, sizeof k->wish, now)) {
        k->due = false;
        k->busy = true;
    }
}
