/* SPDX-License-Identifier: Apache-2.0 */

/* Corosync: membership, quorum, and messages in agreed order.
 *
 * Its real weaknesses are the point.  Delivery is agreed, not safe: when a
 * configuration ends, each member holds a prefix of its messages, and those
 * who go on together deliver the longest prefix that one of them holds; so
 * what one side delivered (even to itself) may be unknown to the other.  A
 * message that was not ordered yet goes into the next configuration.  Sides
 * of a partition learn of it at different times, each node's quorum and cpg
 * callbacks come in either order, and a frozen corosync tells nothing. */

#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* ---- Upcalls ---------------------------------------------------------- */

static void
upcall_arrives(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    struct upcall *u = ptr;

    if (nd->boot != boot || !nd->up || nd->coro_run != u->run) {
        return;
    }
    if (nd->coro.frozen || nd->frozen) {
        u->next = NULL;
        *nd->coro.held_tail = u;
        nd->coro.held_tail = &u->next;
        return;
    }
    if (nd->had.alive && nd->had.life == u->life) {
        had_post(w, nd, &u->ev);
    }
}

/* Passes 'ev' up to the present ovn-had at 'at', after what '*last' says was
 * passed up before on the same channel. */
static void
pass_up(struct world *w, struct node *nd, const struct ha_event *ev,
        int64_t at, int64_t *last)
{
    struct upcall *u = world_alloc(w, sizeof *u);

    if (at < *last) {
        at = *last;
    }
    *last = at;
    u->life = nd->had.life;
    u->run = nd->coro_run;
    u->ev = *ev;
    world_at(w, at, upcall_arrives, nd, nd->boot, u);
}

static bool
app_listens(const struct node *nd)
{
    return nd->coro.app_joined && nd->had.alive
           && nd->coro.app_life == nd->had.life;
}

static void
pass_view(struct world *w, struct node *nd, int64_t at)
{
    struct ha_event ev;

    if (!app_listens(nd)) {
        return;
    }
    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_VIEW;
    ev.view.members = set_of_mask(nd->coro.joined);
    pass_up(w, nd, &ev, at, &nd->coro.cpg_last);
}

static bool
is_quorate(const struct world *w, const struct node *nd, unsigned members)
{
    if (w->opt.two_node) {
        return nd->coro.saw_all;
    }
    return members + (w->opt.qdevice && w->device == nd->coro.ring)
           > (w->n + w->opt.qdevice) / 2;
}

static void
pass_quorum(struct world *w, struct node *nd, int64_t at)
{
    struct ha_event ev;
    mask_t members;

    if (!nd->coro.ring || !nd->had.alive) {
        return;
    }
    members = nd->coro.ring->members;
    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_QUORUM;
    ev.quorum.members = set_of_mask(members);
    nd->coro.saw_all |= ev.quorum.members.n == w->n;
    ev.quorum.quorate = is_quorate(w, nd, ev.quorum.members.n);
    pass_up(w, nd, &ev, at, &nd->coro.quorum_last);
}

/* ---- Agreed order ----------------------------------------------------- */

/* 'm' is next in the order that 'nd' follows. */
static void
deliver(struct world *w, struct node *nd, const struct gmsg *m, int64_t at)
{
    struct corosync *c = &nd->coro;
    struct ha_event ev;

    switch (m->kind) {
    case G_JOIN:
        c->joined |= bit_of(m->from);
        if (m->from == nd->id) {
            c->app_joined = true;
            c->app_life = m->life;
        }
        pass_view(w, nd, at);
        break;
    case G_LEAVE:
        if (c->joined & bit_of(m->from)) {
            c->joined &= ~bit_of(m->from);
            if (m->from == nd->id) {
                c->app_joined = false;
            }
            pass_view(w, nd, at);
        }
        break;
    case G_MSG:
        if (app_listens(nd)) {
            memset(&ev, 0, sizeof ev);
            ev.type = HA_EV_MSG;
            ev.msg.from = m->from;
            ev.msg.msg = m->msg;
            pass_up(w, nd, &ev, at, &c->cpg_last);
        }
        break;
    }
}

