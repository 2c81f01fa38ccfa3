/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/fuzz/wire.h"

#include <errno.h>
#include <stdlib.h>

#include "stream-provider.h"
#include "stream.h"
#include "util.h"

#define BUF_SIZE (4u << 20)

struct bytes {
    uint8_t data[BUF_SIZE];
    size_t start, end;
};

static struct bytes to_them, from_them;
static size_t piece_size;
static bool hung_up, is_open;
static bool was_open; /* One session an input. */
static void (*heard)(uint16_t type, const uint8_t *body, size_t n);

void
wire_begin(size_t piece, void (*heard_)(uint16_t, const uint8_t *, size_t))
{
    to_them.start = to_them.end = 0;
    from_them.start = from_them.end = 0;
    piece_size = piece;
    heard = heard_;
    hung_up = is_open = was_open = false;
}

/* What no longer fits is not said. */
void
wire_say_bytes(const void *data, size_t n)
{
    if (n && n <= sizeof to_them.data - to_them.end) {
        memcpy(to_them.data + to_them.end, data, n);
        to_them.end += n;
    }
}

void
wire_say(enum frame_type type, const void *body, size_t n)
{
    struct frame_head head = { .len = n, .type = type };
    uint8_t buf[FRAME_HEAD_LEN];

    frame_put_head(buf, &head);
    wire_say_bytes(buf, sizeof buf);
    wire_say_bytes(body, n);
}

void
wire_hang_up(void)
{
    hung_up = true;
}

bool
wire_is_busy(void)
{
    return is_open && to_them.start < to_them.end;
}

bool
wire_is_open(void)
{
    return is_open;
}

/* Hands out the frames that are complete, and checks how they are made. */
static void
cut_frames(void)
{
    struct bytes *b = &from_them;
    struct frame_head head;

    while (b->end - b->start >= FRAME_HEAD_LEN) {
        const uint8_t *p = b->data + b->start;

        assert(!frame_get_head(p, &head));
        if (b->end - b->start < FRAME_HEAD_LEN + head.len) {
            break;
        }
        b->start += FRAME_HEAD_LEN + head.len;
        heard(head.type, p + FRAME_HEAD_LEN, head.len);
    }
    if (b->start == b->end) {
        b->start = b->end = 0;
    }
}

/* ---- The stream ---------------------------------------------------------- */

static void
memory_close(struct stream *stream)
{
    is_open = false;
    free(stream);
}

static int
memory_connect(struct stream *stream)
{
    return stream ? 0 : EINVAL;
}

static ssize_t
memory_recv(struct stream *stream, void *buffer, size_t n)
{
    size_t have = to_them.end - to_them.start;

    assert(stream);
    if (!have) {
        return hung_up ? 0 : -EAGAIN;
    }
    n = MIN(n, have);
    n = piece_size ? MIN(n, piece_size) : n;
    memcpy(buffer, to_them.data + to_them.start, n);
    to_them.start += n;
    return n;
}

static ssize_t
memory_send(struct stream *stream, const void *buffer, size_t n)
{
    assert(stream && n <= sizeof from_them.data - from_them.end);
    memcpy(from_them.data + from_them.end, buffer, n);
    from_them.end += n;
    cut_frames();
    return n;
}

static void
memory_wait(struct stream *stream, enum stream_wait_type type)
{
    assert(stream && type <= STREAM_SEND);
}

static const struct stream_class memory_class = {
    .name = "memory",
    .close = memory_close,
    .connect = memory_connect,
    .recv = memory_recv,
    .send = memory_send,
    .wait = memory_wait,
};

static struct stream *
memory_open(void)
{
    struct stream *stream = xmalloc(sizeof *stream);

    stream_init(stream, &memory_class, 0, xstrdup("tcp:" WIRE_PEER ":1"));
    is_open = was_open = true;
    return stream;
}

/* ---- In place of Open vSwitch's ------------------------------------------ */

int __wrap_stream_open(const char *, struct stream **, uint8_t);
int __wrap_pstream_open(const char *, struct pstream **, uint8_t);

int
__wrap_stream_open(const char *name, struct stream **ret, uint8_t dscp)
{
    assert(name && dscp == DSCP_DEFAULT);
    *ret = was_open ? NULL : memory_open();
    return *ret ? 0 : ECONNREFUSED;
}

static void
memory_unlisten(struct pstream *pstream)
{
    free(pstream);
}

static int
memory_accept(struct pstream *pstream, struct stream **ret)
{
    if (was_open) {
        return EAGAIN;
    }
    assert(pstream);
    *ret = memory_open();
    return 0;
}

static void
memory_accept_wait(struct pstream *pstream)
{
    assert(pstream);
}

static const struct pstream_class memory_pclass = {
    .name = "pmemory",
    .close = memory_unlisten,
    .accept = memory_accept,
    .wait = memory_accept_wait,
};

int
__wrap_pstream_open(const char *name, struct pstream **ret, uint8_t dscp)
{
    assert(dscp == DSCP_DEFAULT);
    *ret = xmalloc(sizeof **ret);
    pstream_init(*ret, &memory_pclass, xstrdup(name));
    return 0;
}
