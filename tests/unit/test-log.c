/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char path[] = "/tmp/test-log.XXXXXX";

/* Reads the whole log file into 'buf' and empties the file. */
static void
take_log(char *buf, size_t size)
{
    int fd = open(path, O_RDWR);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, buf, size - 1);
    assert_true(n >= 0);
    buf[n] = '\0';
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
}

static int
setup(void **state)
{
    int fd = mkstemp(path);

    (void) state;
    if (fd < 0) {
        return -1;
    }
    close(fd);
    ha_log_to_stderr(false);
    return ha_log_to_file(path);
}

static int
teardown(void **state)
{
    (void) state;
    ha_log_to_file(NULL);
    return unlink(path);
}

static void
line_has_the_documented_form(void **state)
{
    char buf[4096];
    regex_t re;

    (void) state;
    ha_log(HA_LOG_INFO, "group", "n1 left; %d of %d votes", 2, 3);
    take_log(buf, sizeof buf);
    assert_int_equal(
        regcomp(&re,
                "^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-9][0-9]:[0-9][0-9]:"
                "[0-9][0-9][.][0-9]{3}Z[|]INFO[|]"
                "group: n1 left; 2 of 3 votes\n$",
                REG_EXTENDED | REG_NOSUB),
        0);
    assert_int_equal(regexec(&re, buf, 0, NULL, 0), 0);
    regfree(&re);
}

static void
level_decides(void **state)
{
    char buf[4096];

    (void) state;
    ha_log_set_level(HA_LOG_WARN);
    assert_int_equal(ha_log_get_level(), HA_LOG_WARN);
    assert_false(ha_log_enabled(HA_LOG_INFO));
    ha_log(HA_LOG_INFO, "x", "unseen");
    ha_log(HA_LOG_ERR, "x", "seen");
    ha_log_set_level(HA_LOG_INFO);
    take_log(buf, sizeof buf);
    assert_null(strstr(buf, "unseen"));
    assert_non_null(strstr(buf, "|ERR|x: seen\n"));
}

static void
names_of_levels(void **state)
{
    enum ha_log_level level = HA_LOG_N_LEVELS;

    (void) state;
    for (int i = 0; i < HA_LOG_N_LEVELS; i++) {
        assert_int_equal(ha_log_level_from_name(ha_log_level_name(i), &level),
                         0);
        assert_int_equal(level, i);
    }
    assert_int_equal(ha_log_level_from_name("loud", &level), -EINVAL);
}

static void
hostile_text_stays_one_line(void **state)
{
    char big[5000], buf[8192];
    size_t n;

    (void) state;
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    big[10] = '\n';
    big[11] = '\033';
    ha_log(HA_LOG_INFO, "x", "%s", big);
    take_log(buf, sizeof buf);
    n = strlen(buf);
    assert_in_range(n, 1000, 2048);
    assert_ptr_equal(strchr(buf, '\n'), buf + n - 1);
    assert_memory_equal(buf + n - 4, "...\n", 4);
    assert_non_null(strstr(buf, "a??a"));
}

static void
errno_is_kept_and_usable(void **state)
{
    char buf[4096];

    (void) state;
    errno = ENOENT;
    ha_log(HA_LOG_INFO, "x", "open: %m");
    assert_int_equal(errno, ENOENT);
    take_log(buf, sizeof buf);
    assert_non_null(strstr(buf, "open: No such file or directory\n"));
}

static void
bad_file_keeps_the_old_one(void **state)
{
    char buf[4096];

    (void) state;
    assert_int_equal(ha_log_to_file("/nonexistent/x"), -ENOENT);
    ha_log(HA_LOG_INFO, "x", "still here");
    take_log(buf, sizeof buf);
    assert_non_null(strstr(buf, "still here"));
}

/* ---- The system's log ---------------------------------------------------- */

static char dir[] = "/tmp/test-log.XXXXXX";
static char journal[64], syslogd[64];

/* A socket that gets what is sent to 'name'. */
static int
listen_at(const char *name)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", name);
    assert_int_equal(bind(fd, (struct sockaddr *) &addr, sizeof addr), 0);
    return fd;
}

