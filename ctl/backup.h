/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_BACKUP_H
#define CTL_BACKUP_H 1

/* What 'ovn-hactl backup' and 'restore' have in common: ovn-ha-replica does it,
 * with files that belong to root.  Used by these two alone. */

#define BACKUP_PROGRAM "ovn-ha-replica"

struct conf;

/* Reads the configuration, which tells where the databases are, for those who
 * may read them.  Returns NULL after a line of error that names 'verb'. */
struct conf *backup_conf(const char *verb);

/* Runs 'argv' with our own terminal.  Returns an exit status. */
int backup_run(char *argv[]);

#endif /* ctl/backup.h */
