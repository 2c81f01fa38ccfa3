/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/reset.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"

void
reset_init(struct reset *r)
{
    *r = (struct reset){ .child = CHILD_NONE };
}

void
reset_close(struct reset *r)
{
    child_close(&r->child);
}

void
reset_set(struct reset *r, const struct wire_watchdog *conf)
{
    snprintf(r->program, sizeof r->program, "%.*s",
             (int) sizeof conf->reset_program - 1, conf->reset_program);
    r->after_ms = conf->reset_after_ms;
}

mono_t
reset_next(const struct reset *r, mono_t since)
{
    return r->program[0] && !r->run ? mono_add_ms(since, r->after_ms)
                                    : MONO_NEVER;
}

void
reset_run(struct reset *r, mono_t since, const char *what, mono_t now)
{
    const char *const argv[] = { r->program, what, NULL };
    struct child_spec spec = { .argv = argv };
    int error;

    if (since.us == MONO_NEVER.us) {
        r->run = false;
    }
    if (mono_before(now, reset_next(r, since))) {
        return;
    }
    r->run = true;
    ha_log(HA_LOG_ERR, "reset",
           "running %s: what was killed %u ms ago does not end; %s",
           r->program, r->after_ms, what);
    child_close(&r->child);
    error = child_spawn(&spec, &r->child);
    if (error) {
        ha_log(HA_LOG_ERR, "reset", "%s cannot be started: %s", r->program,
               strerror(-error));
    }
}
