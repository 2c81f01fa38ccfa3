/* SPDX-License-Identifier: Apache-2.0 */

/* Generations of the log, their index, and cursors through them. */

#include <config.h>

#include "replica/oplog.h"
#include "replica/oplog-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

struct oplog_gen *
oplog_gen_ref(struct oplog_gen *gen)
{
    gen->refs++;
    return gen;
}

void
oplog_gen_unref(struct oplog_gen *gen)
{
    while (gen && !--gen->refs) {
        struct oplog_gen *next = gen->next;

        close(gen->fd);
        free(gen->marks);
        free(gen->schema_text);
        free(gen);
        gen = next;
    }
}

void
oplog_gen_add_mark(struct oplog_gen *gen, const struct oplog_mark *m)
{
    if (gen->n_marks && gen->marks[gen->n_marks - 1].off >= m->off) {
        gen->n_marks--;
        gen->first_mark = MIN(gen->first_mark, gen->n_marks);
    }
    if (gen->n_marks == gen->allocated_marks) {
        gen->marks =
            x2nrealloc(gen->marks, &gen->allocated_marks, sizeof *gen->marks);
    }
    gen->marks[gen->n_marks++] = *m;
}

/* Reads exactly 'n' bytes.  Returns 1, 0 if the file ends before, or a
 * negative errno. */
static int
read_exactly(int fd, char *buf, size_t n, uint64_t off)
{
    while (n) {
        ssize_t got = pread(fd, buf, n, (off_t) off);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -errno : 0;
        }
        buf += got;
        off += got;
        n -= got;
    }
    return 1;
}

int
oplog_read_record(int fd, uint64_t off, struct record_header *h,
                  char **ret_body)
{
    char head[4096];
    ssize_t got = pread(fd, head, sizeof head, (off_t) off);
    uint8_t sha1[RECORD_SHA1_LEN];
    size_t have, n;
    char *body;
    int error;

    if (got <= 0) {
        return got < 0 ? -errno : 0;
    }
    error = record_parse_header(head, got, h);
    if (error) {
        return error == -EAGAIN ? 0 : error;
    }
    n = h->body_len;
    have = MIN(n, (size_t) got - h->header_len);
    body = xmalloc(n + 1);
    memcpy(body, head + h->header_len, have);
    error =
        read_exactly(fd, body + have, n - have, off + h->header_len + have);
    if (error != 1) {
        free(body);
        return error;
    }
    digest_sha1(body, n, sha1);
    if (memcmp(sha1, h->sha1, sizeof sha1)) {
        free(body);
        return -EBADMSG;
    }
    body[n] = '\0';
    *ret_body = body;
    return 1;
}

/* Takes over what the mark at the cursor's offset says. */
static void
cursor_apply_mark(struct oplog_cursor *c)
{
    const struct oplog_gen *gen = c->gen;

    while (c->mark + 1 < gen->n_marks
           && gen->marks[c->mark + 1].off <= c->off) {
        c->mark++;
        if (gen->marks[c->mark].off == c->off) {
            c->pos = gen->marks[c->mark].pos;
        }
    }
}

static void
cursor_init(struct oplog_cursor *c, struct oplog_gen *gen, size_t mark)
{
    c->gen = oplog_gen_ref(gen);
    c->mark = mark;
    c->off = gen->marks[mark].off;
    c->pos = gen->marks[mark].pos;
}

void
oplog_cursor_close(struct oplog_cursor *c)
{
    oplog_gen_unref(c->gen);
    memset(c, 0, sizeof *c);
}

void
oplog_cursor_end(struct oplog *log, struct oplog_cursor *c)
{
    cursor_init(c, log->gen, log->gen->n_marks - 1);
    c->off = log->gen->end;
    c->pos = log->gen->end_pos;
}

/* Gives 'r', whose body and SHA-1 are set, its position after 'pos'. */
static void
record_number(const struct oplog_mark *m, const struct ha_pos *pos,
              struct oplog_record *r)
{
    struct record_comment comment;

    r->relayed = false;
    r->counted = true;
    if (m->mode == POINTS_ACTIVE) {
        r->pos = record_next_pos(pos, m->epoch, r->sha1);
    } else if (record_find_comment(r->body, r->n, &comment) != RECORD_PLAIN) {
        r->pos = comment.pos;
        r->relayed = true;
    } else {
        r->pos = *pos;
        r->counted = false;
    }
}

int
oplog_cursor_next(struct oplog_cursor *c, uint64_t limit,
                  struct oplog_record *r)
{
    struct record_header h;
    int error;

