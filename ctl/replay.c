/* SPDX-License-Identifier: Apache-2.0 */

/* The journal of a node's core, run through the core once more. */

#include "ctl/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ha/core/core.h"
#include "ha/core/trace.h"
#include "lib/durable.h"
#include "lib/xalloc.h"

#define JOURNAL_MAX (64 * 1024 * 1024)

struct replay {
    struct ha_core core;
    bool ready; /* 'core' is as it was. */
    uint64_t n_steps;
    uint64_t n_decisions;
    uint64_t n_lives;
    uint64_t n_differ;
    size_t skipped; /* Bytes that belong to no entry that can be read. */
    bool foreign;   /* Some of them, because other software wrote them. */
    mono_t first;   /* Times are told from here on. */
};

static void
differs(struct replay *r, const char *what, const char *was, const char *is)
{
    printf("step %" PRIu64 " %s differs:\n  was: %s\n  is:  %s\n", r->n_steps,
           what, was, is);
    r->n_differ++;
}

static void
run_step(struct replay *r, const struct trace_entry *e)
{
    struct ha_actions now;
    uint32_t digest;

    ha_step(&r->core, &e->event, &now);
    digest = trace_digest(&now);
    if (!r->n_steps++) {
        r->first = e->event.now;
    }
    r->n_decisions += now.n || now.tell[0];
    if (now.tell[0]) {
        printf("%10.3f %s\n", mono_us_between(r->first, e->event.now) / 1e6,
               now.tell);
    }
    if (strcmp(now.tell, e->tell)) {
        differs(r, "telling", e->tell, now.tell);
    } else if (now.n != e->n_actions || (now.n && digest != e->digest)) {
        char was[64], is[64];

        snprintf(was, sizeof was, "%zu actions, digest %08" PRIx32,
                 e->n_actions, e->digest);
        snprintf(is, sizeof is, "%zu actions, digest %08" PRIx32, now.n,
                 digest);
        differs(r, "what is to be done", was, is);
    }
}

static void
run_entry(struct replay *r, const struct trace_entry *e)
{
    switch (e->kind) {
    case TRACE_LIFE:
        ha_core_init(&r->core, &e->config);
        printf("-- a life of node %u begins\n", e->config.self);
        r->n_lives++;
        r->ready = true;
        break;
    case TRACE_IMAGE:
        memcpy(&r->core, e->image, sizeof r->core);
        r->ready = true;
        break;
    case TRACE_STEP:
        if (r->ready) {
            run_step(r, e);
        }
        break;
    }
}

/* True if a core can be set up with what is said to be its configuration. */
static bool
sane(const struct ha_config *config)
{
    return config->nodes.n && ha_set_has(&config->nodes, config->self)
           && config->lease_us > 0;
}

/* Runs the segment whose magic is at 'data'.  Returns its length. */
static size_t
run_segment(struct replay *r, const uint8_t *data, size_t n)
{
    struct trace_state state = { 0, 0 };
    struct trace_entry *e = ha_calloc(1, sizeof *e);
    size_t at = TRACE_MAGIC_LEN, used = 0;
    int error = 0;

    r->ready = false;
    while (at < n && !error) {
        error = trace_get(&state, data + at, n - at, e, &used);
        if (!error && e->kind == TRACE_LIFE && !sane(&e->config)) {
            error = -EBADMSG;
        }
        if (!error) {
            run_entry(r, e);
            at += used;
        }
    }
    r->foreign |= error == -EPROTONOSUPPORT;
    free(e);
    return at;
}

static void
run_file(struct replay *r, const uint8_t *data, size_t n)
{
    size_t at = 0;

    while (at < n) {
        const uint8_t *next =
            memmem(data + at, n - at, TRACE_MAGIC, TRACE_MAGIC_LEN);
        size_t end = next ? (size_t) (next - data) : n;
        const uint8_t *after;

        r->skipped += end - at;
        if (!next) {
            return;
        }
        after = memmem(next + TRACE_MAGIC_LEN, n - end - TRACE_MAGIC_LEN,
                       TRACE_MAGIC, TRACE_MAGIC_LEN);
        at = end
             + run_segment(r, next, after ? (size_t) (after - next) : n - end);
    }
}

int
verb_replay(struct verb_args *args)
{
    struct replay *r;
    char *data;
    size_t n;
    int error = durable_read(args->operand, JOURNAL_MAX, &data, &n);
    int status = VERB_FAILED;

    if (error) {
        fprintf(stderr, "ovn-hactl: %s: %s\n", args->operand,
                strerror(-error));
        return VERB_FAILED;
    }
    r = ha_calloc(1, sizeof *r);
    run_file(r, (const uint8_t *) data, n);
    if (!r->n_steps) {
        fprintf(stderr, "ovn-hactl: %s: %s\n", args->operand,
                r->foreign ? "written by another version of ovn-had"
                           : "no journal of ovn-had");
    } else {
        printf("%" PRIu64 " steps of %" PRIu64 " lives, %" PRIu64
               " decisions, %" PRIu64 " differ; %zu bytes skipped\n",
               r->n_steps, r->n_lives, r->n_decisions, r->n_differ,
               r->skipped);
        status = r->n_differ ? VERB_FAILED : VERB_FINE;
    }
    free(r);
    free(data);
    return status;
}
