/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/core/trace.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* One pass over a struct, either way: the same function reads and writes, so
 * that neither can forget a member. */
struct pass {
    struct trace_state *state;
    uint8_t *p; /* Reads never write through it. */
    uint8_t *end;
    bool read;
    bool bad;
};

static void
byte(struct pass *s, uint8_t *x)
{
    if (s->p == s->end) {
        s->bad = true;
        *x = 0;
    } else if (s->read) {
        *x = *s->p++;
    } else {
        *s->p++ = *x;
    }
}

/* Seven bits a byte, the lowest first. */
static void
u64(struct pass *s, uint64_t *x)
{
    uint64_t left = s->read ? 0 : *x;
    uint8_t b = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        if (!s->read) {
            b = (left & 0x7f) | (left > 0x7f ? 0x80 : 0);
            left >>= 7;
        }
        byte(s, &b);
        if (s->read) {
            left |= (uint64_t) (b & 0x7f) << shift;
        }
        if (!(b & 0x80)) {
            break;
        }
    }
    if (s->read) {
        *x = left;
    }
}

/* Small numbers of either sign are short. */
static void
i64(struct pass *s, int64_t *x)
{
    uint64_t z = ((uint64_t) *x << 1) ^ (uint64_t) (*x >> 63);

    u64(s, &z);
    *x = (int64_t) (z >> 1) ^ -(int64_t) (z & 1);
}

static void
u32(struct pass *s, uint32_t *x)
{
    uint64_t wide = *x;

    u64(s, &wide);
    s->bad |= wide > UINT32_MAX;
    *x = (uint32_t) wide;
}

static void
i32(struct pass *s, int32_t *x)
{
    int64_t wide = *x;

    i64(s, &wide);
    *x = (int32_t) wide;
}

static void
flag(struct pass *s, bool *x)
{
    uint8_t b = *x;

    byte(s, &b);
    s->bad |= b > 1;
    *x = b == 1;
}

/* There is hardly more than one in a cluster's life. */
static void
lineage(struct pass *s, uint64_t *x)
{
    uint64_t other = *x ^ s->state->lineage;

    u64(s, &other);
    *x = other ^ s->state->lineage;
    s->state->lineage = *x;
}

static void
set(struct pass *s, struct ha_set *x)
{
    u32(s, &x->n);
    if (x->n > HA_MAX_NODES) {
        s->bad = true;
        x->n = 0;
    }
    for (uint32_t i = 0; i < x->n; i++) {
        u32(s, &x->id[i]);
    }
}

static void
epoch(struct pass *s, struct ha_epoch *x)
{
    u32(s, &x->n);
    u32(s, &x->node);
}

static void
ballot(struct pass *s, struct ha_ballot *x)
{
    u32(s, &x->n);
    u32(s, &x->node);
}

static void
pos(struct pass *s, struct ha_pos *x)
{
    lineage(s, &x->lineage);
    epoch(s, &x->epoch);
    u64(s, &x->seq);
    u64(s, &x->chain);
}

static void
durable(struct pass *s, struct ha_durable *x)
{
    struct ha_record *r = &x->record;

    ballot(s, &x->promised);
    ballot(s, &x->accepted);
    u32(s, &x->rev);
    u32(s, &x->alone);
    lineage(s, &r->lineage);
    epoch(s, &r->epoch);
    u32(s, &r->active);
    u32(s, &r->paused);
    u64(s, &r->paused_ms);
    i64(s, &r->lease_us);
    set(s, &r->in_sync);
    set(s, &r->suspects);
}

static void
local(struct pass *s, struct ha_local *x)
{
    for (int i = 0; i < HA_N_DBS; i++) {
        struct ha_local_db *db = &x->db[i];

        pos(s, &db->pos);
        u32(s, &db->role);
        u32(s, &db->role_token);
        epoch(s, &db->role_epoch);
        u32(s, &db->life);
        flag(s, &db->complete);
        flag(s, &db->has_data);
        flag(s, &db->server_ok);
        flag(s, &db->connected);
        u32(s, &db->ask);
        u64(s, &db->ask_seq);
        u64(s, &db->ask_rows);
        u64(s, &db->ask_lost);
    }
    i32(s, &x->priority);
    flag(s, &x->nofailover);
    flag(s, &x->unfit);
    flag(s, &x->address_unfit);
    flag(s, &x->northd_ok);
    flag(s, &x->witness);
    flag(s, &x->low_disk);
    flag(s, &x->record_full);
    u32(s, &x->aside_files);
    u64(s, &x->aside_bytes);
}

