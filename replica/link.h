/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_LINK_H
#define HA_REPLICA_LINK_H 1

/* One connection between two workers: frames over a stream of Open vSwitch,
 * by themselves or in TLS.
 *
 * Buffers what goes out, cuts what comes in into frames, notes when something
 * was last heard, and tells TLS from plaintext.  Never blocks, never
 * interprets a body. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replica/frame.h"

struct link;
struct stream;
struct tls_session;

/* Takes over 'stream', which may still be connecting, and 'tls', through which
 * everything goes unless it is NULL. */
struct link *link_create(struct stream *, struct tls_session *tls);
void link_close(struct link *);

/* Moves bytes.  Returns 0 or a negative errno once the connection is lost. */
int link_run(struct link *);

/* Wakes the loop for output and, if 'want_input', for input. */
void link_wait(struct link *, bool want_input);

/* True once frames can flow: with TLS, after its handshake. */
bool link_is_connected(const struct link *);
const char *link_name(const struct link *);

/* Why it was lost, if that says more than its errno; else "". */
const char *link_why(const struct link *);

/* NULL: none. */
const struct tls_session *link_tls(const struct link *);

/* Bytes that wait to go out. */
size_t link_backlog(const struct link *);

/* time_msec() when something was last heard; at first, when it was made. */
long long int link_heard(const struct link *);

/* Queues a frame of up to two parts. */
void link_send(struct link *, enum frame_type, const void *body, size_t n,
               const void *more, size_t more_n);
void link_refuse(struct link *, enum frame_refusal, const char *text);

struct link_frame {
    uint16_t type;
    const uint8_t *body; /* Valid until the next call for this link. */
    size_t n;
};

/* Takes the next frame.  Returns 1, 0 if none is complete, or a negative
 * errno. */
int link_recv(struct link *, struct link_frame *);

/* Brings out what is queued as far as possible, then closes. */
void link_finish(struct link *);

#endif /* replica/link.h */
