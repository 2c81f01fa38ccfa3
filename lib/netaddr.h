/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_NETADDR_H
#define HA_LIB_NETADDR_H 1

/* Addresses and ports as they are written in the configuration, and TCP
 * sockets that listen on them.
 *
 * Numbers only: the loop never waits for a name server. */

#include <stdbool.h>
#include <sys/socket.h>

/* Parses "192.0.2.1:6664" or "[2001:db8::1]:6664".  Returns 0 or -EINVAL. */
int netaddr_parse(const char *text, struct sockaddr_storage *ret_addr,
                  socklen_t *ret_n);

/* True if only this machine can connect to that address. */
bool netaddr_is_loopback(const struct sockaddr_storage *addr);

/* Opens a TCP socket, nonblocking and close-on-exec, that listens on the
 * address in 'text'.  Returns a descriptor or a negative errno. */
int netaddr_listen(const char *text);

#endif /* HA_LIB_NETADDR_H */
