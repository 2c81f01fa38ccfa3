/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/netaddr.h"

#define UNFIT_MS 1000 /* An interface may be down for less. */
#define LOOKS 10      /* While others change addresses all the time. */

void
place_init(struct place *p)
{
    *p = (struct place){ .looked = MONO_MIN, .bad_since = MONO_NEVER };
}

void
place_set(struct place *p, const struct wire_addresses *want)
{
    p->want = *want;
    p->n_found = 0;
    p->looked = MONO_MIN;
    p->was_fit = p->unfit = false;
    p->bad_since = MONO_NEVER;
}

static bool
is_same(const struct wire_address *a, const struct wire_address *b)
{
    return a->family == b->family
           && !memcmp(a->bytes, b->bytes, netaddr_len(a->family));
}

/* True if 'other' is of the network of 'a'. */
static bool
is_network_of(const struct wire_address *a, const struct wire_address *other)
{
    unsigned int whole = a->prefix / 8, rest = a->prefix % 8;

    return a->family == other->family && !memcmp(a->bytes, other->bytes, whole)
           && (!rest
               || !((a->bytes[whole] ^ other->bytes[whole]) >> (8 - rest)));
}

/* An address that is wanted.  We give none without a lifetime: that may be a
 * node's own one.  But where one was added to the network of another, it is
 * taken over with the clients that use it. */
static void
mark_ours(struct place *p, uint32_t i, const struct rtnl_address *it,
          bool here)
{
    const struct wire_address *a = &it->address;
    bool right = here && a->prefix == p->want.address[i].prefix;

    if (it->forever && right && (it->second || a->family == AF_INET6)) {
        p->given[i] = p->held[i] = true;
    } else if (it->forever) {
        p->strange[i] = it->index;
    } else {
        p->held[i] |= right;
        if (p->n_found < PLACE_MAX_FOUND) {
            p->found[p->n_found++] = (struct place_found){ it->index, *a };
        }
    }
}

static void
mark(void *p_, const struct rtnl_address *it)
{
    const struct wire_address *a = &it->address;
    struct place *p = p_;
    const struct wire_addresses *c = &p->want;
    bool here = !p->link_error && it->index == p->link.index;

    for (uint32_t i = 0; i < c->n; i++) {
        if (is_same(&c->address[i], a)) {
            mark_ours(p, i, it, here);
            return;
        }
    }
    for (uint32_t i = 0; i < c->n; i++) {
        p->covered[i] |= here && is_network_of(&c->address[i], a);
    }
}

static int
look(struct place *p)
{
    int error = p->rtnl ? 0 : rtnl_create(&p->rtnl);

    p->n_found = 0;
    memset(p->given, 0, sizeof p->given);
    memset(p->strange, 0, sizeof p->strange);
    memset(p->held, 0, sizeof p->held);
    memset(p->covered, 0, sizeof p->covered);
    if (error) {
        return error;
    }
    p->link_error = rtnl_get_link(p->rtnl, p->want.interface, &p->link);
    error = rtnl_each_address(p->rtnl, mark, p);
    if (error) {
        /* The rest of an answer may be waiting. */
        rtnl_destroy(p->rtnl);
        p->rtnl = NULL;
    }
    return error;
}

int
place_look(struct place *p, mono_t now)
{
    int error = -EINTR;

    p->looked = now;
    for (int i = 0; i < LOOKS && error == -EINTR; i++) {
        error = look(p);
    }
    return error;
}

static const char *
print(const struct wire_address *a, char buf[INET6_ADDRSTRLEN])
{
    inet_ntop(a->family, a->bytes, buf, INET6_ADDRSTRLEN);
    return buf;
}

/* True if an address takes part in a network, of which the interface has to
 * have another address: the kernel counts an IPv4 one that came first as the
 * network's, and takes all others off with it; an IPv6 one brings no route. */
static bool
needs_cover(const struct wire_address *a)
{
    return a->prefix < 8 * netaddr_len(a->family);
}

/* Why the interface cannot have them; "". */
static void
find_fault(const struct place *p, char why[WIRE_WHY_LEN])
{
    const struct wire_addresses *c = &p->want;
    char text[INET6_ADDRSTRLEN];

    why[0] = '\0';
    if (p->link_error) {
        snprintf(why, WIRE_WHY_LEN, "interface %s: %s", c->interface,
                 p->link_error == -ENODEV ? "there is none of that name"
                                          : strerror(-p->link_error));
    } else if (!p->link.ethernet) {
        snprintf(why, WIRE_WHY_LEN, "interface %s is not Ethernet",
                 c->interface);
    } else if (!p->link.up) {
        snprintf(why, WIRE_WHY_LEN, "interface %s is down", c->interface);
    }
    for (uint32_t i = 0; i < c->n && !why[0]; i++) {
        char name[IF_NAMESIZE];

        if (p->strange[i] && !p->held[i]) {
            snprintf(why, WIRE_WHY_LEN,
                     "%s is an address of this node, on %s: give another one, "
                     "or remove it there",
                     print(&c->address[i], text),
                     if_indextoname(p->strange[i], name) ? name : "?");
        } else if (needs_cover(&c->address[i]) && !p->covered[i]) {
            snprintf(why, WIRE_WHY_LEN,
                     "interface %s has no other address in the network of "
                     "%s/%u",
                     c->interface, print(&c->address[i], text),
                     c->address[i].prefix);
        }
    }
}

/* What is bad for a moment only is no reason to move the active role. */
void
place_judge(struct place *p, char why[WIRE_WHY_LEN], mono_t now)
{
    find_fault(p, why);
    if (!why[0]) {
        p->was_fit = true;
        p->unfit = false;
        p->bad_since = MONO_NEVER;
        return;
    }
    if (p->bad_since.us == MONO_NEVER.us) {
        p->bad_since = now;
    }
    p->unfit =
        !p->was_fit || !mono_before(now, mono_add_ms(p->bad_since, UNFIT_MS));
}

/* ---- Changing --------------------------------------------------------- */

int
place_take(struct place *p, uint32_t valid_s)
{
    const struct wire_addresses *c = &p->want;
    int error = 0;

    for (uint32_t i = 0; i < c->n && !error; i++) {
        error =
            rtnl_set_address(p->rtnl, p->link.index, &c->address[i], valid_s);
    }
    return error;
}

int
place_leave(struct place *p)
{
    char text[INET6_ADDRSTRLEN];
    int error = 0;

    for (unsigned int i = 0; i < p->n_found; i++) {
        const struct wire_address *a = &p->found[i].address;
        int rc;

        ha_log(HA_LOG_INFO, "address", "leaving %s/%u", print(a, text),
               a->prefix);
        rc = rtnl_del_address(p->rtnl, p->found[i].index, a);
        error = error ? error : rc;
    }
    return error;
}
