/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_CONF_H
#define HA_LIB_CONF_H 1

/* The configuration: one table of options, and the file that may set them.
 *
 * conf-options.c has a row an option (name, type, bounds, default, help).
 * The parser, 'ovn-hactl config', the manual page and the example file all
 * come from it.  ovn-had reads the file when it starts and when it re-executes
 * itself; the workers are told what they need.  Nothing here opens what a path
 * names or touches the system. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/types.h"

#define CONF_DEFAULT_FILE HA_SYSCONFDIR "/ovn-ha/ovn-ha.conf"

/* What a member of type CONF_TRISTATE holds. */
enum conf_tristate {
    CONF_OFF,
    CONF_AUTO,
    CONF_ON,
};

/* What an option may hold. */
enum conf_type {
    CONF_INT,       /* int, between min and max. */
    CONF_BOOL,      /* bool: yes or no. */
    CONF_TRISTATE,  /* enum conf_tristate: off, auto or on. */
    CONF_PATH,      /* char *: absolute, or empty where that is the default. */
    CONF_REMOTES,   /* char *: OVSDB passive TCP and SSL remotes, by commas. */
    CONF_GROUP,     /* char *: name of a group of users, or empty. */
    CONF_ADDRESS,   /* char *: address and TCP port, or empty. */
    CONF_WORDS,     /* char *: names, by blanks or commas; or empty. */
    CONF_POLICY,    /* int: enum conf_policy. */
    CONF_PREFIXES,  /* char *: addresses with prefix length, by commas. */
    CONF_INTERFACE, /* char *: name of a network interface, or empty. */
};

struct conf_option {
    const char *section, *name;
    enum conf_type type;
    int min, max;     /* CONF_INT only. */
    const char *def;  /* The default, as one would write it. */
    size_t offset;    /* Of the member of struct conf. */
    const char *help; /* Full sentences, plain text. */
};

extern const struct conf_option conf_options[];
#define CONF_N_OPTIONS 59

/* The same for sections that stand for one device or one node each; their
 * 'section' says how they are named, and 'offset' is of struct conf_device
 * and struct conf_fence. */
extern const struct conf_option conf_device_options[];
extern const struct conf_option conf_fence_options[];
#define CONF_N_DEVICE_OPTIONS 4
#define CONF_N_FENCE_OPTIONS 6

#define CONF_MAX_ADDRESSES 8 /* As WIRE_MAX_ADDRESSES. */
#define CONF_IFNAME_LEN 16   /* As WIRE_IFNAME_LEN. */
#define CONF_IDENTITY_LEN 32 /* A watchdog's is not longer. */

#define CONF_MAX_DEVICES 32
#define CONF_MAX_LEVELS 4
#define CONF_MAX_IN_LEVEL 4
#define CONF_MAX_PARAMS 64
#define CONF_PARAMS_LEN 8192 /* As in struct wire_a_device. */
#define CONF_NAME_LEN 64     /* Of a device or node, with its NUL. */

/* What a fence agent is told, as it is. */
struct conf_param {
    char *name;
    char *value;
    int line;
};

/* A fence device. */
struct conf_device {
    char *name;
    int line; /* Of its first option. */
    char *agent;
    int timeout_ms, retries, monitor_s;
    int lines[CONF_N_DEVICE_OPTIONS];
    struct conf_param params[CONF_MAX_PARAMS];
    size_t n_params;
};

/* How a node is fenced. */
struct conf_fence {
    char *node; /* Its name. */
    int line;   /* As above. */
    char *levels[CONF_MAX_LEVELS];
    char *confirm;
    bool power_on;
    int lines[CONF_N_FENCE_OPTIONS];
};

/* What a node does that is left without quorum. */
enum conf_policy { CONF_POLICY_AUTO, CONF_POLICY_STOP, CONF_POLICY_FENCE };

/* The options' values.  Members are named as the options are. */
struct conf {
    /* [timing] */
    int lease_ms;
    int beat_ms; /* Never 0: a tenth of the lease then. */
    int drift_ppm;
    int start_grace_ms;
    int hang_ms, busy_ms;

    /* [node] */
    int priority;
    bool nofailover;
    bool witness;
    enum conf_tristate kernel_lease;

    /* [listen], each by database. */
    char *listen_nb, *listen_sb;

