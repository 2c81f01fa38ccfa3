/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl drill': does to the cluster what a bad day does to it, under
 * measurement, and judges how it came through: plans, asks, acts, measures,
 * restores, judges. */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/confirm.h"
#include "ctl/daemon.h"
#include "ctl/drill-act.h"
#include "ctl/drill-chassis.h"
#include "ctl/drill-clients.h"
#include "ctl/drill-ledger.h"
#include "ctl/drill-plan.h"
#include "ctl/drill-probe.h"
#include "ctl/drill-report.h"
#include "ctl/drill-watch.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define STEP_MS 5
#define CONNECT_MS 5000
#define WARM_UP_MS 15000
#define WARM_UP_WRITES 50
#define COMPUTE_MS 3000  /* For compute nodes that may not be there at all. */
#define CALM_US 3000000  /* All has to be well for so long, and a lease. */
#define FRESH_US 1000000 /* What is older is no sign of life. */
#define SERVE_MS 30000   /* Patience with a cluster after an abort... */
#define ROW_MS 30000     /* ...and with the end of the row. */
#define LINE_US 200000
#define HISTORY "200" /* Lines. */

/* The picture begins before the act, and ends after the last phase. */
#define PICTURE_STEPS 160
#define PICTURE_BEFORE_US 500000
#define PICTURE_AFTER_US 1000000

struct drill {
    const struct verb_args *args;
    const struct act_kind *kind;
    struct act act;
    char *nb, *sb; /* Remotes. */
    size_t leftovers;

    struct ledger ledger;
    struct chassis *chassis;
    struct clients *clients;
    struct watch *watch;
    struct probe *probes[DRILL_PROBES_MAX];
    size_t n_probes; /* Of those that run. */

    mono_t began, acted;
    struct timespec acted_date;
    bool has_acted, raised;
    mono_t effect; /* Was there; MONO_NEVER. */
    int64_t lease_us, patience_us;
    mono_t calm_since;
    bool recovered;
    mono_t ended; /* The last write was sent before. */
    mono_t looked;
    bool loss_known;

    FILE *junit, *html; /* NULL: not wanted. */
    const char *doing;  /* What the line of progress says. */
    bool terminal, shown;
    mono_t next_line;

    json_t *timeline, *remains;
    char *why; /* What ended it early; or NULL. */
};

/* Signals that ended it so far. */
static volatile sig_atomic_t n_caught;

static void
on_signal(int sig)
{
    (void) sig;
    n_caught++;
}

/* From here on an interruption leads through the restoring.  A terminal that
 * is gone must not end it either. */
static void
catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- What happens -------------------------------------------------------- */

/* Only a terminal has a line that lives; elsewhere what happens is told as it
 * comes. */
static void
clear_progress(struct drill *d)
{
    if (d->shown) {
        fputs("\r\033[K", stderr);
        d->shown = false;
    }
}

static void
show_progress(struct drill *d, mono_t now)
{
    const struct ledger *l = &d->ledger;
    const json_t *status;

    if (!d->terminal || !d->doing || mono_before(now, d->next_line)) {
        return;
    }
    status = watch_status(d->watch);
    d->next_line = mono_add_us(now, LINE_US);
    fprintf(stderr,
            "\r\033[K%s %.0f s: %zu written, %zu in SB (%.1f, %.1f s ago); "
            "%s, %s active",
            d->doing, mono_us_between(d->began, now) / 1e6, l->n_acked,
            l->n_seen,
            mono_us_between(mono_max(l->last_acked, d->began), now) / 1e6,
            mono_us_between(mono_max(l->last_seen, d->began), now) / 1e6,
            watch_health(status),
            *watch_active(status) ? watch_active(status) : "nobody");
    fflush(stderr);
    d->shown = true;
}

static void
on_event(void *d_, mono_t when, const char *text)
{
    struct drill *d = d_;
    int64_t ms = mono_us_between(d->acted, when) / 1000;

    if (d->has_acted) {
        json_array_append_new(
            d->timeline,
            json_pack("{s:I, s:s}", "ms", (json_int_t) ms, "text", text));
        clear_progress(d);
        fprintf(stderr, "%+9.3f s  %s\n", ms / 1e3, text);
    }
}

/* Waits a moment, then has everyone do what there is to do. */
static mono_t
turn(struct drill *d)
{
    struct pollfd fds[CLIENTS_FDS_MAX + 1 + DRILL_PROBES_MAX];
    size_t n = clients_poll(d->clients, fds);
    mono_t now;

    for (size_t i = 0; i < d->n_probes; i++) {
        n += probe_poll(d->probes[i], fds + n);
    }

    if (d->watch) {
        n += watch_poll(d->watch, fds + n);
    }
    poll(fds, n, STEP_MS);
    now = mono_now();
    clients_step(d->clients, now);
    for (size_t i = 0; i < d->n_probes; i++) {
        probe_step(d->probes[i], now);
    }
    if (d->watch) {
        watch_step(d->watch, now);
        show_progress(d, now);
    }
    return now;
}

