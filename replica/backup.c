/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "timeval.h"
#include "util.h"

#include "lib/durable.h"
#include "replica/manifest.h"
#include "replica/oplog.h"

#define SLICE (8u << 20)
#define TELL_MS 200
#define SPARE_BYTES (1u << 20) /* Besides the files themselves. */

void
backup_error(const char *format, ...)
{
    va_list args;

    fputs("ovn-hactl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- Progress ------------------------------------------------------------ */

void
backup_progress_begin(struct backup_progress *p, const char *what,
                      uint64_t total)
{
    p->what = what;
    p->total = total;
    p->began = time_msec();
    p->next = p->began + TELL_MS;
}

void
backup_progress_tell(struct backup_progress *p, uint64_t done)
{
    long long int now = time_msec(), ms = now - p->began;

    if (!isatty(STDOUT_FILENO) || now < p->next || !done || !p->total) {
        return;
    }
    p->next = now + TELL_MS;
    printf("\r%s: %d%%, %.0f MB/s, %.0f s left\033[K", p->what,
           (int) (done * 100 / p->total), done / 1e3 / ms,
           (double) (p->total - done) / done * ms / 1e3);
    fflush(stdout);
}

void
backup_progress_end(struct backup_progress *p)
{
    printf("%s%s: %.1f MB in %.1f s\n",
           isatty(STDOUT_FILENO) ? "\r\033[K" : "", p->what, p->total / 1e6,
           (time_msec() - p->began) / 1e3);
    fflush(stdout);
}

/* ---- Room ---------------------------------------------------------------- */

/* Whether 'folder' is on a disk without which this node cannot go on. */
static bool
is_needed(const struct backup_config *cfg, const char *folder)
{
    const char *const own[] = { cfg->state_dir, cfg->file[HA_NB],
                                cfg->file[HA_SB] };
    struct stat it, st;

    if (stat(folder, &it)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        if (!stat(own[i], &st) && st.st_dev == it.st_dev) {
            return true;
        }
    }
    return false;
}

bool
backup_has_room(const struct backup_config *cfg, const char *folder,
                uint64_t bytes, const char *way_out)
{
    uint64_t spare = is_needed(cfg, folder) ? cfg->spare_bytes : 0, have;
    struct statvfs fs;

    if (statvfs(folder, &fs)) {
        return true; /* Then the write tells. */
    }
    have = (uint64_t) fs.f_bavail * fs.f_frsize;
    if (have >= bytes + MAX(spare, SPARE_BYTES)) {
        return true;
    }
    if (spare) {
        backup_error(
            "there is no room for it in %s: it takes %.1f MB, %.1f MB "
            "are free, and %.0f MB of these have to stay free ([disk] "
            "warn-mb); %s",
            folder, bytes / 1e6, have / 1e6, spare / 1e6, way_out);
    } else {
        backup_error("there is no room for it in %s: it takes %.1f MB, and "
                     "%.1f MB are free; %s",
                     folder, bytes / 1e6, have / 1e6, way_out);
    }
    return false;
}

/* ---- Copying ------------------------------------------------------------- */

bool
backup_cut(const struct backup_config *cfg, struct backup_cut cuts[HA_N_DBS])
{
    static const enum ha_db order[HA_N_DBS] = { HA_SB, HA_NB };

    for (int i = 0; i < HA_N_DBS; i++) {
        cuts[i].fd = open(cfg->file[i], O_RDONLY | O_CLOEXEC);
        cuts[i].file = cfg->file[i];
    }
    for (int i = 0; i < HA_N_DBS; i++) {
        struct backup_cut *cut = &cuts[order[i]];
        struct stat st;

        if (cut->fd < 0 || fstat(cut->fd, &st)) {
            backup_error("%s: %s", cut->file, ovs_strerror(errno));
            return false;
        }
        cut->bytes = st.st_size;
    }
    return true;
}

void
backup_cut_close(struct backup_cut cuts[HA_N_DBS])
{
    for (int i = 0; i < HA_N_DBS; i++) {
        if (cuts[i].fd >= 0) {
            close(cuts[i].fd);
        }
    }
}

/* The file is made as the database's own is. */
static int
make_alike(int from, const char *path)
{
    int fd =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd >= 0
        && (fstat(from, &st)
            || (fchown(fd, st.st_uid, st.st_gid) && errno != EPERM)
            || fchmod(fd, st.st_mode & 0660))) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Returns false with errno. */
static bool
copy_bytes(const struct backup_cut *cut, int to, struct backup_progress *p)
{
    char *buf = xmalloc(SLICE);
    bool ok = true;

    for (uint64_t off = 0; ok && off < cut->bytes;) {
        size_t want = MIN(cut->bytes - off, SLICE);
        ssize_t n = pread(cut->fd, buf, want, off);

        if (n > 0) {
            n = pwrite(to, buf, n, off);
        } else if (!n) {
            errno = EIO; /* The file never shrinks. */
        }
        ok = n > 0 || (n < 0 && errno == EINTR);
        if (n > 0) { /* Else to tell of it would change errno. */
            off += n;
            backup_progress_tell(p, off);
        }
    }
    free(buf);
    return ok;
}

/* The position file speaks of the database's file; the copy gets one. */
static void
copy_points(const struct backup_config *cfg, enum ha_db db, int fd,
            const char *path)
{
    char *name =
        xasprintf("%s/%s.pos", cfg->state_dir, db == HA_NB ? "nb" : "sb");
    struct points points;
    struct stat st;

    if (!points_load(name, &points) && !fstat(fd, &st)) {
        points.dev = st.st_dev;
        points.ino = st.st_ino;
        points_save(path, &points);
    }
    free(name);
}

/* True if what comes behind the last whole record is but the beginning of the
 * next one, which its client was not told of yet. */
static bool
is_beginning(int fd, uint64_t off, uint64_t bytes)
{
    char head[RECORD_HEADER_MAX];
    ssize_t n = pread(fd, head, MIN(bytes - off, sizeof head), off);
    struct record_header h;
    int error = n < 0 ? -EIO : n ? record_parse_header(head, n, &h) : -EAGAIN;

    return error == -EAGAIN
           || (!error && off + h.header_len + h.body_len > bytes);
}

/* Reads the copy to its end, and drops the beginning of a record there. */
static struct oplog *
read_copy(const struct backup_cut *cut, int fd, const char *path,
          const char *points)
{
    struct oplog *log = oplog_create(path, points);

    if (oplog_catch_up(log) || !log->gen
        || !is_beginning(fd, log->gen->end, cut->bytes)) {
        backup_error("%s is damaged at offset %" PRIu64
                     ": see ovn-hactl status",
                     cut->file, log->gen ? log->gen->end : 0);
        backup_close(log);
        return NULL;
    }
    if (ftruncate(fd, log->gen->end) || fsync(fd)) {
        backup_error("%s: %s", path, ovs_strerror(errno));
        backup_close(log);
        return NULL;
    }
    return log;
}

struct oplog *
backup_copy(const struct backup_config *cfg, enum ha_db db,
            const struct backup_cut *cut, const char *path)
{
    char *points = xasprintf("%s.pos", path);
    int fd = make_alike(cut->fd, path);
    struct backup_progress p;
    struct oplog *log = NULL;

    backup_progress_begin(&p, ha_db_name(db), cut->bytes);
    if (fd < 0 || !copy_bytes(cut, fd, &p)) {
        backup_error("%s: %s", path, ovs_strerror(errno));
    } else {
        copy_points(cfg, db, fd, points);
        log = read_copy(cut, fd, path, points);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (log) {
        backup_progress_end(&p);
    }
    free(points);
    return log;
}

void
backup_close(struct oplog *log)
{
    unlink(log->link_path);
    unlink(log->points_path);
    oplog_destroy(log);
}

/* ---- A backup ------------------------------------------------------------ */

static bool
has_room(const struct backup_config *cfg, const struct backup_cut *cuts)
{
    return backup_has_room(cfg, cfg->folder,
                           cuts[HA_NB].bytes + cuts[HA_SB].bytes,
                           "--output FOLDER puts it elsewhere");
}

/* Makes the name of the folder itself durable. */
static bool
sync_name(const char *folder)
{
    int error = durable_sync_folder_of(folder);

    if (error) {
        backup_error("%s: it is not sure to be on the disk: %s", folder,
                     ovs_strerror(-error));
    }
    return !error;
}

static bool
write_both(const struct backup_config *cfg, const struct backup_cut *cuts)
{
    struct manifest m;
    bool ok = true;

    manifest_init(&m);
    m.in_sync = cfg->in_sync;
    for (int db = 0; ok && db < HA_N_DBS; db++) {
        char *path = manifest_path(cfg->folder, db);
        struct oplog *log = backup_copy(cfg, db, &cuts[db], path);

        m.db[db].lag = cfg->lag[db];
        ok = log && manifest_set(&m, db, log);
        if (log) {
            backup_close(log);
        }
        free(path);
    }
    ok = ok && manifest_write(&m, cfg->folder) && sync_name(cfg->folder);
    if (ok) {
        manifest_print(&m, cfg->folder);
    }
    return ok;
}

/* What is half made is nobody's, and goes. */
static void
remove_folder(const char *folder)
{
    manifest_remove(folder); /* First: without it, it is no backup. */
    for (int db = 0; db < HA_N_DBS; db++) {
        char *path = manifest_path(folder, db);

        unlink(path);
        free(path);
    }
    rmdir(folder);
}

static bool
backup_make(const struct backup_config *cfg)
{
    struct backup_cut cuts[HA_N_DBS];
    bool ok;

    if (mkdir(cfg->folder, 0700)) {
        backup_error("%s: %s", cfg->folder,
                     errno == EEXIST
                         ? "it exists already; --output takes a new folder"
                         : ovs_strerror(errno));
        return false;
    }
    ok = backup_cut(cfg, cuts) && has_room(cfg, cuts) && write_both(cfg, cuts);
    backup_cut_close(cuts);
    if (!ok) {
        remove_folder(cfg->folder);
    }
    return ok;
}

int
backup_main(const struct backup_config *cfg)
{
    struct backup_config own = *cfg;
    char *folder = xstrdup(cfg->folder);
    size_t n = strlen(folder);
    bool ok;

    /* Or the folder would be taken for the one that has its name. */
    while (n > 1 && folder[n - 1] == '/') {
        folder[--n] = '\0';
    }
    own.folder = folder;
    ok = backup_make(&own);
    free(folder);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
