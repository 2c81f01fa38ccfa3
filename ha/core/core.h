/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_CORE_H
#define HA_CORE_H 1

/* The pure core: who serves, who waits, and why.
 *
 * Exists so that every decision that could split the cluster or lose data is
 * made in one place which a simulator can run millions of times.  The
 * supervisor (ha/loop.c) and tests/sim feed it events through one door,
 * ha_step(), and execute the actions that come back.  It never blocks,
 * allocates, reads a clock, logs or fails; time arrives inside the event and
 * a failed action comes back as an event.
 *
 * How the cluster agrees (ha/core/member.c and coord.c): the record is one
 * register, agreed on by majority as in single-value Paxos, over cpg.  After
 * each change of the group one member, normally the lowest id, sends PREPARE
 * with a ballot; members promise it durably and answer with STATE; the
 * coordinator adopts the record of the highest accepted ballot, settles who
 * is active, and sends ACCEPT; members make it durable, stop the older epoch
 * and send SUPPORT, which is no vote where the disk refuses.  A record is in
 * force once a majority of the nodelist supports it.  What a node knows of the
 * others it knows only from messages that came back through cpg's agreed
 * order. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mono.h"
#include "lib/types.h"

#define HA_MAX_ACTIONS 24 /* Of one step; asserted. */
#define HA_TELL_LEN 480   /* One line of narration. */

/* A set of node ids, sorted. */
struct ha_set {
    uint32_t n;
    uint32_t id[HA_MAX_NODES];
};

/* Orders proposals.  {0, 0}: none. */
struct ha_ballot {
    uint32_t n;    /* Number. */
    uint32_t node; /* Its coordinator. */
};

/* Maintenance (pause.c): which roles stay, and what leases may be worth. */
enum ha_pause {
    HA_PAUSE_NONE,
    HA_PAUSE_ASKED, /* All members are to record it; leases are as ever. */
    HA_PAUSE_ON,    /* They have: roles stay, the active's lease is endless. */
    HA_PAUSE_ENDING, /* Roles may move again, on proof only: the lease of an
                      * active that is not here may still be endless. */
    HA_N_PAUSES
};

/* The cluster's small durable state. */
struct ha_record {
    uint64_t lineage; /* Of the database pair; 0: none began. */
    struct ha_epoch epoch;
    uint32_t active;        /* Node id; epoch.node in fact. */
    uint32_t paused;        /* enum ha_pause, */
    uint64_t paused_ms;     /* asked for then: ms since 1970; 0: not. */
    int64_t lease_us;       /* Lease that serves this epoch. */
    struct ha_set in_sync;  /* Replicas complete and connected. */
    struct ha_set suspects; /* May still serve an older epoch. */
};

/* Whether one node of a pair accepted a record without the other one. */
enum ha_alone {
    HA_ALONE_NO,
    HA_ALONE_PROVEN, /* On proof that the other one is dead. */
    HA_ALONE_FORCED, /* As the last resort: the other one may be alone, too. */
    HA_ALONE_LEFT,   /* On its word that it ends: it is not fenced for that. */
};

/* What a member must not forget.  Written by ACT_PERSIST. */
struct ha_durable {
    struct ha_ballot promised; /* Nothing below is accepted. */
    struct ha_ballot accepted; /* Ballot of 'record'; n == 0: no holder. */
    uint32_t rev;              /* Proposal within 'accepted'. */
    uint32_t alone;            /* enum ha_alone. */
    struct ha_record record;
};

/* States.  ha_states[] (states.c) holds edges and sentences. */
enum ha_state {
    HA_STARTING,  /* No agreed record in this life yet. */
    HA_ISOLATED,  /* No quorum here. */
    HA_STANDBY,   /* Another node is active. */
    HA_PROMOTING, /* Named active, not yet serving. */
    HA_ACTIVE,
    HA_DEMOTING, /* Closing the door. */
    HA_BLOCKED,  /* Quorum, but nobody can be promoted. */
    HA_N_STATES
};