/* Remembers the first reason.  Takes over 'why'. */
static void
end_early(struct drill *d, char *why)
{
    if (d->why) {
        free(why);
    } else {
        d->why = why;
    }
}

/* Takes over 'text'. */
static void
add_text(json_t *list, char *text)
{
    json_array_append_new(list, json_string(text));
    free(text);
}

/* ---- The plan ------------------------------------------------------------ */

static char *
choose_remotes(const char *given, const char *variable, const json_t *status,
               int port)
{
    const char *env = getenv(variable);

    return given         ? ha_strdup(given)
           : env && *env ? ha_strdup(env)
                         : plan_remotes(status, port);
}

/* Connects, if it is not so, and takes the lock that says that there is one
 * drill only. */
static void
connect_clients(struct drill *d, json_t *obstacles)
{
    mono_t deadline = mono_add_ms(mono_now(), CONNECT_MS);
    int error = clients_look(d->clients, deadline, &d->leftovers);

    while (mono_before(mono_now(), deadline)
           && (!clients_connected(d->clients)
               || clients_lock(d->clients) == CLIENTS_LOCK_UNKNOWN)) {
        turn(d);
    }
    if (clients_lock(d->clients) == CLIENTS_LOCK_TAKEN) {
        add_text(obstacles, ha_strdup("another drill is running"));
    } else if (error == -EIO) {
        add_text(obstacles,
                 ha_asprintf("the Northbound database cannot be read: %s",
                             clients_refusal(d->clients)));
    } else if (error || !clients_connected(d->clients)) {
        add_text(obstacles,
                 ha_asprintf("the databases cannot be reached at %s and %s; "
                             "--nb and --sb say where they can",
                             d->nb, d->sb));
    }
}

static void
print_limit(const char *name, int64_t us)
{
    if (us >= 0) {
        printf("%s %g s, ", name, us / 1e6);
    }
}

static void
print_plan(const struct drill *d, const json_t *status,
           const json_t *obstacles)
{
    const struct drill_args *limits = &d->args->drill;
    char victim[64] = "";

    if (d->act.victim.pid > 0) {
        snprintf(victim, sizeof victim, ", process %d on this node",
                 (int) d->act.victim.pid);
    }
    printf("drill %s: %s%s%s%s\n", d->kind->name, d->kind->what, victim,
           *d->act.to ? " to " : "", d->act.to);
    printf("  cluster   %s, active is %s\n", watch_health(status),
           *d->act.from ? d->act.from : "nobody");
    printf("  measures  writes to NB at %s,\n            and when they reach "
           "SB at %s\n",
           d->nb, d->sb);
    printf("  row       an address set ovn_ha_drill_*, removed in the end");
    if (d->leftovers) {
        printf(";\n            %zu left by earlier drills go first",
               d->leftovers);
    }
    for (size_t i = 0; i < limits->n_probes; i++) {
        printf("\n  probe     %s%s", limits->probes[i].ping ? "ping " : "",
               limits->probes[i].command);
    }
    printf("\n  limits    ");
    print_limit("write outage", limits->max_outage_us);
    print_limit("NB to SB", limits->max_sb_delay_us);
    print_limit("compute nodes", limits->max_compute_us);
    if (limits->n_probes) {
        print_limit("probes", limits->max_probe_us);
    }
    printf("%" PRId64 " writes lost\n", limits->max_lost);
    for (size_t i = 0; i < json_array_size(obstacles); i++) {
        printf("  may not   %s\n",
               json_string_value(json_array_get(obstacles, i)));
    }
    fflush(stdout);
}

static int
create_clients(struct drill *d, const json_t *status)
{
    d->nb = choose_remotes(d->args->drill.nb, "OVN_NB_DB", status, 6641);
    d->sb = choose_remotes(d->args->drill.sb, "OVN_SB_DB", status, 6642);
    d->clients = clients_create(d->nb, d->sb, &d->ledger, d->chassis);
    return d->clients ? VERB_FINE : VERB_USAGE;
}

/* What is in the way, as the caller's list. */
static json_t *
find_obstacles(struct drill *d, const json_t *status)
{
    json_t *obstacles = plan_obstacles(status, d->kind->here);
    char *trouble;

    act_close(&d->act);
    trouble = act_prepare(&d->act, d->kind, d->args->to, status);
    if (trouble && !json_array_size(obstacles)) {
        json_array_append_new(obstacles, json_string(trouble));
    }
    free(trouble);
    connect_clients(d, obstacles);
    return obstacles;
}

