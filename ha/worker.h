/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_WORKER_H
#define HA_WORKER_H 1

/* What the supervisor's ends of both worker sockets have in common: messages
 * (lib/wire.h), and where the programs are.  Used by ha/fence.c and
 * ha/replica.c. */

#include <stddef.h>

#include "lib/seq.h"
#include "lib/wire.h"

struct worker_msg {
    struct wire_hdr hdr;
    char body[SEQ_MSG_MAX];
};

/* Sends one message.  Returns as seq_send(). */
int worker_send(int fd, enum wire_type, const void *body, size_t n);

/* Receives one message.  Returns 0; -EAGAIN if there is none; -EPROTO if what
 * came is no message; or as seq_recv(). */
int worker_recv(int fd, struct worker_msg *ret_msg);

/* Copies the body to 'body', zeros where the sender knew less. */
void worker_body(const struct worker_msg *, void *body, size_t n);

#endif /* ha/worker.h */
