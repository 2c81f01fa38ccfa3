/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_ARGS_H
#define CTL_DRILL_ARGS_H 1

/* The options that only 'ovn-hactl drill' has.  ctl/main parses them, ctl/drill
 * uses them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRILL_PROBES_MAX 16

struct drill_args {
    bool dry_run;
    const char *sequence; /* File with drills. */
    const char *junit;    /* Files; NULL: none. */
    const char *html;
    const char *nb; /* Remotes; NULL: as $OVN_NB_DB says, or TCP port 6641 */
    const char *sb; /* of each node; and so for SB. */
    const char *private_key, *certificate, *ca_cert; /* All or none. */

    struct {
        const char *command;
        bool ping; /* It is an address to ping. */
    } probes[DRILL_PROBES_MAX];
    size_t n_probes;

    /* Limits; below 0: none. */
    int64_t max_outage_us;
    int64_t max_sb_delay_us;
    int64_t max_lost;
    int64_t max_compute_us;
    int64_t max_probe_us;

    int64_t cut_us; /* How long isolate cuts. */
};

#define DRILL_ARGS_DEFAULT                                                \
    {                                                                     \
        .max_outage_us = -1, .max_sb_delay_us = -1, .max_compute_us = -1, \
        .cut_us = 15000000                                                \
    }

/* What getopt_long() calls these options. */
enum drill_option {
    DRILL_DRY_RUN = 'D',
    DRILL_NB = 'b',
    DRILL_SB = 's',
    DRILL_MAX_OUTAGE = 'o',
    DRILL_MAX_SB_DELAY = 'd',
    DRILL_MAX_LOST = 'l',
    DRILL_JUNIT = 'u',
    DRILL_HTML = 'H',
    DRILL_PRIVATE_KEY = 'p',
    DRILL_CERTIFICATE = 'e',
    DRILL_CA_CERT = 'a',
    DRILL_PING = 'P',
    DRILL_PROBE = 'R',
    DRILL_MAX_COMPUTE = 'c',
    DRILL_MAX_PROBE = 'r',
    DRILL_CUT = 'x',
};
#define DRILL_OPTIONS "DbsodluHpeaPRcrx"
#define DRILL_FILES "DuH" /* Those of a sequence as a whole. */

/* Sets one of them.  Returns false after a line of error. */
bool drill_args_set(struct drill_args *, int option, const char *value);

#endif /* ctl/drill-args.h */
