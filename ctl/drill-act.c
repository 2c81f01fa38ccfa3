/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-act.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/daemon.h"
#include "ctl/drill-watch.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"
#include "lib/xalloc.h"

static const struct act_kind kinds[] = {
    { .name = "switchover", .what = "moves the active role" },
    { "kill-nb", "kills the Northbound database's server", true, "nb",
      "server_pid", "ovsdb-server", SIGKILL },
    { "kill-sb", "kills the Southbound database's server", true, "sb",
      "server_pid", "ovsdb-server", SIGKILL },
    { "kill-northd", "kills ovn-northd", true, "northd", "pid", "ovn-northd",
      SIGKILL },
    { "stop-northd", "stops ovn-northd, as if it hung", true, "northd", "pid",
      "ovn-northd", SIGSTOP },
    { "kill-supervisor", "kills ovn-had", true, NULL, NULL, "ovn-had",
      SIGKILL },
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

char *
act_prepare(struct act *act, const struct act_kind *kind, const char *to,
            const json_t *status)
{
    const json_t *part;
    pid_t pid;
    int error;

    *act = (struct act){ .kind = kind, .victim = CHILD_NONE };
    snprintf(act->to, sizeof act->to, "%s", to ? to : "");
    snprintf(act->from, sizeof act->from, "%s", watch_active(status));
    if (!kind->comm) {
        return NULL;
    } else if (!kind->part) {
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

void
act_close(struct act *act)
{
    child_close(&act->victim);
}

char *
act_do(struct act *act)
{
    const char *argv[] = { *act->to ? act->to : NULL, NULL };
    char *reply;
    int error;

    if (act->kind->comm) {
        error = child_signal(&act->victim, act->kind->signal);
        return error ? ha_asprintf("%s, process %d, cannot be signalled: %s",
                                   act->kind->comm, (int) act->victim.pid,
                                   strerror(-error))
                     : NULL;
    }
    if (daemon_call("switchover", argv, &reply)) {
        return reply;
    }
    free(reply);
    return NULL;
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

void
act_undo(struct act *act)
{
    if (act->kind->signal == SIGSTOP) {
        child_signal(&act->victim, SIGCONT);
    }
}
