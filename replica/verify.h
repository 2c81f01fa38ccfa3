/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_VERIFY_H
#define HA_REPLICA_VERIFY_H 1

/* The receiver's part in a verification: whether the own file holds what the
 * source's holds at the same position.
 *
 * What the receiver applied it checked record by record; this finds what that
 * cannot: a file that was edited while its server was down, a worker's or a
 * server's memory that went bad, an error in the replication itself.  Both
 * sides read their files (replica/verifier.h), the own end of the log being
 * the position; tables are compared by digest, then rows, then columns.
 *
 * Used by the receiver, while it streams.  The outcome is the receiver's to
 * act upon.  Never talks to an ovsdb-server. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/wire.h"

struct link;
struct link_frame;
struct oplog;
struct verify;

struct verify *verify_create(void);
void verify_destroy(struct verify *);

/* One is asked for; 0 as 'token': by the receiver itself. */
void verify_want(struct verify *, uint32_t token);

/* True if one is asked for, or under way. */
bool verify_is_wanted(const struct verify *);

/* Ends what is asked for or under way, for the reason 'why'. */
void verify_fail(struct verify *, const char *why);

/* Goes on, with the 'link' to the source 'node' on which records stream.
 * Returns WIRE_RV_EQUAL or WIRE_RV_DIFFERS once when it ends so, otherwise
 * WIRE_RV_NONE. */
enum wire_r_verify_state verify_run(struct verify *, struct oplog *,
                                    struct link *, uint32_t node);
void verify_wait(struct verify *);

/* Takes a FRAME_VERIFY_TEXT. */
void verify_take(struct verify *, const struct link_frame *);

/* Of what ended last: who asked, and for WIRE_RV_DIFFERS a sentence. */
uint32_t verify_token(const struct verify *);
void verify_describe(const struct verify *, char why[WIRE_WHY_LEN]);

/* What the supervisor is to be told next; the differences first.  Returns 0
 * if there is nothing, or the type of message. */
enum wire_type verify_take_report(struct verify *,
                                  struct wire_r_verification *,
                                  struct wire_r_difference *);

#endif /* replica/verify.h */
