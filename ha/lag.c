/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/lag.h"

#include <stdlib.h>
#include <string.h>

#include "lib/types.h"
#include "lib/xalloc.h"

static const char *const keys[HA_N_DBS] = { "nb", "sb" };

struct series {
    char *name; /* The node's. */
    int64_t step[HA_N_DBS][LAG_STEPS];
};

struct lag {
    int64_t now; /* The newest step, since boot; 0: none yet. */
    size_t n;    /* Steps that are filled. */
    size_t n_series;
    struct series series[HA_MAX_NODES];
};

struct lag *
lag_create(void)
{
    return ha_calloc(1, sizeof(struct lag));
}

void
lag_destroy(struct lag *lag)
{
    if (lag) {
        for (size_t i = 0; i < lag->n_series; i++) {
            free(lag->series[i].name);
        }
        free(lag);
    }
}

/* All of 'series' unknown at the newest step. */
static void
clear_step(const struct lag *lag, struct series *series)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        series->step[db][lag->now % LAG_STEPS] = -1;
    }
}

/* Enters the step of 'now'; steps that were slept through stay unknown. */
static void
advance(struct lag *lag, mono_t now)
{
    int64_t step = now.us / 1000000 / LAG_STEP_S;

    if (!lag->now || step - lag->now >= LAG_STEPS) {
        lag->n = 0;
        lag->now = step - 1;
    }
    while (lag->now < step) {
        lag->now++;
        lag->n += lag->n < LAG_STEPS;
        for (size_t i = 0; i < lag->n_series; i++) {
            clear_step(lag, &lag->series[i]);
        }
    }
}

/* The series of the node called 'name'; NULL if there are too many. */
static struct series *
find_series(struct lag *lag, const char *name)
{
    struct series *series;

    for (size_t i = 0; i < lag->n_series; i++) {
        if (!strcmp(lag->series[i].name, name)) {
            return &lag->series[i];
        }
    }
    if (lag->n_series >= HA_MAX_NODES) {
        return NULL;
    }
    series = &lag->series[lag->n_series++];
    series->name = ha_strdup(name);
    memset(series->step, 0xff, sizeof series->step); /* All -1. */
    return series;
}

static void
add_node(struct lag *lag, const json_t *node)
{
    const char *name = json_string_value(json_object_get(node, "name"));
    struct series *series = name ? find_series(lag, name) : NULL;

    for (int db = 0; series && db < HA_N_DBS; db++) {
        const json_t *records =
            json_object_get(json_object_get(node, keys[db]), "lag_records");
        int64_t *step = &series->step[db][lag->now % LAG_STEPS];

        if (json_is_integer(records) && json_integer_value(records) > *step) {
            *step = json_integer_value(records);
        }
    }
}

void
lag_add(struct lag *lag, const json_t *status, mono_t now)
{
    const json_t *nodes = json_object_get(status, "nodes");

    advance(lag, now);
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        add_node(lag, json_array_get(nodes, i));
    }
}

static void
print_steps(const struct lag *lag, const int64_t step[LAG_STEPS], FILE *f)
{
    fputc('[', f);
    for (size_t i = 0; i < lag->n; i++) {
        int64_t records = step[(lag->now - lag->n + 1 + i) % LAG_STEPS];

        fputs(i ? "," : "", f);
        if (records < 0) {
            fputs("null", f);
        } else {
            fprintf(f, "%lld", (long long) records);
        }
    }
    fputc(']', f);
}

void
lag_print(const struct lag *lag, FILE *f)
{
    fprintf(f, "{\"step_s\": %d, \"nodes\": {", LAG_STEP_S);
    for (size_t i = 0; i < lag->n_series; i++) {
        const struct series *series = &lag->series[i];
        json_t *name = json_string(series->name);

        fputs(i ? ", " : "", f);
        json_dumpf(name, f, JSON_ENCODE_ANY);
        json_decref(name);
        for (int db = 0; db < HA_N_DBS; db++) {
            fprintf(f, "%s\"%s\": ", db ? ", " : ": {", keys[db]);
            print_steps(lag, series->step[db], f);
        }
        fputc('}', f);
    }
    fputs("}}", f);
}
