/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ha/core/trace.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define FILE_MAX (16 * 1024 * 1024) /* Two such files are kept. */
#define SLOW_US 100000              /* A write that took so long... */
#define REST_US 10000000            /* ...is followed by such a rest. */

struct journal {
    char *path;
    char *old_path;
    int fd;
    off_t bytes;              /* In the file. */
    struct trace_state state; /* Of the segment. */
    bool broken;              /* The next entry must begin a segment, */
    mono_t rest_until;        /* not before this time. */
};

static void
open_file(struct journal *j)
{
    struct stat st;

    j->fd = open(j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    j->bytes = j->fd < 0 || fstat(j->fd, &st) ? 0 : st.st_size;
}

/* What could not be written as a whole is taken back, and ends the
 * segment. */
static void
give_up(struct journal *j, int error)
{
    if (!j->broken) {
        ha_log(HA_LOG_WARN, "journal", "%s cannot be written: %s", j->path,
               strerror(error));
    }
    if (j->fd >= 0 && ftruncate(j->fd, j->bytes)) {
        close(j->fd);
        j->fd = -1;
    }
    j->broken = true;
    j->rest_until = mono_add_us(mono_now(), REST_US);
}

static void
append(struct journal *j, const void *data, size_t n)
{
    mono_t before = mono_now();
    ssize_t done = j->fd < 0 ? -1 : write(j->fd, data, n);

    if (done != (ssize_t) n) {
        give_up(j, done < 0 ? errno : ENOSPC);
        return;
    }
    j->bytes += n;
    if (mono_us_between(before, mono_now()) > SLOW_US) {
        j->broken = true;
        j->rest_until = mono_add_us(mono_now(), REST_US);
    }
}

/* Begins a segment with the core as it is. */
static void
begin_with_image(struct journal *j, const struct ha_core *core)
{
    static const size_t max = TRACE_MAGIC_LEN + TRACE_ENTRY_MAX + sizeof *core;
    uint8_t *buf = ha_calloc(1, max);
    size_t n = TRACE_MAGIC_LEN;

    memcpy(buf, TRACE_MAGIC, TRACE_MAGIC_LEN);
    memset(&j->state, 0, sizeof j->state);
    n += trace_put_image(&j->state, buf + n);
    memcpy(buf + n, core, sizeof *core);
    j->broken = false;
    append(j, buf, n + sizeof *core);
    free(buf);
}

struct journal *
journal_open(const char *folder, const struct ha_config *config)
{
    struct journal *j = ha_calloc(1, sizeof *j);
    uint8_t buf[TRACE_MAGIC_LEN + TRACE_ENTRY_MAX];
    size_t n = TRACE_MAGIC_LEN;

    j->path = ha_asprintf("%s/journal", folder);
    j->old_path = ha_asprintf("%s/journal.1", folder);
    open_file(j);
    memcpy(buf, TRACE_MAGIC, TRACE_MAGIC_LEN);
    n += trace_put_life(&j->state, config, buf + n);
    append(j, buf, n);
    return j;
}

void
journal_close(struct journal *j)
{
    if (j) {
        if (j->fd >= 0) {
            close(j->fd);
        }
        free(j->path);
        free(j->old_path);
        free(j);
    }
}

/* Makes room.  Both files together are bounded. */
static void
rotate(struct journal *j, const struct ha_core *core)
{
    if (rename(j->path, j->old_path)) {
        give_up(j, errno);
        return;
    }
    close(j->fd);
    open_file(j);
    begin_with_image(j, core);
}

void
journal_step(struct journal *j, const struct ha_core *core,
             const struct ha_event *ev, const struct ha_actions *actions)
{
    uint8_t buf[TRACE_ENTRY_MAX];

    if (j->broken && mono_before(ev->now, j->rest_until)) {
        return;
    }
    if (j->fd < 0) {
        open_file(j);
    }
    if (j->broken) {
        begin_with_image(j, core);
    } else {
        append(j, buf, trace_put_step(&j->state, ev, actions, buf));
    }
    if (j->fd >= 0 && j->bytes > FILE_MAX) {
        rotate(j, core);
    }
}
