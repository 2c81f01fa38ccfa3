/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_SUP_H
#define FENCE_SUP_H 1

/* The supervisor's end of a worker: a named socket, one connection at a
 * time.
 *
 * Named, so that an ovn-had that was started anew finds a worker that lives
 * on.  A new connection takes over and the old one is closed.  Used by
 * fence/worker and fence/agents, which read the messages; this file knows only who is there
 * and since when nothing was heard of it.  Never blocks. */

#include <poll.h>
#include <stdbool.h>

#include "lib/mono.h"
#include "lib/seq.h"
#include "lib/wire.h"

/* The largest body of a message. */
union sup_body {
    struct wire_f_config config;
    struct wire_f_members members;
    struct wire_f_db db;
    struct wire_f_pid pid;
    struct wire_f_epoch epoch;
    struct wire_f_endless endless;
    struct wire_a_device device;
    struct wire_a_target target;
    struct wire_a_commit commit;
    struct wire_a_fence fence;
};

struct sup {
    int listen_fd;
    int fd;                /* -1: no supervisor. */
    pid_t pid;             /* Its process when it connected; 0. */
    int pidfd;             /* The same, or -1. */
    mono_t heard;          /* Last message, or connection. */
    char buf[SEQ_MSG_MAX]; /* One message. */
    mono_t left;           /* Since when there is none. */
};

/* Listens on 'path'.  Returns 0 or a negative errno. */
int sup_init(struct sup *, const char *path, mono_t now);
void sup_close(struct sup *);

/* Appends what is to be polled, two entries at most. */
unsigned int sup_poll(const struct sup *, struct pollfd pfds[]);

/* Takes a waiting connection in place of the present one.  Returns true if
 * there was one. */
bool sup_accept(struct sup *, mono_t now);

/* Receives one message; missing bytes of the body are zero.  Returns 0 and
 * its type; -EAGAIN if there is none; -EBADMSG if it made no sense and was
 * dropped; -EPIPE if the supervisor is gone. */
int sup_recv(struct sup *, mono_t now, uint16_t *ret_type,
             union sup_body *ret_body);

/* Sends a message.  Returns 0 or a negative errno: -EAGAIN if it has to be
 * sent again later, -ENOTCONN if no one is there. */
int sup_send(struct sup *, uint16_t type, const void *body, size_t n,
             mono_t now);

/* Kills the supervisor's process, and drops the connection. */
void sup_kill(struct sup *, mono_t now);

#endif /* fence/sup.h */
