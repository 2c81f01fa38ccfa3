/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/uctl-stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/xalloc.h"

#define READ_BYTES 4096

static void
buf_reserve(struct uctl_buf *buf, size_t n)
{
    if (buf->allocated - buf->n < n) {
        buf->allocated = (buf->n + n) * 2;
        buf->data = ha_realloc(buf->data, buf->allocated);
    }
}

static void
buf_drop_head(struct uctl_buf *buf, size_t n)
{
    buf->n -= n;
    memmove(buf->data, buf->data + n, buf->n);
}

void
uctl_stream_init(struct uctl_stream *s, int fd, size_t limit)
{
    *s = (struct uctl_stream){ .fd = fd, .limit = limit };
}

void
uctl_stream_close(struct uctl_stream *s)
{
    close(s->fd);
    free(s->in.data);
    free(s->out.data);
}

static int
append_json(const char *data, size_t n, void *buf_)
{
    struct uctl_buf *buf = buf_;

    buf_reserve(buf, n);
    memcpy(buf->data + buf->n, data, n);
    buf->n += n;
    return 0;
}

void
uctl_stream_put(struct uctl_stream *s, json_t *object)
{
    int error = json_dump_callback(object, append_json, &s->out, JSON_COMPACT);

    /* Fails for nothing but a broken or missing object. */
    assert(!error);
    json_decref(object);
}

bool
uctl_stream_is_flushed(const struct uctl_stream *s)
{
    return s->out_ofs == s->out.n;
}

int
uctl_stream_flush(struct uctl_stream *s)
{
    while (!uctl_stream_is_flushed(s)) {
        ssize_t n = send(s->fd, s->out.data + s->out_ofs,
                         s->out.n - s->out_ofs, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n >= 0) {
            s->out_ofs += n;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    s->out.n = s->out_ofs = 0;
    return 0;
}

/* Sees one more byte.  Returns 1 if it ends an object, 0 if not, -EPROTO if
 * it cannot be part of a stream of objects. */
static int
scan_byte(struct uctl_stream *s, char c)
{
    if (s->in_string) {
        if (s->in_escape) {
            s->in_escape = false;
        } else if (c == '\\') {
            s->in_escape = true;
        } else if (c == '"') {
            s->in_string = false;
        }
        return 0;
    }
    if (!s->depth && c != '{' && !strchr(" \t\r\n", c)) {
        return -EPROTO;
    }
    switch (c) {
    case '\0':
        return -EPROTO;
    case '"':
        s->in_string = true;
        return 0;
    case '{':
    case '[':
        s->depth++;
        return 0;
    case '}':
    case ']':
        return --s->depth == 0;
    default:
        return 0;
    }
}

/* Scans what is new in the buffer.  Returns 1 if an object ends at
 * 's->scanned', 0 if there is none yet, or a negative errno. */
static int
scan(struct uctl_stream *s)
{
    while (s->scanned < s->in.n) {
        int result = scan_byte(s, s->in.data[s->scanned++]);

        if (s->scanned > s->limit) {
            return -EMSGSIZE;
        } else if (result) {
            return result;
        }
    }
    return 0;
}

static int
parse(struct uctl_stream *s, json_t **ret_object)
{
    json_t *object = json_loadb(s->in.data, s->scanned, 0, NULL);

    buf_drop_head(&s->in, s->scanned);
    s->scanned = 0;
    if (!object) {
        return -EPROTO;
    }
    *ret_object = object;
    return 0;
}

int
uctl_stream_get(struct uctl_stream *s, json_t **ret_object)
{
    for (;;) {
        int result = scan(s);
        ssize_t n;

        if (result) {
            return result < 0 ? result : parse(s, ret_object);
        }
        buf_reserve(&s->in, READ_BYTES);
        n = recv(s->fd, s->in.data + s->in.n, s->in.allocated - s->in.n,
                 MSG_DONTWAIT);
        if (n > 0) {
            s->in.n += n;
        } else if (!n) {
            return -EPIPE;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}
