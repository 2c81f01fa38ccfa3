/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_MANIFEST_H
#define HA_REPLICA_MANIFEST_H 1

/* What a backup says of itself: backup.json, beside its two files.
 *
 * Written by backup.c as the last thing of all; read by restore.c, which
 * believes no file whose length and SHA-256 are not as it says. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/types.h"

struct oplog;

#define MANIFEST_SHA256_HEX 65
#define MANIFEST_TEXT 64

struct manifest {
    char time[MANIFEST_TEXT]; /* "2026-11-27T12:00:00Z". */
    char host[MANIFEST_TEXT];
    int in_sync; /* The host was the active, or followed it; -1: who knows. */
    struct {
        uint64_t bytes;
        char sha256[MANIFEST_SHA256_HEX];
        struct ha_pos pos; /* Lineage 0: not known. */
        int64_t lag;       /* Records behind the active; -1: not known. */
    } db[HA_N_DBS];
};

/* Now, and here. */
void manifest_init(struct manifest *);

/* The file of a database in 'folder'; the caller frees it. */
char *manifest_path(const char *folder, enum ha_db);

/* Fills in what 'log', of a copy, holds.  The same as all below: returns false
 * after a line of error. */
bool manifest_set(struct manifest *, enum ha_db, const struct oplog *log);

bool manifest_write(const struct manifest *, const char *folder);

void manifest_remove(const char *folder);

/* Reads it, and compares the files with it. */
bool manifest_read(struct manifest *, const char *folder);

/* Tells it in some lines. */
void manifest_print(const struct manifest *, const char *folder);

#endif /* replica/manifest.h */
