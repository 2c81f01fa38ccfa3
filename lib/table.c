/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *
member(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(member(object, key));

    return text && *text ? text : "-";
}

static bool
is_true(const json_t *object, const char *key)
{
    return json_is_true(member(object, key));
}

static const char *
why_of(const json_t *object, const char *key)
{
    return json_string_value(member(member(object, key), "text"));
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

static void
print_cluster(FILE *out, const json_t *status)
{
    const json_t *c = member(status, "cluster");
    bool known = json_is_string(member(c, "active"));

    fprintf(out, "cluster  %s, %s %s, epoch %s, lineage %s\n",
            text_of(c, "health"), known ? "active" : "active unknown, last",
            text_of(c, known ? "active" : "last_active"), text_of(c, "epoch"),
            text_of(c, "lineage"));
    fprintf(out, "quorum   %s with ",
            is_true(c, "quorate") ? "present" : "MISSING");
    print_names(out, member(c, "members"));
    fputs("; in sync ", out);
    print_names(out, member(c, "in_sync"));
    fprintf(out, "\nseen by  %s at %s\n\n", text_of(status, "node"),
            text_of(status, "time"));
}

/* Position and lag of one database into two cells. */
static void
print_db(FILE *out, const json_t *db)
{
    const json_t *seq = member(member(db, "position"), "seq");
    const json_t *lag = member(db, "lag_records");

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
    bool here = member(node, "nb") != NULL;

    fprintf(out, "%-12.12s %-9s %-7s", text_of(node, "name"),
            text_of(node, "state"), text_of(node, "epoch"));
    print_db(out, member(node, "nb"));
    print_db(out, member(node, "sb"));
    fprintf(out, " %-6s %-7s %-6s\n",
            !here                        ? "-"
            : is_true(node, "northd_ok") ? "ok"
                                         : "BAD",
            is_true(node, "in_sync") ? "yes" : "NO",
            !here                        ? "-"
            : is_true(node, "door_open") ? "open"
                                         : "closed");
}

/* What a replica waits for an operator for. */
static void
print_asks(FILE *out, const json_t *node, const char *key, const char *db)
{
    const json_t *asks = member(member(node, key), "asks");
    const json_t *lost = member(asks, "lost");
    const char *name = text_of(node, "name");

    if (!json_is_object(asks)) {
        return;
    }
    fprintf(out, "  %s: %s ", name, db);
    if (lost) {
        fprintf(out,
                "stopped before record %lld: %lld of %lld rows would be gone",
                (long long) json_integer_value(member(asks, "record")),
                (long long) json_integer_value(lost),
                (long long) json_integer_value(member(asks, "rows")));
    } else {
        fputs("is of another lineage", out);
    }
    fprintf(out, ";\n      if that may be: ovn-hactl %s %s\n",
            text_of(asks, "command"), name);
}

/* Room that is taken by data that gave way, where there are any. */
static void
print_asides(FILE *out, const json_t *nodes)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const json_t *aside = member(node, "set_aside");
        long long files = json_integer_value(member(aside, "files"));

        if (files) {
            fprintf(out,
                    "\nset aside on %s: %lld %s, %.1f MB in "
                    "diverged/\n",
                    text_of(node, "name"), files,
                    files == 1 ? "database" : "databases",
                    json_integer_value(member(aside, "bytes")) / 1e6);
        }
    }
}

/* Why this node is not well; nothing if it is. */
static void
print_reasons(FILE *out, const json_t *node)
{
    const char *name = text_of(node, "name");
    const char *why = why_of(node, "why");
    const char *not_eligible = why_of(node, "not_eligible");

    if (why) {
        fprintf(out, "  %s is %s: %s\n", name, text_of(node, "state"), why);
    }
    if (not_eligible && (!why || strcmp(why, not_eligible))) {
        fprintf(out, "  %s may not become active: %s\n", name, not_eligible);
    }
    print_asks(out, node, "nb", "NB");
    print_asks(out, node, "sb", "SB");
    if (is_true(node, "leaving")) {
        fprintf(out, "  %s is being stopped\n", name);
    }
}

static void
print_local_db(FILE *out, const json_t *local, const char *key,
               const char *name)
{
    const json_t *db = member(local, key);

    if (strcmp(text_of(db, "server"), "running")) {
        fprintf(out, "  %s: ovsdb-server is %s\n", name,
                text_of(db, "server"));
    }
    if (strcmp(text_of(db, "server_error"), "-")) {
        fprintf(out, "  %s: %s\n", name, text_of(db, "server_error"));
    }
    if (strcmp(text_of(db, "replica_why"), "-")) {
        fprintf(out, "  %s: replica %s: %s\n", name, text_of(db, "replica"),
                text_of(db, "replica_why"));
    }
}

