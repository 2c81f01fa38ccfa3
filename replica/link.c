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

#include "lib/tls.h"

#define TLS_ALERT 0x15 /* First bytes of TLS's records. */
#define TLS_HANDSHAKE 0x16
#define TLS_MAJOR 3
#define SEAL_SIZE (64u << 10) /* Turned into TLS at a time. */
#define READ_SIZE (128u << 10)

/* Bytes [start, end) of 'data' are in use. */
struct bytes {
    uint8_t *data;
    size_t start, end, allocated;
};

struct link {
    struct stream *stream;
    bool opened;    /* The stream is. */
    bool connected; /* Frames can flow. */
    int error;      /* Negative errno once it is lost. */
    struct bytes in, out;
    size_t taken; /* Of 'in': the frame handed out last. */
    long long int heard;

    struct tls_session *tls; /* NULL: none. */
    struct bytes sealed;     /* What TLS has made of 'out'. */
    bool spoken;             /* Something came in. */
    const char *why;         /* "": 'error' says it all. */
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
link_create(struct stream *stream, struct tls_session *tls)
{
    struct link *link = xzalloc(sizeof *link);

    link->stream = stream;
    link->tls = tls;
    link->why = "";
    link->heard = time_msec();
    return link;
}

void
link_close(struct link *link)
{
    if (link) {
        stream_close(link->stream);
        tls_session_destroy(link->tls);
        free(link->in.data);
        free(link->out.data);
        free(link->sealed.data);
        free(link);
    }
}

/* Ends it because of what the other side is; 'why' stays valid. */
static int
link_fail(struct link *link, int error, const char *why)
{
    link->error = error;
    link->why = why;
    return error;
}

static void
link_send_bytes(struct link *link, struct bytes *out)
{
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

/* Moves what TLS has to say to where it goes out. */
static void
link_drain(struct link *link)
{
    size_t n;

    do {
        n = tls_session_drain(link->tls, bytes_room(&link->sealed, SEAL_SIZE),
                              SEAL_SIZE);
        link->sealed.end += n;
    } while (n);
}

/* Turns what waits into TLS, as long as that goes out. */
static void
link_seal(struct link *link)
{
    struct bytes *out = &link->out;

    while (!link->error && out->start < out->end
           && link->sealed.start == link->sealed.end) {
        size_t n = MIN(out->end - out->start, SEAL_SIZE);

        if (tls_session_write(link->tls, out->data + out->start, n)) {
            link_fail(link, -EPROTO, tls_session_why(link->tls));
        }
        out->start += n;
        link_drain(link);
        link_send_bytes(link, &link->sealed);
    }
}

static void
link_flush(struct link *link)
{
    if (!link->tls) {
        link_send_bytes(link, &link->out);
        return;
    }
    link_send_bytes(link, &link->sealed);
    if (link->connected) {
        link_seal(link);
    }
}

/* Answers who speaks plaintext in plaintext. */
static void
link_refuse_plaintext(struct link *link)
{
    struct tls_session *tls = link->tls;

    link->tls = NULL;
    link->out.start = link->out.end = 0;
    link_refuse(link, FRAME_NO_TLS,
                "this node speaks TLS only, and the other one does not");
    link_flush(link);
    link->tls = tls;
    link_fail(link, -EPROTO, "it speaks plaintext, and this node TLS only");
}

/* Takes 'n' bytes that came in.  Returns false if they are no TLS. */
static bool
link_take_sealed(struct link *link, const uint8_t *data, size_t n)
{
    if (!link->spoken && data[0] != TLS_HANDSHAKE && data[0] != TLS_ALERT) {
        link_refuse_plaintext(link);
        return false;
    }
    tls_session_feed(link->tls, data, n);
    return true;
}

/* Takes what TLS has made of what came in. */
static void
link_unseal(struct link *link)
{
    struct bytes *in = &link->in;
    ssize_t n;

    do {
        n = tls_session_read(link->tls, bytes_room(in, READ_SIZE), READ_SIZE);
        in->end += MAX(n, 0);
    } while (n > 0);
    link_drain(link);
    if (n == -EPROTO) {
        link_fail(link, n, tls_session_why(link->tls));
    } else if (!n) {
        link->error = -EPIPE;
    }
}

/* Reads once.  Returns true if something came. */
static bool
link_read(struct link *link)
{
    static uint8_t sealed[READ_SIZE];
    struct bytes *in = &link->in;
    void *to = link->tls ? sealed : bytes_room(in, READ_SIZE);
    int n = stream_recv(link->stream, to, READ_SIZE);

    if (n > 0) {
        if (!link->tls) {
            in->end += n;
        } else if (!link_take_sealed(link, to, n)) {
            return false;
        }
        link->spoken = true;
        link->heard = time_msec();
    } else if (n != -EAGAIN) {
        link->error = n ? n : -EPIPE;
    }
    return n > 0;
}

/* Reads once; whoever takes frames calls for more. */
static void
link_fill(struct link *link)
{
    if (!link->error && link_read(link) && link->tls) {
        link_unseal(link);
    }
}

/* Goes on with TLS's handshake.  Its last word, which says what is wrong, is
 * sent even if it fails. */
static void
link_shake_hands(struct link *link)
{
    int error;

    do {
        error = tls_session_handshake(link->tls);
        link_drain(link);
        link_send_bytes(link, &link->sealed);
    } while (error == -EAGAIN && !link->error && link_read(link));
    if (error == -EPROTO) {
        link_fail(link, error, tls_session_why(link->tls));
    } else if (!error && !link->error) {
        link->connected = true;
        /* What came with the end of the handshake. */
        link_unseal(link);
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
        link->opened = true;
        if (link->tls) {
            link_shake_hands(link);
        } else {
            link->connected = true;
        }
    }
    if (!link->error) {
        link_flush(link);
    }
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
    if (!link->connected && !link->opened) {
        stream_connect_wait(link->stream);
        return;
    }
    if (link->sealed.start < link->sealed.end
        || (link->connected && link->out.start < link->out.end)) {
        stream_send_wait(link->stream);
    }
    if (want_input || !link->connected) {
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

const char *
link_why(const struct link *link)
{
    return link->why;
}

const struct tls_session *
link_tls(const struct link *link)
{
    return link->tls;
}

size_t
link_backlog(const struct link *link)
{
    return link->out.end - link->out.start + link->sealed.end
           - link->sealed.start;
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
        bool tls = !link->tls && in->data[in->start] == TLS_HANDSHAKE
                   && in->data[in->start + 1] == TLS_MAJOR;

        return link_fail(link, error,
                         tls ? "it speaks TLS, and this node does not" : "");
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