/* Why something is not well.  ha_why_text() (states.c) has the sentences. */
enum ha_why {
    HA_WHY_NONE,
    HA_WHY_NO_GROUP, /* Not in the cpg group yet. */
    HA_WHY_NO_QUORUM,
    HA_WHY_AGREEING,          /* Exchange of records under way. */
    HA_WHY_HOLDERS,           /* Too few holders of the record here. */
    HA_WHY_BOOTSTRAP_MEMBERS, /* First start: not all members here. */
    HA_WHY_BOOTSTRAP_DATA,    /* First start: more than one has data. */
    HA_WHY_NOT_ELIGIBLE,      /* Nobody here may be promoted. */
    HA_WHY_GRACE,             /* Cold start: waiting for the old active. */
    HA_WHY_VERDICT,           /* Old active may still serve. */
    HA_WHY_LEASE,             /* Old lease runs out. */
    HA_WHY_TAIL,              /* Pulling the missing tail. */
    HA_WHY_LOG,               /* Replica worker takes over the log. */
    HA_WHY_DOOR,              /* Listeners not open yet. */
    HA_WHY_NORTHD,            /* NB change has not reached SB yet. */
    HA_WHY_DISK,              /* The record cannot be written. */
    HA_WHY_LINEAGE,           /* Replica is of another lineage. */
    HA_WHY_INCOMPLETE,        /* Replica not complete. */
    HA_WHY_NOT_IN_SYNC,       /* Not in the record's in-sync set. */
    HA_WHY_DATABASE,          /* An ovsdb-server does not answer. */
    HA_WHY_NOFAILOVER,        /* Configured never to be active. */
    HA_WHY_LEAVING,           /* Being shut down. */
    HA_WHY_RETRY,             /* Its last promotion failed. */
    HA_WHY_ABSENT,            /* Not in the group. */
    HA_WHY_REINIT,            /* Own data of another lineage. */
    HA_WHY_SHRINK,            /* Most of the rows would be gone. */
    HA_WHY_UNMET,             /* Pair: not together since the start. */
    HA_WHY_STALE,             /* Pair: apart for too long before the proof. */
    HA_WHY_NO_DEVICE,         /* Pair: nothing can fence the other. */
    HA_WHY_FENCE_DELAY,       /* Pair: the active has the first shot. */
    HA_WHY_FENCING,           /* Pair: under way. */
    HA_WHY_FENCE_FAILED,      /* Pair: no proof came of it. */
    HA_WHY_FENCE_LIMIT,       /* Pair: too often in a short time. */
    HA_WHY_ALIVE,             /* Vouched for a node that is here. */
    HA_WHY_OWES,              /* Planned move: old active's end of log. */
    HA_WHY_SERVED,            /* Nothing to force: somebody serves. */
    HA_WHY_UNDER_WAY,         /* Nothing to force: it goes by itself. */
    HA_WHY_LINEAGES,          /* Records of several lineages. */
    HA_WHY_PAUSED,            /* Maintenance: roles stay. */
    HA_WHY_ENDLESS,           /* Paused: no proof that the active is dead. */
    HA_WHY_PAUSE_STALE,       /* Paused: apart for too long before it. */
    HA_WHY_NOT_PAUSED,        /* Nothing to resume. */
    HA_WHY_RESUMING,          /* The pause ends already. */
    HA_WHY_UNSERVED,          /* Nothing to pause: nobody serves soundly. */
    HA_WHY_WITNESS,           /* Runs no databases. */
    HA_WHY_RECORD_FULL,       /* Who is to move could not write it. */
    HA_N_WHYS
};

/* Facts of this node, as the supervisor observes them.  Level-triggered:
 * EV_LOCAL brings the whole of it whenever something changed. */
struct ha_local_db {
    struct ha_pos pos;   /* Durable here. */
    uint32_t role;       /* enum wire_r_role_kind in force. */
    uint32_t role_token; /* Of the last role command carried out;
                                 * 0 after a restart of the worker. */
    struct ha_epoch role_epoch;
    uint32_t life;               /* Starts of the worker so far: a change
                                 * has the core send its role again.
                                 * 0: nothing is known of it yet. */
    bool complete;               /* A whole state of the lineage. */
    bool has_data;               /* More than a package's empty database. */
    bool server_ok;              /* Answers, or makes progress. */
    bool connected;              /* To the node that it follows. */
    uint32_t ask;                /* enum ha_ask: waits for an operator. */
    uint64_t ask_seq;            /* SHRINK: 'seq' after what was stopped, */
    uint64_t ask_rows, ask_lost; /* rows before it, and those of them that
                                  * would be gone. */
};

