/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/problems.h"

/* "-" where there is none. */
static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = jsonget_text(object, key);

    return *text ? text : "-";
}

/* "n1 n2 n3" */
static void
print_names(FILE *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        fprintf(out, "%s%s", i ? " " : "",
                json_string_value(json_array_get(list, i)));
    }
    if (!json_array_size(list)) {
        fputs("none", out);
    }
}

/* "PAUSED   since 2026-11-27T01:02:03Z: roles stay as they are" */
static void
print_pause(FILE *out, const json_t *pause)
{
    const char *state = jsonget_text(pause, "state");

    if (*state && strcmp(state, "none")) {
        fprintf(out, "\nPAUSED   since %s: %s", text_of(pause, "since"),
                !strcmp(state, "asked") ? "it is being recorded by all members"
                : !strcmp(state, "ending")
                    ? "it ends as soon as no lease is endless any more"
                    : "roles stay as they are");
    }
}

static void
print_cluster(FILE *out, const json_t *status)
{
    const json_t *c = jsonget(status, "cluster");
    bool known = json_is_string(jsonget(c, "active"));

    fprintf(out, "cluster  %s, %s %s, epoch %s, lineage %s\n",
            text_of(c, "health"), known ? "active" : "active unknown, last",
            text_of(c, known ? "active" : "last_active"), text_of(c, "epoch"),
            text_of(c, "lineage"));
    fprintf(out, "quorum   %s with ",
            jsonget_true(c, "quorate") ? "present" : "MISSING");
    print_names(out, jsonget(c, "members"));
    fputs("; in sync ", out);
    print_names(out, jsonget(c, "in_sync"));
    print_pause(out, jsonget(c, "pause"));
    fprintf(out, "\nseen by  %s at %s\n\n", text_of(status, "node"),
            text_of(status, "time"));
}

/* Position and lag of one database into two cells. */
static void
print_db(FILE *out, const json_t *db)
{
    const json_t *seq = jsonget(jsonget(db, "position"), "seq");
    const json_t *lag = jsonget(db, "lag_records");

    if (json_is_integer(seq)) {
        fprintf(out, " %10lld", (long long) json_integer_value(seq));
    } else {
        fprintf(out, " %10s", "-");
    }
    if (json_is_integer(lag)) {
        fprintf(out, " %6lld", (long long) json_integer_value(lag));
    } else {
        fprintf(out, " %6s", "-");
    }
}

static void
print_node(FILE *out, const json_t *node)
{
    bool here = jsonget(node, "nb") != NULL;

    fprintf(out, "%-12.12s %-9s %-7s", text_of(node, "name"),
            text_of(node, "state"), text_of(node, "epoch"));
    print_db(out, jsonget(node, "nb"));
    print_db(out, jsonget(node, "sb"));
    fprintf(out, " %-6s %-7s %-6s\n",
            !here                             ? "-"
            : jsonget_true(node, "northd_ok") ? "ok"
                                              : "BAD",
            json_is_null(jsonget(node, "in_sync")) ? "-"
            : jsonget_true(node, "in_sync")        ? "yes"
                                                   : "NO",
            !here                             ? "-"
            : jsonget_true(node, "door_open") ? "open"
                                              : "closed");
}

/* "n2 NB equal at record 1234, 2026-11-22T01:02:03Z", one line a database. */
static void
print_verification(FILE *out, const json_t *node, const char *key,
                   const char *db)
{
    const json_t *v = jsonget(jsonget(node, key), "verification");
    const json_t *seq = jsonget(jsonget(v, "position"), "seq");
    const char *state = text_of(v, "state");
    double done = json_number_value(jsonget(v, "done"));
    double total = json_number_value(jsonget(v, "total"));

    if (!json_is_object(v) || !strcmp(state, "none")) {
        return;
    }
    fprintf(out, "verified  %s %s ", text_of(node, "name"), db);
    if (!strcmp(state, "running")) {
        fprintf(out, "%s, %.0f %%\n", text_of(v, "phase"),
                total > 0 ? 100 * done / total : 0);
    } else if (!strcmp(state, "equal") || !strcmp(state, "differs")) {
        fprintf(out, "%s at record %lld, %s\n", state,
                (long long) json_integer_value(seq), text_of(v, "ended"));
    } else {
        fprintf(out, "%s: %.60s\n", state, text_of(v, "why"));
    }
}

