/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/oplog.h"
#include "replica/oplog-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

#include "lib/digest.h"
#include "lib/log.h"
#include "replica/schemas.h"
#include "replica/successor.h"

#define MARK_EVERY 64    /* Records between two marks of the index. */
#define SLICE (1u << 20) /* Bytes of a large record read at a time. */
#define PREV_KEEP_MS (10 * 60 * 1000) /* How long the old generation stays. */
#define TROUBLE_MS \
    2000                  /* A bad end may be one that is being written;
                                 * after this long it is not. */
#define DATE_SLACK_MS 100 /* Clocks of file system and server differ. */

struct oplog *
oplog_create(const char *path, const char *points_path)
{
    struct oplog *log = xzalloc(sizeof *log);
    char *folder = dir_name(path);

    log->path = xstrdup(path);
    log->link_path = xasprintf("%s.ovn-ha", path);
    log->points_path = xstrdup(points_path);
    log->digest = digest_create();
    log->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (log->inotify >= 0) {
        inotify_add_watch(log->inotify, folder,
                          IN_MOVED_TO | IN_CREATE | IN_DELETE);
    }
    free(folder);
    return log;
}

static void
oplog_drop_record(struct oplog *log)
{
    free(log->body);
    log->body = NULL;
    log->in_record = false;
}

/* What was foreign is part of the truth now. */
static void
oplog_forgive(struct oplog *log)
{
    log->n_foreign = 0;
    log->foreign_chain = 0;
    log->foreign_why[0] = '\0';
}

/* Forgets all that was read. */
static void
oplog_reset(struct oplog *log)
{
    oplog_drop_record(log);
    successor_destroy(log->check);
    log->check = NULL;
    oplog_gen_unref(log->gen);
    oplog_gen_unref(log->prev);
    log->gen = log->prev = NULL;
    log->state = OPLOG_ABSENT;
    log->trouble_since = 0;
    log->damaged = false;
    log->why[0] = '\0';
    oplog_forgive(log);
}

void
oplog_destroy(struct oplog *log)
{
    if (log) {
        oplog_reset(log);
        if (log->inotify >= 0) {
            close(log->inotify);
        }
        digest_destroy(log->digest);
        free(log->path);
        free(log->link_path);
        free(log->points_path);
        free(log);
    }
}

/* ---- Points and marks ---------------------------------------------------- */

/* Marks the end of the log, where 'pos' holds. */
static void
oplog_mark(struct oplog *log)
{
    struct oplog_mark m = {
        .off = log->gen->end,
        .pos = log->gen->end_pos,
        .mode = log->mode,
        .epoch = log->epoch,
    };

    oplog_gen_add_mark(log->gen, &m);
    log->since_mark = 0;
}

/* Keeps a second name of the current file, so that compaction while the
 * worker is down does not take away the end of the old one. */
static void
oplog_keep_link(struct oplog *log)
{
    char *tmp = xasprintf("%s.tmp", log->link_path);
    char *fd_path = xasprintf("/proc/self/fd/%d", log->gen->fd);
    struct stat st;

    if (stat(log->link_path, &st) || st.st_ino != log->gen->ino
        || st.st_dev != log->gen->dev) {
        unlink(tmp);
        if (linkat(AT_FDCWD, fd_path, AT_FDCWD, tmp, AT_SYMLINK_FOLLOW)
            || rename(tmp, log->link_path)) {
            ha_log(HA_LOG_WARN, "oplog",
                   "%s cannot be kept as %s (%s); "
                   "a compaction while this worker is down will cost a "
                   "resynchronisation",
                   log->path, log->link_path, ovs_strerror(errno));
        }
    }
    free(fd_path);
    free(tmp);
}

/* Notes durably that the position of the end holds at the end. */
static int
oplog_save_point(struct oplog *log)
{
    struct oplog_gen *gen = log->gen;
    struct point p = {
        .off = gen->end,
        .record_off = log->last_off,
        .mode = log->mode,
        .epoch = log->epoch,
        .pos = gen->end_pos,
    };
    int error;

    memcpy(p.sha1, log->last_sha1, sizeof p.sha1);
    if (log->points.ino != gen->ino || log->points.dev != gen->dev) {
        memset(&log->points, 0, sizeof log->points);
        log->points.ino = gen->ino;
        log->points.dev = gen->dev;
    }
    points_add(&log->points, &p);
    error = points_save(log->points_path, &log->points);
    if (error) {
        ha_log(HA_LOG_ERR, "oplog", "%s cannot be written: %s",
               log->points_path, ovs_strerror(-error));
    }
    oplog_keep_link(log);
    return error;
}