/* Looks whether it may, and 'shows' the plan.  Returns an exit status. */
static int
plan(struct drill *d, bool shows)
{
    json_t *status, *obstacles;
    int rc = verbs_get_status(&status);

    if (rc) {
        return rc;
    }
    rc = d->clients ? VERB_FINE : create_clients(d, status);
    if (rc) {
        json_decref(status);
        return rc;
    }
    d->lease_us =
        json_integer_value(jsonget(jsonget(status, "cluster"), "lease_ms"))
        * 1000;
    obstacles = find_obstacles(d, status);
    if (shows) {
        print_plan(d, status, obstacles);
    }
    if (json_array_size(obstacles)) {
        fprintf(stderr, "ovn-hactl: the drill may not begin: %s\n",
                json_string_value(json_array_get(obstacles, 0)));
        rc = VERB_FAILED;
    }
    json_decref(obstacles);
    json_decref(status);
    return rc;
}

static bool
ask(const struct drill *d)
{
    if (d->args->yes) {
        return true;
    } else if (!isatty(STDIN_FILENO)) {
        fputs("ovn-hactl: a drill asks before it acts, and there is no "
              "terminal; --yes does without\n",
              stderr);
        return false;
    }
    return confirm_typed("Clients may not be able to write for a while.",
                         "yes");
}

/* ---- Acting and measuring ------------------------------------------------ */

static void
start_probes(struct drill *d)
{
    const struct drill_args *args = &d->args->drill;

    while (d->n_probes < args->n_probes) {
        d->probes[d->n_probes] = probe_create(
            args->probes[d->n_probes].command, args->probes[d->n_probes].ping);
        d->n_probes++;
    }
}

/* Whether all probes have succeeded, and so could fail. */
static bool
probes_work(struct drill *d, mono_t now)
{
    struct probe_sums sums;
    bool work = true;

    for (size_t i = 0; i < d->n_probes; i++) {
        probe_sum(d->probes[i], now, &sums);
        work = work && sums.n && !sums.n_failed;
        if (sums.n_failed) {
            end_early(d, ha_asprintf("it fails before anything was done: %s",
                                     sums.name));
        }
    }
    return work;
}

static bool
compute_is_back(const struct drill *d)
{
    struct chassis_sums sums;

    chassis_sum(d->chassis, &sums);
    return sums.n_back == sums.n;
}

/* Whether enough was seen to know what is normal. */
static bool
is_warm(struct drill *d, mono_t now)
{
    struct ledger_sums sums;

    if (d->ledger.n_acked < WARM_UP_WRITES || !watch_status(d->watch)
        || mono_us_between(d->began, d->ledger.last_seen_sent) <= 0
        || !probes_work(d, now)
        || (!compute_is_back(d)
            && mono_before(now, mono_add_ms(d->began, COMPUTE_MS)))) {
        return false;
    }
    ledger_sum(&d->ledger, d->began, now, &sums);
    d->patience_us = FRESH_US + 3 * sums.sb_delay_us;
    return true;
}

/* Writes until it is known what is normal.  Returns false if it cannot be. */
static bool
warm_up(struct drill *d)
{
    mono_t now = mono_now(), deadline = mono_add_ms(now, WARM_UP_MS);
    int error = clients_start(d->clients, deadline);

    d->began = d->acted = now;
    clock_gettime(CLOCK_REALTIME, &d->acted_date);
    d->patience_us = FRESH_US;
    d->doing = "before";
    d->terminal = isatty(STDERR_FILENO);
    d->watch = watch_create(on_event, d);
    start_probes(d);
    clients_raise(d->clients);
    while (!error && !n_caught && !d->why && mono_before(now, deadline)) {
        now = turn(d);
        if (is_warm(d, now)) {
            return true;
        }
    }
    if (!n_caught) {
        end_early(d, d->ledger.n_acked
                         ? ha_strdup("no write to NB reaches SB")
                         : ha_asprintf("no write to NB is acknowledged: %s",
                                       *clients_refusal(d->clients)
                                           ? clients_refusal(d->clients)
                                           : "no answer"));
    }
    return false;
}

/* Has this node's ovn-had remember 'text', which is taken over. */
static void
note(char *text)
{
    const char *const argv[] = { text, NULL };
    char *reply;

    if (daemon_call("history/note", argv, &reply)) {
        fprintf(stderr,
                "ovn-hactl: the history does not tell of this drill: "
                "%s\n",
                reply);
    }
    free(reply);
    free(text);
}

