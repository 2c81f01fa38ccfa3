/* SPDX-License-Identifier: Apache-2.0 */

/* The pure parts of a drill: the ledger's sums, and what a plan refuses. */

#include "ctl/drill-ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/drill-chassis.h"
#include "ctl/drill-plan.h"
#include "ctl/drill-phases.h"
#include "ctl/drill-report.h"

static mono_t
at(int ms)
{
    return (mono_t){ ms * 1000LL };
}

/* A write; below 0: never. */
static void
add(struct ledger *l, int sent, int acked, int seen)
{
    size_t number = ledger_add(l, at(sent));

    if (acked >= 0) {
        ledger_ack(l, number, at(acked));
    }
    if (seen >= 0) {
        ledger_seen(l, number, at(seen));
    }
}

static struct ledger_sums
sum(const struct ledger *l, int from, int to)
{
    struct ledger_sums s;

    ledger_sum(l, at(from), at(to), &s);
    return s;
}

static void
test_outage(void **state)
{
    struct ledger l;
    struct ledger_sums s;

    (void) state;
    ledger_init(&l);
    add(&l, 0, 1, 5);
    add(&l, 20, 21, 25);
    add(&l, 40, -1, -1); /* The fault is at 41. */
    add(&l, 290, 300, 350);
    add(&l, 320, 321, 350);
    s = sum(&l, 41, 400);
    assert_int_equal(s.acknowledged, 4);
    assert_int_equal(s.unanswered, 1);
    /* From the last acknowledgement before it. */
    assert_int_equal(s.outage.from.us, 21000);
    assert_int_equal(s.outage.to.us, 300000);
    assert_true(s.outage.over);
    assert_int_equal(ledger_gap_us(&s.outage), 279000);
    assert_int_equal(ledger_gap_us(&s.sb_gap), 325000);
    assert_int_equal(s.sb_delay_us, 50000);
    assert_int_equal(s.unseen, 0);
    /* What was before does not count. */
    s = sum(&l, 310, 350);
    assert_int_equal(ledger_gap_us(&s.outage), 29000);
    ledger_close(&l);
}

static void
test_never_back(void **state)
{
    struct ledger l;
    struct ledger_sums s;

    (void) state;
    ledger_init(&l);
    add(&l, 0, 1, 5);
    add(&l, 20, 21, -1);
    s = sum(&l, 30, 5000);
    assert_false(s.outage.over);
    assert_int_equal(ledger_gap_us(&s.outage), 4979000);
    /* It was in northd's hands when northd died. */
    assert_int_equal(s.unseen, 1);
    assert_int_equal(s.sb_delay_us, 4979000);
    assert_false(s.sb_gap.over);
    ledger_close(&l);
}

static void
test_lost(void **state)
{
    struct ledger l;
    struct ledger_sums s;

    (void) state;
    ledger_init(&l);
    add(&l, 0, 1, 5);
    add(&l, 20, 21, -1);
    add(&l, 40, -1, -1);
    ledger_doubt(&l);
    ledger_kept(&l, 0);
    ledger_kept(&l, 2); /* Not acknowledged, and there: allowed. */
    ledger_kept(&l, 3); /* Not of this drill. */
    s = sum(&l, 10, 100);
    assert_int_equal(s.lost, 1);
    /* What is lost cannot arrive. */
    assert_int_equal(s.unseen, 0);
    ledger_close(&l);
}

static void
test_seen_twice(void **state)
{
    struct ledger l;

    (void) state;
    ledger_init(&l);
    add(&l, 0, 1, 5);
    ledger_seen(&l, 0, at(50));
    ledger_seen(&l, SIZE_MAX, at(50));
    assert_int_equal(l.n_seen, 1);
    assert_int_equal(l.writes[0].seen.us, 5000);
    ledger_close(&l);
}

/* ---- Compute nodes ------------------------------------------------------- */

/* A change of row "u<i>". */
static void
update(struct chassis *c, int i, const char *kind, const char *row, int ms)
{
    char text[256];
    json_t *rows;

    snprintf(text, sizeof text, "{\"u%d\": {\"%s\": %s}}", i, kind, row);
    rows = json_loads(text, 0, NULL);
    assert_non_null(rows);
    chassis_update(c, rows, at(ms));
    json_decref(rows);
}

