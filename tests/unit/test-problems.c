/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/quoted.h"

static const char healthy[] =
    "{'node': 'n1', 'cluster': {'health': 'ok'},"
    " 'nodes': [{'name': 'n1', 'state': 'active', 'northd_ok': true},"
    "           {'name': 'n2', 'state': 'standby', 'northd_ok': true}],"
    " 'local': {'corosync': true, 'fence': {'connected': true, 'why': ''},"
    "  'nb': {'server': 'running'}, 'sb': {'server': 'running'},"
    "  'northd': {'state': 'active', 'wanted': true}}}";

/* The healthy status with the member at 'path' ("a/b/0") replaced. */
static json_t *
status_with(const char *path, const char *value)
{
    json_t *status = quoted_json(healthy);

    quoted_set(status, path, value);
    return status;
}

static const char *
text_of(const json_t *problem, const char *key)
{
    const char *text = json_string_value(json_object_get(problem, key));

    return text ? text : "(null)";
}

/* Exactly one problem, of this kind. */
static void
assert_one(const char *path, const char *value, const char *node,
           const char *code, const char *text)
{
    json_t *status = status_with(path, value);
    json_t *list = problems_find(status);
    const json_t *p = json_array_get(list, 0);

    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(text_of(p, "node"), node);
    assert_string_equal(text_of(p, "code"), code);
    assert_string_equal(text_of(p, "text"), text);
    assert_true(strlen(text_of(p, "ends")) > 5);
    json_decref(list);
    json_decref(status);
}

static void
all_is_well(void **state)
{
    json_t *status = quoted_json(healthy), *list = problems_find(status);

    (void) state;
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    json_decref(status);
}

static void
each_has_its_code(void **state)
{
    (void) state;
    assert_one("cluster/health", "'down'", "(null)", "no-active",
               "no node serves, as far as this one knows");
    assert_one("nodes/1/why",
               "{'code': 'tail', 'text': 'pulls', 'ends': 'pulled'}", "n2",
               "tail", "n2 is standby: pulls");
    assert_one("nodes/1/not_eligible",
               "{'code': 'lineage', 'text': 'other', 'ends': 'followed'}",
               "n2", "lineage", "n2 may not become active: other");
    assert_one("nodes/1/northd_ok", "false", "n2", "northd-bad",
               "n2: ovn-northd does not do what it should");
    assert_one("nodes/1/low_disk", "true", "n2", "disk-low",
               "n2: its disk is about to be full");
    assert_one("nodes/1/record_full", "true", "n2", "record-full",
               "n2: its record cannot be written: it cannot hand over or take "
               "over, and may give no vote");
    assert_one("local/disk",
               "{'low': false, 'tight': true, 'warn_mb': 500, 'folders':"
               " [{'folder': '/a', 'free_bytes': 499000000},"
               "  {'folder': '/b', 'free_bytes': 498000000}]}",
               "n1", "disk-tight", "498 MB are free in /b");
    assert_one("nodes/0/nb", "{'complete': false}", "n1", "nb-log",
               "n1: NB: no standby gets what is written now");
    assert_one("nodes/0/sb", "{'complete': false}", "n1", "sb-log",
               "n1: SB: no standby gets what is written now");
    assert_one("local/disk",
               "{'record': '/r', 'record_error': 'Is a directory'}", "n1",
               "record-error", "/r cannot be written: Is a directory");
    assert_one("nodes/1/leaving", "true", "n2", "leaving",
               "n2 is being stopped");
    assert_one("local/corosync", "false", "n1", "corosync-down",
               "corosync is not running here");
    assert_one("local/fence", "{'connected': false}", "n1", "fence-down",
               "the fence worker is not running here");
    assert_one("local/fence",
               "{'connected': true, 'serve': '3.1', 'why': 'no lease'}", "n1",
               "door-shut", "door: no lease");
    assert_one("local/fence/kernel_lease",
               "{'state': 'missing', 'why': 'no nft'}", "n1",
               "kernel-lease-missing", "no lease in the kernel: no nft");
    assert_one("local/fence/kernel_lease",
               "{'state': 'used', 'why': 'too slow'}", "n1", "kernel-lease",
               "lease in the kernel: too slow");
    assert_one("local/fence/virtual_ip", "{'held': true, 'why': 'two'}", "n1",
               "virtual-ip", "virtual IP: two");
    assert_one("local/fence/watchdog",
               "{'state': 'missing', 'device': '/d', 'why': 'not there'}",
               "n1", "watchdog-missing",
               "no watchdog guards this node: /d: not there");
    assert_one("local/fence/watchdog",
               "{'state': 'armed', 'device': '/d', 'why': 'cannot be fed'}",
               "n1", "watchdog", "watchdog /d: cannot be fed");
    assert_one("local/fence/watchdog",
               "{'state': 'armed', 'device': '/d', 'why': '',"
               " 'nowayout': true}",
               "n1", "watchdog-nowayout",
               "watchdog /d cannot be disarmed: this node is reset when "
               "ovn-had is stopped");
    assert_one("local/sb/server", "'hung'", "n1", "sb-server",
               "SB: ovsdb-server is hung");
    assert_one("local/nb/server_error", "'no schema'", "n1", "nb-server-error",
               "NB: no schema");
    assert_one("local/nb",
               "{'server': 'running', 'replica': 'failed',"
               " 'replica_why': 'torn'}",
               "n1", "nb-replica", "NB: replica failed: torn");
    assert_one("local/northd", "{'state': 'paused', 'wanted': true}", "n1",
               "northd-role", "northd is paused, wanted is active");
    assert_one("local/events", "{'program': '/x', 'error': 'exit status 1'}",
               "n1", "events", "events are not told: /x: exit status 1");
}