static void
act(struct drill *d)
{
    char *trouble, *text;

    note(ha_asprintf("drill: %s begins", d->kind->name));

    clock_gettime(CLOCK_REALTIME, &d->acted_date);
    d->acted = d->calm_since = mono_now();
    d->effect = MONO_NEVER;
    trouble = act_do(&d->act);
    if (trouble) {
        end_early(d, trouble);
        return;
    }
    d->has_acted = true;
    text = ha_asprintf(d->kind->comm ? "%s on %s" : "%s away from %s",
                       d->kind->what, d->act.from);
    on_event(d, d->acted, text);
    free(text);
}

/* Compute nodes are asked once, when what is written after the act reaches SB
 * again: each of them writes to SB for it. */
static void
follow_effect(struct drill *d, mono_t now)
{
    if (act_took_effect(&d->act, watch_status(d->watch))) {
        d->effect = mono_min(d->effect, now);
    }
    if (!d->raised && mono_before(d->effect, d->ledger.last_seen_sent)) {
        d->raised = true;
        clients_raise(d->clients);
    }
}

static bool
is_fresh(const struct drill *d, mono_t sign, mono_t now)
{
    return mono_us_between(sign, now) < d->patience_us;
}

/* Whether all has been well for long enough.  A disturbance begins it anew. */
static bool
is_calm(struct drill *d, mono_t now)
{
    const json_t *status = watch_status(d->watch);

    if (strcmp(watch_health(status), "ok")
        || !is_fresh(d, watch_asked(d->watch), now)
        || !is_fresh(d, d->ledger.last_acked, now)
        || !is_fresh(d, d->ledger.last_seen, now)
        || d->effect.us == MONO_NEVER.us) {
        d->calm_since = now;
    }
    return mono_us_between(d->calm_since, now) > CALM_US + d->lease_us
           && mono_before(d->calm_since, d->ledger.last_seen_sent) && d->raised
           && compute_is_back(d);
}

static char *
describe_lateness(const struct drill *d)
{
    struct chassis_sums sums;

    chassis_sum(d->chassis, &sums);
    return sums.missing
               ? ha_asprintf("of %zu compute nodes %zu are not back after %g "
                             "s, for one %s",
                             sums.n, sums.n - sums.n_back,
                             d->args->timeout_seconds, sums.missing)
               : ha_asprintf("all was not well again within %g s",
                             d->args->timeout_seconds);
}

static void
measure(struct drill *d)
{
    mono_t deadline =
        mono_add_us(d->acted, d->args->timeout_seconds * 1000000);
    mono_t now = mono_now();

    d->doing = "measuring";
    while (!n_caught && !d->recovered && mono_before(now, deadline)) {
        now = turn(d);
        follow_effect(d, now);
        d->recovered = is_calm(d, now);
    }
    if (!d->recovered && !n_caught) {
        end_early(d, describe_lateness(d));
    }
}

/* ---- Restoring ----------------------------------------------------------- */

static bool
serves(const struct drill *d, mono_t now)
{
    return is_fresh(d, d->ledger.last_acked, now)
           && is_fresh(d, d->ledger.last_seen, now);
}

/* What does not end by itself is ended; then the cluster is given the time to
 * serve, which a second signal cuts short. */
static void
restore(struct drill *d)
{
    int cut = n_caught + 1;
    mono_t deadline = mono_add_ms(mono_now(), SERVE_MS), now = mono_now();

    if (n_caught) {
        end_early(d, ha_strdup("interrupted"));
    }
    if (!d->has_acted) {
        return;
    }
    d->doing = "restoring";
    act_undo(&d->act);
    while (!d->recovered && n_caught < cut && mono_before(now, deadline)
           && (!serves(d, now)
               || strcmp(watch_health(watch_status(d->watch)), "ok"))) {
        now = turn(d);
    }
}

/* Waits until the last write has been answered, and is in SB. */
static void
finish_writes(struct drill *d)
{
    int cut = n_caught + 1;
    mono_t deadline = mono_add_us(mono_now(), d->patience_us);
    mono_t last = d->ledger.last_acked;

    d->doing = "ending";
    clients_stop(d->clients);
    while (clients_busy(d->clients) && mono_before(mono_now(), deadline)) {
        turn(d);
    }
    d->ended = d->looked = mono_now();
    deadline = mono_add_us(d->ended, 3 * d->patience_us);
    while (d->ledger.n_seen < d->ledger.n_acked && n_caught < cut
           && mono_before(last, d->looked)
           && mono_before(d->looked, deadline)) {
        d->looked = turn(d);
    }
}

static void
remove_row(struct drill *d)
{
    mono_t deadline = mono_add_ms(mono_now(), ROW_MS);
    size_t n;

    ledger_doubt(&d->ledger);
    d->loss_known = !clients_look(d->clients, deadline, &n);
    if (clients_clean(d->clients, deadline)) {
        add_text(
            d->remains,
            ha_strdup("an address set named ovn_ha_drill_* is left in NB: "
                      "the next drill removes it, or ovn-nbctl destroy "
                      "Address_Set NAME does"));
    }
}

