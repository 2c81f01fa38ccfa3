/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/wires.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES_A_TURN 256 /* Of each socket. */

void
wires_init(struct wires *w)
{
    *w = (struct wires){ .arp_fd = -1, .nd_fd = -1 };
}

void
wires_close(struct wires *w)
{
    if (w->arp_fd >= 0) {
        close(w->arp_fd);
    }
    if (w->nd_fd >= 0) {
        close(w->nd_fd);
    }
    w->arp_fd = w->nd_fd = -1;
}

/* Of all IPv6 packets only the two that matter wake the process. */
static int
filter_nd(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20), /* Next header. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54), /* Type. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, ~0U),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof program)
               ? -errno
               : 0;
}

/* Opens a socket for one kind of frames.  The filter comes before the
 * first. */
static int
open_one(int index, uint16_t ethertype)
{
    struct sockaddr_ll addr = { .sll_family = AF_PACKET,
                                .sll_protocol = htons(ethertype),
                                .sll_ifindex = index };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? -errno : 0;

    if (!error && ethertype == ETHERTYPE_IPV6) {
        error = filter_nd(fd);
    }
    if (!error && bind(fd, (struct sockaddr *) &addr, sizeof addr)) {
        error = -errno;
    }
    if (error && fd >= 0) {
        close(fd);
    }
    return error ? error : fd;
}

int
wires_open(struct wires *w, int index, const struct neighbor_mac *self)
{
    int error = 0;

    if (w->arp_fd >= 0 && w->index == index
        && !memcmp(&w->self, self, sizeof *self)) {
        return 0;
    }
    wires_close(w);
    w->index = index;
    w->self = *self;
    w->arp_fd = open_one(index, ETHERTYPE_ARP);
    w->nd_fd = open_one(index, ETHERTYPE_IPV6);
    if (w->arp_fd < 0 || w->nd_fd < 0) {
        error = w->arp_fd < 0 ? w->arp_fd : w->nd_fd;
        wires_close(w);
    }
    return error;
}

static int
send_frame(const struct wires *w, const struct wire_address *a,
           const uint8_t *frame, size_t n)
{
    int fd = a->family == AF_INET ? w->arp_fd : w->nd_fd;

    return send(fd, frame, n, 0) < 0 ? -errno : 0;
}

int
wires_probe(const struct wires *w, const struct wire_address *a)
{
    uint8_t frame[NEIGHBOR_FRAME_MAX];

    return send_frame(w, a, frame, neighbor_make_probe(a, &w->self, frame));
}

void
wires_announce(const struct wires *w, const struct wire_address *a)
{
    uint8_t frame[NEIGHBOR_FRAME_MAX];

    /* Some listen to requests only, and some to replies. */
    for (int reply = 0; reply < 2; reply++) {
        send_frame(w, a, frame,
                   neighbor_make_announcement(a, &w->self, reply, frame));
    }
}

/* Looks at one frame. */
static enum neighbor_claim
judge(const struct wires *w, const uint8_t *frame, size_t n,
      const struct wire_address list[], uint32_t n_list,
      const struct wire_address **ret_address, struct neighbor_mac *ret_mac)
{
    for (uint32_t i = 0; i < n_list; i++) {
        enum neighbor_claim claim = neighbor_read(frame, n, &list[i], ret_mac);

        /* A switch may send our own words back to us. */
        if (claim != NEIGHBOR_NONE
            && memcmp(ret_mac, &w->self, sizeof *ret_mac)) {
            *ret_address = &list[i];
            return claim;
        }
    }
    return NEIGHBOR_NONE;
}

enum neighbor_claim
wires_read(const struct wires *w, const struct wire_address list[],
           uint32_t n_list, const struct wire_address **ret_address,
           struct neighbor_mac *ret_mac)
{
    const int fds[] = { w->arp_fd, w->nd_fd };
    uint8_t frame[NEIGHBOR_FRAME_MAX];

    for (int i = 0; i < 2; i++) {
        for (int j = 0; fds[i] >= 0 && j < FRAMES_A_TURN; j++) {
            ssize_t n = recv(fds[i], frame, sizeof frame, 0);
            enum neighbor_claim claim;

            if (n < 0) {
                break;
            }
            claim = judge(w, frame, n, list, n_list, ret_address, ret_mac);
            if (claim != NEIGHBOR_NONE) {
                return claim;
            }
        }
    }
    return NEIGHBOR_NONE;
}

unsigned int
wires_poll(const struct wires *w, struct pollfd pfds[])
{
    if (w->arp_fd < 0) {
        return 0;
    }
    pfds[0] = (struct pollfd){ w->arp_fd, POLLIN, 0 };
    pfds[1] = (struct pollfd){ w->nd_fd, POLLIN, 0 };
    return 2;
}
