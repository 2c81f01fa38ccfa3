/* SPDX-License-Identifier: Apache-2.0 */

#include "ctl/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/check-corosync.h"
#include "lib/jsonget.h"
#include "tests/unit/quoted.h"

/* A control node of a healthy cluster. */
static const char healthy[] =
    "{'now': 1000000, 'member': true, 'unmasked': [], 'holders': [],"
    " 'listeners': [{'port': 6661, 'what': 'x', 'pid': 3, 'comm': 'c',"
    "                'ours': true}],"
    " 'pacemaker': {'runs_databases': false, 'runs': false},"
    " 'corosync': {'quorum.provider': 'corosync_votequorum',"
    "  'nodelist.node.0.nodeid': '1', 'nodelist.node.1.nodeid': '2',"
    "  'nodelist.node.2.nodeid': '3',"
    "  'runtime.config.totem.token': '1000', 'totem.transport': 'knet',"
    "  'totem.crypto_cipher': 'aes256', 'totem.crypto_hash': 'sha256'},"
    " 'conf': {'lease_ms': 1000, 'replication_tls': true, 'fenced': [],"
    "          'policy': 'auto', 'beat_ms': 100, 'drift_ppm': 10000,"
    "          'watchdog_ms': 0},"
    " 'certificates': [{'what': 'w', 'file': '/f', 'error': '',"
    "                   'until': 9000000}],"
    " 'databases': {"
    "  'nb': {'file_bytes': 1000000, 'free_bytes': 900000000,"
    "   'folder': '/var/lib/ovn', 'schema': '7.0.0',"
    "   'schema_installed': '7.0.0', 'connections': [],"
    "   'server': {'pid': 9, 'fds_used': 20, 'fds_limit': 1024}},"
    "  'sb': {'file_bytes': 1000000, 'free_bytes': 900000000,"
    "   'folder': '/var/lib/ovn', 'schema': '20.0.0',"
    "   'schema_installed': '20.0.0',"
    "   'server': {'pid': 9, 'fds_used': 20, 'fds_limit': 1024},"
    "   'connections': [{'target': 'ptcp:6642', 'inactivity_probe': 60000},"
    "                   {'target': 'pssl:6643',"
    "                    'inactivity_probe': ['set', []]}],"
    "   'chassis': [{'name': 'a', 'hostname': 'h1', 'ips': ['192.0.2.1']},"
    "               {'name': 'b', 'hostname': 'h2', 'ips': ['192.0.2.2']}]}},"
    " 'status': {'node': 'n1', 'local': {'fencing': {'devices': ["
    "   {'name': 'd', 'fits': true, 'well': true, 'tried_ms': 5}]}},"
    "  'nodes': ["
    "   {'name': 'n1', 'told': {'version': '1', 'clock_ahead_ms': 0,"
    "    'schemas': {'nb': '7.0.0', 'sb': '20.0.0'},"
    "    'options': {'[timing] lease-ms': '1000'}}},"
    "   {'name': 'n2', 'told': {'version': '1', 'clock_ahead_ms': -900,"
    "    'schemas': {'nb': '7.0.0', 'sb': '20.0.0'},"
    "    'options': {'[timing] lease-ms': '1000'}}},"
    "   {'name': 'n3', 'told': null}]}}";

static const char compute[] =
    "{'external_ids': {'ovn-remote': 'tcp:192.0.2.1:6642,tcp:192.0.2.2:6642',"
    "  'system-id': 'a', 'ovn-remote-probe-interval': '5000'},"
    " 'system_id_file': 'a'}";

struct change {
    const char *path, *value;
};

/* With these changes there is one finding: this. */
static void
assert_found(const struct change changes[], size_t n,
             enum check_severity severity, const char *code, const char *what)
{
    bool client = !strncmp(changes[0].path, "external", 8)
                  || !strncmp(changes[0].path, "system", 6);
    json_t *facts = quoted_json(client ? compute : healthy), *findings;
    const json_t *f;