static void
deliver_up_to(struct world *w, struct node *nd, size_t n, int64_t at)
{
    struct corosync *c = &nd->coro;

    while (c->delivered < n) {
        deliver(w, nd, c->ring->log[c->delivered++], at);
    }
}

struct in_flight {
    struct ring *ring;
    size_t idx;
};

static void
received(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    const struct in_flight *f = ptr;
    struct corosync *c = &nd->coro;

    if (!nd->up || nd->boot != boot || c->ring != f->ring || c->deaf) {
        return;
    }
    if (c->frozen || nd->frozen || (c->ring->stalled && rnd_chance(w, 500))) {
        c->deaf = true;
        return;
    }
    if (c->have <= f->idx) {
        c->have = f->idx + 1;
    }
    deliver_up_to(w, nd, f->idx + 1, w->now);
}

/* 'sender' has the token, and so all that was sent before. */
static void
ring_append(struct world *w, struct node *sender, struct gmsg *m)
{
    struct ring *r = sender->coro.ring;
    struct in_flight *f = world_alloc(w, sizeof *f);

    if (r->n == r->allocated) {
        r->allocated = r->allocated * 2 + 32;
        r->log = realloc(r->log, r->allocated * sizeof *r->log);
        if (!r->log) {
            abort();
        }
    }
    *f = (struct in_flight){ r, r->n };
    r->log[r->n++] = m;
    sender->coro.have = r->n;
    FOR_EACH_NODE(nd, w)
    {
        if (nd->coro.ring == r) {
            world_in(w, rnd_in(w, 200, 1200), received, nd, nd->boot, f);
        }
    }
}

/* 'nd' has the token. */
static void
order(struct world *w, struct node *nd, uint64_t boot, void *ptr)
{
    struct corosync *c = &nd->coro;

    (void) ptr;
    if (!nd->up || nd->boot != boot || c->frozen || nd->frozen || !c->ring
        || c->ring->stalled) {
        return;
    }
    while (c->unordered) {
        struct gmsg *m = c->unordered;

        c->unordered = m->next;
        ring_append(w, nd, m);
    }
    c->unordered_tail = &c->unordered;
}

static void
queue(struct world *w, struct node *nd, struct gmsg *m)
{
    struct corosync *c = &nd->coro;

    m->from = nd->id;
    m->next = NULL;
    *c->unordered_tail = m;
    c->unordered_tail = &m->next;
    world_in(w, rnd_in(w, 300, 1000), order, nd, nd->boot, NULL);
}

/* What is said to a frozen corosync waits in shared memory, or is gone. */
static bool
said_in_vain(struct world *w, struct node *nd)
{
    return !nd->up || !nd->coro.up || (nd->coro.frozen && rnd_chance(w, 500));
}

void
group_send(struct world *w, struct node *nd, const struct ha_msg *msg)
{
    struct gmsg *m;

    if (said_in_vain(w, nd)) {
        return;
    }
    m = world_alloc(w, sizeof *m);
    m->kind = G_MSG;
    m->msg = *msg;
    queue(w, nd, m);
}

/* ovn-had connects (and tries until corosync answers): it learns quorum, and is a member once that is agreed. */
void
group_join(struct world *w, struct node *nd)
{
    struct gmsg *m;

    if (!nd->up || !nd->coro.up) {
        return;
    }
    m = world_alloc(w, sizeof *m);
    m->kind = G_JOIN;
    m->life = nd->had.life;
    queue(w, nd, m);
    pass_quorum(w, nd, w->now + rnd_in(w, 100, 4000));
}

void
group_leave(struct world *w, struct node *nd)
{
    struct gmsg *m;

    if (!nd->up || !nd->coro.up) {
        return;
    }
    m = world_alloc(w, sizeof *m);
    m->kind = G_LEAVE;
    queue(w, nd, m);
}

/* ---- Membership ------------------------------------------------------- */

static bool
coro_runs(const struct node *nd)
{
    return nd->up && nd->coro.up && !nd->coro.frozen && !nd->frozen;
}

static bool
hears(const struct world *w, const struct node *a, const struct node *b)
{
    return coro_runs(a) && coro_runs(b) && (a == b || net_both(w, a, b));
}

