/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/helper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fence/harden.h"
#include "lib/log.h"
#include "lib/seq.h"

#define RESTART_MS 100 /* After a child that died. */

void
helper_init(struct helper *h, const char *name, helper_life *life,
            const void *aux)
{
    *h = (struct helper){
        .name = name,
        .life = life,
        .aux = aux,
        .child = CHILD_NONE,
        .fd = -1,
        .next_start = MONO_NEVER,
        .answer_by = MONO_NEVER,
    };
}

void
helper_hang_up(struct helper *h)
{
    if (h->fd >= 0) {
        close(h->fd);
        h->fd = -1;
    }
    h->answer_by = MONO_NEVER;
}

void
helper_close(struct helper *h)
{
    helper_hang_up(h);
    child_close(&h->child);
}

void
helper_want(struct helper *h, mono_t now)
{
    if (h->fd < 0) {
        h->next_start = now;
    }
}

bool
helper_send(struct helper *h, const void *wish, size_t n, mono_t now)
{
    if (h->fd < 0) {
        return false;
    }
    if (h->answer_by.us == MONO_NEVER.us) {
        /* Also of one that does not even fit. */
        h->answer_by = mono_add_ms(now, HELPER_ANSWER_MS);
    }
    if (seq_send(h->fd, wish, n)) {
        return false;
    }
    h->n_sent++;
    return true;
}

void
helper_answered(struct helper *h, uint32_t n)
{
    if (n == h->n_sent) {
        h->answer_by = MONO_NEVER;
    }
}

/* Another one is started once this one is dead. */
static void
lose(struct helper *h, mono_t now)
{
    helper_hang_up(h);
    h->next_start = mono_add_ms(now, RESTART_MS);
}

int
helper_receive(struct helper *h, void *answer, size_t n, mono_t now)
{
    ssize_t len;

    if (h->fd < 0) {
        return 0;
    }
    len = seq_recv(h->fd, answer, n);
    if (len == (ssize_t) n) {
        return 1;
    } else if (len == -EAGAIN && mono_before(now, h->answer_by)) {
        return 0;
    } else if (len == -EAGAIN) {
        ha_log(HA_LOG_ERR, h->name,
               "process %d owes an answer for %d ms; "
               "killing it",
               (int) h->child.pid, HELPER_ANSWER_MS);
        child_signal(&h->child, SIGKILL);
    } else {
        ha_log(HA_LOG_ERR, h->name, "process %d is gone", (int) h->child.pid);
    }
    lose(h, now);
    return -1;
}

static void
start(struct helper *h, mono_t now)
{
    int fds[2], pidfd;
    int error = seq_pair(fds);
    pid_t pid;

    h->next_start = mono_add_ms(now, RESTART_MS); /* Unless it goes well. */
    if (error) {
        ha_log(HA_LOG_ERR, h->name, "cannot start a process: %s",
               strerror(-error));
        return;
    }
    pid = fork();
    if (!pid) {
        h->life(fds[1], h->aux);
        _exit(0);
    }
    pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
    if (pidfd < 0) {
        ha_log(HA_LOG_ERR, h->name, "cannot start a process: %s",
               strerror(errno));
        if (pid > 0) {
            /* One that cannot be watched would stay, dead or alive. */
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        close(fds[0]);
        close(fds[1]);
        return;
    }
    close(fds[1]);
    h->child = (struct child){ .pid = pid, .pidfd = pidfd };
    h->fd = fds[0];
    h->n_sent = 0;
    h->answer_by = h->next_start = MONO_NEVER;
}

bool
helper_run(struct helper *h, mono_t now)
{
    int status;

    if (h->fd < 0 && h->child.pidfd >= 0
        && child_reap(&h->child, &status) != -EAGAIN) {
        child_close(&h->child);
    }
    if (h->fd >= 0 || mono_before(now, helper_next(h))) {
        return false;
    }
    start(h, now);
    return h->fd >= 0;
}

unsigned int
helper_poll(const struct helper *h, struct pollfd pfds[])
{
    if (h->fd >= 0) {
        pfds[0] = (struct pollfd){ h->fd, POLLIN, 0 };
    } else if (h->child.pidfd >= 0) {
        pfds[0] = (struct pollfd){ h->child.pidfd, POLLIN, 0 };
    } else {
        return 0;
    }
    return 1;
}

mono_t
helper_next(const struct helper *h)
{
    if (h->fd >= 0) {
        return h->answer_by;
    }
    return h->child.pidfd >= 0 ? MONO_NEVER : h->next_start;
}

void
helper_begin(int fd, const char *name)
{
    prctl(PR_SET_NAME, name); /* Not to be taken for its parent. */
    /* The worker's lock must end with the worker. */
    if (dup2(fd, STDIN_FILENO) < 0 || close_range(3, ~0U, 0)) {
        _exit(1);
    }
    harden();
}

bool
helper_take(void *wish, size_t n)
{
    struct pollfd pfd = { STDIN_FILENO, POLLIN, 0 };
    ssize_t got;

    do {
        got = seq_recv(STDIN_FILENO, wish, n);
    } while (got == -EAGAIN && (poll(&pfd, 1, -1) >= 0 || errno == EINTR));
    return got == (ssize_t) n;
}
