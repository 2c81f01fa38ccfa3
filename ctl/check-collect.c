/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check-collect.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/check-corosync.h"
#include "ctl/daemon.h"
#include "ctl/ovsdb-ask.h"
#include "lib/child.h"
#include "lib/durable.h"
#include "lib/ovnunits.h"
#include "lib/tls.h"
#include "lib/xalloc.h"

#define PATIENCE_MS 5000
#define OUTPUT_MAX (4 * 1024 * 1024)
#define SYSTEM_ID_FILE "/etc/openvswitch/system-id.conf"

void
check_collect_unseen(json_t *facts, const char *code, const char *what,
                     const char *mend)
{
    json_t *list = json_object_get(facts, "unseen");

    if (!list) {
        list = json_array();
        json_object_set_new(facts, "unseen", list);
    }
    json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "code", code,
                                          "what", what, "mend", mend));
}

char *
check_private_socket(const struct conf *conf, const char *db)
{
    return ha_asprintf("%s/private/%s.sock", conf->run_dir, db);
}

/* ---- corosync ------------------------------------------------------------ */

/* Reads 'fd' to its end, at most until 'deadline'.  Returns what came, which
 * the caller frees; NULL if that was not all. */
static char *
read_all(int fd, mono_t deadline)
{
    char *buf = ha_calloc(1, OUTPUT_MAX);
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    size_t n = 0;
    ssize_t got = -1;

    while (n < OUTPUT_MAX - 1
           && poll(&pfd, 1, mono_ms_until(mono_now(), deadline)) > 0
           && (got = read(fd, buf + n, OUTPUT_MAX - 1 - n)) > 0) {
        n += got;
    }
    if (got) {
        free(buf);
        return NULL;
    }
    return buf;
}

/* What a program prints; NULL if it fails or takes too long. */
static char *
output_of(const char *const argv[])
{
    mono_t deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    struct child_spec spec = { .argv = argv };
    struct child child;
    int pipe_fds[2], status = -1;
    char *text;

    if (pipe2(pipe_fds, O_CLOEXEC)) {
        return NULL;
    }
    spec.out_fd = pipe_fds[1];
    if (child_spawn(&spec, &child)) {
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        return NULL;
    }
    close(pipe_fds[1]);
    text = read_all(pipe_fds[0], deadline);
    close(pipe_fds[0]);
    if (child_wait(&child, deadline, &status)) {
        child_signal_group(&child, SIGKILL);
    }
    child_close(&child);
    if (status) {
        free(text);
        return NULL;
    }
    return text;
}

static void
collect_corosync(json_t *facts)
{
    static const char *const argv[] = { "/usr/sbin/corosync-cmapctl", NULL };
    char *text = output_of(argv);

    if (text) {
        json_object_set_new(facts, "corosync", corosync_parse(text));
    } else {
        check_collect_unseen(
            facts, "corosync-unseen",
            "corosync-cmapctl says nothing: corosync is not running here, "
            "does not answer, or refuses this user",
            "systemctl start corosync, and run ovn-hactl check as root");
    }
    free(text);
}

/* ---- ovn-ha -------------------------------------------------------------- */

static void
collect_status(json_t *facts)
{
    static const char *const argv[] = { "--json", NULL };
    char *reply;

    if (!daemon_call("cluster/status", argv, &reply)) {
        json_object_set_new(facts, "status", json_loads(reply, 0, NULL));
    }
    free(reply);
}

/* The value of one option, which is a string. */
static json_t *
option_text(const struct conf *conf, const char *section, const char *name)
{
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        const struct conf_option *option = &conf_options[i];

        if (!strcmp(option->section, section) && !strcmp(option->name, name)) {
            char *text = conf_get_text(conf, option);
            json_t *value = json_string(text);

            free(text);
            return value;
        }
    }
    return json_null();
}

static json_t *
conf_facts(const struct conf *conf)
{
    json_t *fenced = json_array();

    for (size_t i = 0; i < conf->n_fences; i++) {
        json_array_append_new(fenced, json_string(conf->fences[i].node));
    }
    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:o, s:o, s:s, s:b}", "lease_ms",
        conf->lease_ms, "beat_ms", conf->beat_ms, "drift_ppm", conf->drift_ppm,
        "watchdog_ms",
        conf_has_watchdog(conf) ? conf_watchdog_timeout_s(conf) * 1000 : 0,
        "low_mb", conf->low_mb, "warn_mb", conf->warn_mb, "replication_tls",
        conf->witness || *conf->certificate, "fenced", fenced, "policy",
        option_text(conf, "quorum", "no-quorum-policy"), "vip_interface",
        conf->witness ? "" : conf->vip_interface, "vip_interface_here",
        if_nametoindex(conf->vip_interface) != 0);
}