/* What the last verifications came to, if there were any. */
static void
print_verifications(FILE *out, const json_t *nodes)
{
    char *text = NULL;
    size_t n;
    FILE *lines = open_memstream(&text, &n);

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        print_verification(lines, json_array_get(nodes, i), "nb", "NB");
        print_verification(lines, json_array_get(nodes, i), "sb", "SB");
    }
    fclose(lines);
    if (n) {
        fprintf(out, "\n%s", text);
    }
    free(text);
}

/* "replica   n2 NB: 3 resumes, 1 snapshot: own position is not known": how this
 * node's replica came to its data in this life. */
static void
print_replica(FILE *out, const json_t *status, const char *key, const char *db)
{
    const json_t *o = jsonget(jsonget(status, "local"), key);
    long long resumes = json_integer_value(jsonget(o, "resumes"));
    long long snapshots = json_integer_value(jsonget(o, "snapshots"));
    const char *why = jsonget_text(o, "snapshot_why");

    if (resumes || snapshots) {
        fprintf(out,
                "replica   %s %s: %lld resume%s, %lld snapshot%s%s%.60s\n",
                text_of(status, "node"), db, resumes, resumes == 1 ? "" : "s",
                snapshots, snapshots == 1 ? "" : "s",
                snapshots && *why ? ": " : "", snapshots ? why : "");
    }
}

/* "75 s", "12 min", "3 h": how long a problem exists. */
static void
print_age(FILE *out, json_int_t s)
{
    if (s < 120) {
        fprintf(out, "for %lld s", (long long) s);
    } else if (s < 7200) {
        fprintf(out, "for %lld min", (long long) s / 60);
    } else {
        fprintf(out, "for %lld h", (long long) s / 3600);
    }
}

static void
print_problem(FILE *out, const json_t *problem)
{
    const json_t *seconds = jsonget(problem, "seconds");
    const char *ends = json_string_value(jsonget(problem, "ends"));
    bool known = json_is_integer(seconds), can_end = ends && *ends;

    fprintf(out, "  %s\n", text_of(problem, "text"));
    if (known || can_end) {
        fputs("      ", out);
    }
    if (known) {
        print_age(out, json_integer_value(seconds));
    }
    if (can_end) {
        fprintf(out, "%sends when: %s", known ? "; " : "", ends);
    }
    if (known || can_end) {
        fputc('\n', out);
    }
}

/* All that is not well under a heading, if there is anything. */
static void
print_unwell(FILE *out, const json_t *status)
{
    json_t *found = NULL;
    const json_t *list = jsonget(status, "problems");

    if (!json_is_array(list)) {
        /* From an ovn-had that does not know of it. */
        list = found = problems_find(status);
    }
    if (json_array_size(list)) {
        fputs("\nnot well:\n", out);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        print_problem(out, json_array_get(list, i));
    }
    json_decref(found);
}

/* Room that is taken by data that gave way, where there are any. */
static void
print_asides(FILE *out, const json_t *nodes)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const json_t *aside = jsonget(node, "set_aside");
        long long files = json_integer_value(jsonget(aside, "files"));

        if (files) {
            fprintf(out,
                    "\nset aside on %s: %lld %s, %.1f MB in "
                    "diverged/\n",
                    text_of(node, "name"), files,
                    files == 1 ? "database" : "databases",
                    json_integer_value(jsonget(aside, "bytes")) / 1e6);
        }
    }
}

static void
print_warnings(FILE *out, const json_t *status)
{
    const json_t *list = jsonget(status, "warnings");

    for (size_t i = 0; i < json_array_size(list); i++) {
        fprintf(out, "\nwarning: %s\n",
                json_string_value(json_array_get(list, i)));
    }
}

/* "12 s ago" */
static void
print_ago(FILE *out, const json_t *ms)
{
    if (json_is_integer(ms)) {
        fprintf(out, "%lld s ago", (long long) json_integer_value(ms) / 1000);
    } else {
        fputs("never", out);
    }
}

static const json_t *
find_named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!strcmp(text_of(json_array_get(list, i), "name"), name)) {
            return json_array_get(list, i);
        }
    }
    return NULL;
}

static void
print_device(FILE *out, const json_t *d)
{
    fputs(text_of(d, "name"), out);
    if (jsonget_true(d, "well")) {
        fputs(" answered its monitor ", out);
        print_ago(out, jsonget(d, "answered_ms"));
    } else if (!strcmp(text_of(d, "why"), "-")) {
        fputs(" has not been heard yet", out);
    } else {
        fprintf(out,
                " DOES NOT WORK: %s; it answered last: ", text_of(d, "why"));
        print_ago(out, jsonget(d, "answered_ms"));
    }
}