struct ha_local {
    struct ha_local_db db[HA_N_DBS];
    int32_t priority; /* Higher is preferred. */
    bool nofailover;
    bool unfit; /* Handing over serves clients sooner than
                                 * what is being mended here. */
    bool northd_ok;
    bool witness;         /* Has no databases: it only votes. */
    uint32_t aside_files; /* Copies of data that gave way here, */
    bool address_unfit;   /* The virtual IP cannot be had here: hand over, too;
                           * but the data are as well as ever. */
    bool low_disk;        /* The disk is about to fill: another node is
                           * preferred. */
    bool record_full;     /* There is no room for the record. */
    uint64_t aside_bytes; /* The room that the copies take. */
};

/* What the fence worker said last. */
struct ha_fence {
    bool connected;
    struct ha_epoch serve;
    struct ha_epoch support;
    bool open;              /* Clients can reach the databases. */
    bool closed;            /* Proven that they cannot. */
    bool endless;           /* Its lease under 'serve' is, */
    uint32_t endless_token; /* after the order of this number; 0: none. */
};

/* What a receiver (node) has acknowledged to this node's worker. */
struct ha_peer_db {
    bool connected;
    bool complete;
    struct ha_pos acked;
    struct ha_pos head; /* Own end of log at that time. */
    int64_t lag_us;
};

/* A node as it describes itself; part of STATE and STATUS messages. */
struct ha_status {
    uint32_t state;           /* enum ha_state. */
    uint32_t why;             /* enum ha_why. */
    struct ha_epoch hold;     /* Epoch that it serves or will serve. */
    struct ha_epoch ended;    /* Highest own epoch that it gave up. */
    struct ha_epoch supports; /* What its fence worker supports, if that is
                               * newer than its record. */
    bool log_ready;           /* Its replica workers are the source. */
    bool leaving;
    bool ever_active; /* An active was seen in this life. */
    bool open;        /* Its door is open; of one that leaves: or may be. */
    bool endless;     /* Its lease may be endless. */
    struct ha_local local;
};

enum ha_msg_type {
    HA_MSG_PREPARE = 1,
    HA_MSG_STATE,
    HA_MSG_ACCEPT,
    HA_MSG_SUPPORT,
    HA_MSG_STATUS,
    HA_MSG_REQUEST,
};

enum ha_request {
    HA_REQ_IN_SYNC = 1,   /* From the active: new in-sync set. */
    HA_REQ_SWITCH,        /* Move the active role to 'node'. */
    HA_REQ_SETTLED,       /* From the active: no suspect is left. */
    HA_REQ_REINIT,        /* Data of another lineage of 'node' may give way,
                           * or, where 'pos' names none, its record. */
    HA_REQ_ACCEPT_SHRINK, /* 'node' may lose most rows, up to 'pos'. */
    HA_REQ_FENCED,        /* To all: 'node' is proven to be off. */
    HA_REQ_FORCE,         /* To all: 'node' may be active, with data lost. */
    HA_REQ_PAUSE,         /* To all: roles are to stay, since 'paused_ms'. */
    HA_REQ_RESUME,        /* To all: they are to move again. */
};

/* One message of the group.  Sent as it is: all members are of one
 * architecture (checked by ha/group.c with version and size). */
struct ha_msg {
    uint32_t type; /* enum ha_msg_type. */
    uint32_t reserved;
    struct ha_ballot ballot;     /* PREPARE, STATE, ACCEPT, SUPPORT. */
    uint32_t rev;                /* ACCEPT, SUPPORT. */
    uint32_t request;            /* REQUEST: enum ha_request. */
    uint32_t node;               /* REQUEST: to or for whom. */
    struct ha_epoch epoch;       /* REQUEST: of the record it is about. */
    uint32_t why;                /* ACCEPT: calls a move off (enum ha_why). */
    bool elected;                /* ACCEPT: an epoch that begins with it. */
    bool planned;                /* ACCEPT: until then, the active serves. */
    bool refused;                /* STATE: promised higher. */
    bool owes;                   /* SUPPORT: 'pos' is not known yet, and it
                                  * alone may hold acknowledged writes. */
    bool stopped;                /* SUPPORT: serves no older epoch. */
    bool unsaved;                /* SUPPORT: no vote, as it cannot be kept. */
    int64_t promise_left_us;     /* SUPPORT: for older epochs. */
    struct ha_pos pos[HA_N_DBS]; /* SUPPORT: where it stopped; REQUEST. */
    struct ha_set set;           /* REQUEST IN_SYNC. */
    uint64_t paused_ms;          /* REQUEST PAUSE. */
    struct ha_durable durable;   /* STATE: what it holds; ACCEPT: record. */
    struct ha_status status;     /* STATE, SUPPORT, STATUS. */
};

