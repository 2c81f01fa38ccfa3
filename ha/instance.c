/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/xalloc.h"

#define MARKER "OVN_HAD_REEXEC"

/* The process before this one may have been killed, and left its control
 * socket. */
static void
remove_old_socket(int pid_fd, const char *rundir)
{
    char text[32] = "", *path;
    long pid = read(pid_fd, text, sizeof text - 1) > 0 ? atol(text) : 0;

    if (pid > 0 && pid != getpid()) {
        path = ha_asprintf("%s/ovn-had.%ld.ctl", rundir, pid);
        unlink(path);
        free(path);
    }
}

/* OVS's tools believe a pid file only if its process holds a lock on it.  The
 * descriptor stays open: the lock ends with it. */
static int
write_pidfile(const char *path, const char *rundir)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 || fcntl(fd, F_SETLK, &lock)) {
        return -errno;
    }
    remove_old_socket(fd, rundir);
    if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET)
        || dprintf(fd, "%d\n", (int) getpid()) < 0) {
        return -errno;
    }
    return 0;
}

/* The descriptor is never closed: the lock ends with the process. */
int
instance_lock(const struct settings *s, char *error, size_t size)
{
    char *path = ha_asprintf("%s/lock", s->conf->state_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = 0;

    if (fd < 0) {
        rc = -errno;
        snprintf(error, size, "%s: %s", path, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB)) {
        rc = -errno;
        snprintf(error, size, "another ovn-had runs on %s already",
                 s->conf->state_dir);
    }
    free(path);
    if (!rc) {
        rc = write_pidfile(s->pidfile, s->conf->ovn_run_dir);
        if (rc) {
            snprintf(error, size, "%s: %s", s->pidfile,
                     rc == -EAGAIN || rc == -EACCES
                         ? "another ovn-had runs already"
                         : strerror(-rc));
        }
    }
    return rc;
}

void
instance_unlock(const struct settings *s)
{
    unlink(s->pidfile);
}

char *
instance_program(const char *argv0)
{
    char path[PATH_MAX];
    ssize_t n;

    if (strchr(argv0, '/')) {
        char *full = realpath(argv0, NULL);

        if (full) {
            return full;
        }
    }
    n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return ha_strdup(path);
}

int
instance_reexec(const char *program, char *argv[])
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setenv(MARKER, "1", 1);
    /* Libraries may have opened descriptors that survive an exec. */
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execv(program, argv);
    return -errno;
}

bool
instance_was_reexec(void)
{
    return getenv(MARKER) != NULL;
}