    for (size_t i = 0; i < n; i++) {
        quoted_set(facts, changes[i].path, changes[i].value);
    }
    findings = client ? check_judge(check_client_table, check_client_n, facts)
                      : check_judge(check_table, check_n, facts);
    f = json_array_get(findings, 0);
    assert_int_equal(json_array_size(findings), code ? 1 : 0);
    assert_int_equal(check_worst(findings), severity);
    if (code) {
        assert_string_equal(jsonget_text(f, "code"), code);
        assert_non_null(strstr(jsonget_text(f, "what"), what));
        assert_true(*jsonget_text(f, "why") && *jsonget_text(f, "mend")
                    && *jsonget_text(f, "check"));
    }
    json_decref(findings);
    json_decref(facts);
}

#define FOUND(SEVERITY, CODE, WHAT, ...)                                    \
    do {                                                                    \
        static const struct change changes[] = { __VA_ARGS__ };             \
        assert_found(changes, sizeof changes / sizeof changes[0], SEVERITY, \
                     CODE, WHAT);                                           \
    } while (0)
#define NOTHING(...) FOUND(CHECK_OK, NULL, NULL, __VA_ARGS__)

static void
all_is_well(void **state)
{
    (void) state;
    NOTHING({ "now", "1000000" });
    NOTHING({ "external_ids/system-id", "'a'" });
}

/* Nothing is known: nothing is found, and nothing crashes. */
static void
no_facts(void **state)
{
    json_t *facts = json_object();
    json_t *findings = check_judge(check_table, check_n, facts);

    (void) state;
    assert_int_equal(json_array_size(findings), 0);
    json_decref(findings);
    findings = check_judge(check_client_table, check_client_n, facts);
    assert_int_equal(json_array_size(findings), 0);
    json_decref(findings);
    json_decref(facts);
}

#define NO_NODE_3                                 \
    {                                             \
        "corosync/nodelist.node.2.nodeid", "null" \
    }
#define FENCED                        \
    {                                 \
        "conf/fenced", "['n1', 'n2']" \
    }

static void
quorum(void **state)
{
    (void) state;
    FOUND(CHECK_CRITICAL, "no-quorum-provider", "votequorum",
          { "corosync/quorum.provider", "''" });
    FOUND(CHECK_CRITICAL, "expected-votes", "is 2, but nodes",
          { "corosync/quorum.expected_votes", "'2'" });
    NOTHING({ "corosync/quorum.expected_votes", "'3'" });
    FOUND(CHECK_CRITICAL, "expected-votes", "have 3 votes", NO_NODE_3, FENCED,
          { "corosync/quorum.expected_votes", "'2'" },
          { "corosync/quorum.device.model", "'net'" });
    FOUND(CHECK_WARNING, "uneven-votes", "one vote",
          { "corosync/nodelist.node.0.quorum_votes", "'2'" });
    FOUND(CHECK_CRITICAL, "two-node", "with 3 nodes",
          { "corosync/quorum.two_node", "'1'" });
    NOTHING({ "corosync/quorum.two_node", "'1'" }, NO_NODE_3, FENCED);
    FOUND(CHECK_CRITICAL, "two-node", "beside a quorum device",
          { "corosync/quorum.two_node", "'1'" }, NO_NODE_3, FENCED,
          { "corosync/quorum.device.model", "'net'" });
    FOUND(CHECK_WARNING, "wait-for-all", "is 0",
          { "corosync/quorum.two_node", "'1'" }, NO_NODE_3, FENCED,
          { "corosync/quorum.wait_for_all", "'0'" });
    FOUND(CHECK_WARNING, "last-man-standing", "is on",
          { "corosync/quorum.last_man_standing", "'1'" });
    FOUND(CHECK_WARNING, "auto-tie-breaker", "is on",
          { "corosync/quorum.auto_tie_breaker", "'1'" });
}

