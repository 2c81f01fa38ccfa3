/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/aside.h"

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

struct aside {
    int from, to, folder;
    uint64_t off, bytes;
    bool plain; /* The kernel does not copy by itself. */
    bool done;
    char path[PATH_MAX];
};

/* Opens a file that does not exist yet. */
static int
aside_open(struct aside *a, const char *state_dir, enum ha_db db,
           const struct ha_pos *pos)
{
    time_t now = time(NULL);
    char stamp[32];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    snprintf(a->path, sizeof a->path, "%.3500s/diverged", state_dir);
    if (mkdir(a->path, 0750) && errno != EEXIST) {
        return -errno;
    }
    a->folder = open(a->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a->folder < 0) {
        return -errno;
    }
    for (int i = 0; i < 1000; i++) {
        char suffix[8] = "";

        if (i) {
            snprintf(suffix, sizeof suffix, ".%d", i);
        }
        snprintf(a->path, sizeof a->path,
                 "%.3500s/diverged/ovn%s-%" PRIu32 ".%" PRIu32 "-%" PRIu64
                 "-%s%s.db",
                 state_dir, db == HA_NB ? "nb" : "sb", pos->epoch.n,
                 pos->epoch.node, pos->seq, stamp, suffix);
        a->to = open(a->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (a->to >= 0 || errno != EEXIST) {
            break;
        }
    }
    return a->to >= 0 ? 0 : -errno;
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
    error = aside_open(a, state_dir, db, pos);
    if (error) {
        a->path[0] = '\0';
        aside_destroy(a);
        errno = -error;
        return NULL;
    }
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
    if (fsync(a->to) || fsync(a->folder)) {
        return -errno;
    }
    a->done = true;
    return 0;
}

const char *
aside_path(const struct aside *a)
{
    return a->path;
}

void
aside_destroy(struct aside *a)
{
    if (a) {
        if (a->to >= 0) {
            close(a->to);
            if (!a->done) {
                unlink(a->path);
            }
        }
        if (a->folder >= 0) {
            close(a->folder);
        }
        free(a);
    }
}
