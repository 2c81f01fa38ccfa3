/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EXPLORE_MODEL_H
#define TESTS_EXPLORE_MODEL_H 1

/* A cluster small enough to be searched as a whole.
 *
 * Exists because random seeds show what they happen to meet, and a search
 * shows that there is nothing to meet: explore.c takes every event at every
 * moment, up to a number of events.  The core and the lease are the daemon's
 * object files; around them is as little as makes sense of them.
 *
 * A model is one flat struct, so that a copy of it is a state.  Everything
 * goes on by itself and in one order (MODEL_RUN: the next message reaches its
 * members, or, when there is none, time passes by MODEL_TICK_US); whatever
 * else happens is an event that the search chooses.  Messages and local
 * answers take no time; what is slow is slow because of an event.
 *
 * model.c   nodes, messages, what happens as time passes
 * times.c   how old is old
 * fence.c   the fence worker
 * logs.c    databases and replica workers
 * events.c  what the search may choose
 * judge.c   what must never be
 * search.c  breadth first, with each state stored once
 * explore.c the searches of 'make check-sim', and their report */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fence/lease.h"
#include "ha/core/core.h"

#define MODEL_NODES 3
#define MODEL_TICK_US INT64_C(500000)
#define MODEL_LOG 16
#define MODEL_QUEUE 64
#define MODEL_INBOX 64
#define MODEL_PROPOSALS 12
#define MODEL_ASKED 8

/* The time at which each transition begins.  Times have these high bits, and
 * nothing else has: so they are found without a list of members. */
#define MODEL_NOW INT64_C(0x4a008000000000)
#define MODEL_IS_TIME(WORD) (((uint64_t) (WORD) >> 40) == 0x4a00)

/* An event for a core.  What can be read from the model when the core takes
 * it is not in here. */
struct mitem {
    uint8_t kind;  /* enum ha_event_type. */
    uint8_t node;  /* MSG: sender; PEER, FENCED: whom it is about; to whom. */
    uint8_t mask;  /* VIEW, QUORUM: members; PEER: database. */
    uint8_t flag;  /* FENCED: proven, vouched; QUORUM: quorate. */
    uint32_t what; /* MSG: its number; PROBED: token; CONSENT: request. */
};

struct mrole { /* A command to a replica worker. */
    uint32_t role;
    uint32_t token;
    uint32_t source;
    struct ha_epoch epoch;
    uint64_t lineage;
};

/* A record in a log: epoch.n << 16 | epoch.node << 12 | number. */
typedef uint32_t mrec_t;

struct mdb {
    uint64_t lineage;
    uint32_t n;
    mrec_t log[MODEL_LOG];
    struct ha_epoch owner; /* Epoch whose active writes here. */
    uint32_t life;
    struct mrole now;
    struct mrole next; /* While the worker hangs. */
    bool has_next;
    bool connected;
};

struct mfence {
    bool up;
    uint8_t slow;   /* Ticks that it hangs for. */
    bool dies;      /* It is killed then. */
    uint8_t sticky; /* Ticks for which the door takes long to close. */
    bool closing;
    bool answer; /* The core is owed an answer. */
    bool proven;
    bool pending; /* A support to be answered once closed. */
    uint8_t had_lost;
    uint8_t n_asked;
    uint64_t life;
    struct ha_epoch serve;
    struct ha_epoch support;
    struct lease_holder holder;
    struct lease_supporter supporter;
    struct {
        uint32_t type; /* enum ha_action_type. */
        uint32_t mask;
        struct ha_epoch epoch;
    } asked[MODEL_ASKED];
};

struct mnode {
    struct ha_core core;
    bool up;
    bool had;
    bool joined;
    bool ended;     /* Just now, not on purpose. */
    bool stopped;   /* On purpose. */
    uint8_t frozen; /* Ticks that ovn-had has not run for, plus 1. */
    bool disk_bad;
    bool mute; /* Replica workers. */
    bool server_down;
    bool unfit;
    bool wiped; /* Lost its disk, not readmitted yet. */
    bool asked; /* A fence device, */
    bool device_bad;
    bool has_durable;
    uint8_t ring; /* Members of corosync's membership. */
    uint8_t view; /* ... and of the group, as told. */
    uint8_t n_inbox;
    struct ha_durable durable;
    struct mitem inbox[MODEL_INBOX];
    struct mfence fence;
    bool door_open;
    struct ha_epoch door_epoch;
    mono_t kernel_until;
    struct mdb db[HA_N_DBS];
    struct ha_epoch promised; /* Highest epoch that it sent SUPPORT for. */
};

struct mentry { /* A message on its way. */
    uint32_t msg;
    uint8_t from;
    uint8_t to;
    uint8_t old; /* Sent before the membership broke. */
    uint8_t unused;
};

struct mproposal {
    struct ha_ballot ballot;
    uint32_t rev;
    uint32_t accepted; /* By whom, ever. */
    bool forced;
    struct ha_record record;
};

struct mshared {
    uint32_t events; /* Spent. */
    uint32_t next_rec;
    bool planned;              /* Nothing but what operators plan happened. */
    uint8_t comp[MODEL_NODES]; /* Who reaches whom. */
    uint8_t n_queue;
    uint8_t n_props;
    uint8_t n_acked[HA_N_DBS];
    struct mentry queue[MODEL_QUEUE];
    mrec_t acked[HA_N_DBS][MODEL_LOG];
    struct ha_epoch last_ack;
    struct mproposal chosen;
    struct mproposal props[MODEL_PROPOSALS];
};

