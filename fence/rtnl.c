/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/netaddr.h"
#include "lib/xalloc.h"

#define BUFFER_SIZE 16384 /* Of answers: more than a page, however large. */

struct rtnl {
    struct mnl_socket *socket;
    unsigned int port, seq;
    char buf[BUFFER_SIZE];
};

int
rtnl_create(struct rtnl **ret_rtnl)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    if (!socket) {
        return -errno;
    }
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int error = -errno;

        mnl_socket_close(socket);
        return error;
    }
    *ret_rtnl = ha_calloc(1, sizeof **ret_rtnl);
    (*ret_rtnl)->socket = socket;
    (*ret_rtnl)->port = mnl_socket_get_portid(socket);
    return 0;
}

void
rtnl_destroy(struct rtnl *r)
{
    if (r) {
        mnl_socket_close(r->socket);
        free(r);
    }
}

/* ---- Requests -------------------------------------------------------- */

static struct nlmsghdr *
begin(struct rtnl *r, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(r->buf);

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = ++r->seq;
    return nlh;
}

/* Sends the request and takes all of its answers.  Returns 0 or a negative
 * errno. */
static int
run(struct rtnl *r, const struct nlmsghdr *nlh, mnl_cb_t take, void *aux)
{
    int rc = mnl_socket_sendto(r->socket, nlh, nlh->nlmsg_len);

    while (rc >= 0) {
        ssize_t n = mnl_socket_recvfrom(r->socket, r->buf, sizeof r->buf);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        rc = n < 0 ? -1 : mnl_cb_run(r->buf, n, r->seq, r->port, take, aux);
        if (rc == MNL_CB_STOP) {
            return 0;
        }
    }
    return -errno;
}

/* ---- Interfaces ------------------------------------------------------ */

static int
take_link(const struct nlmsghdr *nlh, void *link_)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    struct rtnl_link *link = link_;
    const struct nlattr *attr;

    link->index = ifi->ifi_index;
    link->ethernet = ifi->ifi_type == ARPHRD_ETHER;
    link->up = (ifi->ifi_flags & IFF_UP) && (ifi->ifi_flags & IFF_RUNNING);
    mnl_attr_for_each(attr, nlh, sizeof *ifi)
    {
        if (mnl_attr_get_type(attr) == IFLA_ADDRESS
            && mnl_attr_get_payload_len(attr) == sizeof link->mac) {
            memcpy(&link->mac, mnl_attr_get_payload(attr), sizeof link->mac);
        }
    }
    return MNL_CB_OK;
}

int
rtnl_get_link(struct rtnl *r, const char *name, struct rtnl_link *ret_link)
{
    struct nlmsghdr *nlh = begin(r, RTM_GETLINK, NLM_F_ACK);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof *ifi);
    struct rtnl_link link = { .index = 0 };
    int error;

    ifi->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
    error = run(r, nlh, take_link, &link);
    if (!error) {
        *ret_link = link;
    }
    return error;
}

/* ---- Addresses ------------------------------------------------------- */

struct each {
    rtnl_address_func *func;
    void *aux;
};

static int
take_address(const struct nlmsghdr *nlh, void *each_)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
    struct rtnl_address a = {
        .index = ifa->ifa_index,
        .forever = ifa->ifa_flags & IFA_F_PERMANENT,
        .second =
            ifa->ifa_family == AF_INET && (ifa->ifa_flags & IFA_F_SECONDARY),
        .address = { .family = ifa->ifa_family, .prefix = ifa->ifa_prefixlen },
    };
    int family = ifa->ifa_family;
    const struct nlattr *attr, *address = NULL, *local = NULL;
    struct each *each = each_;

    mnl_attr_for_each(attr, nlh, sizeof *ifa)
    {
        if (mnl_attr_get_type(attr) == IFA_ADDRESS) {
            address = attr;
        } else if (mnl_attr_get_type(attr) == IFA_LOCAL) {
            local = attr;
        }
    }
    /* They differ where a link has two ends. */
    address = local ? local : address;
    if ((family == AF_INET || family == AF_INET6) && address
        && mnl_attr_get_payload_len(address) == netaddr_len(family)) {
        memcpy(a.address.bytes, mnl_attr_get_payload(address),
               netaddr_len(family));
        each->func(each->aux, &a);
    }
    return MNL_CB_OK;
}

int
rtnl_each_address(struct rtnl *r, rtnl_address_func *func, void *aux)
{
    struct nlmsghdr *nlh = begin(r, RTM_GETADDR, NLM_F_DUMP);
    struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof *ifa);
    struct each each = { func, aux };

    ifa->ifa_family = AF_UNSPEC;
    return run(r, nlh, take_address, &each);
}

static struct nlmsghdr *
begin_change(struct rtnl *r, uint16_t type, uint16_t flags, int index,
             const struct wire_address *a)
{
    struct nlmsghdr *nlh = begin(r, type, NLM_F_ACK | flags);
    struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof *ifa);

    ifa->ifa_family = a->family;
    ifa->ifa_prefixlen = a->prefix;
    ifa->ifa_index = index;
    ifa->ifa_scope = RT_SCOPE_UNIVERSE;
    mnl_attr_put(nlh, IFA_LOCAL, netaddr_len(a->family), a->bytes);
    mnl_attr_put(nlh, IFA_ADDRESS, netaddr_len(a->family), a->bytes);
    return nlh;
}

int
rtnl_set_address(struct rtnl *r, int index, const struct wire_address *a,
                 uint32_t valid_s)
{
    struct nlmsghdr *nlh =
        begin_change(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, a);
    struct ifa_cacheinfo life = { .ifa_valid = valid_s,
                                  .ifa_prefered = valid_s };

    if (a->family == AF_INET6) {
        /* A route of its own would take that of the network along when it
         * ends. */
        mnl_attr_put_u32(nlh, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
        life.ifa_prefered = 0;
    }
    mnl_attr_put(nlh, IFA_CACHEINFO, sizeof life, &life);
    return run(r, nlh, NULL, NULL);
}

int
rtnl_del_address(struct rtnl *r, int index, const struct wire_address *a)
{
    int error = run(r, begin_change(r, RTM_DELADDR, 0, index, a), NULL, NULL);

    return error == -EADDRNOTAVAIL || error == -ENODEV ? 0 : error;
}
