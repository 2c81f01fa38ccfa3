/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_ACT_H
#define CTL_DRILL_ACT_H 1

/* What a drill does to the cluster, and how it is undone: a table of kinds.
 * What harms another node goes through ovn-had (ha/drill.h).  No measuring, no asking, no judging: that is ctl/drill. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl/drill-plan.h"
#include "lib/child.h"

struct act_kind {
    const char *name;
    const char *what; /* "kills ...", for the plan. */
    enum plan_where where;
    const char *part;   /* Of the local status: its process is the victim. */
    const char *member; /* That has its pid. */
    const char *comm;   /* And its program; NULL: no process is. */
    int signal;
};

struct act {
    const struct act_kind *kind;
    struct child victim; /* CHILD_NONE: no process. */
    char to[128];        /* Of a switchover; "": any. */
    char from[128];      /* Who was active. */
    char token[20];      /* As ovn-had has registered it; "": not yet. */
    int64_t cut_us;      /* How long it is cut off; 0: it is not. */
    json_t *in_sync;     /* Who is, besides 'from'. */
};

/* NULL if there is none of that name. */
const struct act_kind *act_find_kind(const char *name);
/* Their names, with commas, in memory that the caller frees. */
char *act_kind_names(void);

/* Finds the victim.  Returns 0, or a sentence in memory that the caller frees.
 * 'status' is this node's; its active is who serves now. */
char *act_prepare(struct act *, const struct act_kind *, const char *to,
                  int64_t cut_us, const json_t *status);
void act_close(struct act *);

/* Whether nothing remains of the active, which is not expected to be back. */
bool act_is_crash(const struct act *);

/* Acts.  Returns like act_prepare(), and nothing was done then. */
char *act_do(struct act *);

/* Whether the effect is there, by the newest status. */
bool act_took_effect(const struct act *, const json_t *status);

/* Whether all is as well as it can be: a node that crashed is not missed. */
bool act_is_well(const struct act *, const json_t *status);

/* Undoes what does not end by itself. */
void act_undo(struct act *);

#endif /* ctl/drill-act.h */
