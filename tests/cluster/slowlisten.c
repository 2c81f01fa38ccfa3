/* SPDX-License-Identifier: Apache-2.0 */

/* A library to preload into an ovsdb-server that a busy machine keeps from
 * listening for a while after it was told to.  Test code only. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATE_US 300000

int
listen(int fd, int backlog)
{
    int (*next)(int, int) = (int (*)(int, int)) dlsym(RTLD_NEXT, "listen");

    usleep(LATE_US);
    return next(fd, backlog);
}
