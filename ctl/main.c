/* SPDX-License-Identifier: Apache-2.0 */

/* ovn-hactl: the operator's command.  Options, and which verb. */

#include "ha-config.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/complete.h"
#include "ctl/verbs.h"

static void __attribute__((noreturn)) usage(int status)
{
    fprintf(
        status ? stderr : stdout,
        "usage: ovn-hactl [OPTION]... COMMAND [ARG]...\n"
        "Shows and steers the ovn-ha cluster of this node.\n\n"
        "commands:\n"
        "  status [--json] [--watch [SECONDS]]\n"
        "                   the cluster as this node sees it\n"
        "  switchover [--to NODE] [--timeout SECONDS] [--no-verify]\n"
        "                   move the active role, and wait until it is so\n"
        "  failover --allow-data-loss [--to NODE] [--yes] [--timeout "
        "SECONDS]\n"
        "                   last resort: make a node active that lacks "
        "records\n"
        "  pause [--timeout SECONDS]\n"
        "                   maintenance: keep all roles as they are, "
        "whatever happens,\n"
        "                   so that corosync can be stopped everywhere\n"
        "  resume [--timeout SECONDS]\n"
        "                   the end of it, and wait until it is so\n"
        "  reinit NODE [--yes] [--timeout SECONDS]\n"
        "                   let record and data of another lineage give way "
        "there\n"
        "  accept-shrink [NODE]\n"
        "                   let a standby, or all, lose most of their rows\n"
        "  verify [NODE] [--json]\n"
        "                   compare the standbys' databases with the "
        "active's\n"
        "  backup [--output FOLDER] [--yes]\n"
        "                   copy both databases, as they are at one moment\n"
        "  restore FOLDER [--yes] [--timeout SECONDS]\n"
        "                   take the cluster back to a backup; on the active\n"
        "  check [--client] [--json]\n"
        "                   look for what is going to hurt: on this control "
        "node, or\n"
        "                   with --client on this compute node\n"
        "  fence NODE [--yes] [--timeout SECONDS]\n"
        "                   switch a node off by its fence devices, and "
        "wait for\n"
        "                   the proof that it is\n"
        "  fence-ack NODE [--yes]\n"
        "                   vouch for it that a node is off, where no "
        "device can\n"
        "  drill KIND [--dry-run] [--yes] [--json] [--junit FILE] [--html "
        "FILE]\n"
        "        [LIMIT]...\n"
        "                   do to the cluster what a bad day does, and judge "
        "how it\n"
        "                   comes through; or drill sequence FILE\n"
        "  history [-n LINES] [--json]\n"
        "                   what was decided here, and when\n"
        "  replay FILE        run a node's journal through the core once "
        "more\n"
        "  leave [--timeout SECONDS] [--yes]\n"
        "                   hand over, end everything on this node, and "
        "wait for\n"
        "                   the end\n"
        "  reload           read the configuration anew, in place\n"
        "  config           the settings in force, and where from\n"
        "  version          of this command and of ovn-had\n\n"
        "options:\n"
        "  -h, --help       print this\n"
        "  -V, --version    print the version\n\n"
        "exit status: 0 fine; 1 refused or failed; 2 usage; 3 ovn-had\n"
        "cannot be reached; 4 (status) no active node, or degraded,\n"
        "(restore) done, but not on the standbys; 5 (verify) a replica "
        "differs from\nthe active's; 6 (drill) a limit was exceeded.  Of "
        "check: 0 nothing found;\n1 warnings; 2 critical findings; 3 "
        "something could not be looked at\n");
    exit(status);
}

