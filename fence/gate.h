/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_GATE_H
#define FENCE_GATE_H 1

/* One database server's part of the door: its public remotes.
 *
 * A gate is shut only when proven: list-remotes showed nothing but the
 * private remote after all that was asked for before, or the process is dead.
 * What makes the answer a proof: the server handles control connections in
 * the order of their arrival, so that an answer to list-remotes also settles
 * every earlier request, that of a crashed predecessor of ours included; and
 * its loop applies a change of remotes, which cuts their sessions, before it
 * looks at its clients again (main_loop() of ovsdb-server.c, 3.1).  The same
 * makes a gate open: the answer to add-remote comes before the loop listens,
 * an answer to what is asked afterwards does not.
 *
 * While a gate is to be shut it is looked at each second, and remotes that
 * someone else opened are removed.  Used by the door only.  Never waits, and
 * knows nothing of leases: who opens it checks the lease before and after. */

#include <poll.h>
#include <stdbool.h>

#include "fence/target.h"
#include "lib/mono.h"
#include "lib/uctl.h"
#include "lib/wire.h"

enum gate_state {
    GATE_NONE,     /* No server: nothing can be reached. */
    GATE_UNPROVEN, /* To be shut, which it has not shown yet. */
    GATE_SHUT,     /* It has. */
    GATE_OPENING,  /* Some public remotes may be open. */
    GATE_OPEN,     /* All are. */
};

#define GATE_MAX_CALLS (2 * WIRE_MAX_REMOTES + 8)

struct gate {
    enum ha_db db;
    bool told; /* Of a server or of none. */
    struct wire_f_db conf;
    struct target server;
    enum gate_state state;
    bool want_open;
    bool maybe_open; /* Opened, and not proven shut since. */
    mono_t kill_at;  /* If still unproven; or MONO_NEVER. */
    mono_t next;     /* When to start the next calls. */

    /* Remotes that a new configuration took away while the gate was open. */
    char stale[WIRE_MAX_REMOTES][WIRE_REMOTE_LEN];
    uint32_t n_stale;

    /* Calls under way: remove-remote, then add-remote if the gate is being
     * opened, else list-remotes as the last.  After add-remote, list-remotes
     * alone. */
    struct uctl_call *calls[GATE_MAX_CALLS];
    unsigned int n_calls;
    unsigned int n_removes;
    bool opening;
    bool added;             /* All add-remotes of this opening are answered. */
    unsigned int rounds;    /* Attempts to shut it without success. */
    char why[WIRE_WHY_LEN]; /* Last trouble; "". */
};

void gate_init(struct gate *, enum ha_db);
void gate_close(struct gate *);

/* Takes the server from the supervisor.  'maybe_open' says that a predecessor
 * may have opened this server. */
void gate_set_db(struct gate *, const struct wire_f_db *, bool maybe_open,
                 mono_t now);

/* Opens it as soon as it is proven shut, and keeps it open. */
void gate_open(struct gate *, mono_t now);

/* Shuts it.  If it may be open and is not proven shut at 'kill_at', the
 * server is killed. */
void gate_shut(struct gate *, mono_t kill_at, mono_t now);

/* True if it was never opened, or is proven shut. */
bool gate_is_safe(const struct gate *);

/* Appends what is to be polled to 'pfds', at most GATE_MAX_POLL entries, and
 * returns how many. */
#define GATE_MAX_POLL (GATE_MAX_CALLS + 1)
unsigned int gate_poll(const struct gate *, struct pollfd pfds[]);

/* When gate_run() is due without any event; or MONO_NEVER. */
mono_t gate_next(const struct gate *);

/* Goes as far as it can. */
void gate_run(struct gate *, mono_t now);

#endif /* fence/gate.h */
