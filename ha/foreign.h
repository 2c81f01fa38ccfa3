/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_FOREIGN_H
#define HA_FOREIGN_H 1

/* Who else runs the databases?
 *
 * systemd's ovn-central, pacemaker's ovndb-servers or a person with ovn-ctl
 * may have started servers on our files.  They are told from ours by what the
 * kernel knows: who holds the lock of the file, and with which command line it
 * runs.  main.c asks before it starts anything; ha/server.c and ha/northd.c
 * ask when they start one. */

#include <stdbool.h>
#include <sys/types.h>

#include "ha/settings.h"

#define FOREIGN_TEXT_LEN 400

/* True if process 'pid' has 'word' as a part of its command line. */
bool foreign_runs_with(pid_t pid, const char *word);

/* Our own server, by the lock of its file; 0 if there is none. */
pid_t foreign_own_server(const struct settings_db *);

/* True if a process that is not ours holds the database file.  '*ret_pid' is
 * 0 if it is in another container.  'text' names it. */
bool foreign_server(const struct settings_db *, pid_t *ret_pid,
                    char text[FOREIGN_TEXT_LEN]);

/* Keeps others out while no server of ours runs: takes the lock that OVS's
 * programs want before they open the file.  Returns a descriptor, whose close
 * lets them in again, or a negative errno: -EAGAIN if somebody has it. */
int foreign_keep_out(const struct settings_db *);

/* True if ovn-northd runs here with its usual pid file, but not as ours. */
bool foreign_northd(const struct settings *, pid_t *ret_pid,
                    char text[FOREIGN_TEXT_LEN]);

/* Where another node has the data, there is nothing to convert. */
#define FOREIGN_CLUSTERED                                              \
    "belongs to a RAFT cluster: convert it by ovsdb-tool "             \
    "cluster-to-standalone, or, if another node has the data, put it " \
    "elsewhere"

/* True if 'file' is a database of a RAFT cluster. */
bool foreign_clustered(const char *file);

/* True if anything above says that this node has another owner: 'text' has
 * the sentence, with the way out. */
bool foreign_owner(const struct settings *, char text[FOREIGN_TEXT_LEN]);

/* Ends servers of others on our files; takes up to a second or so.  For a
 * member that starts: what systemd started at boot may serve old data, and
 * must not go on while this node waits for corosync. */
void foreign_end(const struct settings *);

/* Ends our own servers, and northd, if there is no fence worker that could
 * close what they have open.  For a start without corosync, where nobody else would. */
void foreign_end_orphans(const struct settings *);

#endif /* ha/foreign.h */
