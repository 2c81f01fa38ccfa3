/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/wire.h"
#include "lib/xalloc.h"

#define DAY_S 86400
#define SOON_DAYS 30
#define VERY_SOON_DAYS 7

/* What the collectors could not look at. */
void
check_unseen(const json_t *facts, json_t *findings)
{
    const json_t *list = jsonget(facts, "unseen");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *u = json_array_get(list, i);

        check_add(findings, CHECK_UNKNOWN, jsonget_text(u, "code"),
                  ha_strdup(jsonget_text(u, "what")),
                  "what depends on it was not checked",
                  jsonget_text(u, "mend"));
    }
}

void
check_conf(const json_t *facts, json_t *findings)
{
    const char *error = jsonget_text(facts, "conf_error");

    if (*error) {
        check_add(findings, CHECK_CRITICAL, "configuration", ha_strdup(error),
                  "ovn-had does not start with it, and a reload is refused",
                  "mend what it names; see ovn-ha.conf(5)");
    }
}

void
check_daemon(const json_t *facts, json_t *findings)
{
    if (jsonget_true(facts, "member") && !jsonget(facts, "status")) {
        check_add(findings, CHECK_CRITICAL, "daemon-down",
                  ha_strdup("this node is a member of the cluster, and "
                            "ovn-had does not run here"),
                  "it neither serves, nor follows, nor supports the active",
                  "systemctl start ovn-had; its log says why it ended");
    }
}

void
check_tls(const json_t *facts, json_t *findings)
{
    const json_t *conf = jsonget(facts, "conf");

    if (json_is_object(conf) && !jsonget_true(conf, "replication_tls")) {
        check_add(findings, CHECK_WARNING, "log-shipping-in-clear",
                  ha_strdup("log shipping has no TLS"),
                  "whoever can listen on the cluster's network reads all that "
                  "is written to both databases",
                  "set private-key, certificate and ca-cert in [replication] "
                  "of every node, and reload one after the other");
    }
}

static void
check_certificate(const json_t *cert, double now, json_t *findings)
{
    const char *what = jsonget_text(cert, "what");
    const char *file = jsonget_text(cert, "file");
    double left = (json_integer_value(jsonget(cert, "until")) - now) / DAY_S;
    static const char why[] = "once it is over no new connection is made "
                              "with it, and those that break stay broken";

    if (*jsonget_text(cert, "error")) {
        check_add(
            findings, CHECK_CRITICAL, "certificate",
            ha_asprintf("%s, %s: %s", what, file, jsonget_text(cert, "error")),
            "no connection can be made with it",
            "put the right file there, readable for root");
    } else if (left <= SOON_DAYS) {
        check_add(findings,
                  left <= VERY_SOON_DAYS ? CHECK_CRITICAL : CHECK_WARNING,
                  "certificate-ends",
                  left <= 0 ? ha_asprintf("%s, %s, has expired", what, file)
                            : ha_asprintf("%s, %s, expires in %.0f days", what,
                                          file, left),
                  why,
                  "put a new one in its place; ovn-ha and ovsdb-server take "
                  "it up by themselves");
    }
}

void
check_certificates(const json_t *facts, json_t *findings)
{
    const json_t *list = jsonget(facts, "certificates");
    double now = json_number_value(jsonget(facts, "now"));

    for (size_t i = 0; i < json_array_size(list); i++) {
        check_certificate(json_array_get(list, i), now, findings);
    }
}

/* As the process that watches them knows them. */
void
check_devices(const json_t *facts, json_t *findings)
{
    const json_t *fencing =
        jsonget(jsonget(jsonget(facts, "status"), "local"), "fencing");
    const json_t *list = jsonget(fencing, "devices");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *d = json_array_get(list, i);

        if (jsonget_true(d, "fits") && jsonget_true(d, "well")) {
            continue;
        } else if (jsonget_true(d, "fits")
                   && !json_is_integer(jsonget(d, "tried_ms"))) {
            continue; /* Its first look is still to come. */
        }
        check_add(findings, CHECK_CRITICAL, "fence-device",
                  ha_asprintf("fence device %s does not work from here: %s",
                              jsonget_text(d, "name"), jsonget_text(d, "why")),
                  "where a failover needs its proof there is none, and the "
                  "survivor blocks",
                  "try the agent by hand with the parameters of [device "
                  "NAME]; see its manual page");
    }
}

