/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/target.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "lib/log.h"

/* A child that was just forked has not become its program yet; how long to
 * wait for that. */
#define EXEC_WAIT_MS 1000
#define RETRY_MS 10

void
target_init(struct target *t, const char *comm)
{
    *t = (struct target){
        .comm = comm,
        .child = CHILD_NONE,
        .killed = MONO_NEVER,
        .next = MONO_NEVER,
    };
}

void
target_close(struct target *t)
{
    child_close(&t->child);
    target_init(t, t->comm);
}

void
target_set(struct target *t, pid_t pid)
{
    int pidfd;

    target_close(t);
    if (pid <= 0) {
        return;
    }
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        if (errno != ESRCH) {
            ha_log(HA_LOG_ERR, "door", "cannot watch %s, pid %d: %s", t->comm,
                   (int) pid, strerror(errno));
        }
        return;
    }
    t->child = (struct child){ .pid = pid, .pidfd = pidfd };
}

bool
target_is_dead(const struct target *t)
{
    int status;

    return t->child.pidfd < 0 || child_reap(&t->child, &status) != -EAGAIN;
}

/* Sends SIGKILL if the process runs the right program. */
static void
kill_once(struct target *t, mono_t now)
{
    struct child_stat st;

    t->next = mono_add_ms(now, RETRY_MS);
    if (child_read_stat(t->child.pid, &st)) {
        return; /* Dead, which the next turn sees. */
    }
    if (!strncmp(st.comm, t->comm, sizeof st.comm - 1)) {
        child_signal(&t->child, SIGKILL);
    } else if (!mono_before(now, t->kill_until)) {
        ha_log(HA_LOG_ERR, "door", "pid %d is not %s but %s; leaving it alone",
               (int) t->child.pid, t->comm, st.comm);
        target_close(t);
    }
}

void
target_kill(struct target *t, const char *why, mono_t now)
{
    if (t->killing || target_is_dead(t)) {
        return;
    }
    ha_log(HA_LOG_WARN, "door", "killing %s, pid %d: %s", t->comm,
           (int) t->child.pid, why);
    t->killing = true;
    t->killed = now;
    t->kill_until = mono_add_ms(now, EXEC_WAIT_MS);
    kill_once(t, now);
}

void
target_run(struct target *t, mono_t now)
{
    if (t->child.pidfd >= 0 && target_is_dead(t)) {
        ha_log(HA_LOG_INFO, "door", "%s, pid %d, is dead", t->comm,
               (int) t->child.pid);
        target_close(t);
    } else if (t->killing && !mono_before(now, t->next)) {
        kill_once(t, now);
    }
}
