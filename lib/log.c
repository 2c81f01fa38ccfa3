/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* A longer line is cut and ends in "...". */
#define LOG_LINE_MAX 2048

static struct {
    enum ha_log_level level;
    bool to_stderr;
    int fd; /* Log file, or -1. */

    /* The system's log. */
    const char *ident; /* NULL: it gets nothing. */
    const char *journal, *syslog;
    int socket;
    bool all; /* It gets all lines, in place of standard error. */
} log_state = { .level = HA_LOG_INFO, .to_stderr = true, .fd = -1 };

static const struct {
    const char *name;  /* In the configuration and on the command line. */
    const char *label; /* In the line, as OVS writes it. */
    int priority;      /* For syslog. */
} levels[HA_LOG_N_LEVELS] = {
    [HA_LOG_ERR] = { "err", "ERR", LOG_ERR },
    [HA_LOG_WARN] = { "warn", "WARN", LOG_WARNING },
    [HA_LOG_INFO] = { "info", "INFO", LOG_INFO },
    [HA_LOG_DBG] = { "dbg", "DBG", LOG_DEBUG },
};

bool
ha_log_enabled(enum ha_log_level level)
{
    return level <= log_state.level
           && (log_state.to_stderr || log_state.all || log_state.fd >= 0);
}

void
ha_log_set_level(enum ha_log_level level)
{
    assert(level < HA_LOG_N_LEVELS);
    log_state.level = level;
}

enum ha_log_level
ha_log_get_level(void)
{
    return log_state.level;
}

const char *
ha_log_level_name(enum ha_log_level level)
{
    assert(level < HA_LOG_N_LEVELS);
    return levels[level].name;
}

int
ha_log_level_from_name(const char *name, enum ha_log_level *ret_level)
{
    for (int i = 0; i < HA_LOG_N_LEVELS; i++) {
        if (!strcmp(name, levels[i].name)) {
            *ret_level = i;
            return 0;
        }
    }
    return -EINVAL;
}

void
ha_log_to_stderr(bool enable)
{
    log_state.to_stderr = enable;
}

/* Whether systemd has connected standard error to journald. */
static bool
stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    uintmax_t dev, ino;
    struct stat st;

    return text && sscanf(text, "%" SCNuMAX ":%" SCNuMAX, &dev, &ino) == 2
           && !fstat(STDERR_FILENO, &st) && st.st_dev == dev
           && st.st_ino == ino;
}

void
ha_log_to_system(const char *ident, const char *journal, const char *syslog)
{
    if (log_state.ident) {
        close(log_state.socket);
    }
    log_state.socket =
        ident ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
              : -1;
    log_state.ident = log_state.socket >= 0 ? ident : NULL;
    log_state.journal = journal;
    log_state.syslog = syslog;
    log_state.all = log_state.ident && stderr_is_journal();
}

int
ha_log_to_file(const char *path)
{
    int fd = -1;

    if (path) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0) {
            return -errno;
        }
    }
    if (log_state.fd >= 0) {
        close(log_state.fd);
    }
    log_state.fd = fd;
    return 0;
}

/* Writes the time, the level and the subsystem, and returns the length.  The
 * text for the system's log, which has a time of its own, starts at
 * '*ret_text_ofs'. */
static int
format_head(char *line, size_t size, enum ha_log_level level,
            const char *subsystem, int *ret_text_ofs)
{
    struct timespec now;
    struct tm tm;
    int n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
    n += snprintf(line + n, size - n, ".%03ldZ|%s|", now.tv_nsec / 1000000,
                  levels[level].label);
    *ret_text_ofs = n;
    return n + snprintf(line + n, size - n, "%.64s: ", subsystem);
}

/* Ends the line of 'n' characters, or more if it was cut, and returns its
 * length, newline included. */
