/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-probe.h"

#include <signal.h>
#include <stdlib.h>

#include "lib/child.h"
#include "lib/xalloc.h"

#define EVERY_US 100000
#define PATIENCE_US 5000000 /* Then a run is ended, and has failed. */

struct probe {
    char *name;
    char *command;
    struct child child; /* CHILD_NONE: none runs. */
    mono_t started, next;
    size_t n, n_failed;
    mono_t failing_since; /* MONO_NEVER: the last run was well. */
    int64_t outage_us;
};

struct probe *
probe_create(const char *command, bool ping)
{
    struct probe *p = ha_calloc(1, sizeof *p);

    p->name = ha_asprintf("%s%s", ping ? "ping " : "", command);
    p->command =
        ha_asprintf("%s%s", ping ? "ping -n -c 1 -W 1 " : "", command);
    p->child = CHILD_NONE;
    p->next = mono_now();
    p->failing_since = MONO_NEVER;
    return p;
}

static void
end_child(struct probe *p)
{
    child_close(&p->child);
    p->child = CHILD_NONE;
}

void
probe_destroy(struct probe *p)
{
    int status;

    if (p) {
        if (p->child.pid > 0) {
            child_signal_group(&p->child, SIGKILL);
            child_wait(&p->child, mono_add_us(mono_now(), EVERY_US), &status);
            end_child(p);
        }
        free(p->name);
        free(p->command);
        free(p);
    }
}

size_t
probe_poll(const struct probe *p, struct pollfd *fd)
{
    if (p->child.pid <= 0) {
        return 0;
    }
    *fd = (struct pollfd){ .fd = p->child.pidfd, .events = POLLIN };
    return 1;
}

static int64_t
outage_until(const struct probe *p, mono_t now)
{
    int64_t us = p->failing_since.us == MONO_NEVER.us
                     ? 0
                     : mono_us_between(p->failing_since, now);

    return us > p->outage_us ? us : p->outage_us;
}

static void
count(struct probe *p, bool well, mono_t now)
{
    p->n++;
    if (well) {
        p->outage_us = outage_until(p, now);
        p->failing_since = MONO_NEVER;
    } else {
        p->n_failed++;
        p->failing_since = mono_min(p->failing_since, p->started);
    }
}

static void
start(struct probe *p, mono_t now)
{
    const char *const argv[] = { "/bin/sh", "-c", p->command, NULL };
    struct child_spec spec = { .argv = argv, .log_path = "/dev/null" };

    p->started = now;
    p->next = mono_add_us(now, EVERY_US);
    if (child_spawn(&spec, &p->child)) {
        p->child = CHILD_NONE;
        count(p, false, now);
    }
}

void
probe_step(struct probe *p, mono_t now)
{
    int status;

    if (p->child.pid > 0 && !child_reap(&p->child, &status)) {
        count(p, status == 0, now);
        end_child(p);
    } else if (p->child.pid > 0
               && mono_us_between(p->started, now) > PATIENCE_US) {
        child_signal_group(&p->child, SIGKILL);
    }
    if (p->child.pid <= 0 && !mono_before(now, p->next)) {
        start(p, now);
    }
}

void
probe_sum(const struct probe *p, mono_t now, struct probe_sums *s)
{
    *s = (struct probe_sums){ .name = p->name,
                              .n = p->n,
                              .n_failed = p->n_failed,
                              .outage_us = outage_until(p, now) };
}