static void
status(struct pass *s, struct ha_status *x)
{
    u32(s, &x->state);
    u32(s, &x->why);
    epoch(s, &x->hold);
    epoch(s, &x->ended);
    epoch(s, &x->supports);
    flag(s, &x->log_ready);
    flag(s, &x->leaving);
    flag(s, &x->ever_active);
    flag(s, &x->open);
    flag(s, &x->endless);
    local(s, &x->local);
}

static void
msg(struct pass *s, struct ha_msg *x)
{
    u32(s, &x->type);
    u32(s, &x->reserved);
    ballot(s, &x->ballot);
    u32(s, &x->rev);
    u32(s, &x->request);
    u32(s, &x->node);
    epoch(s, &x->epoch);
    flag(s, &x->elected);
    flag(s, &x->planned);
    u32(s, &x->why);
    flag(s, &x->refused);
    flag(s, &x->owes);
    flag(s, &x->stopped);
    flag(s, &x->unsaved);
    i64(s, &x->promise_left_us);
    for (int i = 0; i < HA_N_DBS; i++) {
        pos(s, &x->pos[i]);
    }
    set(s, &x->set);
    u64(s, &x->paused_ms);
    durable(s, &x->durable);
    status(s, &x->status);
}

static void
fence(struct pass *s, struct ha_fence *x)
{
    flag(s, &x->connected);
    epoch(s, &x->serve);
    epoch(s, &x->support);
    flag(s, &x->open);
    flag(s, &x->closed);
    flag(s, &x->endless);
    u32(s, &x->endless_token);
}

static void
peer(struct pass *s, struct ha_event *ev)
{
    struct ha_peer_db *x = &ev->peer.facts;
    uint32_t db = ev->peer.db;

    u32(s, &ev->peer.node);
    u32(s, &db);
    s->bad |= db >= HA_N_DBS;
    ev->peer.db = db;
    flag(s, &x->connected);
    flag(s, &x->complete);
    pos(s, &x->acked);
    pos(s, &x->head);
    i64(s, &x->lag_us);
}

static void
event_body(struct pass *s, struct ha_event *ev)
{
    switch (ev->type) {
    case HA_EV_START:
        flag(s, &ev->start.has_durable);
        durable(s, &ev->start.durable);
        break;
    case HA_EV_VIEW:
        set(s, &ev->view.members);
        break;
    case HA_EV_QUORUM:
        flag(s, &ev->quorum.quorate);
        set(s, &ev->quorum.members);
        break;
    case HA_EV_MSG:
        u32(s, &ev->msg.from);
        msg(s, &ev->msg.msg);
        break;
    case HA_EV_LOCAL:
        local(s, &ev->local);
        break;
    case HA_EV_FENCE:
        fence(s, &ev->fence);
        break;
    case HA_EV_SUPPORTED:
        epoch(s, &ev->supported.epoch);
        i64(s, &ev->supported.old_promise_left_us);
        break;
    case HA_EV_PEER:
        peer(s, ev);
        break;
    case HA_EV_PROBED:
        u32(s, &ev->probed.token);
        i32(s, &ev->probed.error);
        break;
    case HA_EV_SWITCH:
        u32(s, &ev->ctl.to);
        break;
    case HA_EV_FORCE:
        u32(s, &ev->ctl.to);
        u64(s, &ev->ctl.ms);
        break;
    case HA_EV_CONSENT:
        u32(s, &ev->ctl.to);
        u32(s, &ev->ctl.request);
        break;
    case HA_EV_POLICY:
        flag(s, &ev->policy.fence);
        flag(s, &ev->policy.quorum);
        set(s, &ev->policy.devices);
        i64(s, &ev->policy.delay_us);
        i64(s, &ev->policy.stale_us);
        break;
    case HA_EV_FENCED:
        u32(s, &ev->fenced.node);
        flag(s, &ev->fenced.proven);
        flag(s, &ev->fenced.vouched);
        break;
    case HA_EV_PAUSE:
        u64(s, &ev->ctl.ms);
        break;
    case HA_EV_PERSIST_FAILED:
    case HA_EV_TICK:
    case HA_EV_SHUTDOWN:
    case HA_EV_RESUME:
        break;
    }
}