/* The next datagram; "" if there is none. */
static const char *
next(int fd)
{
    static char buf[8192];
    ssize_t n = recv(fd, buf, sizeof buf - 1, 0);

    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

static void
unlisten(int fd, const char *name)
{
    close(fd);
    unlink(name);
}

static int
system_setup(void **state)
{
    (void) state;
    unsetenv("JOURNAL_STREAM");
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(journal, sizeof journal, "%s/journal", dir);
    snprintf(syslogd, sizeof syslogd, "%s/syslog", dir);
    ha_log_to_system("ovn-x", journal, syslogd);
    return 0;
}

static int
system_teardown(void **state)
{
    char buf[8192];

    (void) state;
    ha_log_to_system(NULL, NULL, NULL);
    take_log(buf, sizeof buf);
    rmdir(dir);
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
    return 0;
}

static const struct ha_log_field fields[] = {
    { "MESSAGE_ID", "abc" },
    { "OVN_HA_STATE", "act\nPRIORITY=0" },
};

/* Events only, with their fields; nothing can be added to those. */
static void
journald_gets_fields(void **state)
{
    int fd = listen_at(journal);

    (void) state;
    ha_log(HA_LOG_INFO, "core", "just a line");
    ha_log_event(HA_LOG_WARN, "core", fields, 2, "n1: gone\nPRIORITY=0");
    assert_string_equal(next(fd),
                        "PRIORITY=4\nSYSLOG_FACILITY=3\n"
                        "SYSLOG_IDENTIFIER=ovn-x\nOVN_HA_SUBSYSTEM=core\n"
                        "MESSAGE=core: n1: gone?PRIORITY=0\n"
                        "MESSAGE_ID=abc\nOVN_HA_STATE=act PRIORITY=0\n");
    assert_string_equal(next(fd), "");
    unlisten(fd, journal);
}

/* If standard error goes to journald, its lines have their level, too. */
static void
journald_gets_all_lines_of_a_service(void **state)
{
    int fd = listen_at(journal);
    struct stat st;
    char stream[64];

    (void) state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t) st.st_dev,
             (uintmax_t) st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    ha_log_to_system("ovn-x", journal, syslogd);
    ha_log(HA_LOG_ERR, "core", "a line");
    assert_non_null(strstr(next(fd), "PRIORITY=3\n"));
    setenv("JOURNAL_STREAM", "1:1", 1);
    ha_log_to_system("ovn-x", journal, syslogd);
    ha_log(HA_LOG_ERR, "core", "a line");
    assert_string_equal(next(fd), "");
    unlisten(fd, journal);
}

static void
syslog_gets_events_elsewhere(void **state)
{
    int fd = listen_at(syslogd);
    char end[64];
    const char *text;

    (void) state;
    ha_log(HA_LOG_INFO, "core", "just a line");
    ha_log_event(HA_LOG_WARN, "core", fields, 2, "n1 is gone");
    text = next(fd);
    snprintf(end, sizeof end, " ovn-x[%d]: core: n1 is gone", (int) getpid());
    assert_memory_equal(text, "<28>", 4); /* daemon.warning */
    assert_string_equal(text + strlen(text) - strlen(end), end);
    assert_string_equal(next(fd), "");
    unlisten(fd, syslogd);
}

/* Nobody there, and one who does not read: neither is waited for. */
static void
a_system_log_that_stands_still(void **state)
{
    int fd;

    (void) state;
    alarm(60); /* Ends the test instead of hanging. */
    ha_log_event(HA_LOG_INFO, "core", fields, 2, "into the void");
    fd = listen_at(journal);
    for (int i = 0; i < 5000; i++) {
        ha_log_event(HA_LOG_INFO, "core", fields, 2, "flood");
    }
    assert_non_null(strstr(next(fd), "MESSAGE=core: flood\n"));
    unlisten(fd, journal);
    alarm(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_has_the_documented_form),
        cmocka_unit_test(level_decides),
        cmocka_unit_test(names_of_levels),
        cmocka_unit_test(hostile_text_stays_one_line),
        cmocka_unit_test(errno_is_kept_and_usable),
        cmocka_unit_test(bad_file_keeps_the_old_one),
        cmocka_unit_test_setup_teardown(journald_gets_fields, system_setup,
                                        system_teardown),
        cmocka_unit_test_setup_teardown(journald_gets_all_lines_of_a_service,
                                        system_setup, system_teardown),
        cmocka_unit_test_setup_teardown(syslog_gets_events_elsewhere,
                                        system_setup, system_teardown),
        cmocka_unit_test_setup_teardown(a_system_log_that_stands_still,
                                        system_setup, system_teardown),
    };

    return cmocka_run_group_tests_name("log", tests, setup, teardown);
}
