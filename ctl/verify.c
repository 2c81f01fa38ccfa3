/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl verify': asks for it, shows how it goes, and what came out. */

#include "ctl/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define POLL_NS 100000000
#define SILENCE_MS 10000 /* For a node to say that it has begun. */
#define MAX_TARGETS 16
#define MB 1e6

/* One node that was asked. */
struct target {
    char node[128];
    json_int_t request;
    bool heard;
    bool done[2]; /* NB, SB. */
};

struct follower {
    const struct verify_watch *watch;
    struct target targets[MAX_TARGETS];
    size_t n;
    mono_t began;
    bool terminal, shown; /* A line of progress is on it. */

    /* What the rate is computed from. */
    char what[160];
    mono_t since;
    double first;
    mono_t next_line;
};

static const char *const db_keys[] = { "nb", "sb" };
static const char *const db_names[] = { "NB", "SB" };

static double
number_of(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* ---- Progress ------------------------------------------------------------ */

static void
clear_line(struct follower *f)
{
    if (f->shown) {
        fputs("\r\033[K", stderr);
        f->shown = false;
    }
}

/* "n2 NB: reading, 45 %, 31.2 MB/s, 3 s left" */
static void
format_progress(struct follower *f, const char *what, const json_t *v,
                char *buf, size_t size)
{
    bool bytes = !strcmp(jsonget_text(v, "phase"), "reading");
    double done = number_of(v, "done"), total = number_of(v, "total");
    double unit = bytes ? MB : 1;
    char id[160], rate_text[80] = "";
    double seconds, rate;

    snprintf(id, sizeof id, "%.120s %s", what, jsonget_text(v, "phase"));
    if (strcmp(id, f->what) || done < f->first) {
        snprintf(f->what, sizeof f->what, "%s", id);
        f->since = mono_now();
        f->first = done;
    }
    seconds = mono_us_between(f->since, mono_now()) / 1e6;
    rate = seconds > 0 ? (done - f->first) / seconds : 0;
    if (rate > 0) {
        snprintf(rate_text, sizeof rate_text, ", %.*f %s/s, %.0f s left",
                 bytes, rate / unit, bytes ? "MB" : "rows",
                 total > done ? (total - done) / rate : 0);
    }
    if (strcmp(jsonget_text(v, "state"), "running")) {
        snprintf(buf, size, "%s: waiting%s%s", what,
                 *jsonget_text(v, "why") ? ": " : "", jsonget_text(v, "why"));
    } else {
        snprintf(buf, size, "%s: %s, %.0f %%%s", what,
                 jsonget_text(v, "phase"), total > 0 ? 100 * done / total : 0,
                 rate_text);
    }
}

static void
show_progress(struct follower *f, const char *what, const json_t *v)
{
    char text[512];

    format_progress(f, what, v, text, sizeof text);
    if (f->terminal) {
        fprintf(stderr, "\r\033[K%s%s", text, f->watch->hint);
        f->shown = true;
    } else if (!mono_before(mono_now(), f->next_line)) {
        f->next_line = mono_add_ms(mono_now(), f->watch->plain_s * 1000);
        fprintf(stderr, "%s%s\n", text, f->watch->hint);
    }
    fflush(stderr);
}

/* ---- Following ----------------------------------------------------------- */

static void
parse_targets(struct follower *f, const char *nodes)
{
    char *copy = ha_strdup(nodes), *rest = copy, *line;

    while ((line = strsep(&rest, "\n")) && f->n < MAX_TARGETS) {
        struct target *t = &f->targets[f->n];
        long long request;

        if (sscanf(line, "%127s %lld", t->node, &request) == 2) {
            t->request = request;
            f->n++;
        }
    }
    free(copy);
}

static bool
is_done(const struct target *t)
{
    return t->done[0] && t->done[1];
}

/* Looks at one database.  Returns true if it is at work. */
static bool
look_at_db(struct follower *f, struct target *t, const json_t *node, int db)
{
    const json_t *v =
        json_object_get(json_object_get(node, db_keys[db]), "verification");
    const char *state = jsonget_text(v, "request_state");
    char what[160];

    if (t->done[db]
        || json_integer_value(json_object_get(v, "request")) != t->request) {
        return false;
    }
    t->heard = true;
    if (!strcmp(state, "equal") || !strcmp(state, "differs")
        || !strcmp(state, "failed")) {
        t->done[db] = true;
        clear_line(f);
        f->watch->end(f->watch->aux, t->node, db_names[db], v);
        return false;
    }
    snprintf(what, sizeof what, "%s %s", t->node, db_names[db]);
    if (!strcmp(state, "running")) {
        show_progress(f, what, v);
    }
    return true;
}

/* Looks at one node.  Returns 0, or why it will come to nothing. */
static const char *
look_at(struct follower *f, struct target *t, const json_t *status)
{
    const json_t *node =
        jsonget_row(jsonget(status, "nodes"), "name", t->node);

    for (int db = 0; db < 2; db++) {
        look_at_db(f, t, node, db);
    }
    if (is_done(t)) {
        return NULL;
    } else if (!node || !strcmp(jsonget_text(node, "state"), "absent")) {
        return "left the group";
    }
    return !t->heard
                   && mono_us_between(f->began, mono_now()) > SILENCE_MS * 1000
               ? "does not answer; perhaps its ovn-ha is older"
               : NULL;
}

int
verify_follow(const char *nodes, const struct verify_watch *watch)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    struct follower f = { .watch = watch, .began = mono_now() };
    const char *trouble = NULL;
    size_t left = 1;
    int rc = VERB_FINE;

    f.terminal = isatty(STDERR_FILENO);
    f.next_line = mono_add_ms(f.began, watch->plain_s * 1000);
    parse_targets(&f, nodes);
    while (!rc && left) {
        json_t *status = NULL;

        rc = verbs_get_status(&status);
        left = 0;
        for (size_t i = 0; !rc && i < f.n; i++) {
            trouble = look_at(&f, &f.targets[i], status);
            left += !is_done(&f.targets[i]);
            if (trouble) {
                clear_line(&f);
                fprintf(stderr, "ovn-hactl: %s %s\n", f.targets[i].node,
                        trouble);
                rc = VERB_FAILED;
            }
        }
        json_decref(status);
        if (!rc && left) {
            nanosleep(&pause, NULL);
        }
    }
    clear_line(&f);
    return rc;
}