enum ha_event_type {
    HA_EV_START,  /* First event of a life. */
    HA_EV_VIEW,   /* Members of the cpg group. */
    HA_EV_QUORUM, /* Corosync's quorum and membership. */
    HA_EV_MSG,
    HA_EV_LOCAL,
    HA_EV_FENCE,
    HA_EV_SUPPORTED, /* Fence worker carried out SUPPORT. */
    HA_EV_PEER,
    HA_EV_PROBED,
    HA_EV_PERSIST_FAILED, /* The PERSIST of the last step failed. */
    HA_EV_TICK,           /* Time passed: each 50 ms, and at 'wake'. */
    HA_EV_SWITCH,         /* Operator. */
    HA_EV_SHUTDOWN,       /* Hand over, then exit. */
    HA_EV_CONSENT,        /* Operator: REINIT or ACCEPT_SHRINK of 'to'. */
    HA_EV_POLICY,         /* Once, before the group is joined. */
    HA_EV_FENCED,         /* Fencing ended, or an operator vouches. */
    HA_EV_FORCE,          /* Operator: last resort, to 'to'. */
    HA_EV_PAUSE,          /* Operator: roles are to stay... */
    HA_EV_RESUME,         /* ...and to move again. */
};

/* How a node of a pair may go on without the other, and how old data may be
 * where only a proof ends the old active's time. */
struct ha_policy {
    bool fence;            /* By proof, instead of quorum, */
    bool quorum;           /* or by proof, and with quorum (a device's). */
    struct ha_set devices; /* Nodes that can be fenced from here. */
    int64_t delay_us;      /* Before one that is not active fences. */
    int64_t stale_us;      /* From the last contact to the proof. */
};

struct ha_event {
    enum ha_event_type type;
    mono_t now;
    uint64_t random; /* Fresh random bits (new lineages). */
    union {
        struct {
            bool has_durable;
            struct ha_durable durable;
        } start;
        struct {
            struct ha_set members;
        } view;
        struct {
            bool quorate;
            struct ha_set members;
        } quorum;
        struct {
            uint32_t from;
            struct ha_msg msg;
        } msg;
        struct ha_local local;
        struct ha_fence fence;
        struct {
            struct ha_epoch epoch;
            int64_t old_promise_left_us;
        } supported;
        struct {
            uint32_t node;
            enum ha_db db;
            struct ha_peer_db facts;
        } peer;
        struct {
            uint32_t token;
            int error;
        } probed;
        struct {
            uint32_t to;      /* 0: the best. */
            uint32_t request; /* CONSENT: enum ha_request. */
            uint64_t ms;      /* PAUSE, FORCE: now, since 1970. */
        } ctl;
        struct ha_policy policy;
        struct {
            uint32_t node;
            bool proven;  /* It is off. */
            bool vouched; /* An operator says so. */
        } fenced;
    };
};

/* In the order of their classes: all PERSIST, then all SEND, then all DO.
 *
 * A step with a PERSIST holds nothing else.  The executor carries it out and
 * at once, before any other event, feeds HA_EV_PERSIST_FAILED or, if the
 * record is safely on disk, a HA_EV_TICK; only that next step sends or does
 * what rests on the record. */
