/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_FOLLOW_H
#define CTL_FOLLOW_H 1

/* Who has what the active wrote, judged by ovn-had's status: this node, for
 * 'ovn-hactl backup', and the standbys, for 'restore'.
 *
 * How far a standby is behind, as status says it, is of no use for that: it is
 * counted from what the active's replica has read of its own log, and that may
 * be older than what was written just now.  So each standby's own position is
 * compared with the one that is asked for.  Pure. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A position in each database, NB's and SB's. */
struct follow_goal {
    struct {
        bool known;
        uint64_t seq;
        char lineage[17]; /* As status has it. */
    } db[2];
};

enum follow_state {
    FOLLOW_HAS,
    FOLLOW_BEHIND, /* It is about to have it. */
    FOLLOW_ASKS,   /* It waits for an operator's consent. */
    FOLLOW_AWAY,   /* It is here, and not connected to the active. */
    FOLLOW_ABSENT,
    FOLLOW_NO_STANDBY, /* It has no databases, or is the active itself. */
    FOLLOW_N,
};

/* The state of 'node', one of those of 'status'. */
enum follow_state follow_judge(const json_t *status, const json_t *node,
                               const struct follow_goal *);

/* Counts the nodes that are in each state. */
void follow_count(const json_t *status, const struct follow_goal *,
                  int ret_n[FOLLOW_N]);

/* What 'node' waits for an operator to run, such as "accept-shrink"; "" if it
 * waits for nothing. */
const char *follow_asks(const json_t *node);

/* Why this node's databases, as they are, may be old or another cluster's: the
 * rest of a sentence about the node.  Returns false, and "", if it is the
 * active, or follows it. */
bool follow_is_stale(const json_t *status, char *ret_why, size_t size);

/* How many records this node is behind, in NB or SB; -1: not known. */
json_int_t follow_own_lag(const json_t *status, int db);

#endif /* ctl/follow.h */
