/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/xalloc.h"

#define MB 1000000.0
#define DEFAULT_PROBE_MS 5000 /* Of ovsdb-server. */
#define DUMP_MS_PER_MB 85     /* 160 MB kept a server busy for 13.5 s. */
#define SLACK_BYTES 100000000 /* Logs and journals grow meanwhile. */
#define DESCRIPTORS_SPARE 64  /* Files, logs, control sockets. */

static const char *const db_keys[] = { "nb", "sb" };
static const char *const db_names[] = { "NB", "SB" };
static const char *const db_tools[] = { "ovn-nbctl", "ovn-sbctl" };

static const json_t *
db_of(const json_t *facts, int db)
{
    return jsonget(jsonget(facts, "databases"), db_keys[db]);
}

static double
number(const json_t *o, const char *key)
{
    return json_number_value(jsonget(o, key));
}

/* ---- Probes -------------------------------------------------------------- */

static void
check_probe(int db, const char *target, long probe_ms, double dump_ms,
            json_t *findings)
{
    char *mend =
        ha_asprintf("%s set connection . inactivity_probe=%.0f", db_tools[db],
                    dump_ms > 30000 ? dump_ms * 2 : 60000);

    if (probe_ms == 0) {
        check_add(findings, CHECK_WARNING, "probe-off",
                  ha_asprintf("%s: inactivity_probe of %s is 0", db_names[db],
                              target),
                  "the server then never notices that a client is gone "
                  "without a word: its session stays, with all it queues",
                  mend);
    } else if (2.0 * probe_ms < dump_ms) {
        /* One interval of silence, and another for the answer. */
        check_add(findings, CHECK_WARNING, "probe-short",
                  ha_asprintf("%s: inactivity_probe of %s is %ld ms, and a "
                              "dump of this database takes some %.0f s",
                              db_names[db], target, probe_ms, dump_ms / 1000),
                  "a client that is busy with its first copy is cut off, "
                  "begins again, and never comes to an end",
                  mend);
    }
    free(mend);
}

void
check_probes(const json_t *facts, json_t *findings)
{
    for (int db = 0; db < 2; db++) {
        const json_t *list = jsonget(db_of(facts, db), "connections");
        double dump_ms =
            number(db_of(facts, db), "file_bytes") / MB * DUMP_MS_PER_MB;

        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *row = json_array_get(list, i);
            const json_t *probe = jsonget(row, "inactivity_probe");

            check_probe(db, jsonget_text(row, "target"),
                        json_is_integer(probe) ? json_integer_value(probe)
                                               : DEFAULT_PROBE_MS,
                        dump_ms, findings);
        }
    }
}

/* ---- Schemas ------------------------------------------------------------- */

static void
check_peer_schema(int db, const char *installed, const json_t *node,
                  json_t *findings)
{
    const char *theirs =
        jsonget_text(jsonget(jsonget(node, "told"), "schemas"), db_keys[db]);

    if (*installed && *theirs && strcmp(installed, theirs)) {
        check_add(findings, CHECK_WARNING, "schema-skew",
                  ha_asprintf("%s: schema %s is installed here, and %s on %s",
                              db_names[db], installed, theirs,
                              jsonget_text(node, "name")),
                  "a standby cannot take over data in a schema that is newer "
                  "than what it has",
                  "bring OVN to the same version on all control nodes, "
                  "standbys first");
    }
}

void
check_schemas(const json_t *facts, json_t *findings)
{
    const json_t *nodes = jsonget(jsonget(facts, "status"), "nodes");
    const char *self = jsonget_text(jsonget(facts, "status"), "node");

    for (int db = 0; db < 2; db++) {
        const json_t *here = db_of(facts, db);
        const char *installed = jsonget_text(here, "schema_installed");
        const char *used = jsonget_text(here, "schema");

        if (*used && *installed && strcmp(used, installed)) {
            check_add(findings, CHECK_WARNING, "schema-unconverted",
                      ha_asprintf("%s: the database has schema %s, and %s is "
                                  "installed",
                                  db_names[db], used, installed),
                      "ovn-northd and new features count on the installed "
                      "one; after a downgrade of a package the database is "
                      "too new for them",
                      "when all control nodes have the same version of OVN, "
                      "convert on the active: ovsdb-client convert "
                      "unix:SOCKET SCHEMA");
        }
        for (size_t i = 0; i < json_array_size(nodes); i++) {
            const json_t *node = json_array_get(nodes, i);

            if (strcmp(jsonget_text(node, "name"), self)) {
                check_peer_schema(db, installed, node, findings);
            }
        }
    }
}

/* ---- Room ---------------------------------------------------------------- */

