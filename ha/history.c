/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/durable.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define FILE_MAX (1024 * 1024)

struct history {
    char *path;
    char *old_path;
    int fd;
    size_t n; /* Bytes in the file. */
};

static int
open_file(struct history *h)
{
    struct stat st;

    h->fd = open(h->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (h->fd < 0) {
        return -errno;
    }
    h->n = fstat(h->fd, &st) ? 0 : st.st_size;
    return 0;
}

int
history_open(const char *folder, struct history **ret_history)
{
    struct history *h = ha_calloc(1, sizeof *h);
    int error;

    h->path = ha_asprintf("%s/history.log", folder);
    h->old_path = ha_asprintf("%s/history.log.1", folder);
    error = open_file(h);
    if (error) {
        history_close(h);
        return error;
    }
    *ret_history = h;
    return 0;
}

void
history_close(struct history *h)
{
    if (h) {
        if (h->fd >= 0) {
            close(h->fd);
        }
        free(h->path);
        free(h->old_path);
        free(h);
    }
}

static void
rotate(struct history *h)
{
    if (h->n > FILE_MAX && !rename(h->path, h->old_path)) {
        close(h->fd);
        if (open_file(h)) {
            ha_log(HA_LOG_ERR, "history", "%s cannot be opened: %s", h->path,
                   strerror(errno));
        }
    }
}

void
history_add(struct history *h, struct ha_epoch epoch, enum ha_state state,
            const char *text)
{
    char when[32], *line;
    struct timespec ts;
    struct tm tm;

    rotate(h);
    if (h->fd < 0) {
        return;
    }
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    line = ha_asprintf("%s.%03ldZ|%u.%u|%s|%s\n", when, ts.tv_nsec / 1000000,
                       epoch.n, epoch.node, ha_state_name(state), text);
    if (write(h->fd, line, strlen(line)) > 0) {
        h->n += strlen(line);
    }
    free(line);
}

/* Where the last 'n' lines of 'text' begin; '*n' becomes the number of lines
 * that are missing. */
static const char *
last_lines(const char *text, size_t *n)
{
    const char *p = text + strlen(text);

    while (p > text && *n) {
        p--;
        while (p > text && p[-1] != '\n') {
            p--;
        }
        (*n)--;
    }
    return p;
}

char *
history_tail(const struct history *h, size_t n)
{
    char *old = NULL, *new = NULL, *tail;
    const char *from, *old_from = "";
    size_t size;

    if (durable_read(h->path, 2 * FILE_MAX, &new, &size)) {
        return ha_strdup("");
    }
    from = last_lines(new, &n);
    if (n && !durable_read(h->old_path, 2 * FILE_MAX, &old, &size)) {
        old_from = last_lines(old, &n);
    }
    tail = ha_asprintf("%s%s", old_from, from);
    free(old);
    free(new);
    return tail;
}