/* ---- The outcome --------------------------------------------------------- */

static char *
format_difference(const json_t *d, const char *node)
{
    const char *column = jsonget_text(d, "column");

    return ha_asprintf("table %s, row %s%s%s: %s on the active, %s on %s",
                       jsonget_text(d, "table"), jsonget_text(d, "row"),
                       *column ? ", column " : "", column,
                       jsonget_text(d, "active"), jsonget_text(d, "here"),
                       node);
}

char *
verify_first_difference(const json_t *verification, const char *node)
{
    const json_t *list =
        json_object_get(json_object_get(verification, "found"), "differences");

    return format_difference(json_array_get(list, 0), node);
}

static void
print_differences(const json_t *v, const char *node)
{
    const json_t *found = json_object_get(v, "found");
    const json_t *list = json_object_get(found, "differences");
    double rows = number_of(found, "rows");

    for (size_t i = 0; i < json_array_size(list); i++) {
        char *text = format_difference(json_array_get(list, i), node);

        printf("  %s\n", text);
        free(text);
    }
    if (rows > json_array_size(list)) {
        printf("  ... of %.0f rows\n", rows);
    }
}

struct outcome {
    int rc;
    json_t *list; /* For --json; NULL: text. */
};

static void
print_end(void *outcome_, const char *node, const char *db, const json_t *v)
{
    struct outcome *o = outcome_;
    const char *state = jsonget_text(v, "request_state");
    double seq = number_of(json_object_get(v, "position"), "seq");

    if (!strcmp(state, "differs")) {
        o->rc = VERB_DIFFERS;
    } else if (strcmp(state, "equal") && o->rc == VERB_FINE) {
        o->rc = VERB_FAILED;
    }
    if (o->list) {
        json_array_append_new(o->list,
                              json_pack("{s:s, s:s, s:O}", "node", node, "db",
                                        db, "verification", (json_t *) v));
    } else if (!strcmp(state, "equal")) {
        printf("%s %s equal: %.0f rows in %.0f tables at record %.0f, "
               "in %.2f s\n",
               node, db, number_of(v, "rows"), number_of(v, "tables"), seq,
               number_of(v, "took_ms") / 1e3);
    } else if (!strcmp(state, "differs")) {
        printf("%s %s DIFFERS from the active's:\n", node, db);
        print_differences(v, node);
    } else {
        printf("%s %s not verified: %s\n", node, db, jsonget_text(v, "why"));
    }
    fflush(stdout);
}

int
verb_verify(struct verb_args *args)
{
    const char *const argv[] = { args->node, NULL };
    struct outcome outcome = { .rc = VERB_FINE };
    struct verify_watch watch = {
        .end = print_end, .aux = &outcome, .plain_s = 5, .hint = ""
    };
    char *reply;
    int rc = daemon_ask("verify", argv, &reply);

    if (rc) {
        return rc;
    }
    outcome.list = args->json ? json_array() : NULL;
    rc = verify_follow(reply, &watch);
    free(reply);
    if (outcome.list) {
        char *text = json_dumps(outcome.list, JSON_INDENT(2));

        puts(text);
        free(text);
        json_decref(outcome.list);
    }
    return outcome.rc != VERB_FINE ? outcome.rc : rc;
}
