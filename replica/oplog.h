/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_OPLOG_H
#define HA_REPLICA_OPLOG_H 1

/* The own database's log: follows its file and knows the exact position.
 *
 * ovsdb-server appends to the file; compaction, conversion and a restore put
 * another file in its place.  Each such file is a generation.  The follower
 * checks every record's SHA-1 once, counts, and keeps a sparse index, so that
 * any position that the file still holds is found again.  A hard link beside
 * the file (FILE.ovn-ha) keeps the generation that the position file speaks
 * of, in case that it is replaced while the worker is down.
 *
 * The sender reads records through cursors, the shadow loads the file.  The
 * follower itself never interprets a record beyond its position, and never
 * writes to the database's file.
 *
 * ovsdb-server reads its file up to the first record that is not whole, and
 * serves what came before.  So does the follower, from the first byte on, and
 * so both hold the same; if more was there once, it says so. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/types.h"
#include "replica/points.h"
#include "replica/record.h"

#define OPLOG_WHY_LEN 160

/* The position at a place of the file, and how to count from there. */
struct oplog_mark {
    uint64_t off;
    struct ha_pos pos;
    enum points_mode mode;
    struct ha_epoch epoch;
};

/* One file.  Kept while a cursor needs it. */
struct oplog_gen {
    int refs;
    int fd;
    uint64_t dev, ino;
    struct oplog_mark *marks; /* By rising offset; the first is where
                                 * positions are known from. */
    size_t n_marks, allocated_marks;
    size_t first_mark;     /* Those before are of no use for finding. */
    uint64_t end;          /* Behind the last whole record. */
    uint64_t synced;       /* Up to here it is durable. */
    bool damaged;          /* It held more than 'end' when it was replaced. */
    struct ha_pos end_pos; /* At 'end'. */
    uint8_t schema[DIGEST_SHA256_LEN]; /* Of its sorted schema. */
    char *schema_text;                 /* First record, sorted. */
    struct oplog_gen *next; /* Took its place, at the same position; this
                                 * generation is complete then. */
};

enum oplog_state {
    OPLOG_ABSENT, /* No file. */
    OPLOG_SCANNING,
    OPLOG_READY, /* Was at the end of the file at least once. */
};

struct oplog {
    char *path, *link_path, *points_path;
    int inotify;
    enum oplog_state state;
    struct oplog_gen *gen;     /* Current. */
    struct oplog_gen *prev;    /* The one before, for receivers behind. */
    long long int prev_until;  /* When 'prev' is given up. */
    struct points points;      /* Of 'gen'. */
    enum points_mode mode;     /* Of what comes at the end. */
    enum points_mode was_mode; /* ... of 'prev', when it was replaced. */
    struct ha_epoch epoch;     /* POINTS_ACTIVE: of what comes. */
    struct ha_pos durable;     /* Of what was synced last. */
    uint64_t n_records;        /* In 'gen', the schema included. */
    uint64_t skip; /* Up to here, records are checked, not counted. */
    struct ha_pos installed; /* Holds at 'skip' of a file that was installed
                              * as a whole. */
    bool damaged;            /* More was in the file than can be read. */
    struct ha_pos lost; /* Where the log was when its position was lost. */
    struct ha_epoch lost_epoch; /* ... and the last one of its records. */
    struct successor *check; /* Whether the content of the current generation
                              * is that of the last; NULL: no question. */
    bool want_point;         /* A point is to be noted at the end. */
    unsigned int since_mark; /* Records since the last mark. */

    uint64_t last_off; /* Start of the last record. */
    uint8_t last_sha1[RECORD_SHA1_LEN];

    unsigned int n_foreign; /* Records that this worker did not write,
                                 * since the last difference. */
    uint64_t foreign_chain; /* Over them. */
    char foreign_why[OPLOG_WHY_LEN];

    struct digest *digest; /* Of the record that is being read. */
    char *body;            /* ... what is there of it. */
    struct record_header header;
    uint64_t body_have;
    bool in_record;
    bool keep_body; /* It is interpreted, so all of it is needed. */

