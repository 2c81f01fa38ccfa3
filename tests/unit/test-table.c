/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/quoted.h"

#define COLUMNS 100

static const char healthy[] =
    "{'schema': 1, 'time': '2026-11-22T01:02:03Z', 'node': 'n1',"
    " 'cluster': {'health': 'ok', 'active': 'n1', 'epoch': '3.1',"
    "  'lineage': '0011223344556677', 'quorate': true,"
    "  'members': ['n1', 'n2'], 'in_sync': ['n1', 'n2']},"
    " 'nodes': [{'name': 'n1', 'state': 'active', 'epoch': '3.1',"
    "  'in_sync': true, 'northd_ok': true, 'door_open': true,"
    "  'nb': {'position': {'seq': 42}, 'lag_records': 0},"
    "  'sb': {'position': {'seq': 17}, 'lag_records': 0}}],"
    " 'local': {'corosync': true, 'fence': {'connected': true, 'why': ''},"
    "  'nb': {'server': 'running'}, 'sb': {'server': 'running'},"
    "  'northd': {'state': 'active', 'wanted': true}}}";

static void
assert_width(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        assert_in_range(n, 0, COLUMNS);
        text += n + 1;
    }
}

static void
a_healthy_cluster_has_no_complaints(void **state)
{
    json_t *json = quoted_json(healthy);
    char *text = table_render(json);

    (void) state;
    assert_non_null(strstr(text, "cluster  ok, active n1, epoch 3.1"));
    assert_non_null(strstr(text, "n1           active    3.1 "));
    assert_non_null(strstr(text, " 42      0 "));
    assert_null(strstr(text, "not well"));
    assert_width(text);
    free(text);
    json_decref(json);
}

static void
a_lease_that_the_kernel_does_not_hold_is_told(void **state)
{
    json_t *json = quoted_json(healthy);
    json_t *fence = json_object_get(json_object_get(json, "local"), "fence");
    char *text;

    (void) state;
    json_object_set_new(fence, "kernel_lease",
                        json_pack("{s:s, s:s}", "state", "used", "why", ""));
    text = table_render(json);
    assert_null(strstr(text, "not well"));
    free(text);
    json_object_set_new(fence, "kernel_lease",
                        json_pack("{s:s, s:s}", "state", "missing", "why",
                                  "nftables: Operation not permitted"));
    text = table_render(json);
    assert_non_null(strstr(text, "not well:\n  no lease in the kernel: "
                                 "nftables: Operation not permitted\n"));
    free(text);
    json_object_set_new(
        fence, "kernel_lease",
        json_pack("{s:s, s:s}", "state", "used", "why", "too slow"));
    text = table_render(json);
    assert_non_null(strstr(text, "  lease in the kernel: too slow\n"));
    free(text);
    json_decref(json);
}

/* The one that guards this node, or why none does. */
static void
a_watchdog_is_told(void **state)
{
    json_t *json = quoted_json(healthy);
    char *text;

    (void) state;
    quoted_set(json, "local/fence/watchdog",
               "{'state': 'armed', 'device': '/dev/watchdog0',"
               " 'identity': 'i6300ESB timer', 'timeout_ms': 2000}");
    text = table_render(json);
    assert_non_null(strstr(text, "\nwatchdog /dev/watchdog0, i6300ESB timer, "
                                 "2000 ms: armed\n"));
    free(text);
    quoted_set(json, "local/fence/watchdog",
               "{'state': 'none', 'device': '',"
               " 'why': 'no [watchdog] device is configured: nothing resets "
               "this node if it stands still'}");
    text = table_render(json);
    assert_non_null(strstr(text, "\nwatchdog none: no [watchdog] device is "
                                 "configured: nothing resets this node if it "
                                 "stands still\n"));
    assert_null(strstr(text, "not well"));
    assert_width(text);
    free(text);
    quoted_set(json, "local/state", "'witness'");
    text = table_render(json);
    assert_null(strstr(text, "watchdog"));
    free(text);
    json_decref(json);
}

static void
a_virtual_ip_is_told(void **state)
{
    json_t *json = quoted_json(healthy);
    json_t *fence = json_object_get(json_object_get(json, "local"), "fence");
    char *text;

    (void) state;
    json_object_set_new(fence, "virtual_ip", json_null());
    text = table_render(json);
    assert_null(strstr(text, "virtual IP"));
    free(text);
    json_object_set_new(
        fence, "virtual_ip",
        quoted_json("{'addresses': ['192.0.2.9/24', '2001:db8::9/64'],"
                    " 'interface': 'eth0', 'state': 'held', 'why': ''}"));
    text = table_render(json);
    assert_non_null(strstr(
        text, "\nvirtual IP 192.0.2.9/24 2001:db8::9/64 on eth0: held\n"));
    assert_width(text);
    free(text);
    json_decref(json);
}

