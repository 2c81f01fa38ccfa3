/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_LOGGER_H
#define FENCE_LOGGER_H 1

/* A child process that writes the worker's log.
 *
 * A write to a disk or a terminal can block for as long as it likes, and the
 * worker must never wait for one.  So its standard error becomes a pipe that
 * does not block (what does not fit is lost), and this child writes what
 * comes out of it.  It ends when the worker does.  Used by fence/main only,
 * before memory is locked and priority is raised. */

/* Starts it.  It appends to the file 'path', opened anew whenever that was
 * moved away, or without one (NULL) to the present standard error.  Returns 0
 * or a negative errno. */
int logger_start(const char *path);

#endif /* fence/logger.h */