int
oplog_sync(struct oplog *log)
{
    struct oplog_gen *gen = log->gen;

    if (!gen) {
        return 0;
    }
    if (gen->synced == gen->end) {
        log->durable = gen->end_pos;
        return 0;
    }
    if (fdatasync(gen->fd)) {
        int error = errno;

        snprintf(log->why, sizeof log->why, "%.100s cannot be synced: %s",
                 log->path, ovs_strerror(error));
        ha_log(HA_LOG_ERR, "oplog", "%s", log->why);
        return -error;
    }
    gen->synced = gen->end;
    log->durable = gen->end_pos;
    return 0;
}

/* Marks and notes durably the end, with the current mode. */
static int
oplog_turn(struct oplog *log)
{
    int error = oplog_sync(log);

    if (!error) {
        error = oplog_save_point(log);
    }
    if (!error) {
        oplog_mark(log);
    }
    return error;
}

/* True if 'p' names the end of a record that 'fd' holds. */
static bool
point_holds(int fd, const struct point *p)
{
    char head[RECORD_HEADER_MAX];
    ssize_t got = pread(fd, head, sizeof head, (off_t) p->record_off);
    struct record_header h;

    return got > 0 && !record_parse_header(head, got, &h)
           && p->record_off + h.header_len + h.body_len == p->off
           && !memcmp(h.sha1, p->sha1, sizeof h.sha1);
}

/* If the position file speaks of the open file and all is as it says, takes it
 * over.  Otherwise forgets it. */
static bool
oplog_believe_points(struct oplog *log)
{
    struct oplog_gen *gen = log->gen;

    if (log->points.ino != gen->ino || log->points.dev != gen->dev) {
        return false;
    }
    for (size_t i = 0; i < log->points.n; i++) {
        if (!point_holds(gen->fd, &log->points.a[i])) {
            ha_log(HA_LOG_WARN, "oplog",
                   "%s does not hold the record that "
                   "%s names at offset %" PRIu64 "; the position is derived "
                   "from the file alone",
                   log->path, log->points_path, log->points.a[i].record_off);
            return false;
        }
    }
    return log->points.n > 0;
}

/* True if a point at the end or behind it is noted already.  Then the file is
 * being read again after a restart, and to note this one would drop those. */
static bool
oplog_knows_point(const struct oplog *log)
{
    const struct points *ps = &log->points;

    return ps->n && ps->ino == log->gen->ino && ps->dev == log->gen->dev
           && ps->a[ps->n - 1].off >= log->gen->end;
}

/* After a difference, or a record in the wrong place, the position may be lower
 * than before: what came before is not to be found any more, and whether the
 * position goes on from there is no question any more. */
static void
oplog_cut_index(struct oplog *log)
{
    successor_destroy(log->check);
    log->check = NULL;
    log->gen->first_mark = log->gen->n_marks;
    oplog_gen_unref(log->prev);
    log->prev = NULL;
    log->since_mark = MARK_EVERY;
}

/* The position is not known any more, and was at 'pos'.  Says so durably, by
 * points of no file. */
static void
oplog_lose(struct oplog *log, struct ha_pos pos)
{
    struct point p = {
        .off = 1,
        .mode = log->mode,
        .epoch = log->epoch,
        .pos = pos,
    };

    log->lost = pos;
    log->lost_epoch = log->mode == POINTS_ACTIVE ? log->epoch : pos.epoch;
    memset(&log->points, 0, sizeof log->points);
    points_add(&log->points, &p);
    if (points_save(log->points_path, &log->points)) {
        ha_log(HA_LOG_ERR, "oplog", "%s cannot be written", log->points_path);
    }
    memset(&log->points, 0, sizeof log->points);
    log->skip = 0;
    log->mode = POINTS_FOLLOW;
    if (log->gen) {
        log->gen->end_pos = (struct ha_pos){ .seq = 0 };
        oplog_cut_index(log);
    }
    ha_log(HA_LOG_ERR, "oplog",
           "%s is not what it was at record %" PRIu64
           "; its position is not known any more",
           log->path, pos.seq);
}

