/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_NORTHD_H
#define HA_NORTHD_H 1

/* ovn-northd: warm and paused on a standby, at work on the active.
 *
 * What it ought to do is held against what it says twice a second, so that a
 * lost command or a hand on ovn-appctl is put right.  Watched by what it does,
 * not only by its process: killed, stopped and stuck ones are replaced at
 * once.  Called by the loop. */

#include <stdbool.h>
#include <sys/types.h>

#include "ha/settings.h"

struct ev_loop;
struct northd;

/* Whom to tell that northd_pid() or northd_ok() changed.  The handler may not
 * destroy northd. */
struct northd_handler {
    void *aux;
    void (*changed)(void *aux);
};

struct northd *northd_create(struct ev_loop *, const struct settings *,
                             const struct northd_handler *);
/* Lets go of the process, which lives on. */
void northd_destroy(struct northd *);

/* It is started only while both databases can be connected to. */
void northd_set_servers(struct northd *, bool up);
/* True: at work.  False: paused; one that works is killed, as that is sure. */
void northd_set_run(struct northd *, bool run);
/* It is suspected of doing nothing: replaced. */
void northd_replace(struct northd *, const char *why);
void northd_stop(struct northd *);
bool northd_stopped(const struct northd *);

/* Ends it as a power cut would. */
void northd_kill(struct northd *);

/* 0 if there is none. */
pid_t northd_pid(const struct northd *);
/* It is in the state in which it ought to be. */
bool northd_ok(const struct northd *);
/* At work, but deaf for so long that it may be stuck: a change of NB ought to
 * show whether it is. */
bool northd_suspect(const struct northd *);
/* It answers nothing at present, but makes progress. */
bool northd_busy(const struct northd *);
/* "active", "paused", "standby", "starting", "down". */
const char *northd_state(const struct northd *);
unsigned int northd_starts(const struct northd *);

#endif /* ha/northd.h */
