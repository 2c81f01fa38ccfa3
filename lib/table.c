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

/* "n2 NB equal at record 1234, 2026-11-22T01:02:03Z", one line a database. */
static void
print_verification(FILE *out, const json_t *node, const char *key,
                   const char *db)
{
    const json_t *v = member(member(node, key), "verification");
    const json_t *seq = member(member(v, "position"), "seq");
    const char *state = text_of(v, "state");
    double done = json_number_value(member(v, "done"));
    double total = json_number_value(member(v, "total"));

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

/* The rows of a database that differ, until they were replaced. */
static void
print_difference(FILE *out, const json_t *node, const char *key,
                 const char *db)
{
    const json_t *v = member(member(node, key), "verification");
    const json_t *found = member(v, "found");
    const json_t *first = json_array_get(member(found, "differences"), 0);

    if (!strcmp(text_of(v, "state"), "differs")) {
        long long rows = json_integer_value(member(found, "rows"));

        fprintf(out, "  %s: %s differs in %lld row%s, the first in %.30s\n",
                text_of(node, "name"), db, rows, rows == 1 ? "" : "s",
                text_of(first, "table"));
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
    print_difference(out, node, "nb", "NB");
    print_difference(out, node, "sb", "SB");
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
    print_verifications(out, nodes);
    print_unwell(out, status);
    print_warnings(out, status);
    fclose(out);
    return text;
}