/* ---- The quorum device ------------------------------------------------ */

/* True if a node lives that has the vote by itself. */
static bool
device_is_held(const struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        if (w->device && w->nodes[i].coro.ring == w->device
            && coro_runs(&w->nodes[i])) {
            return true;
        }
    }
    return false;
}

/* Ring 'r' forms.  Corosync waits for the device's word before it tells
 * anybody; of two halves the first one gets the vote. */
static void
device_choose(struct world *w, const struct ring *r)
{
    bool half = r->members != bit_of(1) + bit_of(2);
    bool taken = w->device && w->device->members != bit_of(1) + bit_of(2);

    if (w->opt.qdevice && !w->qnetd_down
        && !(half && taken && device_is_held(w))) {
        w->device = r;
    }
}

static void
device_said(struct world *w, struct node *nd, uint64_t boot, void *ring)
{
    if (nd->up && nd->boot == boot && nd->coro.ring == ring) {
        pass_quorum(w, nd, w->now);
    }
}

/* Each member of 'r' learns in its own time what the device says now. */
static void
device_tell(struct world *w, const struct ring *r)
{
    FOR_EACH_NODE(nd, w)
    {
        if (r && nd->coro.ring == r) {
            world_in(w, rnd_in(w, 100, 4000) * MS, device_said, nd, nd->boot,
                     nd->coro.ring);
        }
    }
}

/* The server misses who had the vote; another gets it.  One that stood still,
 * and goes on, learns that late. */
static void
device_review(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    const struct ring *old = w->device;

    (void) nd;
    (void) arg;
    (void) ptr;
    if (w->qnetd_down || device_is_held(w)) {
        return;
    }
    FOR_EACH_NODE(other, w)
    {
        if (coro_runs(other) && other->coro.ring && !other->coro.ring->stalled
            && w->device == old) {
            w->device = other->coro.ring;
        }
    }
    if (w->device != old) {
        device_tell(w, old);
        device_tell(w, w->device);
    }
}

void
group_qnetd(struct world *w, bool up)
{
    const struct ring *old = w->device;

    if (w->qnetd_down != up) {
        return;
    }
    tell(w, NULL, "== the quorum device's server is %s", up ? "up" : "down");
    w->qnetd_down = !up;
    if (up) {
        device_review(w, NULL, 0, NULL);
    } else {
        w->device = NULL;
        device_tell(w, old);
    }
}

/* Where not all see each other, groups of those who do; which ones, depends
 * on the network alone, so that it is stable. */
static void
find_groups(struct world *w, mask_t group[HA_MAX_NODES])
{
    uint64_t h = w->opt.seed;
    mask_t done = 0;
    unsigned start;

    memset(group, 0, HA_MAX_NODES * sizeof *group);
    FOR_EACH_NODE(a, w)
    {
        FOR_EACH_NODE(b, w)
        {
            h = (h ^ hears(w, a, b)) * UINT64_C(0x100000001b3);
        }
    }
    start = (unsigned) ((h >> 20) % w->n);
    for (unsigned k = 0; k < w->n; k++) {
        unsigned i = (start + k) % w->n;
        mask_t g = 0;

        if (!coro_runs(&w->nodes[i]) || (done & bit_of(i + 1))) {
            continue;
        }
        for (unsigned l = 0; l < w->n; l++) {
            unsigned j = (i + l) % w->n;
            bool all = !(done & bit_of(j + 1));

            for (unsigned m = 0; all && m < w->n; m++) {
                all = !(g & bit_of(m + 1))
                      || hears(w, &w->nodes[m], &w->nodes[j]);
            }
            if (all && hears(w, &w->nodes[i], &w->nodes[j])) {
                g |= bit_of(j + 1);
            }
        }
        done |= g;
        for (unsigned j = 0; j < w->n; j++) {
            if (g & bit_of(j + 1)) {
                group[j] = g;
            }
        }
    }
}

static bool
ring_is_whole(struct world *w, const struct ring *r,
              const mask_t group[HA_MAX_NODES])
{
    for (unsigned i = 0; i < w->n; i++) {
        if ((r->members & bit_of(i + 1))
            && (w->nodes[i].coro.ring != r
                || (group[i] & r->members) != r->members)) {
            return false;
        }
    }
    return true;
}

