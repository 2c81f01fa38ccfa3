/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fence/tell.h"
#include "lib/log.h"

#define MARGIN_MAX_US 250000
#define SILENT_LEASES 3 /* Then the supervisor counts as stuck. */
#define EXIT_MS 5000    /* To close the door at the end. */
#define LEAVE_MS 100    /* For sessions to end before their address goes. */
#define MSGS_A_TURN 64
#define LEASE_UNKNOWN_US 1000000 /* Before the first configuration. */

/* Beats are this much closer together until there is a lease, so that a lost
 * one costs a promotion little. */
#define HASTE 4

/* True if no time ends what is served: a pair that lives on proof, or a cluster
 * that is paused. */
static bool
is_endless(const struct worker *w)
{
    return !w->config.supporters || w->holder.end != LEASE_ORDINARY;
}

bool
worker_is_shut(const struct worker *w)
{
    return door_is_shut(&w->door) && address_is_left(&w->address);
}

static int64_t
lease_us(const struct worker *w)
{
    return w->configured ? (int64_t) w->config.lease_us : LEASE_UNKNOWN_US;
}

/* ---- Closing -------------------------------------------------------- */

/* When a server that has not closed by then is killed: before the lease can
 * be over, if it is not yet, and in time for the watchdog to hear of its
 * death. */
static mono_t
kill_time(const struct worker *w, mono_t now)
{
    mono_t bite = watchdog_bites_at(&w->watchdog);

    return mono_min(mono_add_us(now, w->margin_us),
                    mono_add_us(bite, -w->margin_us / 2));
}

/* When the virtual IP has to go, however far the door is: never after the
 * lease. */
static mono_t
leave_time(const struct worker *w, mono_t now)
{
    return mono_min(mono_add_ms(now, LEAVE_MS),
                    lease_holder_until(&w->holder));
}

/* How long the watchdog is fed while what was served is closed: until the end
 * of the lease, or for a whole one where it has no end, so that also there it
 * resets a node on which something does not end. */
static mono_t
guard_time(const struct worker *w, mono_t now)
{
    return mono_min(lease_holder_until(&w->holder),
                    mono_add_us(now, lease_us(w)));
}

/* Stops beats, closes the door and leaves the virtual IP. */
static void
worker_close(struct worker *w, const char *why, mono_t now)
{
    address_leave(&w->address, leave_time(w, now));
    if (!epoch_is_none(w->serve)) {
        ha_log(HA_LOG_WARN, "worker", "no longer serving epoch %u/%u: %s",
               w->serve.n, w->serve.node, why);
    }
    if (!epoch_is_none(w->serve)) {
        w->guarded_until = guard_time(w, now);
    }
    lease_holder_stop(&w->holder);
    w->serve = NO_EPOCH;
    w->has_lease = false;
    w->next_beat = MONO_NEVER;
    snprintf(w->closed_why, sizeof w->closed_why, "%s", why);
    door_close(&w->door, why, kill_time(w, now), now);
}

/* ---- What the supervisor says --------------------------------------- */

static bool
config_is_sound(const struct wire_f_config *c)
{
    bool has_self = false;

    if (c->n_nodes > HA_MAX_NODES) {
        return false;
    }
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        int family = c->nodes[i].addr.ss_family;

        if (family != AF_INET && family != AF_INET6) {
            return false;
        }
        has_self = has_self || c->nodes[i].id == c->self;
    }
    return has_self && c->lease_us && c->lease_us <= LEASE_MAX_US && c->beat_us
           && c->beat_us <= c->lease_us && c->drift_ppm <= 1000000
           && c->supporters < c->n_nodes;
}

/* From now on it is known how long a fresh start has to wait. */
static void
set_first_lease(struct worker *w, const struct wire_f_config *c, mono_t now)
{
    struct lease_supporter old = w->supporter;

    lease_supporter_init(&w->supporter, c->lease_us, c->drift_ppm, w->started);
    lease_supporter_set_members(&w->supporter, old.members, old.n_members);
    if (w->door.marked) {
        door_close(&w->door, "an earlier life left it open",
                   mono_add_us(w->started, c->lease_us), now);
    }
}

