/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/verbs.h"

#include "ha-config.h"

#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/confirm.h"
#include "ctl/daemon.h"
#include "lib/jsonget.h"
#include "lib/table.h"
#include "lib/xalloc.h"

int
verbs_show(const char *method, const char *const argv[])
{
    char *reply;
    int status = daemon_ask(method, argv, &reply);

    if (!status) {
        fputs(reply, stdout);
        free(reply);
    }
    return status;
}

/* Gets the status as JSON, which the caller owns. */
int
verbs_get_status(json_t **ret_status)
{
    static const char *const argv[] = { "--json", NULL };
    json_error_t error;
    char *reply;
    int status = daemon_ask("cluster/status", argv, &reply);

    if (status) {
        return status;
    }
    *ret_status = json_loads(reply, 0, &error);
    free(reply);
    if (!*ret_status) {
        fprintf(stderr, "ovn-hactl: ovn-had's answer is no JSON: %s\n",
                error.text);
        return VERB_FAILED;
    }
    return VERB_FINE;
}

const char *
verbs_operator(void)
{
    const char *sudo = getenv("SUDO_USER");
    const struct passwd *pw = sudo && *sudo ? NULL : getpwuid(getuid());

    return sudo && *sudo ? sudo : pw ? pw->pw_name : "somebody";
}

static int
show_status(bool json)
{
    json_t *status;
    const char *health;
    char *text;
    int rc = verbs_get_status(&status);

    if (rc) {
        return rc;
    }
    text = json ? json_dumps(status, JSON_INDENT(2)) : table_render(status);
    fputs(text, stdout);
    if (json) {
        putchar('\n');
    }
    free(text);
    health = json_string_value(
        json_object_get(json_object_get(status, "cluster"), "health"));
    rc = health && !strcmp(health, "ok") ? VERB_FINE : VERB_UNWELL;
    json_decref(status);
    return rc;
}

int
verb_status(struct verb_args *args)
{
    struct timespec pause = {
        .tv_sec = args->watch_seconds,
        .tv_nsec = (args->watch_seconds - (long) args->watch_seconds) * 1e9,
    };
    bool terminal = isatty(STDOUT_FILENO);

    if (!args->watch) {
        return show_status(args->json);
    }
    /* Until interrupted; a daemon that restarts comes back by itself. */
    for (;;) {
        if (terminal) {
            fputs("\033[H\033[2J", stdout);
        }
        show_status(args->json);
        if (!terminal && !args->json) {
            putchar('\n');
        }
        fflush(stdout);
        nanosleep(&pause, NULL);
    }
}

/* One line TIME|EPOCH|STATE|TEXT as an object. */
static json_t *
history_entry(char *line)
{
    const char *keys[] = { "time", "epoch", "state", "text" };
    json_t *entry = json_object();

    for (int i = 0; i < 4; i++) {
        char *field = i < 3 ? strsep(&line, "|") : line;

        if (!field) {
            break;
        }
        json_object_set_new(entry, keys[i], json_string(field));
    }
    return entry;
}

int
verb_history(struct verb_args *args)
{
    char lines[16], *reply, *rest, *line, *text;
    const char *argv[] = { lines, NULL };
    json_t *list;
    int status;

    snprintf(lines, sizeof lines, "%d", args->lines);
    if (!args->json) {
        return verbs_show("history", argv);
    }
    status = daemon_ask("history", argv, &reply);
    if (status) {
        return status;
    }
    list = json_array();
    for (rest = reply; (line = strsep(&rest, "\n"));) {
        if (*line) {
            json_array_append_new(list, history_entry(line));
        }
    }
    text = json_dumps(list, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(list);
    free(reply);
    return VERB_FINE;
}

/* While the cluster is paused, nobody takes over from the active: whoever stops
 * it ought to know. */
static bool
may_leave(const struct verb_args *args)
{
    json_t *status;
    bool serves, paused;
    char node[128];

    if (args->yes || verbs_get_status(&status)) {
        return true; /* If ovn-had does not answer, the next call tells. */
    }
    snprintf(node, sizeof node, "%s", jsonget_text(status, "node"));
    serves = !strcmp(node, jsonget_text(jsonget(status, "cluster"), "active"));
    paused = !strcmp(
        jsonget_text(jsonget(jsonget(status, "cluster"), "pause"), "state"),
        "on");
    json_decref(status);
    return !serves || !paused
           || confirm_typed("The cluster is paused, so no other node takes "
                            "over: clients are not served\nuntil this node is "
                            "back, or ovn-hactl resume is run elsewhere.",
                            node);
}

int
verb_leave(struct verb_args *args)
{
    struct child had;
    int status, rc = daemon_find(&had);

    if (rc) {
        return rc;
    }
    if (!may_leave(args)) {
        child_close(&had);
        return VERB_FAILED;
    }
    rc = verbs_show("leave", NULL);
    if (!rc
        && child_wait(&had,
                      mono_add_us(mono_now(), args->timeout_seconds * 1e6),
                      &status)) {
        fprintf(stderr,
                "ovn-hactl: ovn-had, process %d, is still there after %g s; "
                "its log says what it waits for\n",
                (int) had.pid, args->timeout_seconds);
        rc = VERB_FAILED;
    }
    child_close(&had);
    return rc;
}

int
verb_reload(struct verb_args *args)
{
    (void) args;
    return verbs_show("reload", NULL);
}

int
verb_config(struct verb_args *args)
{
    (void) args;
    return verbs_show("config", NULL);
}

int
verb_version(struct verb_args *args)
{
    (void) args;
    puts("ovn-hactl (ovn-ha) " PACKAGE_VERSION);
    return verbs_show("version", NULL);
}
