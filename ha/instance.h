/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_INSTANCE_H
#define HA_INSTANCE_H 1

/* This process as one of at most one: lock, pid file, and the next
 * version of it in the same process.  For main.c. */

#include <stdbool.h>
#include <stddef.h>

#include "ha/settings.h"

/* Locks the state folder and writes the pid file.  Returns 0, or a negative
 * errno with a sentence in 'error'. */
int instance_lock(const struct settings *, char *error, size_t size);
/* Removes the pid file. */
void instance_unlock(const struct settings *);

/* The path by which this program was started, so that an upgraded one is
 * found there later.  The caller frees it. */
char *instance_program(const char *argv0);

/* Executes 'program' in this process.  Returns only if it fails, with a
 * negative errno. */
int instance_reexec(const char *program, char *argv[]);
/* True if this is the outcome of that. */
bool instance_was_reexec(void);

#endif /* ha/instance.h */
