/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NB_PORT 6641
#define SB_PORT 6642

struct listener {
    uint32_t inode;
    uint16_t port;
};

struct listeners {
    struct listener all[PORTS_MAX_LISTENERS];
    unsigned int n;
};

void
ports_init(struct ports *p)
{
    memset(p, 0, sizeof *p);
    p->fd = -1;
    p->port[p->n++] = NB_PORT;
    p->port[p->n++] = SB_PORT;
}

void
ports_close(struct ports *p)
{
    if (p->fd >= 0) {
        close(p->fd);
        p->fd = -1;
    }
}

/* ---- What listens on this machine ------------------------------------ */

static int
ask(int fd, int family)
{
    struct {
        struct nlmsghdr nlh;
        struct inet_diag_req_v2 req;
    } msg = {
        .nlh = { .nlmsg_len = sizeof msg,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .req = { .sdiag_family = family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = 1 << TCP_LISTEN },
    };

    return send(fd, &msg, sizeof msg, 0) < 0 ? -errno : 0;
}

/* Takes one message.  Returns 0, 1 if it was the last, or a negative errno. */
static int
take(const struct nlmsghdr *nlh, struct listeners *l)
{
    const struct inet_diag_msg *d = NLMSG_DATA(nlh);
    const struct nlmsgerr *e = NLMSG_DATA(nlh);

    if (nlh->nlmsg_type == NLMSG_DONE) {
        return 1;
    } else if (nlh->nlmsg_type == NLMSG_ERROR) {
        return e->error ? e->error : -EIO;
    } else if (l->n >= PORTS_MAX_LISTENERS) {
        return -E2BIG;
    }
    l->all[l->n++] = (struct listener){ .inode = d->idiag_inode,
                                        .port = ntohs(d->id.idiag_sport) };
    return 0;
}

/* Appends all listeners of one address family. */
static int
dump(int fd, int family, struct listeners *l)
{
    char buf[16384] __attribute__((aligned(8)));
    int rc = ask(fd, family);

    while (!rc) {
        ssize_t len = recv(fd, buf, sizeof buf, 0);
        const struct nlmsghdr *nlh = (const void *) buf;

        if (len < 0) {
            return -errno;
        }
        for (; !rc && NLMSG_OK(nlh, len); nlh = NLMSG_NEXT(nlh, len)) {
            rc = take(nlh, l);
        }
    }
    return rc < 0 ? rc : 0;
}

static int
find_listeners(struct ports *p, struct listeners *l)
{
    int error;

    if (p->fd < 0) {
        p->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (p->fd < 0) {
            return -errno;
        }
    }
    l->n = 0;
    error = dump(p->fd, AF_INET, l);
    if (!error) {
        error = dump(p->fd, AF_INET6, l);
    }
    if (error) {
        ports_close(p); /* The rest of an answer may be waiting. */
    }
    return error;
}

/* ---- Whose they are -------------------------------------------------- */

static void
add_port(struct ports *p, uint16_t port)
{
    for (unsigned int i = 0; i < p->n; i++) {
        if (p->port[i] == port) {
            return;
        }
    }
    if (p->n < PORTS_MAX) {
        p->port[p->n++] = port;
    }
}

/* Adds the port of socket 'inode', if it listens. */
static void
add_inode(struct ports *p, const struct listeners *l, uint32_t inode)
{
    for (unsigned int i = 0; i < l->n; i++) {
        if (l->all[i].inode == inode) {
            add_port(p, l->all[i].port);
        }
    }
}

static void
look_at_process(struct ports *p, const struct listeners *l, pid_t pid)
{
    char path[64], target[64];
    struct dirent *entry;
    uint32_t inode;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int) pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        ssize_t n =
            readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);

        target[n > 0 ? n : 0] = '\0';
        if (sscanf(target, "socket:[%u]", &inode) == 1) {
            add_inode(p, l, inode);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static bool
was_seen(const struct ports *p, uint32_t inode)
{
    for (unsigned int i = 0; i < p->n_seen; i++) {
        if (p->seen[i] == inode) {
            return true;
        }
    }
    return false;
}

int
ports_look(struct ports *p, const pid_t pids[HA_N_DBS])
{
    static struct listeners l; /* Too large for the stack. */
    int error = find_listeners(p, &l);
    bool is_new = memcmp(p->pids, pids, sizeof p->pids);

    if (error) {
        return error;
    }
    for (unsigned int i = 0; i < l.n; i++) {
        is_new = is_new || !was_seen(p, l.all[i].inode);
    }
    if (!is_new) {
        return 0;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        if (pids[db] > 0) {
            look_at_process(p, &l, pids[db]);
        }
    }
    memcpy(p->pids, pids, sizeof p->pids);
    for (p->n_seen = 0; p->n_seen < l.n; p->n_seen++) {
        p->seen[p->n_seen] = l.all[p->n_seen].inode;
    }
    return 0;
}
