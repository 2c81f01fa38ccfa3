/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

#include "lib/log.h"
#include "replica/link.h"
#include "replica/oplog.h"
#include "replica/verifier.h"

#define AGAIN_MS 500       /* After the source's log had moved on... */
#define BUSY_MS 2000       /* ...or was busy. */
#define PATIENCE_MS 600000 /* With both. */

struct verify {
    bool wanted;
    uint32_t token;
    long long int asked_at, began, next_try;
    struct verifier *verifier; /* NULL: not begun. */
    uint32_t id;               /* Of it, for the source. */
    bool ended; /* verify_run() is to say how; see 'now.state'. */

    struct wire_r_verification now;
    struct wire_r_difference found[WIRE_R_DIFFERENCES];
    uint32_t n_found;
    uint32_t n_told; /* Of 'found', to the supervisor. */
    bool news;       /* 'now' is to be told. */
};

struct verify *
verify_create(void)
{
    return xzalloc(sizeof(struct verify));
}

void
verify_destroy(struct verify *v)
{
    if (v) {
        verifier_stop(v->verifier);
        free(v);
    }
}

void
verify_want(struct verify *v, uint32_t token)
{
    if (v->wanted) {
        v->token = token ? token : v->token;
        v->now.token = v->token;
        return;
    }
    v->wanted = true;
    v->token = token;
    v->asked_at = v->began = time_msec();
    v->next_try = 0;
    v->n_found = v->n_told = 0;
    v->ended = false;
    memset(&v->now, 0, sizeof v->now);
    v->now.token = token;
    v->now.state = WIRE_RV_WAITING;
    v->news = true;
}

bool
verify_is_wanted(const struct verify *v)
{
    return v->wanted;
}

static void
verify_end(struct verify *v, enum wire_r_verify_state state)
{
    struct timespec ts;

    verifier_stop(v->verifier);
    v->verifier = NULL;
    v->wanted = false;
    v->ended = true;
    clock_gettime(CLOCK_REALTIME, &ts);
    v->now.state = state;
    v->now.took_ms = time_msec() - v->began;
    v->now.ended_ms = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
    v->news = true;
}

void
verify_fail(struct verify *v, const char *why)
{
    if (v->wanted) {
        ovs_strlcpy(v->now.why, why, sizeof v->now.why);
        ha_log(HA_LOG_WARN, "verify", "not verified: %s", why);
        v->n_found = v->n_told = 0;
        verify_end(v, WIRE_RV_FAILED);
        v->ended = false; /* Whoever says so knows it. */
    }
}

/* Begins once more in 'ms', if there was not trouble for too long. */
static void
verify_again(struct verify *v, int ms, const char *why)
{
    verifier_stop(v->verifier);
    v->verifier = NULL;
    if (time_msec() - v->asked_at > PATIENCE_MS) {
        verify_fail(v, why);
        return;
    }
    v->next_try = time_msec() + ms;
    v->now.state = WIRE_RV_WAITING;
    ovs_strlcpy(v->now.why, why, sizeof v->now.why);
    v->news = true;
}

/* Of the end of the own log, which is the position here. */
static void
verify_begin(struct verify *v, struct oplog *log, struct link *link,
             uint32_t node)
{
    struct oplog_gen *gen = log->gen;
    struct frame_verify m = { .pos = gen->end_pos };
    uint8_t body[FRAME_FIXED_MAX];
    int error;

    error = verifier_start(true, gen->fd, gen->end, &v->verifier);
    if (error) {
        v->verifier = NULL;
        verify_fail(v, "no verifier can be started");
        return;
    }
    v->id = v->id + 1 ? v->id + 1 : 1;
    v->began = time_msec();
    v->now.state = WIRE_RV_RUNNING;
    v->now.source = node;
    v->now.pos = gen->end_pos;
    v->now.done = 0;
    v->now.total = gen->end;
    v->now.why[0] = '\0';
    v->news = true;
    m.id = v->id;
    link_send(link, FRAME_VERIFY, body, frame_put_verify(body, &m), NULL, 0);
}

/* ---- The two ends -------------------------------------------------------- */

void
verify_take(struct verify *v, const struct link_frame *f)
{
    const uint8_t *text = f->body + FRAME_VERIFY_TEXT_LEN;
    char why[WIRE_WHY_LEN] = "at the source: ";
    struct frame_verify_text m;
    size_t n;

    if (frame_get_verify_text(f->body, f->n, &m) || !v->verifier
        || m.id != v->id) {
        return;
    }
    n = f->n - FRAME_VERIFY_TEXT_LEN;
    if (m.code != FRAME_VERIFY_GOES_ON) {
        snprintf(why + strlen(why), sizeof why - strlen(why), "%.*s",
                 (int) MIN(n, sizeof why), (const char *) text);
    }
    switch (m.code) {
    case FRAME_VERIFY_GOES_ON:
        if (verifier_send(v->verifier, text, n)) {
            verify_fail(v, "the own verifier has ended");
        }
        break;
    case FRAME_VERIFY_BUSY:
        verify_again(v, BUSY_MS, why);
        break;
    case FRAME_VERIFY_GONE:
        verify_again(v, AGAIN_MS, why);
        break;
    default:
        verify_fail(v, why);
        break;
    }
}