void
check_disk(const json_t *facts, json_t *findings)
{
    for (int db = 0; db < 2; db++) {
        const json_t *here = db_of(facts, db);
        double size = number(here, "file_bytes");
        double room = number(here, "free_bytes");
        double warn = number(jsonget(facts, "conf"), "warn_mb") * MB;
        double low = number(jsonget(facts, "conf"), "low_mb") * MB;

        if (!json_is_integer(jsonget(here, "free_bytes"))
            || (room >= 3 * size + SLACK_BYTES && room >= warn)) {
            continue;
        }
        check_add(
            findings,
            room < size + SLACK_BYTES / 10 || room < low ? CHECK_CRITICAL
                                                         : CHECK_WARNING,
            "disk-room",
            ha_asprintf("%s: %.0f MB free in %s, whose database file has "
                        "%.0f MB",
                        db_names[db], room / MB, jsonget_text(here, "folder"),
                        size / MB),
            "compaction writes the database once more, a resynchronisation "
            "puts a second file beside it, and one that gave way is kept; on "
            "a "
            "full disk the server refuses every write, and before that the "
            "active hands over",
            "make room, or give the folder a larger file system; compact a "
            "file that has grown: ovn-appctl -t CONTROL-SOCKET "
            "ovsdb-server/compact");
    }
}

/* Each compute node is one session, and there are others. */
void
check_descriptors(const json_t *facts, json_t *findings)
{
    for (int db = 0; db < 2; db++) {
        const json_t *server = jsonget(db_of(facts, db), "server");
        double used = number(server, "fds_used");
        double limit = number(server, "fds_limit");
        double chassis =
            db ? json_array_size(jsonget(db_of(facts, db), "chassis")) : 0;
        double wanted = used > chassis ? used : chassis;

        if (!(limit > 0) || wanted + DESCRIPTORS_SPARE <= limit / 2) {
            continue;
        }
        check_add(findings,
                  wanted + DESCRIPTORS_SPARE > limit ? CHECK_CRITICAL
                                                     : CHECK_WARNING,
                  "descriptors",
                  ha_asprintf("%s: ovsdb-server, process %.0f, may open %.0f "
                              "files, has %.0f, and there are %.0f chassis",
                              db_names[db], number(server, "pid"), limit, used,
                              chassis),
                  "each client is one; at the limit no client gets in any "
                  "more, and the log cannot be compacted",
                  "set LimitNOFILE in a drop-in of ovn-had.service and "
                  "restart it, one node at a time");
    }
}

/* ---- Chassis ------------------------------------------------------------- */

static bool
have_ip_in_common(const json_t *a, const json_t *b, const char **ret_ip)
{
    const json_t *ips = jsonget(a, "ips"), *others = jsonget(b, "ips");

    for (size_t i = 0; i < json_array_size(ips); i++) {
        for (size_t j = 0; j < json_array_size(others); j++) {
            *ret_ip = json_string_value(json_array_get(ips, i));
            if (json_equal(json_array_get(ips, i),
                           json_array_get(others, j))) {
                return true;
            }
        }
    }
    return false;
}

static void
check_two_chassis(const json_t *a, const json_t *b, json_t *findings)
{
    static const char why[] =
        "a host that got a new system-id, as by a package or driver update "
        "that reset system-id.conf, leaves its old chassis behind: tunnels "
        "and ports stay bound to a chassis that is none";
    static const char mend[] =
        "see on that host which one it is (ovs-vsctl get open_vswitch . "
        "external_ids:system-id), write it into "
        "/etc/openvswitch/system-id.conf, and remove the other one: "
        "ovn-sbctl chassis-del NAME";
    const char *host = jsonget_text(a, "hostname"), *ip;

    if (*host && !strcmp(host, jsonget_text(b, "hostname"))) {
        check_add(findings, CHECK_WARNING, "chassis-host-twice",
                  ha_asprintf("chassis %s and %s have the same host name, %s",
                              jsonget_text(a, "name"), jsonget_text(b, "name"),
                              host),
                  why, mend);
    } else if (have_ip_in_common(a, b, &ip)) {
        check_add(findings, CHECK_CRITICAL, "chassis-address-twice",
                  ha_asprintf("chassis %s and %s have the same tunnel "
                              "address, %s",
                              jsonget_text(a, "name"), jsonget_text(b, "name"),
                              ip),
                  why, mend);
    }
}

void
check_chassis(const json_t *facts, json_t *findings)
{
    const json_t *list = jsonget(db_of(facts, 1), "chassis");

    for (size_t i = 0; i < json_array_size(list); i++) {
        for (size_t j = i + 1; j < json_array_size(list); j++) {
            check_two_chassis(json_array_get(list, i), json_array_get(list, j),
                              findings);
        }
    }
}
