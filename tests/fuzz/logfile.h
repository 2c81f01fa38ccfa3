/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_LOGFILE_H
#define FUZZ_LOGFILE_H 1

/* A database's file in a folder of its own, for the targets that follow,
 * ship or load one.  The folder is in memory, and goes with the program. */

#include "tests/fuzz/fuzz.h"

/* The first record of each file that is made here. */
extern const char logfile_schema[];

/* The folder, and the path of 'name' in the folder.  Valid until the program
 * ends. */
const char *logfile_folder(void);
const char *logfile_path(const char *name);

/* Makes the file 'path' anew, with the schema in it unless 'empty'. */
void logfile_begin(const char *path, bool empty);

/* Appends to it: bytes, or a record of which they are the body. */
void logfile_append(const char *path, const void *data, size_t n);
void logfile_append_record(const char *path, const void *body, size_t n);

/* Writes the header line of a record to 'line', and returns its length. */
size_t logfile_header(const void *body, size_t n, char line[128]);

#endif /* tests/fuzz/logfile.h */
