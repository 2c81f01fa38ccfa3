/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_SERVER_H
#define HA_SERVER_H 1

/* One database's ovsdb-server.
 *
 * Starts it, or adopts the one that outlived an earlier ovn-had; starts it
 * again when it dies; kills it when it hangs.  It listens on its private
 * socket only: what clients can reach is the fence worker's business.  Called
 * by the loop; decides nothing about roles. */

#include <stdbool.h>
#include <sys/types.h>

#include "ha/settings.h"
#include "lib/wire.h"

struct ev_loop;
struct server;

/* Whom to tell that server_pid(), server_ok() or server_unfit() changed.  The
 * handler may not destroy the server. */
struct server_handler {
    void *aux;
    void (*changed)(void *aux, enum ha_db);
    /* True if an empty database may take the place of a missing file. */
    bool (*may_create)(void *aux);
};

struct server *server_create(struct ev_loop *, const struct settings *,
                             enum ha_db, const struct server_handler *);
/* Lets go of the process, which lives on. */
void server_destroy(struct server *);

/* Sees to it that it runs from now on. */
void server_start(struct server *);
/* Ends it, within a few seconds. */
void server_stop(struct server *);
bool server_stopped(const struct server *);

/* Ends it and starts it on the file that a replica worker has put beside its
 * own (WIRE_R_INSTALL). */
void server_install(struct server *);

/* Ends it as a power cut would. */
void server_kill(struct server *);

/* Its file exists and has the right schema. */
bool server_has_file(const struct server *);
/* The process if it can be connected to, else 0. */
pid_t server_pid(const struct server *);
/* Runs, and answers or makes progress. */
bool server_ok(const struct server *);
/* To hand over would serve clients sooner than what is being mended. */
bool server_unfit(const struct server *);
/* "running", "starting", ... and how often it was started, for status. */
const char *server_state(const struct server *);
unsigned int server_starts(const struct server *);
/* Why it cannot be started; "". */
const char *server_error(const struct server *);

/* What the fence worker is to know of it. */
void server_describe(const struct server *, struct wire_f_db *ret_db);

#endif /* ha/server.h */