bool
oplog_is_file(const struct oplog *log, uint64_t dev, uint64_t ino)
{
    return log->gen && log->gen->dev == dev && log->gen->ino == ino;
}

const char *
oplog_why(const struct oplog *log)
{
    if (log->why[0]) {
        return log->why;
    }
    if (log->state == OPLOG_READY && !log->gen->end_pos.lineage
        && log->lost.lineage) {
        return "the database's file was replaced by one that does not follow "
               "from it; a resynchronisation is needed";
    }
    return log->foreign_why;
}

/* If a point lies at the end, what it says counts. */
static void
oplog_apply_point(struct oplog *log)
{
    if (log->points.ino != log->gen->ino || log->points.dev != log->gen->dev) {
        return;
    }
    for (size_t i = 0; i < log->points.n; i++) {
        const struct point *p = &log->points.a[i];

        if (p->off == log->gen->end) {
            if (p->mode == POINTS_ACTIVE) {
                oplog_forgive(log);
            }
            log->gen->end_pos = p->pos;
            log->mode = p->mode;
            log->epoch = p->epoch;
            log->last_off = p->record_off;
            memcpy(log->last_sha1, p->sha1, sizeof log->last_sha1);
            oplog_mark(log);
        }
    }
}

/* ---- Opening ------------------------------------------------------------- */

static void
oplog_watch(struct oplog *log)
{
    if (log->inotify >= 0) {
        inotify_add_watch(log->inotify, log->path, IN_MODIFY);
    }
}

static struct oplog_gen *
gen_open(const char *path)
{
    struct oplog_gen *gen;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return NULL;
    }
    gen = xzalloc(sizeof *gen);
    gen->refs = 1;
    gen->fd = fd;
    gen->dev = st.st_dev;
    gen->ino = st.st_ino;
    return gen;
}

/* Begins to read 'gen' from its start, with nothing known. */
static void
oplog_begin_gen(struct oplog *log, struct oplog_gen *gen)
{
    oplog_drop_record(log);
    log->gen = gen;
    log->state = OPLOG_SCANNING;
    log->n_records = 0;
    log->since_mark = 0;
    log->skip = 0;
    memset(&log->installed, 0, sizeof log->installed);
    log->trouble_since = 0;
    log->damaged = false;
    log->why[0] = '\0';
    oplog_watch(log);
}

/* Opens the file that the position file speaks of, if that is the database's
 * file or the one that it replaced; the former otherwise. */
static void
oplog_open_gen(struct oplog *log)
{
    struct oplog_gen *gen = gen_open(log->path);
    struct oplog_gen *kept;

    if (!gen) {
        return;
    }
    if (points_load(log->points_path, &log->points)) {
        memset(&log->points, 0, sizeof log->points);
    }
    log->mode = POINTS_FOLLOW;
    if (log->points.n && log->points.ino != gen->ino) {
        kept = gen_open(log->link_path);
        if (kept && kept->ino == log->points.ino) {
            oplog_gen_unref(gen);
            gen = kept;
        } else {
            oplog_gen_unref(kept);
        }
    }
    oplog_begin_gen(log, gen);
    if (oplog_believe_points(log)) {
        log->skip = log->points.a[0].off;
    } else {
        if (log->points.n) {
            const struct point *p = &log->points.a[log->points.n - 1];

            log->lost = p->pos;
            log->lost_epoch =
                p->mode == POINTS_ACTIVE ? p->epoch : p->pos.epoch;
        }
        memset(&log->points, 0, sizeof log->points);
    }
}

/* ---- Reading ------------------------------------------------------------- */

/* Reads the schema, the first record. */
static bool
gen_read_schema(struct oplog_gen *gen, const char *body)
{
    struct json *json = json_from_string(body);
    bool ok = json->type == JSON_OBJECT;

    if (ok) {
        gen->schema_text = json_to_string(json, JSSF_SORT);
        digest_sha256(gen->schema_text, strlen(gen->schema_text), gen->schema);
    }
    json_destroy(json);
    return ok;
}