static void
on_config(struct worker *w, const struct wire_f_config *c, mono_t now)
{
    uint32_t peers[HA_MAX_NODES], n_peers = 0;

    if (!config_is_sound(c)) {
        ha_log(HA_LOG_ERR, "worker",
               "refused a configuration: self %u, %u "
               "nodes, lease %llu us, beat %llu us, %u supporters",
               c->self, c->n_nodes, (unsigned long long) c->lease_us,
               (unsigned long long) c->beat_us, c->supporters);
        w->answer_due = true;
        return;
    }
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        if (c->nodes[i].id != c->self) {
            peers[n_peers++] = c->nodes[i].id;
        }
    }
    if (w->configured) {
        lease_supporter_set(&w->supporter, c->lease_us, c->drift_ppm, now);
    } else {
        set_first_lease(w, c, now);
    }
    w->config = *c;
    w->configured = true;
    w->margin_us =
        c->lease_us / 4 < MARGIN_MAX_US ? c->lease_us / 4 : MARGIN_MAX_US;
    lease_holder_set(&w->holder, c->lease_us, c->supporters, peers, n_peers);
    kernel_set(&w->kernel, c->kernel_lease, is_endless(w), w->has_lease, now);
    address_set(&w->address, &c->addresses, now);
    watchdog_set(&w->watchdog, &c->watchdog, now);
    reset_set(&w->reset, &c->watchdog);
    link_set_config(&w->link, c, now);
    w->answer_due = true;
}

/* Raises the supported epoch.  Returns false if a higher one is supported. */
static bool
raise_epoch(struct worker *w, struct ha_epoch epoch)
{
    struct ha_epoch old = w->supporter.epoch;

    if (!w->configured || lease_supporter_support(&w->supporter, epoch)) {
        ha_log(HA_LOG_WARN, "worker", "refused epoch %u/%u: supporting %u/%u",
               epoch.n, epoch.node, old.n, old.node);
        w->answer_due = true;
        return false;
    }
    if (ha_epoch_cmp(old, epoch)) {
        ha_log(HA_LOG_INFO, "worker", "supporting epoch %u/%u", epoch.n,
               epoch.node);
    }
    return true;
}

static void
on_support(struct worker *w, struct ha_epoch epoch, mono_t now)
{
    if (!raise_epoch(w, epoch)) {
        return;
    }
    if (ha_epoch_cmp(w->serve, epoch)
        && (!epoch_is_none(w->serve) || !door_is_shut(&w->door)
            || w->northd_may_write)) {
        worker_close(w, "a higher epoch is supported", now);
    }
    w->supporting = epoch;
}

static void
on_serve(struct worker *w, struct ha_epoch epoch, mono_t now)
{
    if (!ha_epoch_cmp(w->serve, epoch)) {
        w->answer_due = true;
        return;
    }
    if (epoch.node != w->config.self || w->exit_at.us != MONO_NEVER.us
        || !raise_epoch(w, epoch)) {
        ha_log(HA_LOG_WARN, "worker", "will not serve epoch %u/%u", epoch.n,
               epoch.node);
        w->answer_due = true;
        return;
    }
    if (!epoch_is_none(w->serve)) {
        worker_close(w, "serving a higher epoch", now);
    }
    ha_log(HA_LOG_INFO, "worker", "serving epoch %u/%u once it has a lease",
           epoch.n, epoch.node);
    lease_holder_start(&w->holder, epoch);
    w->serve = epoch;
    w->northd_may_write = true;
    w->next_beat = now;
}

static void
on_close(struct worker *w, mono_t now)
{
    worker_close(w, "the supervisor says so", now);
    w->answer_due = true;
}

/* What the supervisor has from the record: this process knows none, and begins
 * with the ordinary lease in each life and epoch. */