static void
action(struct pass *s, struct ha_action *a)
{
    uint32_t number = a->type;

    u32(s, &number);
    switch (a->type) {
    case HA_ACT_PERSIST:
        durable(s, &a->durable);
        break;
    case HA_ACT_SEND:
        msg(s, &a->msg);
        break;
    case HA_ACT_FENCE_MEMBERS:
        set(s, &a->set);
        break;
    case HA_ACT_FENCE_SUPPORT:
    case HA_ACT_FENCE_SERVE:
    case HA_ACT_FENCE_CLOSE:
        epoch(s, &a->epoch);
        break;
    case HA_ACT_REPLICA:
        number = a->replica.db;
        u32(s, &number);
        u32(s, &a->replica.role);
        u32(s, &a->replica.token);
        u32(s, &a->replica.source);
        lineage(s, &a->replica.lineage);
        epoch(s, &a->replica.epoch);
        break;
    case HA_ACT_NORTHD:
        flag(s, &a->run);
        break;
    case HA_ACT_PROBE:
        u32(s, &a->token);
        break;
    case HA_ACT_REFUSED:
        number = a->why;
        u32(s, &number);
        break;
    case HA_ACT_CONSENT:
        number = a->consent.db;
        u32(s, &number);
        number = a->consent.ask;
        u32(s, &number);
        u64(s, &a->consent.until);
        break;
    case HA_ACT_FENCE_NODE:
        u32(s, &a->node);
        break;
    case HA_ACT_FENCE_ENDLESS:
        epoch(s, &a->endless.epoch);
        flag(s, &a->endless.on);
        u32(s, &a->endless.token);
        break;
    case HA_ACT_EXIT:
    case HA_ACT_FORGET:
        break;
    }
}

/* FNV-1a: guards against accidents, not against malice. */
uint32_t
trace_digest(const struct ha_actions *actions)
{
    uint32_t sum = 0x811c9dc5;

    for (size_t i = 0; i < actions->n; i++) {
        struct trace_state state = { 0, 0 };
        struct ha_action a = actions->a[i];
        uint8_t buf[TRACE_ENTRY_MAX];
        struct pass s = { .state = &state, .p = buf, .end = buf + sizeof buf };

        action(&s, &a);
        assert(!s.bad);
        for (const uint8_t *p = buf; p < s.p; p++) {
            sum = (sum ^ *p) * 0x01000193;
        }
    }
    return sum;
}

static void
config(struct pass *s, struct ha_config *x)
{
    u32(s, &x->self);
    set(s, &x->nodes);
    i64(s, &x->lease_us);
    i64(s, &x->drift_ppm);
    i64(s, &x->mute_us);
    i64(s, &x->grace_us);
    i64(s, &x->tail_us);
    i64(s, &x->open_us);
    i64(s, &x->retry_us);
    u64(s, &x->lag_records);
    i64(s, &x->lag_us);
}

/* The size stands for how struct ha_core is made up. */
static void
image(struct pass *s, struct trace_entry *e)
{
    uint64_t size = sizeof(struct ha_core);

    u64(s, &size);
    if (s->read) {
        s->bad |= size > (size_t) (s->end - s->p);
        e->image = size == sizeof(struct ha_core) ? s->p : NULL;
        s->p += s->bad ? 0 : size;
    }
}

static void
tell(struct pass *s, char *text)
{
    uint64_t len = s->read ? 0 : strlen(text);

    u64(s, &len);
    if (len >= HA_TELL_LEN) {
        s->bad = true;
        len = 0;
    }
    for (uint64_t i = 0; i < len; i++) {
        byte(s, (uint8_t *) &text[i]);
    }
    text[len] = '\0';
}

/* A STEP's first byte tells its event, and which parts follow. */
#define EVENT_MASK 0x1f
#define HAS_ACTIONS 0x20
#define HAS_TELL 0x40
#define HAS_RANDOM 0x80

