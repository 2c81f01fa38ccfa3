/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/netaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_BACKLOG 64

/* Splits off the port.  Returns it, or 0. */
static in_port_t
parse_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    int port = digits > 0 && digits < 6 && !text[digits] ? atoi(text) : 0;

    return port <= 65535 ? port : 0;
}

int
netaddr_parse(const char *text, struct sockaddr_storage *ret_addr,
              socklen_t *ret_n)
{
    const char *colon = strrchr(text, ':');
    in_port_t port = colon ? htons(parse_port(colon + 1)) : 0;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };
    char host[INET6_ADDRSTRLEN + 2];
    size_t n;

    if (!port || (size_t) (colon - text) >= sizeof host) {
        return -EINVAL;
    }
    n = colon - text;
    memcpy(host, text, n);
    host[n] = '\0';
    memset(ret_addr, 0, sizeof *ret_addr);
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        memcpy(ret_addr, &in, sizeof in);
        *ret_n = sizeof in;
        return 0;
    }
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &in6.sin6_addr) == 1) {
            memcpy(ret_addr, &in6, sizeof in6);
            *ret_n = sizeof in6;
            return 0;
        }
    }
    return -EINVAL;
}

bool
netaddr_is_loopback(const struct sockaddr_storage *addr)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *) addr;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) addr;

    return addr->ss_family == AF_INET
               ? ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
               : IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

int
netaddr_listen(const char *text)
{
    struct sockaddr_storage addr;
    int fd, error, one = 1;
    socklen_t n;

    error = netaddr_parse(text, &addr, &n);
    if (error) {
        return error;
    }
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one)
        || bind(fd, (struct sockaddr *) &addr, n)
        || listen(fd, LISTEN_BACKLOG)) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}