enum ha_action_type {
    HA_ACT_PERSIST = 1,   /* 'durable'. */
    HA_ACT_SEND,          /* 'msg'. */
    HA_ACT_FENCE_MEMBERS, /* 'set': whose beats are good. */
    HA_ACT_FENCE_SUPPORT, /* 'epoch'. */
    HA_ACT_FENCE_SERVE,   /* 'epoch'. */
    HA_ACT_FENCE_CLOSE,
    HA_ACT_REPLICA, /* 'replica': a role for one database. */
    HA_ACT_NORTHD,  /* 'run': resumed or paused. */
    HA_ACT_PROBE,   /* 'token': NB change to SB. */
    HA_ACT_REFUSED, /* An operator's request: see the telling. */
    HA_ACT_EXIT,
    HA_ACT_CONSENT,       /* 'consent': the replica may do what it asks for. */
    HA_ACT_FENCE_NODE,    /* 'node': answered by HA_EV_FENCED. */
    HA_ACT_FENCE_ENDLESS, /* 'endless': of what it serves. */
    HA_ACT_FORGET, /* The record is set aside; then ovn-had, and all that it
                    * runs, starts anew. */
};

struct ha_action {
    enum ha_action_type type;
    union {
        struct ha_durable durable;
        struct ha_msg msg;
        struct ha_set set;
        struct ha_epoch epoch;
        struct {
            enum ha_db db;
            uint32_t role; /* enum wire_r_role_kind. */
            uint32_t token;
            uint32_t source; /* Node id, for FOLLOW. */
            uint64_t lineage;
            struct ha_epoch epoch;
        } replica;
        struct {
            enum ha_db db;
            enum ha_ask ask;
            uint64_t until; /* 'seq' of the active. */
        } consent;
        struct {
            struct ha_epoch epoch;
            bool on;
            uint32_t token; /* Comes back in HA_EV_FENCE. */
        } endless;
        bool run;
        uint32_t token;
        uint32_t node;
        enum ha_why why;
    };
};

struct ha_actions {
    size_t n;
    struct ha_action a[HA_MAX_ACTIONS];
    char tell[HA_TELL_LEN]; /* "" if the step decided nothing. */
};

/* Fixed for one life. */
struct ha_config {
    uint32_t self;
    struct ha_set nodes; /* Members of the nodelist. */
    int64_t lease_us;
    int64_t drift_ppm;
    int64_t mute_us;      /* Patience with a mute member. */
    int64_t grace_us;     /* Cold start: wait for the old active. */
    int64_t tail_us;      /* Tail pull without progress. */
    int64_t open_us;      /* Opening the door. */
    int64_t retry_us;     /* Before a failed node is named again. */
    uint64_t lag_records; /* In sync: at most this far behind, */
    int64_t lag_us;       /* and nothing unacknowledged for longer. */
};

/* How it is known that a node's last life serves no more. */
enum ha_proof {
    HA_PROOF_NONE,
    HA_PROOF_WORD,   /* It left on purpose. */
    HA_PROOF_FENCED, /* A device confirmed that it is off. */
    HA_PROOF_OPERATOR,
};

#define HA_FENCE_TRIES 3 /* In 10 minutes: no fence loops. */

/* A fellow member, as seen through cpg. */
struct ha_peer {
    uint32_t id;
    bool heard; /* 'status' is of this view. */
    struct ha_status status;
    mono_t status_at;
    mono_t closing_at; /* When it last said that it closes its door. */
    mono_t left_at;    /* When it left the group. */
    mono_t failed_at;  /* Last promotion of it that failed. */
    bool failed;
    struct ha_peer_db recv[HA_N_DBS]; /* As a receiver of ours. */

    /* Answer to the PREPARE of this view. */
    bool answered;
    struct ha_durable held;

    /* Its SUPPORT for the proposal in hand. */
    bool supports;
    bool stopped;
    bool owes;
    struct ha_pos final_pos[HA_N_DBS];
    mono_t promise_end; /* Old promises of it are over. */

    /* verdict.c. */
    enum ha_proof proof; /* Void when it is back in the group. */
    mono_t proof_at;     /* When it came. */
    bool off;            /* A device has proven that its node, a member of
                          * the group at that time and since, is off. */
    bool met;            /* Heard in this life, with a record in force, */
    mono_t contact_at;   /* last then. */
    bool asked;          /* Fencing it is under way, */
    mono_t tried_at;     /* begun then; {0}: never. */
    mono_t tries[HA_FENCE_TRIES]; /* The newest first. */
};