/* What is not well in the end, by this node's ovn-had. */
static void
list_remains(struct drill *d)
{
    static const char *const argv[] = { "--json", NULL };
    const json_t *problems;
    json_t *status = NULL;
    char *reply;

    if (!daemon_call("cluster/status", argv, &reply)) {
        status = json_loads(reply, 0, NULL);
    } else {
        add_text(d->remains, ha_asprintf("%s: start it", reply));
    }
    free(reply);
    problems = jsonget(status, "problems");
    for (size_t i = 0;
         strcmp(watch_health(status), "ok") && i < json_array_size(problems);
         i++) {
        const json_t *problem = json_array_get(problems, i);

        add_text(d->remains, ha_asprintf("%s; it ends when %s",
                                         jsonget_text(problem, "text"),
                                         jsonget_text(problem, "ends")));
    }
    json_decref(status);
}

/* ---- Judging ------------------------------------------------------------- */

/* Takes over 'measured' and 'limit'; NULL: there is none. */
static bool
check(json_t *checks, const char *name, char *measured, char *limit, bool pass)
{
    json_array_append_new(
        checks, json_pack("{s:s, s:s, s:s?, s:b}", "name", name, "measured",
                          measured, "limit", limit, "pass", !limit || pass));
    free(measured);
    free(limit);
    return json_is_true(
        jsonget(json_array_get(checks, json_array_size(checks) - 1), "pass"));
}

static char *
duration(int64_t us)
{
    return us < 0          ? NULL
           : us < 10000000 ? ha_asprintf("%" PRId64 " ms", us / 1000)
                           : ha_asprintf("%.1f s", us / 1e6);
}

/* From 'acted' on; "never". */
static char *
moment(const struct drill *d, mono_t when)
{
    return when.us == MONO_NEVER.us
               ? ha_strdup("never")
               : duration(mono_us_between(d->acted, when));
}

/* Without compute nodes there is nothing to say. */
static bool
check_compute(const struct drill *d, json_t *checks)
{
    int64_t limit_us = d->args->drill.max_compute_us;
    struct chassis_sums s;
    char *p50, *p99, *last;
    bool pass;

    chassis_sum(d->chassis, &s);
    if (!s.n && limit_us < 0) {
        return true;
    }
    p50 = moment(d, s.p50);
    p99 = moment(d, s.p99);
    last = moment(d, s.last);
    pass = check(checks, "compute nodes are back",
                 ha_asprintf("%zu of %zu: half %s, 99 %% %s, last %s",
                             s.n_back, s.n, p50, p99, last),
                 duration(limit_us),
                 s.n && s.n_back == s.n
                     && mono_us_between(d->acted, s.last) <= limit_us);
    free(p50);
    free(p99);
    free(last);
    return pass;
}

static bool
check_probes(const struct drill *d, json_t *checks)
{
    int64_t limit_us = d->args->drill.max_probe_us;
    bool pass = true;

    for (size_t i = 0; i < d->n_probes; i++) {
        struct probe_sums s;

        probe_sum(d->probes[i], d->ended, &s);
        pass &= check(checks, s.name,
                      ha_asprintf("%zu of %zu failed, for %" PRId64 " ms",
                                  s.n_failed, s.n, s.outage_us / 1000),
                      duration(limit_us), s.outage_us <= limit_us);
    }
    return pass;
}

/* What can be said of an act. */
static bool
check_act(const struct drill *d, const struct ledger_sums *s, json_t *checks)
{
    const struct drill_args *limits = &d->args->drill;
    int64_t outage_us = ledger_gap_us(&s->outage);
    bool pass = true;

    pass &= check(checks, "all is well again",
                  d->recovered ? moment(d, d->calm_since) : ha_strdup("no"),
                  ha_asprintf("%g s", d->args->timeout_seconds), d->recovered);
    pass &= check(checks, "write outage", duration(outage_us),
                  duration(limits->max_outage_us),
                  outage_us <= limits->max_outage_us);
    pass &= check(checks, "NB to SB, longest",
                  s->unseen ? ha_asprintf("%zu never arrived", s->unseen)
                            : duration(s->sb_delay_us),
                  duration(limits->max_sb_delay_us),
                  !s->unseen && s->sb_delay_us <= limits->max_sb_delay_us);
    pass &= check_compute(d, checks);
    pass &= check_probes(d, checks);
    return pass;
}

