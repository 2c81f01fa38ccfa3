/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

#define READ_SIZE (128u << 10)

/* Bytes [start, end) of 'data' are in use. */
struct bytes {
    uint8_t *data;
    size_t start, end, allocated;
};

struct link {
    struct stream *stream;
    bool connected;
    int error; /* Negative errno once it is lost. */
    struct bytes in, out;
    size_t taken; /* Of 'in': the frame handed out last. */
    long long int heard;
};

/* Makes room for 'n' bytes at the end. */
static uint8_t *
bytes_room(struct bytes *b, size_t n)
{
    if (b->start == b->end) {
        b->start = b->end = 0;
    }
    if (b->end + n > b->allocated && b->start) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    if (b->end + n > b->allocated) {
        b->allocated = MAX(b->end + n, 2 * b->allocated);
        b->data = xrealloc(b->data, b->allocated);
    }
    return b->data + b->end;
}

static void
bytes_put(struct bytes *b, const void *data, size_t n)
{
    if (n) {
        memcpy(bytes_room(b, n), data, n);
        b->end += n;
    }
}

struct link *
link_create(struct stream *stream)
{
    struct link *link = xzalloc(sizeof *link);

    link->stream = stream;
    link->heard = time_msec();
    return link;
}

void
link_close(struct link *link)
{
    if (link) {
        stream_close(link->stream);
        free(link->in.data);
        free(link->out.data);
        free(link);
    }
}

static void
link_flush(struct link *link)
{
    struct bytes *out = &link->out;

    while (!link->error && out->start < out->end) {
        int n = stream_send(link->stream, out->data + out->start,
                            out->end - out->start);

        if (n == -EAGAIN) {
            break;
        } else if (n <= 0) {
            link->error = n ? n : -EPIPE;
        } else {
            out->start += n;
        }
    }
}

/* Reads once; whoever takes frames calls for more. */
static void
link_fill(struct link *link)
{
    struct bytes *in = &link->in;
    int n;

    if (link->error) {
        return;
    }
    n = stream_recv(link->stream, bytes_room(in, READ_SIZE), READ_SIZE);
    if (n > 0) {
        in->end += n;
        link->heard = time_msec();
    } else if (n != -EAGAIN) {
        link->error = n ? n : -EPIPE;
    }
}

int
link_run(struct link *link)
{
    if (link->error) {
        return link->error;
    }
    stream_run(link->stream);
    if (!link->connected) {
        int error = stream_connect(link->stream);

        if (error == EAGAIN) {
            return 0;
        } else if (error) {
            link->error = -error;
            return link->error;
        }
        link->connected = true;
    }
    link_flush(link);
    return link->error;
}

void
link_wait(struct link *link, bool want_input)
{
    if (link->error) {
        poll_immediate_wake();
        return;
    }
    stream_run_wait(link->stream);
    if (!link->connected) {
        stream_connect_wait(link->stream);
        return;
    }
    if (link->out.start < link->out.end) {
        stream_send_wait(link->stream);
    }
    if (want_input) {
        stream_recv_wait(link->stream);
    }
}

bool
link_is_connected(const struct link *link)
{
    return link->connected;
}

const char *
link_name(const struct link *link)
{
    return stream_get_name(link->stream);
}

size_t
link_backlog(const struct link *link)
{
    return link->out.end - link->out.start;
}

long long int
link_heard(const struct link *link)
{
    return link->heard;
}

void
link_send(struct link *link, enum frame_type type, const void *body, size_t n,
          const void *more, size_t more_n)
{
    struct frame_head head = { .len = n + more_n, .type = type };
    uint8_t buf[FRAME_HEAD_LEN];

    ovs_assert(n + more_n <= FRAME_BODY_MAX);
    frame_put_head(buf, &head);
    bytes_put(&link->out, buf, sizeof buf);
    bytes_put(&link->out, body, n);
    bytes_put(&link->out, more, more_n);
}

void
link_refuse(struct link *link, enum frame_refusal code, const char *text)
{
    struct frame_refuse refuse = { .code = code };
    uint8_t buf[FRAME_FIXED_MAX];

    ovs_strlcpy(refuse.text, text, sizeof refuse.text);
    link_send(link, FRAME_REFUSE, buf, frame_put_refuse(buf, &refuse), NULL,
              0);
}

/* Looks for a whole frame in what was read.  Returns as link_recv(). */
static int
link_cut(struct link *link, struct link_frame *f)
{
    struct bytes *in = &link->in;
    struct frame_head head;
    int error;

    if (in->end - in->start < FRAME_HEAD_LEN) {
        return 0;
    }
    error = frame_get_head(in->data + in->start, &head);
    if (error) {
        link->error = error;
        return error;
    }
    if (in->end - in->start < FRAME_HEAD_LEN + head.len) {
        return 0;
    }
    f->type = head.type;
    f->body = in->data + in->start + FRAME_HEAD_LEN;
    f->n = head.len;
    link->taken = FRAME_HEAD_LEN + head.len;
    link->heard = time_msec();
    return 1;
}

int
link_recv(struct link *link, struct link_frame *f)
{
    int ret;

    link->in.start += link->taken;
    link->taken = 0;
    ret = link_cut(link, f);
    if (!ret && link->connected) {
        link_fill(link);
        ret = link_cut(link, f);
    }
    return ret ? ret : link->error;
}

void
link_finish(struct link *link)
{
    if (link) {
        link_flush(link);
        link_close(link);
    }
}
