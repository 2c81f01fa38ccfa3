/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/quoted.h"

static const char full[] =
    "{'version': '1.2', 'node': 'n1',"
    " 'cluster': {'health': 'degraded', 'epoch': '7.2', 'quorate': true,"
    "  'in_sync': ['n1', 'n2'], 'nodes': 3, 'lease_ms': 1500,"
    "  'token_ms': 650, 'pause': {'state': 'on', 'seconds': 77}},"
    " 'nodes': [{'name': 'n1', 'state': 'active', 'in_group': true,"
    "   'in_sync': true, 'not_eligible': null, 'northd_ok': true,"
    "   'door_open': true, 'nb': {'position': {'seq': 42},"
    "    'lag_records': 0}},"
    "  {'name': 'n2', 'state': 'standby', 'in_sync': true,"
    "   'not_eligible': {'code': 'x'}, 'nb': {'lag_records': null}},"
    "  {'name': 'n3', 'state': 'absent', 'in_group': false}],"
    " 'local': {'state_ms': 2500, 'corosync': true,"
    "  'fence': {'connected': true, 'lease_left_ms': 750, 'acks': 2,"
    "   'lease_losses': 4, 'virtual_ip': {'held': true},"
    "   'watchdog': {'state': 'armed', 'timeout_ms': 2000}},"
    "  'nb': {'server': 'running', 'server_starts': 1,"
    "   'file_bytes': 160000000000},"
    "  'sb': {'server': 'hung', 'resumes': 3},"
    "  'northd': {'state': 'paused', 'starts': 5},"
    "  'events': {'told': 7, 'failed': 1, 'dropped': 8},"
    "  'disk': {'folders': [{'folder': '/var/lib/ovn', 'free_bytes': 4096}],"
    "   'low': true}},"
    " 'problems': [{'node': null, 'code': 'no-active', 'seconds': 9},"
    "  {'node': 'n3', 'code': 'absent', 'seconds': 70}]}";

static char *
render(const char *text, bool openmetrics)
{
    json_t *status = quoted_json(text);
    char *metrics = metrics_render(status, openmetrics);

    json_decref(status);
    return metrics;
}

/* The text has this line. */
static void
assert_line(const char *text, const char *line)
{
    size_t n = strlen(line);

    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (!strncmp(p, line, n) && p[n] == '\n') {
            return;
        }
    }
    fail_msg("no line %s", line);
}

static void
values(void **state)
{
    static const char *const lines[] = {
        "ovn_ha_build_info{version=\"1.2\",node=\"n1\"} 1",
        "ovn_ha_health{state=\"ok\"} 0",
        "ovn_ha_health{state=\"degraded\"} 1",
        "ovn_ha_quorate 1",
        "ovn_ha_paused 1",
        "ovn_ha_events_total{outcome=\"dropped\"} 8",
        "ovn_ha_paused_seconds 77",
        "ovn_ha_epoch 7",
        "ovn_ha_in_sync_nodes 2",
        "ovn_ha_nodes 3",
        "ovn_ha_lease_seconds 1.5",
        "ovn_ha_token_seconds 0.65",
        "ovn_ha_node_state{node=\"n2\",state=\"standby\"} 1",
        "ovn_ha_node_state{node=\"n2\",state=\"active\"} 0",
        "ovn_ha_node_state{node=\"n3\",state=\"absent\"} 1",
        "ovn_ha_node_in_group{node=\"n3\"} 0",
        "ovn_ha_node_in_sync{node=\"n2\"} 1",
        "ovn_ha_node_eligible{node=\"n1\"} 1",
        "ovn_ha_node_eligible{node=\"n2\"} 0",
        "ovn_ha_node_eligible{node=\"n3\"} 0",
        "ovn_ha_replica_lag_records{node=\"n1\",db=\"nb\"} 0",
        "ovn_ha_replica_position_records{node=\"n1\",db=\"nb\"} 42",
        "ovn_ha_problems 2",
        "ovn_ha_problem_seconds{node=\"\",code=\"no-active\"} 9",
        "ovn_ha_problem_seconds{node=\"n3\",code=\"absent\"} 70",
        "ovn_ha_state_seconds 2.5",
        "ovn_ha_fence_up 1",
        "ovn_ha_lease_left_seconds 0.75",
        "ovn_ha_lease_losses_total 4",
        "ovn_ha_virtual_ip_held 1",
        "ovn_ha_watchdog_armed 1",
        "ovn_ha_watchdog_timeout_seconds 2",
        "ovn_ha_server_up{db=\"nb\"} 1",
        "ovn_ha_server_up{db=\"sb\"} 0",
        "ovn_ha_replica_resumes_total{db=\"sb\"} 3",
        "ovn_db_db_size_bytes{db_name=\"OVN_Northbound\"} 160000000000",
        "ovn_northd_status 2",
        "ovn_ha_northd_starts_total 5",
        "ovn_ha_disk_free_bytes{folder=\"/var/lib/ovn\"} 4096",
        "ovn_ha_disk_low 1",
    };
    char *text = render(full, false);

    (void) state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_line(text, lines[i]);
    }
    /* A lag that is not known is no lag of 0. */
    assert_null(strstr(text, "lag_records{node=\"n2\""));
    free(text);
}

