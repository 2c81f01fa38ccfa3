/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_CHILD_H
#define HA_LIB_CHILD_H 1

/* Processes that we start, or find and adopt.
 *
 * The supervisor runs the databases, northd and the workers through it; the
 * fence worker runs fence agents.  Children outlive us on purpose: an upgrade
 * re-executes ovn-had, and a crash of it must not take the databases along.
 * So a process is known by pid, start time and a pidfd, and it does not matter
 * who its parent is.  No policy here: when to start, end or believe in a
 * process is the caller's business. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/mono.h"

/* A descriptor that a child inherits. */
struct child_fd {
    int fd; /* Ours. */
    int as; /* Its number in the child. */
};

struct child_spec {
    const char *const *argv;    /* Ends in NULL; argv[0] is the path. */
    const char *const *env;     /* "NAME=value" besides our own environment
                                 * (less NOTIFY_SOCKET, which is ours only),
                                 * ends in NULL; or NULL. */
    const struct child_fd *fds; /* All that it inherits besides 0, 1, 2. */
    size_t n_fds;
    const char *log_path; /* Appended to by stdout and stderr, or NULL
                                 * for our stderr. */
    int in_fd;            /* Standard input instead of /dev/null; or 0. */
    int out_fd;           /* For stdout and stderr, before 'log_path'; or
                           * 0. */
    int err_fd;           /* For stderr, before 'out_fd'; or 0. */
    bool reset_priority;  /* Do not inherit a real-time priority, */
    bool reset_oom;       /* nor that we are to live when memory is short. */
    int lock_fd; /* A file that we hold a lock on (F_OFD_SETLK): it becomes
                  * the child's (F_SETLK), and outlives its exec.  0: none.
                  * Not together with 'fds'. */
};

/* Descriptors a child may inherit. */
#define CHILD_FDS_MAX 8

struct child {
    pid_t pid;
    int pidfd;            /* Readable once the process is dead. */
    uint64_t start_ticks; /* When it started: tells it from a later process
                           * with the same pid. */
};

/* No process. */
#define CHILD_NONE ((struct child){ .pid = 0, .pidfd = -1 })

/* Exit status of a child whose program could not be run. */
#define CHILD_EXEC_FAILED 127

/* Starts a process, in a session of its own, its standard input /dev/null
 * (unless 'in_fd' says otherwise), all signals as they are by default.  Does not wait for anything.  Returns 0
 * or a negative errno. */
int child_spawn(const struct child_spec *, struct child *ret_child);

/* Path of our own program 'name': in $OVN_HA_PKGLIBEXECDIR if set, else where
 * it was installed.  The caller frees it. */
char *child_program(const char *name);

/* Adopts the process 'pid', if it runs the program 'comm' (its first 15
 * characters count) and, unless 'start_ticks' is 0, started then.  Returns 0;
 * -ESRCH if it is dead or another one; or another negative errno. */
int child_adopt(pid_t, const char *comm, uint64_t start_ticks,
                struct child *ret_child);

/* The same for the pid that the file 'pidfile' holds.  Returns also -ENOENT
 * if there is no file and -EINVAL if it holds no pid. */
int child_adopt_pidfile(const char *pidfile, const char *comm,
                        struct child *ret_child);

/* Forgets the process, without any effect on it. */
void child_close(struct child *);

/* Sends a signal.  Returns 0 or a negative errno; -ESRCH if it is dead. */
int child_signal(const struct child *, int sig);

/* The same to all processes of the session that child_spawn() gave it and
 * that did not leave its process group.  Only until it is reaped. */
int child_signal_group(const struct child *, int sig);

/* Asks whether the process is dead, and reaps it if it is our own.  Returns 0
 * with its wait status, or -1 where only its parent knows that; -EAGAIN if it
 * lives; or another negative errno. */
int child_reap(const struct child *, int *ret_status);

/* Waits until the process is dead.  Only for programs without a loop.
 * Returns like child_reap(), -EAGAIN at 'deadline'. */
int child_wait(const struct child *, mono_t deadline, int *ret_status);

/* What the kernel says about a process. */
enum child_state {
    CHILD_RUNNING, /* Or ready to. */
    CHILD_BLOCKED, /* In the kernel, most often on a disk (D). */
    CHILD_STOPPED, /* By SIGSTOP or a debugger. */
    CHILD_DEAD,    /* Perhaps not yet reaped. */
};

struct child_stat {
    enum child_state state;
    char comm[16]; /* Name of the program, cut. */
    pid_t ppid;
    uint64_t start_ticks; /* Since boot... */
    uint64_t cpu_ticks;   /* ...and consumed by all threads; in units of
                           * sysconf(_SC_CLK_TCK). */
};

/* Reads it.  Returns 0, -ESRCH, or another negative errno. */
int child_read_stat(pid_t, struct child_stat *ret_stat);

/* Reads the command line, with a blank behind each word.  Returns its length,
 * which is cut to fit into 'size' with a NUL; 0 if it has none, or -1. */
ssize_t child_read_cmdline(pid_t, char *buf, size_t size);
#define CHILD_CMDLINE_MAX 8192

/* "running", "blocked", "stopped", "dead". */
const char *child_state_name(enum child_state);

#endif /* HA_LIB_CHILD_H */
