/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H 1

/* What ovn-hactl can do, one function a verb.  Each prints its result or one
 * clear line of error and returns the exit status. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctl/drill-args.h"
#include "lib/mono.h"

enum verb_exit {
    VERB_FINE = 0,
    VERB_FAILED = 1, /* Or refused. */
    VERB_USAGE = 2,
    VERB_UNREACHABLE = 3, /* ovn-had does not answer. */
    VERB_UNWELL = 4,      /* No active node, or degraded; or a
                           * restore that the standbys lack. */
    VERB_DIFFERS = 5,     /* A replica is not what the active's is. */
    VERB_DRILL = 6,       /* The cluster did not pass. */
};

struct verb_args {
    bool json;
    bool watch;
    double watch_seconds;
    const char *to; /* Node; NULL: the best, or all. */
    bool yes;       /* Asks nothing back. */
    bool allow_data_loss;
    double timeout_seconds;
    int lines;
    const char *operand; /* Of the verbs that need one: a journal, a node. */
    const char *node;    /* To verify; NULL: every standby. */
    bool no_verify;
    const char *output; /* Folder of a backup; NULL: a new one here. */
    bool client;        /* To check: this is a compute node. */
    struct drill_args drill;
};

/* For the verbs: prints what ovn-had's 'method' says.  Returns an exit
 * status. */
int verbs_show(const char *method, const char *const argv[]);

/* For the verbs: gets ovn-had's status, which the caller owns.  Returns an exit
 * status, after a line of error if it is not 0. */
int verbs_get_status(json_t **ret_status);

/* For the verbs: who is to be named in log and history. */
const char *verbs_operator(void);

/* For the verbs: waits until another node than 'from' is active, which was so
 * in 'epoch'; "" and 0: nobody was.  Returns an exit status. */
int verbs_wait_active(const char *from, long epoch, const struct verb_args *,
                      mono_t begin);
/* For the verbs: has whoever would take over in a switchover verified, and puts
 * its name into 'heir'; "" if ovn-had is going to refuse anyway, and then it
 * says why.  Returns an exit status, after a line of error. */
int switchover_verify(const struct verb_args *, char *heir, size_t size);

int verb_status(struct verb_args *);
int verb_switchover(struct verb_args *);
int verb_failover(struct verb_args *);
int verb_pause(struct verb_args *);
int verb_resume(struct verb_args *);
int verb_reinit(struct verb_args *);
int verb_accept_shrink(struct verb_args *);
int verb_fence(struct verb_args *);
int verb_fence_ack(struct verb_args *);
int verb_history(struct verb_args *);
int verb_replay(struct verb_args *);
int verb_leave(struct verb_args *);
int verb_reload(struct verb_args *);
int verb_config(struct verb_args *);
int verb_backup(struct verb_args *);
int verb_restore(struct verb_args *);
int verb_check(struct verb_args *);
int verb_verify(struct verb_args *);
int verb_drill(struct verb_args *);
int verb_version(struct verb_args *);

#endif /* ctl/verbs.h */
