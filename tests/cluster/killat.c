/* SPDX-License-Identifier: Apache-2.0 */

/* A library to preload into a program that is to be killed at its Nth step.
 *
 * $KILL_AT is N; a step is a call that changes a file beside or below a path
 * with $KILL_PATH in it, or that sends to a stream.  The process is killed
 * right before the call, or with $KILL_AFTER set right after it; with $KILL_PID
 * set that one is, in its stead, if it still lives.  With $KILL_FEWER set, of
 * all that is sent or written through one descriptor only the 1st, 4th, 16th
 * ... call is a step.  With $KILL_SIGNAL set it is sent that signal.
 *
 * With $FAIL_ERRNO set nobody is killed: from step N on, and for as long as
 * there is a file $FAIL_WHILE, what would change a file fails with that error
 * instead; the first time $FAIL_WHILE.hit is made.  Test code only. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
    if (at && !getenv("FAIL_ERRNO") && count == atol(at)
        && after == (getenv("KILL_AFTER") != NULL)) {
        const char *number = getenv("KILL_SIGNAL");

        if (getenv("KILL_PID")) {
            pidfd_send_signal(other, SIGKILL, NULL, 0);
        } else {
            kill(getpid(), number ? atoi(number) : SIGKILL);
        }
    }
}

/* True if the call is to fail. */
static bool
fails(const char *name)
{
    const char *error = getenv("FAIL_ERRNO"), *at = getenv("KILL_AT");
    char hit[PATH_MAX];

    if (!error || !at || count < atol(at) || !strcmp(name, "send")
        || access(getenv("FAIL_WHILE"), F_OK)) {
        return false;
    }
    snprintf(hit, sizeof hit, "%s.hit", getenv("FAIL_WHILE"));
    symlink("hit", hit);
    errno = atoi(error);
    return true;
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

/* Makes CALL, the meaning of NAME, as a step if MEANT. */
#define TAKE(TYPE, NAME, MEANT, CALL) \
    TYPE ret;                         \
    if (MEANT) {                      \
        step(false);                  \
        if (fails(#NAME)) {           \
            return (TYPE) -1;         \
        }                             \
    }                                 \
    ret = CALL;                       \
    if (MEANT) {                      \
        step(true);                   \
    }                                 \
    return ret;

/* Defines NAME(PARAMS), a step if MEANT, on the descriptor FD. */
#define STEP(TYPE, NAME, FD, PARAMS, ARGS, MEANT)     \
    TYPE NAME PARAMS                                  \
    {                                                 \
        TYPE(*real) PARAMS = dlsym(RTLD_NEXT, #NAME); \
        bool meant = MEANT && is_step(#NAME, FD);     \
        TAKE(TYPE, NAME, meant, real ARGS)            \
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
STEP(int, renameat, -1, (int d, const char *a, int e, const char *b),
     (d, a, e, b), fd_is_meant(e))
STEP(int, mkdir, -1, (const char *a, mode_t mode), (a, mode), is_meant(a))
STEP(int, fallocate, fd, (int fd, int mode, off_t off, off_t n),
     (fd, mode, off, n), fd_is_meant(fd))
STEP(ssize_t, copy_file_range, fd,
     (int in, off_t *from, int fd, off_t *to, size_t n, unsigned int flags),
     (in, from, fd, to, n, flags), fd_is_meant(fd))
/* What is written to a stream of stdio comes when it is flushed. */
STEP(int, fflush, -1, (FILE * f), (f), f &&fd_is_meant(fileno(f)))
STEP(int, fclose, -1, (FILE * f), (f), fd_is_meant(fileno(f)))

/* Only what creates a file is a step, and has a mode. */
#define STEP_OPEN(NAME, PARAMS, ARGS, MEANT)                 \
    int NAME PARAMS                                          \
    {                                                        \
        int (*real)() = (int (*)()) dlsym(RTLD_NEXT, #NAME); \
        bool creates = flags & O_CREAT;                      \
        bool meant = creates && MEANT;                       \
        va_list args;                                        \
        mode_t mode;                                         \
        va_start(args, flags);                               \
        mode = creates ? va_arg(args, mode_t) : 0;           \
        va_end(args);                                        \
        TAKE(int, NAME, meant, real ARGS)                    \
    }

STEP_OPEN(open, (const char *a, int flags, ...), (a, flags, mode), is_meant(a))
STEP_OPEN(openat, (int d, const char *a, int flags, ...), (d, a, flags, mode),
          fd_is_meant(d))