/* Stage of a promotion, for 'why' and for deadlines. */
enum ha_stage {
    HA_STAGE_NONE,
    HA_STAGE_AGREE, /* Record not in force yet. */
    HA_STAGE_VERDICT,
    HA_STAGE_TAIL,
    HA_STAGE_LOG,
    HA_STAGE_DOOR,
    HA_STAGE_NORTHD,
};

/* Public so that status pages and the simulator can read it; only ha/core/
 * writes it. */
struct ha_core {
    struct ha_config cfg;
    mono_t now; /* Of the current event. */
    uint64_t random;
    mono_t started_at;
    struct ha_policy policy;

    /* Surroundings. */
    bool in_group;
    struct ha_set view; /* cpg group. */
    bool quorate;
    struct ha_set members; /* Corosync's membership. */
    mono_t view_at;
    struct ha_local local;
    struct ha_fence fence;
    struct ha_peer peers[HA_MAX_NODES]; /* By index in cfg.nodes. */

    /* Member. */
    struct ha_durable durable;
    bool dirty;                  /* 'durable' is not on disk yet, */
    bool disk_bad;               /* because writing it failed. */
    mono_t disk_at;              /* Last try. */
    bool owe_state;              /* PREPARE not answered yet, */
    struct ha_ballot owe_ballot; /* this one. */
    bool owe_refused;
    struct ha_record proposal; /* Of the last ACCEPT in this view. */
    struct ha_ballot prop_ballot;
    uint32_t prop_rev;
    bool proposed;               /* 'proposal' is set in this view. */
    bool spoken;                 /* Own SUPPORT for it was sent, */
    bool supported;              /* with a vote, */
    bool owed;                   /* without an end of log, */
    mono_t support_at;           /* then. */
    mono_t support_since;        /* When the last ACCEPT came. */
    struct ha_epoch fence_epoch; /* Fence worker supports it (proven), */
    mono_t fence_epoch_at;       /* since then. */
    struct ha_epoch stopped_epoch[HA_N_DBS]; /* Replica accepts nothing of
                                              * an epoch below. */
    mono_t own_promise_end;
    struct ha_record record; /* In force (last known). */
    bool in_force;           /* ... and confirmed in this view. */

    /* Coordinator of this view, if durable.promised.node is self. */
    uint32_t top_ballot; /* Highest ballot number seen. */
    bool collecting;
    mono_t collect_at;
    uint32_t n_turns;   /* Own PREPAREs in this view that led to nothing. */
    bool settled;       /* 'base' is what the holders know. */
    bool foreign;       /* The own record is of another lineage than that of
                         * most others: this node takes no part. */
    bool in_flight;     /* Own proposal not in force yet, */
    mono_t proposed_at; /* made then. */
    mono_t due_since;   /* An election is due, nobody proposes. */
    uint32_t coord_rev;
    struct ha_record base;
    enum ha_why coord_why; /* Why nothing can be proposed. */
    uint32_t forced;       /* Operator's last resort; 0: none. */
    uint32_t forced_at;    /* Asked for here then, in seconds since 1970. */
    bool switching;        /* Operator's wish under way, */
    uint32_t switch_to;    /* to whom. */
    bool req_in_sync;      /* The active asked for 'req_set', */
    struct ha_set req_set;
    bool req_settled;          /* or to forget the suspects; */
    struct ha_epoch req_epoch; /* of the record of this epoch. */
    bool req_pause;            /* An operator did, */
    uint64_t pause_ms;         /* then; */
    bool req_resume;           /* or for the end of it. */

    /* Role. */
    enum ha_state state;
    enum ha_why why;
    mono_t state_since;
    mono_t why_since;
    enum ha_stage stage;
    mono_t stage_since;
    struct ha_epoch named; /* Accepted record that names this node. */
    struct ha_epoch hold;  /* Being promoted or serving under it. */
    struct ha_epoch ended;
    bool handed; /* The role was taken from here as planned, and no log
                  * was begun since: what is missing may be only here. */
    bool ever_active;
    bool leaving;
    mono_t leaving_since;
    bool exited;