/* A loss shorter than the token's timeout: what was lost is sent again. */
static void
ring_goes_on(struct world *w, struct ring *r)
{
    r->stalled = false;
    FOR_EACH_NODE(nd, w)
    {
        if (nd->coro.ring == r) {
            nd->coro.deaf = false;
            nd->coro.have = r->n;
            deliver_up_to(w, nd, r->n, w->now + rnd_in(w, 100, 2000));
            world_in(w, rnd_in(w, 300, 1000), order, nd, nd->boot, NULL);
        }
    }
}

/* Members of 'group' move from their rings, perhaps several, to a new one. */
static void
move_to_ring(struct world *w, mask_t group, struct ring *r)
{
    struct ring *old[HA_MAX_NODES] = { NULL };
    size_t longest[HA_MAX_NODES] = { 0 };
    int64_t at[HA_MAX_NODES];
    mask_t joined = 0;

    device_choose(w, r);
    for (unsigned i = 0; i < w->n; i++) {
        if (group & bit_of(i + 1)) {
            old[i] = w->nodes[i].coro.ring;
            at[i] = w->now + rnd_in(w, 0, 4000);
        }
    }
    for (unsigned i = 0; i < w->n; i++) {
        for (unsigned j = 0; j < w->n; j++) {
            if (old[i] && old[i] == old[j]
                && w->nodes[j].coro.have > longest[i]) {
                longest[i] = w->nodes[j].coro.have;
            }
        }
    }
    for (unsigned i = 0; i < w->n; i++) {
        struct node *nd = &w->nodes[i];

        if (group & bit_of(i + 1)) {
            if (old[i]) {
                deliver_up_to(w, nd, longest[i], at[i]);
            }
            joined |= nd->coro.app_joined ? bit_of(i + 1) : 0;
        }
    }
    for (unsigned i = 0; i < w->n; i++) {
        struct corosync *c = &w->nodes[i].coro;
        mask_t together = bit_of(i + 1);

        if (!(group & bit_of(i + 1))) {
            continue;
        }
        for (unsigned j = 0; j < w->n; j++) {
            if (old[i] && old[i] == old[j]) {
                together |= bit_of(j + 1);
            }
        }
        c->ring = r;
        c->have = c->delivered = 0;
        c->deaf = false;
        if (c->joined & ~together) {
            c->joined &= together;
            pass_view(w, &w->nodes[i], at[i]);
        }
        if (c->joined != joined) {
            c->joined = joined;
            pass_view(w, &w->nodes[i], at[i] + rnd_in(w, 0, 500));
        }
        pass_quorum(w, &w->nodes[i], at[i] + rnd_in(w, -3000, 3000));
        world_in(w, rnd_in(w, 4000, 6000), order, &w->nodes[i],
                 w->nodes[i].boot, NULL);
    }
}

static void
form(struct world *w, struct node *nd, uint64_t group, void *ptr)
{
    struct ring *r;
    unsigned i;

    (void) nd;
    (void) ptr;
    for (i = 0; i < w->n_forming; i++) {
        if (w->forming[i].members == group && w->forming[i].at == w->now) {
            break;
        }
    }
    if (i == w->n_forming) {
        return;
    }
    w->forming[i] = w->forming[--w->n_forming];
    r = world_alloc(w, sizeof *r);
    r->members = (mask_t) group;
    r->next = w->rings;
    w->rings = r;
    move_to_ring(w, (mask_t) group, r);
    group_changed(w);
}

/* Lists which groups have to form, and when.  A group that was about to
 * form does so when it would have anyway. */
