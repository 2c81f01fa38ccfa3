/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CHECK_H
#define CTL_CHECK_H 1

/* 'ovn-hactl check': what is going to hurt, before it does.
 *
 * Looking and judging are apart.  ctl/check-collect and its kin look at this
 * node, and put what they see into one JSON object, the facts; each check is a
 * pure function from facts to findings, in the file of its noun.  A fact that
 * could not be had is missing, and then its checks say nothing, but for a
 * finding of severity UNKNOWN that tells what could not be looked at. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum check_severity {
    CHECK_OK,      /* Worth to be told. */
    CHECK_UNKNOWN, /* It could not be looked at. */
    CHECK_WARNING,
    CHECK_CRITICAL,
};

/* "ok", "unknown", ... */
const char *check_severity_name(enum check_severity);

/* The worst severity of the findings. */
enum check_severity check_worst(const json_t *findings);

/* Adds a finding.  'code' is a word that stays; 'what' is what was seen, which
 * is taken over; 'why' tells why it matters, and 'mend' what to do. */
void check_add(json_t *findings, enum check_severity, const char *code,
               char *what, const char *why, const char *mend);

struct check {
    const char *name;
    void (*judge)(const json_t *facts, json_t *findings);
};

/* On a control node, and on a compute node. */
extern const struct check check_table[];
extern const size_t check_n;
extern const struct check check_client_table[];
extern const size_t check_client_n;

/* Applies each check of a table.  The caller owns the findings. */
json_t *check_judge(const struct check table[], size_t n, const json_t *facts);

/* The findings in words, the worst first, in memory that the caller frees.
 * The first line is for those who show one only. */
char *check_render(const json_t *findings, size_t n_checks, bool daemon_runs);

/* check-quorum.c: what corosync is told of votes. */
void check_quorum(const json_t *facts, json_t *findings);
void check_tie_breaker(const json_t *facts, json_t *findings);

/* check-totem.c: corosync's timing and its keys. */
void check_token(const json_t *facts, json_t *findings);
void check_knet(const json_t *facts, json_t *findings);
void check_encryption(const json_t *facts, json_t *findings);

/* check-data.c: the databases' files and contents. */
void check_probes(const json_t *facts, json_t *findings);
void check_schemas(const json_t *facts, json_t *findings);
void check_disk(const json_t *facts, json_t *findings);
void check_descriptors(const json_t *facts, json_t *findings);
void check_chassis(const json_t *facts, json_t *findings);

/* check-owner.c: who else runs the databases here. */
void check_units(const json_t *facts, json_t *findings);
void check_pacemaker(const json_t *facts, json_t *findings);
void check_files(const json_t *facts, json_t *findings);
void check_ports(const json_t *facts, json_t *findings);

/* check-node.c: this node by itself. */
void check_unseen(const json_t *facts, json_t *findings);
void check_conf(const json_t *facts, json_t *findings);
void check_daemon(const json_t *facts, json_t *findings);
void check_tls(const json_t *facts, json_t *findings);
void check_certificates(const json_t *facts, json_t *findings);
void check_devices(const json_t *facts, json_t *findings);
void check_virtual_ip(const json_t *facts, json_t *findings);
void check_watchdog(const json_t *facts, json_t *findings);

/* check-peers.c: whether the nodes go together. */
void check_options(const json_t *facts, json_t *findings);
void check_clocks(const json_t *facts, json_t *findings);
void check_versions(const json_t *facts, json_t *findings);

/* check-client.c: a compute node. */
void check_remote(const json_t *facts, json_t *findings);
void check_remote_probe(const json_t *facts, json_t *findings);
void check_system_id(const json_t *facts, json_t *findings);

#endif /* ctl/check.h */
