/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-chassis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/xalloc.h"

struct node {
    char uuid[40];
    char *name;
    int64_t nb_cfg;
    bool counts;
    mono_t back; /* MONO_NEVER: not yet. */
};

struct chassis {
    struct node *nodes;
    size_t n, allocated;
    int64_t expected; /* 0: nothing is. */
};

struct chassis *
chassis_create(void)
{
    return ha_calloc(1, sizeof(struct chassis));
}

void
chassis_destroy(struct chassis *c)
{
    if (c) {
        for (size_t i = 0; i < c->n; i++) {
            free(c->nodes[i].name);
        }
        free(c->nodes);
        free(c);
    }
}

static struct node *
find(struct chassis *c, const char *uuid)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!strcmp(c->nodes[i].uuid, uuid)) {
            return &c->nodes[i];
        }
    }
    return NULL;
}

/* One that comes while others are waited for does not count: it was not there
 * before. */
static struct node *
add(struct chassis *c, const char *uuid, const char *name)
{
    struct node *node;

    if (c->n == c->allocated) {
        c->allocated = c->allocated ? 2 * c->allocated : 64;
        c->nodes = ha_realloc(c->nodes, c->allocated * sizeof *c->nodes);
    }
    node = &c->nodes[c->n++];
    *node = (struct node){ .name = ha_strdup(name),
                           .counts = !c->expected,
                           .back = MONO_NEVER };
    snprintf(node->uuid, sizeof node->uuid, "%s", uuid);
    return node;
}

static void
take(struct chassis *c, const char *uuid, const json_t *change, mono_t now)
{
    const json_t *row = jsonget(change, "initial"), *nb_cfg;
    struct node *node = find(c, uuid);

    row = row ? row : jsonget(change, "insert");
    if (row && !node) {
        node = add(c, uuid, jsonget_text(row, "name"));
    }
    if (!node) {
        return;
    }
    if (json_object_get(change, "delete")) {
        node->counts = false; /* It left on purpose. */
    }
    nb_cfg = jsonget(row ? row : jsonget(change, "modify"), "nb_cfg");
    if (nb_cfg) {
        node->nb_cfg = json_integer_value(nb_cfg);
    }
    if (c->expected && node->nb_cfg >= c->expected
        && node->back.us == MONO_NEVER.us) {
        node->back = now;
    }
}

void
chassis_update(struct chassis *c, const json_t *rows, mono_t now)
{
    json_t *change;
    const char *uuid;

    json_object_foreach ((json_t *) rows, uuid, change) {
        take(c, uuid, change, now);
    }
}

void
chassis_expect(struct chassis *c, int64_t nb_cfg, mono_t now)
{
    for (size_t i = 0; i < c->n; i++) {
        struct node *node = &c->nodes[i];

        node->counts =
            node->counts && (!c->expected || node->back.us != MONO_NEVER.us);
        node->back = node->nb_cfg >= nb_cfg ? now : MONO_NEVER;
    }
    c->expected = nb_cfg;
}

static int
compare(const void *a_, const void *b_)
{
    const mono_t *a = a_, *b = b_;

    return a->us < b->us ? -1 : a->us > b->us;
}

void
chassis_sum(const struct chassis *c, struct chassis_sums *s)
{
    mono_t *back = ha_calloc(c->n + 1, sizeof *back);

    *s = (struct chassis_sums){ .p50 = MONO_NEVER,
                                .p99 = MONO_NEVER,
                                .last = MONO_NEVER };
    for (size_t i = 0; i < c->n; i++) {
        const struct node *node = &c->nodes[i];

        if (node->counts) {
            back[s->n++] = node->back;
            if (node->back.us == MONO_NEVER.us) {
                s->missing = node->name;
            } else {
                s->n_back++;
            }
        }
    }
    if (s->n) {
        qsort(back, s->n, sizeof *back, compare);
        s->p50 = back[(s->n - 1) / 2];
        s->p99 = back[(s->n * 99 + 99) / 100 - 1];
        s->last = back[s->n - 1];
    }
    free(back);
}
