/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/agent.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/xalloc.h"

#define DEATH_US 2000000 /* A killed process is waited for so long. */
#define SECRET_MAX 1024
#define READS_A_TURN 32

void
agent_init(struct agent *a)
{
    *a = (struct agent){ .child = CHILD_NONE, .out = -1 };
    a->end = a->give_up = MONO_NEVER;
}

bool
agent_runs(const struct agent *a)
{
    return a->child.pid > 0;
}

/* Lets go of a run that is over. */
static void
forget(struct agent *a)
{
    if (a->out >= 0) {
        close(a->out);
        a->out = -1;
    }
    child_close(&a->child);
    a->child = CHILD_NONE;
    a->end = a->give_up = MONO_NEVER;
}

void
agent_close(struct agent *a)
{
    if (agent_runs(a)) {
        child_signal_group(&a->child, SIGKILL);
        forget(a);
    }
    free(a->text);
    a->text = NULL;
}

/* ---- Standard input ------------------------------------------------- */

static int
put(int fd, const char *text, size_t n)
{
    return write(fd, text, n) == (ssize_t) n ? 0 : -EIO;
}

/* Reads the first line of a file that nobody else may read. */
static int
read_secret(const char *path, char secret[SECRET_MAX], char *why, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    ssize_t n = -1;

    if (fd < 0 || fstat(fd, &st)) {
        snprintf(why, size, "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_mode & 077
               || (st.st_uid && st.st_uid != geteuid())) {
        snprintf(why, size,
                 "%s: not a file that only its owner can read: chmod 0600",
                 path);
    } else {
        n = read(fd, secret, SECRET_MAX - 1);
        if (n <= 0) {
            snprintf(why, size, "%s: it is empty", path);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return -EACCES;
    }
    secret[n] = '\0';
    secret[strcspn(secret, "\r\n")] = '\0';
    return 0;
}

/* One line of 'params', of length 'n'. */
static int
put_param(int fd, const char *line, size_t n, char *why, size_t size)
{
    char path[512], secret[SECRET_MAX];
    size_t name = strcspn(line, "=");
    int error;

    if (*line != '@') {
        return put(fd, line, n) || put(fd, "\n", 1) ? -EIO : 0;
    }
    snprintf(path, sizeof path, "%.*s", (int) (n - name - 1), line + name + 1);
    error = read_secret(path, secret, why, size);
    if (!error) {
        error = put(fd, line + 1, name) || put(fd, secret, strlen(secret))
                        || put(fd, "\n", 1)
                    ? -EIO
                    : 0;
        explicit_bzero(secret, sizeof secret);
    }
    return error;
}

/* A file in memory, so that writing to an agent that does not read cannot
 * block. */
static int
make_input(enum fencing_action action, const char *params, char *why,
           size_t size)
{
    int fd = memfd_create("fence-agent", MFD_CLOEXEC);
    int error = fd < 0 ? -errno : 0;
    char first[32];

    snprintf(first, sizeof first, "action=%s\n", fencing_action_name(action));
    if (!error) {
        error = put(fd, first, strlen(first));
    }
    for (const char *p = params; *p && !error;) {
        size_t n = strcspn(p, "\n");

        error = put_param(fd, p, n, why, size);
        p += n + (p[n] == '\n');
    }
    if (!error && lseek(fd, 0, SEEK_SET)) {
        error = -errno;
    }
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

/* ---- A run ---------------------------------------------------------- */

int
agent_start(struct agent *a, const char *path, enum fencing_action action,
            const char *params, int64_t timeout_us, mono_t now, char *why,
            size_t size)
{
    static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                       "LC_ALL=C", NULL };
    const char *const argv[] = { path, NULL };
    struct child_spec spec = {
        .argv = argv,
        .env = env,
        .reset_priority = true,
    };
    int fds[2], error;

    why[0] = '\0';
    spec.in_fd = make_input(action, params, why, size);
    if (spec.in_fd < 0) {
        error = spec.in_fd;
    } else if (pipe2(fds, O_CLOEXEC)) {
        error = -errno;
        close(spec.in_fd);
    } else {
        spec.out_fd = fds[1];
        error = child_spawn(&spec, &a->child);
        close(spec.in_fd);
        close(fds[1]);
        a->out = fds[0];
    }
    if (error) {
        if (!why[0]) {
            snprintf(why, size, "cannot be started: %s", strerror(-error));
        }
        forget(a);
        return error;
    }
    fcntl(a->out, F_SETFL, O_NONBLOCK);
    if (!a->text) {
        a->text = ha_calloc(1, AGENT_OUTPUT_MAX + 1);
    }
    a->n = 0;
    a->text[0] = '\0';
    a->killed = false;
    a->end = mono_add_us(now, timeout_us);
    a->give_up = MONO_NEVER;
    return 0;
}

void
agent_kill(struct agent *a, mono_t now)
{
    if (agent_runs(a) && !a->killed) {
        child_signal_group(&a->child, SIGKILL);
        a->killed = true;
        a->end = MONO_NEVER;
        a->give_up = mono_add_us(now, DEATH_US);
    }
}

unsigned int
agent_poll(const struct agent *a, struct pollfd pfds[])
{
    unsigned int n = 0;

    if (agent_runs(a)) {
        pfds[n++] = (struct pollfd){ a->child.pidfd, POLLIN, 0 };
    }
    if (a->out >= 0) {
        pfds[n++] = (struct pollfd){ a->out, POLLIN, 0 };
    }
    return n;
}

mono_t
agent_due(const struct agent *a)
{
    return mono_min(a->end, a->give_up);
}

static void
read_output(struct agent *a)
{
    char more[4096];
    ssize_t n;

    /* One that never stops talking must not keep this process busy. */
    for (int i = 0; i < READS_A_TURN && a->out >= 0; i++) {
        n = read(a->out, more, sizeof more);
        if (n <= 0) {
            if (!n || errno != EAGAIN) {
                close(a->out);
                a->out = -1;
            }
            break;
        }
        if ((size_t) n > AGENT_OUTPUT_MAX - a->n) {
            n = AGENT_OUTPUT_MAX - a->n; /* It is read, and thrown away. */
        }
        memcpy(a->text + a->n, more, n);
        a->n += n;
        a->text[a->n] = '\0';
    }
}

int
agent_run(struct agent *a, mono_t now)
{
    struct pollfd dead = { a->child.pidfd, POLLIN, 0 };
    int status = -1, result;

    read_output(a);
    if (!mono_before(now, a->end)) {
        agent_kill(a, now);
    }
    if (poll(&dead, 1, 0) <= 0) {
        if (mono_before(now, a->give_up)) {
            return -EAGAIN;
        }
        forget(a); /* It cannot even be killed: stuck in the kernel. */
        return -ETIMEDOUT;
    }
    /* Before it is reaped: then its group is nobody's. */
    child_signal_group(&a->child, SIGKILL);
    read_output(a);
    child_reap(&a->child, &status);
    result = a->killed           ? -ETIMEDOUT
             : WIFEXITED(status) ? WEXITSTATUS(status)
                                 : -ECHILD;
    forget(a);
    return result;
}

bool
agent_end_orphans(void)
{
    FILE *f = fopen("/proc/thread-self/children", "re");
    bool some = false;
    int pid;

    while (f && fscanf(f, "%d", &pid) == 1) {
        /* Its own children become ours. */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, WNOHANG);
        some = true;
    }
    if (f) {
        fclose(f);
    }
    return some;
}

void
agent_last_line(const struct agent *a, char *line, size_t size)
{
    const char *begin, *end = a->text + a->n;
    size_t n = 0;

    while (end > a->text && isspace((unsigned char) end[-1])) {
        end--;
    }
    for (begin = end; begin > a->text && begin[-1] != '\n'; begin--) {
    }
    for (; begin < end && n + 1 < size; begin++) {
        line[n++] = isprint((unsigned char) *begin) ? *begin : ' ';
    }
    line[n] = '\0';
}
