/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/peers.h"

#include <arpa/inet.h>
#include <string.h>

#include "stream.h"
#include "util.h"

#include "lib/tls.h"

static bool
same_address(const struct sockaddr_storage *a,
             const struct sockaddr_storage *b)
{
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *) a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *) b;
    const struct sockaddr_in *a4 = (const struct sockaddr_in *) a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *) b;

    if (a->ss_family != b->ss_family) {
        return false;
    }
    return a->ss_family == AF_INET
               ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
               : !memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr);
}

bool
peers_allow(const struct peers *peers, const char *name, uint32_t id,
            const struct tls_session *tls)
{
    struct sockaddr_storage ss;

    if (!stream_parse_target_with_default_port(name, 1, &ss)) {
        return false;
    }
    for (uint32_t i = 0; i < peers->n; i++) {
        const struct wire_node *node = &peers->nodes[i];

        if ((!id || node->id == id) && same_address(&node->addr, &ss)
            && (!tls
                || tls_session_is_of(tls, peers->names[i],
                                     (const struct sockaddr *) &ss))) {
            return true;
        }
    }
    return false;
}

int
peers_load_key(const char *path, struct frame_key *key)
{
    int error;

    memset(key, 0, sizeof *key);
    error = path ? hmac_key_load(&key->key, path, "replication 1") : 0;
    key->present = path && !error;
    return error;
}

char *
peers_stream_name(const struct wire_node *node, uint16_t port)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) &node->addr;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *) &node->addr;
    bool v6 = node->addr.ss_family == AF_INET6;
    char text[INET6_ADDRSTRLEN];

    inet_ntop(v6 ? AF_INET6 : AF_INET,
              v6 ? (const void *) &in6->sin6_addr
                 : (const void *) &in4->sin_addr,
              text, sizeof text);
    return xasprintf("tcp:%s%s%s:%d", v6 ? "[" : "", text, v6 ? "]" : "",
                     port);
}
