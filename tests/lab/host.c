/* SPDX-License-Identifier: Apache-2.0 */

/* lab-host: the part of the lab that has to be a process.
 *
 *     lab-host warden PARENT      the switch's network namespace; the lab
 *                                 lives exactly as long as this process,
 *                                 and this process at most as long as PARENT,
 *                                 or, after SIGUSR1, until it is ended.
 *     lab-host node NAME WARDEN DISK
 *                                 one machine: namespaces of its own, its
 *                                 folders from DISK, and an init that does
 *                                 nothing but reap.  Dies with WARDEN.
 *
 * Both fork, print the pid that the caller needs once everything is in place,
 * and return.  A process that enters or ends a node is the caller's business:
 * `kill -9` of a node's init is the power cut. */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Folders that are the node's disk: they survive a power cut. */
static const char *disk_dirs[] = {
    "/var/lib/corosync", "/var/lib/ovn",     "/var/lib/openvswitch",
    "/var/lib/ovn-ha",   "/var/log",         "/var/lib/pacemaker",
    "/etc/corosync",     "/etc/openvswitch", "/etc/ovn",
    "/etc/ovn-ha",
};

/* Folders that the node may not share, and that may lack some of the above
 * as mount points: each gets an overlay of its own. */
static const char *overlay_dirs[] = { "/etc", "/var/lib" };

#define N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

static void
die(const char *what)
{
    fprintf(stderr, "lab-host: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
make_dir(const char *path)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST) {
        die(path);
    }
}

/* "/var/lib/ovn" under 'disk' is "DISK/var-lib-ovn".  The caller frees. */
static char *
disk_path(const char *disk, const char *dir, const char *suffix)
{
    char *path;

    if (asprintf(&path, "%s/%s%s", disk, dir + 1, suffix) < 0) {
        die("asprintf");
    }
    for (char *p = path + strlen(disk) + 1; *p; p++) {
        if (*p == '/') {
            *p = '-';
        }
    }
    return path;
}

static void
mount_overlay(const char *disk, const char *dir)
{
    char *upper = disk_path(disk, dir, ".overlay");
    char *work = disk_path(disk, dir, ".overlay-work");
    char *options;

    make_dir(upper);
    make_dir(work);
    if (asprintf(&options, "lowerdir=%s,upperdir=%s,workdir=%s", dir, upper,
                 work)
        < 0) {
        die("asprintf");
    }
    if (mount("overlay", dir, "overlay", 0, options) < 0) {
        die(dir);
    }
    free(options);
    free(work);
    free(upper);
}

static void
mount_disk(const char *disk, const char *dir)
{
    char *source = disk_path(disk, dir, "");

    make_dir(source);
    make_dir(dir);
    if (mount(source, dir, NULL, MS_BIND, NULL) < 0) {
        die(dir);
    }
    free(source);
}

static void
mount_all(const char *disk)
{
    static const char *run_dirs[] = {
        "/run/lock",     "/run/ovn", "/run/openvswitch",
        "/run/corosync", "/run/lab",
    };

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        die("making mounts private");
    }
    for (size_t i = 0; i < N_ELEMS(overlay_dirs); i++) {
        mount_overlay(disk, overlay_dirs[i]);
    }
    for (size_t i = 0; i < N_ELEMS(disk_dirs); i++) {
        mount_disk(disk, disk_dirs[i]);
    }
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV, NULL) < 0
        || mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV, NULL) < 0
        || mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV,
                 "mode=755,size=256m")
               < 0
        || mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV,
                 "mode=1777,size=512m")
               < 0) {
        die("mounting /proc, /sys, /run, /dev/shm");
    }
    for (size_t i = 0; i < N_ELEMS(run_dirs); i++) {
        make_dir(run_dirs[i]);
    }
    make_dir("/var/log/ovn");
    make_dir("/var/log/openvswitch");
    make_dir("/var/log/corosync");
    make_dir("/var/log/lab");
}

