/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_LOG_H
#define HA_LIB_LOG_H 1

/* The log.
 *
 * One line an event, the subsystem first, then a full sentence with names and
 * numbers:
 *
 *     2026-11-22T01:02:03.456Z|INFO|group: n1 left; quorum kept with 2 of 3
 *
 * Every program uses it; the pure parts (ha/core, the lease) do not.  Where
 * the lines go and from which level on is the only global state of the
 * project.  Logging never fails: a line that cannot be written is lost.  Nor
 * does it wait for the system's log, which may stand still. */

#include <stdbool.h>
#include <stddef.h>

enum ha_log_level {
    HA_LOG_ERR,
    HA_LOG_WARN,
    HA_LOG_INFO,
    HA_LOG_DBG,
    HA_LOG_N_LEVELS,
};

/* Logs one line.  'subsystem' is a word such as "group".  Control characters
 * in the text, which may come from the outside world, become '?'.  Keeps
 * errno. */
void ha_log(enum ha_log_level level, const char *subsystem, const char *fmt,
            ...) __attribute__((format(printf, 3, 4)));

/* True if a line of 'level' would be written somewhere. */
bool ha_log_enabled(enum ha_log_level level);

/* Lines above 'level' are dropped.  HA_LOG_INFO at the start. */
void ha_log_set_level(enum ha_log_level level);
enum ha_log_level ha_log_get_level(void);

/* "err", "warn", "info", "dbg".  The parser returns 0 or -EINVAL. */
const char *ha_log_level_name(enum ha_log_level level);
int ha_log_level_from_name(const char *name, enum ha_log_level *ret_level);

/* Standard error is the sink at the start. */
void ha_log_to_stderr(bool enable);

/* A field of an event, for those who filter: NAME as journald wants it, and a
 * value. */
struct ha_log_field {
    const char *name;
    const char *value;
};

/* Logs one line like ha_log(), which the system's log gets in any case: journald
 * with these fields besides its usual ones, or syslog, which has none. */
void ha_log_event(enum ha_log_level level, const char *subsystem,
                  const struct ha_log_field *, size_t n, const char *text);

/* Sends events to the system's log as 'ident': to journald's socket
 * 'journal', or, where nobody listens on that, to syslog's 'syslog'.  If
 * standard error is journald's anyway, all lines go there by the socket, with
 * their level, and none through standard error.  The names must stay valid;
 * NULL for 'ident' stops it. */
void ha_log_to_system(const char *ident, const char *journal,
                      const char *syslog);
#define HA_LOG_JOURNAL "/run/systemd/journal/socket"
#define HA_LOG_SYSLOG "/dev/log"

/* Also appends to the file 'path'; NULL stops that.  Call it again with the
 * same path after a rotation.  Returns 0 or a negative errno, and then the
 * old file stays in use. */
int ha_log_to_file(const char *path);

#endif /* HA_LIB_LOG_H */