static void
on_endless(struct worker *w, const struct wire_f_endless *m, mono_t now)
{
    w->answer_due = true;
    w->endless_token = m->token;
    if (epoch_is_none(w->serve) || ha_epoch_cmp(m->epoch, w->serve)) {
        ha_log(HA_LOG_WARN, "worker",
               "does not serve epoch %u/%u: no lease %s", m->epoch.n,
               m->epoch.node, m->on ? "without end" : "changed");
        return;
    }
    if (!m->on == (w->holder.end != LEASE_ENDLESS)) {
        return;
    }
    ha_log(HA_LOG_INFO, "worker", "the lease of epoch %u/%u %s", w->serve.n,
           w->serve.node,
           m->on ? "has no end from now on: the cluster is paused"
                 : "is to have an end again, once acknowledgements keep it");
    lease_holder_set_endless(&w->holder, m->on);
    kernel_set(&w->kernel, w->config.kernel_lease, is_endless(w), w->has_lease,
               now);
}

static void
on_northd(struct worker *w, pid_t pid)
{
    if (pid <= 0) {
        return; /* The one before may live: its pidfd tells. */
    }
    /* A new one is paused; the first that is told may be an old one. */
    if (epoch_is_none(w->serve) && w->northd_told
        && pid != w->door.northd.child.pid) {
        w->northd_may_write = false;
    }
    w->northd_told = true;
    door_set_northd(&w->door, pid);
}

static void
begin_exit(struct worker *w, const char *why, mono_t now)
{
    if (w->exit_at.us == MONO_NEVER.us) {
        ha_log(HA_LOG_INFO, "worker", "ending: %s", why);
        w->exit_at = mono_add_ms(now, EXIT_MS);
        worker_close(w, why, now);
    }
}

static void
on_message(struct worker *w, uint16_t type, const union sup_body *body,
           mono_t now)
{
    uint32_t n;

    switch (type) {
    case WIRE_F_CONFIG:
        on_config(w, &body->config, now);
        break;
    case WIRE_F_MEMBERS:
        n = body->members.n < HA_MAX_NODES ? body->members.n : HA_MAX_NODES;
        lease_supporter_set_members(&w->supporter, body->members.ids, n);
        break;
    case WIRE_F_DB:
        door_set_db(&w->door, &body->db, now);
        break;
    case WIRE_F_NORTHD:
        on_northd(w, body->pid.pid);
        break;
    case WIRE_F_SUPPORT:
        on_support(w, body->epoch.epoch, now);
        break;
    case WIRE_F_SERVE:
        on_serve(w, body->epoch.epoch, now);
        break;
    case WIRE_F_CLOSE:
        on_close(w, now);
        break;
    case WIRE_F_PING:
        w->answer_due = true;
        break;
    case WIRE_F_ENDLESS:
        on_endless(w, &body->endless, now);
        break;
    case WIRE_F_EXIT:
        begin_exit(w, "the supervisor says so", now);
        break;
    default:
        ha_log(HA_LOG_DBG, "worker", "unknown message of type %u", type);
        break;
    }
}

/* ---- Lease and time ------------------------------------------------- */

/* When clients do not hear this node any more: the end of the lease, or of
 * what the kernel holds of it. */
static mono_t
serve_until(const struct worker *w)
{
    return mono_min(lease_holder_until(&w->holder), kernel_until(&w->kernel));
}

/* What has been reached of the lease is for the kernel, too. */
static void
renew_kernel(struct worker *w)
{
    pid_t pids[HA_N_DBS];

    for (int db = 0; db < HA_N_DBS; db++) {
        pids[db] = w->door.gates[db].server.child.pid;
    }
    kernel_renew(&w->kernel, lease_holder_until(&w->holder), pids);
}

/* The watchdog guards whatever opens.  The virtual IP comes first: a client
 * that still speaks to an earlier owner hears a reset then, and listeners can
 * be bound to it.  Neighbors are told last, when there is someone to talk
 * to. */
static void
open_up(struct worker *w, mono_t now)
{
    if (worker_is_shut(w)
        && !watchdog_lets_open(&w->watchdog, serve_until(w))) {
        return;
    }
    address_hold(&w->address, serve_until(w));
    if (w->door.want_open || address_is_held(&w->address)) {
        door_open(&w->door, now);
    }
    if (door_is_open(&w->door)) {
        address_announce(&w->address);
    }
}