/* How far fencing of a node has come; nothing if nobody asked for it. */
static void
print_phase(FILE *out, const json_t *node)
{
    const char *name = text_of(node, "node"), *phase = text_of(node, "phase");

    if (!strcmp(phase, "working")) {
        fprintf(out, "%s is being fenced: level %lld, %s: %s\n", name,
                (long long) json_integer_value(jsonget(node, "level")),
                text_of(node, "device"), text_of(node, "action"));
    } else if (!strcmp(phase, "fenced")) {
        fprintf(out, "%s was proven to be off ", name);
        print_ago(out, jsonget(node, "fenced_ms"));
        fputc('\n', out);
    } else if (!strcmp(phase, "failed")) {
        fprintf(out, "%s could NOT be fenced: %s\n", name,
                text_of(node, "why"));
    }
}

static void
print_level(FILE *out, const json_t *fencing, const json_t *node, size_t l,
            const json_t *names)
{
    fprintf(out, "fence devices of %s", text_of(node, "node"));
    if (l) {
        fprintf(out, ", level %zu", l + 1);
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        const json_t *d = find_named(jsonget(fencing, "devices"), name);

        fputs(i ? "; " : ": ", out);
        if (d) {
            print_device(out, d);
        }
    }
    fputc('\n', out);
}

static void
print_fencing(FILE *out, const json_t *status)
{
    const json_t *fencing = jsonget(jsonget(status, "local"), "fencing");
    const json_t *nodes = jsonget(fencing, "nodes");

    if (json_array_size(nodes)) {
        fputc('\n', out);
    }
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const json_t *levels = jsonget(node, "levels");

        for (size_t l = 0; l < json_array_size(levels); l++) {
            print_level(out, fencing, node, l, json_array_get(levels, l));
        }
        print_phase(out, node);
    }
}

/* "virtual IP 192.0.2.10/24 2001:db8::10/64 on eth0: held" */
static void
print_address(FILE *out, const json_t *status)
{
    const json_t *fence = jsonget(jsonget(status, "local"), "fence");
    const json_t *address = jsonget(fence, "virtual_ip");

    if (json_is_object(address)) {
        fputs("\nvirtual IP ", out);
        print_names(out, jsonget(address, "addresses"));
        fprintf(out, " on %s: %s\n", text_of(address, "interface"),
                text_of(address, "state"));
    }
}

/* "watchdog /dev/watchdog0, i6300ESB timer, 2000 ms: armed", or "watchdog none:
 * WHY", since what protection is missing is not to be found out when it is
 * needed.  A witness, which serves nothing, misses none. */
static void
print_watchdog(FILE *out, const json_t *status)
{
    const json_t *local = jsonget(status, "local");
    const json_t *watchdog = jsonget(jsonget(local, "fence"), "watchdog");
    const char *state = jsonget_text(watchdog, "state");

    if (!*state || !strcmp(jsonget_text(local, "state"), "witness")) {
        return;
    }
    if (!strcmp(state, "none")) {
        fprintf(out, "\nwatchdog none: %s\n", text_of(watchdog, "why"));
    } else {
        fprintf(
            out, "\nwatchdog %s, %s, %lld ms: %s\n",
            text_of(watchdog, "device"), text_of(watchdog, "identity"),
            (long long) json_integer_value(jsonget(watchdog, "timeout_ms")),
            state);
    }
}

char *
table_render(const json_t *status)
{
    const json_t *nodes = jsonget(status, "nodes");
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    print_cluster(out, status);
    fprintf(out, "%-12s %-9s %-7s %10s %6s %10s %6s %-6s %-7s %-6s\n", "NODE",
            "STATE", "EPOCH", "NB", "LAG", "SB", "LAG", "NORTHD", "IN-SYNC",
            "DOOR");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        print_node(out, json_array_get(nodes, i));
    }
    print_verifications(out, nodes);
    print_replica(out, status, "nb", "NB");
    print_replica(out, status, "sb", "SB");
    print_address(out, status);
    print_watchdog(out, status);
    print_fencing(out, status);
    print_unwell(out, status);
    print_warnings(out, status);
    print_asides(out, nodes);
    fclose(out);
    return text;
}
