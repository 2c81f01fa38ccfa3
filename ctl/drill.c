/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl drill': does to the cluster what a bad day does to it, under
 * measurement, and judges how it came through: plans, asks, acts, measures,
 * restores, judges. */

#include "ctl/drill.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/daemon.h"
#include "ctl/drill-sequence.h"
#include "ctl/interrupt.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/tls.h"
#include "lib/xalloc.h"

#define STEP_MS 5
#define WARM_UP_MS 15000
#define WARM_UP_WRITES 50
#define COMPUTE_MS 3000  /* For compute nodes that may not be there at all. */
#define CALM_US 3000000  /* All has to be well for so long, and a lease. */
#define FRESH_US 1000000 /* What is older is no sign of life. */
#define SERVE_MS 30000   /* Patience with a cluster after an abort... */
#define ROW_MS 30000     /* ...and with the end of the row. */
#define LINE_US 200000

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

mono_t
drill_turn(struct drill *d)
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

void
drill_add_text(json_t *list, char *text)
{
    json_array_append_new(list, json_string(text));
    free(text);
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
    while (!error && !interrupt_count() && !d->why
           && mono_before(now, deadline)) {
        now = drill_turn(d);
        if (is_warm(d, now)) {
            return true;
        }
    }
    if (!interrupt_count()) {
        end_early(d, d->ledger.n_acked
                         ? ha_strdup("no write to NB reaches SB")
                         : ha_asprintf("no write to NB is acknowledged: %s",
                                       *clients_refusal(d->clients)
                                           ? clients_refusal(d->clients)
                                           : "no answer"));
    }
    return false;
}