/* Returns whether all limits were kept. */
static bool
judge(const struct drill *d, const struct ledger_sums *s, json_t *checks)
{
    int64_t max_lost = d->args->drill.max_lost;
    bool pass = !d->has_acted || check_act(d, s, checks);

    pass &= check(checks, "acknowledged and lost",
                  d->loss_known ? ha_asprintf("%zu", s->lost)
                                : ha_strdup("not known"),
                  ha_asprintf("%" PRId64, max_lost),
                  d->loss_known && (int64_t) s->lost <= max_lost);
    pass &= check(checks, "to be mended by hand",
                  ha_asprintf("%zu", json_array_size(d->remains)),
                  ha_strdup("0"), !json_array_size(d->remains));
    return pass;
}

/* ---- The report ---------------------------------------------------------- */

/* Milliseconds from the act to a line's date; below 0 if it is older. */
static int64_t
ms_of_line(const struct drill *d, const char *line)
{
    struct tm tm = { 0 };
    const char *rest = strptime(line, "%Y-%m-%dT%H:%M:%S.", &tm);
    int64_t ms = rest ? strtol(rest, NULL, 10) : 0;

    return rest ? (int64_t) (timegm(&tm) - d->acted_date.tv_sec) * 1000 + ms
                      - d->acted_date.tv_nsec / 1000000
                : -1;
}

static int
compare_moments(const void *a_, const void *b_)
{
    const json_t *const *a = a_, *const *b = b_;
    json_int_t x = json_integer_value(jsonget(*a, "ms"));
    json_int_t y = json_integer_value(jsonget(*b, "ms"));

    return x < y ? -1 : x > y;
}

/* Sorts a list of objects by their "ms". */
static void
sort_moments(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **moments = ha_calloc(n + 1, sizeof *moments);

    for (size_t i = 0; i < n; i++) {
        moments[i] = json_incref(json_array_get(list, i));
    }
    qsort(moments, n, sizeof *moments, compare_moments);
    json_array_clear(list);
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, moments[i]);
    }
    free(moments);
}

/* Adds what this node's ovn-had decided since the act. */
static void
add_history(struct drill *d)
{
    static const char *const argv[] = { HISTORY, NULL };
    char *reply, *rest, *line;

    if (!d->has_acted || daemon_call("history", argv, &reply)) {
        return;
    }
    for (rest = reply; (line = strsep(&rest, "\n"));) {
        int64_t ms = ms_of_line(d, line);
        const char *text = line;

        for (int i = 0; i < 3 && text; i++) {
            text = strchr(text, '|');
            text = text ? text + 1 : NULL;
        }

        if (ms >= 0 && text) {
            json_array_append_new(
                d->timeline,
                json_pack("{s:I, s:s}", "ms", (json_int_t) ms, "text", text));
        }
    }
    free(reply);
    sort_moments(d->timeline);
}

static void
add_phase(json_t *phases, const char *name, int64_t ms)
{
    json_array_append_new(
        phases, json_pack("{s:s, s:I}", "name", name, "ms", (json_int_t) ms));
}

/* The first moment of the timeline that says 'text'. */
static void
add_told(const struct drill *d, json_t *phases, const char *name,
         const char *text)
{
    for (size_t i = 0; i < json_array_size(d->timeline); i++) {
        const json_t *moment = json_array_get(d->timeline, i);

        if (strstr(jsonget_text(moment, "text"), text)) {
            add_phase(phases, name, json_integer_value(jsonget(moment, "ms")));
            return;
        }
    }
}

static json_t *
make_phases(const struct drill *d, const struct ledger_sums *s)
{
    json_t *phases = json_array();
    struct chassis_sums compute;

    add_told(d, phases, "no longer well", "the cluster is d");
    add_told(d, phases, "election begins", "election:");
    add_told(d, phases, "elected: the record is held", "in force");
    add_told(d, phases, "the door is open", "door: open");
    add_told(d, phases, "another node is active", " is active");
    add_told(d, phases, "the cluster is well", "the cluster is ok");
    if (s->outage.over) {
        add_phase(phases, "the longest write outage ends",
                  mono_us_between(d->acted, s->outage.to) / 1000);
    }
    if (s->sb_gap.over) {
        add_phase(phases, "the longest time without a change in SB ends",
                  mono_us_between(d->acted, s->sb_gap.to) / 1000);
    }
    chassis_sum(d->chassis, &compute);
    if (d->raised && compute.last.us != MONO_NEVER.us) {
        add_phase(phases, "the last compute node is back",
                  mono_us_between(d->acted, compute.last) / 1000);
    }
    sort_moments(phases);
    return phases;
}

/* Null where that did not come. */
static json_t *
ms_of(const struct drill *d, mono_t when)
{
    return when.us == MONO_NEVER.us
               ? json_null()
               : json_integer(mono_us_between(d->acted, when) / 1000);
}

