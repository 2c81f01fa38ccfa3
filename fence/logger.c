/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int
open_log(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

/* True if 'path' is still the file 'fd'. */
static bool
is_same_file(int fd, const char *path)
{
    struct stat a, b;

    return fd >= 0 && !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev
           && a.st_ino == b.st_ino;
}

/* The child's life: until the worker's end of the pipe is closed. */
static void __attribute__((noreturn)) write_all(int in, const char *path)
{
    int out = path ? -1 : STDERR_FILENO;
    char buf[8192];
    ssize_t n;

    prctl(PR_SET_NAME, "ovn-ha-fencelog"); /* Not to be taken for it. */
    /* The worker's last words come after the signal that ends it. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    while ((n = read(in, buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR)) {
        if (path && !is_same_file(out, path)) {
            if (out >= 0) {
                close(out);
            }
            out = open_log(path);
        }
        for (ssize_t done = 0; out >= 0 && done < n;) {
            ssize_t m = write(out, buf + done, n - done);

            if (m < 0 && errno != EINTR) {
                break; /* A full disk, for example. */
            }
            done += m > 0 ? m : 0;
        }
    }
    _exit(0);
}

int
logger_start(const char *path)
{
    int fds[2];
    pid_t pid;
    int error;

    if (path) {
        int fd = open_log(path); /* So that a wrong path is told. */

        if (fd < 0) {
            return -errno;
        }
        close(fd);
    }
    if (pipe2(fds, O_CLOEXEC)) {
        return -errno;
    }
    pid = fork();
    if (!pid) {
        /* The worker's lock must end with the worker. */
        if (dup2(fds[0], STDIN_FILENO) < 0 || close_range(3, ~0U, 0)) {
            _exit(1);
        }
        write_all(STDIN_FILENO, path);
    }
    error = pid < 0 ? -errno : 0;
    if (!error
        && (fcntl(fds[1], F_SETFL, O_NONBLOCK)
            || dup2(fds[1], STDERR_FILENO) < 0)) {
        error = -errno;
    }
    close(fds[0]);
    close(fds[1]);
    return error;
}