/* Looks at the lease: closes in time, opens when it may. */
static void
check_lease(struct worker *w, mono_t now)
{
    mono_t then = mono_add_us(now, w->margin_us);
    bool alive;

    if (epoch_is_none(w->serve)) {
        return;
    }
    if (lease_holder_settle(&w->holder, then)) {
        ha_log(HA_LOG_INFO, "worker",
               "the lease of epoch %u/%u has an end again, and is live",
               w->serve.n, w->serve.node);
        kernel_set(&w->kernel, w->config.kernel_lease, is_endless(w),
                   w->has_lease, now);
    }
    alive = mono_before(then, serve_until(w));
    if (w->has_lease && !alive) {
        w->lease_losses++;
        worker_close(w,
                     lease_holder_alive(&w->holder, then)
                         ? "the kernel did not renew its lease in time"
                         : "the lease was not renewed in time",
                     now);
        return;
    }
    renew_kernel(w);
    if (alive && !w->has_lease) {
        ha_log(HA_LOG_INFO, "worker", "got the lease of epoch %u/%u",
               w->serve.n, w->serve.node);
        w->has_lease = true;
    }
    if (w->has_lease && (w->door.want_open || door_is_shut(&w->door))) {
        open_up(w, now);
    }
}

/* What bites leaves no time to say so: it is said when nothing more can feed
 * it.  Of what was killed and does not end only: until then the door may be
 * shut in time. */
static void
tell_last_feeding(struct worker *w, bool closing, mono_t now)
{
    mono_t bite = watchdog_bites_at(&w->watchdog);
    bool is_last = closing && bite.us != MONO_NEVER.us
                   && door_stuck_since(&w->door).us != MONO_NEVER.us
                   && !watchdog_may_feed(&w->watchdog, now);

    if (is_last && !w->last_fed_told) {
        ha_log(HA_LOG_ERR, "watchdog",
               "%s; no longer fed: this node is reset in %lld ms",
               door_why(&w->door),
               (long long) mono_us_between(now, bite) / 1000);
    }
    w->last_fed_told = is_last;
}

/* Armed from before the door opens until it is proven shut.  One that closes
 * while its lease lives has until the end of that. */
static void
tend_watchdog(struct worker *w, mono_t now)
{
    bool shut = worker_is_shut(w);
    bool serves = !epoch_is_none(w->serve);

    if (shut) {
        w->guarded_until = MONO_NEVER;
    } else if (serves) {
        w->guarded_until = lease_holder_until(&w->holder);
    }
    if (serves || !shut) {
        watchdog_arm(&w->watchdog, w->guarded_until, now);
    } else if (w->exit_at.us == MONO_NEVER.us) {
        watchdog_disarm(&w->watchdog, now);
    } else {
        watchdog_release(&w->watchdog, now);
    }
    watchdog_run(&w->watchdog, now);
    tell_last_feeding(w, !serves && !shut, now);
}

/* When the door has to begin to close. */
static mono_t
lease_deadline(const struct worker *w)
{
    return w->has_lease ? mono_add_us(serve_until(w), -w->margin_us)
                        : MONO_NEVER;
}

/* When patience with the supervisor ends. */
static mono_t
sup_deadline(const struct worker *w)
{
    if (w->sup.fd >= 0) {
        return mono_add_us(w->sup.heard, SILENT_LEASES * lease_us(w));
    }
    /* In a pause nobody takes over; corosync may be off, without which an
     * ovn-had that was started anew waits and cannot adopt this process. */
    return epoch_is_none(w->serve) || w->holder.end != LEASE_ORDINARY
               ? MONO_NEVER
               : mono_add_us(w->sup.left, lease_us(w));
}

static void
check_sup(struct worker *w, mono_t now)
{
    if (mono_before(now, sup_deadline(w))) {
        return;
    }
    if (w->sup.fd >= 0) {
        sup_kill(&w->sup, now);
    } else {
        worker_close(w, "the supervisor is gone for one lease", now);
    }
}

static void
send_beats(struct worker *w, mono_t now)
{
    struct lease_beat beat;

    if (mono_before(now, w->next_beat)) {
        return;
    }
    w->next_beat =
        mono_add_us(now, w->config.beat_us / (w->has_lease ? 1 : HASTE) + 1);
    beat = lease_holder_beat(&w->holder, now);
    for (uint32_t i = 0; i < w->config.n_nodes; i++) {
        uint32_t id = w->config.nodes[i].id;

        if (id != w->config.self) {
            link_send(&w->link, id, BEAT_BEAT, &beat);
        }
    }
}