static void
test_chassis(void **state)
{
    struct chassis *c = chassis_create();
    struct chassis_sums s;

    (void) state;
    chassis_sum(c, &s);
    assert_int_equal(s.n, 0);
    for (int i = 0; i < 4; i++) {
        char row[64];

        snprintf(row, sizeof row, "{\"name\": \"c%d\", \"nb_cfg\": 6}", i);
        update(c, i, "initial", row, 1);
    }
    /* Three follow, one is dead. */
    update(c, 0, "modify", "{\"nb_cfg\": 7}", 9);
    chassis_expect(c, 7, at(10));
    update(c, 1, "modify", "{\"nb_cfg\": 7}", 12);
    update(c, 2, "modify", "{\"nb_cfg\": 7}", 12);
    chassis_sum(c, &s);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.n_back, 3);
    assert_string_equal(s.missing, "c3");
    assert_int_equal(s.last.us, MONO_NEVER.us);
    /* Only those who were there are missed. */
    chassis_expect(c, 8, at(20));
    update(c, 4, "insert", "{\"name\": \"new\", \"nb_cfg\": 0}", 21);
    update(c, 0, "modify", "{\"nb_cfg\": 8}", 22);
    /* Another server tells all anew. */
    update(c, 0, "initial", "{\"name\": \"c0\", \"nb_cfg\": 8}", 30);
    update(c, 1, "initial", "{\"name\": \"c1\", \"nb_cfg\": 8}", 30);
    chassis_sum(c, &s);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.n_back, 2);
    assert_int_equal(s.p50.us, 30000);
    /* One that is taken out on purpose is not missed. */
    update(c, 2, "delete", "null", 40);
    chassis_sum(c, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.p50.us, 22000);
    assert_int_equal(s.p99.us, 30000);
    assert_int_equal(s.last.us, 30000);
    assert_null(s.missing);
    chassis_destroy(c);
}

/* ---- The plan ------------------------------------------------------------ */

static json_t *
well(void)
{
    json_t *status = json_loads(
        "{\"node\": \"n1\","
        " \"cluster\": {\"health\": \"ok\", \"active\": \"n1\","
        "               \"quorate\": true},"
        " \"nodes\": [{\"name\": \"n1\", \"in_sync\": true,"
        "              \"not_eligible\": null, \"address\": \"192.0.2.1\"},"
        "             {\"name\": \"n2\", \"in_sync\": true,"
        "              \"not_eligible\": null, \"address\": \"2001:db8::2\"}],"
        " \"local\": {\"fencing\": {\"devices\":"
        "              [{\"name\": \"d1\", \"well\": true, \"why\": \"\"}]}},"
        " \"problems\": []}",
        0, NULL);

    assert_non_null(status);
    return status;
}

static void
assert_in_the_way(json_t *status, enum plan_where where, const char *text)
{
    json_t *list = plan_obstacles(status, where);

    if (!text) {
        assert_int_equal(json_array_size(list), 0);
    } else {
        assert_int_equal(json_array_size(list), 1);
        assert_non_null(
            strstr(json_string_value(json_array_get(list, 0)), text));
    }
    json_decref(list);
    json_decref(status);
}

static json_t *
change(const char *path, const char *key, json_t *value)
{
    json_t *status = well(), *o = json_object_get(status, path);

    if (json_is_array(o)) {
        o = json_array_get(o, 1);
    }
    json_object_set_new(o, key, value);
    return status;
}

