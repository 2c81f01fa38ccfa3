/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_UCTL_STREAM_H
#define HA_LIB_UCTL_STREAM_H 1

/* A stream of JSON objects in both directions over one descriptor.
 *
 * The part that both sides of lib/uctl share; the clients of a drill
 * (ctl/ovsdb), whose protocol is the same, need it, too.  JSON-RPC
 * has no framing, so the end of an object is found by counting braces, each
 * byte once, before the parser sees anything. */

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

struct uctl_buf {
    char *data;
    size_t n, allocated; /* Bytes. */
};

struct uctl_stream {
    int fd;
    size_t limit;        /* Largest object that is accepted, in bytes. */
    struct uctl_buf in;  /* Received, not yet taken. */
    struct uctl_buf out; /* To be sent. */
    size_t out_ofs;      /* Part of 'out' that was sent. */

    /* Scanner. */
    size_t scanned; /* Bytes of 'in' that it has seen. */
    int depth;      /* Open braces and brackets. */
    bool in_string; /* Inside of a string... */
    bool in_escape; /* ...and just after a backslash. */
};

/* Takes over 'fd'. */
void uctl_stream_init(struct uctl_stream *, int fd, size_t limit);
void uctl_stream_close(struct uctl_stream *);

/* Queues an object, and takes over the reference.  NULL is out of memory. */
void uctl_stream_put(struct uctl_stream *, json_t *);

/* Sends what is queued.  Returns 0 if all is sent, -EAGAIN, or another
 * negative errno. */
int uctl_stream_flush(struct uctl_stream *);
bool uctl_stream_is_flushed(const struct uctl_stream *);

/* Receives the next object.  Returns 0, -EAGAIN, -EPIPE at the end of the
 * stream, -EPROTO, -EMSGSIZE or another negative errno. */
int uctl_stream_get(struct uctl_stream *, json_t **ret_object);

#endif /* HA_LIB_UCTL_STREAM_H */
