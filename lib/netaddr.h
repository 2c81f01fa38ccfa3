/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_NETADDR_H
#define HA_LIB_NETADDR_H 1

/* Addresses and ports as they are written in the configuration, and TCP
 * sockets that listen on them.
 *
 * Numbers only: the loop never waits for a name server. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Parses "192.0.2.1:6664" or "[2001:db8::1]:6664".  Returns 0 or -EINVAL. */
int netaddr_parse(const char *text, struct sockaddr_storage *ret_addr,
                  socklen_t *ret_n);

/* True if only this machine can connect to that address. */
bool netaddr_is_loopback(const struct sockaddr_storage *addr);

/* An address and the length of its network's prefix. */
struct netaddr_prefix {
    int family;        /* AF_INET or AF_INET6. */
    unsigned int bits; /* Of the prefix. */
    uint8_t bytes[16]; /* The address in network order; 4 for AF_INET. */
};

/* Bytes of an address of that family. */
static inline size_t
netaddr_len(int family)
{
    return family == AF_INET ? 4 : 16;
}

/* Parses the 'n' characters of "192.0.2.10/24" or "2001:db8::10/64".  Returns
 * NULL, or what is wrong with it, to be put behind "it ". */
const char *netaddr_parse_prefix(const char *text, size_t n,
                                 struct netaddr_prefix *ret_prefix);

/* Opens a TCP socket, nonblocking and close-on-exec, that listens on the
 * address in 'text'.  Returns a descriptor or a negative errno. */
int netaddr_listen(const char *text);

#endif /* HA_LIB_NETADDR_H */
