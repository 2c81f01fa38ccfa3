/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_EV_H
#define HA_EV_H 1

/* The supervisor's one event loop: timers, descriptors and signals.
 *
 * A thin cover of libevent, so that the rest of ha/ has callbacks of one kind
 * and, but for ha/http.c, no other file includes its headers.  Any callback may destroy any timer
 * or watch, its own too. */

#include <stdbool.h>

struct ev_loop;
struct ev_timer;
struct ev_fd;
struct ev_signal;

typedef void ev_func(void *aux);

/* Libevent's own, for ha/http.c, whose callbacks run with EV_PRIORITY_LOW:
 * one at a time, and only when nothing else is to be done.  All others have
 * the one above. */
struct event_base;
struct event_base *ev_loop_base(struct ev_loop *);
#define EV_PRIORITY_LOW 2

struct ev_loop *ev_loop_create(void);
void ev_loop_destroy(struct ev_loop *);
/* Returns after ev_loop_stop(). */
void ev_loop_run(struct ev_loop *);
void ev_loop_stop(struct ev_loop *);

/* Fires once each time it was set. */
struct ev_timer *ev_timer_create(struct ev_loop *, ev_func *, void *aux);
void ev_timer_destroy(struct ev_timer *);
void ev_timer_set_ms(struct ev_timer *, int ms);
void ev_timer_set_us(struct ev_timer *, long long us);
void ev_timer_stop(struct ev_timer *);
bool ev_timer_is_set(const struct ev_timer *);

/* Calls as long as 'fd' is ready for 'events', POLLIN and POLLOUT. */
struct ev_fd *ev_fd_create(struct ev_loop *, int fd, short events, ev_func *,
                           void *aux);
void ev_fd_destroy(struct ev_fd *);

struct ev_signal *ev_signal_create(struct ev_loop *, int sig, ev_func *,
                                   void *aux);
void ev_signal_destroy(struct ev_signal *);

#endif /* ha/ev.h */
