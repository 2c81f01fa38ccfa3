/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/durable.h"
#include "lib/xalloc.h"

/* Starting.  The parent does not wait for exec(): with a dead disk under it,
 * that can last for ever.  So what fails after fork() shows as exit status
 * CHILD_EXEC_FAILED and as a line in the child's log. */

static void
reset_signals(void)
{
    sigset_t none;

    for (int sig = 1; sig < NSIG; sig++) {
        signal(sig, SIG_DFL); /* Fails for some, harmlessly. */
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
reset_priority(void)
{
    struct sched_param param = { .sched_priority = 0 };

    sched_setscheduler(0, SCHED_OTHER, &param);
    setpriority(PRIO_PROCESS, 0, 0);
}

/* That this process is to be spared is no reason to spare the child.  Where
 * it cannot be written, it was not lowered either. */
static void
reset_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);

    if (fd >= 0) {
        dprintf(fd, "0");
        close(fd);
    }
}

/* What needs no file to be opened that may be on a dead disk. */
static int
redirect_stdio(const struct child_spec *spec)
{
    int in = spec->in_fd ? spec->in_fd : open("/dev/null", O_RDONLY);
    int out = spec->out_fd ? spec->out_fd : STDERR_FILENO;
    int err = spec->err_fd ? spec->err_fd : out;

    if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) {
        return -errno;
    }
    return 0;
}

static int
open_log(const struct child_spec *spec)
{
    int fd;

    if (!spec->log_path || spec->out_fd) {
        return 0;
    }
    fd = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0 || dup2(fd, 1) < 0 || (!spec->err_fd && dup2(fd, 2) < 0)) {
        return -errno;
    }
    close(fd);
    return 0;
}

static bool
is_named(const struct child_spec *spec, int fd)
{
    for (size_t i = 0; i < spec->n_fds; i++) {
        if (spec->fds[i].as == fd) {
            return true;
        }
    }
    return false;
}

/* Leaves the named descriptors open, under their new numbers, and no others.
 * By way of numbers above all of the new ones, so that none is lost.  Not by
 * exec(): what is open before it, and exec() itself, may wait for a dead disk
 * for ever, and our locks with them. */
static int
arrange_fds(const struct child_spec *spec)
{
    int moved[CHILD_FDS_MAX], top = 3;

    for (size_t i = 0; i < spec->n_fds; i++) {
        assert(spec->fds[i].as >= 3);
        if (spec->fds[i].as >= top) {
            top = spec->fds[i].as + 1;
        }
    }
    for (size_t i = 0; i < spec->n_fds; i++) {
        moved[i] = fcntl(spec->fds[i].fd, F_DUPFD_CLOEXEC, top);
        if (moved[i] < 0) {
            return -errno;
        }
    }
    for (size_t i = 0; i < spec->n_fds; i++) {
        if (dup2(moved[i], spec->fds[i].as) < 0) {
            return -errno;
        }
    }
    for (int fd = 3; fd < top; fd++) {
        if (!is_named(spec, fd)) {
            close(fd);
        }
    }
    return close_range(top, ~0U, 0) ? -errno : 0;
}

/* Makes the lock on an open file one of this process.  No other descriptor of
 * the file may be closed, by exec neither: that would end the lock. */
static int
take_over_lock(int fd)
{
    struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC)
        || fcntl(fd, F_OFD_SETLK, &lock)) {
        return -errno;
    }
    lock.l_type = F_WRLCK;
    if (fcntl(fd, F_SETLK, &lock) || fcntl(fd, F_SETFD, 0)) {
        return -errno;
    }
    return 0;
}

static void __attribute__((noreturn))
run_child(const struct child_spec *spec, char **envp)
{
    int error;

    reset_signals();
    setsid();
    if (spec->reset_priority) {
        reset_priority();
    }
    if (spec->reset_oom) {
        reset_oom();
    }
    error = redirect_stdio(spec);
    if (!error) {
        error =
            spec->lock_fd ? take_over_lock(spec->lock_fd) : arrange_fds(spec);
    }
    if (!error) {
        error = open_log(spec);
    }
    if (!error) {
        execve(spec->argv[0], (char **) spec->argv, envp);
        error = -errno;
    }
    dprintf(STDERR_FILENO, "child: cannot run %s: %s\n", spec->argv[0],
            strerror(-error));
    _exit(CHILD_EXEC_FAILED);
}