static json_t *
make_compute(const struct drill *d)
{
    struct chassis_sums s;

    chassis_sum(d->chassis, &s);
    return json_pack("{s:I, s:I, s:o, s:o, s:o}", "nodes", (json_int_t) s.n,
                     "back", (json_int_t) s.n_back, "p50_ms", ms_of(d, s.p50),
                     "p99_ms", ms_of(d, s.p99), "last_ms", ms_of(d, s.last));
}

static json_t *
make_probes(const struct drill *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->n_probes; i++) {
        struct probe_sums s;

        probe_sum(d->probes[i], d->ended, &s);
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I}", "name", s.name,
                                        "runs", (json_int_t) s.n, "failed",
                                        (json_int_t) s.n_failed, "outage_ms",
                                        (json_int_t) s.outage_us / 1000));
    }
    return list;
}

/* What the picture is drawn from. */
static json_t *
make_rates(const struct drill *d, const json_t *phases)
{
    const json_t *last = json_array_get(phases, json_array_size(phases) - 1);
    int64_t end_us = json_integer_value(jsonget(last, "ms")) * 1000;
    int64_t step_us =
        (PICTURE_BEFORE_US + end_us + PICTURE_AFTER_US) / PICTURE_STEPS;
    int acked[PICTURE_STEPS], seen[PICTURE_STEPS];
    json_t *acknowledged = json_array(), *in_sb = json_array();

    ledger_count(&d->ledger, mono_add_us(d->acted, -PICTURE_BEFORE_US),
                 step_us, PICTURE_STEPS, acked, seen);
    for (size_t i = 0; i < PICTURE_STEPS; i++) {
        json_array_append_new(acknowledged, json_integer(acked[i]));
        json_array_append_new(in_sb, json_integer(seen[i]));
    }
    return json_pack("{s:f, s:f, s:o, s:o}", "from_ms",
                     -PICTURE_BEFORE_US / 1e3, "step_ms", step_us / 1e3,
                     "acknowledged", acknowledged, "in_sb", in_sb);
}

/* What is not as before, and meant so. */
static json_t *
make_notes(const struct drill *d)
{
    const char *active = watch_active(watch_status(d->watch));
    json_t *notes = json_array();

    if (*active && strcmp(active, d->act.from)) {
        add_text(notes,
                 ha_asprintf("%s is active now; ovn-hactl switchover --to %s "
                             "moves it back",
                             active, d->act.from));
    }
    return notes;
}

static const char *
verdict(const struct drill *d, bool pass)
{
    return n_caught || !d->has_acted ? "ABORTED" : pass ? "PASS" : "FAIL";
}

/* "drill: kill-nb FAIL: write outage 2.1 s (limit 1 s), ..." */
static void
note_verdict(const struct drill *d, const json_t *report)
{
    const json_t *checks = jsonget(report, "checks");
    char *text = NULL, *why = d->why ? ha_asprintf(" (%s)", d->why) : NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    fprintf(f, "drill: %s %s%s", d->kind->name,
            jsonget_text(report, "verdict"), why ? why : "");
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);
        bool pass = jsonget_true(check, "pass");

        fprintf(f, "%s %s %s%s%s%s", i ? "," : ":",
                jsonget_text(check, "name"), jsonget_text(check, "measured"),
                pass ? "" : " (limit ",
                pass ? "" : jsonget_text(check, "limit"), pass ? "" : ")");
    }
    fclose(f);
    free(why);
    note(text);
}

static json_t *
make_report(struct drill *d, int *ret_rc)
{
    struct ledger_sums sums, late;
    json_t *report, *checks = json_array();
    char host[128] = "", date[32] = "";
    struct tm tm;
    bool pass;

    add_history(d);
    ledger_sum(&d->ledger, d->acted, d->ended, &sums);
    ledger_sum(&d->ledger, d->acted, d->looked, &late);
    sums.sb_delay_us = late.sb_delay_us;
    sums.unseen = late.unseen;
    sums.sb_gap = late.sb_gap;
    pass = judge(d, &sums, checks);
    *ret_rc = n_caught || !d->has_acted ? VERB_FAILED
              : pass                    ? VERB_FINE
                                        : VERB_DRILL;
    snprintf(host, sizeof host, "%s",
             jsonget_text(watch_status(d->watch), "node"));
    gmtime_r(&d->acted_date.tv_sec, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
    report = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s?, s:o, s:I}", "schema", 1, "kind",
        d->kind->name, "node", host, "began", date, "verdict",
        verdict(d, pass), "why", d->why, "checks", checks, "duration_ms",
        (json_int_t) mono_us_between(d->acted, d->ended) / 1000);
    json_object_set_new(
        report, "writes",
        json_pack(
            "{s:I, s:I, s:o, s:I, s:I, s:I, s:I}", "acknowledged",
            (json_int_t) sums.acknowledged, "unanswered",
            (json_int_t) sums.unanswered, "lost",
            d->loss_known ? json_integer(sums.lost) : json_null(), "outage_ms",
            (json_int_t) ledger_gap_us(&sums.outage) / 1000, "outage_from_ms",
            (json_int_t) mono_us_between(d->acted, sums.outage.from) / 1000,
            "sb_delay_ms", (json_int_t) sums.sb_delay_us / 1000, "unseen",
            (json_int_t) sums.unseen));
    json_object_set_new(report, "compute", make_compute(d));
    json_object_set_new(report, "probes", make_probes(d));
    json_object_set_new(report, "phases", make_phases(d, &sums));
    json_object_set_new(report, "rates",
                        make_rates(d, jsonget(report, "phases")));
    json_object_set(report, "timeline", d->timeline);
    json_object_set_new(report, "notes", make_notes(d));
    json_object_set(report, "remains", d->remains);
    return report;
}

