/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/agents.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fence/runner.h"
#include "lib/log.h"

#define RESTART_MS 1000

void
agents_init(struct agents *a, const char *path, mono_t now)
{
    *a = (struct agents){ .path = path, .child = CHILD_NONE, .next = now };
}

void
agents_close(struct agents *a)
{
    if (a->child.pid > 0) {
        child_signal(&a->child, SIGTERM);
        child_close(&a->child);
        a->child = CHILD_NONE;
    }
}

/* Makes the copy of the worker an ordinary process. */
static void
soften(pid_t worker)
{
    struct sched_param param = { .sched_priority = 0 };
    int fd;

    prctl(PR_SET_NAME, "ovn-ha-agents"); /* Not to be taken for it. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != worker) {
        _exit(0);
    }
    close_range(3, ~0U, 0); /* The worker's lock, above all. */
    sched_setscheduler(0, SCHED_OTHER, &param);
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "0", 1) != 1) {
            ha_log(HA_LOG_WARN, "agents",
                   "cannot be killed when memory runs "
                   "out");
        }
        close(fd);
    }
}

static void
start(struct agents *a)
{
    pid_t worker = getpid();
    pid_t pid = fork();
    int pidfd;

    if (!pid) {
        soften(worker);
        _exit(runner_main(a->path));
    }
    pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
    if (pidfd < 0) {
        ha_log(HA_LOG_ERR, "agents", "cannot be started: %s", strerror(errno));
        if (pid > 0) {
            kill(pid, SIGKILL);
        }
        return;
    }
    a->child = (struct child){ .pid = pid, .pidfd = pidfd };
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
}

void
agents_run(struct agents *a, mono_t now)
{
    int status;

    if (a->child.pid > 0 && child_reap(&a->child, &status) != -EAGAIN) {
        ha_log(HA_LOG_ERR, "agents", "process %d died; starting it again",
               (int) a->child.pid);
        child_close(&a->child);
        a->child = CHILD_NONE;
        a->next = mono_add_ms(now, RESTART_MS);
    }
    if (a->child.pid <= 0 && !mono_before(now, a->next)) {
        a->next = mono_add_ms(now, RESTART_MS);
        start(a);
    }
}

unsigned int
agents_poll(const struct agents *a, struct pollfd pfds[])
{
    if (a->child.pid <= 0) {
        return 0;
    }
    pfds[0] = (struct pollfd){ a->child.pidfd, POLLIN, 0 };
    return 1;
}

mono_t
agents_due(const struct agents *a)
{
    return a->child.pid > 0 ? MONO_NEVER : a->next;
}