static void
collect_unmasked(json_t *facts)
{
    json_t *list = json_array();

    for (size_t i = 0; ovnunits_systemd_runs() && i < OVNUNITS_N; i++) {
        if (!ovnunits_is_masked(ovnunits[i])) {
            json_array_append_new(list, json_string(ovnunits[i]));
        }
    }
    json_object_set_new(facts, "unmasked", list);
}

/* ---- Certificates -------------------------------------------------------- */

void
check_collect_certificate(json_t *certificates, const char *what,
                          const char *file, bool authority)
{
    char why[TLS_WHY_LEN] = "";
    int64_t until = 0;

    if (*file) {
        tls_file_valid_until(file, authority, &until, why);
        json_array_append_new(certificates,
                              json_pack("{s:s, s:s, s:s, s:I}", "what", what,
                                        "file", file, "error", why, "until",
                                        (json_int_t) until));
    }
}

static void
collect_certificates(const struct conf *conf, json_t *list)
{
    check_collect_certificate(list, "[replication] certificate",
                              conf->certificate, false);
    check_collect_certificate(list, "[replication] ca-cert", conf->ca_cert,
                              true);
    check_collect_certificate(list, "[status] certificate",
                              conf->status_certificate, false);
    check_collect_certificate(list, "[status] ca-cert", conf->status_ca_cert,
                              true);
}

/* ---- Together ------------------------------------------------------------ */

static void
collect_by_conf(const struct conf *conf, json_t *facts)
{
    json_t *certificates = json_array();
    char *record = ha_asprintf("%s/record", conf->state_dir);

    json_object_set_new(facts, "conf", conf_facts(conf));
    json_object_set_new(facts, "member", json_boolean(!access(record, F_OK)));
    free(record);
    collect_certificates(conf, certificates);
    if (!conf->witness) {
        collect_unmasked(facts);
        check_collect_databases(conf, facts, certificates);
        check_collect_processes(conf, facts);
    }
    json_object_set_new(facts, "certificates", certificates);
}

json_t *
check_collect(void)
{
    json_t *facts = json_pack("{s:I}", "now", (json_int_t) time(NULL));
    struct conf *conf;
    char *error;

    if (geteuid()) {
        check_collect_unseen(facts, "not-root",
                             "this is not run as root, and sees but a part",
                             "run ovn-hactl check as root");
    }
    collect_corosync(facts);
    collect_status(facts);
    if (conf_load(CONF_DEFAULT_FILE, false, &conf, &error)) {
        json_object_set_new(facts, "conf_error", json_string(error));
        free(error);
        return facts;
    }
    collect_by_conf(conf, facts);
    conf_destroy(conf);
    return facts;
}

static void
collect_system_id(json_t *facts)
{
    char *text;
    size_t n;

    if (!durable_read(SYSTEM_ID_FILE, 256, &text, &n)) {
        text[strcspn(text, " \t\r\n")] = '\0';
        json_object_set_new(facts, "system_id_file", json_string(text));
        free(text);
    }
}

json_t *
check_collect_client(void)
{
    const char *dir = getenv("OVS_RUNDIR");
    char *path =
        ha_asprintf("%s/db.sock", dir && *dir ? dir : "/run/openvswitch");
    json_t *facts = json_object(), *rows;

    rows = ovsdb_ask_rows(path, "Open_vSwitch", "Open_vSwitch",
                          "[\"external_ids\"]");
    if (rows) {
        json_object_set_new(facts, "external_ids",
                            ovsdb_ask_map(json_object_get(
                                json_array_get(rows, 0), "external_ids")));
        json_decref(rows);
    } else {
        char *what =
            ha_asprintf("Open vSwitch's database does not answer on %s", path);

        check_collect_unseen(facts, "openvswitch-unseen", what,
                             "run this as root, on a compute node whose "
                             "ovsdb-server runs");
        free(what);
    }
    free(path);
    collect_system_id(facts);
    return facts;
}