/* Says what a record that is not ours does. */
static void
oplog_describe(const char *body, uint64_t off, char why[OPLOG_WHY_LEN])
{
    struct json *json = json_from_string(body);
    const char *table = "no table";
    const char *op = "";
    struct shash_node *node;

    if (json->type == JSON_OBJECT) {
        SHASH_FOR_EACH (node, json_object(json)) {
            const struct json *rows = node->data;

            if (node->name[0] != '_' && rows->type == JSON_OBJECT
                && !shash_is_empty(json_object(rows))) {
                const struct json *row = shash_first(json_object(rows))->data;

                table = node->name;
                op = row->type == JSON_NULL ? "deletes from " : "writes to ";
                break;
            }
        }
    }
    snprintf(why, OPLOG_WHY_LEN,
             "a record that is not the replica's %s%s at "
             "offset %" PRIu64 " of the file",
             op, table, off);
    json_destroy(json);
}

static void
oplog_note_foreign(struct oplog *log, const char *why,
                   const uint8_t sha1[RECORD_SHA1_LEN])
{
    if (!log->n_foreign++) {
        ovs_strlcpy(log->foreign_why, why, sizeof log->foreign_why);
        ha_log(HA_LOG_ERR, "oplog", "%s: %s", log->path, why);
    }
    log->foreign_chain = record_chain(log->foreign_chain, sha1);
}

/* The file was installed as a whole: up to 'c->end' it is not ours. */
static void
oplog_begin_install(struct oplog *log, const struct record_comment *c)
{
    log->installed = c->pos;
    log->skip = c->end;
    log->gen->end_pos = (struct ha_pos){ .seq = 0 };
}

/* At the end of what was installed its position holds, whatever was before. */
static void
oplog_end_install(struct oplog *log)
{
    if (log->installed.lineage && log->gen->end == log->skip) {
        log->gen->end_pos = log->installed;
        memset(&log->installed, 0, sizeof log->installed);
        oplog_forgive(log);
        oplog_cut_index(log);
        log->want_point = true;
    }
}

/* Follows a record while only this worker is to write. */
static void
oplog_count_follow(struct oplog *log, const char *body)
{
    struct ha_pos *pos = &log->gen->end_pos;
    char why[OPLOG_WHY_LEN];
    struct record_comment c;
    enum record_kind kind;

    kind = record_find_comment(body, log->header.body_len, &c);
    if (kind == RECORD_INSTALL && log->n_records == 1) {
        oplog_begin_install(log, &c);
        return;
    } else if (kind == RECORD_RESYNC) {
        oplog_forgive(log);
        oplog_cut_index(log);
        log->want_point = true;
    } else if (kind == RECORD_PLAIN || kind == RECORD_INSTALL
               || (pos->lineage && c.pos.lineage != pos->lineage)) {
        if (pos->lineage) {
            oplog_describe(body, log->gen->end, why);
            oplog_note_foreign(log, why, log->header.sha1);
        }
        return;
    } else if (pos->lineage && c.prev != pos->seq) {
        snprintf(why, sizeof why,
                 "record %" PRIu64 " follows %" PRIu64 " in the "
                 "file where it should follow %" PRIu64,
                 c.pos.seq, pos->seq, c.prev);
        oplog_note_foreign(log, why, log->header.sha1);
        if (c.pos.seq <= pos->seq) {
            oplog_cut_index(log);
        }
    }
    *pos = c.pos;
}

static bool
is_compaction(const char *body, size_t n)
{
    static const char *const texts[] = {
        "\"_comment\":\"compacting database online",
        "\"_comment\":\"compacted by ovsdb-tool",
        "\"_comment\":\"converted by ovsdb-",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (memmem(body, n, texts[i], strlen(texts[i]))) {
            return true;
        }
    }
    return false;
}

static int64_t
timespec_to_ms(const struct timespec *ts)
{
    return (int64_t) ts->tv_sec * 1000 + ts->tv_nsec / 1000000;
}

/* True if the date of the current generation's second record, 'body', lies
 * between the last write to the old file and the rename (which changes the old
 * file's ctime).  A restored backup is older; if a generation in between was
 * missed, it is younger. */
