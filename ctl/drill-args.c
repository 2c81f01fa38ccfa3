/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* It is put into a command. */
#define HOST_CHARS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:%_-"

/* "2s" or "500ms". */
static bool
parse_duration(const char *text, int64_t *ret_us)
{
    char *unit;
    double value = strtod(text, &unit);
    double factor = !strcmp(unit, "s") ? 1e6 : !strcmp(unit, "ms") ? 1e3 : 0;

    if (unit == text || !factor || !(value >= 0 && value <= 1e6)) {
        fprintf(stderr,
                "ovn-hactl: \"%s\" is not a time such as 2s or 500ms\n", text);
        return false;
    }
    *ret_us = value * factor;
    return true;
}

static bool
parse_count(const char *text, int64_t *ret_count)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < 0) {
        fprintf(stderr, "ovn-hactl: \"%s\" is not a number from 0 on\n", text);
        return false;
    }
    *ret_count = value;
    return true;
}

static bool
check_cut(int64_t us)
{
    if (us < 1000000 || us > 300000000) {
        fputs("ovn-hactl: --cut is from 1s to 300s\n", stderr);
        return false;
    }
    return true;
}

static bool
add_probe(struct drill_args *args, const char *command, bool ping)
{
    if (args->n_probes == DRILL_PROBES_MAX) {
        fprintf(stderr, "ovn-hactl: a drill has at most %d probes\n",
                DRILL_PROBES_MAX);
        return false;
    } else if (ping && strspn(command, HOST_CHARS) != strlen(command)) {
        fprintf(stderr, "ovn-hactl: \"%s\" is no address to ping\n", command);
        return false;
    }
    args->probes[args->n_probes].command = command;
    args->probes[args->n_probes++].ping = ping;
    return true;
}

bool
drill_args_set(struct drill_args *args, int option, const char *value)
{
    switch ((enum drill_option) option) {
    case DRILL_DRY_RUN:
        args->dry_run = true;
        return true;
    case DRILL_NB:
        args->nb = value;
        return true;
    case DRILL_SB:
        args->sb = value;
        return true;
    case DRILL_MAX_OUTAGE:
        return parse_duration(value, &args->max_outage_us);
    case DRILL_MAX_SB_DELAY:
        return parse_duration(value, &args->max_sb_delay_us);
    case DRILL_MAX_LOST:
        return parse_count(value, &args->max_lost);
    case DRILL_JUNIT:
        args->junit = value;
        return true;
    case DRILL_HTML:
        args->html = value;
        return true;
    case DRILL_PRIVATE_KEY:
        args->private_key = value;
        return true;
    case DRILL_CERTIFICATE:
        args->certificate = value;
        return true;
    case DRILL_CA_CERT:
        args->ca_cert = value;
        return true;
    case DRILL_PING:
    case DRILL_PROBE:
        return add_probe(args, value, option == DRILL_PING);
    case DRILL_MAX_COMPUTE:
        return parse_duration(value, &args->max_compute_us);
    case DRILL_MAX_PROBE:
        return parse_duration(value, &args->max_probe_us);
    case DRILL_CUT:
        return parse_duration(value, &args->cut_us) && check_cut(args->cut_us);
    }
    return false;
}
