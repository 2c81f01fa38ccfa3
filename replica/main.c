/* SPDX-License-Identifier: Apache-2.0 */

/* ovn-ha-replica: ships or applies the log of one OVN database.  Started by
 * ovn-had, one for NB and one for SB; ends when the supervisor's socket
 * closes.  Or makes a backup, or restores one, for ovn-hactl. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"

#include "lib/log.h"
#include "replica/backup.h"
#include "replica/restore.h"
#include "replica/verifier.h"
#include "replica/worker.h"

struct options {
    struct worker_config worker;
    const char *log_file;
    const char *verify; /* A verifier's process: "ask" or "answer". */
    long long int upto;
    const char *backup, *restore; /* A folder, for ovn-hactl. */
    bool dry_run;
    long long int spare_mb, in_sync, nb_lag, sb_lag;
};

enum {
    OPT_DB = 256,
    OPT_FILE,
    OPT_SERVER,
    OPT_LISTEN,
    OPT_SELF,
    OPT_STATE_DIR,
    OPT_KEY_FILE,
    OPT_PRIVATE_KEY,
    OPT_CERTIFICATE,
    OPT_CA_CERT,
    OPT_FD,
    OPT_LOG_FILE,
    OPT_SHRINK_GUARD,
    OPT_SHRINK_ROWS,
    OPT_VERIFY,
    OPT_UPTO,
    OPT_BACKUP,
    OPT_RESTORE,
    OPT_DRY_RUN,
    OPT_SPARE_MB,
    OPT_IN_SYNC,
    OPT_NB_LAG,
    OPT_SB_LAG,
};

