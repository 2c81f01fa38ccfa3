/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/seq.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "lib/unixpath.h"

int
seq_listen(const char *path)
{
    return unixpath_listen(path, SOCK_SEQPACKET);
}

int
seq_connect(const char *path)
{
    return unixpath_connect(path, SOCK_SEQPACKET);
}

int
seq_accept(int listen_fd)
{
    return unixpath_accept(listen_fd);
}

int
seq_pair(int ret_fds[2])
{
    int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

    return socketpair(AF_UNIX, type, 0, ret_fds) ? -errno : 0;
}

int
seq_send(int fd, const void *msg, size_t n)
{
    ssize_t sent;

    assert(n > 0 && n <= SEQ_MSG_MAX);
    do {
        sent = send(fd, msg, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return -errno;
    }
    assert((size_t) sent == n);
    return 0;
}

ssize_t
seq_recv(int fd, void *buf, size_t size)
{
    ssize_t n;

    do {
        n = recv(fd, buf, size, MSG_DONTWAIT | MSG_TRUNC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return -errno;
    } else if (!n) {
        return -EPIPE;
    }
    return (size_t) n > size ? -EMSGSIZE : n;
}

int
seq_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
        return -errno;
    }
    *ret_pid = cred.pid;
    *ret_uid = cred.uid;
    *ret_gid = cred.gid;
    return 0;
}