static void
verify_progress(struct verify *v, const struct wire_r_verification *m)
{
    v->now.phase = m->phase;
    v->now.done = m->done;
    v->now.total = m->total;
    v->news = true;
}

static void
verify_result(struct verify *v, const struct wire_r_verification *m,
              struct link *link)
{
    struct frame_verify_text done = { .id = v->id, .code = FRAME_VERIFY_DONE };
    uint8_t body[FRAME_FIXED_MAX];

    link_send(link, FRAME_VERIFY_TEXT, body,
              frame_put_verify_text(body, &done), NULL, 0);
    if (m->state == WIRE_RV_FAILED) {
        verify_fail(v, m->why);
        return;
    }
    verify_progress(v, m);
    v->now.rows = m->rows;
    v->now.tables = m->tables;
    v->now.n_differ = m->n_differ;
    v->now.skipped = m->skipped;
    verify_end(v, m->state);
    ha_log(m->state == WIRE_RV_EQUAL ? HA_LOG_INFO : HA_LOG_ERR, "verify",
           "%" PRIu64 " of %" PRIu64 " rows in %" PRIu32
           " tables differ from node %" PRIu32 "'s at record %" PRIu64
           "; took %" PRId64 " ms",
           v->now.n_differ, v->now.rows, v->now.tables, v->now.source,
           v->now.pos.seq, v->now.took_ms);
}

static void
verify_difference(struct verify *v, const struct wire_r_difference *d)
{
    if (v->n_found < WIRE_R_DIFFERENCES) {
        v->found[v->n_found++] = *d;
        ha_log(HA_LOG_ERR, "verify",
               "table %s, row %s, column %s: %s at the source, %s here",
               d->table, d->row, d->column[0] ? d->column : "-", d->there,
               d->here);
    }
}

/* Takes what the own verifier says. */
static void
verify_hear(struct verify *v, struct link *link)
{
    static struct verifier_msg m;
    struct frame_verify_text head = { .id = v->id };
    uint8_t body[FRAME_FIXED_MAX];
    int error = 0;

    while (v->verifier && !(error = verifier_recv(v->verifier, &m))) {
        switch ((enum verifier_said) m.said) {
        case VERIFIER_TEXT:
            link_send(link, FRAME_VERIFY_TEXT, body,
                      frame_put_verify_text(body, &head), m.text, m.len);
            break;
        case VERIFIER_PROGRESS:
            verify_progress(v, &m.verification);
            break;
        case VERIFIER_DIFFERENCE:
            verify_difference(v, &m.difference);
            break;
        case VERIFIER_RESULT:
            verify_result(v, &m.verification, link);
            break;
        }
    }
    if (v->verifier && error != -EAGAIN) {
        verify_fail(v, "the own verifier has ended");
    }
}

enum wire_r_verify_state
verify_run(struct verify *v, struct oplog *log, struct link *link,
           uint32_t node)
{
    if (v->verifier) {
        verify_hear(v, link);
    } else if (v->wanted && time_msec() >= v->next_try
               && log->state == OPLOG_READY && log->gen->end_pos.lineage) {
        verify_begin(v, log, link, node);
    }
    if (!v->ended) {
        return WIRE_RV_NONE;
    }
    v->ended = false;
    return v->now.state;
}

void
verify_wait(struct verify *v)
{
    if (v->verifier) {
        verifier_wait(v->verifier);
    } else if (v->wanted) {
        poll_timer_wait_until(v->next_try);
    }
}

/* ---- What is told -------------------------------------------------------- */

uint32_t
verify_token(const struct verify *v)
{
    return v->token;
}

void
verify_describe(const struct verify *v, char why[WIRE_WHY_LEN])
{
    const struct wire_r_difference *d = &v->found[0];

    snprintf(why, WIRE_WHY_LEN,
             "%" PRIu64 " row%s from node %" PRIu32
             "'s, the first in %.40s, %.36s",
             v->now.n_differ, v->now.n_differ == 1 ? " differs" : "s differ",
             v->now.source, d->table, d->row);
}

enum wire_type
verify_take_report(struct verify *v, struct wire_r_verification *m,
                   struct wire_r_difference *d)
{
    if (v->now.state == WIRE_RV_DIFFERS && v->n_told < v->n_found) {
        *d = v->found[v->n_told++];
        return WIRE_R_DIFFERENCE;
    }
    if (v->news) {
        v->news = false;
        *m = v->now;
        return WIRE_R_VERIFICATION;
    }
    return 0;
}