static const struct verb verbs[] = {
    { "status", verb_status, "jw", VERB_TAKES_NOTHING, NULL },
    { "switchover", verb_switchover, "tTN", VERB_TAKES_NOTHING, NULL },
    { "verify", verb_verify, "j", VERB_TAKES_NODE, NULL },
    { "backup", verb_backup, "Oy", VERB_TAKES_NOTHING, NULL },
    { "restore", verb_restore, "yT", VERB_TAKES_FILE,
      "the folder of one backup" },
    { "check", verb_check, "jC", VERB_TAKES_NOTHING, NULL },
    { "failover", verb_failover, "tTyA", VERB_TAKES_NOTHING, NULL },
    { "fence", verb_fence, "yT", VERB_TAKES_NODE, "the name of one node" },
    { "pause", verb_pause, "T", VERB_TAKES_NOTHING, NULL },
    { "resume", verb_resume, "T", VERB_TAKES_NOTHING, NULL },
    { "reinit", verb_reinit, "yT", VERB_TAKES_NODE, NULL },
    { "accept-shrink", verb_accept_shrink, "", VERB_TAKES_NODE, NULL },
    { "fence-ack", verb_fence_ack, "y", VERB_TAKES_NODE,
      "the name of one node" },
    { "drill", verb_drill, "yjtTN" DRILL_OPTIONS, VERB_TAKES_KIND,
      "one kind of drill, or sequence and a file" },
    { "history", verb_history, "nj", VERB_TAKES_NOTHING, NULL },
    { "leave", verb_leave, "Ty", VERB_TAKES_NOTHING, NULL },
    { "reload", verb_reload, "", VERB_TAKES_NOTHING, NULL },
    { "config", verb_config, "", VERB_TAKES_NOTHING, NULL },
    { "version", verb_version, "", VERB_TAKES_NOTHING, NULL },
    { "replay", verb_replay, "", VERB_TAKES_FILE, "the name of one file" },
};
#define N_VERBS (sizeof verbs / sizeof verbs[0])

static const struct option longs[] = {
    { "json", no_argument, NULL, 'j' },
    { "watch", optional_argument, NULL, 'w' },
    { "to", required_argument, NULL, 't' },
    { "timeout", required_argument, NULL, 'T' },
    { "no-verify", no_argument, NULL, 'N' },
    { "lines", required_argument, NULL, 'n' },
    { "yes", no_argument, NULL, 'y' },
    { "output", required_argument, NULL, 'O' },
    { "client", no_argument, NULL, 'C' },
    { "allow-data-loss", no_argument, NULL, 'A' },
    { "dry-run", no_argument, NULL, DRILL_DRY_RUN },
    { "nb", required_argument, NULL, DRILL_NB },
    { "sb", required_argument, NULL, DRILL_SB },
    { "max-write-outage", required_argument, NULL, DRILL_MAX_OUTAGE },
    { "max-sb-delay", required_argument, NULL, DRILL_MAX_SB_DELAY },
    { "private-key", required_argument, NULL, DRILL_PRIVATE_KEY },
    { "certificate", required_argument, NULL, DRILL_CERTIFICATE },
    { "ca-cert", required_argument, NULL, DRILL_CA_CERT },
    { "ping", required_argument, NULL, DRILL_PING },
    { "probe", required_argument, NULL, DRILL_PROBE },
    { "max-compute-return", required_argument, NULL, DRILL_MAX_COMPUTE },
    { "max-probe-outage", required_argument, NULL, DRILL_MAX_PROBE },
    { "cut", required_argument, NULL, DRILL_CUT },
    { "junit", required_argument, NULL, DRILL_JUNIT },
    { "html", required_argument, NULL, DRILL_HTML },
    { "max-lost", required_argument, NULL, DRILL_MAX_LOST },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

/* Two options with one letter would be one option to all that goes by it. */
static void
assert_letters(void)
{
    char seen[sizeof longs / sizeof longs[0]] = "";

    for (size_t i = 0; longs[i].name; i++) {
        assert(!strchr(seen, longs[i].val));
        seen[i] = longs[i].val;
    }
}

/* Seconds or lines.  Exits if it is none. */
static double
parse_number(const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= min && value <= max)) {
        fprintf(stderr, "ovn-hactl: \"%s\" is not a number from %g to %g\n",
                text, min, max);
        exit(2);
    }
    return value;
}

