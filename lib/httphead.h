/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_HTTPHEAD_H
#define HA_LIB_HTTPHEAD_H 1

/* The head of an HTTP/1 request: request line and headers.
 *
 * Takes from it what a server of a few pages has to know, and refuses what it
 * need not understand: a body, folded headers, a target that is no path.
 * Called by ha/http.c with whatever a client has sent so far.  Pure: no
 * memory, no input or output. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HTTPHEAD_MAX 8192 /* Longest head. */
#define HTTPHEAD_TARGET_LEN 256

enum httphead_method {
    HTTPHEAD_GET,
    HTTPHEAD_HEAD,
    HTTPHEAD_OPTIONS, /* As HEAD: health checks of load balancers. */
    HTTPHEAD_OTHER,
};

struct httphead {
    enum httphead_method method;
    char path[HTTPHEAD_TARGET_LEN];  /* As sent, from '/' up to '?'. */
    char query[HTTPHEAD_TARGET_LEN]; /* After '?'; "". */
    bool keep_alive;                 /* The connection may live on. */
    bool openmetrics;                /* "Accept" names that format. */
};

/* Parses the head at the beginning of 'data'.  Returns its length; 0 if it is
 * not complete yet; or a negative errno: -EMSGSIZE if it is, or would be, too
 * long, -EPROTO if it makes no sense, -EOPNOTSUPP if a body follows. */
ssize_t httphead_parse(const char *data, size_t n, struct httphead *ret_head);

/* Finds "NAME=NUMBER" in a query.  Returns 0; -ENOENT if there is no such
 * name; -EINVAL if its value is not a whole number from 0 up. */
int httphead_number(const struct httphead *, const char *name,
                    long long *ret_value);

#endif /* HA_LIB_HTTPHEAD_H */