/* ---- Loop ----------------------------------------------------------- */

static void
read_beats(struct worker *w)
{
    struct beat_msg msg;

    for (int i = 0; i < MSGS_A_TURN; i++) {
        mono_t now = mono_now();

        if (link_recv(&w->link, now, &msg)) {
            return;
        }
        if (msg.type == BEAT_ACK) {
            lease_holder_ack(&w->holder, msg.from, &msg.beat);
        } else if (lease_supporter_beat(&w->supporter, msg.from, &msg.beat,
                                        now)
                   == LEASE_ACK) {
            link_send(&w->link, msg.from, BEAT_ACK, &msg.beat);
        }
    }
}

static void
read_sup(struct worker *w, mono_t now)
{
    union sup_body body;
    uint16_t type;

    if (sup_accept(&w->sup, now)) {
        w->answer_due = false; /* WIRE_F_CONFIG comes first. */
        w->supporting = NO_EPOCH;
    }
    for (int i = 0; i < MSGS_A_TURN; i++) {
        int error = sup_recv(&w->sup, now, &type, &body);

        if (!error) {
            on_message(w, type, &body, now);
        } else if (error != -EBADMSG) {
            return;
        }
    }
}

static mono_t
next_turn(const struct worker *w)
{
    mono_t next = mono_min(w->next_beat, lease_deadline(w));

    next = mono_min(next, sup_deadline(w));
    next = mono_min(next, door_next(&w->door));
    next = mono_min(next, kernel_next(&w->kernel));
    next = mono_min(next, address_next(&w->address));
    next = mono_min(next, watchdog_next(&w->watchdog));
    next = mono_min(next, reset_next(&w->reset, door_stuck_since(&w->door)));
    next = mono_min(next, w->link.next_try);
    next = mono_min(next, agents_due(&w->agents));
    return mono_min(next, w->exit_at);
}

/* Sleeps until something happens or is due.  The timer counts suspension,
 * which poll()'s timeout would not. */
static void
sleep_turn(struct worker *w)
{
    struct pollfd pfds[DOOR_MAX_POLL + KERNEL_MAX_POLL + ADDRESS_MAX_POLL
                       + WATCHDOG_MAX_POLL + 8];
    mono_t next = next_turn(w);
    struct itimerspec its = { .it_value = { 0, 0 } };
    unsigned int n = 0;

    if (next.us != MONO_NEVER.us) {
        next = mono_max(next, (mono_t){ 1 });
        its.it_value.tv_sec = next.us / 1000000;
        its.it_value.tv_nsec = next.us % 1000000 * 1000;
    }
    timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &its, NULL);

    pfds[n++] = (struct pollfd){ w->timer_fd, POLLIN, 0 };
    pfds[n++] = (struct pollfd){ w->signal_fd, POLLIN, 0 };
    if (w->link.fd >= 0) {
        pfds[n++] = (struct pollfd){ w->link.fd, POLLIN, 0 };
    }
    n += sup_poll(&w->sup, pfds + n);
    n += door_poll(&w->door, pfds + n);
    n += kernel_poll(&w->kernel, pfds + n);
    n += address_poll(&w->address, pfds + n);
    n += watchdog_poll(&w->watchdog, pfds + n);
    n += agents_poll(&w->agents, pfds + n);
    poll(pfds, n, -1);
}

/* Time during which this process did not run does not count against the
 * supervisor, which may not have run either. */
static void
check_gap(struct worker *w, mono_t due, mono_t now)
{
    int64_t gap_us = mono_us_between(mono_min(due, now), now);

    if (w->configured && gap_us > 2 * (int64_t) w->config.beat_us) {
        ha_log(HA_LOG_WARN, "worker", "did not run for %lld ms",
               (long long) gap_us / 1000);
        w->sup.heard = mono_max(w->sup.heard, mono_add_us(now, -lease_us(w)));
    }
}

static void
check_signals(struct worker *w, mono_t now)
{
    struct signalfd_siginfo info;

    if (read(w->signal_fd, &info, sizeof info) == sizeof info) {
        begin_exit(w, "a signal says so", now);
    }
}

