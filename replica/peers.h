/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_PEERS_H
#define HA_REPLICA_PEERS_H 1

/* Who may talk to this worker: the nodes that the supervisor names, and the
 * key that they share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire.h"
#include "replica/frame.h"

struct tls_session;

struct peers {
    uint32_t n;
    struct wire_node nodes[HA_MAX_NODES];
    char names[HA_MAX_NODES][WIRE_NAME_LEN];
};

/* True if a node 'id' has the address of the stream called 'name', such as
 * "tcp:10.0.0.1:1234", and, if 'tls' is not NULL, the certificate that was
 * shown there.  With 'id' 0 any node will do. */
bool peers_allow(const struct peers *, const char *name, uint32_t id,
                 const struct tls_session *tls);

/* Reads the key from 'path', NULL for none.  Returns 0 or a negative errno. */
int peers_load_key(const char *path, struct frame_key *);

/* The name of the stream to 'node' on 'port', "tcp:...", in malloc()ed
 * memory. */
char *peers_stream_name(const struct wire_node *node, uint16_t port);

#endif /* replica/peers.h */
