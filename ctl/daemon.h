/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DAEMON_H
#define CTL_DAEMON_H 1

/* Calls of this node's ovn-had.  Found as ovn-appctl finds a daemon: by its
 * pid file in $OVN_RUNDIR, or else where the configuration has it put. */

#include "lib/child.h"
#include "lib/uctl.h"

/* Calls 'method' with the strings of 'argv', which ends in NULL, or is NULL.
 * Returns 0 and the reply, which the caller frees; VERB_FAILED if it refused;
 * VERB_UNREACHABLE: the reply is a sentence then. */
int daemon_call(const char *method, const char *const argv[],
                char **ret_reply);

/* The same, but prints what went wrong and leaves no reply then. */
int daemon_ask(const char *method, const char *const argv[], char **ret_reply);

/* Begins a call, for those who have more to do than to wait.  Returns NULL if
 * ovn-had is not there. */
struct uctl_call *daemon_start(const char *method, const char *const argv[]);

/* Finds the process of ovn-had, so that its end can be waited for; the caller
 * closes 'ret_child'.  Prints what went wrong.  Returns an exit status. */
int daemon_find(struct child *ret_child);

#endif /* ctl/daemon.h */
