/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/explore/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explore/intern.h"

#define REST_STEPS 400 /* Until a cluster that starts is at rest. */

struct state {
    uint32_t part[MODEL_NODES + 1]; /* Nodes, and what they share. */
    uint32_t parent;
    struct mchoice choice;
};

struct search {
    const struct search_plan *plan;
    struct mconfig cfg;
    struct model start;
    struct intern pieces; /* Of both. */
    struct intern nodes;
    struct intern shared;
    struct state *states;
    uint32_t n;
    uint32_t allocated;
    uint32_t *slots; /* Hash table of states, plus 1. */
    uint32_t n_slots;
    struct search_result *result;
};

/* ---- Every state once ------------------------------------------------- */

static uint32_t
slot_of(const struct search *s, const struct state *st)
{
    uint64_t h = 0;

    for (int i = 0; i <= MODEL_NODES; i++) {
        h = (h ^ st->part[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 31;
    }
    return (uint32_t) h & (s->n_slots - 1);
}

static uint32_t
find(const struct search *s, const struct state *st)
{
    uint32_t slot = slot_of(s, st);

    while (s->slots[slot]
           && memcmp(s->states[s->slots[slot] - 1].part, st->part,
                     sizeof st->part)) {
        slot = (slot + 1) & (s->n_slots - 1);
    }
    return slot;
}

static void
grow(struct search *s)
{
    if (s->n == s->allocated) {
        s->allocated = s->allocated * 2 + 4096;
        s->states = realloc(s->states, s->allocated * sizeof *s->states);
        if (!s->states) {
            abort();
        }
    }
    if (s->n * 2 >= s->n_slots) {
        s->n_slots = s->n_slots ? s->n_slots * 2 : 8192;
        free(s->slots);
        s->slots = calloc(s->n_slots, sizeof *s->slots);
        if (!s->slots) {
            abort();
        }
        for (uint32_t i = 0; i < s->n; i++) {
            s->slots[find(s, &s->states[i])] = i + 1;
        }
    }
}

/* 'from' became 'm': what did not change keeps its number. */
static void
pack(struct search *s, const struct model *m, const struct model *from,
     const struct state *was, struct state *st)
{
    memset(st, 0, sizeof *st);
    for (uint32_t i = 0; i < m->cfg->n; i++) {
        const struct mnode *nd = &m->node[i];

        st->part[i] =
            from && !memcmp(nd, &from->node[i], sizeof *nd)
                ? was->part[i]
                : intern_put_large(&s->nodes, &s->pieces, nd, sizeof *nd);
    }
    st->part[MODEL_NODES] =
        intern_put_large(&s->shared, &s->pieces, &m->s, sizeof m->s);
}

static void
unpack(const struct search *s, uint32_t number, struct model *m)
{
    const struct state *st = &s->states[number];

    *m = s->start;
    for (uint32_t i = 0; i < s->cfg.n; i++) {
        intern_get_large(&s->nodes, &s->pieces, st->part[i], &m->node[i],
                         sizeof m->node[i]);
    }
    intern_get_large(&s->shared, &s->pieces, st->part[MODEL_NODES], &m->s,
                     sizeof m->s);
}

/* Adds what came of 'choice' in 'parent'; returns its number. */
static uint32_t
add(struct search *s, const struct model *m, const struct model *from,
    uint32_t parent, struct mchoice choice)
{
    struct state st;
    uint32_t slot;

    grow(s);
    pack(s, m, from, &s->states[parent], &st);
    slot = find(s, &st);
    if (!s->slots[slot]) {
        st.parent = parent;
        st.choice = choice;
        s->states[s->n] = st;
        s->slots[slot] = ++s->n;
    }
    return s->slots[slot] - 1;
}

/* ---- Telling ---------------------------------------------------------- */

static void
print_line(const struct model *m, uint32_t id, const char *text)
{
    (void) m;
    printf("    n%u: %s\n", id, text);
}

static void
take_choice(struct model *m, struct mchoice c)
{
    char buf[120];

    if (m->tell && c.kind != MODEL_RUN) {
        printf("  == n%u: %s\n", c.node, events_name(c, buf, sizeof buf));
    }
    model_apply(m, c);
}

/* Tells the way from the start to the state 'number', and then 'last'. */
static void
tell_way(const struct search *s, uint32_t number, struct mchoice last)
{
    struct mchoice *way;
    struct model *m = malloc(sizeof *m);
    size_t n = 0;

    for (uint32_t i = number; i; i = s->states[i].parent) {
        n++;
    }
    way = malloc((n + 1) * sizeof *way);
    if (!way || !m) {
        abort();
    }
    way[n] = last;
    for (uint32_t i = number, k = (uint32_t) n; i; i = s->states[i].parent) {
        way[--k] = s->states[i].choice;
    }
    *m = s->start;
    m->tell = print_line;
    for (size_t i = 0; i <= n; i++) {
        take_choice(m, way[i]);
        model_normalize(m);
    }
    free(way);
    free(m);
}

static void
fail(struct search *s, const struct model *m, uint32_t number,
     struct mchoice last)
{
    s->result->failed = true;
    printf("%s: a way to a violation:\n", s->plan->name);
    tell_way(s, number, last);
    printf("VIOLATION in '%s': %s\n", s->plan->name, m->violation);
}

/* ---- The search ------------------------------------------------------- */

static bool
begin(struct search *s, uint64_t edges[HA_N_STATES][HA_N_STATES])
{
    static struct model before;
    struct model *m = &s->start;

    model_config(&s->cfg, s->plan->nodes, s->plan->pair_fence, s->plan->fine);
    model_init(m, &s->cfg);
    m->edges = edges;
    s->cfg.fine = false;
    for (int i = 0; !s->plan->cold && !m->failed; i++) {
        if (i == REST_STEPS) {
            judge_violation(m, "no-recovery", "a cluster does not start");
        }
        before = *m;
        model_apply(m, (struct mchoice){ .kind = MODEL_RUN });
        model_normalize(m);
        if (!memcmp(&before.s, &m->s, sizeof m->s)
            && !memcmp(before.node, m->node, sizeof m->node)) {
            judge_rest(m);
            break;
        }
    }
    s->cfg.fine = s->plan->fine;
    if (m->failed) {
        printf("VIOLATION in '%s' at the start: %s\n", s->plan->name,
               m->violation);
        s->result->failed = true;
    }
    return !m->failed;
}

static void
try(struct search *s, const struct model *from, uint32_t number,
    struct mchoice c)
{
    static struct model m;
    uint32_t to;

    m = *from;
    m.steps = 0;
    model_apply(&m, c);
    model_normalize(&m);
    s->result->transitions++;
    s->result->steps += m.steps;
    to = add(s, &m, from, number, c);
    if (c.kind == MODEL_RUN && to == number) {
        judge_rest(&m);
    }
    if (m.failed) {
        fail(s, &m, number, c);
    }
}

static void
expand(struct search *s, uint32_t number)
{
    static struct model m;
    struct mchoice choices[MODEL_MAX_CHOICES];
    uint32_t n = 0;

    unpack(s, number, &m);
    try(s, &m, number, (struct mchoice){ .kind = MODEL_RUN });
    if (m.s.events < s->plan->events) {
        n = events_list(&m, s->plan->kinds, choices);
    }
    for (uint32_t i = 0; i < n && !s->result->failed; i++) {
        try(s, &m, number, choices[i]);
    }
}

void
search_run(const struct search_plan *plan, uint64_t max_states, bool verbose,
           uint64_t edges[HA_N_STATES][HA_N_STATES],
           struct search_result *result)
{
    static struct search s;
    uint32_t end;

    memset(&s, 0, sizeof s);
    memset(result, 0, sizeof *result);
    s.plan = plan;
    s.result = result;
    if (begin(&s, edges)) {
        add(&s, &s.start, NULL, 0, (struct mchoice){ .kind = MODEL_RUN });
    }
    for (uint32_t i = 0; i < s.n && !result->failed;) {
        if (result->depth == plan->depth) {
            break;
        }
        result->complete = false;
        for (end = s.n; i < end && !result->failed; i++) {
            expand(&s, i);
            if (s.n > max_states) {
                printf("'%s' has more than %llu states\n", plan->name,
                       (unsigned long long) max_states);
                result->failed = true;
            }
        }
        result->depth += s.n > end;
        result->complete = s.n == end;
        if (verbose) {
            printf("%s: depth %u: %u states\n", plan->name, result->depth,
                   s.n);
            fflush(stdout);
        }
    }
    result->states = s.n;
    result->bytes = intern_bytes(&s.nodes) + intern_bytes(&s.shared)
                    + intern_bytes(&s.pieces) + s.allocated * sizeof *s.states
                    + s.n_slots * sizeof *s.slots;
    intern_close(&s.pieces);
    intern_close(&s.nodes);
    intern_close(&s.shared);
    free(s.states);
    free(s.slots);
}
