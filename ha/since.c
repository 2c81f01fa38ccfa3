/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/since.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/xalloc.h"

struct entry {
    json_t *problem;
    mono_t first;
    bool told;
};

struct since {
    struct since_handler handler;
    struct entry *entries;
    size_t n;
};

struct since *
since_create(const struct since_handler *handler)
{
    struct since *since = ha_calloc(1, sizeof *since);

    since->handler = *handler;
    return since;
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

static const struct entry *
find(const struct entry *entries, size_t n, const json_t *problem)
{
    for (size_t i = 0; i < n; i++) {
        if (same(entries[i].problem, problem, "node")
            && same(entries[i].problem, problem, "code")) {
            return &entries[i];
        }
    }
    return NULL;
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
        const struct entry *old = find(since->entries, since->n, problem);
        struct entry *e = &entries[i];
        int64_t seconds;

        *e = old ? *old : (struct entry){ .first = now };
        e->problem = json_incref(problem);
        seconds = mono_us_between(e->first, now) / 1000000;
        add_times(problem, seconds, date);
        if (!e->told && seconds >= SINCE_SETTLED_S) {
            e->told = true;
            since->handler.begins(since->handler.aux, problem);
        }
    }
    for (size_t i = 0; i < since->n; i++) {
        const struct entry *old = &since->entries[i];

        if (old->told && !find(entries, n, old->problem)) {
            add_times(old->problem, mono_us_between(old->first, now) / 1000000,
                      date);
            since->handler.ends(since->handler.aux, old->problem);
        }
    }
    forget(since);
    since->entries = entries;
    since->n = n;
}
