/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_CALL_H
#define HA_CALL_H 1

/* Calls of other daemons' control sockets from the event loop.
 *
 * lib/uctl knows no event loop; this binds one call at a time to libevent,
 * with a time limit.  Used for ovsdb-server and ovn-northd. */

#include <stdbool.h>

struct ev_loop;
struct call;

/* 'result' is the reply, or NULL; then 'error' is the daemon's error text, or
 * NULL if it did not answer at all, for which 'code' is a negative errno.  The
 * slot is free again when it is called. */
typedef void call_done_func(void *aux, const char *result, const char *error,
                            int code);

/* A slot for one call at a time. */
struct call *call_create(struct ev_loop *, call_done_func *, void *aux);
void call_destroy(struct call *);

/* Calls 'method' with 'arg', NULL for none, at the socket 'path'.  A call
 * that is still under way is given up without a word.  'done' is always called
 * from the loop, never from here. */
void call_start(struct call *, const char *path, const char *method,
                const char *arg, int timeout_ms);
void call_cancel(struct call *);
bool call_is_busy(const struct call *);

#endif /* ha/call.h */