static bool
oplog_dates_fit(const struct oplog_gen *old, const char *body, size_t n)
{
    int64_t date = record_find_date(body, n);
    struct stat st;

    return !fstat(old->fd, &st)
           && date >= timespec_to_ms(&st.st_mtim) - DATE_SLACK_MS
           && date <= timespec_to_ms(&st.st_ctim) + DATE_SLACK_MS;
}

/* The current generation holds what the one before held at its end, so the
 * position goes on. */
static void
oplog_go_on(struct oplog *log)
{
    struct oplog_gen *old = log->prev;
    struct oplog_gen *gen = log->gen;

    gen->end_pos = old->end_pos;
    old->next = oplog_gen_ref(gen);
    oplog_mark(log);
    oplog_save_point(log);
    ha_log(HA_LOG_INFO, "oplog", "%s was compacted at record %" PRIu64,
           log->path, gen->end_pos.seq);
}

/* The second record of a generation that took the place of 'prev' was read
 * (NULL: there is none): finds out whether the position goes on. */
static void
oplog_succeed(struct oplog *log, const char *body)
{
    struct oplog_gen *old = log->prev;
    struct oplog_gen *gen = log->gen;
    size_t n = log->header.body_len;

    if (log->installed.lineage) {
        return; /* It says its position by itself. */
    }
    log->mode = log->was_mode;
    if (!old->end_pos.lineage || log->n_foreign
        || (gen->end_pos.lineage && log->mode == POINTS_FOLLOW)) {
        return;
    }
    if (!body || old->damaged || !is_compaction(body, n)
        || !gen->schema_text) {
        ha_log(HA_LOG_WARN, "oplog",
               "%s was replaced by a file that is not its own compaction",
               log->path);
        oplog_lose(log, old->end_pos);
    } else if (log->mode == POINTS_FOLLOW
               && !schemas_has_all(gen->schema_text, old->schema_text)) {
        /* What the dropped columns held is what the source still has, and
         * would not come back with them. */
        ha_log(HA_LOG_WARN, "oplog",
               "%s was converted to a schema that lacks columns", log->path);
        oplog_lose(log, old->end_pos);
    } else if (oplog_dates_fit(old, body, n)) {
        oplog_go_on(log);
    } else {
        ha_log(HA_LOG_INFO, "oplog",
               "%s was replaced at an uncertain time; comparing its content",
               log->path);
        log->check = successor_create(old->fd, old->end, gen->fd, gen->end,
                                      gen->schema_text);
    }
}

/* Goes on to compare a new generation with the one before. */
static void
oplog_run_check(struct oplog *log)
{
    int ret = successor_run(log->check);

    if (ret > 0) {
        return;
    }
    successor_destroy(log->check);
    log->check = NULL;
    if (ret) {
        ha_log(HA_LOG_WARN, "oplog",
               "%s was replaced by a file with another content", log->path);
        oplog_lose(log, log->prev->end_pos);
    } else {
        oplog_go_on(log);
    }
}

/* Something was written at the place where the file was damaged, so what came
 * behind is gone. */
static void
oplog_heal(struct oplog *log)
{
    const struct points *ps = &log->points;
    const struct ha_pos *pos = &log->gen->end_pos;
    bool beyond = ps->n && ps->a[ps->n - 1].off > log->gen->end;

    log->damaged = false;
    log->why[0] = '\0';
    if (beyond) {
        pos = &ps->a[ps->n - 1].pos;
    }
    if (pos->lineage && (beyond || log->mode == POINTS_ACTIVE)) {
        oplog_lose(log, *pos);
    }
}

/* Takes in the whole, checked record at the end.  Its text is 'body', of which
 * the beginning may be all there is if it is not to be interpreted. */
