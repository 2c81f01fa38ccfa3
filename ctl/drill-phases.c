/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-phases.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/jsonget.h"

#define LEASE "lease has provably run out"

/* What is looked for, and what it is compared with. */
struct wanted {
    const char *text;
    const char *from;   /* Who was active. */
    const char *before; /* The epoch then. */
};

typedef bool found_func(const struct wanted *, const char *text);

static bool
has_text(const struct wanted *w, const char *text)
{
    return strstr(text, w->text) != NULL;
}

/* A record of a later epoch: the old one comes into force anew, too, whenever
 * someone comes or goes. */
static bool
is_elected(const struct wanted *w, const char *text)
{
    unsigned int n, node, old_n = 0, old_node = 0;
    const char *record = strstr(text, "record: epoch ");
    int end = 0;

    sscanf(w->before, "%u.%u", &old_n, &old_node);
    return record
           && sscanf(record, "record: epoch %u.%u in force%n", &n, &node, &end)
                  == 2
           && end && (n > old_n || (n == old_n && node > old_node));
}

static bool
is_another(const struct wanted *w, const char *text)
{
    size_t n = strlen(w->from);
    const char *is = strstr(text, " is active");

    return is && !is[strlen(" is active")]
           && ((size_t) (is - text) != n || strncmp(text, w->from, n));
}

void
phases_add(json_t *phases, const char *name, int64_t ms)
{
    json_array_append_new(
        phases, json_pack("{s:s, s:I}", "name", name, "ms", (json_int_t) ms));
}

/* Adds the first moment that is found, from number 'first' on. */
static void
add_first(json_t *phases, const char *name, const json_t *timeline,
          size_t first, found_func *found, const struct wanted *w)
{
    for (size_t i = first; i < json_array_size(timeline); i++) {
        const json_t *moment = json_array_get(timeline, i);

        if (found(w, jsonget_text(moment, "text"))) {
            phases_add(phases, name,
                       json_integer_value(jsonget(moment, "ms")));
            return;
        }
    }
}

static void
add_text(json_t *phases, const char *name, const json_t *timeline,
         const char *text)
{
    struct wanted w = { .text = text };

    add_first(phases, name, timeline, 0, has_text, &w);
}

static bool
is_verdict(const struct wanted *w, const char *text)
{
    (void) w;
    return strstr(text, "verdict: node ") && strstr(text, " serves no more");
}

/* Who is to be active waits for no proof any more. */
static bool
goes_on(const struct wanted *w, const char *text)
{
    (void) w;
    return strstr(text, "door: open")
           || (strstr(text, "promoting: ") && !strstr(text, LEASE)
               && !strstr(text, "promoting: no proof")
               && !strstr(text, "promoting: the members exchange"));
}

/* A fence device or an operator gives a verdict.  Of a lease that is over, or
 * of an old active that has said so, tells only what comes after it. */
static void
add_fenced(json_t *phases, const json_t *timeline, const struct wanted *w)
{
    static const char name[] = "fenced: the old active serves no more";
    size_t before = json_array_size(phases);
    size_t n = json_array_size(timeline), from = n;

    add_first(phases, name, timeline, 0, is_verdict, NULL);
    for (size_t i = 0; i < n; i++) {
        const char *text = jsonget_text(json_array_get(timeline, i), "text");

        if (from == n && is_elected(w, text)) {
            from = i;
        }
        if (from < n && strstr(text, LEASE)) {
            from = i + 1;
        }
    }
    if (json_array_size(phases) == before) {
        add_first(phases, name, timeline, from, goes_on, NULL);
    }
}

void
phases_add_told(json_t *phases, const json_t *timeline, const char *from,
                const char *before)
{
    struct wanted w = { .from = from, .before = before };

    add_text(phases, "detected: the group is another", timeline,
             "group: members are ");
    add_text(phases, "no longer well", timeline, "the cluster is d");
    add_text(phases, "election begins", timeline, "election:");
    add_first(phases, "elected: the record is held", timeline, 0, is_elected,
              &w);
    add_fenced(phases, timeline, &w);
    add_first(phases, "another node is active", timeline, 0, is_another, &w);
    add_text(phases, "the door is open", timeline, "door: open");
    add_text(phases, "ovn-northd works", timeline, "promoting -> active");
    add_text(phases, "the cluster is well", timeline, "the cluster is ok");
}
