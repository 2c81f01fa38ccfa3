/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_H
#define CTL_DRILL_H 1

/* One drill, as the files of 'ovn-hactl drill' share it: ctl/drill-begin has
 * what comes before, ctl/drill acts, measures and restores, ctl/drill-judge
 * makes the report and ctl/drill-print prints it.  Of the others only
 * ctl/drill-sequence includes this. */

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "ctl/drill-act.h"
#include "ctl/drill-chassis.h"
#include "ctl/drill-clients.h"
#include "ctl/drill-ledger.h"
#include "ctl/drill-probe.h"
#include "ctl/drill-watch.h"
#include "ctl/verbs.h"

/* What is not wanted is NULL. */
struct drill_files {
    FILE *junit, *html;
};

struct drill {
    const struct verb_args *args;
    const struct act_kind *kind;
    struct act act;
    char *nb, *sb; /* Remotes. */
    size_t leftovers;

    struct ledger ledger;
    struct chassis *chassis;
    struct tls *tls; /* NULL: without. */
    struct clients *clients;
    struct watch *watch;
    struct probe *probes[DRILL_PROBES_MAX];
    size_t n_probes; /* Of those that run. */

    mono_t began, acted;
    struct timespec acted_date;
    char epoch[32]; /* When it acted. */
    bool has_acted, raised, interrupted;
    mono_t effect; /* Was there; MONO_NEVER. */
    int64_t lease_us, patience_us;
    mono_t calm_since;
    bool recovered;
    mono_t ended; /* The last write was sent before. */
    mono_t looked;
    bool loss_known;

    struct drill_files files;
    const char *doing; /* What the line of progress says. */
    bool terminal, shown;
    mono_t next_line;

    json_t *timeline, *remains;
    char *why; /* What ended it early; or NULL. */
};

/* ctl/drill.c. */

/* Waits a moment, then has everyone do what there is to do. */
mono_t drill_turn(struct drill *);
/* Adds 'text', which is taken over, to 'list'. */
void drill_add_text(json_t *list, char *text);
/* Has this node's ovn-had remember 'text', which is taken over. */
void drill_note(char *text);

/* ctl/drill-begin.c. */

/* Looks whether it may, and 'shows' the plan.  Returns an exit status. */
int drill_plan(struct drill *, bool shows);
/* Returns false after a line of error. */
bool drill_ask(const struct verb_args *);
/* Has the cluster know that it runs, so that there is no other.  Returns an
 * exit status, after a line of error.  If this process ends, it is over. */
int drill_register(struct drill *);
void drill_unregister(struct drill *);

/* ctl/drill-print.c. */

/* These return false after a line of error. */
bool drill_open_files(const struct verb_args *, struct drill_files *);
bool drill_close_files(const struct verb_args *, struct drill_files *);

void drill_print_report(const struct verb_args *, const struct drill_files *,
                        const json_t *report);

/* ctl/drill-judge.c. */

/* Makes the report, which the caller owns, and the exit status. */
json_t *drill_make_report(struct drill *, int *ret_rc);
/* Has the history tell of it, as "drill: kill-nb FAIL: write outage 2100 ms
 * (limit 1000 ms), ...". */
void drill_note_verdict(const struct drill *, const json_t *report);

#endif /* ctl/drill.h */