static void
oplog_take(struct oplog *log, const char *body)
{
    struct oplog_gen *gen = log->gen;
    uint64_t off = gen->end;
    bool had_pos;

    if (log->damaged) {
        oplog_heal(log);
    }
    had_pos = gen->end_pos.lineage != 0;
    if (!off && !gen_read_schema(gen, body)) {
        snprintf(log->why, sizeof log->why,
                 "the file's first record is no "
                 "schema");
    }
    if (off < log->skip) {
        /* What a point says holds behind it. */
    } else if (off && log->mode == POINTS_ACTIVE && had_pos) {
        gen->end_pos =
            record_next_pos(&gen->end_pos, log->epoch, log->header.sha1);
    } else if (off) {
        oplog_count_follow(log, body);
    }
    log->last_off = off;
    memcpy(log->last_sha1, log->header.sha1, sizeof log->last_sha1);
    gen->end = off + log->header.header_len + log->header.body_len;
    log->n_records++;
    if (gen->end_pos.lineage
        && (!had_pos || ++log->since_mark >= MARK_EVERY)) {
        oplog_mark(log);
    }
    if (log->n_records == 2 && log->prev && !log->prev->next) {
        oplog_succeed(log, body);
    }
    oplog_end_install(log);
    if (log->want_point) {
        log->want_point = false;
        if (!oplog_knows_point(log)) {
            oplog_turn(log);
        }
    }
    oplog_apply_point(log);
    log->trouble_since = 0;
}

/* Notes that the end of the file does not parse. */
static void
oplog_trouble(struct oplog *log)
{
    if (!log->trouble_since) {
        log->trouble_since = time_msec();
    }
}

/* Begins the record at the end, whose header is known, if it is all there.
 * Returns true if so. */
static bool
oplog_begin_record(struct oplog *log, uint64_t file_size)
{
    const struct record_header *h = &log->header;

    if (file_size - log->gen->end < (uint64_t) h->header_len + h->body_len) {
        return false;
    }
    log->keep_body = !log->gen->end || log->gen->end >= log->skip;
    log->body = xmalloc((log->keep_body ? h->body_len : SLICE) + (size_t) 1);
    log->body_have = 0;
    log->in_record = true;
    digest_start(log->digest);
    return true;
}

/* Reads a piece of the record.  Returns false if it cannot go on. */
static bool
oplog_read_piece(struct oplog *log, size_t *budget)
{
    const struct record_header *h = &log->header;
    size_t want = MIN(SLICE, h->body_len - log->body_have);
    char *to = log->body + (log->keep_body ? log->body_have : 0);
    ssize_t got =
        pread(log->gen->fd, to, want,
              (off_t) (log->gen->end + h->header_len + log->body_have));

    if (got <= 0) {
        oplog_drop_record(log);
        oplog_trouble(log);
        return false;
    }
    digest_add(log->digest, to, got);
    log->body_have += got;
    *budget -= MIN((size_t) got, *budget);
    return true;
}

static bool
oplog_end_record(struct oplog *log)
{
    uint8_t sha1[RECORD_SHA1_LEN];
    char *body = log->body;
    bool ok;

    digest_finish(log->digest, sha1);
    ok = !memcmp(sha1, log->header.sha1, sizeof sha1);
    log->body = NULL;
    log->in_record = false;
    if (ok) {
        body[log->keep_body ? log->header.body_len : 0] = '\0';
        oplog_take(log, body);
    } else {
        oplog_trouble(log);
    }
    free(body);
    return ok;
}

/* Looks for a record at the end.  Returns true if one was begun. */
static bool
oplog_look(struct oplog *log)
{
    char head[RECORD_HEADER_MAX];
    struct stat st;
    ssize_t got;
    int error;

    if (fstat(log->gen->fd, &st)) {
        return false;
    }
    if ((uint64_t) st.st_size <= log->gen->end) {
        if ((uint64_t) st.st_size < log->gen->end) {
            oplog_trouble(log);
        }
        return false;
    }
    got = pread(log->gen->fd, head, sizeof head, (off_t) log->gen->end);
    if (got <= 0) {
        return false;
    }
    error = record_parse_header(head, got, &log->header);
    if (error) {
        if (error == -EBADMSG) {
            oplog_trouble(log);
        }
        return false;
    }
    return oplog_begin_record(log, st.st_size);
}

/* True if the file holds the beginning of a record after 'off'.  Inside of
 * JSON a line never begins so. */
static bool
file_has_record_after(int fd, uint64_t off)
{
    static const char lead[] = "\nOVSDB JSON ";
    const size_t overlap = sizeof lead - 2;
    char *buf = xmalloc(SLICE);
    bool found = false;
    ssize_t n;

    while (!found && (n = pread(fd, buf, SLICE, (off_t) off)) > 0) {
        found = memmem(buf, n, lead, sizeof lead - 1) != NULL;
        if ((size_t) n <= overlap) {
            break;
        }
        off += n - overlap;
    }
    free(buf);
    return found;
}

