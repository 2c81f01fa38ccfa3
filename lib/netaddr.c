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

/* True if one host can have it, to be reached from others. */
static bool
is_unicast(const struct netaddr_prefix *p)
{
    const struct in6_addr *a = (const struct in6_addr *) p->bytes;

    if (p->family == AF_INET) {
        return p->bytes[0] && p->bytes[0] != IN_LOOPBACKNET
               && p->bytes[0] < 224;
    }
    return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_LOOPBACK(a)
           && !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_LINKLOCAL(a)
           && !IN6_IS_ADDR_V4MAPPED(a);
}

const char *
netaddr_parse_prefix(const char *text, size_t n,
                     struct netaddr_prefix *ret_prefix)
{
    struct netaddr_prefix p = { .family = AF_INET };
    char copy[INET6_ADDRSTRLEN + 4], *slash, *end;
    unsigned long bits;

    if (n >= sizeof copy) {
        return "is not an address in numbers";
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
    }
    if (strchr(copy, ':')) {
        p.family = AF_INET6;
    }
    if (inet_pton(p.family, copy, p.bytes) != 1) {
        return "is not an address in numbers";
    } else if (!slash) {
        return "lacks the length of its network's prefix, such as /24";
    }
    bits = strtoul(slash + 1, &end, 10);
    if (!strchr("0123456789", slash[1]) || *end || !bits
        || bits > 8 * netaddr_len(p.family)) {
        return "has no valid length of a prefix behind the slash";
    } else if (!is_unicast(&p)) {
        return "is not an address that one host can have in a network";
    }
    p.bits = bits;
    *ret_prefix = p;
    return NULL;
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
