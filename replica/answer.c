/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "util.h"

#include "lib/log.h"
#include "replica/link.h"
#include "replica/oplog.h"
#include "replica/verifier.h"

#define BACKLOG_MAX (64u << 10) /* Records go first. */

struct answer {
    struct verifier *verifier;
    uint32_t id;
    bool done;   /* The receiver needs no more. */
    bool failed; /* What came makes no sense. */
};

static void
say_text(struct link *link, uint32_t id, enum frame_verify_code code,
         const char *text, size_t n)
{
    struct frame_verify_text m = { .id = id, .code = code };
    uint8_t head[FRAME_FIXED_MAX];

    link_send(link, FRAME_VERIFY_TEXT, head, frame_put_verify_text(head, &m),
              text, n);
}

static void
refuse(struct link *link, uint32_t id, enum frame_verify_code code,
       const char *text)
{
    say_text(link, id, code, text, strlen(text));
}

/* Starts the verifier for 'm'. */
static int
answer_start(struct answer *a, struct oplog *log, struct link *link,
             const struct frame_verify *m)
{
    struct oplog_cursor cursor;
    int error;

    if (oplog_find(log, &m->pos, &cursor) != OPLOG_FOUND) {
        refuse(link, m->id, FRAME_VERIFY_GONE,
               "the position is not in the log any more");
        return -ENOENT;
    }
    error = verifier_start(false, cursor.gen->fd, cursor.off, &a->verifier);
    oplog_cursor_close(&cursor);
    if (error) {
        ha_log(HA_LOG_WARN, "answer", "no verifier can be started: %s",
               ovs_strerror(-error));
        refuse(link, m->id, FRAME_VERIFY_FAILED, "no verifier can be started");
        return error;
    }
    ha_log(HA_LOG_INFO, "answer",
           "%s has its content verified at record %" PRIu64, link_name(link),
           m->pos.seq);
    a->id = m->id;
    return 0;
}

struct answer *
answer_create(struct oplog *log, struct link *link, const struct link_frame *f,
              bool busy)
{
    struct answer *a = xzalloc(sizeof *a);
    struct frame_verify m;

    if (!frame_get_verify(f->body, f->n, &m)) {
        if (busy) {
            refuse(link, m.id, FRAME_VERIFY_BUSY,
                   "busy with another node's verification");
        } else if (!answer_start(a, log, link, &m)) {
            return a;
        }
    }
    free(a);
    return NULL;
}

void
answer_destroy(struct answer *a)
{
    if (a) {
        verifier_stop(a->verifier);
        free(a);
    }
}

void
answer_take(struct answer *a, const struct link_frame *f)
{
    struct frame_verify_text m;

    if (frame_get_verify_text(f->body, f->n, &m) || m.id != a->id) {
        return;
    }
    if (m.code != FRAME_VERIFY_GOES_ON) {
        a->done = true;
    } else if (verifier_send(a->verifier, f->body + FRAME_VERIFY_TEXT_LEN,
                             f->n - FRAME_VERIFY_TEXT_LEN)) {
        a->failed = true;
    }
}

bool
answer_run(struct answer *a, struct link *link)
{
    static struct verifier_msg m;
    int error = 0;

    if (a->done) {
        return false;
    }
    while (!a->failed && !error && link_backlog(link) < BACKLOG_MAX) {
        error = verifier_recv(a->verifier, &m);
        if (!error && m.said == VERIFIER_TEXT) {
            say_text(link, a->id, FRAME_VERIFY_GOES_ON, m.text, m.len);
        } else if (!error && m.said == VERIFIER_RESULT) {
            m.verification.why[sizeof m.verification.why - 1] = '\0';
            refuse(link, a->id, FRAME_VERIFY_FAILED, m.verification.why);
            return false;
        }
    }
    if (a->failed || (error && error != -EAGAIN)) {
        refuse(link, a->id, FRAME_VERIFY_FAILED, "the verifier has ended");
        return false;
    }
    return true;
}

void
answer_wait(struct answer *a, struct link *link)
{
    if (a->done || a->failed) {
        poll_immediate_wake();
    } else if (link_backlog(link) < BACKLOG_MAX) {
        verifier_wait(a->verifier);
    }
}
