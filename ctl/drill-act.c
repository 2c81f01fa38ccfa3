/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-act.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/daemon.h"
#include "ctl/drill-watch.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"
#include "lib/xalloc.h"

#define CRASH "crash"
#define ISOLATE "isolate"

static const struct act_kind kinds[] = {
    { .name = "switchover", .what = "moves the active role" },
    { "kill-nb", "kills the Northbound database's server", PLAN_ON_ACTIVE,
      "nb", "server_pid", "ovsdb-server", SIGKILL },
    { "kill-sb", "kills the Southbound database's server", PLAN_ON_ACTIVE,
      "sb", "server_pid", "ovsdb-server", SIGKILL },
    { "kill-northd", "kills ovn-northd", PLAN_ON_ACTIVE, "northd", "pid",
      "ovn-northd", SIGKILL },
    { "stop-northd", "stops ovn-northd, as if it hung", PLAN_ON_ACTIVE,
      "northd", "pid", "ovn-northd", SIGSTOP },
    { "kill-supervisor", "kills ovn-had", PLAN_ON_ACTIVE, NULL, NULL,
      "ovn-had", SIGKILL },
    { .name = CRASH,
      .what = "ends all processes of the active, corosync's too",
      .where = PLAN_OFF_ACTIVE },
    { .name = ISOLATE,
      .what = "cuts the active off from corosync",
      .where = PLAN_OFF_ACTIVE },
};

#define N_KINDS (sizeof kinds / sizeof kinds[0])

const struct act_kind *
act_find_kind(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (!strcmp(kinds[i].name, name)) {
            return &kinds[i];
        }
    }
    return NULL;
}

char *
act_kind_names(void)
{
    char *names = ha_strdup(kinds[0].name);

    for (size_t i = 1; i < N_KINDS; i++) {
        char *longer = ha_asprintf("%s, %s", names, kinds[i].name);

        free(names);
        names = longer;
    }
    return names;
}

/* Names of 'list', but for 'name'. */
static json_t *
list_without(const json_t *list, const char *name)
{
    json_t *rest = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);

        if (strcmp(json_string_value(item), name)) {
            json_array_append(rest, item);
        }
    }
    return rest;
}

/* Returns like act_prepare(). */
static char *
prepare_elsewhere(struct act *act, const json_t *status)
{
    const json_t *fencing = jsonget(jsonget(status, "local"), "fencing");

    return act->cut_us && jsonget_true(fencing, "on_proof")
               ? ha_strdup("of a pair that lives on fencing this would switch "
                           "a node off, and not necessarily the active: see "
                           "the drill crash")
               : NULL;
}

static char *
prepare_victim(struct act *act, const json_t *status)
{
    const struct act_kind *kind = act->kind;
    const json_t *part;
    pid_t pid;
    int error;

    if (!kind->part) {
        return daemon_find(&act->victim)
                   ? ha_strdup("ovn-had's process cannot be found")
                   : NULL;
    }
    part = jsonget(jsonget(status, "local"), kind->part);
    pid = json_integer_value(jsonget(part, kind->member));
    error = pid > 0 ? child_adopt(pid, kind->comm, 0, &act->victim) : -ESRCH;
    return error ? ha_asprintf("%s, process %d, cannot be found: %s",
                               kind->comm, (int) pid, strerror(-error))
                 : NULL;
}

char *
act_prepare(struct act *act, const struct act_kind *kind, const char *to,
            int64_t cut_us, const json_t *status)
{
    *act = (struct act){ .kind = kind, .victim = CHILD_NONE };
    snprintf(act->to, sizeof act->to, "%s", to ? to : "");
    snprintf(act->from, sizeof act->from, "%s", watch_active(status));
    act->cut_us = strcmp(kind->name, ISOLATE) ? 0 : cut_us;
    act->in_sync = list_without(jsonget(jsonget(status, "cluster"), "in_sync"),
                                act->from);
    return kind->where == PLAN_OFF_ACTIVE ? prepare_elsewhere(act, status)
           : kind->comm                   ? prepare_victim(act, status)
                                          : NULL;
}

void
act_close(struct act *act)
{
    child_close(&act->victim);
    json_decref(act->in_sync);
    act->in_sync = NULL;
}

bool
act_is_crash(const struct act *act)
{
    return !strcmp(act->kind->name, CRASH);
}

/* Has ovn-had do it.  Returns like act_do(). */
static char *
call(const char *method, const char *const argv[])
{
    char *reply;

    if (daemon_call(method, argv, &reply)) {
        return reply;
    }
    free(reply);
    return NULL;
}

char *
act_do(struct act *act)
{
    char cut[24];
    const char *const to[] = { *act->to ? act->to : NULL, NULL };
    const char *const elsewhere[] = { act->token, cut, NULL };
    int error;

    snprintf(cut, sizeof cut, "%" PRId64, act->cut_us / 1000);
    if (act->kind->where == PLAN_OFF_ACTIVE) {
        return call("drill/act", elsewhere);
    } else if (!act->kind->comm) {
        return call("switchover", to);
    }
    error = child_signal(&act->victim, act->kind->signal);
    return error ? ha_asprintf("%s, process %d, cannot be signalled: %s",
                               act->kind->comm, (int) act->victim.pid,
                               strerror(-error))
                 : NULL;
}

/* A process that was stopped has to be replaced; to wake up does not count. */
bool
act_took_effect(const struct act *act, const json_t *status)
{
    int wait_status;

    if (act->kind->comm) {
        return child_reap(&act->victim, &wait_status) != -EAGAIN;
    }
    return *watch_active(status) && strcmp(watch_active(status), act->from);
}

bool
act_is_well(const struct act *act, const json_t *status)
{
    const json_t *in_sync = jsonget(jsonget(status, "cluster"), "in_sync");
    const char *active = watch_active(status);
    size_t n = 0;

    if (!strcmp(watch_health(status), "ok")) {
        return true;
    } else if (!act_is_crash(act) || !*active || !strcmp(active, act->from)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(in_sync); i++) {
        for (size_t j = 0; j < json_array_size(act->in_sync); j++) {
            n += json_equal(json_array_get(in_sync, i),
                            json_array_get(act->in_sync, j));
        }
    }
    return n == json_array_size(act->in_sync);
}

void
act_undo(struct act *act)
{
    if (act->kind->signal == SIGSTOP) {
        child_signal(&act->victim, SIGCONT);
    }
}