static void
verifications_are_told(void **state)
{
    json_t *json = quoted_json(healthy);
    json_t *node = json_array_get(json_object_get(json, "nodes"), 0);
    char *text;

    (void) state;
    json_object_set_new(
        json_object_get(node, "nb"), "verification",
        quoted_json(
            "{'state': 'differs', 'ended': '2026-11-22T01:00:00Z',"
            " 'position': {'seq': 41}, 'found': {'rows': 3, 'differences':"
            " [{'table': 'Logical_Switch'}]}}"));
    json_object_set_new(
        json_object_get(node, "sb"), "verification",
        quoted_json("{'state': 'running', 'phase': 'reading',"
                    " 'done': 30, 'total': 40, 'found': null}"));
    text = table_render(json);
    assert_non_null(strstr(
        text, "verified  n1 NB differs at record 41, 2026-11-22T01:00:00Z\n"));
    assert_non_null(strstr(text, "verified  n1 SB reading, 75 %\n"));
    assert_non_null(strstr(text, "not well:\n  n1: NB differs in 3 rows, the "
                                 "first in Logical_Switch\n"));
    assert_width(text);
    free(text);
    json_object_set_new(
        json_object_get(node, "nb"), "verification",
        quoted_json("{'state': 'failed', 'why': 'no memory'}"));
    json_object_set_new(json_object_get(node, "sb"), "verification",
                        quoted_json("{'state': 'none'}"));
    text = table_render(json);
    assert_non_null(strstr(text, "verified  n1 NB failed: no memory\n"));
    assert_null(strstr(text, "n1 SB none"));
    assert_null(strstr(text, "not well"));
    free(text);
    json_decref(json);
}

static void
how_a_replica_came_to_its_data(void **state)
{
    json_t *json = quoted_json(healthy);
    char *text;

    (void) state;
    quoted_set(json, "local/nb",
               "{'server': 'running', 'resumes': 1, 'snapshots': 0,"
               " 'snapshot_why': ''}");
    quoted_set(json, "local/sb",
               "{'server': 'running', 'resumes': 0, 'snapshots': 2,"
               " 'snapshot_why': 'own position is not known'}");
    text = table_render(json);
    assert_non_null(
        strstr(text, "replica   n1 NB: 1 resume, 0 snapshots\n"
                     "replica   n1 SB: 0 resumes, 2 snapshots: own position "
                     "is not known\n"));
    assert_width(text);
    free(text);
    json_decref(json);
}

static void
every_complaint_has_its_reason(void **state)
{
    json_t *json = quoted_json(healthy);
    json_t *node = json_array_get(json_object_get(json, "nodes"), 0);
    json_t *local = json_object_get(json, "local");
    char *text;

    (void) state;
    json_object_set_new(node, "state", json_string("promoting"));
    json_object_set_new(node, "why",
                        json_pack("{s:s, s:s}", "code", "tail", "text",
                                  "pulls the newest records"));
    json_object_set_new(node, "northd_ok", json_false());
    json_object_set_new(local, "corosync", json_false());
    json_object_set_new(json_object_get(local, "nb"), "server",
                        json_string("hung"));
    text = table_render(json);
    assert_non_null(strstr(text, "not well:\n"));
    assert_non_null(
        strstr(text, "  n1 is promoting: pulls the newest records\n"));
    assert_non_null(strstr(text, "  corosync is not running here\n"));
    assert_non_null(strstr(text, "  NB: ovsdb-server is hung\n"));
    assert_non_null(strstr(text, " BAD "));
    assert_width(text);
    free(text);
    json_decref(json);
}

static void
how_long_and_what_ends_it(void **state)
{
    static const struct {
        int seconds;
        const char *text;
    } rows[] = { { 0, "for 0 s" },
                 { 119, "for 119 s" },
                 { 120, "for 2 min" },
                 { 7199, "for 119 min" },
                 { 90000, "for 25 h" } };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *json = quoted_json(healthy);
        char *text, want[100];

        json_object_set_new(json, "problems",
                            json_pack("[{s:s, s:s, s:i}]", "text", "it broke",
                                      "ends", "it is mended", "seconds",
                                      rows[i].seconds));
        text = table_render(json);
        snprintf(want, sizeof want,
                 "not well:\n  it broke\n      %s; ends when: it is "
                 "mended\n",
                 rows[i].text);
        assert_non_null(strstr(text, want));
        free(text);
        json_decref(json);
    }
}

static void
an_unknown_active_is_not_called_active(void **state)
{
    json_t *json = quoted_json(healthy);
    json_t *cluster = json_object_get(json, "cluster");
    char *text;

    (void) state;
    json_object_set_new(cluster, "active", json_null());
    json_object_set_new(cluster, "last_active", json_string("n9"));
    text = table_render(json);
    assert_non_null(strstr(text, "active unknown, last n9"));
    free(text);
    json_decref(json);
}

/* What a replica waits for, with the command that answers it; and room that
 * is taken by what gave way. */
