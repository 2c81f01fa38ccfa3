/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_RTNL_H
#define FENCE_RTNL_H 1

/* libmnl and rtnetlink: what interfaces are there and what addresses they
 * have, and adding and removing of these.
 *
 * The only place that knows the library.  Used by fence/address-child alone,
 * because every call waits: for the kernel, and there for whoever else is
 * changing addresses or routes. */

#include <stdbool.h>
#include <stdint.h>

#include "fence/neighbor.h"
#include "lib/wire.h"

struct rtnl;

/* Returns 0 or a negative errno. */
int rtnl_create(struct rtnl **);
void rtnl_destroy(struct rtnl *);

struct rtnl_link {
    int index;
    bool ethernet;
    bool up; /* Switched on, and with a carrier. */
    struct neighbor_mac mac;
};

/* Looks at an interface.  Returns 0, -ENODEV if there is none of that name,
 * or another negative errno. */
int rtnl_get_link(struct rtnl *, const char *name, struct rtnl_link *ret_link);

struct rtnl_address {
    int index;    /* Of its interface. */
    bool forever; /* It has no lifetime. */
    bool second;  /* IPv4: another one of its network was there before. */
    struct wire_address address;
};

/* Called for each address of the machine. */
typedef void rtnl_address_func(void *aux, const struct rtnl_address *);

/* Returns 0 or a negative errno; -EINTR if they changed meanwhile, so that
 * some may have been left out: then it is to be called again. */
int rtnl_each_address(struct rtnl *, rtnl_address_func *, void *aux);

/* Puts an address on an interface, or renews it: the kernel takes it off by
 * itself after 'valid_s' seconds.  It is used at once, without the kernel's
 * own duplicate address detection; an IPv6 one brings no route, and no
 * connection that this machine begins prefers it.  Returns 0 or a negative
 * errno. */
int rtnl_set_address(struct rtnl *, int index, const struct wire_address *,
                     uint32_t valid_s);

/* Returns 0, also if it was not there, or another negative errno. */
int rtnl_del_address(struct rtnl *, int index, const struct wire_address *);

#endif /* fence/rtnl.h */
