/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/xalloc.h"

static int
write_all(int fd, const void *data_, size_t n)
{
    const char *data = data_;

    while (n) {
        ssize_t written = write(fd, data, n);

        if (written >= 0) {
            data += written;
            n -= written;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* Writes and syncs the new file.  A file that is left from a crash in here
 * is simply written over. */
static int
write_new(const char *path, const void *data, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  mode);
    int error;

    if (fd < 0) {
        return -errno;
    }
    error = write_all(fd, data, n);
    if (!error && (fchmod(fd, mode) || fsync(fd))) {
        error = -errno;
    }
    if (close(fd) && !error) {
        error = -errno;
    }
    return error;
}

char *
durable_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return !slash          ? ha_strdup(".")
           : slash == path ? ha_strdup("/")
                           : ha_asprintf("%.*s", (int) (slash - path), path);
}

int
durable_sync_folder_of(const char *path)
{
    char *folder = durable_folder_of(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) ? -errno : 0;

    if (fd >= 0) {
        close(fd);
    }
    free(folder);
    return error;
}

int
durable_write(const char *path, const void *data, size_t n, mode_t mode)
{
    char *tmp = ha_asprintf("%s.tmp", path);
    int error = write_new(tmp, data, n, mode);

    if (!error && rename(tmp, path)) {
        error = -errno;
    }
    if (error) {
        unlink(tmp);
    } else {
        error = durable_sync_folder_of(path);
    }
    free(tmp);
    return error;
}

/* Reads at most 'size' bytes.  Returns their number or a negative errno. */
static ssize_t
read_all(int fd, char *buf, size_t size)
{
    size_t n = 0;

    while (n < size) {
        ssize_t got = read(fd, buf + n, size - n);

        if (got > 0) {
            n += got;
        } else if (!got) {
            break;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return n;
}

int
durable_read(const char *path, size_t max, char **ret_data, size_t *ret_n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *data;
    ssize_t n;

    if (fd < 0) {
        return -errno;
    }
    /* One byte more than allowed shows that there is more. */
    data = ha_calloc(max + 2, 1);
    n = read_all(fd, data, max + 1);
    close(fd);
    if (n < 0 || (size_t) n > max) {
        free(data);
        return n < 0 ? n : -EFBIG;
    }
    data[n] = '\0';
    *ret_data = data;
    *ret_n = n;
    return 0;
}

int
durable_remove(const char *path)
{
    if (unlink(path)) {
        return errno == ENOENT ? 0 : -errno;
    }
    return durable_sync_folder_of(path);
}