static void
tie_breaker(void **state)
{
    (void) state;
    FOUND(CHECK_CRITICAL, "no-tie-breaker", "no node has", NO_NODE_3);
    FOUND(CHECK_CRITICAL, "no-tie-breaker", "only one node has", NO_NODE_3,
          { "conf/fenced", "['n1']" });
    NOTHING(NO_NODE_3, FENCED);
    FOUND(CHECK_WARNING, "device-in-vain", "beside 3 nodes",
          { "corosync/quorum.device.model", "'net'" });
    FOUND(CHECK_CRITICAL, "device-no-proof", "no node has", NO_NODE_3,
          { "corosync/quorum.device.model", "'net'" });
    NOTHING(NO_NODE_3, FENCED, { "corosync/quorum.device.model", "'net'" });
    FOUND(CHECK_WARNING, "pair-stops", "stop", NO_NODE_3, FENCED,
          { "conf/policy", "'stop'" });
    FOUND(CHECK_WARNING, "policy-in-vain", "= fence with 3 nodes",
          { "conf/policy", "'fence'" });
    NOTHING({ "conf/policy", "'fence'" }, NO_NODE_3, FENCED);
    FOUND(CHECK_WARNING, "device-in-vain", "beside [quorum]", NO_NODE_3,
          FENCED, { "conf/policy", "'fence'" },
          { "corosync/quorum.device.model", "'net'" });
}

static void
totem(void **state)
{
    (void) state;
    FOUND(CHECK_WARNING, "token-short", "499 ms",
          { "corosync/runtime.config.totem.token", "'499'" },
          { "corosync/totem.interface.0.knet_ping_timeout", "'1000'" });
    FOUND(CHECK_WARNING, "lease-long", "2201, but corosync knows after 2200",
          { "conf/lease_ms", "2201" });
    NOTHING({ "conf/lease_ms", "2200" });
    FOUND(CHECK_WARNING, "knet-ping", "450 ms",
          { "corosync/runtime.config.totem.token", "'900'" });
    NOTHING({ "corosync/runtime.config.totem.token", "'900'" },
            { "corosync/totem.interface.0.knet_ping_timeout", "'1000'" });
    NOTHING({ "corosync/runtime.config.totem.token", "'900'" },
            { "corosync/totem.transport", "'udpu'" });
    FOUND(CHECK_WARNING, "corosync-in-clear", "neither encrypts",
          { "corosync/totem.crypto_cipher", "'none'" },
          { "corosync/totem.crypto_hash", "''" });
    NOTHING({ "corosync/totem.crypto_cipher", "'none'" },
            { "corosync/totem.crypto_hash", "''" },
            { "corosync/totem.secauth", "'on'" });
}

static void
probes(void **state)
{
    (void) state;
    FOUND(CHECK_WARNING, "probe-off", "SB: inactivity_probe of ptcp:6642 is 0",
          { "databases/sb/connections/0/inactivity_probe", "0" });
    /* 200 MB take 17 s; the default is 5 s. */
    FOUND(CHECK_WARNING, "probe-short", "pssl:6643 is 5000 ms",
          { "databases/sb/file_bytes", "200000000" });
    FOUND(CHECK_WARNING, "probe-short", "ptcp:6642 is 8000 ms",
          { "databases/sb/file_bytes", "200000000" },
          { "databases/sb/connections/1/inactivity_probe", "9000" },
          { "databases/sb/connections/0/inactivity_probe", "8000" });
    NOTHING({ "databases/sb/file_bytes", "100000000" });
}

static void
schemas(void **state)
{
    (void) state;
    FOUND(CHECK_WARNING, "schema-unconverted", "has schema 6.1.0, and 7.0.0",
          { "databases/nb/schema", "'6.1.0'" });
    FOUND(CHECK_WARNING, "schema-skew", "20.0.0 is installed here, and 20.1.0",
          { "status/nodes/1/told/schemas/sb", "'20.1.0'" });
}

