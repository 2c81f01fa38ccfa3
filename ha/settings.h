/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_SETTINGS_H
#define HA_SETTINGS_H 1

/* What the configuration and OVN's conventions come to.
 *
 * Paths and numbers that ha/ uses, worked out once from lib/conf and fixed
 * for one life; a reload does it again.  Made by main.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/conf.h"
#include "lib/types.h"

struct settings_db {
    const char *file;         /* /var/lib/ovn/ovnnb_db.db */
    const char *schema;       /* /usr/share/ovn/ovn-nb.ovsschema */
    const char *public_sock;  /* /run/ovn/ovnnb_db.sock */
    const char *listen;       /* Further public remotes, by commas. */
    char *ctl;                /* /run/ovn/ovnnb_db.ctl */
    char *pidfile;            /* /run/ovn/ovnnb_db.pid */
    char *log;                /* /var/log/ovn/ovsdb-server-nb.log */
    char *private_sock;       /* /run/ovn-ha/private/nb.sock */
    uint16_t repl_port;       /* TCP, cluster addresses. */
    const char *schema_name;  /* "OVN_Northbound" */
    const char *global_table; /* "NB_Global" */
    const char *short_name;   /* "nb" */
};

struct settings {
    struct conf *conf;
    struct settings_db db[HA_N_DBS];
    uint32_t lease_ms;
    uint32_t beat_ms;
    uint32_t hang_ms;  /* Patience with what does not work... */
    uint32_t busy_ms;  /* ...and with what works, but is deaf. */
    char *private_dir; /* Only root may enter it. */
    char *fence_sock;
    char *agents_sock; /* Of the process that runs fence agents. */
    char *record;
    char *history_dir;
    char *pidfile;    /* /run/ovn/ovn-had.pid */
    char *worker_log; /* Their stdout and stderr. */
    char *northd_pidfile;
    char *northd_log;
};

/* Takes over 'conf'. */
struct settings *settings_create(struct conf *);
void settings_destroy(struct settings *);

struct cluster;

/* True if this node is of a pair that goes on without quorum: the policy in
 * force. */
bool settings_policy_is_fence(const struct settings *, const struct cluster *);
/* True if it is of a pair in which nobody takes over but on proof: that one, or
 * one with a quorum device. */
bool settings_lives_on_proof(const struct settings *, const struct cluster *);

/* True if what the configuration says fits to corosync's; else 'error' gets
 * the reason. */
bool settings_fit(const struct conf *, const struct cluster *, char *error,
                  size_t size);

/* Writes the settings in force and where each comes from: the file, the
 * default, or, as comments because they are not to be set here, corosync. */
void settings_print(const struct settings *, const struct cluster *, FILE *);

/* Makes the folders that do not exist.  Returns 0, or a negative errno and
 * the folder's name. */
int settings_make_folders(const struct settings *, const char **ret_folder);

/* What an operator should know of the way in which the databases' logs are
 * shipped; NULL: nothing.  'authkey' says that corosync has a key. */
const char *settings_warning(const struct settings *, bool authkey);

#endif /* ha/settings.h */
