/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_CORE_PRIVATE_H
#define HA_CORE_PRIVATE_H 1

/* What the files of ha/core/ share among themselves.  Nobody else includes
 * it. */

#include "ha/core/core.h"

/* Mirrors of enum wire_r_role_kind: the core knows no wire. */
enum { ROLE_IDLE, ROLE_FOLLOW, ROLE_ACTIVE };

/* core.c. */
struct ha_action *core_act(struct ha_actions *, enum ha_action_type);
struct ha_msg *core_send(struct ha_core *, struct ha_actions *,
                         enum ha_msg_type);
void core_tell(struct ha_actions *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct ha_peer *core_peer(struct ha_core *, uint32_t id);
/* 'id' as it described itself in this view; NULL: it is not here, or has not
 * done so yet. */
const struct ha_peer *core_heard(const struct ha_core *, uint32_t id);
/* True once 'us' have passed since 't'. */
bool core_past(const struct ha_core *, mono_t t, int64_t us);
/* 'us' of another clock, as it may be on this one. */
int64_t core_drifted(const struct ha_core *, int64_t us);
bool core_holds(const struct ha_status *, const struct ha_record *);

/* member.c: promises, accepts, supports. */
void member_view(struct ha_core *, struct ha_actions *);
void member_prepare(struct ha_core *, uint32_t from, const struct ha_msg *,
                    struct ha_actions *);
void member_accept(struct ha_core *, uint32_t from, const struct ha_msg *,
                   struct ha_actions *);
void member_support(struct ha_core *, uint32_t from, const struct ha_msg *,
                    struct ha_actions *);
void member_run(struct ha_core *, struct ha_actions *);
/* True while 'id', here, may alone hold acknowledged writes and says that it
 * cannot tell yet where its log ends: nobody may go on without them. */
bool member_owes(const struct ha_core *, uint32_t id);
/* True if the node with these facts could open its door again. */
bool member_could_serve(const struct ha_local *);
/* True if this node has to bring its own log to an end first, or to serve
 * again with it, before anybody can do without it. */
bool member_keeps_log(const struct ha_core *);
/* Emits a PERSIST if one is due.  Returns true if the step must end there. */
bool member_persist(struct ha_core *, struct ha_actions *);

/* coord.c: one member proposes. */
void coord_view(struct ha_core *);
void coord_state(struct ha_core *, uint32_t from, const struct ha_msg *);
void coord_request(struct ha_core *, uint32_t from, const struct ha_msg *,
                   struct ha_actions *);
void coord_run(struct ha_core *, struct ha_actions *);
/* Best candidate but 'not_id' (0: nobody is left out); 0 if there is none. */
uint32_t coord_best(const struct ha_core *, const struct ha_record *,
                    uint32_t not_id);
enum ha_why coord_why_not(const struct ha_core *, const struct ha_record *,
                          uint32_t id);
/* The same for a planned move. */
enum ha_why coord_why_not_move(const struct ha_core *,
                               const struct ha_record *, uint32_t id);
/* The same where an operator waives that the data are fresh. */
enum ha_why coord_why_not_forced(const struct ha_core *, uint32_t id);
/* To whom this node, the active, may hand over; 0: to nobody. */
uint32_t coord_heir(const struct ha_core *);
bool coord_better(const struct ha_core *, const struct ha_peer *,
                  const struct ha_peer *);

/* consent.c: what replicas ask operators for. */
bool consent_is_request(uint32_t request);
void consent_event(struct ha_core *, const struct ha_event *,
                   struct ha_actions *);
void consent_message(struct ha_core *, const struct ha_msg *,
                     struct ha_actions *);
void consent_tell(const struct ha_local *old, const struct ha_local *new,
                  struct ha_actions *);

/* force.c: the last resort. */
void force_event(struct ha_core *, const struct ha_event *,
                 struct ha_actions *);
void force_message(struct ha_core *, uint32_t from, const struct ha_msg *,
                   struct ha_actions *);
/* What the other node of a pair agreed on alone is not known here; it must not
 * stand above what this one goes on with, in ballots and epochs: the number to
 * go on with after 'n'.  If an operator let the other one go on before, it is
 * the later word that counts: they are told apart by the clock. */
uint32_t force_ahead(const struct ha_core *, uint32_t n);
/* The node that an operator let become active, whatever it lacks; 0: none. */
uint32_t force_node(const struct ha_core *);

/* pause.c: maintenance. */
/* True if this node's lease may be endless, or become so. */
bool pause_endless(const struct ha_core *);
/* True if 'p' is the active of 'rec', which is paused, and is here without its
 * data: it may have served long without anybody, and that is gone. */
bool pause_lost(const struct ha_record *rec, const struct ha_peer *p);
void pause_event(struct ha_core *, const struct ha_event *,
                 struct ha_actions *);
void pause_message(struct ha_core *, uint32_t from, const struct ha_msg *,
                   struct ha_actions *);
/* Tells the step of a pause that is in force now, and was not before. */
void pause_tell(const struct ha_record *old, const struct ha_record *new,
                struct ha_actions *);
/* True while roles stay as 'rec' has them. */
bool pause_holds(const struct ha_record *);
/* What keeps the others from replacing the active of 'rec', which is not here;
 * HA_WHY_NONE if nothing does. */
enum ha_why pause_bars(const struct ha_core *, const struct ha_record *);
/* Coordinator: the next step of a pause, from 'rec', which is in force, into
 * 'new'.  False if there is none. */
bool pause_next(struct ha_core *, const struct ha_record *rec,
                struct ha_record *new, struct ha_actions *);
/* Active: has its lease made endless, or ordinary again. */
void pause_run(struct ha_core *, struct ha_actions *);
/* The fence worker told how its lease is, or is gone. */
void pause_fence(struct ha_core *, struct ha_actions *);

/* verdict.c: proof that another node is dead. */
void verdict_view(struct ha_core *, const struct ha_set *old,
                  struct ha_actions *);
void verdict_heard(struct ha_core *, struct ha_peer *);
void verdict_told(struct ha_core *, uint32_t node);
/* An operator is the proof that the other node of a pair is off. */
void verdict_vouched(struct ha_core *, struct ha_actions *);
/* Quorum was lost, or is back. */
void verdict_quorum(struct ha_core *, struct ha_actions *);
void verdict_fenced(struct ha_core *, const struct ha_event *,
                    struct ha_actions *);
void verdict_run(struct ha_core *, struct ha_actions *);
/* True if this node serves, or was proven to be allowed to, and has all there
 * is. */
bool verdict_cleared(const struct ha_core *);
bool verdict_proven(const struct ha_core *, uint32_t id);
/* True if the other node of a pair that lives on proof is not here. */
bool verdict_apart(const struct ha_core *);
/* Then: true if this node's data may lack more than the stated loss. */
bool verdict_stale(const struct ha_core *);
/* Then, while no record is in force: what is waited for. */
enum ha_why verdict_missing(struct ha_core *);
/* What a record that is accepted now is to say of that. */
enum ha_alone verdict_alone(const struct ha_core *);
/* Votes that put a record in force, now. */
uint32_t verdict_votes(const struct ha_core *);

/* role.c: what this node does about it. */
void role_run(struct ha_core *, struct ha_actions *);
void role_set(struct ha_core *, struct ha_actions *, enum ha_state,
              enum ha_why);
void role_demote(struct ha_core *, struct ha_actions *, enum ha_why);

/* promote.c: the stages between being named and serving. */
void promote_run(struct ha_core *, struct ha_actions *);
void promote_active(struct ha_core *, struct ha_actions *);

/* replica.c: which role the replica workers ought to have. */
void replica_run(struct ha_core *, struct ha_actions *);
bool replica_in_role(const struct ha_core *, enum ha_db, uint32_t role,
                     struct ha_epoch);

#endif /* ha/core/core-private.h */
