/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/fuzz/logfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/digest.h"

#define MAX_PATHS 8

const char logfile_schema[] =
    "{\"name\":\"OVN_Northbound\",\"version\":\"1.0.0\",\"tables\":"
    "{\"Root\":{\"isRoot\":true,\"indexes\":[[\"name\"]],\"columns\":"
    "{\"name\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"},"
    "\"ids\":{\"type\":{\"key\":\"string\",\"value\":\"string\","
    "\"min\":0,\"max\":\"unlimited\"}},"
    "\"leafs\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"Leaf\"},"
    "\"min\":0,\"max\":\"unlimited\"}}}},"
    "\"Leaf\":{\"columns\":{\"set\":{\"type\":{\"key\":\"integer\","
    "\"min\":0,\"max\":4}},\"peer\":{\"type\":{\"key\":{\"type\":\"uuid\","
    "\"refTable\":\"Root\",\"refType\":\"weak\"},\"min\":0,\"max\":1}},"
    "\"up\":{\"type\":\"boolean\",\"ephemeral\":true}}}}}";

static char folder[64];

int __wrap_inotify_init1(int flags);

/* To end a watch takes the kernel 20 ms, and no input needs one. */
int
__wrap_inotify_init1(int flags)
{
    assert(flags);
    errno = EMFILE;
    return -1;
}

/* Removes all that the targets left in the folder. */
static void
remove_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir) {
        closedir(dir);
    }
    rmdir(folder);
}

const char *
logfile_folder(void)
{
    if (!folder[0]) {
        strcpy(folder, "/dev/shm/ovn-ha-fuzz.XXXXXX");
        if (!mkdtemp(folder)) {
            strcpy(folder, "/tmp/ovn-ha-fuzz.XXXXXX");
            assert(mkdtemp(folder));
        }
        atexit(remove_folder);
    }
    return folder;
}

const char *
logfile_path(const char *name)
{
    static char paths[MAX_PATHS][PATH_MAX];
    static size_t n;

    assert(n < MAX_PATHS);
    snprintf(paths[n], sizeof paths[n], "%s/%s", logfile_folder(), name);
    return paths[n++];
}

void
logfile_append(const char *path, const void *data, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert(fd >= 0 && write(fd, data, n) == (ssize_t) n);
    close(fd);
}

size_t
logfile_header(const void *body, size_t n, char line[128])
{
    uint8_t sha1[DIGEST_SHA1_LEN];
    int len = sprintf(line, "OVSDB JSON %zu ", n);

    digest_sha1(body, n, sha1);
    for (int i = 0; i < DIGEST_SHA1_LEN; i++) {
        len += sprintf(line + len, "%02x", sha1[i]);
    }
    line[len++] = '\n';
    return len;
}

void
logfile_append_record(const char *path, const void *body, size_t n)
{
    char line[128];

    logfile_append(path, line, logfile_header(body, n, line));
    logfile_append(path, body, n);
}

void
logfile_begin(const char *path, bool empty)
{
    unlink(path);
    if (empty) {
        logfile_append(path, "", 0);
    } else {
        logfile_append_record(path, logfile_schema, strlen(logfile_schema));
    }
}
