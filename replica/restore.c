/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "socket-util.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

#include "replica/compare.h"
#include "replica/giveway.h"
#include "replica/lost.h"
#include "replica/manifest.h"
#include "replica/oplog.h"
#include "replica/ops.h"
#include "replica/schemas.h"
#include "replica/shadow.h"

#define SLICE (1u << 20)
#define TRIES 5 /* Against what is written meanwhile. */
#define CONNECT_MS 5000
#define QUIET_MS 200 /* What is written in answer to something is over then. */
#define MAX_QUIET_MS 2000
#define LOCK "restore.lock"

/* One database. */
struct restore {
    const struct backup_config *cfg;
    enum ha_db db;
    char *source, *copy; /* Files: of the backup, of the own one. */
    struct ha_pos pos;   /* Of the backup. */
    int fd;              /* Of 'source'. */
    uint64_t bytes;

    uint64_t dev, ino; /* The database's file that was copied. */
    struct oplog *log; /* Of 'copy', */
    struct shadow *own;
    struct compare *theirs;
    struct json *record; /* which makes the one into the other. */
    struct shadow_diff diff;

    /* What was set aside last: its end, 0 if nothing was, and its last
     * record. */
    uint64_t aside_end;
    uint8_t aside_sha1[RECORD_SHA1_LEN];
};

/* ---- One at a time ------------------------------------------------------- */

/* Two at once would write the same copies, and each would take for clients'
 * what the other does.  Returns a descriptor that holds the lock, or -1 after
 * a line of error. */
static int
lock_restore(const struct backup_config *cfg)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *path = xasprintf("%s/" LOCK, cfg->state_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        backup_error("%s: %s", path, ovs_strerror(errno));
    } else if (fcntl(fd, F_SETLK, &lock)) {
        if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK) {
            lock.l_pid = 0; /* It has just ended. */
        }
        backup_error("another restore runs, process %d; wait for its end",
                     (int) lock.l_pid);
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

/* Removes the copy, and what is made beside it, also what a process left that
 * was killed: it is of another time. */
static void
remove_copy(const char *copy)
{
    static const char *const endings[] = { "", ".pos", ".ovn-ha" };

    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        char *path = xasprintf("%s%s", copy, endings[i]);

        unlink(path);
        free(path);
    }
}

static bool
restore_open(struct restore *r, const struct backup_config *cfg, enum ha_db db,
             const struct manifest *m)
{
    memset(r, 0, sizeof *r);
    r->cfg = cfg;
    r->db = db;
    r->pos = m->db[db].pos;
    r->bytes = m->db[db].bytes;
    r->source = manifest_path(cfg->folder, db);
    r->copy = xasprintf("%s/restore-%s.db", cfg->state_dir,
                        db == HA_NB ? "nb" : "sb");
    r->fd = open(r->source, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) {
        backup_error("%s: %s", r->source, ovs_strerror(errno));
    }
    return r->fd >= 0;
}

/* Forgets what was computed. */
static void
restore_forget(struct restore *r)
{
    json_destroy(r->record);
    r->record = NULL;
    compare_destroy(r->theirs);
    r->theirs = NULL;
    shadow_destroy(r->own);
    r->own = NULL;
    if (r->log) {
        backup_close(r->log);
        r->log = NULL;
    }
    remove_copy(r->copy);
}

static void
restore_close(struct restore *r)
{
    restore_forget(r);
    if (r->fd >= 0) {
        close(r->fd);
    }
    free(r->source);
    free(r->copy);
}

/* ---- The difference ------------------------------------------------------ */

/* Whether there is a place for all that the backup holds. */
static bool
fits(const struct restore *r)
{
    struct record_header h;
    char why[WIRE_WHY_LEN] = "its first record is no schema", *schema = NULL;
    enum schemas_fit fit = SCHEMAS_REFUSE;

    if (oplog_read_record(r->fd, 0, &h, &schema) == 1) {
        fit = schemas_fit(r->log->gen->schema_text, schema, why);
    }
    free(schema);
    if (fit != SCHEMAS_FIT) {
        backup_error("%s cannot be restored here: %s%s", r->source, why,
                     fit == SCHEMAS_CONVERT
                         ? "; upgrade OVN on the control nodes first"
                         : "");
    }
    return fit == SCHEMAS_FIT;
}

