/* SPDX-License-Identifier: Apache-2.0 */

/* The follower of the own database's file: the input says what is written to
 * it, in raw bytes or as records, and what else happens to it and to the
 * role of the node meanwhile. */

#include <config.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "util.h"

#include "lib/log.h"
#include "replica/oplog.h"
#include "tests/fuzz/logfile.h"

/* Numbers that a position in the input may not go beyond: a lineage ends
 * before they do. */
#define SEQ_MAX (UINT64_C(1) << 62)

static const char *path, *points_path, *link_path, *other_path;

/* Whole records were taken away from the end, which ovsdb-server never does:
 * others may stand in their place. */
static bool rewritten;

static void
prepare(void)
{
    if (!path) {
        path = logfile_path("db");
        points_path = logfile_path("db.pos");
        link_path = logfile_path("db.ovn-ha");
        other_path = logfile_path("db.new");
        ha_log_to_stderr(false);
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    }
}

/* What holds whenever the end of the file is reached. */
static void
check_end(struct oplog *log)
{
    const struct oplog_gen *gen = log->gen;
    struct oplog_cursor c;
    struct stat st;

    /* What was read may be gone, for as long as the follower waits. */
    if (log->state != OPLOG_READY || log->trouble_since) {
        return;
    }
    assert(!fstat(gen->fd, &st) && gen->end <= (uint64_t) st.st_size);
    assert(gen->synced <= gen->end && gen->first_mark <= gen->n_marks);
    for (size_t i = 1; i < gen->n_marks; i++) {
        assert(gen->marks[i - 1].off < gen->marks[i].off);
    }
    /* An active node finds the end of its own log. */
    if (log->mode == POINTS_ACTIVE && gen->end_pos.lineage && !rewritten
        && gen->end_pos.seq < SEQ_MAX) {
        assert(oplog_find(log, &gen->end_pos, &c) == OPLOG_FOUND);
        oplog_cursor_close(&c);
    }
}

/* Reads all that the log can ship. */
static void
walk(struct oplog *log)
{
    struct oplog_cursor c;
    struct oplog_record r;
    int ret;

    if (log->state != OPLOG_READY || log->trouble_since || !log->gen->n_marks
        || oplog_find(log, &log->gen->marks[log->gen->first_mark].pos, &c)
               != OPLOG_FOUND) {
        return;
    }
    do {
        while ((ret = oplog_cursor_next(&c, c.gen->end, &r)) == 1) {
            assert(r.n && c.off <= c.gen->end);
            free(r.body);
        }
        assert(!ret || rewritten);
    } while (oplog_cursor_step(&c));
    assert(c.off == c.gen->end || rewritten);
    oplog_cursor_close(&c);
}

static void
become_active(struct oplog *log)
{
    struct ha_pos base = { .lineage = 7, .epoch = { 3, 1 } };

    if (log->gen && log->gen->end_pos.lineage
        && log->gen->end_pos.seq < SEQ_MAX) {
        base = log->gen->end_pos;
    }
    base.seq++;
    oplog_begin_active(log, &base, (struct ha_epoch){ 4, 1 });
}

/* Another file takes the place of this one, as in a compaction. */
static void
replace(const void *body, size_t n)
{
    logfile_begin(other_path, false);
    if (n) {
        logfile_append_record(other_path, body, n);
    }
    assert(!rename(other_path, path));
}

static void
act(struct oplog **log, struct fuzz *in)
{
    uint8_t op = fuzz_byte(in);
    size_t n;
    const uint8_t *body =
        fuzz_bytes(in, op & 0x80 ? fuzz_byte(in) : (op >> 3) & 15, &n);

    switch (op & 7) {
    case 0:
        logfile_append(path, body, n);
        break;
    case 1:
    case 2:
        if (n) {
            logfile_append_record(path, body, n);
        }
        break;
    case 3:
        become_active(*log);
        break;
    case 4:
        oplog_begin_follow(*log);
        break;
    case 5:
        replace(body, n);
        break;
    case 6:
        oplog_destroy(*log);
        *log = oplog_create(path, points_path);
        break;
    case 7:
        rewritten = true;
        if (!truncate(path, n ? body[0] * 4 : 0)) {
            oplog_run(*log, 1u << 20);
        }
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz in = { .p = data, .n = n };
    struct oplog *log;

    prepare();
    rewritten = false;
    unlink(points_path);
    unlink(link_path);
    logfile_begin(path, fuzz_byte(&in) & 1);
    log = oplog_create(path, points_path);
    while (in.n) {
        act(&log, &in);
        oplog_catch_up(log);
        check_end(log);
    }
    walk(log);
    oplog_destroy(log);
    return 0;
}
