/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_DBLOCK_H
#define HA_LIB_DBLOCK_H 1

/* The lock by which OVS's programs keep each other off a database file.
 *
 * Whoever has the file open for writing holds it, so the kernel knows which
 * process that is.  Used to find foreign servers, and to keep them out. */

#include <stdbool.h>
#include <sys/types.h>

/* Opens the lock's file, with O_CREAT in 'flags' also one that does not exist.
 * Returns a descriptor, or -1 and errno.  Its close ends a lock that this
 * process has by F_SETLK. */
int dblock_open(const char *db_file, int flags);

/* True if some process has the lock; '*ret_pid' is 0 if it is in another
 * container. */
bool dblock_holder(const char *db_file, pid_t *ret_pid);

#endif /* HA_LIB_DBLOCK_H */