    if (c->off >= MIN(limit, c->gen->end)) {
        return 0;
    }
    error = oplog_read_record(c->gen->fd, c->off, &h, &r->body);
    if (error != 1) {
        return error;
    }
    if (c->off + h.header_len + h.body_len > limit) {
        free(r->body);
        return 0;
    }
    r->n = h.body_len;
    memcpy(r->sha1, h.sha1, sizeof r->sha1);
    record_number(&c->gen->marks[c->mark], &c->pos, r);
    c->off += h.header_len + h.body_len;
    c->pos = r->pos;
    cursor_apply_mark(c);
    return 1;
}

bool
oplog_cursor_step(struct oplog_cursor *c)
{
    struct oplog_gen *next = c->gen->next;
    struct oplog_gen *old = c->gen;

    if (!next || c->off < old->end || !next->n_marks) {
        return false;
    }
    cursor_init(c, next, 0);
    cursor_apply_mark(c);
    oplog_gen_unref(old);
    return true;
}

/* Finds 'pos' from mark number 'mark' of 'gen' on.  Of several places at which
 * it holds the last one counts. */
static enum oplog_found
find_from_mark(struct oplog_gen *gen, size_t mark, const struct ha_pos *pos,
               struct oplog_cursor *ret)
{
    struct oplog_cursor c;
    struct oplog_record r;

    cursor_init(&c, gen, mark);
    while (c.pos.seq < pos->seq) {
        if (oplog_cursor_next(&c, gen->end, &r) != 1) {
            break;
        }
        free(r.body);
    }
    if (c.pos.seq != pos->seq || c.pos.chain != pos->chain) {
        oplog_cursor_close(&c);
        return OPLOG_DIFFERS;
    }
    *ret = c;
    return OPLOG_FOUND;
}

/* The last useful mark of 'gen' at or before 'seq', or -1. */
static long int
find_mark(const struct oplog_gen *gen, uint64_t seq)
{
    size_t lo = gen->first_mark, hi = gen->n_marks;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (gen->marks[mid].pos.seq <= seq) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo > gen->first_mark ? (long int) lo - 1 : -1;
}

enum oplog_found
oplog_find(struct oplog *log, const struct ha_pos *pos,
           struct oplog_cursor *ret)
{
    struct oplog_gen *gens[] = { log->gen, log->prev };

    if (!log->gen || !log->gen->end_pos.lineage || !pos->lineage) {
        return OPLOG_NONE;
    }
    if (pos->lineage != log->gen->end_pos.lineage) {
        return OPLOG_OTHER_LINEAGE;
    }
    if (pos->seq > log->gen->end_pos.seq) {
        return OPLOG_BEYOND;
    }
    for (size_t i = 0; i < ARRAY_SIZE(gens); i++) {
        struct oplog_gen *gen = gens[i];
        long int mark;

        if (!gen || !gen->n_marks || (i && !gen->next)) {
            continue;
        }
        mark = find_mark(gen, pos->seq);
        if (mark >= 0) {
            return find_from_mark(gen, mark, pos, ret);
        }
    }
    return OPLOG_OLDER;
}

/* Walks from mark number 'mark' of 'gen' to the last position that is not
 * after 'pos'. */
static struct ha_pos
walk_to(struct oplog_gen *gen, size_t mark, const struct ha_pos *pos)
{
    struct ha_pos last = gen->marks[mark].pos;
    struct oplog_cursor c;
    struct oplog_record r;

    cursor_init(&c, gen, mark);
    while (oplog_cursor_next(&c, gen->end, &r) == 1) {
        free(r.body);
        if (ha_pos_cmp(&r.pos, pos) > 0) {
            break;
        }
        last = r.pos;
    }
    oplog_cursor_close(&c);
    return last;
}

bool
oplog_find_fork(struct oplog *log, const struct ha_pos *pos,
                struct ha_pos *ret)
{
    struct oplog_gen *gens[] = { log->gen, log->prev };

    if (!log->gen || pos->lineage != log->gen->end_pos.lineage
        || !pos->lineage) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(gens); i++) {
        struct oplog_gen *gen = gens[i];

        if (!gen || (i && !gen->next)) {
            continue;
        }
        for (size_t m = gen->n_marks; m-- > gen->first_mark;) {
            if (ha_pos_cmp(&gen->marks[m].pos, pos) <= 0) {
                *ret = walk_to(gen, m, pos);
                return true;
            }
        }
    }
    return false;
}
