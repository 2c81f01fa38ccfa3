/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_RECORD_H
#define HA_REPLICA_RECORD_H 1

/* One record of a database's log, and the position that rides in it.
 *
 * A record is a line "OVSDB JSON LENGTH SHA1", then LENGTH bytes of JSON
 * (ovsdb(5)).  A record that a standby wrote for its source carries the
 * source's position as the first line of the transaction's comment:
 *
 *     ovn-ha:1 LINEAGE EPOCH.NODE SEQ CHAIN PREV
 *
 * with LINEAGE and CHAIN as 16 hexadecimal digits.  PREV is the sequence
 * number of the position before it in the same log, so that a record that is
 * missing in between is noticed; "-" says that the record is a difference,
 * after which the database is at that position whatever it held before.  "@N"
 * says that the file was installed as a whole: its first N bytes are a copy of
 * the source's log, whose records mean nothing by themselves, and behind them
 * the database is at that position.
 *
 * Used by the log follower, the sender and the receiver.  Pure: no I/O. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/types.h"

#define RECORD_SHA1_LEN 20
#define RECORD_HEX_LEN (2 * RECORD_SHA1_LEN + 1)
#define RECORD_HEADER_MAX 128         /* Longest header line. */
#define RECORD_BODY_MAX (2047u << 20) /* Longest body that we believe. */
#define RECORD_COMMENT_MAX 128        /* Longest position comment. */

struct record_header {
    uint32_t header_len;           /* Bytes of the line with its '\n'. */
    uint32_t body_len;             /* Bytes that follow it. */
    uint8_t sha1[RECORD_SHA1_LEN]; /* Of the body. */
};

/* Parses the header line that 'buf', of 'n' bytes, begins with.  Returns 0,
 * -EAGAIN if the line is not complete yet, or -EBADMSG. */
int record_parse_header(const char *buf, size_t n,
                        struct record_header *ret_header);

enum record_kind {
    RECORD_PLAIN,   /* No position in it. */
    RECORD_APPLIED, /* One record of the source. */
    RECORD_RESYNC,  /* A difference. */
    RECORD_INSTALL, /* None: the file's own beginning. */
};

struct record_comment {
    struct ha_pos pos; /* After this record. */
    uint64_t prev;     /* RECORD_APPLIED: 'seq' before it. */
    uint64_t end;      /* RECORD_INSTALL: where 'pos' holds. */
};

/* Formats the comment of a record of 'kind' (not RECORD_PLAIN).  The length of
 * that of RECORD_INSTALL does not depend on 'end'. */
void record_format_comment(enum record_kind kind,
                           const struct record_comment *comment,
                           char buf[RECORD_COMMENT_MAX]);

void record_format_sha1(const uint8_t sha1[RECORD_SHA1_LEN],
                        char hex[RECORD_HEX_LEN]);

/* Formats the header line of a record with 'body', of 'n' bytes. */
size_t record_format_header(const char *body, size_t n,
                            char buf[RECORD_HEADER_MAX]);

/* Looks for the position in the JSON text of a record. */
enum record_kind record_find_comment(const char *body, size_t n,
                                     struct record_comment *ret_comment);

/* True if the values of rows are differences to what was before. */
bool record_is_diff(const char *body, size_t n);

/* Finds the "_date" of a record: milliseconds since 1970, 0 if none. */
int64_t record_find_date(const char *body, size_t n);

/* The chain after a record with 'sha1' that follows 'prev'. */
uint64_t record_chain(uint64_t prev, const uint8_t sha1[RECORD_SHA1_LEN]);

/* The position after the record with 'sha1' that is made in 'epoch'. */
struct ha_pos record_next_pos(const struct ha_pos *pos, struct ha_epoch epoch,
                              const uint8_t sha1[RECORD_SHA1_LEN]);

#endif /* replica/record.h */
