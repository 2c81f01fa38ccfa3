/* SPDX-License-Identifier: Apache-2.0 */

#include "ctl/follow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/quoted.h"

#define LINEAGE "00000000000000aa"
#define DB(SEQ)                                                           \
    "{'connected': true, 'asks': null, 'position': {'lineage': '" LINEAGE \
    "', 'seq': " #SEQ "}}"

/* n1 is active; n2 has all; n3 is a witness; n4 is absent. */
static const char status[] =
    "{'node': 'n1', 'cluster': {'active': 'n1'}, 'nodes': ["
    "{'name': 'n1', 'state': 'active', 'witness': false, 'in_sync': true,"
    " 'nb': " DB(7) ", 'sb': " DB(
        9) "},"
           "{'name': 'n2', 'state': 'standby', 'witness': false, 'in_sync': "
           "true,"
           " 'why': null, 'nb': " DB(8) ", 'sb': " DB(
               12) "},"
                   "{'name': 'n3', 'state': 'witness', 'witness': true},"
                   "{'name': 'n4', 'state': 'absent'}]}";

static const struct follow_goal goal = {
    .db = { { true, 8, LINEAGE }, { true, 12, LINEAGE } },
};

/* With 'value' at 'path' n2 is in that state. */
static void
assert_n2(const char *path, const char *value, enum follow_state want)
{
    json_t *json = quoted_json(status);
    int n[FOLLOW_N];

    quoted_set(json, path, value);
    assert_int_equal(
        follow_judge(json, json_array_get(json_object_get(json, "nodes"), 1),
                     &goal),
        want);
    follow_count(json, &goal, n);
    assert_int_equal(n[FOLLOW_NO_STANDBY], 2);
    assert_int_equal(n[FOLLOW_ABSENT], want == FOLLOW_ABSENT ? 2 : 1);
    assert_int_equal(n[want], want == FOLLOW_ABSENT ? 2 : 1);
    json_decref(json);
}

/* It is the standby's own position that counts, in both databases, and of the
 * same lineage: what the active knows of its own log may be old. */
static void
test_positions(void **state)
{
    (void) state;
    assert_n2("node", "'n1'", FOLLOW_HAS);
    assert_n2("nodes/1/nb/position/seq", "9", FOLLOW_HAS);
    assert_n2("nodes/1/nb/position/seq", "7", FOLLOW_BEHIND);
    assert_n2("nodes/1/sb/position/seq", "11", FOLLOW_BEHIND);
    assert_n2("nodes/1/sb/position", "null", FOLLOW_BEHIND);
    assert_n2("nodes/1/sb/position/lineage", "'00000000000000ab'",
              FOLLOW_BEHIND);
}

/* Who does not get it is not waited for. */
static void
test_others(void **state)
{
    (void) state;
    assert_n2("nodes/1/sb/asks", "{'command': 'accept-shrink'}", FOLLOW_ASKS);
    assert_n2("nodes/1/nb/asks", "{'command': 'reinit'}", FOLLOW_ASKS);
    assert_n2("nodes/1/sb/connected", "false", FOLLOW_AWAY);
    assert_n2("nodes/1/state", "'absent'", FOLLOW_ABSENT);
}

/* What the goal is, is not known: nobody has it. */
static void
test_no_goal(void **state)
{
    static const struct follow_goal none = { .db = { { false, 0, "" } } };
    json_t *json = quoted_json(status);
    int n[FOLLOW_N];

    (void) state;
    follow_count(json, &none, n);
    assert_int_equal(n[FOLLOW_HAS], 0);
    assert_int_equal(n[FOLLOW_BEHIND], 1);
    json_decref(json);
}

/* With 'value' at 'path', 'node' is stale for this reason; NULL: it is not. */
static void
assert_stale(const char *node, const char *path, const char *value,
             const char *want)
{
    json_t *json = quoted_json(status);
    char why[128];

    quoted_set(json, "node", node);
    quoted_set(json, path, value);
    assert_int_equal(follow_is_stale(json, why, sizeof why), want != NULL);
    assert_string_equal(why, want ? want : "");
    json_decref(json);
}

/* Only the active, and who follows it, have what a backup is made for. */
static void
test_stale(void **state)
{
    json_t *json = quoted_json(status);

    (void) state;
    assert_stale("'n1'", "nodes/0/in_sync", "false", NULL);
    assert_stale("'n2'", "nodes/1/in_sync", "true", NULL);
    assert_stale("'n2'", "nodes/1/in_sync", "false", "is not in sync");
    assert_stale("'n2'", "nodes/1/sb/connected", "false",
                 "is not connected to the active");
    assert_stale("'n2'", "nodes/1/nb/asks", "{'command': 'accept-shrink'}",
                 "waits for ovn-hactl accept-shrink");
    assert_stale("'n2'", "nodes/1/state", "'isolated'", "is isolated");
    assert_stale("'n1'", "nodes/0",
                 "{'name': 'n1', 'state': 'blocked', 'why': {'text': 'no'}}",
                 "is blocked: no");
    assert_stale("'n9'", "nodes/0/in_sync", "true", "is unknown");
    assert_int_equal(follow_own_lag(json, 0), -1);
    quoted_set(json, "nodes/0/sb/lag_records", "3");
    assert_int_equal(follow_own_lag(json, 1), 3);
    json_decref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_no_goal),
        cmocka_unit_test(test_stale),
    };

    return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
