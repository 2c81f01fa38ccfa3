/* SPDX-License-Identifier: Apache-2.0 */

/* A library to preload, which plays the driver of /dev/watchdog0.
 *
 * Its registers are in the file $WATCHDOG_STATE, by default
 * /run/watchdog0.state; without that file there is no device.  It resets
 * nothing: whoever reads the registers (tests/cluster/dog.py) sees that it was
 * not fed in time, and does to the node what a reset does.  If $WATCHDOG_SYSFS
 * is set, that folder stands for /sys/class/watchdog.
 *
 * While the file $WATCHDOG_STATE.immortal is there nothing that the process
 * kills ends, as if it waited for a dead disk.  Test code only. */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/watchdog.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "watchdog.h"

#define DEVICE "/dev/watchdog0"
#define SYSFS "/sys/class/watchdog"

static volatile struct registers *reg;
static int device = -1;
static int magic;

static const char *
state_path(void)
{
    const char *path = getenv("WATCHDOG_STATE");

    return path ? path : "/run/watchdog0.state";
}

static void
feed(void)
{
    struct timespec ts;

    while (reg->blocked) {
        usleep(1000);
    }
    clock_gettime(CLOCK_BOOTTIME, &ts);
    reg->fed_us = ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static int
open_device(int (*real)(const char *, int, ...))
{
    int fd = real(state_path(), O_RDWR | O_CLOEXEC);
    int mapped = reg || fd < 0 ? -1 : real(state_path(), O_RDWR | O_CLOEXEC);

    if (mapped >= 0) {
        /* Not by 'fd', or the lock would last as long as the mapping. */
        reg = mmap(NULL, sizeof *reg, PROT_READ | PROT_WRITE, MAP_SHARED,
                   mapped, 0);
        close(mapped);
    }
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        errno = EBUSY;
        return -1;
    }
    if (fd >= 0) {
        device = fd;
        magic = 0;
        feed();
        reg->n_opened++;
        reg->armed = 1;
    }
    return fd;
}

/* Where 'path' is looked for. */
static const char *
redirect(const char *path, char buf[PATH_MAX])
{
    const char *folder = getenv("WATCHDOG_SYSFS");

    if (!folder || strncmp(path, SYSFS, sizeof SYSFS - 1)) {
        return path;
    }
    snprintf(buf, PATH_MAX, "%s%s", folder, path + sizeof SYSFS - 1);
    return buf;
}

int
open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    char buf[PATH_MAX];
    mode_t mode = 0;
    va_list args;

    if (!strcmp(path, DEVICE)) {
        return open_device(real);
    }
    va_start(args, flags);
    if (flags & (O_CREAT | O_TMPFILE)) {
        mode = va_arg(args, mode_t);
    }
    va_end(args);
    return real(redirect(path, buf), flags, mode);
}

DIR *
opendir(const char *path)
{
    DIR *(*real)(const char *) = dlsym(RTLD_NEXT, "opendir");
    char buf[PATH_MAX];

    return real(redirect(path, buf));
}

static int
control(unsigned long request, void *arg)
{
    struct watchdog_info info = {
        .options = WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE | WDIOF_KEEPALIVEPING
                   | WDIOF_PRETIMEOUT,
    };
    int *number = arg;

    switch (request) {
    case WDIOC_GETSUPPORT:
        memcpy(info.identity, (const void *) reg->identity,
               sizeof info.identity);
        memcpy(arg, &info, sizeof info);
        return 0;
    case WDIOC_SETTIMEOUT:
        reg->timeout_s = *number < reg->shortest_s ? reg->shortest_s : *number;
        feed();
        *number = reg->timeout_s;
        return 0;
    case WDIOC_GETTIMEOUT:
        *number = reg->timeout_s;
        return 0;
    case WDIOC_SETPRETIMEOUT:
        reg->pretimeout_s = *number;
        return 0;
    case WDIOC_SETOPTIONS:
        if (reg->nowayout) {
            errno = EBUSY;
            return -1;
        }
        reg->armed = 0;
        return 0;
    default:
        errno = ENOTTY;
        return -1;
    }
}

int
ioctl(int fd, unsigned long request, ...)
{
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    return fd >= 0 && fd == device ? control(request, arg)
                                   : real(fd, request, arg);
}

ssize_t
write(int fd, const void *p, size_t n)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");

    if (fd < 0 || fd != device) {
        return real(fd, p, n);
    }
    magic = memchr(p, 'V', n) != NULL;
    feed();
    reg->n_fed += !magic;
    if (reg->faulty && !magic) {
        errno = EIO;
        return -1;
    }
    return n;
}

int
close(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");

    if (fd >= 0 && fd == device) {
        device = -1;
        if (magic && !reg->nowayout) {
            reg->armed = 0;
            reg->n_disarmed++;
        }
    }
    return real(fd);
}

int
pidfd_send_signal(int fd, int sig, siginfo_t *info, unsigned int flags)
{
    int (*real)(int, int, siginfo_t *, unsigned int) =
        dlsym(RTLD_NEXT, "pidfd_send_signal");
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s.immortal", state_path());
    return sig == SIGKILL && !access(path, F_OK) ? 0
                                                 : real(fd, sig, info, flags);
}
