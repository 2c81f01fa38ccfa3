/* SPDX-License-Identifier: Apache-2.0 */

/* Children that cannot be watched, and children that do not answer. */

#include "fence/helper.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/seq.h"

static bool no_pidfd;

/* In place of the C library's. */
int pidfd_open(pid_t pid, unsigned int flags);

int
pidfd_open(pid_t pid, unsigned int flags)
{
    if (no_pidfd) {
        errno = EMFILE;
        return -1;
    }
    return syscall(SYS_pidfd_open, pid, flags);
}

/* Answers each wish with itself; a 0 it keeps for itself. */
static void
echo(int fd, const void *aux)
{
    struct pollfd pfd = { STDIN_FILENO, POLLIN, 0 };
    char wish;

    (void) aux;
    dup2(fd, STDIN_FILENO);
    close_range(1, ~0U, 0);
    while (poll(&pfd, 1, -1) > 0 && seq_recv(0, &wish, 1) == 1) {
        if (wish) {
            seq_send(0, &wish, 1);
        }
    }
}

static struct helper helper;
static mono_t now;

static int
setup(void **state)
{
    (void) state;
    no_pidfd = false;
    now = (mono_t){ 1000000000 };
    helper_init(&helper, "test", echo, NULL);
    helper_want(&helper, now);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    helper_close(&helper);
    return 0;
}

/* Waits for something to happen to it. */
static void
wait_event(void)
{
    struct pollfd pfds[HELPER_MAX_POLL];

    assert_int_equal(helper_poll(&helper, pfds), 1);
    assert_int_equal(poll(pfds, 1, 10000), 1);
}

static void
no_zombie_is_left(void **state)
{
    (void) state;
    no_pidfd = true;
    assert_false(helper_run(&helper, now));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    /* And it is tried again. */
    no_pidfd = false;
    assert_false(helper_run(&helper, now));
    now = helper_next(&helper);
    assert_true(helper_run(&helper, now));
}

static void
who_answers_lives(void **state)
{
    char wish = 1, answer;

    (void) state;
    assert_true(helper_run(&helper, now));
    assert_true(helper_send(&helper, &wish, 1, now));
    assert_int_equal(helper_next(&helper).us,
                     mono_add_ms(now, HELPER_ANSWER_MS).us);
    wait_event();
    assert_int_equal(helper_receive(&helper, &answer, 1, now), 1);
    helper_answered(&helper, 1);
    now = mono_add_ms(now, 2 * HELPER_ANSWER_MS);
    assert_int_equal(helper_receive(&helper, &answer, 1, now), 0);
    assert_int_equal(helper_next(&helper).us, MONO_NEVER.us);
}

/* An answer to an earlier wish is none to this one. */
static void
who_owes_an_answer_is_replaced(void **state)
{
    char first = 1, second = 0, answer;
    pid_t pid;

    (void) state;
    assert_true(helper_run(&helper, now));
    pid = helper.child.pid;
    assert_true(helper_send(&helper, &first, 1, now));
    assert_true(helper_send(&helper, &second, 1, now));
    wait_event();
    assert_int_equal(helper_receive(&helper, &answer, 1, now), 1);
    helper_answered(&helper, 1);
    now = mono_add_ms(now, HELPER_ANSWER_MS - 1);
    assert_int_equal(helper_receive(&helper, &answer, 1, now), 0);
    now = mono_add_ms(now, 1);
    assert_int_equal(helper_receive(&helper, &answer, 1, now), -1);
    assert_int_equal(helper_receive(&helper, &answer, 1, now), 0);

    /* Not before it is dead. */
    wait_event();
    now = mono_add_ms(now, 1000);
    assert_true(helper_run(&helper, now));
    assert_int_not_equal(helper.child.pid, pid);
    assert_int_equal(kill(pid, 0), -1);
    assert_true(helper_send(&helper, &first, 1, now));
    wait_event();
    assert_int_equal(helper_receive(&helper, &answer, 1, now), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
        T(no_zombie_is_left),
        T(who_answers_lives),
        T(who_owes_an_answer_is_replaced),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