static void
room(void **state)
{
    (void) state;
    FOUND(CHECK_WARNING, "disk-room", "NB: 103 MB free in /var/lib/ovn",
          { "databases/nb/free_bytes", "102999999" });
    NOTHING({ "databases/nb/free_bytes", "103000000" });
    FOUND(CHECK_CRITICAL, "disk-room", "SB: 11 MB free",
          { "databases/sb/free_bytes", "10999999" });
    FOUND(CHECK_WARNING, "disk-room", "NB: 300 MB free in /var/lib/ovn",
          { "databases/nb/free_bytes", "299999999" },
          { "conf/warn_mb", "300" });
    NOTHING({ "databases/nb/free_bytes", "300000000" },
            { "conf/warn_mb", "300" });
    FOUND(CHECK_CRITICAL, "disk-room", "NB: 250 MB free in /var/lib/ovn",
          { "databases/nb/free_bytes", "249999999" }, { "conf/low_mb", "250" },
          { "conf/warn_mb", "300" });
    FOUND(CHECK_WARNING, "descriptors", "may open 1024 files, has 449",
          { "databases/nb/server/fds_used", "449" });
    NOTHING({ "databases/nb/server/fds_used", "448" });
    FOUND(CHECK_CRITICAL, "descriptors", "SB: ovsdb-server, process 9",
          { "databases/sb/server/fds_limit", "65" });
    NOTHING({ "databases/nb/server/fds_limit", "0" });
}

static void
chassis(void **state)
{
    (void) state;
    FOUND(CHECK_WARNING, "chassis-host-twice",
          "chassis a and b have the same host name, h1",
          { "databases/sb/chassis/1/hostname", "'h1'" });
    FOUND(CHECK_CRITICAL, "chassis-address-twice", "192.0.2.1",
          { "databases/sb/chassis/1/ips", "['192.0.2.9', '192.0.2.1']" });
    NOTHING({ "databases/sb/chassis/1/hostname", "''" },
            { "databases/sb/chassis/0/hostname", "''" });
}

static void
owners(void **state)
{
    (void) state;
    FOUND(CHECK_WARNING, "units-unmasked", "may start a.service, b.service",
          { "unmasked", "['a.service', 'b.service']" });
    FOUND(CHECK_CRITICAL, "pacemaker", "which runs",
          { "pacemaker", "{'runs_databases': true, 'runs': true}" });
    FOUND(CHECK_WARNING, "pacemaker", "does not run now",
          { "pacemaker", "{'runs_databases': true, 'runs': false}" });
    FOUND(CHECK_CRITICAL, "foreign-server", "/db is in use by process 7",
          { "holders", "[{'file': '/db', 'pid': 7, 'command': 'server'}]" });
    FOUND(CHECK_CRITICAL, "port-taken", "port 6661, x, is taken by process 3",
          { "listeners/0/ours", "false" });
}

static void
node(void **state)
{
    (void) state;
    FOUND(CHECK_UNKNOWN, "blind", "dark",
          { "unseen", "[{'code': 'blind', 'what': 'dark', 'mend': 'm'}]" });
    FOUND(CHECK_CRITICAL, "configuration", "f:1: no",
          { "conf_error", "'f:1: no'" });
    FOUND(CHECK_WARNING, "log-shipping-in-clear", "no TLS",
          { "conf/replication_tls", "false" });
    FOUND(CHECK_CRITICAL, "certificate", "w, /f: broken",
          { "certificates/0/error", "'broken'" });
    FOUND(CHECK_WARNING, "certificate-ends", "expires in 30 days",
          { "certificates/0/until", "3592000" });
    NOTHING({ "certificates/0/until", "3592001" });
    FOUND(CHECK_CRITICAL, "certificate-ends", "expires in 7 days",
          { "certificates/0/until", "1604800" });
    FOUND(CHECK_CRITICAL, "certificate-ends", "has expired",
          { "certificates/0/until", "1000000" });
    FOUND(CHECK_CRITICAL, "fence-device", "d does not work from here: off",
          { "status/local/fencing/devices/0/well", "false" },
          { "status/local/fencing/devices/0/why", "'off'" });
    FOUND(CHECK_CRITICAL, "fence-device", "d does not work",
          { "status/local/fencing/devices/0/fits", "false" },
          { "status/local/fencing/devices/0/tried_ms", "null" });
    NOTHING({ "status/local/fencing/devices/0/well", "false" },
            { "status/local/fencing/devices/0/tried_ms", "null" });
}