    /* [virtual-ip] */
    char *vip_address, *vip_interface; /* "" where there is none. */
    int vip_detect_ms;

    /* [paths] */
    char *nb_db, *sb_db;
    char *nb_sock, *sb_sock;
    char *nb_schema, *sb_schema;
    char *run_dir, *ovn_run_dir, *state_dir, *log_dir;
    char *ovsdb_server, *ovsdb_tool, *ovn_northd;

    /* [replication] */
    int port_nb, port_sb;
    char *private_key, *certificate, *ca_cert; /* "" where there is none. */
    int shrink_guard, shrink_rows;
    int verify_interval_s, verify_recent_s;

    /* [beat] */
    int beat_port;

    /* [quorum] */
    int no_quorum_policy; /* enum conf_policy. */
    int eligible_ms, fence_delay_ms;

    /* [insync] */
    int lag_records, lag_ms;

    /* [disk] */
    int low_mb, warn_mb;

    /* [watchdog] */
    char *watchdog_device, *watchdog_identity; /* Both "": there is none. */
    int watchdog_timeout_s, watchdog_pretimeout_s;
    char *reset_program; /* "" where there is none. */
    int reset_after_ms;

    /* [status] */
    char *status_socket, *status_group;
    char *status_listen; /* "" where there is none; so are these: */
    char *status_private_key, *status_certificate, *status_ca_cert;

    /* [events] */
    char *events_program; /* "" where there is none. */
    int events_timeout_ms;

    /* [device NAME], [fence NODE]. */
    struct conf_device devices[CONF_MAX_DEVICES];
    size_t n_devices;
    struct conf_fence fences[HA_MAX_NODES];
    size_t n_fences;

    /* What conf_load() was given, so that a reload reads the same. */
    char *file;
    bool required;

    /* Where each value came from: a line of 'file', or 0 for the default. */
    int lines[CONF_N_OPTIONS];
};

/* True if there is to be a watchdog, which a witness does not need. */
bool conf_has_watchdog(const struct conf *);

/* The longest timeout of a watchdog that bites within the lease, in ms, and
 * the one that it is to have, in seconds. */
int conf_watchdog_max_ms(const struct conf *);
int conf_watchdog_timeout_s(const struct conf *);

/* Reads 'file'.  NULL gives the defaults; so does a file that does not exist,
 * unless it is 'required'.  Returns 0, or a negative errno with a line of text
 * in '*ret_error', which the caller frees: file, line number and reason. */
int conf_load(const char *file, bool required, struct conf **ret_conf,
              char **ret_error);
void conf_destroy(struct conf *);

/* The value of an option of conf_options, as one would write it, in memory
 * that the caller frees. */
char *conf_get_text(const struct conf *, const struct conf_option *);

/* The same, but alike for all that mean the same. */
char *conf_get_meaning(const struct conf *, const struct conf_option *);

/* True if it only makes sense with the same value on every node. */
bool conf_option_is_common(const struct conf_option *);

/* True if what runs on over a reload, or is remembered, hangs from it, so that
 * it can change only together with a stop and a start. */
bool conf_option_is_fixed(const struct conf_option *);

/* The last line that sets one of the options 'names' (see conf_word()) of a
 * section; 0: none does. */
int conf_last_line(const struct conf *, const char *section,
                   const char *names);

/* The first option that a reload from 'old' to 'new' would change and must
 * not.  Returns NULL, or a sentence with file and line that the caller
 * frees. */
char *conf_reload_refusal(const struct conf *old, const struct conf *new);

/* The device of that name, of 'n' characters; NULL. */
const struct conf_device *conf_device_find(const struct conf *,
                                           const char *name, size_t n);

/* Moves '*text' to its next word and returns its length; 0 at the end. */
size_t conf_word(const char **text);

/* True if the parameter's value is in a file that 'value' names, and its name
 * is that of the parameter with "-file" behind it. */
bool conf_param_is_file(const struct conf_param *);

/* Writes all values and where each came from, in the form of the file; not
 * the secrets. */
void conf_print(const struct conf *, FILE *);

/* Writes what is generated from the table: an example file with every option
 * commented out, and the manual page's list of options in mdoc. */
void conf_print_example(FILE *);
void conf_print_man(FILE *);

#endif /* HA_LIB_CONF_H */
