/* SPDX-License-Identifier: Apache-2.0 */

/* A library to preload into an ovsdb-server that a busy machine keeps from
 * listening for a while after it was told to.  Test code only. */

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATE_US 300000

int
listen(int fd, int backlog)
{
    int (*next)(int, int) = (int (*)(int, int)) dlsym(RTLD_NEXT, "listen");

    if (!strcmp(program_invocation_short_name, "ovsdb-server")) {
        usleep(LATE_US);
    }
    return next(fd, backlog);
}