/* Returns false after a line of error. */
static bool
open_file(const char *path, FILE **ret_file)
{
    *ret_file = path ? fopen(path, "we") : NULL;
    if (path && !*ret_file) {
        fprintf(stderr, "ovn-hactl: %s cannot be written: %s\n", path,
                strerror(errno));
    }
    return !path || *ret_file;
}

/* The same, if not all of it could be written. */
static bool
close_file(const char *path, FILE *file)
{
    if (file && (ferror(file) | fclose(file))) {
        fprintf(stderr, "ovn-hactl: %s cannot be written: %s\n", path,
                strerror(errno));
        return false;
    }
    return true;
}

static void
print_report(const struct drill *d, const json_t *report)
{
    char *text;

    if (d->junit) {
        report_print_junit(report, d->junit);
    }
    if (d->html) {
        report_print_html(report, d->html);
    }

    if (!d->args->json) {
        putchar('\n');
        report_print_text(report, stdout);
        return;
    }
    text = json_dumps(report, JSON_INDENT(2));
    puts(text);
    free(text);
}

/* ---- All of it ----------------------------------------------------------- */

/* From the first write on, until all is as before. */
static int
run(struct drill *d)
{
    json_t *report;
    int rc;

    catch_signals();
    if (warm_up(d)) {
        act(d);
        if (d->has_acted) {
            measure(d);
        }
    }
    restore(d);
    finish_writes(d);
    remove_row(d);
    list_remains(d);
    clear_progress(d);
    report = make_report(d, &rc);
    note_verdict(d, report);
    print_report(d, report);
    json_decref(report);
    return rc;
}

/* Asks, and looks once more: that may have taken its time. */
static int
prepare(struct drill *d)
{
    char heir[sizeof d->act.to] = "";
    int rc = ask(d) ? VERB_FINE : VERB_FAILED;

    if (!rc && !d->kind->comm && !d->args->no_verify) {
        rc = switchover_verify(d->args, heir, sizeof heir);
    }
    if (!rc) {
        rc = plan(d, false);
    }
    if (!rc
        && (!open_file(d->args->drill.junit, &d->junit)
            || !open_file(d->args->drill.html, &d->html))) {
        rc = VERB_FAILED;
    }
    if (!rc && *heir) {
        snprintf(d->act.to, sizeof d->act.to, "%s", heir);
    }
    return rc;
}

int
verb_drill(struct verb_args *args)
{
    struct drill d = {
        .args = args,
        .kind = act_find_kind(args->operand),
        .act.victim = CHILD_NONE,
    };
    int rc;

    if (!d.kind) {
        char *names = act_kind_names();

        fprintf(stderr, "ovn-hactl: there is no drill \"%s\"; there are %s\n",
                args->operand, names);
        free(names);
        return VERB_USAGE;
    }
    ledger_init(&d.ledger);
    d.chassis = chassis_create();
    d.timeline = json_array();
    d.remains = json_array();
    rc = plan(&d, true);
    if (!rc && !args->drill.dry_run) {
        rc = prepare(&d);
        if (!rc) {
            rc = run(&d);
        }
    }
    if (!(close_file(args->drill.junit, d.junit)
          & close_file(args->drill.html, d.html))) {
        rc = VERB_FAILED;
    }
    for (size_t i = 0; i < d.n_probes; i++) {
        probe_destroy(d.probes[i]);
    }
    watch_destroy(d.watch);
    clients_destroy(d.clients);
    chassis_destroy(d.chassis);
    act_close(&d.act);
    ledger_close(&d.ledger);
    json_decref(d.timeline);
    json_decref(d.remains);
    free(d.nb);
    free(d.sb);
    free(d.why);
    return rc;
}
