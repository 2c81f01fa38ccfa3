/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_LINK_H
#define FENCE_LINK_H 1

/* The UDP socket between the fence workers of all nodes.
 *
 * Bound to this node's ring address; unicast; nothing is queued or sent twice:
 * the next beat comes soon enough.  Used by fence/worker, which judges the
 * messages.  Never blocks, and never gives up: an address that is not there
 * yet and a key that cannot be read are tried again. */

#include <stdbool.h>
#include <stdint.h>

#include "fence/beat.h"
#include "lib/mono.h"
#include "lib/types.h"
#include "lib/wire.h"

struct link_peer {
    uint32_t id;
    struct sockaddr_storage addr; /* With the port. */
    int error;                    /* Of the last send; to log each change. */
};

struct link {
    uint32_t self;
    uint32_t n_peers;
    struct link_peer peers[HA_MAX_NODES];
    struct sockaddr_storage addr; /* Own, with the port. */
    int fd;                       /* -1: not bound yet. */
    int bind_error;               /* Of the last try. */
    char key_file[WIRE_PATH_LEN];
    struct hmac_key key;
    bool have_key;
    int key_error;       /* Of the last try to read it. */
    mono_t next_try;     /* Of bind and key; or MONO_NEVER. */
    mono_t next_warning; /* About bad datagrams: not one a packet. */
    bool configured;
};

void link_init(struct link *);
void link_close(struct link *);

/* Takes addresses, port and key from 'config', whose 'self' is among its
 * nodes. */
void link_set_config(struct link *, const struct wire_f_config *config,
                     mono_t now);

/* Tries again what failed before. */
void link_run(struct link *, mono_t now);

/* True if beats can come and go. */
bool link_is_up(const struct link *);

/* Why they cannot. */
const char *link_why(const struct link *);

/* Sends to node 'to', which may be unknown. */
void link_send(struct link *, uint32_t to, enum beat_type,
               const struct lease_beat *);

/* Receives one authentic message of a known node to this one; bad ones are
 * dropped.  Returns 0, or -EAGAIN if there is none. */
int link_recv(struct link *, mono_t now, struct beat_msg *ret_msg);

#endif /* fence/link.h */
