/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/dblock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/xalloc.h"

/* FOLDER/NAME is locked by FOLDER/.NAME.~lock~. */
int
dblock_open(const char *file, int flags)
{
    const char *slash = strrchr(file, '/');
    int dir_len = slash ? slash + 1 - file : 0;
    char *path = ha_asprintf("%.*s.%s.~lock~", dir_len, file, file + dir_len);
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
    int error = errno;

    free(path);
    errno = error;
    return fd;
}

bool
dblock_holder(const char *file, pid_t *ret_pid)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = dblock_open(file, 0);
    bool held = false;

    if (fd >= 0) {
        held = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
        close(fd);
    }
    if (held) {
        *ret_pid = lock.l_pid > 0 ? lock.l_pid : 0;
    }
    return held;
}
