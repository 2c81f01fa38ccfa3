/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/neighbor.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <string.h>

#define HOPS 255 /* Neighbors only: no router lets it pass. */

struct arp_frame {
    struct ether_header eth;
    struct ether_arp arp;
} __attribute__((packed));

/* Solicitation and advertisement look alike; the option is an advertisement's
 * "target link-layer address". */
struct nd_frame {
    struct ether_header eth;
    struct ip6_hdr ip;
    struct nd_neighbor_advert nd;
    struct nd_opt_hdr option;
    uint8_t option_mac[NEIGHBOR_MAC_LEN];
} __attribute__((packed));

#define SOLICITATION_LEN offsetof(struct nd_frame, option)

static const uint8_t everyone[NEIGHBOR_MAC_LEN] = { 255, 255, 255,
                                                    255, 255, 255 };
static const uint8_t no_one[NEIGHBOR_MAC_LEN];
static const uint8_t no_address[16];
static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };

/* ---- ARP ------------------------------------------------------------- */

static size_t
make_arp(const struct neighbor_mac *self, uint16_t op, const uint8_t sender[4],
         const uint8_t target[4], uint8_t frame[NEIGHBOR_FRAME_MAX])
{
    struct arp_frame f = {
        .eth.ether_type = htons(ETHERTYPE_ARP),
        .arp.ea_hdr = { .ar_hrd = htons(ARPHRD_ETHER),
                        .ar_pro = htons(ETHERTYPE_IP),
                        .ar_hln = NEIGHBOR_MAC_LEN,
                        .ar_pln = 4,
                        .ar_op = htons(op) },
    };

    memcpy(f.eth.ether_dhost, everyone, NEIGHBOR_MAC_LEN);
    memcpy(f.eth.ether_shost, self, NEIGHBOR_MAC_LEN);
    memcpy(f.arp.arp_sha, self, NEIGHBOR_MAC_LEN);
    memcpy(f.arp.arp_spa, sender, 4);
    memcpy(f.arp.arp_tha, op == ARPOP_REPLY ? everyone : no_one,
           NEIGHBOR_MAC_LEN);
    memcpy(f.arp.arp_tpa, target, 4);
    memcpy(frame, &f, sizeof f);
    return sizeof f;
}

static enum neighbor_claim
read_arp(const uint8_t *frame, size_t n, const struct wire_address *a,
         struct neighbor_mac *ret_mac)
{
    struct arp_frame f;

    if (n < sizeof f) {
        return NEIGHBOR_NONE;
    }
    memcpy(&f, frame, sizeof f);
    if (f.arp.ea_hdr.ar_hrd != htons(ARPHRD_ETHER)
        || f.arp.ea_hdr.ar_pro != htons(ETHERTYPE_IP)
        || f.arp.ea_hdr.ar_hln != NEIGHBOR_MAC_LEN
        || f.arp.ea_hdr.ar_pln != 4) {
        return NEIGHBOR_NONE;
    }
    memcpy(ret_mac, f.arp.arp_sha, NEIGHBOR_MAC_LEN);
    if (!memcmp(f.arp.arp_spa, a->bytes, 4)) {
        return NEIGHBOR_HAS;
    }
    return f.arp.ea_hdr.ar_op == htons(ARPOP_REQUEST)
                   && !memcmp(f.arp.arp_spa, no_address, 4)
                   && !memcmp(f.arp.arp_tpa, a->bytes, 4)
               ? NEIGHBOR_ASKS
               : NEIGHBOR_NONE;
}

/* ---- Neighbor discovery ---------------------------------------------- */

static uint32_t
add_words(uint32_t sum, const void *data, size_t n)
{
    const uint8_t *p = data;

    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += (uint32_t) p[i] << 8 | p[i + 1];
    }
    return sum;
}

/* Of the ICMPv6 message of 'n' bytes, whose own sum is 0: RFC 4443. */
static uint16_t
checksum(const struct ip6_hdr *ip, const void *message, size_t n)
{
    uint32_t sum = n + IPPROTO_ICMPV6;

    sum = add_words(sum, &ip->ip6_src, sizeof ip->ip6_src);
    sum = add_words(sum, &ip->ip6_dst, sizeof ip->ip6_dst);
    sum = add_words(sum, message, n);
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons(~sum & 0xffff);
}

