/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl restore': asks whether it is meant, has ovn-ha-replica do it, and
 * waits for the standbys. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/backup.h"
#include "ctl/confirm.h"
#include "ctl/daemon.h"
#include "ctl/follow.h"
#include "ctl/verbs.h"
#include "lib/child.h"
#include "lib/conf.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define POLL_NS 100000000
#define AWAY_MS 5000 /* For a standby to connect again. */

static const char meaning[] =
    "Clients, ovn-northd and compute nodes go on with what the backup holds.  "
    "What the\ndatabases have now and the backup has not is set aside first, "
    "in diverged/ of this\nnode's state folder, with a report and a "
    "transaction that brings it back.";

/* Gets this node's id, if it is the active.  Returns an exit status. */
static int
get_active_self(int *ret_id)
{
    const json_t *cluster, *nodes;
    const char *self, *active;
    json_t *status;
    int rc = verbs_get_status(&status);

    if (rc) {
        return rc;
    }
    cluster = jsonget(status, "cluster");
    self = jsonget_text(status, "node");
    active = jsonget_text(cluster, "active");
    nodes = jsonget(status, "nodes");
    *ret_id = 0;
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        if (!strcmp(jsonget_text(node, "name"), self)) {
            *ret_id = json_integer_value(jsonget(node, "id"));
        }
    }
    if (!strcmp(jsonget_text(cluster, "health"), "down") || !*active) {
        fputs("ovn-hactl: no node is active, so there is nothing to restore "
              "to; see ovn-hactl status\n",
              stderr);
        rc = VERB_FAILED;
    } else if (strcmp(self, active)) {
        fprintf(stderr,
                "ovn-hactl: a backup is restored on the active, which is %s; "
                "copy the folder there and run it there\n",
                active);
        rc = VERB_FAILED;
    }
    json_decref(status);
    return rc;
}

static void
note(const char *folder, const char *what)
{
    char *text = ha_asprintf("restore: %s of %s, by %s", what, folder,
                             verbs_operator());
    const char *const argv[] = { text, NULL };
    char *reply;

    /* What is lost is told elsewhere, too. */
    daemon_call("history/note", argv, &reply);
    free(reply);
    free(text);
}

/* ---- The standbys -------------------------------------------------------- */

/* Takes in what ovn-ha-replica tells at 'fd' of where the databases are now. */
static void
read_goal(int fd, struct follow_goal *goal)
{
    FILE *f = fdopen(fd, "r");
    char key[3], lineage[17];
    uint64_t seq;

    memset(goal, 0, sizeof *goal);
    while (f && fscanf(f, "%2s %" SCNu64 " %16s", key, &seq, lineage) == 3) {
        int db = !strcmp(key, "sb");

        goal->db[db].known = true;
        goal->db[db].seq = seq;
        snprintf(goal->db[db].lineage, sizeof lineage, "%s", lineage);
    }
    if (f) {
        fclose(f);
    }
}

/* Tells who has it not. */
static void
tell_others(const json_t *status, const struct follow_goal *goal)
{
    const json_t *nodes = jsonget(status, "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const char *name = jsonget_text(node, "name");
        const char *asks = follow_asks(node);

        switch (follow_judge(status, node, goal)) {
        case FOLLOW_ASKS:
            printf(
                "%s keeps its rows%s: ovn-hactl %s %s lets it follow\n", name,
                strcmp(asks, "accept-shrink") ? ""
                                              : ", as most of them would go",
                asks, name);
            break;
        case FOLLOW_AWAY:
        case FOLLOW_ABSENT:
            printf("%s is %s: it gets it when it follows again\n", name,
                   strcmp(jsonget_text(node, "state"), "absent")
                       ? "not connected"
                       : "absent");
            break;
        case FOLLOW_BEHIND:
            printf("%s does not have it yet\n", name);
            break;
        case FOLLOW_HAS:
        case FOLLOW_NO_STANDBY:
        case FOLLOW_N:
            break;
        }
    }
}

/* The end of it, with 'n' nodes in each state.  Returns an exit status. */
static int
tell_result(const json_t *status, const struct follow_goal *goal, const int *n)
{
    int others = n[FOLLOW_AWAY] + n[FOLLOW_ABSENT];

    tell_others(status, goal);
    fflush(stdout);
    if (n[FOLLOW_BEHIND]) {
        fputs("ovn-hactl: restored here, but not all standbys have it: see "
              "ovn-hactl status\n",
              stderr);
    } else if (n[FOLLOW_ASKS]) {
        fputs("ovn-hactl: restored here, but not on the standbys that ask\n",
              stderr);
    } else if (others && !n[FOLLOW_HAS]) {
        fputs("ovn-hactl: restored here, but on no other node: if this one "
              "fails, it is lost\n",
              stderr);
    } else {
        puts(!n[FOLLOW_HAS] ? "restored"
             : others ? "restored; the standbys that are connected have it"
                      : "restored; the standbys have it");
        return VERB_FINE;
    }
    return VERB_UNWELL;
}