    long long int trouble_since; /* The end does not parse; 0: it does. */
    char why[OPLOG_WHY_LEN];     /* What is wrong with the file; "". */
};

/* 'path' is the database's file, 'points_path' the position file. */
struct oplog *oplog_create(const char *path, const char *points_path);
void oplog_destroy(struct oplog *);

/* Reads on, at most about 'budget' bytes.  Returns true if there is more. */
bool oplog_run(struct oplog *, size_t budget);
void oplog_wait(struct oplog *, bool more);

/* Reads to the end of the file now.  Returns 0, or -EAGAIN if there is no
 * file. */
int oplog_catch_up(struct oplog *);

/* True if 'dev' and 'ino' are of the file that is being read. */
bool oplog_is_file(const struct oplog *, uint64_t dev, uint64_t ino);

/* What is wrong with the file, or "". */
const char *oplog_why(const struct oplog *);

/* Makes everything up to the end durable.  Returns 0 or a negative errno. */
int oplog_sync(struct oplog *);

/* From the end on clients write, in 'epoch'; the end is at 'base'.  Durable
 * on return.  Returns 0 or a negative errno. */
int oplog_begin_active(struct oplog *, const struct ha_pos *base,
                       struct ha_epoch epoch);

/* From the end on only this worker writes.  Durable on return. */
int oplog_begin_follow(struct oplog *);

/* The end is at 'pos', whatever was believed before, and from there on only
 * this worker writes.  Durable on return. */
int oplog_set_pos(struct oplog *, const struct ha_pos *pos);

/* Where a record of the log begins, and its position. */
struct oplog_cursor {
    struct oplog_gen *gen; /* Referenced; NULL: unused. */
    uint64_t off;
    struct ha_pos pos; /* At 'off'. */
    size_t mark;       /* Last mark at or before 'off'. */
};

struct oplog_record {
    char *body; /* malloc()ed, not terminated. */
    size_t n;
    uint8_t sha1[RECORD_SHA1_LEN];
    struct ha_pos pos; /* After it. */
    bool relayed;      /* Written by this worker: SHA-1 and chain are
                                 * not of the same text. */
    bool counted;      /* False: it has no position of its own. */
};

enum oplog_found {
    OPLOG_FOUND,
    OPLOG_NONE, /* One side has no position. */
    OPLOG_OTHER_LINEAGE,
    OPLOG_OLDER,   /* Before what the log holds. */
    OPLOG_BEYOND,  /* After its end. */
    OPLOG_DIFFERS, /* Another record at the same place. */
};

/* Finds the place at which 'pos' holds. */
enum oplog_found oplog_find(struct oplog *, const struct ha_pos *pos,
                            struct oplog_cursor *);

/* The last position of the log that another log, which is at 'pos', may hold,
 * too.  Returns false if the log does not reach back that far. */
bool oplog_find_fork(struct oplog *, const struct ha_pos *pos,
                     struct ha_pos *ret_pos);

/* A cursor at the end of the log. */
void oplog_cursor_end(struct oplog *, struct oplog_cursor *);

/* Reads the record at the cursor and steps behind it, at most to 'limit' of
 * the file.  Returns 1 with a record, 0 at the end, or a negative errno. */
int oplog_cursor_next(struct oplog_cursor *, uint64_t limit,
                      struct oplog_record *ret_record);

/* At the end of a generation that has a successor, steps over to it.  Returns
 * true if it did. */
bool oplog_cursor_step(struct oplog_cursor *);

void oplog_cursor_close(struct oplog_cursor *);
struct oplog_gen *oplog_gen_ref(struct oplog_gen *);
void oplog_gen_unref(struct oplog_gen *);

/* Reads one record at 'off' of 'fd' with its body (NUL behind it), and checks
 * its SHA-1.  Returns 1, 0 if it is not there (yet), or a negative errno. */
int oplog_read_record(int fd, uint64_t off, struct record_header *,
                      char **ret_body);

#endif /* replica/oplog.h */