/* One turn; the order is what makes it safe. */
static void
run_turn(struct worker *w)
{
    mono_t due = next_turn(w);
    mono_t now;

    sleep_turn(w);
    now = mono_now();
    check_gap(w, due, now);
    check_lease(w, now);
    read_beats(w);
    read_sup(w, now);
    check_signals(w, now);

    now = mono_now();
    check_lease(w, now);
    check_sup(w, now);
    send_beats(w, now);
    link_run(&w->link, now);
    door_run(&w->door, now);
    kernel_run(&w->kernel, now);
    address_run(&w->address, door_is_shut(&w->door), now);
    /* What was just opened is worth as much as the lease is now. */
    now = mono_now();
    check_lease(w, now);
    tend_watchdog(w, now);
    reset_run(&w->reset, door_stuck_since(&w->door), door_why(&w->door), now);
    tell_supported(w, now);
    tell_state(w, now);
    agents_run(&w->agents, now);
}

/* At the end nothing may be left that keeps the ports mute: whoever opens
 * them next may know nothing of a lease. */
static bool
is_out_of_kernel(struct worker *w, mono_t now)
{
    kernel_remove(&w->kernel, now);
    return kernel_is_removed(&w->kernel);
}

int
worker_run(struct worker *w)
{
    for (;;) {
        mono_t now;

        run_turn(w);
        now = mono_now();
        if (w->exit_at.us == MONO_NEVER.us) {
            continue;
        }
        if (worker_is_shut(w) && is_out_of_kernel(w, now)
            && watchdog_is_released(&w->watchdog)) {
            ha_log(HA_LOG_INFO, "worker", "the door is closed; ended");
            return 0;
        } else if (!mono_before(now, w->exit_at)) {
            ha_log(HA_LOG_ERR, "worker", "ended, but %s",
                   !door_is_shut(&w->door) ? door_why(&w->door)
                   : !worker_is_shut(w)    ? "the virtual IP is not left"
                   : !kernel_is_removed(&w->kernel)
                       ? "the kernel keeps its lease"
                       : "the watchdog's driver does not answer");
            return -ETIMEDOUT;
        }
    }
}

int
worker_init(struct worker *w, const char *path, int signal_fd)
{
    char marker[WIRE_PATH_LEN + 16], lock[WIRE_PATH_LEN + 16];
    mono_t now = mono_now();
    int error;

    memset(w, 0, sizeof *w);
    w->started = now;
    w->signal_fd = signal_fd;
    w->next_beat = MONO_NEVER;
    w->exit_at = MONO_NEVER;
    w->guarded_until = MONO_MIN; /* An earlier worker's door may be open. */
    w->margin_us = MARGIN_MAX_US;
    lease_holder_init(&w->holder, now.us);
    lease_supporter_init(&w->supporter, LEASE_UNKNOWN_US, 0, now);
    link_init(&w->link);
    kernel_init(&w->kernel);
    snprintf(lock, sizeof lock, "%s.address", path);
    address_init(&w->address, lock);
    watchdog_init(&w->watchdog);
    reset_init(&w->reset);
    snprintf(w->closed_why, sizeof w->closed_why, "not told to serve");

    w->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (w->timer_fd < 0) {
        return -errno;
    }
    error = sup_init(&w->sup, path, now);
    if (error) {
        close(w->timer_fd);
        return error;
    }
    snprintf(marker, sizeof marker, "%s.open", path);
    door_init(&w->door, marker, mono_add_us(now, LEASE_UNKNOWN_US), now);
    w->northd_may_write = w->door.marked;
    snprintf(w->agents_path, sizeof w->agents_path, "%s.agents", path);
    agents_init(&w->agents, w->agents_path, now);
    return 0;
}

void
worker_destroy(struct worker *w)
{
    agents_close(&w->agents);
    door_destroy(&w->door);
    address_close(&w->address);
    watchdog_close(&w->watchdog);
    reset_close(&w->reset);
    kernel_close(&w->kernel);
    link_close(&w->link);
    sup_close(&w->sup);
    close(w->timer_fd);
}
