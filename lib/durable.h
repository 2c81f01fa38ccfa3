/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_DURABLE_H
#define HA_LIB_DURABLE_H 1

/* Small files that are whole and on disk, or as they were before.
 *
 * The record, the history and the replicas' positions are kept this way; a
 * promise that a power cut can undo is none.  The one place that knows the
 * order: write a new file in the same folder, fsync it, rename, fsync the
 * folder.  It waits for the disk, so call it where that is right.  Not for
 * large files. */

#include <stddef.h>
#include <sys/types.h>

/* Puts the 'n' bytes at 'data' in place of what 'path' holds, with 'mode'.
 * Returns 0 once they would survive a power cut, or a negative errno, and
 * then 'path' holds the old or the new content, never a mixture. */
int durable_write(const char *path, const void *data, size_t n, mode_t mode);

/* Reads 'path', at most 'max' bytes, into memory that the caller frees, with
 * a '\0' after the 'ret_n' bytes.  Returns 0 or a negative errno; -ENOENT,
 * -EFBIG if the file is larger. */
int durable_read(const char *path, size_t max, char **ret_data, size_t *ret_n);

/* Removes 'path', and waits until the disk knows.  Returns 0, also if there
 * was none, or a negative errno. */
int durable_remove(const char *path);

/* The folder that 'path' is in, in memory that the caller frees. */
char *durable_folder_of(const char *path);

/* Makes the names in the folder of 'path' durable, after a rename or a link
 * of one's own.  Returns 0 or a negative errno. */
int durable_sync_folder_of(const char *path);

#endif /* HA_LIB_DURABLE_H */
