/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_ACT_H
#define CTL_DRILL_ACT_H 1

/* What a drill does to the cluster, and how it is undone: a table of kinds.
 * No measuring, no asking, no judging: that is ctl/drill. */

#include <jansson.h>
#include <stdbool.h>

#include "lib/child.h"

struct act_kind {
    const char *name;
    const char *what;   /* "kills ...", for the plan. */
    bool here;          /* On the active itself. */
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
};

/* NULL if there is none of that name. */
const struct act_kind *act_find_kind(const char *name);
/* Their names, with commas, in memory that the caller frees. */
char *act_kind_names(void);

/* Finds the victim.  Returns 0, or a sentence in memory that the caller frees.
 * 'status' is this node's; its active is who serves now. */
char *act_prepare(struct act *, const struct act_kind *, const char *to,
                  const json_t *status);
void act_close(struct act *);

/* Acts.  Returns like act_prepare(), and nothing was done then. */
char *act_do(struct act *);

/* Whether the effect is there, by the newest status. */
bool act_took_effect(const struct act *, const json_t *status);

/* Undoes what does not end by itself. */
void act_undo(struct act *);

#endif /* ctl/drill-act.h */