static void
what_is_asked_for_names_the_command(void **state)
{
    json_t *json = quoted_json(healthy);
    json_t *node = json_array_get(json_object_get(json, "nodes"), 0);
    char *text;

    (void) state;
    json_object_set_new(json_object_get(node, "nb"), "asks",
                        json_pack("{s:s}", "command", "reinit"));
    json_object_set_new(json_object_get(node, "sb"), "asks",
                        json_pack("{s:s, s:i, s:i, s:i}", "command",
                                  "accept-shrink", "record", 812, "rows", 1000,
                                  "lost", 900));
    json_object_set_new(
        node, "set_aside",
        json_pack("{s:i, s:I}", "files", 2, "bytes", (json_int_t) 12400000));
    text = table_render(json);
    assert_non_null(strstr(text, "ends when: ovn-hactl reinit n1 is run"));
    assert_non_null(strstr(text, "SB stopped before record 812: 900 of 1000 "
                                 "rows would be gone"));
    assert_non_null(
        strstr(text, "ends when: ovn-hactl accept-shrink n1 is run"));
    assert_non_null(
        strstr(text, "set aside on n1: 2 databases, 12.4 MB in diverged/\n"));
    assert_width(text);
    free(text);
    json_decref(json);
}

/* From an older ovn-had, say. */
static void
what_is_missing_does_no_harm(void **state)
{
    const char *texts[] = { "{}", "{'nodes': [{}]}", "{'nodes': [1, 'x']}",
                            "{'cluster': 1, 'nodes': {}, 'local': []}" };

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *json = quoted_json(texts[i]);
        char *text = table_render(json);

        assert_non_null(strstr(text, "NODE "));
        assert_width(text);
        free(text);
        json_decref(json);
    }
}

static void
warnings_are_shown(void **state)
{
    json_t *json = quoted_json(healthy);
    char *text;

    (void) state;
    json_object_set_new(json, "warnings",
                        json_pack("[s]", "something is not encrypted"));
    text = table_render(json);
    assert_non_null(strstr(text, "\nwarning: something is not encrypted\n"));
    free(text);
    json_decref(json);
}

static const char fenced[] =
    "{'local': {'fencing': {'devices': ["
    "  {'name': 'ipmi', 'well': true, 'answered_ms': 12345, 'why': ''},"
    "  {'name': 'pdu', 'well': false, 'answered_ms': 60000, 'why': 'dead'},"
    "  {'name': 'new', 'well': false, 'answered_ms': null, 'why': ''}],"
    " 'nodes': [{'node': 'n2', 'levels': [['ipmi'], ['pdu', 'new']],"
    "   'phase': 'working', 'level': 2, 'device': 'pdu', 'action': 'off'},"
    "  {'node': 'n3', 'levels': [['ipmi']], 'phase': 'fenced',"
    "   'fenced_ms': 2000},"
    "  {'node': 'n4', 'levels': [['ipmi']], 'phase': 'failed',"
    "   'why': 'no power'},"
    "  {'node': 'n5', 'levels': [['ipmi']], 'phase': 'idle'}]}}}";

static void
fence_devices_are_told(void **state)
{
    json_t *json = quoted_json(fenced);
    char *text = table_render(json);

    (void) state;
    assert_non_null(strstr(
        text, "\n\nfence devices of n2: ipmi answered its monitor 12 s ago\n"
              "fence devices of n2, level 2: pdu DOES NOT WORK: dead; it "
              "answered last: 60 s ago; new has not been heard yet\n"
              "n2 is being fenced: level 2, pdu: off\n"));
    assert_non_null(strstr(text, "\nn3 was proven to be off 2 s ago\n"));
    assert_non_null(strstr(text, "\nn4 could NOT be fenced: no power\n"));
    assert_non_null(strstr(
        text, "fence devices of n5: ipmi answered its monitor 12 s ago\n\n"));
    free(text);
    json_decref(json);
}

static void
a_pause_is_at_the_top(void **state)
{
    json_t *json =
        quoted_json("{'cluster': {'health': 'ok', 'in_sync': ['n1'], 'pause':"
                    " {'state': 'on', 'since': '2026-11-22T01:02:03Z'}}}");
    char *text = table_render(json);

    (void) state;
    assert_non_null(strstr(text,
                           "\nPAUSED   since 2026-11-22T01:02:03Z: roles "
                           "stay as they are\nseen by"));
    free(text);
    json_decref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warnings_are_shown),
        cmocka_unit_test(fence_devices_are_told),
        cmocka_unit_test(a_pause_is_at_the_top),
        cmocka_unit_test(a_healthy_cluster_has_no_complaints),
        cmocka_unit_test(a_lease_that_the_kernel_does_not_hold_is_told),
        cmocka_unit_test(a_virtual_ip_is_told),
        cmocka_unit_test(a_watchdog_is_told),
        cmocka_unit_test(verifications_are_told),
        cmocka_unit_test(how_a_replica_came_to_its_data),
        cmocka_unit_test(every_complaint_has_its_reason),
        cmocka_unit_test(how_long_and_what_ends_it),
        cmocka_unit_test(an_unknown_active_is_not_called_active),
        cmocka_unit_test(what_is_missing_does_no_harm),
        cmocka_unit_test(what_is_asked_for_names_the_command),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
