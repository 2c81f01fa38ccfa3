/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* A longer line is cut and ends in "...". */
#define LOG_LINE_MAX 2048

static struct {
    enum ha_log_level level;
    bool to_stderr;
    bool to_syslog;
    int fd; /* Log file, or -1. */
} log_state = { HA_LOG_INFO, true, false, -1 };

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
           && (log_state.to_stderr || log_state.to_syslog
               || log_state.fd >= 0);
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

void
ha_log_to_syslog(const char *ident)
{
    if (log_state.to_syslog) {
        closelog();
    }
    if (ident) {
        openlog(ident, LOG_NDELAY | LOG_PID, LOG_DAEMON);
    }
    log_state.to_syslog = ident != NULL;
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
 * text for syslog starts at '*ret_text_ofs': syslog has its own time. */
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

    if (log_state.to_stderr) {
        write_line(STDERR_FILENO, line, n);
    }
    if (log_state.fd >= 0) {
        write_line(log_state.fd, line, n);
    }
    if (log_state.to_syslog) {
        syslog(levels[level].priority, "%.*s", n - text_ofs - 1,
               line + text_ofs);
    }
    errno = saved_errno;
}