/* As the process that takes them knows them; before there is one, as the
 * configuration has them. */
void
check_virtual_ip(const json_t *facts, json_t *findings)
{
    const json_t *status = jsonget(facts, "status");
    const json_t *address =
        jsonget(jsonget(jsonget(status, "local"), "fence"), "virtual_ip");
    const json_t *conf = jsonget(facts, "conf");
    const char *interface = jsonget_text(conf, "vip_interface");
    static const char unfit[] =
        "this node could not take the virtual IP: it does not become active, "
        "and hands over if it is";

    if (*jsonget_text(address, "why")) {
        bool is_unfit = jsonget_true(address, "unfit");

        check_add(
            findings, is_unfit ? CHECK_CRITICAL : CHECK_WARNING, "virtual-ip",
            ha_asprintf("virtual IP: %s", jsonget_text(address, "why")),
            is_unfit ? unfit : "clients may reach another host, or nobody",
            "mend what it names, or change [virtual-ip] in ovn-ha.conf "
            "and reload");
    } else if (!json_is_object(status)
               && *interface && !jsonget_true(conf, "vip_interface_here")) {
        check_add(findings, CHECK_CRITICAL, "virtual-ip",
                  ha_asprintf("virtual IP: there is no interface %s here",
                              interface),
                  unfit, "set interface of [virtual-ip] in ovn-ha.conf");
    }
}

/* A watchdog that bites after the lease would protect nothing; such timings
 * are refused where the file is read. */
static void
tell_timing(const json_t *conf, json_t *findings)
{
    long lease = json_integer_value(jsonget(conf, "lease_ms"));
    long drift = json_integer_value(jsonget(conf, "drift_ppm"));

    check_add(findings, CHECK_OK, "watchdog-timing",
              ha_asprintf(
                  "watchdog %lld ms + 2 * beat %lld ms + %d ms <= lease %ld "
                  "ms < %ld ms, after which another node may serve",
                  (long long) json_integer_value(jsonget(conf, "watchdog_ms")),
                  (long long) json_integer_value(jsonget(conf, "beat_ms")),
                  WATCHDOG_SLACK_MS, lease,
                  lease + (lease * drift + 999999) / 1000000),
              "a node whose door is not closed in time is reset before that",
              "nothing; a shorter lease-ms needs a shorter timeout-s");
}

void
check_watchdog(const json_t *facts, json_t *findings)
{
    const json_t *conf = jsonget(facts, "conf");
    const json_t *fence =
        jsonget(jsonget(jsonget(facts, "status"), "local"), "fence");
    const json_t *watchdog = jsonget(fence, "watchdog");
    const char *device = jsonget_text(watchdog, "device");

    if (!json_integer_value(jsonget(conf, "watchdog_ms"))) {
        return;
    }
    if (!strcmp(jsonget_text(watchdog, "state"), "missing")) {
        check_add(findings, CHECK_WARNING, "watchdog",
                  ha_asprintf("watchdog %s: %s", device,
                              jsonget_text(watchdog, "why")),
                  "nothing resets this node if all of it stands still, or if "
                  "a database that was killed does not end",
                  "mend what it names, or change [watchdog] in ovn-ha.conf "
                  "and reload");
    } else if (jsonget_true(watchdog, "nowayout")) {
        check_add(
            findings, CHECK_WARNING, "watchdog-nowayout",
            ha_asprintf("watchdog %s cannot be disarmed (nowayout)", device),
            "this node is reset when ovn-had is stopped, unless it is "
            "started again within the timeout",
            "load its driver with nowayout=0");
    } else {
        tell_timing(conf, findings);
    }
}
