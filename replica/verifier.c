/* SPDX-License-Identifier: Apache-2.0 */

/* The worker's end of a verifier. */

#include <config.h>

#include "replica/verifier.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "util.h"

#include "lib/child.h"
#include "replica/verifier-private.h"

struct verifier {
    struct child child;
    int fd;
};

/* This program's file, even if another has taken its place. */
static void
find_program(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

    path[MAX(n, 0)] = '\0';
    if (n <= 0 || access(path, X_OK)) {
        ovs_strlcpy(path, "/proc/self/exe", PATH_MAX);
    }
}

int
verifier_start(bool asks, int fd, uint64_t upto, struct verifier **ret)
{
    char program[PATH_MAX], size[32];
    const char *argv[] = { program, asks ? "--verify=ask" : "--verify=answer",
                           size, NULL };
    struct child_fd inherit[] = { { .as = VERIFIER_FD },
                                  { .fd = fd, .as = VERIFIER_FILE_FD } };
    struct child_spec spec = { .argv = argv,
                               .fds = inherit,
                               .n_fds = ARRAY_SIZE(inherit),
                               .reset_priority = true };
    struct child child;
    int fds[2], error;

    find_program(program);
    snprintf(size, sizeof size, "--upto=%" PRIu64, upto);
    error = seq_pair(fds);
    if (error) {
        return error;
    }
    inherit[0].fd = fds[1];
    error = child_spawn(&spec, &child);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        return error;
    }
    *ret = xzalloc(sizeof **ret);
    (*ret)->child = child;
    (*ret)->fd = fds[0];
    return 0;
}

/* The kernel reaps it: this program ignores SIGCHLD. */
void
verifier_stop(struct verifier *v)
{
    if (v) {
        child_signal(&v->child, SIGKILL);
        child_close(&v->child);
        close(v->fd);
        free(v);
    }
}

int
verifier_recv(struct verifier *v, struct verifier_msg *m)
{
    const size_t head = offsetof(struct verifier_msg, text);
    ssize_t n = seq_recv(v->fd, m, sizeof *m);

    if (n < 0) {
        return n;
    }
    return (size_t) n >= head && m->len == n - head ? 0 : -EPROTO;
}

int
verifier_send(struct verifier *v, const void *text, size_t n)
{
    return n && n <= VERIFIER_TEXT_MAX ? seq_send(v->fd, text, n) : -EBADMSG;
}

void
verifier_wait(struct verifier *v)
{
    poll_fd_wait(v->fd, POLLIN);
}
