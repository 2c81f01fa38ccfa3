/* SPDX-License-Identifier: Apache-2.0 */

/* lab-keeper: what systemd is to a service, for one service in a lab's node.
 *
 *     lab-keeper NAME RESTART_MS COMMAND...
 *
 * Goes to the background, runs COMMAND with its output in
 * /var/log/lab/NAME.log, and starts it again RESTART_MS after it died, unless it
 * ended by itself with status 0 (RESTART_MS below 0: never).  SIGTERM to the keeper is `systemctl
 * stop`: SIGTERM to the command, wait for it, end.  Its pid is in
 * /run/lab/NAME.pid, the command's in /run/lab/NAME.child. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
die(const char *what)
{
    fprintf(stderr, "lab-keeper: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
say(const char *format, ...)
{
    struct timespec ts;
    struct tm tm;
    char stamp[32];
    va_list args;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    printf("%s.%03ldZ|keeper: ", stamp, ts.tv_nsec / 1000000);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void
write_pid(const char *name, const char *suffix, pid_t pid)
{
    char path[256], temp[260];

    snprintf(path, sizeof path, "/run/lab/%s.%s", name, suffix);
    snprintf(temp, sizeof temp, "%s.new", path);
    FILE *file = fopen(temp, "w");
    if (!file) {
        die(temp);
    }
    fprintf(file, "%d\n", (int) pid);
    fclose(file);
    if (rename(temp, path) < 0) {
        die(path);
    }
}

static void
redirect(const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "/var/log/lab/%s.log", name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int null = open("/dev/null", O_RDONLY);
    if (fd < 0 || null < 0) {
        die(path);
    }
    dup2(null, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    close(null);
    close(fd);
}

static pid_t
start(const char *name, char *const command[], const sigset_t *old)
{
    pid_t pid = fork();

    if (pid < 0) {
        die("fork");
    } else if (!pid) {
        sigprocmask(SIG_SETMASK, old, NULL);
        setsid();
        execvp(command[0], command);
        die(command[0]);
    }
    write_pid(name, "child", pid);
    say("started %s as pid %d", command[0], (int) pid);
    return pid;
}

static void
say_end(const char *name, pid_t pid, int status)
{
    if (WIFSIGNALED(status)) {
        say("%s (pid %d) killed by signal %d", name, (int) pid,
            WTERMSIG(status));
    } else {
        say("%s (pid %d) exited with status %d", name, (int) pid,
            WEXITSTATUS(status));
    }
}

/* Runs the command until told to stop or, without restarts, until it ends. */
static void
keep(const char *name, int restart_ms, char *const command[])
{
    struct timespec backoff = { .tv_sec = restart_ms / 1000,
                                .tv_nsec = restart_ms % 1000 * 1000000L };
    sigset_t set, old, term;
    bool stopping = false;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    term = set;
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);

    pid_t pid = start(name, command, &old);
    for (;;) {
        int status;

        if (sigwaitinfo(&set, NULL) == SIGTERM && !stopping) {
            stopping = true;
            say("stopping %s (pid %d)", name, (int) pid);
            kill(pid, SIGTERM);
        }
        if (waitpid(pid, &status, WNOHANG) != pid) {
            continue;
        }
        say_end(name, pid, status);
        if (stopping || restart_ms < 0 || !status
            || sigtimedwait(&term, NULL, &backoff) == SIGTERM) {
            return;
        }
        pid = start(name, command, &old);
    }
}

int
main(int argc, char *argv[])
{
    if (argc < 4) {
        fprintf(stderr, "usage: lab-keeper NAME RESTART_MS COMMAND...\n");
        return 2;
    }
    redirect(argv[1]);
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    } else if (pid > 0) {
        write_pid(argv[1], "pid", pid);
        return 0;
    }
    setsid();
    prctl(PR_SET_NAME, "lab-keeper");
    keep(argv[1], atoi(argv[2]), &argv[3]);

    char path[256];
    snprintf(path, sizeof path, "/run/lab/%s.pid", argv[1]);
    unlink(path);
    return 0;
}
