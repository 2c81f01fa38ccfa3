/* SPDX-License-Identifier: Apache-2.0 */

/* Time, the queue of events, random numbers and the narration. */

#include "tests/sim/sim.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory ---------------------------------------------------------- */

#define CHUNK 262144

struct chunk {
    struct chunk *next;
    size_t used;
    _Alignas(16) char data[CHUNK];
};

/* Memory that lives as long as the world. */
void *
world_alloc(struct world *w, size_t size)
{
    struct chunk *c = w->arena;
    void *p;

    size = (size + 15) & ~(size_t) 15;
    assert(size <= CHUNK);
    if (!c || c->used + size > CHUNK) {
        c = malloc(sizeof *c);
        if (!c) {
            abort();
        }
        c->next = w->arena;
        c->used = 0;
        w->arena = c;
    }
    p = c->data + c->used;
    c->used += size;
    memset(p, 0, size);
    return p;
}

/* ---- Random numbers --------------------------------------------------- */

uint64_t
rnd(struct world *w)
{
    uint64_t z = (w->rng += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* From 'lo' to 'hi', both included; a calm world takes the middle. */
int64_t
rnd_in(struct world *w, int64_t lo, int64_t hi)
{
    if (w->opt.calm) {
        return lo + (hi - lo) / 2;
    }
    return lo + (int64_t) (rnd(w) % (uint64_t) (hi - lo + 1));
}

bool
rnd_chance(struct world *w, unsigned permille)
{
    return !w->opt.calm && rnd(w) % 1000 < permille;
}

/* ---- Queue ------------------------------------------------------------ */

static bool
sooner(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void
world_at(struct world *w, int64_t at, sim_fn *fn, struct node *node,
         uint64_t arg, void *ptr)
{
    struct sim_event ev = {
        .at = at > w->now ? at : w->now,
        .seq = w->next_seq++,
        .fn = fn,
        .node = node,
        .arg = arg,
        .ptr = ptr,
    };
    size_t i = w->heap_n++;

    if (w->heap_n > w->heap_allocated) {
        w->heap_allocated = w->heap_allocated * 2 + 64;
        w->heap = realloc(w->heap, w->heap_allocated * sizeof *w->heap);
        if (!w->heap) {
            abort();
        }
    }
    for (; i && sooner(&ev, &w->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        w->heap[i] = w->heap[(i - 1) / 2];
    }
    w->heap[i] = ev;
}

void
world_in(struct world *w, int64_t us, sim_fn *fn, struct node *node,
         uint64_t arg, void *ptr)
{
    world_at(w, w->now + us, fn, node, arg, ptr);
}

static struct sim_event
heap_pop(struct world *w)
{
    struct sim_event top = w->heap[0];
    struct sim_event last = w->heap[--w->heap_n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= w->heap_n) {
            break;
        }
        if (child + 1 < w->heap_n
            && sooner(&w->heap[child + 1], &w->heap[child])) {
            child++;
        }
        if (!sooner(&w->heap[child], &last)) {
            break;
        }
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return top;
}

/* Runs one event that is due by 'until'.  False if there is none. */
bool
world_step(struct world *w, int64_t until)
{
    struct sim_event ev;

    if (w->failed || !w->heap_n || w->heap[0].at > until) {
        return false;
    }
    ev = heap_pop(w);
    w->now = ev.at;
    ev.fn(w, ev.node, ev.arg, ev.ptr);
    return true;
}

void
world_run(struct world *w, int64_t until)
{
    while (world_step(w, until)) {
    }
    if (!w->failed && w->now < until) {
        w->now = until;
    }
}

/* ---- Clocks ----------------------------------------------------------- */

static int64_t
clock_at(const struct node *nd, int64_t at)
{
    return nd->clock_off + at + at * nd->drift_ppb / 1000000000;
}

mono_t
node_clock(const struct world *w, const struct node *nd)
{
    return (mono_t){ clock_at(nd, w->now) };
}

/* When the node's clock shows at least 't'. */
int64_t
node_god_time(const struct world *w, const struct node *nd, mono_t t)
{
    int64_t left = t.us - clock_at(nd, w->now);
    int64_t at;

    if (left <= 0) {
        return w->now;
    }
    at = w->now + left - left * nd->drift_ppb / 1000000000 - 2;
    while (clock_at(nd, at) < t.us) {
        at++;
    }
    return at;
}

/* ---- Narration -------------------------------------------------------- */

#define TIME_LEN 10 /* "%9.3f ". */

/* A story keeps it without the time, which is none of its business. */
static void
keep_in_story(struct world *w, const char *line)
{
    size_t len = strlen(line);

    if (w->story_n + len + 2 > w->story_allocated) {
        w->story_allocated = w->story_allocated * 2 + len + 4096;
        w->story = realloc(w->story, w->story_allocated);
        if (!w->story) {
            abort();
        }
    }
    memcpy(w->story + w->story_n, line, len);
    w->story_n += len;
    w->story[w->story_n++] = '\n';
    w->story[w->story_n] = '\0';
}

static void
keep_line(struct world *w, const char *line)
{
    snprintf(w->lines[w->n_lines++ % KEEP_LINES], LINE_LEN, "%s", line);
    if (w->opt.verbose) {
        puts(line);
    }
    if (w->keep_story) {
        keep_in_story(w, line + TIME_LEN);
    }
}

/* A line of the narration; 'nd' NULL: the world speaks. */
void
tell(struct world *w, const struct node *nd, const char *fmt, ...)
{
    char line[LINE_LEN];
    int n;
    va_list ap;

    n = snprintf(line, sizeof line, "%9.3f ", (double) w->now / 1e6);
    n += snprintf(line + n, sizeof line - (size_t) n, nd ? "n%u " : "** ",
                  nd ? nd->id : 0);
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof line - (size_t) n, fmt, ap);
    va_end(ap);
    keep_line(w, line);
}

/* The first one counts and ends the run. */
void
violation(struct world *w, const char *name, const char *fmt, ...)
{
    int n;
    va_list ap;

    if (w->failed) {
        return;
    }
    w->failed = true;
    n = snprintf(w->violation, sizeof w->violation, "%s: ", name);
    va_start(ap, fmt);
    vsnprintf(w->violation + n, sizeof w->violation - (size_t) n, fmt, ap);
    va_end(ap);
    tell(w, NULL, "VIOLATION %s", w->violation);
}

/* ---- Life ------------------------------------------------------------- */

struct node *
world_node(struct world *w, uint32_t id)
{
    return id >= 1 && id <= w->n ? &w->nodes[id - 1] : NULL;
}

struct ha_set
set_of_mask(mask_t mask)
{
    struct ha_set s;

    memset(&s, 0, sizeof s);
    for (uint32_t id = 1; id <= HA_MAX_NODES; id++) {
        if (mask & bit_of(id)) {
            s.id[s.n++] = id;
        }
    }
    return s;
}

/* A pair with no-quorum-policy = fence, or with a quorum device. */
void
world_fence_policy(struct world *w, bool devices, bool confirm)
{
    w->policy.fence = true;
    w->policy.quorum = w->opt.qdevice;
    w->policy.devices = set_of_mask(devices ? 3 : 0);
    w->policy.delay_us = w->opt.qdevice ? 0 : 2 * SEC;
    w->policy.stale_us = 600 * SEC;
    w->confirm = confirm;
}

/* Timings of a tuned cluster (corosync's token at 500 ms); seeds vary what
 * an operator may set. */
static void
settle_config(struct world *w)
{
    static const int64_t drifts[] = { 200, 1000, 20000 };

    w->detect_us = 1030 * MS;
    w->detect_jitter_us = 300 * MS;
    w->merge_us = 250 * MS;
    w->write_us = 60 * MS;
    w->beat_us = 100 * MS;
    w->cfg = (struct ha_config){
        .nodes = set_of_mask(((mask_t) 1 << w->n) - 1),
        .lease_us = 900 * MS,
        .drift_ppm = drifts[w->opt.calm ? 0 : rnd(w) % 3],
        .mute_us = 2 * SEC,
        .grace_us = 10 * SEC,
        .tail_us = 3 * SEC,
        .open_us = 3 * SEC,
        .retry_us = 5 * SEC,
        .lag_records = 1000,
        .lag_us = 2 * SEC,
    };
    if (!w->opt.calm && rnd_chance(w, 300)) {
        w->cfg.lease_us = rnd_in(w, 400, 3000) * MS;
        w->beat_us = w->cfg.lease_us / 8;
    }
    if (!w->opt.calm && rnd_chance(w, 150)) {
        /* The membership's change comes long before leases are over. */
        w->cfg.lease_us = rnd_in(w, 1500, 3000) * MS;
        w->beat_us = w->cfg.lease_us / 8;
        w->detect_us = rnd_in(w, 400, 700) * MS;
    } else if (!w->opt.calm && rnd_chance(w, 200)) {
        w->detect_us = rnd_in(w, 600, 3600) * MS;
    }
    w->policy.stale_us = w->opt.calm ? 600 * SEC : rnd_in(w, 5, 60) * SEC;
    if (w->opt.calm) {
        w->detect_jitter_us = 0;
        if (w->opt.qdevice || w->opt.two_node) {
            world_fence_policy(w, true, false);
        }
    } else if (w->opt.qdevice || w->opt.two_node
               || (w->n == 2 && rnd_chance(w, 600))) {
        world_fence_policy(w, rnd_chance(w, 850), rnd_chance(w, 500));
        if (!w->opt.qdevice) {
            w->policy.delay_us = rnd_in(w, 0, 4000) * MS;
        }
        w->policy.stale_us = rnd_in(w, 5, 60) * SEC;
    }
}

void
world_init(struct world *w, const struct sim_options *opt,
           struct coverage *cov)
{
    memset(w, 0, sizeof *w);
    w->opt = *opt;
    w->cov = cov;
    w->rng = opt->seed * UINT64_C(0xd1342543de82ef95) + 1;
    w->n = opt->n_nodes;
    w->next_id = 1;
    settle_config(w);
    for (unsigned i = 0; i < w->n; i++) {
        struct node *nd = &w->nodes[i];

        nd->id = i + 1;
        nd->coro.unordered_tail = &nd->coro.unordered;
        nd->coro.held_tail = &nd->coro.held;
        nd->fence.queue_tail = &nd->fence.queue;
    }
    w->base_records = w->opt.calm || rnd_chance(w, 500);
    if (w->n >= 3 && rnd_chance(w, 200)) {
        w->nodes[rnd(w) % w->n].nofailover = true;
    }
    if (opt->witness) {
        w->nodes[w->n - 1].witness = true;
    }
    if (rnd_chance(w, 200)) {
        w->nodes[rnd(w) % w->n].priority = (int32_t) rnd_in(w, -5, 5);
    }
    oracle_init(w);
}

void
world_close(struct world *w)
{
    FOR_EACH_NODE(nd, w)
    {
        free(nd->had.inbox);
        for (int db = 0; db < HA_N_DBS; db++) {
            free(nd->db[db].log);
        }
    }
    while (w->rings) {
        struct ring *r = w->rings;

        w->rings = r->next;
        free(r->log);
    }
    oracle_close(w);
    while (w->arena) {
        struct chunk *c = w->arena;

        w->arena = c->next;
        free(c);
    }
    free(w->heap);
    free(w->story);
    if (w->cov) {
        w->cov->simulated_us += w->now;
    }
}
