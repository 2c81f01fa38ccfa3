/* SPDX-License-Identifier: Apache-2.0 */

/* A library to preload into a program that is to be killed at its Nth step.
 *
 * $KILL_AT is N; a step is a call that changes a file beside or below a path
 * with $KILL_PATH in it, or that sends to a stream.  The process is killed
 * right before the call, or with $KILL_AFTER set right after it; with $KILL_PID
 * set that one is, in its stead, if it still lives.  With $KILL_FEWER set, of
 * all that is sent or written through one descriptor only the 1st, 4th, 16th
 * ... call is a step.  Test code only. */

#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

static long int count;
static int other = -1; /* A pidfd: its pid may be another's by then. */

static void __attribute__((constructor)) find_other(void)
{
    const char *pid = getenv("KILL_PID");

    if (pid) {
        other = pidfd_open(atoi(pid), 0);
    }
}

/* True unless it is one of many calls that are left out. */
static bool
is_step(const char *name, int fd)
{
    static unsigned int sent[64], written[64];
    unsigned int n;

    if (!getenv("KILL_FEWER") || fd < 0 || fd >= 64) {
        return true;
    }
    n = !strcmp(name, "send")         ? ++sent[fd]
        : !strncmp(name, "pwrite", 6) ? ++written[fd]
                                      : 1;
    while (n > 1 && n % 4 == 0) {
        n /= 4;
    }
    return n == 1;
}

static void
step(bool after)
{
    const char *at = getenv("KILL_AT");

    count += !after;
    if (at && count == atol(at) && after == (getenv("KILL_AFTER") != NULL)) {
        if (getenv("KILL_PID")) {
            pidfd_send_signal(other, SIGKILL, NULL, 0);
        } else {
            kill(getpid(), SIGKILL);
        }
    }
}

static bool
is_meant(const char *path)
{
    const char *part = getenv("KILL_PATH");

    return part && strstr(path, part) && !strstr(path, ".log");
}

static bool
fd_is_meant(int fd)
{
    char name[64], path[PATH_MAX];
    ssize_t n;

    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    n = readlink(name, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return is_meant(path);
}

static bool
is_stream(int fd)
{
    socklen_t n = sizeof(int);
    int type;

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n)
           && type == SOCK_STREAM;
}

/* Defines NAME(PARAMS), a step if MEANT, on the descriptor FD. */
#define STEP(TYPE, NAME, FD, PARAMS, ARGS, MEANT)     \
    TYPE NAME PARAMS                                  \
    {                                                 \
        TYPE(*real) PARAMS = dlsym(RTLD_NEXT, #NAME); \
        bool meant = MEANT && is_step(#NAME, FD);     \
        TYPE ret;                                     \
        if (meant) {                                  \
            step(false);                              \
        }                                             \
        ret = real ARGS;                              \
        if (meant) {                                  \
            step(true);                               \
        }                                             \
        return ret;                                   \
    }

STEP(ssize_t, write, fd, (int fd, const void *p, size_t n), (fd, p, n),
     fd_is_meant(fd))
STEP(ssize_t, pwrite, fd, (int fd, const void *p, size_t n, off_t off),
     (fd, p, n, off), fd_is_meant(fd))
STEP(ssize_t, pwrite64, fd, (int fd, const void *p, size_t n, off_t off),
     (fd, p, n, off), fd_is_meant(fd))
STEP(int, fsync, fd, (int fd), (fd), fd_is_meant(fd))
STEP(int, fdatasync, fd, (int fd), (fd), fd_is_meant(fd))
STEP(int, ftruncate, fd, (int fd, off_t n), (fd, n), fd_is_meant(fd))
STEP(int, ftruncate64, fd, (int fd, off_t n), (fd, n), fd_is_meant(fd))
STEP(int, rename, -1, (const char *a, const char *b), (a, b), is_meant(b))
STEP(int, unlink, -1, (const char *a), (a), is_meant(a))
STEP(int, linkat, -1, (int d, const char *a, int e, const char *b, int flags),
     (d, a, e, b, flags), is_meant(b))
STEP(ssize_t, send, fd, (int fd, const void *p, size_t n, int flags),
     (fd, p, n, flags), is_stream(fd))