/* The two formats name the family of a counter differently, and only one has
 * an end. */
static void
formats(void **state)
{
    char *text = render(full, false);
    const char *end = "# EOF\n";

    (void) state;
    assert_line(text, "# TYPE ovn_ha_lease_losses_total counter");
    assert_null(strstr(text, "# EOF"));
    free(text);
    text = render(full, true);
    assert_line(text, "# TYPE ovn_ha_lease_losses counter");
    assert_line(text, "# TYPE ovn_ha_epoch gauge");
    assert_string_equal(text + strlen(text) - strlen(end), end);
    free(text);
}

/* No family is begun twice, or without a sample. */
static void
families(void **state)
{
    char *text = render(full, true), *copy = strdup(text), *rest = copy;
    char *line, *last = NULL;

    (void) state;
    while ((line = strsep(&rest, "\n"))) {
        if (!strncmp(line, "# TYPE ", 7)) {
            char *name = strsep(&(char *){ line + 7 }, " ");
            char head[100];

            snprintf(head, sizeof head, "# TYPE %s ", name);
            assert_null(strstr(strstr(text, head) + 1, head));
            last = name;
        } else if (!strncmp(line, "# HELP ", 7)) {
            last = NULL;
        } else if (*line && *line != '#') {
            assert_non_null(last);
            assert_memory_equal(line, last, strlen(last));
        }
    }
    free(copy);
    free(text);
}

static void
labels_are_escaped(void **state)
{
    json_t *status = json_pack("{s:[{s:s, s:s}]}", "nodes", "name",
                               "a\"b\\c\nd\xc3\xa4", "state", "active");
    char *text = metrics_render(status, true);

    (void) state;
    assert_line(text, "ovn_ha_node_state{node=\"a\\\"b\\\\c\\nd\xc3\xa4\","
                      "state=\"active\"} 1");
    free(text);
    json_decref(status);
}

/* From an ovn-had of another version, say. */
static void
what_is_missing_has_no_sample(void **state)
{
    const char *texts[] = { "{}", "{'nodes': [1]}",
                            "{'cluster': 1, 'nodes': {}, 'local': []}" };

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = render(texts[i], true);

        assert_null(strstr(text, "ovn_ha_epoch"));
        assert_null(strstr(text, "ovn_ha_health"));
        assert_null(strstr(text, "ovn_ha_lease"));
        assert_null(strstr(text, "ovn_northd_status"));
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(formats),
        cmocka_unit_test(families),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(what_is_missing_has_no_sample),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
