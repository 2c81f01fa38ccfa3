/* SPDX-License-Identifier: Apache-2.0 */

/* How the cluster came through a drill: the checks, and the report that all
 * its forms are made of. */

#include "ctl/drill.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/daemon.h"
#include "ctl/drill-phases.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define HISTORY "200" /* Lines. */

/* The picture begins before the act, and ends after the last phase. */
#define PICTURE_STEPS 160
#define PICTURE_BEFORE_US 500000
#define PICTURE_AFTER_US 1000000

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

static json_t *
make_phases(const struct drill *d, const struct ledger_sums *s)
{
    json_t *phases = json_array();
    struct chassis_sums compute;

    phases_add_told(phases, d->timeline, d->act.from, d->epoch);
    if (s->outage.over) {
        phases_add(phases, "the longest write outage ends",
                   mono_us_between(d->acted, s->outage.to) / 1000);
    }
    if (s->sb_gap.over) {
        phases_add(phases, "the longest time without a change in SB ends",
                   mono_us_between(d->acted, s->sb_gap.to) / 1000);
    }
    chassis_sum(d->chassis, &compute);
    if (d->raised && compute.last.us != MONO_NEVER.us) {
        phases_add(phases, "the last compute node is back",
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
        drill_add_text(
            notes,
            ha_asprintf("%s is active now; ovn-hactl switchover --to %s "
                        "moves it back",
                        active, d->act.from));
    }
    if (d->has_acted && act_is_crash(&d->act)
        && strcmp(watch_health(watch_status(d->watch)), "ok")) {
        drill_add_text(
            notes, ha_asprintf("%s is down: switch it on, or start corosync "
                               "and ovn-had there, unless that happens by "
                               "itself",
                               d->act.from));
    }
    return notes;
}

static const char *
verdict(const struct drill *d, bool pass)
{
    return d->interrupted || !d->has_acted ? "ABORTED"
           : pass                          ? "PASS"
                                           : "FAIL";
}

void
drill_note_verdict(const struct drill *d, const json_t *report)
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
    drill_note(text);
}

json_t *
drill_make_report(struct drill *d, int *ret_rc)
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
    *ret_rc = d->interrupted || !d->has_acted ? VERB_FAILED
              : pass                          ? VERB_FINE
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
    json_object_set_new(report, "active",
                        json_pack("{s:s, s:s}", "before", d->act.from, "after",
                                  watch_active(watch_status(d->watch))));
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