/* True if the record at the end is all there, but not what its header says. */
static bool
oplog_has_bad_record(const struct oplog *log, uint64_t file_size)
{
    static const char lead[] = "OVSDB JSON ";
    int fd = log->gen->fd;
    uint64_t off = log->gen->end;
    char head[RECORD_HEADER_MAX];
    ssize_t got = pread(fd, head, sizeof head, (off_t) off);
    struct record_header h;
    char *body;
    int ret;

    if (got < (ssize_t) sizeof lead - 1
        || memcmp(head, lead, sizeof lead - 1)) {
        return false;
    }
    ret = record_parse_header(head, got, &h);
    if (ret || file_size - off < (uint64_t) h.header_len + h.body_len) {
        return ret == -EBADMSG; /* Too large, for example. */
    }
    ret = oplog_read_record(fd, off, &h, &body);
    if (ret == 1) {
        free(body);
    }
    return ret == -EBADMSG;
}

static bool
oplog_has_good_record(const struct oplog *log)
{
    struct record_header h;
    char *body;

    if (oplog_read_record(log->gen->fd, log->gen->end, &h, &body) != 1) {
        return false;
    }
    free(body);
    return true;
}

/* The file is longer than what can be read of it.  A record that is cut short
 * at the very end, or bytes that are no record, are what a crash leaves, and
 * were never acknowledged.  All else was part of the database. */
static void
oplog_judge_rest(struct oplog *log)
{
    const struct points *ps = &log->points;
    const struct oplog_gen *gen = log->gen;
    bool ours = ps->ino == gen->ino && ps->dev == gen->dev;
    struct stat st;
    bool damaged;

    if (log->damaged || fstat(gen->fd, &st)
        || (uint64_t) st.st_size <= gen->end) {
        return;
    }
    damaged = (ours && ps->n && ps->a[ps->n - 1].off > gen->end)
              || oplog_has_bad_record(log, st.st_size)
              || file_has_record_after(gen->fd, gen->end);
    /* Unless it was being written just now. */
    log->damaged = damaged && !oplog_has_good_record(log);
    if (log->damaged) {
        snprintf(log->why, sizeof log->why,
                 "the database's file is damaged at offset %" PRIu64
                 "; what follows there cannot be read",
                 gen->end);
        ha_log(HA_LOG_ERR, "oplog", "%s: %s", log->path, log->why);
    }
}

/* The end is reached for now. */
static void
oplog_at_end(struct oplog *log)
{
    if (log->state != OPLOG_SCANNING || !log->gen->end) {
        return;
    }
    if (log->n_records == 1 && log->prev && !log->prev->next) {
        oplog_succeed(log, NULL);
    }
    oplog_judge_rest(log);
    log->state = OPLOG_READY;
    oplog_sync(log);
    if (log->gen->end_pos.lineage && !log->damaged) {
        oplog_keep_link(log);
    }
}

/* True if the file still holds what was read from it last. */
static bool
oplog_still_holds(const struct oplog *log)
{
    struct record_header h;
    struct stat st;
    char *body;
    bool ok;

    if (fstat(log->gen->fd, &st) || (uint64_t) st.st_size < log->gen->end
        || oplog_read_record(log->gen->fd, log->last_off, &h, &body) != 1) {
        return false;
    }
    free(body);
    ok = !memcmp(h.sha1, log->last_sha1, sizeof h.sha1);
    return ok && log->last_off + h.header_len + h.body_len == log->gen->end;
}

/* The end stays unreadable.  If the file was changed in place, begins again;
 * otherwise waits for something better to come. */