static void
watchdog(void **state)
{
    static const char armed[] = "{'watchdog': {'state': 'armed', 'why': '',"
                                " 'device': '/d', 'nowayout': false}}";

    (void) state;
    NOTHING({ "conf/watchdog_ms", "0" }, { "status/local/fence", armed });
    FOUND(CHECK_OK, "watchdog-timing",
          "watchdog 2000 ms + 2 * beat 100 ms + 20 ms <= lease 1000 ms < 1010 "
          "ms",
          { "conf/watchdog_ms", "2000" }, { "status/local/fence", armed });
    FOUND(CHECK_WARNING, "watchdog", "watchdog /d: another process has it",
          { "conf/watchdog_ms", "2000" },
          { "status/local/fence",
            "{'watchdog': {'state': 'missing', 'device': '/d',"
            " 'why': 'another process has it'}}" });
    FOUND(CHECK_WARNING, "watchdog-nowayout", "/d cannot be disarmed",
          { "conf/watchdog_ms", "2000" },
          { "status/local/fence",
            "{'watchdog': {'state': 'armed', 'device': '/d', 'why': '',"
            " 'nowayout': true}}" });
}

static void
virtual_ip(void **state)
{
    (void) state;
    NOTHING({ "status/local/fence", "{'virtual_ip': null}" });
    NOTHING({ "status/local/fence",
              "{'virtual_ip': {'unfit': false, 'why': ''}}" });
    FOUND(CHECK_WARNING, "virtual-ip", "virtual IP: another host",
          { "status/local/fence",
            "{'virtual_ip': {'unfit': false, 'why': 'another host'}}" });
    FOUND(CHECK_CRITICAL, "virtual-ip", "virtual IP: interface x is down",
          { "status/local/fence",
            "{'virtual_ip': {'unfit': true, 'why': 'interface x is down'}}" });
    /* Who runs knows better. */
    NOTHING({ "conf/vip_interface", "'x'" });
    FOUND(CHECK_CRITICAL, "virtual-ip", "there is no interface x here",
          { "conf/vip_interface", "'x'" }, { "status", "null" },
          { "member", "false" });
    NOTHING({ "conf/vip_interface", "'x'" },
            { "conf/vip_interface_here", "true" }, { "status", "null" },
            { "member", "false" });
}

static void
daemon_down(void **state)
{
    json_t *facts = quoted_json("{'member': true}");
    json_t *findings = check_judge(check_table, check_n, facts);

    (void) state;
    assert_int_equal(json_array_size(findings), 1);
    assert_string_equal(jsonget_text(json_array_get(findings, 0), "code"),
                        "daemon-down");
    json_decref(findings);
    json_decref(facts);
}

static void
peers(void **state)
{
    (void) state;
    FOUND(CHECK_CRITICAL, "option-differs",
          "[timing] lease-ms is 1000 here, and 2000 on n2",
          { "status/nodes/1/told/options/[timing] lease-ms", "'2000'" });
    FOUND(CHECK_CRITICAL, "option-differs",
          "[virtual-ip] address is 192.0.2.9/24 here, and not set on n2",
          { "status/nodes/0/told/options/[virtual-ip] address",
            "'192.0.2.9/24'" },
          { "status/nodes/1/told/options/[virtual-ip] address", "''" });
    /* One of an older version does not know of it. */
    NOTHING({ "status/nodes/0/told/options/[virtual-ip] address",
              "'192.0.2.9/24'" });
    FOUND(CHECK_WARNING, "clock-skew", "n2 is 2.1 s behind",
          { "status/nodes/1/told/clock_ahead_ms", "-2100" });
    FOUND(CHECK_WARNING, "clock-skew", "n2 is 2.1 s ahead of",
          { "status/nodes/1/told/clock_ahead_ms", "2100" });
    FOUND(CHECK_WARNING, "version-skew", "version 1 here, and 2 on n2",
          { "status/nodes/1/told/version", "'2'" });
}

