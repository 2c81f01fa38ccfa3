/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_ANSWER_H
#define HA_REPLICA_ANSWER_H 1

/* The sender's part in a verification: finds the receiver's position in the
 * own log and has a verifier answer questions about the content there.
 *
 * Used by the sender, which has at most one at a time: each takes as much
 * memory as the database's server. */

#include <stdbool.h>
#include <stdint.h>

struct answer;
struct link;
struct link_frame;
struct oplog;

/* Takes a FRAME_VERIFY.  Returns NULL if it was refused, which the receiver
 * was told. */
struct answer *answer_create(struct oplog *, struct link *,
                             const struct link_frame *, bool busy);
void answer_destroy(struct answer *);

/* Takes a FRAME_VERIFY_TEXT. */
void answer_take(struct answer *, const struct link_frame *);

/* Passes on what the verifier says.  Returns false once it has ended. */
bool answer_run(struct answer *, struct link *);
void answer_wait(struct answer *, struct link *);

#endif /* replica/answer.h */