static bool
load(struct restore *r)
{
    char why[SHADOW_WHY_LEN];
    int ret;

    r->own = shadow_create(r->log->gen->fd, r->log->gen->end, NULL);
    do {
        ret = shadow_load(r->own, SLICE, why);
    } while (ret > 0);
    if (ret) {
        backup_error("%s does not load: %s", r->cfg->file[r->db], why);
    }
    return !ret;
}

static bool
compare(struct restore *r)
{
    char why[SHADOW_WHY_LEN];
    int ret;

    r->theirs = compare_create(r->own, r->fd, r->bytes);
    do {
        ret = compare_run(r->theirs, why);
    } while (ret > 0);
    if (ret) {
        backup_error("%s cannot be restored: %s", r->source, why);
        return false;
    }
    r->record = compare_to_record(r->theirs, &r->diff);
    return true;
}

/* Waits, not for long, until nobody writes, so that the difference is not
 * overtaken right away: ovn-northd answers NB's transaction by one of its own
 * to SB. */
static void
wait_for_quiet(const struct restore *r)
{
    long long int now = time_msec(), until = now + MAX_QUIET_MS, since = now;
    off_t bytes = -1;

    while (now < until && now < since + QUIET_MS) {
        struct stat st;

        if (!stat(r->cfg->file[r->db], &st) && st.st_size != bytes) {
            bytes = st.st_size;
            since = now;
        }
        xnanosleep(QUIET_MS * 1000000LL / 10);
        now = time_msec();
    }
}

/* Computes what is to be done to the database as it is at 'cut'. */
static bool
restore_compute(struct restore *r, const struct backup_cut *cut)
{
    struct stat st;

    restore_forget(r);
    if (!fstat(cut->fd, &st)) {
        r->dev = st.st_dev;
        r->ino = st.st_ino;
    }
    r->log = backup_copy(r->cfg, r->db, cut, r->copy);
    return r->log && fits(r) && load(r) && compare(r);
}

static bool
restore_recompute(struct restore *r)
{
    struct backup_cut cuts[HA_N_DBS];
    bool ok;

    wait_for_quiet(r);
    ok = backup_cut(r->cfg, cuts) && restore_compute(r, &cuts[r->db]);
    backup_cut_close(cuts);
    return ok;
}

static bool
is_equal(const struct restore *r)
{
    return !r->diff.n_insert && !r->diff.n_delete && !r->diff.n_update;
}

static void
restore_tell(const struct restore *r)
{
    const struct ha_pos *now = &r->log->gen->end_pos;

    printf("%s: %" PRIu64 " rows go, %" PRIu64 " come back, %" PRIu64
           " change, %" PRIu64 " stay",
           ha_db_name(r->db), r->diff.n_delete, r->diff.n_insert,
           r->diff.n_update, r->diff.n_shared - r->diff.n_update);
    if (now->lineage && now->lineage == r->pos.lineage
        && now->seq >= r->pos.seq) {
        printf("; %" PRIu64 " records were written since",
               now->seq - r->pos.seq);
    } else if (now->lineage && r->pos.lineage) {
        printf("; the backup is of another %s",
               now->lineage == r->pos.lineage ? "history" : "lineage");
    }
    putchar('\n');
    fflush(stdout);
}

/* ---- The step ------------------------------------------------------------ */

static bool
is_set_aside(const struct restore *r)
{
    return r->aside_end == r->log->gen->end
           && !memcmp(r->aside_sha1, r->log->last_sha1, RECORD_SHA1_LEN);
}