/* Fixed for one search. */
struct mconfig {
    uint32_t n;
    bool pair_fence; /* no-quorum-policy = fence. */
    bool fine;       /* Events between any two messages. */
    struct ha_config core;
    struct ha_policy policy;
};

struct model {
    struct mnode node[MODEL_NODES];
    struct mshared s;
    /* Not part of the state. */
    const struct mconfig *cfg;
    mono_t now;
    void (*tell)(const struct model *, uint32_t id, const char *text);
    uint64_t (*edges)[HA_N_STATES]; /* Taken, by state. */
    uint64_t steps;
    bool failed;
    char violation[200];
};

enum mkind {
    MODEL_RUN,
    MODEL_POWER, /* 'way': what it sent last is lost, or not. */
    MODEL_BOOT,
    MODEL_WIPE,
    MODEL_CUT, /* 'way': whom messages under way reach. */
    MODEL_HEAL,
    MODEL_HAD_CRASH,
    MODEL_FENCE_CRASH,
    MODEL_FREEZE,
    MODEL_THAW,
    MODEL_SLOW, /* Fence worker; 'way': it is killed, or not. */
    MODEL_STICKY,
    MODEL_DISK_BAD,
    MODEL_DISK_OK,
    MODEL_MUTE,
    MODEL_UNMUTE,
    MODEL_SERVER_DOWN,
    MODEL_SERVER_UP,
    MODEL_UNFIT,
    MODEL_WRITE, /* 'way': by how many others it is held. */
    MODEL_SWITCH,
    MODEL_SHUTDOWN,
    MODEL_FORCE,
    MODEL_DEVICE_BAD,
    MODEL_DEVICE_OK,
    MODEL_VOUCH,
    MODEL_N_KINDS
};

struct mchoice {
    uint8_t kind; /* enum mkind. */
    uint8_t node;
    uint8_t way;
    uint8_t unused;
};

#define MODEL_MAX_CHOICES 128

#define FOR_EACH_MNODE(ND, M) \
    for (struct mnode *ND = (M)->node; ND < (M)->node + (M)->cfg->n; ND++)

static inline uint8_t
mbit(uint32_t id)
{
    return (uint8_t) (1u << (id - 1));
}

/* model.c */
void model_config(struct mconfig *, uint32_t n, bool pair_fence, bool fine);
void model_init(struct model *, const struct mconfig *);
/* Carries out the choice, and what follows from it at once. */
void model_apply(struct model *, struct mchoice);
uint32_t model_id(const struct model *, const struct mnode *);
/* True if ovn-had takes events there. */
bool model_had_runs(const struct mnode *);
/* True if packets of one reach the other. */
bool model_reaches(const struct model *, const struct mnode *,
                   const struct mnode *);
/* True if 'nd's membership has to change before it hears anything. */
bool model_stalled(const struct model *, const struct mnode *);
/* True if no message can reach anybody before time passes. */
bool model_idle(const struct model *);
/* Puts an event into the node's inbox. */
void model_post(struct model *, struct mnode *, struct mitem);
/* One line of the narration of node 'id'. */
void model_say(const struct model *, uint32_t id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void model_had_crash(struct model *, struct mnode *);
struct ha_set model_set(uint8_t mask);
const struct ha_msg *model_msg(uint32_t number);

/* times.c */
/* Rewrites times as if MODEL_NOW were now, and forgets how old what is old
 * is. */
void model_normalize(struct model *);

/* fence.c and logs.c: what a core has on its own node. */
void local_power_off(struct mnode *);
void local_fence_start(struct model *, struct mnode *);
void local_fence_crash(struct mnode *);
void local_fence_do(struct model *, struct mnode *, const struct ha_action *);
void local_fence_tick(struct model *);
void local_replica_command(struct model *, struct mnode *,
                           const struct ha_action *);
void local_replica_unmute(struct model *, struct mnode *);
void local_replica_tick(struct model *);
void local_workers_restart(struct mnode *);
bool local_lets_out(const struct model *, const struct mnode *);
struct ha_pos local_pos(const struct mdb *);
void local_facts(const struct mnode *, struct ha_local *);
void local_fence_facts(const struct mnode *, struct ha_fence *);
void local_peer_facts(struct model *, struct mnode *, uint32_t peer,
                      enum ha_db, struct ha_peer_db *);
/* Posts what the core does not know yet. */
void local_post(struct model *, struct mnode *);
/* A client's write at whoever serves, held by 'copies' others so far. */
void local_write(struct model *, uint32_t copies);

/* events.c */
uint32_t events_list(const struct model *, uint32_t kinds,
                     struct mchoice choices[MODEL_MAX_CHOICES]);
void events_apply(struct model *, struct mchoice);
const char *events_name(struct mchoice, char *buf, size_t size);

/* judge.c */
void judge_violation(struct model *, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void judge_step(struct model *, struct mnode *, enum ha_state before,
                const struct ha_actions *);
void judge_sent(struct model *, struct mnode *, const struct ha_msg *);
void judge_persisted(struct model *, struct mnode *);
void judge_takes(struct model *, struct mnode *, enum ha_db);
void judge_log_taken(struct model *, struct mnode *, enum ha_db);
void judge_cut(struct model *, struct mnode *, enum ha_db,
               const struct mdb *source, uint32_t keep);
void judge_accepts(struct model *, struct mnode *, enum ha_db);
void judge_acked(struct model *, struct mnode *, enum ha_db, mrec_t);
void judge_doors(struct model *);
/* For a state that stays as it is for ever. */
void judge_rest(struct model *);

#endif /* tests/explore/model.h */