/* Fills in addresses, lengths and the sum. */
static size_t
make_nd(struct nd_frame *f, size_t n, const struct neighbor_mac *self,
        const uint8_t from[16], const uint8_t to[16],
        uint8_t frame[NEIGHBOR_FRAME_MAX])
{
    size_t len = n - sizeof f->eth - sizeof f->ip;
    struct ip6_hdr ip = { .ip6_flow = htonl(6U << 28),
                          .ip6_plen = htons(len),
                          .ip6_nxt = IPPROTO_ICMPV6,
                          .ip6_hlim = HOPS };

    memcpy(&ip.ip6_src, from, 16);
    memcpy(&ip.ip6_dst, to, 16);
    f->ip = ip;
    f->eth.ether_type = htons(ETHERTYPE_IPV6);
    f->eth.ether_dhost[0] = f->eth.ether_dhost[1] = 0x33;
    memcpy(f->eth.ether_dhost + 2, to + 12, 4);
    memcpy(f->eth.ether_shost, self, NEIGHBOR_MAC_LEN);
    f->nd.nd_na_hdr.icmp6_cksum = checksum(&ip, &f->nd, len);
    memcpy(frame, f, n);
    return n;
}

static size_t
make_solicitation(const uint8_t target[16], const struct neighbor_mac *self,
                  uint8_t frame[NEIGHBOR_FRAME_MAX])
{
    struct nd_frame f = { .nd.nd_na_hdr.icmp6_type = ND_NEIGHBOR_SOLICIT };
    uint8_t group[16] = { 0xff, 2, [11] = 1, [12] = 0xff };

    memcpy(group + 13, target + 13, 3);
    memcpy(&f.nd.nd_na_target, target, 16);
    return make_nd(&f, SOLICITATION_LEN, self, no_address, group, frame);
}

static size_t
make_advertisement(const uint8_t target[16], const struct neighbor_mac *self,
                   uint8_t frame[NEIGHBOR_FRAME_MAX])
{
    struct nd_frame f = {
        .nd.nd_na_hdr = { .icmp6_type = ND_NEIGHBOR_ADVERT },
        .option = { .nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1 },
    };

    f.nd.nd_na_hdr.icmp6_data32[0] = ND_NA_FLAG_OVERRIDE;
    memcpy(&f.nd.nd_na_target, target, 16);
    memcpy(f.option_mac, self, NEIGHBOR_MAC_LEN);
    return make_nd(&f, sizeof f, self, target, all_nodes, frame);
}

static enum neighbor_claim
read_nd(const uint8_t *frame, size_t n, const struct wire_address *a,
        struct neighbor_mac *ret_mac)
{
    struct nd_frame f;

    if (n < SOLICITATION_LEN) {
        return NEIGHBOR_NONE;
    }
    memset(&f, 0, sizeof f);
    memcpy(&f, frame, n < sizeof f ? n : sizeof f);
    if (f.ip.ip6_nxt != IPPROTO_ICMPV6 || f.ip.ip6_hlim != HOPS
        || f.nd.nd_na_hdr.icmp6_code
        || memcmp(&f.nd.nd_na_target, a->bytes, 16)) {
        return NEIGHBOR_NONE;
    }
    memcpy(ret_mac, f.eth.ether_shost, NEIGHBOR_MAC_LEN);
    if (f.nd.nd_na_hdr.icmp6_type == ND_NEIGHBOR_ADVERT) {
        return NEIGHBOR_HAS;
    }
    return f.nd.nd_na_hdr.icmp6_type == ND_NEIGHBOR_SOLICIT
                   && !memcmp(&f.ip.ip6_src, no_address, 16)
               ? NEIGHBOR_ASKS
               : NEIGHBOR_NONE;
}

/* ---- Both ------------------------------------------------------------ */

size_t
neighbor_make_probe(const struct wire_address *a,
                    const struct neighbor_mac *self,
                    uint8_t frame[NEIGHBOR_FRAME_MAX])
{
    return a->family == AF_INET
               ? make_arp(self, ARPOP_REQUEST, no_address, a->bytes, frame)
               : make_solicitation(a->bytes, self, frame);
}

size_t
neighbor_make_announcement(const struct wire_address *a,
                           const struct neighbor_mac *self, bool reply,
                           uint8_t frame[NEIGHBOR_FRAME_MAX])
{
    return a->family == AF_INET
               ? make_arp(self, reply ? ARPOP_REPLY : ARPOP_REQUEST, a->bytes,
                          a->bytes, frame)
               : make_advertisement(a->bytes, self, frame);
}

enum neighbor_claim
neighbor_read(const uint8_t *frame, size_t n, const struct wire_address *a,
              struct neighbor_mac *ret_mac)
{
    struct ether_header eth;

    if (n < sizeof eth) {
        return NEIGHBOR_NONE;
    }
    memcpy(&eth, frame, sizeof eth);
    if (a->family == AF_INET && eth.ether_type == htons(ETHERTYPE_ARP)) {
        return read_arp(frame, n, a, ret_mac);
    } else if (a->family == AF_INET6
               && eth.ether_type == htons(ETHERTYPE_IPV6)) {
        return read_nd(frame, n, a, ret_mac);
    }
    return NEIGHBOR_NONE;
}
