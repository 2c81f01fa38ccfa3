/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/uctl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/uctl-stream.h"
#include "lib/unixpath.h"
#include "lib/xalloc.h"

struct uctl_call {
    struct uctl_stream stream;
    json_t *reply; /* NULL until it is here. */
};

/* Makes the request, or returns NULL if a string is not UTF-8. */
static json_t *
make_request(const char *method, const char *const argv[])
{
    json_t *params = json_array();

    for (size_t i = 0; argv && argv[i]; i++) {
        if (json_array_append_new(params, json_string(argv[i]))) {
            json_decref(params);
            return NULL;
        }
    }
    return json_pack("{s:i, s:s, s:o}", "id", 0, "method", method, "params",
                     params);
}

int
uctl_call_start(const char *path, const char *method, const char *const argv[],
                struct uctl_call **ret_call)
{
    json_t *request = make_request(method, argv);
    struct uctl_call *call;
    int fd;

    if (!request) {
        return -EINVAL;
    }
    fd = unixpath_connect(path, SOCK_STREAM);
    if (fd < 0) {
        json_decref(request);
        return fd;
    }
    call = ha_calloc(1, sizeof *call);
    uctl_stream_init(&call->stream, fd, UCTL_REPLY_MAX);
    uctl_stream_put(&call->stream, request);
    *ret_call = call;
    return 0;
}

void
uctl_call_destroy(struct uctl_call *call)
{
    if (call) {
        uctl_stream_close(&call->stream);
        json_decref(call->reply);
        free(call);
    }
}

int
uctl_call_fd(const struct uctl_call *call)
{
    return call->stream.fd;
}

short
uctl_call_events(const struct uctl_call *call)
{
    return uctl_stream_is_flushed(&call->stream) ? POLLIN : POLLOUT;
}

int
uctl_call_step(struct uctl_call *call)
{
    json_t *reply;
    int error;

    if (call->reply) {
        return 0;
    }
    error = uctl_stream_flush(&call->stream);
    if (!error) {
        error = uctl_stream_get(&call->stream, &reply);
    }
    if (error) {
        return error;
    }
    if (!json_is_string(json_object_get(reply, "result"))
        && !json_is_string(json_object_get(reply, "error"))) {
        json_decref(reply);
        return -EPROTO;
    }
    call->reply = reply;
    return 0;
}

const char *
uctl_call_error(const struct uctl_call *call)
{
    return json_string_value(json_object_get(call->reply, "error"));
}

const char *
uctl_call_result(const struct uctl_call *call)
{
    return uctl_call_error(call)
               ? NULL
               : json_string_value(json_object_get(call->reply, "result"));
}

/* Steps 'call' to its end or until 'deadline'. */
static int
call_finish(struct uctl_call *call, mono_t deadline)
{
    int error;

    while ((error = uctl_call_step(call)) == -EAGAIN) {
        struct pollfd pfd = {
            .fd = uctl_call_fd(call),
            .events = uctl_call_events(call),
        };
        int wait_ms = mono_ms_until(mono_now(), deadline);

        if (!wait_ms) {
            return -ETIMEDOUT;
        }
        poll(&pfd, 1, wait_ms);
    }
    return error;
}

int
uctl_call_wait(const char *path, const char *method, const char *const argv[],
               mono_t deadline, char **ret_result, char **ret_error)
{
    struct uctl_call *call;
    int error;

    error = uctl_call_start(path, method, argv, &call);
    if (error) {
        return error;
    }
    error = call_finish(call, deadline);
    if (!error) {
        const char *result = uctl_call_result(call);

        *ret_result = result ? ha_strdup(result) : NULL;
        *ret_error = result ? NULL : ha_strdup(uctl_call_error(call));
    }
    uctl_call_destroy(call);
    return error;
}