static const struct option long_options[] = {
    { "db", required_argument, NULL, OPT_DB },
    { "file", required_argument, NULL, OPT_FILE },
    { "server", required_argument, NULL, OPT_SERVER },
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "self", required_argument, NULL, OPT_SELF },
    { "state-dir", required_argument, NULL, OPT_STATE_DIR },
    { "key-file", required_argument, NULL, OPT_KEY_FILE },
    { "private-key", required_argument, NULL, OPT_PRIVATE_KEY },
    { "certificate", required_argument, NULL, OPT_CERTIFICATE },
    { "ca-cert", required_argument, NULL, OPT_CA_CERT },
    { "fd", required_argument, NULL, OPT_FD },
    { "log-file", required_argument, NULL, OPT_LOG_FILE },
    { "shrink-guard", required_argument, NULL, OPT_SHRINK_GUARD },
    { "shrink-rows", required_argument, NULL, OPT_SHRINK_ROWS },
    { "verify", required_argument, NULL, OPT_VERIFY },
    { "upto", required_argument, NULL, OPT_UPTO },
    { "backup", required_argument, NULL, OPT_BACKUP },
    { "restore", required_argument, NULL, OPT_RESTORE },
    { "dry-run", no_argument, NULL, OPT_DRY_RUN },
    { "spare-mb", required_argument, NULL, OPT_SPARE_MB },
    { "in-sync", required_argument, NULL, OPT_IN_SYNC },
    { "nb-lag", required_argument, NULL, OPT_NB_LAG },
    { "sb-lag", required_argument, NULL, OPT_SB_LAG },
    { "verbose", no_argument, NULL, 'v' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static void
usage(void)
{
    printf(
        "Usage: ovn-ha-replica --db=nb|sb --file=FILE --server=REMOTE\n"
        "           --listen=ADDRESS:PORT --self=NODE --state-dir=DIR\n"
        "           [--key-file=FILE] [--private-key=FILE\n"
        "           --certificate=FILE --ca-cert=FILE] [--fd=N]\n"
        "           [--shrink-guard=PERCENT --shrink-rows=N]\n"
        "           [--log-file=FILE] [-v]\n"
        "Ships or applies the log of one OVN database for ovn-had, which\n"
        "starts it.  By itself it starts a process with --verify=ask|answer\n"
        "and --upto=BYTES, which verifies the database's content.\n\n"
        "For ovn-hactl, which says what they are for:\n"
        "       ovn-ha-replica --backup=FOLDER --state-dir=DIR\n"
        "           [--spare-mb=N] [--in-sync=-1|0|1] [--nb-lag=N]\n"
        "           [--sb-lag=N] NB SB\n"
        "       ovn-ha-replica --restore=FOLDER --state-dir=DIR --self=NODE\n"
        "           [--spare-mb=N] [--dry-run] [--fd=N] NB SB NB-REMOTE "
        "SB-REMOTE\n");
}

static bool
set_db(struct worker_config *w, const char *name)
{
    w->db = strcmp(name, "sb") ? HA_NB : HA_SB;
    return !strcmp(name, "nb") || !strcmp(name, "sb");
}

/* Parses a number from 'min' on. */
static bool
set_number(const char *text, int min, long long int max, long long int *ret)
{
    char *end;

    errno = 0;
    *ret = strtoll(text, &end, 10);
    return !errno && end != text && !*end && *ret >= min && *ret <= max;
}

/* Takes the option 'c'.  Returns false if its value is bad. */
static bool
set_option(struct options *o, int c, const char *value)
{
    const char **texts[] = {
        [OPT_FILE - OPT_DB] = &o->worker.file,
        [OPT_SERVER - OPT_DB] = &o->worker.server,
        [OPT_LISTEN - OPT_DB] = &o->worker.listen,
        [OPT_STATE_DIR - OPT_DB] = &o->worker.state_dir,
        [OPT_KEY_FILE - OPT_DB] = &o->worker.key_file,
        [OPT_PRIVATE_KEY - OPT_DB] = &o->worker.tls.private_key,
        [OPT_CERTIFICATE - OPT_DB] = &o->worker.tls.certificate,
        [OPT_CA_CERT - OPT_DB] = &o->worker.tls.ca_cert,
        [OPT_LOG_FILE - OPT_DB] = &o->log_file,
        [OPT_VERIFY - OPT_DB] = &o->verify,
        [OPT_BACKUP - OPT_DB] = &o->backup,
        [OPT_RESTORE - OPT_DB] = &o->restore,
    };
    long long int n = 0;
    bool ok = true;

    if (c == 'v') {
        ha_log_set_level(HA_LOG_DBG);
    } else if (c == OPT_DB) {
        ok = set_db(&o->worker, value);
    } else if (c == OPT_SELF) {
        ok = set_number(value, 1, UINT32_MAX, &n);
        o->worker.self = n;
    } else if (c == OPT_FD) {
        ok = set_number(value, 0, INT32_MAX, &n);
        o->worker.fd = n;
    } else if (c == OPT_SHRINK_GUARD) {
        ok = set_number(value, 0, 99, &n);
        o->worker.shrink_share = n;
    } else if (c == OPT_SHRINK_ROWS) {
        ok = set_number(value, 1, UINT32_MAX, &n);
        o->worker.shrink_rows = n;
    } else if (c == OPT_DRY_RUN) {
        o->dry_run = true;
    } else if (c == OPT_SPARE_MB) {
        ok = set_number(value, 0, INT32_MAX, &o->spare_mb);
    } else if (c == OPT_IN_SYNC) {
        ok = set_number(value, -1, 1, &o->in_sync);
    } else if (c == OPT_NB_LAG || c == OPT_SB_LAG) {
        ok = set_number(value, -1, LLONG_MAX,
                        c == OPT_NB_LAG ? &o->nb_lag : &o->sb_lag);
    } else if (c == OPT_UPTO) {
        ok = set_number(value, 0, LLONG_MAX, &o->upto);
    } else {
        *texts[c - OPT_DB] = value;
    }
    return ok;
}

static bool
check_options(struct options *o)
{
    const struct worker_config *w = &o->worker;
    int n_tls = !!w->tls.private_key + !!w->tls.certificate + !!w->tls.ca_cert;

    if (!w->file || !w->server || !w->listen || !strrchr(w->listen, ':')
        || !w->self || !w->state_dir) {
        fprintf(stderr, "ovn-ha-replica: --db, --file, --server, --listen, "
                        "--self and --state-dir are needed\n");
        return false;
    }
    if (n_tls && n_tls != 3) {
        fprintf(stderr, "ovn-ha-replica: TLS needs --private-key, "
                        "--certificate and --ca-cert\n");
        return false;
    }
    return true;
}

/* Speaks to the operator, so nothing else does. */
static int
run_backup(const struct options *o, int n, char *argv[])
{
    struct backup_config cfg = {
        .folder = o->backup ? o->backup : o->restore,
        .state_dir = o->worker.state_dir,
        .self = o->worker.self,
        .dry_run = o->dry_run,
        .tell_fd = o->worker.fd,
        .in_sync = o->in_sync,
        .lag = { o->nb_lag, o->sb_lag },
        .spare_bytes = o->spare_mb * 1000000ULL,
    };

    if (!o->worker.state_dir || n != (o->backup ? 2 : 4)
        || (o->restore && !o->worker.self)) {
        usage();
        return EXIT_FAILURE;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        cfg.file[db] = argv[db];
        cfg.server[db] = o->restore ? argv[HA_N_DBS + db] : NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    ha_log_to_stderr(false);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    return o->backup ? backup_main(&cfg) : restore_main(&cfg);
}

/* Returns -1 to go on, or an exit status. */
static int
parse_options(int argc, char *argv[], struct options *o)
{
    bool has_db = false;
    int c;

    o->worker.fd = -1;
    o->in_sync = o->nb_lag = o->sb_lag = -1;
    while ((c = getopt_long(argc, argv, "vhV", long_options, NULL)) != -1) {
        if (c == 'h') {
            usage();
            return EXIT_SUCCESS;
        } else if (c == 'V') {
            printf("ovn-ha-replica %s\n", HA_VERSION);
            return EXIT_SUCCESS;
        } else if (c == '?' || !set_option(o, c, optarg)) {
            if (c != '?') {
                fprintf(stderr, "ovn-ha-replica: '%s' is no good value\n",
                        optarg);
            }
            return EXIT_FAILURE;
        }
        has_db = has_db || c == OPT_DB;
    }
    if (o->backup || o->restore) {
        return run_backup(o, argc - optind, argv + optind);
    }
    if (o->verify) {
        return verifier_main(!strcmp(o->verify, "ask"), o->upto);
    }
    return has_db && optind == argc && check_options(o) ? -1 : EXIT_FAILURE;
}

/* A large database takes long to load; that is no news. */
static void
quiet_timeval(void)
{
    vlog_set_levels(vlog_module_from_name("timeval"), VLF_ANY_DESTINATION,
                    VLL_ERR);
}

/* Open vSwitch's own messages: warnings only, beside ours. */
static void
start_log(const struct options *o)
{
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    vlog_set_levels(NULL, VLF_CONSOLE, VLL_WARN);
    quiet_timeval();
    if (o->log_file) {
        int error = ha_log_to_file(o->log_file);

        if (error) {
            fprintf(stderr, "ovn-ha-replica: %s: %s\n", o->log_file,
                    strerror(-error));
        } else {
            ha_log_to_stderr(false);
            vlog_set_levels(NULL, VLF_CONSOLE, VLL_OFF);
            vlog_set_levels(NULL, VLF_FILE, VLL_WARN);
            quiet_timeval();
            vlog_set_log_file(o->log_file);
        }
    }
}

int
main(int argc, char *argv[])
{
    struct options o = { .log_file = NULL };
    struct worker *worker;
    int status;

    set_program_name(argv[0]);
    status = parse_options(argc, argv, &o);
    if (status >= 0) {
        return status;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* Nobody waits for a verifier. */
    start_log(&o);
    if (worker_create(&o.worker, &worker)) {
        return EXIT_FAILURE;
    }
    while (worker_run(worker)) {
        worker_wait(worker);
        poll_block();
    }
    worker_destroy(worker);
    return EXIT_SUCCESS;
}