static void
test_obstacles(void **state)
{
    json_t *device, *status = well();

    (void) state;
    assert_in_the_way(well(), PLAN_ON_ACTIVE, NULL);
    assert_in_the_way(change("cluster", "health", json_string("degraded")),
                      PLAN_ON_ACTIVE, "the cluster is degraded");
    assert_in_the_way(change("cluster", "quorate", json_false()),
                      PLAN_ON_ACTIVE, "no quorum");
    assert_in_the_way(change("cluster", "active", json_string("n2")),
                      PLAN_ON_ACTIVE, "run it there, on n2");
    assert_in_the_way(change("cluster", "active", json_string("n2")),
                      PLAN_ANYWHERE, NULL);
    assert_in_the_way(change("nodes", "in_sync", json_false()), PLAN_ANYWHERE,
                      "no standby is in sync");
    assert_in_the_way(change("nodes", "not_eligible", json_object()),
                      PLAN_ANYWHERE, "no standby is in sync");
    assert_in_the_way(change("cluster", "active", json_string("n2")),
                      PLAN_OFF_ACTIVE, NULL);
    assert_in_the_way(well(), PLAN_OFF_ACTIVE, "run it on another one");
    assert_in_the_way(
        change("cluster", "drill",
               json_pack("{s:s, s:s}", "kind", "crash", "node", "n2")),
        PLAN_ON_ACTIVE, "another drill is running: crash, begun on n2");
    device = json_array_get(
        json_object_get(
            json_object_get(json_object_get(status, "local"), "fencing"),
            "devices"),
        0);
    json_object_set_new(device, "well", json_false());
    assert_in_the_way(status, PLAN_ON_ACTIVE, "fence device d1 does not work");
}

static void
test_remotes(void **state)
{
    json_t *status = well();
    char *remotes = plan_remotes(status, "tcp", 6641);

    (void) state;
    assert_string_equal(remotes, "tcp:192.0.2.1:6641,tcp:[2001:db8::2]:6641");
    free(remotes);
    json_decref(status);
}

/* ---- The report ---------------------------------------------------------- */

static json_t *
make_report(const char *verdict)
{
    json_t *report = json_loads(
        "{\"kind\": \"kill-nb\", \"node\": \"n1\", \"began\": \"today\","
        " \"active\": {\"before\": \"n1\", \"after\": \"\"},"
        " \"why\": \"<b>&\\\"\", \"duration_ms\": 4000,"
        " \"checks\": [{\"name\": \"outage\", \"measured\": \"2 s\","
        "               \"limit\": \"1 s\", \"pass\": false},"
        "              {\"name\": \"delay\", \"measured\": \"1 s\","
        "               \"limit\": null, \"pass\": true}],"
        " \"writes\": {\"outage_ms\": 2000, \"outage_from_ms\": -100},"
        " \"rates\": {\"from_ms\": -500, \"step_ms\": 1000,"
        "             \"acknowledged\": [3, 0, 0, 3], \"in_sb\": [1, 0, 0, "
        "1]},"
        " \"phases\": [{\"name\": \"<end>\", \"ms\": 1900}],"
        " \"timeline\": [{\"text\": \"a < b\", \"ms\": 5}],"
        " \"notes\": [], \"remains\": [\"<mend>\"]}",
        0, NULL);

    assert_non_null(report);
    json_object_set_new(report, "verdict", json_string(verdict));
    return report;
}

static char *
print(void (*func)(const json_t *, FILE *), json_t *report)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    func(report, f);
    fclose(f);
    json_decref(report);
    return text;
}

static void
assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("no \"%s\" in %s", part, text);
    }
}

/* ---- Phases -------------------------------------------------------------- */

struct moment {
    int ms;
    const char *text;
};

static void
assert_phases(const struct moment *told, size_t n, const char *want)
{
    json_t *timeline = json_array(), *phases = json_array();
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(
            timeline,
            json_pack("{s:i, s:s}", "ms", told[i].ms, "text", told[i].text));
    }
    phases_add_told(phases, timeline, "n2", "2.2");
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const json_t *phase = json_array_get(phases, i);

        fprintf(f, "%d %.8s\n",
                (int) json_integer_value(json_object_get(phase, "ms")),
                json_string_value(json_object_get(phase, "name")));
    }
    fclose(f);
    assert_string_equal(text, want);
    free(text);
    json_decref(timeline);
    json_decref(phases);
}

