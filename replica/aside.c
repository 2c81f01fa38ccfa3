/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/aside.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLICE (8u << 20)
#define COPY_BYTES (256u << 10) /* Through memory. */

#define MAX_BESIDE 2

struct aside {
    int from, to, folder;
    uint64_t off, bytes;
    bool plain; /* The kernel does not copy by itself. */
    bool done;
    size_t n_beside;
    struct {
        const char *ending;
        FILE *file;
    } beside[MAX_BESIDE];
    char base[200]; /* Name without ending. */
    char path[PATH_MAX];
};

/* Removes what an earlier life, for the same database, did not finish: what
 * it is a copy of is still there. */
static void
aside_tidy(const struct aside *a, enum ha_db db)
{
    DIR *dir = fdopendir(openat(a->folder, ".", O_RDONLY | O_DIRECTORY));
    const char *lead = db == HA_NB ? "ovnnb-" : "ovnsb-";
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        const char *end = strrchr(e->d_name, '.');

        if (!strncmp(e->d_name, lead, strlen(lead)) && end
            && !strcmp(end, ".part")) {
            unlinkat(a->folder, e->d_name, 0);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

/* The name of the file with 'ending'; with 'part', while it is made. */
static const char *
aside_file(const struct aside *a, const char *ending, bool part,
           char buf[NAME_MAX])
{
    snprintf(buf, NAME_MAX, "%s.%s%s", a->base, ending, part ? ".part" : "");
    return buf;
}

/* Opens the copy, under a name that was not used yet. */
static int
aside_open(struct aside *a, enum ha_db db, const struct ha_pos *pos)
{
    time_t now = time(NULL);
    char stamp[32], name[NAME_MAX];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    for (int i = 0; i < 1000; i++) {
        char suffix[8] = "";

        if (i) {
            snprintf(suffix, sizeof suffix, ".%d", i);
        }
        snprintf(a->base, sizeof a->base,
                 "ovn%s-%" PRIu32 ".%" PRIu32 "-%" PRIu64 "-%s%s",
                 db == HA_NB ? "nb" : "sb", pos->epoch.n, pos->epoch.node,
                 pos->seq, stamp, suffix);
        if (faccessat(a->folder, aside_file(a, "db", false, name), F_OK, 0)) {
            break;
        }
    }
    a->to = openat(a->folder, aside_file(a, "db", true, name),
                   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    return a->to >= 0 ? 0 : -errno;
}

/* Opens the folder. */
static int
aside_open_folder(struct aside *a, const char *state_dir)
{
    snprintf(a->path, sizeof a->path, "%.3500s/diverged", state_dir);
    if (mkdir(a->path, 0750) && errno != EEXIST) {
        return -errno;
    }
    a->folder = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return a->folder >= 0 ? 0 : -errno;
}

struct aside *
aside_create(const char *state_dir, enum ha_db db, const struct ha_pos *pos,
             int fd, uint64_t bytes)
{
    struct aside *a = calloc(1, sizeof *a);
    int error;

    if (!a) {
        return NULL;
    }
    a->from = fd;
    a->to = a->folder = -1;
    a->bytes = bytes;
    error = aside_open_folder(a, state_dir);
    if (!error) {
        aside_tidy(a, db);
        error = aside_open(a, db, pos);
    }
    if (error) {
        aside_destroy(a);
        errno = -error;
        return NULL;
    }
    snprintf(a->path, sizeof a->path, "%.3500s/diverged/%s.db", state_dir,
             a->base);
    return a;
}

/* Copies through memory, where the kernel does not copy by itself. */
static ssize_t
aside_copy_plain(struct aside *a, size_t want)
{
    static char buf[COPY_BYTES];
    ssize_t n = pread(a->from, buf, want < sizeof buf ? want : sizeof buf,
                      (off_t) a->off);
    ssize_t done = 0;

    while (done < n) {
        ssize_t put =
            pwrite(a->to, buf + done, n - done, (off_t) (a->off + done));

        if (put <= 0 && !(put < 0 && errno == EINTR)) {
            return put;
        }
        done += put > 0 ? put : 0;
    }
    return n;
}

/* Copies a piece.  Returns its length; 0 or -1 with errno if that fails. */
static ssize_t
aside_copy(struct aside *a)
{
    uint64_t left = a->bytes - a->off;
    size_t want = left < SLICE ? left : SLICE;
    off_t from = (off_t) a->off, to = (off_t) a->off;
    ssize_t n;

    if (!a->plain) {
        n = copy_file_range(a->from, &from, a->to, &to, want, 0);
        if (n > 0) {
            return n;
        }
        /* Other file systems, old kernels; what is really wrong will show
         * again. */
        a->plain = n == 0 || errno != EINTR;
    }
    return aside_copy_plain(a, want);
}

int
aside_run(struct aside *a)
{
    if (a->off < a->bytes) {
        ssize_t n = aside_copy(a);

        if (n < 0 && errno == EINTR) {
            return 1;
        } else if (n <= 0) {
            return n ? -errno : -EIO;
        }
        a->off += n;
        return 1;
    }
    return 0;
}

FILE *
aside_add(struct aside *a, const char *ending)
{
    char name[NAME_MAX];
    FILE *file = NULL;
    int fd;

    assert(a->n_beside < MAX_BESIDE);
    fd = openat(a->folder, aside_file(a, ending, true, name),
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd >= 0) {
        file = fdopen(fd, "w");
        if (!file) {
            close(fd);
        }
    }
    if (file) {
        a->beside[a->n_beside].ending = ending;
        a->beside[a->n_beside++].file = file;
    }
    return file;
}

/* Gives the file with 'ending' its name. */
static int
aside_name_file(struct aside *a, const char *ending)
{
    char old[NAME_MAX], new[NAME_MAX];

    return renameat(a->folder, aside_file(a, ending, true, old), a->folder,
                    aside_file(a, ending, false, new))
               ? -errno
               : 0;
}

/* The copy comes last: where it is, the others are. */
int
aside_finish(struct aside *a)
{
    int error = 0;

    if (fsync(a->to)) {
        return -errno;
    }
    for (size_t i = 0; i < a->n_beside; i++) {
        FILE *file = a->beside[i].file;

        if (fflush(file) || ferror(file) || fsync(fileno(file))) {
            return errno ? -errno : -EIO;
        }
    }
    for (size_t i = 0; i < a->n_beside && !error; i++) {
        error = aside_name_file(a, a->beside[i].ending);
    }
    if (!error) {
        error = aside_name_file(a, "db");
    }
    if (!error && fsync(a->folder)) {
        error = -errno;
    }
    a->done = !error;
    return error;
}

const char *
aside_path(const struct aside *a)
{
    return a->path;
}

const char *
aside_name(const struct aside *a)
{
    return a->base;
}

static void
aside_close_file(struct aside *a, const char *ending)
{
    char name[NAME_MAX];

    if (!a->done) {
        unlinkat(a->folder, aside_file(a, ending, true, name), 0);
    }
}

void
aside_destroy(struct aside *a)
{
    if (a) {
        for (size_t i = 0; i < a->n_beside; i++) {
            fclose(a->beside[i].file);
            aside_close_file(a, a->beside[i].ending);
        }
        if (a->to >= 0) {
            close(a->to);
            aside_close_file(a, "db");
        }
        if (a->folder >= 0) {
            close(a->folder);
        }
        free(a);
    }
}
