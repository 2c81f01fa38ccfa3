/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"

const struct check check_table[] = {
    { "unseen", check_unseen },
    { "configuration", check_conf },
    { "daemon", check_daemon },
    { "quorum", check_quorum },
    { "tie-breaker", check_tie_breaker },
    { "token", check_token },
    { "knet", check_knet },
    { "corosync-encryption", check_encryption },
    { "log-shipping", check_tls },
    { "certificates", check_certificates },
    { "units", check_units },
    { "pacemaker", check_pacemaker },
    { "files", check_files },
    { "ports", check_ports },
    { "probes", check_probes },
    { "schemas", check_schemas },
    { "disk", check_disk },
    { "descriptors", check_descriptors },
    { "chassis", check_chassis },
    { "fence-devices", check_devices },
    { "virtual-ip", check_virtual_ip },
    { "watchdog", check_watchdog },
    { "options", check_options },
    { "clocks", check_clocks },
    { "versions", check_versions },
};
const size_t check_n = sizeof check_table / sizeof check_table[0];

const struct check check_client_table[] = {
    { "unseen", check_unseen },
    { "remote", check_remote },
    { "remote-probe", check_remote_probe },
    { "system-id", check_system_id },
};
const size_t check_client_n =
    sizeof check_client_table / sizeof check_client_table[0];

static const char *const names[] = { "ok", "unknown", "warning", "critical" };

const char *
check_severity_name(enum check_severity severity)
{
    return names[severity];
}

static enum check_severity
severity_of(const json_t *finding)
{
    for (enum check_severity s = CHECK_UNKNOWN; s <= CHECK_CRITICAL; s++) {
        if (!strcmp(jsonget_text(finding, "severity"), names[s])) {
            return s;
        }
    }
    return CHECK_OK;
}

enum check_severity
check_worst(const json_t *findings)
{
    enum check_severity worst = CHECK_OK;

    for (size_t i = 0; i < json_array_size(findings); i++) {
        enum check_severity s = severity_of(json_array_get(findings, i));

        worst = s > worst ? s : worst;
    }
    return worst;
}

void
check_add(json_t *findings, enum check_severity severity, const char *code,
          char *what, const char *why, const char *mend)
{
    json_t *text = json_string(what);

    /* What was cut may end within a character. */
    for (char *p = what; !text && *p; p++) {
        *p = *p & 0x80 ? '?' : *p;
    }
    json_decref(text);
    json_array_append_new(findings,
                          json_pack("{s:s, s:s, s:s, s:s, s:s}", "severity",
                                    names[severity], "code", code, "what",
                                    what, "why", why, "mend", mend));
    free(what);
}

json_t *
check_judge(const struct check table[], size_t n, const json_t *facts)
{
    json_t *findings = json_array();

    for (size_t i = 0; i < n; i++) {
        size_t before = json_array_size(findings);

        table[i].judge(facts, findings);
        for (size_t j = before; j < json_array_size(findings); j++) {
            json_object_set_new(json_array_get(findings, j), "check",
                                json_string(table[i].name));
        }
    }
    return findings;
}

static void
print_finding(const json_t *finding, FILE *f)
{
    fprintf(f, "\n%s: %s [%s]\n  why:  %s\n  mend: %s\n",
            jsonget_text(finding, "severity"), jsonget_text(finding, "what"),
            jsonget_text(finding, "code"), jsonget_text(finding, "why"),
            jsonget_text(finding, "mend"));
}

char *
check_render(const json_t *findings, size_t n_checks, bool daemon_runs)
{
    static const char *const heads[] = { "OK", "UNKNOWN", "WARNING",
                                         "CRITICAL" };
    size_t n = json_array_size(findings), n_bad = 0, size;
    char *text;
    FILE *f = open_memstream(&text, &size);

    assert(f);
    for (size_t i = 0; i < n; i++) {
        n_bad += severity_of(json_array_get(findings, i)) > CHECK_OK;
    }
    fprintf(f, "%s: %zu finding%s of %zu checks%s\n",
            heads[check_worst(findings)], n_bad, n_bad == 1 ? "" : "s",
            n_checks,
            daemon_runs ? "" : "; ovn-had does not run here: local ones only");
    for (int s = CHECK_CRITICAL; s >= CHECK_OK; s--) {
        for (size_t i = 0; i < n; i++) {
            const json_t *finding = json_array_get(findings, i);

            if ((int) severity_of(finding) == s) {
                print_finding(finding, f);
            }
        }
    }
    fclose(f);
    return text;
}
