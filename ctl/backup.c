/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl backup', and what it has in common with 'restore'. */

#include "ctl/backup.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl/daemon.h"
#include "ctl/follow.h"
#include "ctl/verbs.h"
#include "lib/child.h"
#include "lib/conf.h"
#include "lib/xalloc.h"

int
backup_run(char *argv[])
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        execv(argv[0], argv);
        fprintf(stderr, "ovn-hactl: %s: %s\n", argv[0], strerror(errno));
        _exit(VERB_FAILED);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (pid < 0 || !WIFEXITED(status)) {
        fprintf(stderr, "ovn-hactl: %s did not come to its end\n",
                BACKUP_PROGRAM);
        return VERB_FAILED;
    }
    return WEXITSTATUS(status) ? VERB_FAILED : VERB_FINE;
}

struct conf *
backup_conf(const char *verb)
{
    struct conf *conf;
    char *error;

    if (geteuid()) {
        fprintf(stderr, "ovn-hactl: %s has to be run as root\n", verb);
        return NULL;
    }
    if (conf_load(CONF_DEFAULT_FILE, false, &conf, &error)) {
        fprintf(stderr, "ovn-hactl: %s\n", error);
        free(error);
        return NULL;
    }
    if (conf->witness) {
        fputs("ovn-hactl: a witness has no databases; run it on a control "
              "node\n",
              stderr);
        conf_destroy(conf);
        return NULL;
    }
    return conf;
}

/* What there is to say of the own databases, as words for ovn-ha-replica; -1:
 * not known. */
struct freshness {
    int in_sync;
    json_int_t lag[2];
};

/* Finds out how fresh the own databases are.  Returns false after a line of
 * error if they may not be fresh at all, and nobody has said that they are
 * wanted nevertheless. */
static bool
get_freshness(const struct verb_args *args, struct freshness *f)
{
    static const char *const argv[] = { "--json", NULL };
    char why[256], *reply;
    json_t *status = NULL;

    *f = (struct freshness){ .in_sync = -1, .lag = { -1, -1 } };
    if (!daemon_call("cluster/status", argv, &reply)) {
        status = json_loads(reply, 0, NULL);
    }
    if (!status) {
        snprintf(why, sizeof why, "cannot be asked: %.200s", reply);
    } else {
        f->in_sync = !follow_is_stale(status, why, sizeof why);
        f->lag[0] = follow_own_lag(status, 0);
        f->lag[1] = follow_own_lag(status, 1);
        json_decref(status);
    }
    free(reply);
    if (f->in_sync == 1) {
        return true;
    }
    fprintf(stderr,
            "ovn-hactl: this node %s; so its databases may be old ones%s\n",
            why,
            args->yes ? ""
                      : ": back up another node's, or give --yes to have "
                        "these nevertheless");
    return args->yes;
}

int
verb_backup(struct verb_args *args)
{
    struct conf *conf = backup_conf("backup");
    time_t now = time(NULL);
    char folder[64], *argv[10];
    struct freshness fresh;
    struct tm tm;
    int rc;

    if (!conf || !get_freshness(args, &fresh)) {
        conf_destroy(conf);
        return VERB_FAILED;
    }
    gmtime_r(&now, &tm);
    strftime(folder, sizeof folder, "ovn-backup-%Y%m%dT%H%M%SZ", &tm);
    argv[0] = child_program(BACKUP_PROGRAM);
    argv[1] = ha_asprintf("--backup=%s", args->output ? args->output : folder);
    argv[2] = ha_asprintf("--state-dir=%s", conf->state_dir);
    argv[3] = ha_asprintf("--spare-mb=%d", conf->warn_mb);
    argv[4] = ha_asprintf("--in-sync=%d", fresh.in_sync);
    argv[5] = ha_asprintf("--nb-lag=%" JSON_INTEGER_FORMAT, fresh.lag[0]);
    argv[6] = ha_asprintf("--sb-lag=%" JSON_INTEGER_FORMAT, fresh.lag[1]);
    argv[7] = conf->nb_db;
    argv[8] = conf->sb_db;
    argv[9] = NULL;
    rc = backup_run(argv);
    for (int i = 0; i < 7; i++) {
        free(argv[i]);
    }
    conf_destroy(conf);
    return rc;
}