static int
format_tail(char *line, int size, int n)
{
    if (n > size - 2) {
        n = size - 2;
        memcpy(line + n - 3, "...", 3);
    }
    for (int i = 0; i < n; i++) {
        if ((unsigned char) line[i] < ' ' || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[n++] = '\n';
    line[n] = '\0';
    return n;
}

static void
write_line(int fd, const char *line, int n)
{
    ssize_t written = write(fd, line, n);

    /* There is no one to tell. */
    (void) written;
}

/* Sends a datagram to the socket 'path'.  Returns false if nobody listens
 * there; one that does, but has no room, is not waited for. */
static bool
send_to(const char *path, const char *text, size_t n)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    return sendto(log_state.socket, text, n, MSG_NOSIGNAL,
                  (struct sockaddr *) &addr, sizeof addr)
               >= 0
           || (errno != ENOENT && errno != ECONNREFUSED);
}

/* Adds "NAME=VALUE", without what would end the field. */
static size_t
add_field(char *buf, size_t size, size_t n, const char *name,
          const char *value)
{
    size_t end;

    if (n + strlen(name) + strlen(value) + 2 >= size) {
        return n;
    }
    end = n + (size_t) sprintf(buf + n, "%s=%s", name, value);
    for (; n < end; n++) {
        if (buf[n] == '\n') {
            buf[n] = ' ';
        }
    }
    buf[end] = '\n';
    return end + 1;
}

/* Tells the system's log.  'line' is the text without time, and a newline. */
static void
tell_system(enum ha_log_level level, const char *subsystem,
            const struct ha_log_field *fields, size_t n_fields,
            const char *line, int n_line)
{
    char buf[2 * LOG_LINE_MAX], priority[12], when[32];
    time_t now = time(NULL);
    size_t n = 0;
    struct tm tm;

    snprintf(priority, sizeof priority, "%d", levels[level].priority);
    n = add_field(buf, sizeof buf, n, "PRIORITY", priority);
    n = add_field(buf, sizeof buf, n, "SYSLOG_FACILITY", "3");
    n = add_field(buf, sizeof buf, n, "SYSLOG_IDENTIFIER", log_state.ident);
    n = add_field(buf, sizeof buf, n, "OVN_HA_SUBSYSTEM", subsystem);
    n += (size_t) snprintf(buf + n, sizeof buf - n, "MESSAGE=%.*s\n",
                           n_line - 1, line);
    for (size_t i = 0; i < n_fields; i++) {
        n = add_field(buf, sizeof buf, n, fields[i].name, fields[i].value);
    }
    if (send_to(log_state.journal, buf, n)) {
        return;
    }
    localtime_r(&now, &tm);
    strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
    n = (size_t) snprintf(buf, sizeof buf, "<%d>%s %s[%d]: %.*s",
                          LOG_DAEMON | levels[level].priority, when,
                          log_state.ident, (int) getpid(), n_line - 1, line);
    send_to(log_state.syslog, buf, n);
}

/* Writes a line of 'n' characters to everyone who gets it; without its time
 * it begins at 'text_ofs'. */
static void
write_all(enum ha_log_level level, const char *subsystem,
          const struct ha_log_field *fields, size_t n_fields, const char *line,
          int n, int text_ofs)
{
    if (log_state.to_stderr && !log_state.all) {
        write_line(STDERR_FILENO, line, n);
    }
    if (log_state.fd >= 0) {
        write_line(log_state.fd, line, n);
    }
    if (log_state.ident && (log_state.all || n_fields)) {
        tell_system(level, subsystem, fields, n_fields, line + text_ofs,
                    n - text_ofs);
    }
}

void
ha_log(enum ha_log_level level, const char *subsystem, const char *fmt, ...)
{
    int saved_errno = errno;
    char line[LOG_LINE_MAX];
    int text_ofs, n, n_text;
    va_list args;

    assert(level < HA_LOG_N_LEVELS);
    if (!ha_log_enabled(level)) {
        return;
    }
    n = format_head(line, sizeof line, level, subsystem, &text_ofs);
    va_start(args, fmt);
    errno = saved_errno; /* For "%m". */
    n_text = vsnprintf(line + n, sizeof line - n, fmt, args);
    va_end(args);
    n = format_tail(line, sizeof line, n_text < 0 ? n : n + n_text);
    write_all(level, subsystem, NULL, 0, line, n, text_ofs);
    errno = saved_errno;
}

void
ha_log_event(enum ha_log_level level, const char *subsystem,
             const struct ha_log_field *fields, size_t n_fields,
             const char *text)
{
    int saved_errno = errno;
    char line[LOG_LINE_MAX];
    int text_ofs, n;

    assert(level < HA_LOG_N_LEVELS);
    n = format_head(line, sizeof line, level, subsystem, &text_ofs);
    n += snprintf(line + n, sizeof line - n, "%s", text);
    n = format_tail(line, sizeof line, n);
    write_all(level, subsystem, fields, n_fields, line, n, text_ofs);
    errno = saved_errno;
}