static void
loopback_up(void)
{
    struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0) {
        die("raising lo");
    }
    close(fd);
}

/* Detaches from whoever called: no descriptor may keep a caller's pipe open
 * once 'ready' has been said. */
static void
detach(const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int null = open("/dev/null", O_RDONLY);

    if (fd < 0 || null < 0) {
        die(log);
    }
    dup2(null, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    close(null);
    close(fd);
}

/* Reaps children until SIGTERM, or until the process of 'pidfd' is gone
 * unless a SIGUSR1 made that not matter. */
static void
reap_until_end(int pidfd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int sfd = signalfd(-1, &set, SFD_CLOEXEC);
    if (sfd < 0) {
        die("signalfd");
    }

    struct pollfd fds[] = {
        { .fd = sfd, .events = POLLIN },
        { .fd = pidfd, .events = POLLIN },
    };
    for (;;) {
        struct signalfd_siginfo si;

        while (waitpid(-1, NULL, WNOHANG) > 0) {
            continue;
        }
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            die("poll");
        }
        if (fds[1].revents) {
            return;
        }
        if (!fds[0].revents || read(sfd, &si, sizeof si) != sizeof si) {
            continue;
        }
        if (si.ssi_signo == SIGTERM) {
            return;
        } else if (si.ssi_signo == SIGUSR1) {
            fds[1].fd = -1;
        }
    }
}

static int
open_pid(const char *text)
{
    int fd = syscall(SYS_pidfd_open, atoi(text), 0);
    if (fd < 0) {
        die("pidfd_open");
    }
    return fd;
}

/* Waits for the child's word on 'fd', then tells the caller 'pid'. */
static int
report(int fd, pid_t pid)
{
    char byte;

    if (read(fd, &byte, 1) != 1) {
        waitpid(pid, NULL, 0);
        return 1;
    }
    printf("%d\n", (int) pid);
    return 0;
}

static void
say_ready(int fd)
{
    if (write(fd, "", 1) != 1) {
        die("write");
    }
    close(fd);
}

static int
run_warden(const char *parent)
{
    int ready[2];
    int pidfd = open_pid(parent);

    if (pipe2(ready, O_CLOEXEC) < 0) {
        die("pipe");
    }
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    } else if (pid > 0) {
        close(ready[1]);
        return report(ready[0], pid);
    }
    setsid();
    prctl(PR_SET_NAME, "lab-warden");
    if (unshare(CLONE_NEWNET) < 0) {
        die("unshare");
    }
    loopback_up();
    detach("/dev/null");
    say_ready(ready[1]);
    reap_until_end(pidfd);
    return 0;
}

static void
node_init(const char *name, int warden, const char *disk, int ready)
{
    char *log;

    setsid();
    prctl(PR_SET_NAME, "lab-init");
    if (asprintf(&log, "%s/../init.log", disk) < 0) {
        die("asprintf");
    }
    mount_all(disk);
    if (sethostname(name, strlen(name)) < 0) {
        die("sethostname");
    }
    loopback_up();
    detach(log);
    free(log);
    say_ready(ready);
    reap_until_end(warden);
}

static int
run_node(const char *name, const char *warden_pid, const char *disk)
{
    int ready[2];
    int warden = open_pid(warden_pid);

    if (pipe2(ready, O_CLOEXEC) < 0) {
        die("pipe");
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID
                | CLONE_NEWNET)
        < 0) {
        die("unshare");
    }
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    } else if (pid > 0) {
        close(ready[1]);
        return report(ready[0], pid);
    }
    node_init(name, warden, disk, ready[1]);
    return 0;
}

int
main(int argc, char *argv[])
{
    if (argc == 3 && !strcmp(argv[1], "warden")) {
        return run_warden(argv[2]);
    } else if (argc == 5 && !strcmp(argv[1], "node")) {
        return run_node(argv[2], argv[3], argv[4]);
    }
    fprintf(stderr, "usage: lab-host warden PARENT\n"
                    "       lab-host node NAME WARDEN DISK\n");
    return 2;
}