static void
plan_group(struct world *w, mask_t group, const struct forming *old,
           unsigned n_old)
{
    struct forming *f = &w->forming[w->n_forming++];
    bool loss = false;

    f->members = group;
    for (unsigned i = 0; i < n_old; i++) {
        if (old[i].members == group) {
            f->at = old[i].at;
            return;
        }
    }
    for (unsigned i = 0; i < w->n; i++) {
        const struct ring *r = w->nodes[i].coro.ring;

        loss |= (group & bit_of(i + 1)) && r && (r->members & ~group);
    }
    f->at = w->now
            + (loss ? w->detect_us + rnd_in(w, 0, w->detect_jitter_us)
                    : rnd_in(w, w->merge_us / 2, w->merge_us * 3 / 2));
    if (loss && rnd_chance(w, 100)) {
        f->at += rnd_in(w, 0, 2500) * MS;
    }
    world_at(w, f->at, form, NULL, group, NULL);
}

/* To be called whenever a link or a corosync changed. */
void
group_changed(struct world *w)
{
    mask_t group[HA_MAX_NODES];
    struct forming old[HA_MAX_NODES];
    unsigned n_old = w->n_forming;
    mask_t planned = 0;

    if (w->opt.qdevice) {
        world_in(w, rnd_in(w, 1000, 3000) * MS, device_review, NULL, 0, NULL);
    }
    memcpy(old, w->forming, sizeof old);
    w->n_forming = 0;
    find_groups(w, group);
    for (struct ring **rp = &w->rings, *r; (r = *rp);) {
        bool used = false;
        bool whole = ring_is_whole(w, r, group);

        FOR_EACH_NODE(nd, w)
        {
            used |= nd->coro.ring == r;
        }
        if (!used) {
            *rp = r->next;
            free(r->log);
            continue;
        }
        if (!whole) {
            r->stalled = true;
        } else if (r->stalled) {
            ring_goes_on(w, r);
        }
        rp = &r->next;
    }
    for (unsigned i = 0; i < w->n; i++) {
        const struct ring *r = w->nodes[i].coro.ring;

        if (group[i] && !(planned & bit_of(i + 1))
            && (!r || r->members != group[i] || r->stalled)) {
            planned |= group[i];
            plan_group(w, group[i], old, n_old);
        }
    }
}

void
group_boot(struct world *w, struct node *nd)
{
    nd->coro.up = true;
    nd->coro.saw_all = false;
    nd->coro.frozen = false;
    nd->coro_run++;
    group_changed(w);
}

static void
post_isolated(struct world *w, struct node *nd)
{
    struct ha_event ev;

    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_VIEW;
    had_post(w, nd, &ev);
    memset(&ev, 0, sizeof ev);
    ev.type = HA_EV_QUORUM;
    had_post(w, nd, &ev);
}

void
group_stop(struct world *w, struct node *nd)
{
    if (nd->up && nd->coro.up) {
        tell(w, nd, "== corosync is stopped");
        nd->coro_run++;
        group_down(w, nd);
        post_isolated(w, nd);
    }
}

/* Ovn-had joins anew; one that was started meanwhile waited for it. */
void
group_start(struct world *w, struct node *nd)
{
    if (nd->up && !nd->coro.up) {
        tell(w, nd, "== corosync is started");
        group_boot(w, nd);
        if (nd->had.alive) {
            group_join(w, nd);
        } else {
            had_start(w, nd);
        }
    }
}

/* The machine or its corosync is gone, with all that it had not said. */
void
group_down(struct world *w, struct node *nd)
{
    memset(&nd->coro, 0, sizeof nd->coro);
    nd->coro.unordered_tail = &nd->coro.unordered;
    nd->coro.held_tail = &nd->coro.held;
    group_changed(w);
}

void
group_freeze(struct world *w, struct node *nd)
{
    if (nd->coro.up && !nd->coro.frozen) {
        nd->coro.frozen = true;
        group_changed(w);
    }
}

/* Callbacks that were held back come first, late as they are. */
void
group_thaw(struct world *w, struct node *nd)
{
    struct upcall *u = nd->coro.held;

    nd->coro.frozen = false;
    if (nd->frozen) {
        return;
    }
    nd->coro.held = NULL;
    nd->coro.held_tail = &nd->coro.held;
    while (u) {
        struct upcall *next = u->next;

        world_at(w, w->now, upcall_arrives, nd, nd->boot, u);
        u = next;
    }
    if (nd->coro.cpg_last < w->now) {
        nd->coro.cpg_last = w->now;
    }
    group_changed(w);
}
