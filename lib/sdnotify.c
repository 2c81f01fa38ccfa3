/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/sdnotify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int
sdnotify_send(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    socklen_t len;
    ssize_t sent;
    int fd, error;

    if (!n) {
        return 0;
    } else if ((*path != '/' && *path != '@') || n >= sizeof addr.sun_path) {
        return -EINVAL;
    }
    memcpy(addr.sun_path, path, n);
    if (*path == '@') {
        addr.sun_path[0] = '\0'; /* In the abstract name space. */
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    len = offsetof(struct sockaddr_un, sun_path) + n;
    sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                  (struct sockaddr *) &addr, len);
    error = sent < 0 ? -errno : 0;
    close(fd);
    return error;
}
