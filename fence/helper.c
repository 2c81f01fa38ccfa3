/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/helper.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fence/harden.h"
#include "lib/log.h"
#include "lib/seq.h"

#define RESTART_MS 100 /* After a child that died. */

void
helper_init(struct helper *h, const char *name, helper_life *life)
{
    *h = (struct helper){
        .name = name,
        .life = life,
        .child = CHILD_NONE,
        .fd = -1,
        .next_start = MONO_NEVER,
    };
}

void
helper_hang_up(struct helper *h)
{
    if (h->fd >= 0) {
        close(h->fd);
        h->fd = -1;
    }
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
helper_send(struct helper *h, const void *wish, size_t n)
{
    return h->fd >= 0 && !seq_send(h->fd, wish, n);
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
    } else if (len == -EAGAIN) {
        return 0;
    }
    ha_log(HA_LOG_ERR, h->name, "process %d is gone", (int) h->child.pid);
    helper_hang_up(h);
    h->next_start = mono_add_ms(now, RESTART_MS);
    return -1;
}

static void
start(struct helper *h, mono_t now)
{
    int fds[2];
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
        h->life(fds[1]);
        _exit(0);
    }
    if (pid < 0) {
        ha_log(HA_LOG_ERR, h->name, "cannot start a process: %s",
               strerror(errno));
        close(fds[0]);
        close(fds[1]);
        return;
    }
    close(fds[1]);
    h->child = (struct child){ .pid = pid, .pidfd = pidfd_open(pid, 0) };
    h->fd = fds[0];
    h->next_start = MONO_NEVER;
}

bool
helper_run(struct helper *h, mono_t now)
{
    int status;

    if (h->fd < 0 && h->child.pidfd >= 0
        && child_reap(&h->child, &status) != -EAGAIN) {
        child_close(&h->child);
    }
    if (mono_before(now, helper_next(h))) {
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
    return h->fd >= 0 || h->child.pidfd >= 0 ? MONO_NEVER : h->next_start;
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
