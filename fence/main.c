/* SPDX-License-Identifier: Apache-2.0 */

/* ovn-ha-fence: command line, and what makes the process hard to stop. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <ha-config.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "fence/cut.h"
#include "fence/harden.h"
#include "fence/logger.h"
#include "fence/worker.h"
#include "lib/log.h"

struct options {
    const char *socket;
    const char *log_file;
    const char *cut; /* Milliseconds; NULL: it is the worker. */
};

static void __attribute__((noreturn)) usage(int status)
{
    fprintf(status ? stderr : stdout,
            "usage: ovn-ha-fence --socket=PATH [OPTION]...\n"
            "       ovn-ha-fence --cut=MS PORT...\n"
            "Opens and closes what clients of this node can reach; started "
            "by ovn-had.\n\n"
            "  --socket=PATH    where ovn-had connects to\n"
            "  --log-file=PATH  append the log to PATH instead of standard "
            "error\n"
            "  --cut=MS         cut this node off from UDP ports for so long, "
            "and end\n"
            "  -v, --verbose    log more\n"
            "  -V, --version    print the version\n"
            "  -h, --help       print this\n");
    exit(status);
}

static void
parse_options(int argc, char *argv[], struct options *o)
{
    enum { OPT_SOCKET = 256, OPT_LOG_FILE, OPT_CUT };
    static const struct option longs[] = {
        { "socket", required_argument, NULL, OPT_SOCKET },
        { "log-file", required_argument, NULL, OPT_LOG_FILE },
        { "cut", required_argument, NULL, OPT_CUT },
        { "verbose", no_argument, NULL, 'v' },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "vVh", longs, NULL)) != -1) {
        switch (c) {
        case OPT_SOCKET:
            o->socket = optarg;
            break;
        case OPT_LOG_FILE:
            o->log_file = optarg;
            break;
        case OPT_CUT:
            o->cut = optarg;
            break;
        case 'v':
            ha_log_set_level(HA_LOG_DBG);
            break;
        case 'V':
            printf("ovn-ha-fence %s\n", PACKAGE_VERSION);
            exit(0);
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    if (o->cut ? !!o->socket : !o->socket || optind < argc) {
        usage(2);
    }
}

/* Takes the lock that only one worker of this socket can have; it is held
 * until the process ends.  Returns 0 or a negative errno. */
static int
take_lock(const char *socket)
{
    char path[256];
    int fd;

    if (snprintf(path, sizeof path, "%s.lock", socket) >= (int) sizeof path) {
        return -ENAMETOOLONG;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    return flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

/* Returns a descriptor that becomes readable when a signal asks to end. */
static int
take_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int
main(int argc, char *argv[])
{
    static struct worker worker; /* Large; the only one. */
    struct options o = { NULL, NULL, NULL };
    int signal_fd, error;

    parse_options(argc, argv, &o);
    if (o.cut) {
        return cut_run(o.cut, argv + optind, argc - optind);
    }
    error = take_lock(o.socket);
    if (error) {
        fprintf(stderr, "ovn-ha-fence: %s: %s\n", o.socket,
                error == -EWOULDBLOCK ? "another worker runs already"
                                      : strerror(-error));
        return 1;
    }
    error = logger_start(o.log_file);
    if (error) {
        fprintf(stderr, "ovn-ha-fence: %s: %s\n",
                o.log_file ? o.log_file : "log", strerror(-error));
        return 1;
    }
    signal_fd = take_signals();
    harden();
    error = signal_fd < 0 ? -errno : worker_init(&worker, o.socket, signal_fd);
    if (error) {
        ha_log(HA_LOG_ERR, "worker", "cannot listen on %s: %s", o.socket,
               strerror(-error));
        return 1;
    }
    ha_log(HA_LOG_INFO, "worker", "ovn-ha-fence %s listens on %s",
           PACKAGE_VERSION, o.socket);
    error = worker_run(&worker);
    worker_destroy(&worker);
    return error ? 1 : 0;
}