void
drill_note(char *text)
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

    drill_note(ha_asprintf("drill: %s begins", d->kind->name));

    clock_gettime(CLOCK_REALTIME, &d->acted_date);
    d->acted = d->calm_since = mono_now();
    d->effect = MONO_NEVER;
    snprintf(
        d->epoch, sizeof d->epoch, "%s",
        jsonget_text(jsonget(watch_status(d->watch), "cluster"), "epoch"));
    trouble = act_do(&d->act);
    if (trouble) {
        end_early(d, trouble);
        return;
    }
    d->has_acted = true;
    text = ha_asprintf("on %s: %s", d->act.from, d->kind->what);
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

    if (!act_is_well(&d->act, status)
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
    return d->effect.us == MONO_NEVER.us
               ? ha_asprintf("nothing came of it within %g s: see the history "
                             "and the log of ovn-had on %s",
                             d->args->timeout_seconds, d->act.from)
           : sums.missing
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
    while (!interrupt_count() && !d->recovered && mono_before(now, deadline)) {
        now = drill_turn(d);
        follow_effect(d, now);
        d->recovered = is_calm(d, now);
    }
    if (!d->recovered && !interrupt_count()) {
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

/* Whether what was done to another node may still have its worst to come,
 * though all looks well. */
static bool
is_under_way(const struct drill *d, mono_t now)
{
    mono_t cut_ends = mono_add_us(d->acted, d->act.cut_us);

    return act_is_crash(&d->act)
               ? interrupt_count() && d->effect.us == MONO_NEVER.us
               : d->act.cut_us
                     && mono_before(now, mono_add_us(cut_ends, FRESH_US));
}

/* What does not end by itself is ended; then the cluster is given the time to
 * serve, which a second signal cuts short. */
static void
restore(struct drill *d)
{
    mono_t now = mono_now(), cut_ends = mono_add_us(d->acted, d->act.cut_us);
    mono_t deadline = mono_add_ms(mono_max(now, cut_ends), SERVE_MS);
    int cut = interrupt_count() + 1;

    if (interrupt_count()) {
        end_early(d, ha_strdup("interrupted"));
    }
    if (!d->has_acted) {
        return;
    }
    d->doing = "restoring";
    act_undo(&d->act);
    while (!d->recovered && interrupt_count() < cut
           && mono_before(now, deadline)
           && (!serves(d, now) || is_under_way(d, now)
               || !act_is_well(&d->act, watch_status(d->watch)))) {
        now = drill_turn(d);
        follow_effect(d, now);
    }
}

/* Waits until the last write has been answered, and is in SB. */
static void
finish_writes(struct drill *d)
{
    int cut = interrupt_count() + 1;
    mono_t deadline = mono_add_us(mono_now(), d->patience_us);
    mono_t last = d->ledger.last_acked;

    d->doing = "ending";
    clients_stop(d->clients);
    while (clients_busy(d->clients) && mono_before(mono_now(), deadline)) {
        drill_turn(d);
    }
    d->ended = d->looked = mono_now();
    deadline = mono_add_us(d->ended, 3 * d->patience_us);
    while (d->ledger.n_seen < d->ledger.n_acked && interrupt_count() < cut
           && mono_before(last, d->looked)
           && mono_before(d->looked, deadline)) {
        d->looked = drill_turn(d);
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
        drill_add_text(
            d->remains,
            ha_strdup("address sets named ovn_ha_drill_* are left in NB: "
                      "the next drill removes them, or ovn-nbctl destroy "
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
    int64_t left_us;
    char *reply;

    left_us =
        mono_us_between(mono_now(), mono_add_us(d->acted, d->act.cut_us));
    if (d->has_acted && d->act.cut_us && left_us > 0) {
        drill_add_text(d->remains,
                       ha_asprintf("%s is cut off from corosync for %.1f s "
                                   "more: its kernel ends that by itself",
                                   d->act.from, left_us / 1e6));
    }
    if (!daemon_call("cluster/status", argv, &reply)) {
        status = json_loads(reply, 0, NULL);
    } else {
        drill_add_text(d->remains, ha_asprintf("%s: start it", reply));
    }
    free(reply);
    problems = jsonget(status, "problems");
    for (size_t i = 0;
         !act_is_well(&d->act, status) && i < json_array_size(problems); i++) {
        const json_t *problem = json_array_get(problems, i);

        drill_add_text(d->remains, ha_asprintf("%s; it ends when %s",
                                               jsonget_text(problem, "text"),
                                               jsonget_text(problem, "ends")));
    }
    json_decref(status);
}

/* ---- All of it ----------------------------------------------------------- */

/* From the first write on, until all is as before. */
static int
run(struct drill *d)
{
    json_t *report;
    int rc;

    interrupt_catch();
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
    d->interrupted = interrupt_count();
    report = drill_make_report(d, &rc);
    drill_note_verdict(d, report);
    drill_unregister(d);
    drill_print_report(d->args, &d->files, report);
    json_decref(report);
    return rc;
}

/* Asks, and looks once more: that may have taken its time. */
static int
prepare(struct drill *d)
{
    char heir[sizeof d->act.to] = "";
    int rc = drill_ask(d->args) ? VERB_FINE : VERB_FAILED;

    if (!rc && d->kind->where == PLAN_ANYWHERE && !d->args->no_verify) {
        rc = switchover_verify(d->args, heir, sizeof heir);
    }
    if (!rc) {
        rc = drill_plan(d, false);
    }
    if (!rc && !drill_open_files(d->args, &d->files)) {
        rc = VERB_FAILED;
    }
    if (!rc) {
        rc = drill_register(d);
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

    if (!strcmp(args->operand, "sequence")) {
        return sequence_run(args);
    } else if (!d.kind) {
        char *names = act_kind_names();

        fprintf(stderr,
                "ovn-hactl: there is no drill \"%s\"; there are %s, "
                "sequence\n",
                args->operand, names);
        free(names);
        return VERB_USAGE;
    }
    ledger_init(&d.ledger);
    d.chassis = chassis_create();
    d.timeline = json_array();
    d.remains = json_array();
    rc = drill_plan(&d, true);
    if (!rc && !args->drill.dry_run) {
        rc = prepare(&d);
        if (!rc) {
            rc = run(&d);
        }
    }
    if (!drill_close_files(args, &d.files)) {
        rc = VERB_FAILED;
    }
    for (size_t i = 0; i < d.n_probes; i++) {
        probe_destroy(d.probes[i]);
    }
    watch_destroy(d.watch);
    clients_destroy(d.clients);
    tls_destroy(d.tls);
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
