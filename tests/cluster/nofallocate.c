/* SPDX-License-Identifier: Apache-2.0 */

/* A library to preload into a program that is not to know beforehand whether
 * a file will have room, as with a file system that cannot tell.  Test code
 * only. */

#include <errno.h>
#include <fcntl.h>

int
fallocate(int fd, int mode, off_t offset, off_t n)
{
    (void) fd, (void) mode, (void) offset, (void) n;
    errno = EOPNOTSUPP;
    return -1;
}

int
fallocate64(int fd, int mode, off64_t offset, off64_t n)
{
    (void) fd, (void) mode, (void) offset, (void) n;
    errno = EOPNOTSUPP;
    return -1;
}
