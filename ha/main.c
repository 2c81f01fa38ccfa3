/* SPDX-License-Identifier: Apache-2.0 */

/* ovn-had: options, the checks before anything is started, and the end. */

#include "ha-config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ha/control.h"
#include "ha/ev.h"
#include "ha/events.h"
#include "ha/fencing.h"
#include "ha/foreign.h"
#include "ha/had.h"
#include "ha/instance.h"
#include "ha/loop.h"
#include "ha/observe.h"
#include "ha/record.h"
#include "ha/stop.h"
#include "ha/units.h"
#include "ha/web.h"
#include "lib/log.h"
#include "lib/sdnotify.h"
#include "lib/xalloc.h"

#define CONFIG_FILE CONF_DEFAULT_FILE
#define CLUSTER_POLL_MS 500
#define EXIT_TRY_AGAIN 75 /* EX_TEMPFAIL. */
#define NICE (-10) /* As OVN starts northd; the databases are no less. */

struct options {
    const char *config; /* NULL: the default file, which may be missing. */
    const char *log_file;
    const char *pidfile;
    bool wait; /* For corosync. */
};

static bool served; /* The loop has run in this process. */

static void __attribute__((noreturn)) usage(int status)
{
    fprintf(status ? stderr : stdout,
            "usage: ovn-had [OPTION]...\n"
            "Keeps the OVN databases and ovn-northd available on this and "
            "other control nodes.\n\n"
            "  --config=FILE    read FILE instead of " CONFIG_FILE "\n"
            "  --wait           wait for corosync instead of failing\n"
            "  --log-file=FILE  log to FILE, too\n"
            "  --pidfile=FILE   instead of ovn-had.pid in OVN's run folder\n"
            "  -v, --verbose    log more\n"
            "  -V, --version    print the version\n"
            "  -h, --help       print this\n");
    exit(status);
}

static void
parse_options(int argc, char *argv[], struct options *o)
{
    enum { OPT_CONFIG = 256, OPT_WAIT, OPT_LOG, OPT_PIDFILE };
    static const struct option longs[] = {
        { "config", required_argument, NULL, OPT_CONFIG },
        { "wait", no_argument, NULL, OPT_WAIT },
        { "log-file", required_argument, NULL, OPT_LOG },
        { "pidfile", required_argument, NULL, OPT_PIDFILE },
        { "verbose", no_argument, NULL, 'v' },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "vVh", longs, NULL)) != -1) {
        switch (c) {
        case OPT_CONFIG:
            o->config = optarg;
            break;
        case OPT_WAIT:
            o->wait = true;
            break;
        case OPT_LOG:
            o->log_file = optarg;
            break;
        case OPT_PIDFILE:
            o->pidfile = optarg;
            break;
        case 'v':
            ha_log_set_level(HA_LOG_DBG);
            break;
        case 'V':
            puts("ovn-had (ovn-ha) " PACKAGE_VERSION);
            exit(0);
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    if (optind < argc) {
        usage(2);
    }
}

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ha_log(HA_LOG_ERR, "main", "%s", text);
    /* What stood in the way of a start needs a person, and systemd does not
     * try again.  A daemon that served until a moment ago has to come back. */
    exit(instance_was_reexec() || served ? EXIT_TRY_AGAIN : 1);
}

static struct settings *
read_settings(const struct options *o)
{
    struct settings *s;
    struct conf *conf;
    const char *folder;
    char *text;
    int error;

    if (conf_load(o->config ? o->config : CONFIG_FILE, o->config != NULL,
                  &conf, &text)) {
        die("%s", text);
    }
    s = settings_create(conf);
    if (o->pidfile) {
        free(s->pidfile);
        s->pidfile = ha_strdup(o->pidfile);
    }
    error = settings_make_folders(s, &folder);
    if (error) {
        die("%s: %s", folder, strerror(-error));
    }
    return s;
}

static void
read_cluster(const struct options *o, const struct settings *s,
             struct cluster *cluster)
{
    char text[CLUSTER_ERROR_LEN];
    bool told = false;
    int error = cluster_read(cluster, text);

