/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

/* ---- The marker ----------------------------------------------------- */

/* Names the servers that may be open, one "DB PID TICKS" a line.  It lies on
 * a file system in memory, so there is no disk to wait for; and where it does
 * not, a crash of the machine ends the servers too. */
static void
marker_write(struct door *d)
{
    char text[256], temp[sizeof d->marker + 4];
    int fd, n = 0;

    for (int db = 0; db < HA_N_DBS; db++) {
        const struct child *c = &d->gates[db].server.child;
        struct child_stat st;

        if (c->pidfd >= 0 && !child_read_stat(c->pid, &st)) {
            n += snprintf(text + n, sizeof text - n, "%d %d %llu\n", db,
                          (int) c->pid, (unsigned long long) st.start_ticks);
        }
    }
    snprintf(temp, sizeof temp, "%s.new", d->marker);
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, n) != n || rename(temp, d->marker)) {
        ha_log(HA_LOG_ERR, "door", "cannot write %s: %s", d->marker,
               strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    d->marked = true;
}

static void
marker_remove(struct door *d)
{
    unlink(d->marker);
    d->marked = false;
    memset(d->inherited, 0, sizeof d->inherited);
}

/* Takes over one server that a predecessor may have left open. */
static void
inherit(struct door *d, int db, pid_t pid, uint64_t start_ticks,
        mono_t kill_at, mono_t now)
{
    struct wire_f_db conf = { .db = db, .pid = pid };
    struct gate *g = &d->gates[db];
    struct child_stat st;

    if (child_read_stat(pid, &st) || st.start_ticks != start_ticks) {
        return; /* Dead, as the machine's restart leaves it. */
    }
    ha_log(HA_LOG_WARN, "door",
           "%s: an earlier life may have left pid %d open", ha_db_name(db),
           (int) pid);
    gate_set_db(g, &conf, true, now);
    gate_shut(g, kill_at, now);
    g->told = false;
    d->inherited[db] = pid;
}

static void
marker_read(struct door *d, mono_t kill_at, mono_t now)
{
    unsigned long long start_ticks;
    FILE *f = fopen(d->marker, "re");
    int db, pid;

    if (!f) {
        return;
    }
    d->marked = true;
    while (fscanf(f, "%d %d %llu", &db, &pid, &start_ticks) == 3) {
        if (db >= 0 && db < HA_N_DBS && pid > 0) {
            inherit(d, db, pid, start_ticks, kill_at, now);
        }
    }
    fclose(f);
}

/* ---- Life ----------------------------------------------------------- */

void
door_init(struct door *d, const char *marker, mono_t kill_at, mono_t now)
{
    memset(d, 0, sizeof *d);
    for (int db = 0; db < HA_N_DBS; db++) {
        gate_init(&d->gates[db], db);
    }
    target_init(&d->northd, "ovn-northd");
    d->opened = MONO_MIN;
    d->closed = MONO_MIN;
    snprintf(d->marker, sizeof d->marker, "%s", marker);
    marker_read(d, kill_at, now);
    d->settled = false;
}

void
door_destroy(struct door *d)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        gate_close(&d->gates[db]);
    }
    target_close(&d->northd);
}

void
door_set_db(struct door *d, const struct wire_f_db *conf, mono_t now)
{
    struct gate *g;

    if (conf->db >= HA_N_DBS) {
        return;
    }
    g = &d->gates[conf->db];
    gate_set_db(g, conf, (pid_t) conf->pid == d->inherited[conf->db], now);
    if (d->want_open) {
        marker_write(d);
    }
}

void
door_set_northd(struct door *d, pid_t pid)
{
    if (d->northd.child.pid != pid) {
        target_set(&d->northd, pid);
    }
}

/* ---- Open and closed ------------------------------------------------ */

void
door_open(struct door *d, mono_t now)
{
    if (!d->want_open) {
        ha_log(HA_LOG_INFO, "door", "opening");
        d->want_open = true;
        marker_write(d);
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        gate_open(&d->gates[db], now);
    }
}

void
door_close(struct door *d, const char *why, mono_t kill_at, mono_t now)
{
    if (d->want_open) {
        ha_log(HA_LOG_WARN, "door", "closing: %s", why);
    }
    d->want_open = false;
    for (int db = 0; db < HA_N_DBS; db++) {
        gate_shut(&d->gates[db], kill_at, now);
        gate_run(&d->gates[db], now);
    }
    target_kill(&d->northd, why, now);
}

bool
door_is_shut(const struct door *d)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        if (!gate_is_safe(&d->gates[db])) {
            return false;
        }
    }
    return !d->want_open && !d->northd.killing;
}

bool
door_is_open(const struct door *d)
{
    unsigned int n = 0;

    for (int db = 0; db < HA_N_DBS; db++) {
        const struct gate *g = &d->gates[db];

        if (g->told && g->state != GATE_OPEN) {
            return false;
        }
        n += g->told;
    }
    return d->want_open && n;
}

mono_t
door_stuck_since(const struct door *d)
{
    mono_t since = d->northd.killed;

    for (int db = 0; db < HA_N_DBS; db++) {
        since = mono_min(since, d->gates[db].server.killed);
    }
    return since;
}

const char *
door_why(const struct door *d)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        const struct gate *g = &d->gates[db];

        if (g->why[0]) {
            return g->why;
        } else if (d->want_open && g->told && g->state == GATE_NONE) {
            return db == HA_NB ? "NB has no server" : "SB has no server";
        } else if (!d->want_open && !gate_is_safe(g)) {
            return db == HA_NB ? "NB has not shown yet that it is closed"
                               : "SB has not shown yet that it is closed";
        }
    }
    return d->northd.killing ? "northd is not dead yet" : "";
}

/* ---- Loop ----------------------------------------------------------- */

unsigned int
door_poll(const struct door *d, struct pollfd pfds[])
{
    unsigned int n = 0;

    for (int db = 0; db < HA_N_DBS; db++) {
        n += gate_poll(&d->gates[db], pfds + n);
    }
    if (d->northd.child.pidfd >= 0) {
        pfds[n++] = (struct pollfd){ d->northd.child.pidfd, POLLIN, 0 };
    }
    return n;
}

mono_t
door_next(const struct door *d)
{
    mono_t next = d->northd.next;

    for (int db = 0; db < HA_N_DBS; db++) {
        next = mono_min(next, gate_next(&d->gates[db]));
    }
    return next;
}

void
door_run(struct door *d, mono_t now)
{
    bool shut;

    for (int db = 0; db < HA_N_DBS; db++) {
        gate_run(&d->gates[db], now);
    }
    target_run(&d->northd, now);

    shut = door_is_shut(d);
    if (shut && !d->settled) {
        d->closed = now;
        if (d->marked) {
            marker_remove(d);
        }
    } else if (!mono_before(d->closed, d->opened) && door_is_open(d)) {
        d->opened = now;
    }
    d->settled = shut;
}