static bool
set_aside(struct restore *r)
{
    struct giveway_config cfg = {
        .state_dir = r->cfg->state_dir,
        .db = r->db,
        .self = r->cfg->self,
        .backup = r->source,
        .log = r->log,
        .own = r->own,
        .theirs = r->theirs,
    };
    struct oplog_cursor cursor = { .gen = NULL };
    struct giveway *g;
    int ret;

    if ((!r->diff.n_delete && !r->diff.n_update) || is_set_aside(r)) {
        return true; /* Nothing is lost. */
    }
    if (oplog_find(r->log, &r->pos, &cursor) == OPLOG_FOUND) {
        cfg.fork = r->pos; /* What was written since is told by record. */
    }
    oplog_cursor_close(&cursor);
    g = giveway_create(&cfg);
    ret = g ? 1 : -errno;
    while (ret > 0) {
        ret = giveway_run(g);
    }
    if (ret) {
        backup_error("what %s has and the backup has not cannot be set aside "
                     "in %s/diverged: %s; nothing was done to it",
                     ha_db_name(r->db), r->cfg->state_dir, ovs_strerror(-ret));
    } else {
        printf("%s: set aside as %s\n", ha_db_name(r->db), giveway_path(g));
        fflush(stdout);
        r->aside_end = r->log->gen->end;
        memcpy(r->aside_sha1, r->log->last_sha1, RECORD_SHA1_LEN);
    }
    giveway_destroy(g);
    return !ret;
}

/* Returns the server's reply, or NULL after a line of error. */
static struct jsonrpc_msg *
transact(const struct restore *r, struct json *params)
{
    const char *remote = r->cfg->server[r->db];
    struct jsonrpc_msg *request, *reply = NULL;
    struct stream *stream = NULL;
    struct jsonrpc *rpc;
    int error;

    request = jsonrpc_create_request("transact", params, NULL);
    error = stream_open_block(stream_open(remote, &stream, DSCP_DEFAULT),
                              CONNECT_MS, &stream);
    if (error) {
        jsonrpc_msg_destroy(request);
    } else {
        rpc = jsonrpc_open(stream);
        error = jsonrpc_transact_block(rpc, request, &reply);
        jsonrpc_close(rpc);
    }
    if (error) {
        backup_error("%s: %s: %s", ha_db_name(r->db), remote,
                     error == EOF ? "the server closed the connection, so the "
                                    "role has moved, maybe; look at ovn-hactl "
                                    "status, and run it again on the active"
                                  : ovs_strerror(error));
    }
    return error ? NULL : reply;
}

/* The transaction that makes the own database what the backup holds, and fails
 * as a whole if any of it has changed since.  Returns NULL after a line of
 * error. */
static struct json *
restore_to_params(struct restore *r)
{
    struct json *params = json_array_create_empty(), *op;
    char why[SHADOW_WHY_LEN];

    json_array_add(params,
                   json_string_create(r->db == HA_NB ? "OVN_Northbound"
                                                     : "OVN_Southbound"));
    if (shadow_apply_guarded(r->own, r->record, params, why) < 0) {
        json_destroy(params);
        backup_error("%s: %s", ha_db_name(r->db), why);
        return NULL;
    }
    op = json_object_create();
    json_object_put_string(op, "op", "comment");
    json_object_put_string(op, "comment", "ovn-hactl restore");
    json_array_add(params, op);
    op = json_object_create();
    json_object_put_string(op, "op", "commit");
    json_object_put(op, "durable", json_boolean_create(true));
    json_array_add(params, op);
    return params;
}

/* Applies the difference in one transaction.  Returns 0; -EAGAIN if something
 * was written meanwhile that is in the way; or -EIO after a line of error. */
static int
apply(struct restore *r)
{
    struct json *params = restore_to_params(r);
    struct jsonrpc_msg *reply = params ? transact(r, params) : NULL;
    const char *error = reply ? ops_reply_error(reply) : NULL;
    int ret = !reply ? -EIO : 0;

    if (error && ops_reply_is_overtaken(reply)) {
        printf("%s: computed anew, since it changed meanwhile: %s\n",
               ha_db_name(r->db), error);
        fflush(stdout);
        ret = -EAGAIN;
    } else if (error) {
        backup_error("%s: ovsdb-server refuses it: %s; mend that, and run it "
                     "again",
                     ha_db_name(r->db), error);
        ret = -EIO;
    }
    jsonrpc_msg_destroy(reply);
    return ret;
}

