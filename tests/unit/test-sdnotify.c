/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/sdnotify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Listens as systemd does on 'name', where '@' stands for the abstract name
 * space, and puts it into the environment. */
static int
listen_as_systemd(const char *name)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    socklen_t len = offsetof(struct sockaddr_un, sun_path) + strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    strcpy(addr.sun_path, name);
    if (*name == '@') {
        addr.sun_path[0] = '\0';
    }
    assert_int_equal(bind(fd, (struct sockaddr *) &addr, len), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static void
assert_arrives(const char *name)
{
    int fd = listen_as_systemd(name);
    char buf[100];

    assert_int_equal(sdnotify_send("READY=1\nSTATUS=Standby"), 0);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 22);
    assert_memory_equal(buf, "READY=1\nSTATUS=Standby", 22);
    close(fd);
    assert_int_equal(sdnotify_send("x"), -ECONNREFUSED);
}

static void
abstract_socket(void **state)
{
    char name[60];

    (void) state;
    snprintf(name, sizeof name, "@ovn-ha/test-sdnotify/%d", (int) getpid());
    assert_arrives(name);
}

static void
socket_by_path(void **state)
{
    char dir[] = "/tmp/test-sdnotify.XXXXXX", name[60];

    (void) state;
    assert_non_null(mkdtemp(dir));
    snprintf(name, sizeof name, "%s/notify", dir);
    assert_arrives(name);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(sdnotify_send("x"), -ENOENT);
}

static void
no_socket_and_bad_ones(void **state)
{
    char longer[200];

    (void) state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(sdnotify_send("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
    assert_int_equal(sdnotify_send("READY=1"), -EINVAL);
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    assert_int_equal(sdnotify_send("READY=1"), -EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(abstract_socket),
        cmocka_unit_test(socket_by_path),
        cmocka_unit_test(no_socket_and_bad_ones),
    };

    return cmocka_run_group_tests_name("sdnotify", tests, NULL, NULL);
}
