/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/sup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "lib/log.h"

int
sup_init(struct sup *s, const char *path, mono_t now)
{
    memset(s, 0, sizeof *s);
    s->fd = s->pidfd = -1;
    s->heard = s->left = now;
    s->listen_fd = seq_listen(path);
    return s->listen_fd < 0 ? s->listen_fd : 0;
}

static void
drop(struct sup *s, mono_t now)
{
    if (s->fd >= 0) {
        close(s->fd);
        s->left = now;
    }
    if (s->pidfd >= 0) {
        close(s->pidfd);
    }
    s->fd = s->pidfd = -1;
    s->pid = 0;
}

void
sup_close(struct sup *s)
{
    drop(s, s->left);
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        s->listen_fd = -1;
    }
}

unsigned int
sup_poll(const struct sup *s, struct pollfd pfds[])
{
    unsigned int n = 0;

    pfds[n++] = (struct pollfd){ s->listen_fd, POLLIN, 0 };
    if (s->fd >= 0) {
        pfds[n++] = (struct pollfd){ s->fd, POLLIN, 0 };
    }
    return n;
}

bool
sup_accept(struct sup *s, mono_t now)
{
    pid_t pid = 0;
    uid_t uid = -1;
    gid_t gid;
    int fd = seq_accept(s->listen_fd);

    if (fd < 0) {
        return false;
    }
    if (seq_peer(fd, &pid, &uid, &gid) || (uid && uid != geteuid())) {
        ha_log(HA_LOG_WARN, "worker", "refused a connection of user %d",
               (int) uid);
        close(fd);
        return false;
    }
    if (s->fd >= 0) {
        ha_log(HA_LOG_WARN, "worker", "supervisor %d takes over from %d",
               (int) pid, (int) s->pid);
        drop(s, now);
    } else {
        ha_log(HA_LOG_INFO, "worker", "supervisor %d is here", (int) pid);
    }
    s->fd = fd;
    s->pid = pid;
    s->pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    s->heard = now;
    return true;
}

int
sup_recv(struct sup *s, mono_t now, uint16_t *ret_type,
         union sup_body *ret_body)
{
    struct wire_hdr hdr;
    ssize_t n;

    if (s->fd < 0) {
        return -EAGAIN;
    }
    n = seq_recv(s->fd, s->buf, sizeof s->buf);
    if (n == -EAGAIN) {
        return -EAGAIN;
    } else if (n < 0 && n != -EMSGSIZE) {
        ha_log(HA_LOG_WARN, "worker", "supervisor %d is gone", (int) s->pid);
        drop(s, now);
        return -EPIPE;
    }
    s->heard = now;
    if (n < (ssize_t) sizeof hdr) {
        return -EBADMSG;
    }
    memcpy(&hdr, s->buf, sizeof hdr);
    n -= sizeof hdr;
    if (hdr.version != WIRE_VERSION || hdr.len != n) {
        return -EBADMSG;
    }
    memset(ret_body, 0, sizeof *ret_body);
    memcpy(ret_body, s->buf + sizeof hdr,
           n < (ssize_t) sizeof *ret_body ? (size_t) n : sizeof *ret_body);
    *ret_type = hdr.type;
    return 0;
}

int
sup_send(struct sup *s, uint16_t type, const void *body, size_t n, mono_t now)
{
    char buf[sizeof(struct wire_hdr) + sizeof(struct wire_a_state)];
    struct wire_hdr hdr = { WIRE_VERSION, type, n };
    int error;

    if (s->fd < 0) {
        return -ENOTCONN;
    }
    memcpy(buf, &hdr, sizeof hdr);
    memcpy(buf + sizeof hdr, body, n);
    error = seq_send(s->fd, buf, sizeof hdr + n);
    if (error && error != -EAGAIN) {
        ha_log(HA_LOG_WARN, "worker", "supervisor %d is gone: %s",
               (int) s->pid, strerror(-error));
        drop(s, now);
    }
    return error;
}

void
sup_kill(struct sup *s, mono_t now)
{
    ha_log(HA_LOG_ERR, "worker", "killing supervisor %d: it is silent",
           (int) s->pid);
    if (s->pidfd >= 0) {
        pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
    }
    drop(s, now);
}