/* Only once it was tried: before that nothing is known of it. */
static void
a_dead_fence_device_is_told(void **state)
{
    json_t *status = status_with(
        "local/fencing", "{'devices': ["
                         " {'name': 'new', 'well': false, 'why': ''},"
                         " {'name': 'good', 'well': true, 'why': ''}]}");
    json_t *list = problems_find(status);

    (void) state;
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    json_decref(status);
    assert_one("local/fencing",
               "{'devices': [{'name': 'new', 'well': false, 'why': ''},"
               " {'name': 'dead', 'well': false, 'why': 'monitor failed'},"
               " {'name': 'too', 'well': false, 'why': 'no agent'}]}",
               "n1", "fence-device",
               "fence device dead does not work: monitor failed");
}

/* What the node itself knows better is not told twice. */
static void
a_low_disk_is_told_once(void **state)
{
    json_t *status = status_with(
        "local/disk", "{'low': true, 'tight': true, 'low_mb': 100, 'folders':"
                      " [{'folder': '/a', 'free_bytes': 99000000}]}");
    json_t *list;

    (void) state;
    quoted_set(status, "nodes/0/low_disk", "true");
    list = problems_find(status);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(
        text_of(json_array_get(list, 0), "text"),
        "99 MB are free in /a; on a full disk every write is refused");
    assert_string_equal(text_of(json_array_get(list, 0), "ends"),
                        "200 MB are free there");
    json_decref(list);
    json_decref(status);
}

/* A pause is told once, for the cluster, with what it waits for. */
static void
a_pause_is_told_once(void **state)
{
    json_t *status = status_with(
        "nodes/1/not_eligible", "{'code': 'paused', 'text': 'a', 'ends': ''}");
    json_t *list = problems_find(status);

    (void) state;
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    json_decref(status);
    assert_one("cluster/pause", "{'state': 'on', 'since': 'noon'}", "(null)",
               "paused",
               "the cluster is paused: no role moves; asked for at noon");
    assert_one(
        "cluster/pause",
        "{'state': 'ending', 'since': 'noon', 'waits': 'n2 is off'}", "(null)",
        "paused",
        "the cluster was paused, and is to go on; asked for at noon: n2 "
        "is off");
    assert_one("cluster/pause", "{'state': 'asked', 'since': 'noon'}",
               "(null)", "paused",
               "the cluster is about to pause; asked for at noon");
}

/* At the first start, whose data are one too many. */
static void
first_data_is_named(void **state)
{
    json_t *status = status_with(
        "nodes/1/why",
        "{'code': 'bootstrap-data', 'text': 'two', 'ends': 'later'}");
    json_t *node = json_array_get(json_object_get(status, "nodes"), 1);
    json_t *sb = quoted_json("{'has_data': false}"), *list;

    (void) state;
    json_object_set_new(node, "sb", sb);
    list = problems_find(status);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    json_object_set_new(sb, "has_data", json_true());
    list = problems_find(status);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_of(json_array_get(list, 1), "text"),
                        "n2 has data: SB");
    json_decref(list);
    json_decref(status);
}

/* What is a reason twice is told once. */
static void
a_node_and_code_occur_once(void **state)
{
    json_t *status = status_with(
        "nodes/1/why", "{'code': 'x', 'text': 'a', 'ends': 'later'}");
    json_t *node = json_array_get(json_object_get(status, "nodes"), 1);
    json_t *list;

    (void) state;
    json_object_set_new(
        node, "not_eligible",
        quoted_json("{'code': 'x', 'text': 'a', 'ends': 'later'}"));
    list = problems_find(status);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    json_object_set_new(
        node, "not_eligible",
        quoted_json("{'code': 'y', 'text': 'b', 'ends': 'later'}"));
    list = problems_find(status);
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    json_decref(status);
}

static void
that_nobody_serves_comes_first(void **state)
{
    json_t *status = status_with("cluster/health", "'down'");
    json_t *list;

    (void) state;
    json_object_set_new(json_object_get(status, "local"), "corosync",
                        json_false());
    list = problems_find(status);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_of(json_array_get(list, 0), "code"), "no-active");
    json_decref(list);
    json_decref(status);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(each_has_its_code),
        cmocka_unit_test(a_dead_fence_device_is_told),
        cmocka_unit_test(a_low_disk_is_told_once),
        cmocka_unit_test(a_pause_is_told_once),
        cmocka_unit_test(first_data_is_named),
        cmocka_unit_test(a_node_and_code_occur_once),
        cmocka_unit_test(that_nobody_serves_comes_first),
    };

    return cmocka_run_group_tests_name("problems", tests, NULL, NULL);
}
