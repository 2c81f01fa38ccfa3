/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/daemon.h"
#include "lib/jsonget.h"
#include "lib/xalloc.h"

#define ASK_US 50000
#define DEAF_US 1000000 /* Then it does not answer. */

struct watch {
    watch_tell_func *tell;
    void *aux;
    struct uctl_call *call; /* Under way; or NULL. */
    mono_t started, next;
    json_t *status;
    mono_t asked;
    bool deaf; /* It was told that ovn-had does not answer. */
};

struct watch *
watch_create(watch_tell_func *tell, void *aux)
{
    struct watch *w = ha_calloc(1, sizeof *w);

    w->tell = tell;
    w->aux = aux;
    w->next = mono_now();
    w->asked = MONO_MIN;
    return w;
}

void
watch_destroy(struct watch *w)
{
    if (w) {
        uctl_call_destroy(w->call);
        json_decref(w->status);
        free(w);
    }
}

const char *
watch_active(const json_t *status)
{
    return jsonget_text(jsonget(status, "cluster"), "active");
}

const char *
watch_health(const json_t *status)
{
    return jsonget_text(jsonget(status, "cluster"), "health");
}

size_t
watch_poll(const struct watch *w, struct pollfd *fd)
{
    if (!w->call) {
        return 0;
    }
    *fd = (struct pollfd){ .fd = uctl_call_fd(w->call),
                           .events = uctl_call_events(w->call) };
    return 1;
}

/* Takes over 'text'. */
static void
tell(struct watch *w, mono_t when, char *text)
{
    w->tell(w->aux, when, text);
    free(text);
}

/* How far another node has come that is to be active, in the words in which
 * this node's own history would say it. */
static void
tell_promotion(struct watch *w, const json_t *row, const json_t *old,
               mono_t now)
{
    const char *name = jsonget_text(row, "name");
    const char *state = jsonget_text(row, "state");
    const json_t *why = jsonget(row, "why");
    bool other_state = strcmp(state, jsonget_text(old, "state"));
    bool promoting = !strcmp(state, "promoting");

    if (promoting
        && (other_state
            || strcmp(jsonget_text(why, "code"),
                      jsonget_text(jsonget(old, "why"), "code")))) {
        tell(w, now,
             ha_asprintf("%s is promoting: %s", name,
                         jsonget_text(why, "text")));
    }
    if (jsonget_true(row, "door_open") && !jsonget_true(old, "door_open")) {
        tell(w, now, ha_asprintf("%s: door: open", name));
    }
    if (!strcmp(state, "active") && other_state) {
        tell(w, now, ha_asprintf("%s: promoting -> active", name));
    }
}

static void
tell_others(struct watch *w, const json_t *status, mono_t now)
{
    const char *self = jsonget_text(status, "node");
    const json_t *nodes = jsonget(status, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *row = json_array_get(nodes, i);
        const char *name = jsonget_text(row, "name");
        const json_t *old =
            jsonget_row(jsonget(w->status, "nodes"), "name", name);

        if (old && strcmp(name, self)) {
            tell_promotion(w, row, old, now);
        }
    }
}

static void
tell_changes(struct watch *w, const json_t *status, mono_t now)
{
    const char *active = watch_active(status), *health = watch_health(status);

    if (strcmp(active, watch_active(w->status))) {
        tell(w, now,
             *active ? ha_asprintf("%s is active", active)
                     : ha_strdup("no active node is known here"));
    }
    if (strcmp(health, watch_health(w->status))) {
        tell(w, now, ha_asprintf("the cluster is %s", health));
    }
    tell_others(w, status, now);
}

static void
take(struct watch *w, json_t *status, mono_t now)
{
    if (w->deaf) {
        w->tell(w->aux, now, "ovn-had answers");
        w->deaf = false;
    }
    if (w->status) {
        tell_changes(w, status, now);
    }
    json_decref(w->status);
    w->status = status;
    w->asked = w->started;
}

static void
end_call(struct watch *w)
{
    uctl_call_destroy(w->call);
    w->call = NULL;
}

void
watch_step(struct watch *w, mono_t now)
{
    static const char *const argv[] = { "--json", NULL };
    int error = w->call ? uctl_call_step(w->call) : -ENOENT;
    json_t *status;

    if (!error) {
        status = json_loads(uctl_call_result(w->call), 0, NULL);
        end_call(w);
        if (status) {
            take(w, status, now);
        }
    } else if (w->call
               && (error != -EAGAIN
                   || mono_us_between(w->started, now) > DEAF_US)) {
        end_call(w);
    }
    if (!w->call && !mono_before(now, w->next)) {
        w->next = mono_add_us(now, ASK_US);
        w->started = now;
        w->call = daemon_start("cluster/status", argv);
        if (!w->call && !w->deaf) {
            w->tell(w->aux, now, "ovn-had does not answer on this node");
            w->deaf = true;
        }
    }
}

mono_t
watch_asked(const struct watch *w)
{
    return w->asked;
}

const json_t *
watch_status(const struct watch *w)
{
    return w->status;
}