static void
step(struct pass *s, struct trace_entry *e, uint8_t first)
{
    struct ha_event *ev = &e->event;
    int64_t passed = s->read ? 0 : ev->now.us - s->state->now_us;
    uint64_t n = e->n_actions;

    i64(s, &passed);
    s->bad |= __builtin_add_overflow(s->state->now_us, passed, &ev->now.us);
    s->state->now_us = ev->now.us;
    if (first & HAS_RANDOM) {
        u64(s, &ev->random);
    }
    event_body(s, ev);
    if (first & HAS_ACTIONS) {
        u64(s, &n);
        u32(s, &e->digest);
        e->n_actions = n;
    }
    if (first & HAS_TELL) {
        tell(s, e->tell);
    }
}

/* LIFE and IMAGE have numbers that are no event's. */
#define FIRST_LIFE 0x1e
#define FIRST_IMAGE 0x1f
_Static_assert((int) HA_EV_RESUME < FIRST_LIFE, "events fit into five bits");

static void
entry(struct pass *s, struct trace_entry *e, uint8_t first)
{
    byte(s, &first);
    if (s->read && first == FIRST_LIFE) {
        e->kind = TRACE_LIFE;
    } else if (s->read && first == FIRST_IMAGE) {
        e->kind = TRACE_IMAGE;
    } else if (s->read) {
        e->kind = TRACE_STEP;
        e->event.type = first & EVENT_MASK;
        s->bad |= (first & EVENT_MASK) > HA_EV_RESUME;
    }
    if (e->kind == TRACE_LIFE) {
        config(s, &e->config);
    } else if (e->kind == TRACE_IMAGE) {
        image(s, e);
    } else {
        step(s, e, first);
    }
}

static size_t
put(struct trace_state *state, struct trace_entry *e, uint8_t first,
    uint8_t buf[TRACE_ENTRY_MAX])
{
    struct pass s = { .state = state, .p = buf, .end = buf + TRACE_ENTRY_MAX };

    entry(&s, e, first);
    assert(!s.bad);
    return s.p - buf;
}

size_t
trace_put_life(struct trace_state *state, const struct ha_config *config_,
               uint8_t buf[TRACE_ENTRY_MAX])
{
    struct trace_entry e = { .kind = TRACE_LIFE, .config = *config_ };

    return put(state, &e, FIRST_LIFE, buf);
}

size_t
trace_put_image(struct trace_state *state, uint8_t buf[TRACE_ENTRY_MAX])
{
    struct trace_entry e = { .kind = TRACE_IMAGE };

    return put(state, &e, FIRST_IMAGE, buf);
}

size_t
trace_put_step(struct trace_state *state, const struct ha_event *ev,
               const struct ha_actions *actions, uint8_t buf[TRACE_ENTRY_MAX])
{
    struct trace_entry e = { .kind = TRACE_STEP,
                             .event = *ev,
                             .n_actions = actions->n };
    uint8_t first = ev->type;

    if (actions->n) {
        first |= HAS_ACTIONS;
        e.digest = trace_digest(actions);
    }
    if (actions->tell[0]) {
        first |= HAS_TELL;
        memcpy(e.tell, actions->tell, sizeof e.tell);
    }
    /* Randomness is used by a life's start, and for a new lineage, which is
     * sent at once. */
    if (ev->type == HA_EV_START || actions->n) {
        first |= HAS_RANDOM;
    }
    return put(state, &e, first, buf);
}

int
trace_get(struct trace_state *state, const uint8_t *data, size_t n,
          struct trace_entry *ret_entry, size_t *ret_used)
{
    struct trace_state next = *state;
    struct pass s = { .state = &next,
                      .p = (uint8_t *) data,
                      .end = (uint8_t *) data + n,
                      .read = true };

    memset(ret_entry, 0, sizeof *ret_entry);
    entry(&s, ret_entry, 0);
    if (s.bad) {
        return -EBADMSG;
    }
    *ret_used = s.p - data;
    *state = next;
    return ret_entry->kind == TRACE_IMAGE && !ret_entry->image
               ? -EPROTONOSUPPORT
               : 0;
}
