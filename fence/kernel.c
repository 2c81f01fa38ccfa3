/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/kernel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/seq.h"

#define RESTART_MS 100 /* After a child that died. */

void
kernel_init(struct kernel *k)
{
    *k = (struct kernel){
        .child = CHILD_NONE,
        .fd = -1,
        .next_start = MONO_NEVER,
        .until = MONO_MIN,
        .wish = { .until_us = MONO_MIN.us },
    };
}

/* Lets the child end. */
static void
hang_up(struct kernel *k)
{
    if (k->fd >= 0) {
        close(k->fd);
        k->fd = -1;
    }
    k->busy = false;
}

void
kernel_close(struct kernel *k)
{
    hang_up(k);
    child_close(&k->child);
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
    k->next_start = now;
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
start(struct kernel *k, mono_t now)
{
    int fds[2];
    int error = seq_pair(fds);
    pid_t pid = error ? -1 : fork();

    k->next_start = mono_add_ms(now, RESTART_MS); /* Unless it goes well. */
    if (pid < 0) {
        ha_log(HA_LOG_ERR, "kernel", "cannot start a process: %s",
               strerror(error ? -error : errno));
    } else if (!pid) {
        kernel_child_run(fds[1]);
    }
    if (!error) {
        close(fds[1]);
    }
    if (pid < 0) {
        if (!error) {
            close(fds[0]);
        }
        return;
    }
    k->child = (struct child){ .pid = pid, .pidfd = pidfd_open(pid, 0) };
    k->fd = fds[0];
    k->due = true;
    k->next_start = MONO_NEVER;
}

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
    if (used != (bool) k->wish.use) {
        return; /* It is about an older wish. */
    }
    memcpy(old_why, k->why, sizeof old_why);
    k->state = a->state;
    k->until = (mono_t){ a->until_us };
    snprintf(k->why, sizeof k->why, "%s", a->why);
    tell_change(k, old, old_why);
    if (k->state == WIRE_KERNEL_UNUSED && !k->due) {
        hang_up(k);
    }
}

static void
receive(struct kernel *k, mono_t now)
{
    struct kernel_answer answer;
    ssize_t n;

    while (k->fd >= 0
           && (n = seq_recv(k->fd, &answer, sizeof answer)) != -EAGAIN) {
        if (n == sizeof answer) {
            on_answer(k, &answer);
            continue;
        }
        ha_log(HA_LOG_ERR, "kernel", "process %d is gone", (int) k->child.pid);
        hang_up(k);
        k->next_start = mono_add_ms(now, RESTART_MS);
    }
}

/* ---- Loop ------------------------------------------------------------ */

unsigned int
kernel_poll(const struct kernel *k, struct pollfd pfds[])
{
    unsigned int n = 0;

    if (k->fd >= 0) {
        pfds[n++] = (struct pollfd){ k->fd, POLLIN, 0 };
    } else if (k->child.pidfd >= 0) {
        pfds[n++] = (struct pollfd){ k->child.pidfd, POLLIN, 0 };
    }
    return n;
}

mono_t
kernel_next(const struct kernel *k)
{
    return k->fd >= 0 || k->child.pidfd >= 0 ? MONO_NEVER : k->next_start;
}

void
kernel_run(struct kernel *k, mono_t now)
{
    int status;

    receive(k, now);
    if (k->fd < 0 && k->child.pidfd >= 0
        && child_reap(&k->child, &status) != -EAGAIN) {
        child_close(&k->child);
    }
    if (!mono_before(now, kernel_next(k))) {
        start(k, now);
    }
    if (k->fd >= 0 && k->due && !k->busy
        && !seq_send(k->fd, &k->wish, sizeof k->wish)) {
        k->due = false;
        k->busy = true;
    }
}
