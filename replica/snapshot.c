/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/durable.h"
#include "lib/wire.h"
#include "lib/xalloc.h"
#include "replica/record.h"

#define COMING_SUFFIX ".snapshot"
#define LEAD_MAX 1024 /* Of our records, besides the schema. */

struct snapshot {
    char *coming, *offer; /* Both names. */
    bool offered;
    int fd;
    char *schema;
    struct ha_pos pos;
    uint64_t bytes, have;         /* Of the source's log. */
    char head[RECORD_HEADER_MAX]; /* Its beginning, until that is known. */
    size_t n_head;
    uint64_t first; /* Length of its first record; 0: not known. */
    uint64_t end;   /* Of the file. */
};

void
snapshot_clean(const char *file)
{
    static const char *const suffixes[] = { COMING_SUFFIX,
                                            WIRE_INSTALL_SUFFIX };

    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char *path = ha_asprintf("%s%s", file, suffixes[i]);

        unlink(path);
        free(path);
    }
}

/* Makes the file as the database's own is.  Who may not give it away keeps
 * it. */
static int
snapshot_open(struct snapshot *s, const struct snapshot_spec *spec)
{
    uint64_t room = spec->bytes + strlen(spec->schema) + LEAD_MAX;
    struct stat st;

    if (fstat(spec->like, &st)) {
        return -errno;
    }
    unlink(s->coming);
    s->fd = open(s->coming, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                 0600);
    if (s->fd < 0 || (fchown(s->fd, st.st_uid, st.st_gid) && errno != EPERM)
        || fchmod(s->fd, st.st_mode & 0777)) {
        return -errno;
    }
    /* Where the file system cannot tell, the write will. */
    if (fallocate(s->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t) room)
        && errno != EOPNOTSUPP && errno != ENOSYS) {
        return -errno;
    }
    return 0;
}

int
snapshot_create(const struct snapshot_spec *spec, struct snapshot **ret)
{
    struct snapshot *s = ha_calloc(1, sizeof *s);
    int error;

    s->coming = ha_asprintf("%s%s", spec->file, COMING_SUFFIX);
    s->offer = ha_asprintf("%s%s", spec->file, WIRE_INSTALL_SUFFIX);
    s->schema = ha_strdup(spec->schema);
    s->pos = spec->pos;
    s->bytes = spec->bytes;
    s->fd = -1;
    error = snapshot_open(s, spec);
    if (error) {
        snapshot_destroy(s);
        return error;
    }
    *ret = s;
    return 0;
}

void
snapshot_destroy(struct snapshot *s)
{
    if (s) {
        if (s->fd >= 0) {
            unlink(s->offered ? s->offer : s->coming);
            close(s->fd);
        }
        free(s->coming);
        free(s->offer);
        free(s->schema);
        free(s);
    }
}

static int
snapshot_append(struct snapshot *s, const void *data_, size_t n)
{
    const char *data = data_;

    while (n) {
        ssize_t done = pwrite(s->fd, data, n, (off_t) s->end);

        if (done < 0 && errno == EINTR) {
            continue;
        } else if (done <= 0) {
            return done < 0 ? -errno : -EIO;
        }
        data += done;
        n -= done;
        s->end += done;
    }
    return 0;
}

static int
snapshot_append_record(struct snapshot *s, const char *body)
{
    char header[RECORD_HEADER_MAX];
    size_t n = record_format_header(body, strlen(body), header);
    int error = snapshot_append(s, header, n);

    return error ? error : snapshot_append(s, body, strlen(body));
}

/* The record that says where the position holds: behind itself and what comes
 * of the source after that one's schema. */
static int
snapshot_append_install(struct snapshot *s)
{
    struct record_comment comment = { .pos = s->pos };
    char text[RECORD_COMMENT_MAX], header[RECORD_HEADER_MAX];
    char *body = NULL;
    int error;

    for (int i = 0; i < 2; i++) {
        free(body);
        record_format_comment(RECORD_INSTALL, &comment, text);
        body = ha_asprintf("{\"_comment\":\"%s\"}\n", text);
        comment.end = s->end + record_format_header(body, strlen(body), header)
                      + strlen(body) + s->bytes - s->first;
    }
    error = snapshot_append_record(s, body);
    free(body);
    return error;
}

/* The schema in the source's words is that which it announced; in its place
 * come our records. */
static int
snapshot_begin(struct snapshot *s, const char *data, size_t n)
{
    size_t add = sizeof s->head - s->n_head;
    struct record_header h;
    char *schema;
    int error;

    add = n < add ? n : add;
    memcpy(s->head + s->n_head, data, add);
    s->n_head += add;
    error = record_parse_header(s->head, s->n_head, &h);
    if (error) {
        return error == -EAGAIN ? 0 : error;
    }
    s->first = (uint64_t) h.header_len + h.body_len;
    if (s->first > s->bytes) {
        return -EBADMSG;
    }
    schema = ha_asprintf("%s\n", s->schema);
    error = snapshot_append_record(s, schema);
    free(schema);
    return error ? error : snapshot_append_install(s);
}

int
snapshot_write(struct snapshot *s, const void *data_, size_t n)
{
    const char *data = data_;
    uint64_t drop;
    int error = 0;

    if (n > s->bytes - s->have) {
        return -EBADMSG;
    }
    if (!s->first) {
        error = snapshot_begin(s, data, n);
    }
    drop = s->first > s->have ? s->first - s->have : 0;
    s->have += n;
    if (!error && s->first && drop < n) {
        error = snapshot_append(s, data + drop, n - drop);
    }
    return error;
}

uint64_t
snapshot_have(const struct snapshot *s)
{
    return s->have;
}

bool
snapshot_is_complete(const struct snapshot *s)
{
    return s->first && s->have == s->bytes;
}

int
snapshot_fd(const struct snapshot *s)
{
    return s->fd;
}

uint64_t
snapshot_bytes(const struct snapshot *s)
{
    return s->end;
}

int
snapshot_offer(struct snapshot *s)
{
    /* What was set apart and not needed is given back. */
    if (ftruncate(s->fd, (off_t) s->end) || fsync(s->fd)
        || rename(s->coming, s->offer)) {
        return -errno;
    }
    s->offered = true;
    return durable_sync_folder_of(s->offer);
}

void
snapshot_get_id(const struct snapshot *s, uint64_t *dev, uint64_t *ino)
{
    struct stat st;

    *dev = *ino = 0;
    if (!fstat(s->fd, &st)) {
        *dev = st.st_dev;
        *ino = st.st_ino;
    }
}
