/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ha/had.h"
#include "ha/history.h"
#include "ha/hook.h"
#include "ha/since.h"
#include "ha/status.h"
#include "lib/jsonget.h"
#include "lib/xalloc.h"

#define SCHEMA 1

/* For 'journalctl MESSAGE_ID=', and in ovn-had(8). */
#define ID_DECISION "aaa772e4d7b64339a5605064d6a427ae"
#define ID_PROBLEM "535c1e98255f44129dedd438b189b0cc"
#define ID_OVER "a348219b0160451d93e3643590017ded"

/* What all events have. */
struct frame {
    const char *node, *state;
    char epoch[32];
};

static void
make_frame(const struct had *h, struct frame *f)
{
    const struct ha_core *c = &h->core;

    f->node = cluster_name(&h->cluster, h->cluster.self);
    f->state = status_state(c->state, h->settings->conf->witness);
    snprintf(f->epoch, sizeof f->epoch, "%u.%u", c->record.epoch.n,
             c->record.epoch.node);
}

/* Adds "problem", which is NULL for what was decided, and hands it over. */
static void
tell_hook(struct had *h, const struct frame *f, const char *event,
          const char *text, const json_t *problem)
{
    time_t now = time(NULL);
    char when[32];
    struct tm tm;
    json_t *o, *line = json_string(text);

    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:o}", "schema", SCHEMA,
                  "time", when, "node", f->node, "event", event, "epoch",
                  f->epoch, "state", f->state, "text",
                  line ? line : json_string("(not UTF-8)"));
    if (problem) {
        json_object_set_new(o, "problem", json_deep_copy(problem));
    }
    hook_add(h->hook, o);
}

void
events_tell(struct had *h, enum ha_log_level level, const char *subsystem,
            const char *text)
{
    size_t n = strlen(subsystem);
    bool twice = !strncmp(text, subsystem, n) && !strncmp(text + n, ": ", 2);
    struct frame f;

    make_frame(h, &f);
    const struct ha_log_field fields[] = {
        { "MESSAGE_ID", ID_DECISION }, { "OVN_HA_EVENT", "decision" },
        { "OVN_HA_NODE", f.node },     { "OVN_HA_EPOCH", f.epoch },
        { "OVN_HA_STATE", f.state },
    };

    ha_log_event(level, subsystem, fields, sizeof fields / sizeof fields[0],
                 twice ? text + n + 2 : text);
    history_add(h->history, h->core.record.epoch, h->core.state, text);
    tell_hook(h, &f, "decision", text, NULL);
}

static void
tell_problem(struct had *h, bool over, const json_t *problem)
{
    const char *event = over ? "problem-over" : "problem";
    const char *code = jsonget_text(problem, "code");
    char *text =
        over ? ha_asprintf(
            "over after %lld s: %s",
            (long long) json_integer_value(jsonget(problem, "seconds")),
            jsonget_text(problem, "text"))
             : ha_asprintf("%s; ends when: %s", jsonget_text(problem, "text"),
                           jsonget_text(problem, "ends"));
    struct frame f;

    make_frame(h, &f);
    const struct ha_log_field fields[] = {
        { "MESSAGE_ID", over ? ID_OVER : ID_PROBLEM },
        { "OVN_HA_EVENT", event },
        { "OVN_HA_NODE", f.node },
        { "OVN_HA_EPOCH", f.epoch },
        { "OVN_HA_STATE", f.state },
        { "OVN_HA_PROBLEM", code },
        { "OVN_HA_PROBLEM_NODE", jsonget_text(problem, "node") },
    };

    ha_log_event(over ? HA_LOG_INFO : HA_LOG_WARN, "problem", fields,
                 sizeof fields / sizeof fields[0], text);
    if (strcmp(code, "events")) {
        /* Else one that fails at it would never come to an end. */
        tell_hook(h, &f, event, text, problem);
    }
    free(text);
}

static void
on_problem(void *h, const json_t *problem)
{
    tell_problem(h, false, problem);
}

static void
on_over(void *h, const json_t *problem)
{
    tell_problem(h, true, problem);
}

void
events_create(struct had *h)
{
    struct since_handler handler = { h, on_problem, on_over };

    h->since = since_create(&handler);
    h->hook = hook_create(h->loop, h->settings);
}

void
events_destroy(struct had *h)
{
    hook_destroy(h->hook);
    since_destroy(h->since);
}
