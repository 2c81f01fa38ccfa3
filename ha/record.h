/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_RECORD_H
#define HA_RECORD_H 1

/* The record on disk.
 *
 * A small text file with a version and a checksum, written whole by
 * lib/durable.  Carried out by the loop for the core's PERSIST; read once at
 * the start. */

#include <stdbool.h>
#include <stddef.h>

#include "ha/core/core.h"

#define RECORD_MAX 4096

/* Returns 0 once it would survive a power cut, or a negative errno. */
int record_write(const char *path, const struct ha_durable *);

/* Returns 0; -ENOENT if there is none; -EBADMSG if the file is damaged;
 * -EPROTONOSUPPORT if a newer version wrote it; or another negative errno. */
int record_read(const char *path, struct ha_durable *ret_durable);

/* Moves the record to STATE_DIR/diverged/record-TIME, under a name that was not
 * used yet, which the caller frees.  Returns 0 once that would survive a power
 * cut, or a negative errno. */
int record_set_aside(const char *path, const char *state_dir, char **ret_path);

/* The two halves without the file, for tests.  record_print() returns the
 * length. */
size_t record_print(const struct ha_durable *, char buf[RECORD_MAX]);
int record_parse(const char *text, struct ha_durable *ret_durable);

#endif /* ha/record.h */