    /* Last commands, so that level-triggered rules issue each once. */
    struct {
        bool sent;
        uint32_t role;
        uint32_t token;
        uint32_t source;
        uint32_t life;
        struct ha_epoch epoch;
    } rep[HA_N_DBS];
    uint32_t next_token;
    struct ha_epoch serve_sent;
    struct ha_epoch support_sent;
    struct ha_set fence_members; /* Last sent. */
    bool fence_members_sent;
    bool northd_run;
    bool northd_sent;
    uint32_t probe_token;    /* 0: none under way. */
    struct ha_epoch cleared; /* Verdict and tail are done for it. */
    uint64_t tail_seen;      /* Progress of a tail pull. */
    mono_t tail_at;
    mono_t asked_at; /* Last request to the coordinator. */
    mono_t ended_at;

    /* pause.c. */
    struct ha_epoch endless; /* This node's lease under it may be endless. */
    bool endless_left; /* Or become so by what the ovn-had before ordered. */
    struct {
        bool sent;
        bool on;
        uint32_t token;
        struct ha_epoch epoch;
    } endless_order; /* Last one to the fence worker. */

    mono_t wake; /* When a tick is wanted; MONO_NEVER. */

    /* Status told. */
    struct ha_status told;
    mono_t told_at;
};

/* Sets up 'c' for a node's life; no event seen yet. */
void ha_core_init(struct ha_core *c, const struct ha_config *cfg);

/* The one door: takes one event, fills 'out' (all of it). */
void ha_step(struct ha_core *c, const struct ha_event *ev,
             struct ha_actions *out);

/* This node's status as it would tell it now. */
void ha_core_status(const struct ha_core *c, struct ha_status *ret_status);

/* What is known of node 'id'; NULL: it is not in the nodelist. */
const struct ha_peer *ha_core_peer(const struct ha_core *c, uint32_t id);

/* Why 'id' may not be promoted by itself; HA_WHY_NONE if it may. */
enum ha_why ha_core_why_not(const struct ha_core *c, uint32_t id);

/* The node that a switchover without a name would move the active role to; 0:
 * none. */
uint32_t ha_core_heir(const struct ha_core *c);
/* True if 'id' takes no part because of a record of another lineage, which an
 * operator may have set aside (consent.c). */
bool ha_core_may_forget(const struct ha_core *c, uint32_t id);
/* The last resort (force.c): who would lack the least; 0: nobody may.  And why
 * there is no need for it, or 'to' cannot be; HA_WHY_NONE if it may. */
uint32_t ha_core_force_best(const struct ha_core *c);
enum ha_why ha_core_force_why_not(struct ha_core *c, uint32_t to);
/* True if this node has quorum, or needs none to serve (a pair that lives on
 * proof). */
bool ha_core_may_act(const struct ha_core *c);
/* True if this node serves on whatever becomes of corosync: paused. */
bool ha_core_goes_on(const struct ha_core *c);
/* Why the cluster cannot be paused, and for one node's sake if that is
 * '*ret_node' (else 0); HA_WHY_NONE if it can. */
enum ha_why ha_core_pause_why_not(const struct ha_core *c, uint32_t *ret_node);
/* What a promotion waits for because of a pause: HA_WHY_PAUSED, what is missing
 * about an active that is not here, or HA_WHY_NONE. */
enum ha_why ha_core_pause_waits(const struct ha_core *c);

/* Votes that put a record in force. */
uint32_t ha_majority(const struct ha_config *cfg);

/* states.c. */
struct ha_state_row {
    const char *name;     /* "standby" */
    uint32_t next;        /* Bit per state that may follow. */
    const char *sentence; /* For logs and doc/STATES.md. */
};
extern const struct ha_state_row ha_states[HA_N_STATES];
const char *ha_state_name(uint32_t state);
const char *ha_why_code(uint32_t why);
const char *ha_why_text(uint32_t why);
/* What would end it: "it ends when ...". */
const char *ha_why_ends(uint32_t why);

/* record.c. */
int ha_ballot_cmp(struct ha_ballot a, struct ha_ballot b);

/* set.c. */
bool ha_set_has(const struct ha_set *s, uint32_t id);
void ha_set_add(struct ha_set *s, uint32_t id);
void ha_set_del(struct ha_set *s, uint32_t id);
bool ha_set_equal(const struct ha_set *a, const struct ha_set *b);
/* "1 2 3" into 'buf'; returns 'buf'. */
const char *ha_set_print(const struct ha_set *s, char *buf, size_t size);

#endif /* ha/core/core.h */
