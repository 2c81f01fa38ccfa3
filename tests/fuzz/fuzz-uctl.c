/* SPDX-License-Identifier: Apache-2.0 */

/* Control sockets: the input is what a client says to the server, or what a
 * server answers to the client, in pieces. */

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/uctl.h"
#include "lib/unixpath.h"
#include "tests/fuzz/logfile.h"

#define STEPS 64 /* At most: one for each piece, and some. */

static struct uctl_server *server;
static const char *path;

/* Says the next piece of the input.  When there is no more, hangs up. */
static void
say(int fd, struct fuzz *in, size_t piece)
{
    size_t n;
    const uint8_t *p = fuzz_bytes(in, piece, &n);

    if (n) {
        /* The other end may have closed. */
        assert(send(fd, p, n, MSG_NOSIGNAL) == (ssize_t) n || errno == EPIPE
               || errno == ECONNRESET);
    } else {
        shutdown(fd, SHUT_WR);
    }
}

static void
answer(struct uctl_conn *conn)
{
    assert(uctl_conn_method(conn));
    for (size_t i = 0; i < uctl_conn_n_args(conn); i++) {
        assert(uctl_conn_arg(conn, i));
    }
    assert(!uctl_conn_arg(conn, uctl_conn_n_args(conn)));
    if (uctl_conn_n_args(conn)) {
        uctl_conn_reply(conn, uctl_conn_arg(conn, 0));
    } else {
        uctl_conn_reply_error(conn, uctl_conn_method(conn));
    }
}

static void
serve(struct fuzz *in, size_t piece)
{
    int fd = unixpath_connect(path, SOCK_STREAM);
    struct uctl_conn *conn;
    int error = 0;

    assert(fd >= 0 && !uctl_server_accept(server, &conn));
    for (int i = 0; i < STEPS && (!error || error == -EAGAIN); i++) {
        say(fd, in, piece);
        error = uctl_conn_step(conn);
        if (!error) {
            answer(conn);
        }
    }
    uctl_conn_destroy(conn);
    close(fd);
}

static void
call(struct fuzz *in, size_t piece)
{
    static const char *const argv[] = { "a", NULL };
    struct uctl_call *call_;
    int fd, error = -EAGAIN;

    assert(!uctl_call_start(path, "list-commands", argv, &call_));
    fd = unixpath_accept(uctl_server_fd(server));
    assert(fd >= 0);
    for (int i = 0; i < STEPS && error == -EAGAIN; i++) {
        say(fd, in, piece);
        error = uctl_call_step(call_);
    }
    /* One of the two, and only if there is a reply. */
    assert(!error == (!uctl_call_result(call_) != !uctl_call_error(call_)));
    uctl_call_destroy(call_);
    close(fd);
}

static void
destroy_server(void)
{
    uctl_server_destroy(server);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz in = { .p = data, .n = n };
    uint8_t mode = fuzz_byte(&in);
    size_t piece = 1 + in.n / (1 + (mode >> 3));

    if (!server) {
        path = logfile_path("ctl");
        assert(!uctl_server_create(path, &server));
        atexit(destroy_server);
    }
    if (mode & 1) {
        call(&in, piece);
    } else {
        serve(&in, piece);
    }
    return 0;
}