/* Whether there is nobody left to wait for. */
static bool
is_over(const int *n, bool grace)
{
    return !n[FOLLOW_BEHIND] && (!n[FOLLOW_AWAY] || !grace);
}

/* Returns an exit status, or -1 if there still is somebody to wait for. */
static int
judge(const json_t *status, const struct follow_goal *goal, bool grace,
      bool late)
{
    const char *active = jsonget_text(jsonget(status, "cluster"), "active");
    int n[FOLLOW_N];

    /* While members change nobody is known to be active. */
    if (!*active && !late) {
        return -1;
    } else if (strcmp(active, jsonget_text(status, "node"))) {
        fputs("ovn-hactl: restored here, but this node is active no more: see "
              "what the new active has, and run it again there\n",
              stderr);
        return VERB_UNWELL;
    }
    follow_count(status, goal, n);
    return late || is_over(n, grace) ? tell_result(status, goal, n) : -1;
}

/* Until the others have it, one failure of this node could still undo it. */
static int
wait_for_standbys(const struct verb_args *args, const struct follow_goal *goal)
{
    const struct timespec nap = { .tv_nsec = POLL_NS };
    mono_t deadline = mono_add_us(mono_now(), args->timeout_seconds * 1e6);
    mono_t grace = mono_add_ms(mono_now(), AWAY_MS);

    for (;;) {
        json_t *status;
        bool late;
        int rc = verbs_get_status(&status);

        if (rc) {
            return rc;
        }
        late = !mono_before(mono_now(), deadline);
        rc = judge(status, goal, mono_before(mono_now(), grace), late);
        json_decref(status);
        if (rc >= 0) {
            return rc;
        }
        nanosleep(&nap, NULL);
    }
}

/* ---- The verb ------------------------------------------------------------ */

/* Runs 'argv', of which '*tell' becomes the last word: the descriptor at which
 * it tells where the databases are then. */
static int
run_and_tell(char *argv[], char **tell, struct follow_goal *goal)
{
    int fds[2], rc;

    if (pipe2(fds, O_CLOEXEC)) {
        fprintf(stderr, "ovn-hactl: pipe: %s\n", strerror(errno));
        return VERB_FAILED;
    }
    fcntl(fds[1], F_SETFD, 0);
    *tell = ha_asprintf("--fd=%d", fds[1]);
    rc = backup_run(argv);
    close(fds[1]);
    read_goal(fds[0], goal);
    free(*tell);
    *tell = NULL;
    return rc;
}

int
verb_restore(struct verb_args *args)
{
    struct conf *conf = backup_conf("restore");
    struct follow_goal goal;
    char *argv[11] = { NULL };
    int id, rc = conf ? get_active_self(&id) : VERB_FAILED;

    if (rc) {
        conf_destroy(conf);
        return rc;
    }
    argv[0] = child_program(BACKUP_PROGRAM);
    argv[1] = ha_asprintf("--restore=%s", args->operand);
    argv[2] = ha_asprintf("--state-dir=%s", conf->state_dir);
    argv[3] = ha_asprintf("--self=%d", id);
    argv[4] = ha_asprintf("--spare-mb=%d", conf->warn_mb);
    argv[5] = ha_strdup(conf->nb_db);
    argv[6] = ha_strdup(conf->sb_db);
    argv[7] = ha_asprintf("unix:%s", conf->nb_sock);
    argv[8] = ha_asprintf("unix:%s", conf->sb_sock);
    argv[9] = ha_strdup("--dry-run");
    rc = backup_run(argv);
    if (!rc && !args->yes && !confirm_typed(meaning, "restore")) {
        rc = VERB_FAILED;
    }
    free(argv[9]);
    argv[9] = NULL;
    if (!rc) {
        note(args->operand, "begins");
        rc = run_and_tell(argv, &argv[9], &goal);
        note(args->operand, rc ? "failed" : "done");
        rc = rc ? rc : wait_for_standbys(args, &goal);
    }
    for (int i = 0; i < 9; i++) {
        free(argv[i]);
    }
    conf_destroy(conf);
    return rc;
}
