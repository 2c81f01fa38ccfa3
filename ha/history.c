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

    /* The last lines, of this life and those before. */
    char *recent[HISTORY_RECENT];
    size_t n_recent; /* Lines so far; the newest is the one before. */
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

/* Takes over 'line'. */
static void
remember(struct history *h, char *line)
{
    char **slot = &h->recent[h->n_recent++ % HISTORY_RECENT];

    free(*slot);
    *slot = line;
}

static void
remember_tail(struct history *h)
{
    char *tail = history_tail(h, HISTORY_RECENT), *rest = tail, *line;

    while ((line = strsep(&rest, "\n"))) {
        if (*line) {
            remember(h, ha_strdup(line));
        }
    }
    free(tail);
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
    remember_tail(h);
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
        for (size_t i = 0; i < HISTORY_RECENT; i++) {
            free(h->recent[i]);
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
    line[strlen(line) - 1] = '\0';
    remember(h, line);
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

/* NULL for a line that is damaged. */
static json_t *
parse_line(const char *line)
{
    char *copy = ha_strdup(line), *text = copy;
    const char *time = strsep(&text, "|"), *epoch = strsep(&text, "|");
    const char *state = strsep(&text, "|");
    json_t *event = NULL;

    if (text) {
        event = json_pack("{s:s, s:s, s:s, s:s}", "time", time, "epoch", epoch,
                          "state", state, "text", text);
    }
    free(copy);
    return event;
}

json_t *
history_recent(const struct history *h)
{
    size_t n = h->n_recent < HISTORY_RECENT ? h->n_recent : HISTORY_RECENT;
    json_t *events = json_array();

    for (size_t i = h->n_recent - n; i < h->n_recent; i++) {
        json_array_append_new(events,
                              parse_line(h->recent[i % HISTORY_RECENT]));
    }
    return events;
}