    if (error == -ECONNREFUSED) {
        foreign_end_orphans(s);
    }
    while (error == -ECONNREFUSED && o->wait) {
        if (!told) {
            told = true;
            ha_log(HA_LOG_INFO, "main", "%s; waiting for it", text);
        }
        usleep(CLUSTER_POLL_MS * 1000);
        error = cluster_read(cluster, text);
    }
    if (error || !settings_fit(s->conf, cluster, text, sizeof text)) {
        die("%s", text);
    }
}

/* A node that has no record is no member yet: it must not take databases from
 * whoever runs them now.  One that has a record ends whoever does. */
static void
settle_owner(const struct settings *s)
{
    char text[FOREIGN_TEXT_LEN];

    if (!access(s->record, F_OK)) {
        foreign_end(s);
    } else if (foreign_owner(s, text)) {
        die("this node's databases have another owner: %s", text);
    }
}

static void
on_terminate(void *had)
{
    stop_request(had);
}

static void
on_hangup(void *had)
{
    char text[512];

    if (!stop_reexec(had, text, sizeof text)) {
        ha_log(HA_LOG_ERR, "main", "reload refused: %s", text);
    }
}

static void
warn(const struct had *h)
{
    const char *text =
        settings_warning(h->settings, h->cluster.key_file[0] != '\0');

    if (text) {
        ha_log(HA_LOG_WARN, "main", "%s (ovn-ha.conf(5))", text);
    }
}

static void
run(struct had *h)
{
    struct ev_signal *signals[3];

    h->loop = ev_loop_create();
    events_create(h);
    signals[0] = ev_signal_create(h->loop, SIGTERM, on_terminate, h);
    signals[1] = ev_signal_create(h->loop, SIGINT, on_terminate, h);
    signals[2] = ev_signal_create(h->loop, SIGHUP, on_hangup, h);
    observe_start(h);
    if (loop_init(h) || control_create(h)) {
        exit(1); /* Said why. */
    }
    web_create(h);
    fencing_log_advice(h);
    sdnotify_send("READY=1");
    served = true;
    loop_run(h);
    web_destroy(h);
    control_destroy(h);
    observe_close(h);
    loop_close(h);
    for (int i = 0; i < 3; i++) {
        ev_signal_destroy(signals[i]);
    }
    events_destroy(h);
    ev_loop_destroy(h->loop);
}

/* If that fails it starts with the record that it has, as before. */
static void
forget_record(const struct settings *s)
{
    char *path;
    int error = record_set_aside(s->record, s->conf->state_dir, &path);

    if (error) {
        ha_log(HA_LOG_ERR, "record", "%s cannot be set aside: %s", s->record,
               strerror(-error));
    } else {
        ha_log(HA_LOG_WARN, "record",
               "of another lineage; set aside as %s, as an operator says",
               path);
        free(path);
    }
}

int
main(int argc, char *argv[])
{
    static struct had had; /* Large; the only one. */
    struct options options = { .config = NULL };
    char text[512];

    parse_options(argc, argv, &options);
    signal(SIGPIPE, SIG_IGN);
    setpriority(PRIO_PROCESS, 0, NICE);
    if (options.log_file && ha_log_to_file(options.log_file)) {
        die("%s: %s", options.log_file, strerror(errno));
    }
    ha_log_to_system("ovn-had", HA_LOG_JOURNAL, HA_LOG_SYSLOG);
    had.program = instance_program(argv[0]);
    had.settings = read_settings(&options);
    if (instance_lock(had.settings, text, sizeof text)) {
        die("%s", text);
    }
    if (!had.settings->conf->witness) {
        settle_owner(had.settings);
    }
    read_cluster(&options, had.settings, &had.cluster);
    if (!had.settings->conf->witness) {
        units_mask();
    }
    ha_log(HA_LOG_INFO, "main", "ovn-had " PACKAGE_VERSION " starts on %s%s",
           cluster_name(&had.cluster, had.cluster.self),
           instance_was_reexec() ? ", executed anew" : "");
    warn(&had);
    run(&had);
    if (had.forget) {
        forget_record(had.settings);
    }
    if (had.reexec || (had.forget && !had.ends)) {
        die("%s cannot be executed: %s", had.program,
            strerror(-instance_reexec(had.program, argv)));
    }
    instance_unlock(had.settings);
    settings_destroy(had.settings);
    free(had.program);
    return 0;
}