/* What this node lacks to be safe even when all of it stands still. */
static void
print_kernel_lease(FILE *out, const json_t *kernel)
{
    const char *state = text_of(kernel, "state");
    const char *why = text_of(kernel, "why");

    if (!strcmp(state, "missing")) {
        fprintf(out, "  no lease in the kernel: %s\n", why);
    } else if (!strcmp(state, "used") && strcmp(why, "-")) {
        fprintf(out, "  lease in the kernel: %s\n", why);
    }
}

/* What only the node itself knows. */
static void
print_local(FILE *out, const json_t *status)
{
    const json_t *local = member(status, "local");
    const json_t *fence = member(local, "fence");
    const json_t *northd = member(local, "northd");
    const char *wanted = is_true(northd, "wanted") ? "active" : "paused";

    if (!is_true(local, "corosync")) {
        fputs("  corosync is not running here\n", out);
    }
    if (!is_true(fence, "connected")) {
        fputs("  the fence worker is not running here\n", out);
    } else if (strcmp(text_of(fence, "serve"), "-")
               && strcmp(text_of(fence, "why"), "-")) {
        fprintf(out, "  door: %s\n", text_of(fence, "why"));
    }
    print_kernel_lease(out, member(fence, "kernel_lease"));
    if (strcmp(text_of(member(local, "fencing"), "advice"), "-")) {
        fprintf(out, "  %s\n", text_of(member(local, "fencing"), "advice"));
    }
    print_local_db(out, local, "nb", "NB");
    print_local_db(out, local, "sb", "SB");
    if (strcmp(text_of(northd, "state"), wanted)) {
        fprintf(out, "  northd is %s, wanted is %s\n",
                text_of(northd, "state"), wanted);
    }
}

/* Copies all reasons to 'out' under a heading, if there are any. */
static void
print_unwell(FILE *out, const json_t *status)
{
    const json_t *nodes = member(status, "nodes");
    char *text = NULL;
    size_t n;
    FILE *reasons = open_memstream(&text, &n);

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        print_reasons(reasons, json_array_get(nodes, i));
    }
    print_local(reasons, status);
    fclose(reasons);
    if (n) {
        fprintf(out, "\nnot well:\n%s", text);
    }
    free(text);
}

static void
print_warnings(FILE *out, const json_t *status)
{
    const json_t *list = member(status, "warnings");

    for (size_t i = 0; i < json_array_size(list); i++) {
        fprintf(out, "\nwarning: %s\n",
                json_string_value(json_array_get(list, i)));
    }
}

/* "12 s ago" */
static void
print_age(FILE *out, const json_t *ms)
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
    if (is_true(d, "well")) {
        fputs(" answered its monitor ", out);
        print_age(out, member(d, "answered_ms"));
    } else if (!strcmp(text_of(d, "why"), "-")) {
        fputs(" has not been heard yet", out);
    } else {
        fprintf(out,
                " DOES NOT WORK: %s; it answered last: ", text_of(d, "why"));
        print_age(out, member(d, "answered_ms"));
    }
}

/* How far fencing of a node has come; nothing if nobody asked for it. */
static void
print_phase(FILE *out, const json_t *node)
{
    const char *name = text_of(node, "node"), *phase = text_of(node, "phase");

    if (!strcmp(phase, "working")) {
        fprintf(out, "%s is being fenced: level %lld, %s: %s\n", name,
                (long long) json_integer_value(member(node, "level")),
                text_of(node, "device"), text_of(node, "action"));
    } else if (!strcmp(phase, "fenced")) {
        fprintf(out, "%s was proven to be off ", name);
        print_age(out, member(node, "fenced_ms"));
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
        const json_t *d = find_named(member(fencing, "devices"), name);

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
    const json_t *fencing = member(member(status, "local"), "fencing");
    const json_t *nodes = member(fencing, "nodes");

    if (json_array_size(nodes)) {
        fputc('\n', out);
    }
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);
        const json_t *levels = member(node, "levels");

        for (size_t l = 0; l < json_array_size(levels); l++) {
            print_level(out, fencing, node, l, json_array_get(levels, l));
        }
        print_phase(out, node);
    }
}

char *
table_render(const json_t *status)
{
    const json_t *nodes = member(status, "nodes");
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
    print_fencing(out, status);
    print_unwell(out, status);
    print_warnings(out, status);
    print_asides(out, nodes);
    fclose(out);
    return text;
}
