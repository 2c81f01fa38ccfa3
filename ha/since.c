/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/since.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/xalloc.h"

struct entry {
    json_t *problem;
    mono_t first;
};

struct since {
    struct entry *entries;
    size_t n;
};

struct since *
since_create(void)
{
    return ha_calloc(1, sizeof(struct since));
}

static void
forget(struct since *since)
{
    for (size_t i = 0; i < since->n; i++) {
        json_decref(since->entries[i].problem);
    }
    free(since->entries);
    since->entries = NULL;
    since->n = 0;
}

void
since_destroy(struct since *since)
{
    if (since) {
        forget(since);
        free(since);
    }
}

static bool
same(const json_t *a, const json_t *b, const char *key)
{
    return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* When 'problem' was seen first. */
static mono_t
first_seen(const struct since *since, const json_t *problem, mono_t now)
{
    for (size_t i = 0; i < since->n; i++) {
        const struct entry *e = &since->entries[i];

        if (same(e->problem, problem, "node")
            && same(e->problem, problem, "code")) {
            return e->first;
        }
    }
    return now;
}

static void
add_times(json_t *problem, int64_t seconds, time_t date)
{
    char text[32];
    struct tm tm;

    date -= seconds;
    gmtime_r(&date, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_object_set_new(problem, "since", json_string(text));
    json_object_set_new(problem, "seconds", json_integer(seconds));
}

void
since_mark(struct since *since, json_t *problems, mono_t now, time_t date)
{
    size_t n = json_array_size(problems);
    struct entry *entries = ha_calloc(n ? n : 1, sizeof *entries);

    for (size_t i = 0; i < n; i++) {
        json_t *problem = json_array_get(problems, i);

        entries[i].problem = json_incref(problem);
        entries[i].first = first_seen(since, problem, now);
        add_times(problem, mono_us_between(entries[i].first, now) / 1000000,
                  date);
    }
    forget(since);
    since->entries = entries;
    since->n = n;
}