static void
oplog_check_trouble(struct oplog *log)
{
    if (!log->trouble_since
        || time_msec() - log->trouble_since <= TROUBLE_MS) {
        return;
    }
    log->trouble_since = 0;
    if (!log->gen->end) {
        ovs_strlcpy(log->why,
                    "the database's file does not begin with a "
                    "schema that can be read",
                    sizeof log->why);
        return;
    } else if (oplog_still_holds(log)) {
        oplog_judge_rest(log);
        return;
    }
    ha_log(HA_LOG_ERR, "oplog",
           "%s was changed in place before offset %" PRIu64
           "; reading it afresh",
           log->path, log->gen->end);
    if (log->mode == POINTS_ACTIVE && log->gen->end_pos.lineage) {
        oplog_lose(log, log->gen->end_pos);
    }
    oplog_reset(log);
}

/* If another file has taken the place of this one, of which nothing more can
 * be read, goes over to that.  Returns true if so. */
static bool
oplog_follow_rename(struct oplog *log)
{
    struct oplog_gen *gen;
    struct stat st;

    if (stat(log->path, &st)
        || (st.st_ino == log->gen->ino && st.st_dev == log->gen->dev)) {
        return false;
    }
    /* What was written just before the rename. */
    if (!log->trouble_since && oplog_look(log)) {
        return true;
    }
    gen = gen_open(log->path);
    if (!gen) {
        return false;
    }
    oplog_judge_rest(log);
    oplog_gen_unref(log->prev);
    log->prev = log->gen;
    log->prev->synced = log->prev->end;
    log->prev->damaged = log->damaged;
    log->prev_until = time_msec() + PREV_KEEP_MS;
    log->was_mode = log->mode;
    log->mode = POINTS_FOLLOW;
    oplog_begin_gen(log, gen);
    return true;
}

static void
oplog_drain_inotify(struct oplog *log)
{
    char buf[4096];

    while (log->inotify >= 0 && read(log->inotify, buf, sizeof buf) > 0) {
        continue;
    }
}

bool
oplog_run(struct oplog *log, size_t budget)
{
    oplog_drain_inotify(log);
    if (log->prev && log->state == OPLOG_READY
        && time_msec() >= log->prev_until) {
        oplog_gen_unref(log->prev);
        log->prev = NULL;
    }
    if (!log->gen) {
        oplog_open_gen(log);
        if (!log->gen) {
            return false;
        }
    }
    if (log->check) {
        oplog_run_check(log);
        return true;
    }
    while (budget && !log->check) {
        bool ok = log->in_record || oplog_look(log);

        if (ok) {
            ok = oplog_read_piece(log, &budget)
                 && (log->body_have < log->header.body_len
                     || oplog_end_record(log));
        }
        if (!ok && !oplog_follow_rename(log)) {
            oplog_at_end(log);
            oplog_check_trouble(log);
            return false;
        }
    }
    return true;
}

void
oplog_wait(struct oplog *log, bool more)
{
    if (more) {
        poll_immediate_wake();
    } else if (log->inotify >= 0) {
        poll_fd_wait(log->inotify, POLLIN);
    }
    poll_timer_wait(1000);
}

int
oplog_catch_up(struct oplog *log)
{
    while (oplog_run(log, SLICE) && !log->check) {
        continue;
    }
    return log->state == OPLOG_READY ? 0 : -EAGAIN;
}

int
oplog_begin_active(struct oplog *log, const struct ha_pos *base,
                   struct ha_epoch epoch)
{
    if (!log->gen || !log->gen->end) {
        return -EAGAIN;
    }
    log->mode = POINTS_ACTIVE;
    log->epoch = epoch;
    if (log->gen->end_pos.lineage != base->lineage
        || log->gen->end_pos.seq > base->seq) {
        oplog_cut_index(log);
    }
    log->gen->end_pos = *base;
    oplog_forgive(log);
    return oplog_turn(log);
}

int
oplog_begin_follow(struct oplog *log)
{
    if (!log->gen || !log->gen->end) {
        return -EAGAIN;
    }
    if (log->mode == POINTS_FOLLOW) {
        return 0;
    }
    log->mode = POINTS_FOLLOW;
    return log->gen->end_pos.lineage ? oplog_turn(log) : 0;
}

int
oplog_set_pos(struct oplog *log, const struct ha_pos *pos)
{
    if (!log->gen || !log->gen->end) {
        return -EAGAIN;
    }
    log->mode = POINTS_FOLLOW;
    log->gen->end_pos = *pos;
    oplog_forgive(log);
    oplog_cut_index(log);
    return oplog_turn(log);
}
