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

#define CONF_DEFAULT_FILE HA_SYSCONFDIR "/ovn-ha/ovn-ha.conf"

/* What a member of type CONF_TRISTATE holds. */
enum conf_tristate {
    CONF_OFF,
    CONF_AUTO,
    CONF_ON,
};

/* What an option may hold. */
enum conf_type {
    CONF_INT,      /* int, between min and max. */
    CONF_BOOL,     /* bool: yes or no. */
    CONF_TRISTATE, /* enum conf_tristate: off, auto or on. */
    CONF_PATH,     /* char *: absolute, or empty where that is the default. */
    CONF_REMOTES,  /* char *: OVSDB passive TCP and SSL remotes, by commas. */
    CONF_GROUP,    /* char *: name of a group of users, or empty. */
    CONF_ADDRESS,  /* char *: address and TCP port, or empty. */
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
#define CONF_N_OPTIONS 42

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
    enum conf_tristate kernel_lease;

    /* [listen], each by database. */
    char *listen_nb, *listen_sb;

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

    /* [insync] */
    int lag_records, lag_ms;

    /* [status] */
    char *status_socket, *status_group;
    char *status_listen; /* "" where there is none; so are these: */
    char *status_private_key, *status_certificate, *status_ca_cert;

    /* What conf_load() was given, so that a reload reads the same. */
    char *file;
    bool required;

    /* Where each value came from: a line of 'file', or 0 for the default. */
    int lines[CONF_N_OPTIONS];
};

/* Reads 'file'.  NULL gives the defaults; so does a file that does not exist,
 * unless it is 'required'.  Returns 0, or a negative errno with a line of text
 * in '*ret_error', which the caller frees: file, line number and reason. */
int conf_load(const char *file, bool required, struct conf **ret_conf,
              char **ret_error);
void conf_destroy(struct conf *);

/* Writes all values and where each came from, in the form of the file. */
void conf_print(const struct conf *, FILE *);

/* Writes what is generated from the table: an example file with every option
 * commented out, and the manual page's list of options in mdoc. */
void conf_print_example(FILE *);
void conf_print_man(FILE *);

#endif /* HA_LIB_CONF_H */