/* Our environment with 'env' in front, where getenv() finds it first, but not
 * what systemd told us alone. */
static char **
make_env(const char *const *env)
{
    size_t n_own = 0, n_new = 0;
    char **envp;

    while (environ && environ[n_own]) {
        n_own++;
    }
    while (env && env[n_new]) {
        n_new++;
    }
    envp = ha_calloc(n_own + n_new + 1, sizeof *envp);
    for (size_t i = 0; i < n_new; i++) {
        envp[i] = (char *) env[i];
    }
    for (size_t i = 0; i < n_own; i++) {
        if (strncmp(environ[i], "NOTIFY_SOCKET=", 14)) {
            envp[n_new++] = environ[i];
        }
    }
    return envp;
}

/* Fills in what belongs to a process that cannot go away unseen. */
static int
identify(pid_t pid, struct child *ret_child)
{
    struct child_stat st;
    int pidfd = pidfd_open(pid, 0);
    int error;

    if (pidfd < 0) {
        return -errno;
    }
    error = child_read_stat(pid, &st);
    if (error) {
        close(pidfd);
        return error;
    }
    *ret_child = (struct child){ pid, pidfd, st.start_ticks };
    return 0;
}

int
child_spawn(const struct child_spec *spec, struct child *ret_child)
{
    sigset_t all, old;
    char **envp;
    pid_t pid;
    int error;

    assert(spec->n_fds <= CHILD_FDS_MAX);
    assert(!spec->n_fds || !spec->lock_fd);
    envp = make_env(spec->env);

    /* Until the child has reset its signals it must not run our handlers. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    pid = fork();
    if (!pid) {
        run_child(spec, envp);
    }
    error = pid < 0 ? -errno : 0;
    sigprocmask(SIG_SETMASK, &old, NULL);
    free(envp);
    if (error) {
        return error;
    }
    error = identify(pid, ret_child);
    if (error) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return error;
}

/* Adopting. */

int
child_adopt(pid_t pid, const char *comm, uint64_t start_ticks,
            struct child *ret_child)
{
    struct child child = CHILD_NONE;
    struct child_stat st;
    int error;

    if (pid <= 0) {
        return -ESRCH;
    }
    error = identify(pid, &child);
    if (error) {
        return error == -EINVAL ? -ESRCH : error;
    }

    /* If the pidfd's process still lives after the look at /proc, then that
     * look was at it and at no other. */
    error = child_read_stat(pid, &st);
    if (!error) {
        error = child_signal(&child, 0);
    }
    if (!error
        && (st.state == CHILD_DEAD
            || strncmp(st.comm, comm, sizeof st.comm - 1)
            || (start_ticks && st.start_ticks != start_ticks))) {
        error = -ESRCH;
    }
    if (error) {
        child_close(&child);
        return error;
    }
    *ret_child = child;
    return 0;
}

int
child_adopt_pidfile(const char *pidfile, const char *comm,
                    struct child *ret_child)
{
    char *text, *end;
    size_t n;
    long pid;
    int error;

    error = durable_read(pidfile, 64, &text, &n);
    if (error) {
        return error == -EFBIG ? -EINVAL : error;
    }
    errno = 0;
    pid = strtol(text, &end, 10);
    error = end == text || (*end && *end != '\n') || pid <= 0 || errno
                    || pid != (pid_t) pid
                ? -EINVAL
                : 0;
    free(text);
    return error ? error : child_adopt(pid, comm, 0, ret_child);
}

void
child_close(struct child *child)
{
    if (child->pidfd >= 0) {
        close(child->pidfd);
    }
    *child = CHILD_NONE;
}

/* Watching. */

int
child_signal(const struct child *child, int sig)
{
    return pidfd_send_signal(child->pidfd, sig, NULL, 0) ? -errno : 0;
}

int
child_signal_group(const struct child *child, int sig)
{
    int error = child_signal(child, sig);

    /* It may not have come to setsid() yet; then the one signal was enough. */
    return kill(-child->pid, sig) ? error : 0;
}

static int
status_from_siginfo(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED
               ? W_EXITCODE(info->si_status, 0)
               : W_EXITCODE(0, info->si_status)
                     | (info->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

int
child_reap(const struct child *child, int *ret_status)
{
    struct pollfd pfd = { .fd = child->pidfd, .events = POLLIN };
    siginfo_t info = { .si_pid = 0 };

    if (!waitid(P_PIDFD, child->pidfd, &info, WEXITED | WNOHANG)) {
        if (!info.si_pid) {
            return -EAGAIN;
        }
        *ret_status = status_from_siginfo(&info);
        return 0;
    }
    if (errno != ECHILD) {
        return -errno;
    }

    /* Another's child. */
    if (poll(&pfd, 1, 0) <= 0) {
        return -EAGAIN;
    }
    *ret_status = -1;
    return 0;
}

int
child_wait(const struct child *child, mono_t deadline, int *ret_status)
{
    struct pollfd pfd = { .fd = child->pidfd, .events = POLLIN };
    int error;

    while ((error = child_reap(child, ret_status)) == -EAGAIN) {
        int wait_ms = mono_ms_until(mono_now(), deadline);

        if (!wait_ms) {
            return -EAGAIN;
        }
        poll(&pfd, 1, wait_ms);
    }
    return error;
}

static enum child_state
state_from_letter(char letter)
{
    switch (letter) {
    case 'Z':
    case 'X':
    case 'x':
        return CHILD_DEAD;
    case 'T':
    case 't':
        return CHILD_STOPPED;
    case 'D':
        return CHILD_BLOCKED;
    default:
        return CHILD_RUNNING;
    }
}

/* The form is "PID (COMM) STATE PPID ...", where COMM may hold any character,
 * parentheses included; see proc(5). */
static int
parse_stat(const char *text, struct child_stat *st)
{
    const char *open = strchr(text, '(');
    const char *close = strrchr(text, ')');
    unsigned long long utime, stime, start;
    char letter;
    int ppid;

    if (!open || !close || close < open
        || sscanf(close + 1,
                  " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu"
                  " %*d %*d %*d %*d %*d %*d %llu",
                  &letter, &ppid, &utime, &stime, &start)
               != 5) {
        return -EPROTO;
    }
    *st = (struct child_stat){
        .state = state_from_letter(letter),
        .ppid = ppid,
        .start_ticks = start,
        .cpu_ticks = utime + stime,
    };
    snprintf(st->comm, sizeof st->comm, "%.*s", (int) (close - open - 1),
             open + 1);
    return 0;
}

int
child_read_stat(pid_t pid, struct child_stat *ret_stat)
{
    char path[32], *text;
    size_t n;
    int error;

    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    error = durable_read(path, 4096, &text, &n);
    if (error) {
        return error == -ENOENT ? -ESRCH : error;
    }
    error = parse_stat(text, ret_stat);
    free(text);
    return error;
}

const char *
child_state_name(enum child_state state)
{
    static const char *const names[] = {
        [CHILD_RUNNING] = "running",
        [CHILD_BLOCKED] = "blocked",
        [CHILD_STOPPED] = "stopped",
        [CHILD_DEAD] = "dead",
    };

    return names[state];
}

ssize_t
child_read_cmdline(pid_t pid, char *buf, size_t size)
{
    char path[32];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int) pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    n = read(fd, buf, size - 1);
    close(fd);
    for (ssize_t i = 0; i < n; i++) {
        buf[i] = buf[i] ? buf[i] : ' ';
    }
    buf[n > 0 ? n : 0] = '\0';
    return n;
}

char *
child_program(const char *name)
{
    const char *folder = getenv("OVN_HA_PKGLIBEXECDIR");

    return ha_asprintf("%s/%s", folder ? folder : HA_PKGLIBEXECDIR, name);
}