/* For a copy of each database, and another one that is set aside; and for the
 * transactions, as they are set aside, and appended to the databases. */
static bool
has_room(const struct backup_config *cfg, const struct backup_cut *cuts,
         const struct restore *r)
{
    uint64_t bytes = 0;

    for (int db = 0; db < HA_N_DBS; db++) {
        bytes += 2 * (cuts[db].bytes + r[db].bytes);
    }
    return backup_has_room(cfg, cfg->state_dir, bytes,
                           "make room, and run it again");
}

/* How many records the database's log has behind the cut.  ovsdb-server has
 * written ours before it said so. */
static uint64_t
count_since(const struct restore *r)
{
    uint64_t off = r->log->gen->end, n = 0;
    int fd = open(r->cfg->file[r->db], O_RDONLY | O_CLOEXEC);
    struct record_header h;
    struct stat st;
    char *body;

    if (fd >= 0 && !fstat(fd, &st) && st.st_dev == r->dev
        && st.st_ino == r->ino) {
        while (oplog_read_record(fd, off, &h, &body) == 1) {
            off += h.header_len + h.body_len;
            n++;
            free(body);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return n;
}

/* Tells which record a standby needs to have what was 'written' just now.  If
 * the file was compacted since, ours is one of those behind the cut. */
static void
tell_reached(const struct restore *r, bool written)
{
    const struct ha_pos *cut = &r->log->gen->end_pos;
    uint64_t n = written ? count_since(r) : 0;

    if (r->cfg->tell_fd >= 0 && cut->lineage) {
        dprintf(r->cfg->tell_fd, "%s %" PRIu64 " %016" PRIx64 "\n",
                r->db == HA_NB ? "nb" : "sb",
                cut->seq + (written && !n ? 1 : n), cut->lineage);
    }
}

/* NB was computed. */
static bool
restore_run(struct restore *r)
{
    bool equal = false;
    int ret = -EAGAIN;

    for (int i = 0; ret == -EAGAIN && i < TRIES; i++) {
        /* ovn-northd has made SB fit to NB, or is about to. */
        if ((i || r->db == HA_SB) && !restore_recompute(r)) {
            return false;
        } else if (is_equal(r)) {
            equal = true;
            ret = 0;
        } else {
            ret = set_aside(r) ? apply(r) : -EIO;
        }
    }
    if (ret == -EAGAIN) {
        backup_error("%s: clients write too much that is in the way; stop "
                     "them, and run it again",
                     ha_db_name(r->db));
    } else if (!ret) {
        printf("%s: is as in the backup\n", ha_db_name(r->db));
        fflush(stdout);
        tell_reached(r, !equal);
    }
    return !ret;
}

int
restore_main(const struct backup_config *cfg)
{
    struct restore r[HA_N_DBS] = { { .fd = -1 }, { .fd = -1 } };
    struct backup_cut cuts[HA_N_DBS] = { { .fd = -1 }, { .fd = -1 } };
    struct manifest m;
    int lock = lock_restore(cfg);
    bool ok = true;

    if (lock < 0 || !manifest_read(&m, cfg->folder)) {
        if (lock >= 0) {
            close(lock);
        }
        return EXIT_FAILURE;
    }
    if (cfg->dry_run) {
        manifest_print(&m, cfg->folder);
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        ok = restore_open(&r[db], cfg, db, &m) && ok;
    }
    /* Nothing is done to NB before it is known that SB can be restored, too. */
    ok = ok && backup_cut(cfg, cuts) && has_room(cfg, cuts, r);
    for (int db = 0; ok && db < HA_N_DBS; db++) {
        ok = restore_compute(&r[db], &cuts[db]);
        if (ok && cfg->dry_run) {
            restore_tell(&r[db]);
        }
    }
    backup_cut_close(cuts);
    for (int db = HA_NB; ok && !cfg->dry_run && db < HA_N_DBS; db++) {
        ok = restore_run(&r[db]);
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        restore_close(&r[db]);
    }
    close(lock);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
