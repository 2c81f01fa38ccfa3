/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
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
    };

    return cmocka_run_group_tests_name("log", tests, setup, teardown);
}