static void
test_phases(void **state)
{
    /* The old epoch is in force again, and its active is known again, before
     * another one is elected. */
    static const struct moment isolated[] = {
        { 0, "on n2: cuts the active off from corosync" },
        { 10, "group: members are 1 3" },
        { 20, "record: epoch 2.2 in force, in sync: 1 2 3; standby -> "
              "blocked: waits until the old active's lease has provably run "
              "out; election: node 1 for epoch 3, because the active is "
              "gone" },
        { 30, "record: epoch 3.1 proposed by node 1" },
        { 35, "the cluster is down" },
        { 40, "n2 is active" },
        { 50, "record: epoch 3.1 in force, in sync: 1 2 3; promoting: waits "
              "until the old active's lease has provably run out" },
        { 60, "promoting: the replica workers take over the log" },
        { 70, "n1 is active" },
        { 80, "door: open; promotion: listening" },
        { 90, "promoting -> active" },
        { 99, "the cluster is ok" },
    };
    static const struct moment fenced[] = {
        { 20, "verdict: node 2 serves no more: a fence device has proven that "
              "it is off" },
        { 30, "n22 is active" },
    };
    static const struct moment elsewhere[] = {
        { 20, "record: epoch 3.1 in force, in sync: 1 2 3" },
        { 30, "n3 is active" },
        { 40, "n3 is promoting: the members exchange their records" },
        { 50, "n3 is promoting: the replica workers take over the log" },
        { 60, "n3: door: open" },
        { 70, "n3: promoting -> active" },
    };
    static const struct moment restarted[] = {
        { 20, "record: epoch 2.2 in force, in sync: 1 2 3; promoting: the "
              "replica workers take over the log" },
        { 30, "n2 is active" },
    };

    (void) state;
    assert_phases(isolated, sizeof isolated / sizeof isolated[0],
                  "10 detected\n35 no longe\n20 election\n50 elected:\n"
                  "60 fenced: \n70 another \n80 the door\n90 ovn-nort\n"
                  "99 the clus\n");
    assert_phases(fenced, 2, "20 fenced: \n30 another \n");
    assert_phases(elsewhere, sizeof elsewhere / sizeof elsewhere[0],
                  "20 elected:\n50 fenced: \n30 another \n60 the door\n"
                  "70 ovn-nort\n");
    assert_phases(restarted, 2, "");
}

static void
test_text(void **state)
{
    char *text = print(report_print_text, make_report("FAIL"));

    (void) state;
    assert_has(text, "drill kill-nb, begun on n1 at today: FAIL");
    assert_has(text, "FAIL   outage                   2 s; limit 1 s\n");
    assert_has(text, "       delay                    1 s\n");
    assert_has(text, "1900 ms  <end>");
    assert_has(text, "n1 was active, nobody is now\n");
    assert_has(text, "to be mended by hand:\n  <mend>\n");
    free(text);
}

static void
test_junit(void **state)
{
    char *text = print(report_print_junit, make_report("FAIL"));

    (void) state;
    assert_has(text, "tests=\"2\" failures=\"1\" errors=\"0\"");
    assert_has(text, "<failure message=\"2 s; limit 1 s\"/>");
    free(text);
    text = print(report_print_junit, make_report("ABORTED"));
    assert_has(text, "tests=\"3\" failures=\"1\" errors=\"1\"");
    assert_has(text, "<error message=\"&lt;b>&amp;&quot;\"/>");
    free(text);
}

static void
test_html(void **state)
{
    char *text = print(report_print_html, make_report("FAIL"));

    (void) state;
    assert_has(text, "<span class=\"verdict FAIL\">FAIL</span>");
    assert_has(text, "<td class=\"no\">FAIL</td>");
    assert_has(text, "<li>&lt;mend></li>");
    assert_has(text, "n1 was active, nobody is now. ");
    assert_has(text, "&lt;end>, 1900 ms</text>");
    /* From the act on the picture is 3.5 s of 4 s wide: 830 of 960. */
    assert_has(text, "<line class=\"act\" x1=\"213.8\"");
    assert_has(text, "<rect class=\"outage\" x=\"193.0\"");
    assert_null(strstr(text, "<b>"));
    assert_null(strstr(text, "://"));
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outage),    cmocka_unit_test(test_never_back),
        cmocka_unit_test(test_lost),      cmocka_unit_test(test_seen_twice),
        cmocka_unit_test(test_obstacles), cmocka_unit_test(test_remotes),
        cmocka_unit_test(test_phases),    cmocka_unit_test(test_text),
        cmocka_unit_test(test_junit),     cmocka_unit_test(test_html),
        cmocka_unit_test(test_chassis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