static void
client(void **state)
{
    (void) state;
    FOUND(CHECK_CRITICAL, "no-remote", "not set",
          { "external_ids/ovn-remote", "null" });
    FOUND(CHECK_WARNING, "one-remote", "tcp:192.0.2.1:6642",
          { "external_ids/ovn-remote", "'tcp:192.0.2.1:6642'" });
    FOUND(CHECK_CRITICAL, "remote-probe-off", "is 0",
          { "external_ids/ovn-remote-probe-interval", "'0'" });
    FOUND(CHECK_CRITICAL, "system-id-changes", "is b, and",
          { "external_ids/system-id", "'b'" });
    NOTHING({ "system_id_file", "null" });
}

static void
corosync_lines(void **state)
{
    json_t *cmap = corosync_parse("totem.token (u32) = 500\n"
                                  "totem.cluster_name (str) = a (b) = c\n"
                                  "junk\n\nquorum.two_node (u8) = 1\n"
                                  "totem.secauth (str) = on");

    (void) state;
    assert_int_equal(corosync_number(cmap, "totem.token", 7), 500);
    assert_int_equal(corosync_number(cmap, "totem.none", 7), 7);
    assert_int_equal(corosync_number(cmap, "totem.cluster_name", 7), 7);
    assert_int_equal(corosync_number(cmap, "totem.secauth", 7), 1);
    assert_string_equal(corosync_text(cmap, "totem.cluster_name"),
                        "a (b) = c");
    assert_int_equal(json_object_size(cmap), 4);
    json_decref(cmap);
}

/* The worst comes first, whatever the order; the first line says all. */
static void
rendering(void **state)
{
    json_t *findings = json_array();
    char *text;

    (void) state;
    check_add(findings, CHECK_UNKNOWN, "u", strdup("unknown one"), "w", "m");
    check_add(findings, CHECK_WARNING, "w", strdup("cut \xc3"), "w", "m");
    check_add(findings, CHECK_CRITICAL, "c", strdup("bad one"), "w", "m");
    text = check_render(findings, 9, true);
    assert_string_equal(text,
                        "CRITICAL: 3 findings of 9 checks\n"
                        "\ncritical: bad one [c]\n  why:  w\n  mend: m\n"
                        "\nwarning: cut ? [w]\n  why:  w\n  mend: m\n"
                        "\nunknown: unknown one [u]\n  why:  w\n  mend: m\n");
    free(text);
    json_array_clear(findings);
    text = check_render(findings, 9, false);
    assert_string_equal(text, "OK: 0 findings of 9 checks; ovn-had does not "
                              "run here: local ones only\n");
    free(text);
    json_decref(findings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),    cmocka_unit_test(no_facts),
        cmocka_unit_test(quorum),         cmocka_unit_test(tie_breaker),
        cmocka_unit_test(totem),          cmocka_unit_test(probes),
        cmocka_unit_test(schemas),        cmocka_unit_test(room),
        cmocka_unit_test(chassis),        cmocka_unit_test(owners),
        cmocka_unit_test(node),           cmocka_unit_test(virtual_ip),
        cmocka_unit_test(watchdog),       cmocka_unit_test(daemon_down),
        cmocka_unit_test(peers),          cmocka_unit_test(client),
        cmocka_unit_test(corosync_lines), cmocka_unit_test(rendering),
    };

    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
