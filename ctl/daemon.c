/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/verbs.h"
#include "lib/conf.h"
#include "lib/durable.h"
#include "lib/uctl.h"
#include "lib/xalloc.h"

#define CALL_MS 10000

/* Where ovn-had puts its files.  Who may not read the configuration gets the
 * default, and so does one that is wrong: ovn-had may run with an older one. */
static const char *
run_dir(void)
{
    static char *found;
    const char *dir = getenv("OVN_RUNDIR");
    struct conf *conf;
    char *error;

    if (dir && *dir) {
        return dir;
    }
    if (!found && !conf_load(CONF_DEFAULT_FILE, false, &conf, &error)) {
        found = ha_strdup(conf->ovn_run_dir);
        conf_destroy(conf);
    } else if (!found) {
        free(error);
        found = ha_strdup("/run/ovn");
    }
    return found;
}

/* Returns the control socket's path, or NULL and a sentence. */
static char *
find_socket(char **ret_error)
{
    char *path = ha_asprintf("%s/ovn-had.pid", run_dir()), *text;
    size_t n;
    long pid;
    int error = durable_read(path, 64, &text, &n);

    if (error) {
        *ret_error =
            error == -ENOENT
                ? ha_asprintf("ovn-had is not running here (there is no "
                              "%s)",
                              path)
                : ha_asprintf("%s: %s", path, strerror(-error));
        free(path);
        return NULL;
    }
    pid = strtol(text, NULL, 10);
    free(text);
    free(path);
    return ha_asprintf("%s/ovn-had.%ld.ctl", run_dir(), pid);
}

int
daemon_call(const char *method, const char *const argv[], char **ret_reply)
{
    char *path = find_socket(ret_reply), *result, *refusal;
    int error;

    if (!path) {
        return VERB_UNREACHABLE;
    }
    error =
        uctl_call_wait(path, method, argv, mono_add_ms(mono_now(), CALL_MS),
                       &result, &refusal);
    if (error) {
        *ret_reply = error == -ECONNREFUSED || error == -ENOENT
                         ? ha_asprintf("ovn-had is not running here (nobody "
                                       "listens on %s)",
                                       path)
                         : ha_asprintf("ovn-had does not answer on %s: %s",
                                       path, strerror(-error));
        free(path);
        return VERB_UNREACHABLE;
    }
    free(path);
    *ret_reply = result ? result : refusal;
    return result ? VERB_FINE : VERB_FAILED;
}

int
daemon_ask(const char *method, const char *const argv[], char **ret_reply)
{
    char *reply;
    int status = daemon_call(method, argv, &reply);

    if (status) {
        fprintf(stderr, "ovn-hactl: %s\n", reply);
        free(reply);
        return status;
    }
    *ret_reply = reply;
    return VERB_FINE;
}

struct uctl_call *
daemon_start(const char *method, const char *const argv[])
{
    char *error, *path = find_socket(&error);
    struct uctl_call *call = NULL;

    if (!path) {
        free(error);
    } else if (uctl_call_start(path, method, argv, &call)) {
        call = NULL;
    }
    free(path);
    return call;
}

int
daemon_find(struct child *ret_child)
{
    char *path = ha_asprintf("%s/ovn-had.pid", run_dir());
    int error = child_adopt_pidfile(path, "ovn-had", ret_child);

    if (error) {
        fprintf(stderr, "ovn-hactl: ovn-had is not running here (%s: %s)\n",
                path, strerror(-error));
    }
    free(path);
    return error ? VERB_UNREACHABLE : VERB_FINE;
}
