/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/unixpath.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 64

static int
open_socket(const char *path, int type, struct sockaddr_un *addr)
{
    int fd;

    *addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof addr->sun_path) {
        return -ENAMETOOLONG;
    }
    strcpy(addr->sun_path, path);
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

/* Removes a socket that a process before us left behind, but no other kind of
 * file. */
static int
remove_socket(const char *path)
{
    struct stat st;

    if (lstat(path, &st)) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return -EEXIST;
    }
    return unlink(path) && errno != ENOENT ? -errno : 0;
}

int
unixpath_listen(const char *path, int type)
{
    struct sockaddr_un addr;
    int fd, error;
    mode_t mask;

    fd = open_socket(path, type, &addr);
    if (fd < 0) {
        return fd;
    }
    error = remove_socket(path);
    if (error) {
        goto error;
    }
    mask = umask(0177);
    error = bind(fd, (struct sockaddr *) &addr, sizeof addr) ? -errno : 0;
    umask(mask);
    if (!error && listen(fd, LISTEN_BACKLOG)) {
        error = -errno;
        unlink(path);
    }
    if (error) {
        goto error;
    }
    return fd;

error:
    close(fd);
    return error;
}

int
unixpath_connect(const char *path, int type)
{
    struct sockaddr_un addr;
    int fd, error;

    fd = open_socket(path, type, &addr);
    if (fd < 0) {
        return fd;
    }
    if (connect(fd, (struct sockaddr *) &addr, sizeof addr)) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int
unixpath_accept(int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    return fd < 0 ? -errno : fd;
}
