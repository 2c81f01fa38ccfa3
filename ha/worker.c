/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/xalloc.h"

int
worker_send(int fd, enum wire_type type, const void *body, size_t n)
{
    struct {
        struct wire_hdr hdr;
        char body[16384];
    } msg = {
        .hdr = { .version = WIRE_VERSION, .type = type, .len = n },
    };

    assert(n <= sizeof msg.body);
    if (n) {
        memcpy(msg.body, body, n);
    }
    return seq_send(fd, &msg, sizeof msg.hdr + n);
}

int
worker_recv(int fd, struct worker_msg *msg)
{
    ssize_t n = seq_recv(fd, msg, sizeof *msg);

    if (n < 0) {
        return n;
    }
    if ((size_t) n < sizeof msg->hdr || msg->hdr.version != WIRE_VERSION
        || msg->hdr.len != n - sizeof msg->hdr) {
        return -EPROTO;
    }
    return 0;
}

void
worker_body(const struct worker_msg *msg, void *body, size_t n)
{
    size_t known = msg->hdr.len < n ? msg->hdr.len : n;

    memset(body, 0, n);
    memcpy(body, msg->body, known);
}