static void
set_option(struct verb_args *args, int c)
{
    switch (c) {
    case 'j':
        args->json = true;
        break;
    case 'w':
        args->watch = true;
        if (optarg) {
            args->watch_seconds = parse_number(optarg, 0.1, 3600);
        }
        break;
    case 't':
        args->to = optarg;
        break;
    case 'T':
        args->timeout_seconds = parse_number(optarg, 1, 3600);
        break;
    case 'y':
        args->yes = true;
        break;
    case 'A':
        args->allow_data_loss = true;
        break;
    case 'O':
        args->output = optarg;
        break;
    case 'C':
        args->client = true;
        break;
    case 'N':
        args->no_verify = true;
        break;
    case 'n':
        args->lines = parse_number(optarg, 1, 100000);
        break;
    case 'h':
        usage(0);
    case 'V':
        puts("ovn-hactl (ovn-ha) " PACKAGE_VERSION);
        exit(0);
    case '?':
        usage(2);
    default:
        if (!drill_args_set(&args->drill, c, optarg)) {
            exit(2);
        }
    }
}

/* What stands behind the verb and is no option. */
static void
set_operands(struct verb_args *args, const struct verb *verb, int n,
             char *operands[])
{
    if (verb->run == verb_drill && n == 2
        && !strcmp(operands[0], "sequence")) {
        args->operand = operands[0];
        args->drill.sequence = operands[1];
    } else if (verb->operand) {
        if (n != 1
            || (verb->run == verb_drill && !strcmp(operands[0], "sequence"))) {
            fprintf(stderr, "ovn-hactl: %s takes %s\n", verb->name,
                    verb->operand);
            exit(2);
        }
        args->operand = operands[0];
    } else if (n == 1
               && (verb->run == verb_reinit
                   || verb->run == verb_accept_shrink)) {
        args->to = operands[0];
    } else if (n == 1 && verb->run == verb_verify) {
        args->node = operands[0];
    } else if (n == 1 && args->watch) {
        args->watch_seconds = parse_number(operands[0], 0.1, 3600);
    } else if (n) {
        fprintf(stderr, "ovn-hactl: \"%s\" is one argument too many\n",
                operands[0]);
        exit(2);
    }
}

int
main(int argc, char *argv[])
{
    struct verb_args args = { .watch_seconds = 1,
                              .timeout_seconds = 60,
                              .lines = 50,
                              .drill = DRILL_ARGS_DEFAULT };
    char used[64] = "";
    size_t n_used = 0;
    int c;

    assert_letters();
    while ((c = getopt_long(argc, argv, "jn:yhV", longs, NULL)) != -1) {
        set_option(&args, c);
        if (n_used < sizeof used - 1) {
            used[n_used++] = c;
        }
    }
    if (optind >= argc) {
        usage(2);
    }
    if (!strcmp(argv[optind], "complete")) {
        complete_print(verbs, N_VERBS, longs, argc - optind - 1,
                       argv + optind + 1);
        return 0;
    }
    for (size_t i = 0; i < N_VERBS; i++) {
        const struct verb *verb = &verbs[i];

        if (strcmp(verb->name, argv[optind])) {
            continue;
        }
        if (strspn(used, verb->options) != n_used) {
            fprintf(stderr, "ovn-hactl: %s does not take that option\n",
                    verb->name);
            return 2;
        }
        set_operands(&args, verb, argc - optind - 1, argv + optind + 1);
        if (args.drill.sequence && strspn(used, "yjT" DRILL_FILES) != n_used) {
            fputs("ovn-hactl: drill sequence does not take that option; its "
                  "file has those of each drill\n",
                  stderr);
            return 2;
        }
        return verb->run(&args);
    }
    fprintf(stderr, "ovn-hactl: there is no command \"%s\"; see --help\n",
            argv[optind]);
    return 2;
}
