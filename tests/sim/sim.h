/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H 1

/* The whole cluster in one process, deterministic from a seed.
 *
 * Exists to find split brain and lost writes before users do: it runs the
 * daemon's own object files (ha/core, fence/lease) on a modelled corosync,
 * network, disk, fence worker, replica worker and databases, breaks all of
 * them at random, and asserts DESIGN.md's invariants after every step.
 *
 * world.c   time, queue of events, random numbers, narration
 * net.c     who reaches whom
 * group.c   corosync: membership, quorum, agreed order
 * node.c    machines, and the supervisor's loop around the core
 * door.c    the fence worker
 * bmc.c     fence devices
 * replica.c databases' logs and the workers that ship them
 * clients.c writers with a ledger; northd
 * oracle.c  the invariants
 * faults.c  what breaks, at random
 * script.c  stories
 *
 * Times are microseconds of a god's clock; only what a node itself sees is
 * in its own, drifting, mono_t. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fence/fencing.h"
#include "fence/lease.h"
#include "ha/core/core.h"
#include "lib/wire.h"

#define MS INT64_C(1000)
#define SEC INT64_C(1000000)
#define LINE_LEN 600
#define KEEP_LINES 60 /* Of narration, for a violation's report. */

typedef uint32_t mask_t; /* Set of nodes: bit (id - 1). */

struct world;
struct node;

/* What happens at some time.  'arg' mostly says to which life of a process
 * it belongs, so that it is void after a restart. */
typedef void sim_fn(struct world *, struct node *, uint64_t arg, void *ptr);

struct sim_event {
    int64_t at;
    uint64_t seq; /* First come, first served. */
    sim_fn *fn;
    struct node *node;
    uint64_t arg;
    void *ptr; /* Of the world's arena, or NULL. */
};

/* ---- group.c -------------------------------------------------------- */

enum gmsg_kind { G_MSG, G_JOIN, G_LEAVE };

struct gmsg {
    struct gmsg *next; /* In a queue of unordered messages. */
    enum gmsg_kind kind;
    uint32_t from;
    uint64_t life; /* Of the process that joined. */
    struct ha_msg msg;
};

/* One configuration of corosync and the messages agreed on in it. */
struct ring {
    struct ring *next;
    mask_t members;
    bool stalled; /* The token is lost. */
    struct gmsg **log;
    size_t n;
    size_t allocated;
};

/* A callback under way from corosync to ovn-had. */
struct upcall {
    struct upcall *next;
    uint64_t life; /* Of ovn-had, */
    uint64_t run;  /* and of corosync. */
    struct ha_event ev;
};

struct corosync {
    bool up;
    bool frozen;
    struct ring *ring; /* NULL: none formed yet. */
    bool saw_all;      /* Since it started: for wait_for_all. */
    size_t have;       /* Messages of 'ring' received. */
    size_t delivered;  /* ... passed up. */
    bool deaf;         /* Lost one: gets no more of this ring. */
    struct gmsg *unordered;
    struct gmsg **unordered_tail;
    mask_t joined;   /* Members of the cpg group. */
    bool app_joined; /* Own process is one. */
    uint64_t app_life;
    int64_t cpg_last; /* Time of the latest upcall under way. */
    int64_t quorum_last;
    struct upcall *held; /* While frozen. */
    struct upcall **held_tail;
};

struct forming {
    mask_t members;
    int64_t at;
};

/* ---- node.c --------------------------------------------------------- */

struct disk {
    bool has_durable;
    bool other_life; /* The record is of another cluster. */
    struct ha_durable durable;
    int64_t fails_until;
    int64_t slow_until;
};

struct had {
    bool alive;
    bool frozen;
    bool leaving; /* Told to shut down. */
    uint64_t life;
    struct ha_core core;
    struct ha_event *inbox; /* Ring buffer. */
    size_t head;
    size_t n;
    size_t allocated;
    bool tick_queued;
    int64_t busy_until; /* Slow loop. */
    int64_t wake_at;    /* Tick that the core asked for. */
    struct ha_actions acts;
    size_t next_act; /* == acts.n: none in hand. */
    bool persisting;
    bool persist_done;
    bool persist_failed;
    unsigned crash_in; /* Crash before that many more actions. */
    bool crash_is_power;
    struct ha_set members; /* Last FENCE_MEMBERS. */
    bool members_set;
    struct ha_local last_local;
    bool local_posted;
    enum ha_state last_state;
    struct ha_fence last_fence;
};

/* ---- door.c --------------------------------------------------------- */

enum fence_cmd {
    F_MEMBERS,
    F_SUPPORT,
    F_SERVE,
    F_CLOSE,
    F_ENDLESS,
    F_BEAT,
    F_ACK
};

struct fence_item {
    struct fence_item *next;
    enum fence_cmd cmd;
    uint32_t from;
    uint64_t had_life;
    struct ha_epoch epoch;
    bool on; /* ENDLESS. */
    uint32_t token;
    struct ha_set set;
    struct lease_beat beat;
};

struct fence {
    bool alive;
    bool frozen;
    uint64_t life;
    bool had_connected;
    int64_t had_lost_at;
    int64_t frozen_at;
    int64_t heard_at; /* Sign of life of ovn-had. */
    bool answer_due;
    struct lease_holder holder;
    struct lease_supporter supporter;
    struct ha_epoch serve;
    enum wire_door door;
    bool proven;          /* Has closed everything since its start. */
    bool support_pending; /* To be answered when closed. */
    struct ha_epoch support_epoch;
    uint32_t endless_token;
    uint64_t door_seq; /* Of opening or closing under way. */
    bool lease_timer;
    struct fence_item *queue; /* While frozen. */
    struct fence_item **queue_tail;
    unsigned queue_n;
};

/* ---- watchdog.c ----------------------------------------------------- */

void watchdog_feed(struct world *, struct node *);
void watchdog_disarm(struct node *);

/* ---- bmc.c ---------------------------------------------------------- */

enum bmc_mode { BMC_WORKS, BMC_FAILS, BMC_HANGS, BMC_LIES };

struct bmc { /* By which a node fences the other one. */
    struct fencing fencing;
    uint64_t life; /* Of the process that runs agents. */
    enum bmc_mode mode;
    bool lied; /* It said off, and did nothing. */
    bool asked;
    uint32_t token;
    uint64_t victim_boot; /* When it was asked. */
};

/* ---- replica.c ------------------------------------------------------ */

struct rec {
    struct ha_epoch epoch;
    uint64_t id; /* Unique; base records have BASE_BIT. */
    uint64_t chain;
    int64_t at; /* When the active made it. */
};

#define BASE_BIT (UINT64_C(1) << 63)

struct peer_seen { /* A receiver, as its source sees it. */
    bool known;
    bool connected;
    bool complete;
    int64_t contact_at;
    struct ha_pos acked;
    struct ha_peer_db told;
};

struct db {
    /* On disk.  Record i has sequence number i + 1. */
    uint64_t lineage;
    bool data_before; /* Had rows before the lineage began. */
    struct rec *log;
    size_t n;
    size_t synced;
    size_t allocated;
    size_t base;      /* Records before it are in no file any more; */
    size_t compact;   /* the last compaction left those before it in the file
                     * that a hard link keeps. */
    size_t set_aside; /* Records put away as diverged. */
    bool wiped;       /* Lost it all, not complete again yet. */

    bool server_up;
    struct ha_epoch owner; /* Epoch whose active writes here now. */

    /* The worker. */
    bool worker_up;
    bool mute; /* It hangs; what it said last stands. */
    struct ha_local_db told;
    uint64_t life;
    uint32_t role;
    uint32_t token;
    struct ha_epoch role_epoch;
    uint64_t role_lineage;
    uint32_t source;
    bool connected;
    int64_t contact_at;
    int64_t snapshot_until; /* 0: none under way. */
    bool changing;          /* A role command is being carried out. */
    uint64_t change_seq;
    uint64_t sent_seq;
    struct peer_seen peers[HA_MAX_NODES];
};

/* ---- a node --------------------------------------------------------- */

struct node {
    uint32_t id;
    bool up;      /* Powered and booted. */
    bool frozen;  /* The whole machine. */
    bool stopped; /* Shut down by an operator. */
    bool wiped;   /* Disk lost, not readmitted yet. */
    bool nofailover;
    bool witness;       /* Has no databases. */
    bool unfit;         /* Its supervisor would rather hand over, */
    bool address_unfit; /* ... as the virtual IP cannot be had, */
    bool low_disk;      /* ... as its disk fills. */
    int32_t priority;
    uint64_t boot;
    uint64_t coro_run; /* Of its corosync, of all boots. */
    int64_t clock_off;
    int64_t frozen_at;
    int64_t drift_ppb;
    struct disk disk;
    struct corosync coro;
    struct had had;
    struct fence fence;
    struct bmc bmc;

    /* What clients reach; outlives the fence worker. */
    bool door_open;
    struct ha_epoch door_epoch;
    int64_t kernel_until;     /* Own clock: packets leave until then. */
    int64_t door_stuck_until; /* A server that is killed does not end. */
    int64_t watchdog_bites;   /* Own clock; 0: it is not armed. */
    bool watchdog_ticks;      /* It is looked at then. */

    struct db db[HA_N_DBS];
    struct {
        bool alive;
        bool want_run;
        bool running;
        uint64_t life;
    } northd;

    struct ha_epoch promised; /* Highest epoch it sent SUPPORT for. */
    /* SUPPORTs that this node's core has seen for 'sup_epoch'. */
    struct ha_epoch sup_epoch;
    mask_t sup_from;
    struct ha_pos sup_pos[HA_MAX_NODES][HA_N_DBS];
};

/* ---- oracle.c ------------------------------------------------------- */

struct ledger_entry {
    uint64_t seq;
    uint64_t id;
    int64_t at;
    bool lost;
    bool given_up; /* By a node of which the last resort knew nothing. */
};

struct ledger {
    struct ledger_entry *e;
    size_t n;
    size_t allocated;
};

/* A record somebody proposed. */
struct proposal {
    struct ha_ballot ballot;
    uint32_t rev;
    struct ha_record record;
    mask_t accepted; /* By whom, ever. */
    bool eligible;   /* Its active was in sync, */
    bool forced;     /* or an operator let it. */
    bool planned;    /* Until then, the active serves. */
};

struct oracle {
    struct ledger ledger[HA_N_DBS];
    bool begun[HA_N_DBS]; /* The lineage has a first record. */
    size_t lost;          /* Acknowledged writes that failovers lost. */
    struct ha_epoch last_ack;
    struct ha_epoch resort; /* Begun by one of a pair alone, as an operator
                             * wanted; none: {0, 0}. */
    bool two_lines; /* ... and the other one goes on where it was, until
                             * they meet. */
    struct proposal *props;
    size_t n_props;
    size_t props_allocated;
    struct proposal chosen;  /* Newest in force; ballot.n == 0: none. */
    struct ha_record before; /* In force under the epoch before. */
    int64_t chosen_at;
    int64_t failed_at;        /* When an unplanned one was chosen. */
    unsigned n_moves;         /* Of the active role, to another node. */
    int64_t wish_at;          /* Time of the last switchover wish... */
    int64_t last_wish_at;     /* ...and of the one before. */
    int64_t fault_at;         /* Time at which something was broken. */
    int64_t paused_ok_at;     /* A paused active was last seen to serve, or to
                               * be unsound. */
    const struct ring *sound; /* Could serve, and does not since */
    int64_t sound_at;         /* then. */
};

/* ---- the world ------------------------------------------------------ */

struct sim_options {
    uint64_t seed;
    unsigned n_nodes;
    unsigned faults;
    bool witness;  /* The last node is one. */
    bool qdevice;  /* A pair has a quorum device. */
    bool two_node; /* A pair's corosync has two_node and wait_for_all. */
    bool compact;  /* Databases are compacted now and then. */
    bool watchdog; /* Nodes have one; none has a lease in the kernel. */
    bool verbose;
    bool calm; /* No jitter: for stories. */
};

struct coverage {
    uint64_t edge[HA_N_STATES][HA_N_STATES];
    uint64_t why[HA_N_WHYS];
    uint64_t steps;
    uint64_t lost;
    uint64_t acked;
    int64_t simulated_us;
    int64_t served_us;
    unsigned max_recovery_ms;
    uint64_t max_recovery_seed;
    unsigned max_outage_ms;
    uint64_t max_outage_seed;
};

struct world {
    struct sim_options opt;
    struct coverage *cov;
    int64_t now;
    uint64_t rng;
    struct sim_event *heap;
    size_t heap_n;
    size_t heap_allocated;
    uint64_t next_seq;
    void *arena;

    /* Settings of this cluster. */
    struct ha_config cfg;    /* 'self' is set for each node. */
    struct ha_policy policy; /* 'devices' are those of both, or none. */
    bool confirm;            /* A second device tells the truth. */
    int64_t beat_us;
    int64_t detect_us; /* Corosync: a loss. */
    int64_t detect_jitter_us;
    int64_t merge_us; /* ... a newcomer. */
    int64_t write_us; /* Between two writes of one client. */

    unsigned n;
    struct node nodes[HA_MAX_NODES];
    bool cut[HA_MAX_NODES][HA_MAX_NODES];      /* From, to. */
    bool beat_cut[HA_MAX_NODES][HA_MAX_NODES]; /* Beats only. */
    unsigned beat_loss;                        /* Permille. */

    struct ring *rings;
    const struct ring *device; /* Has the quorum device's vote; NULL: none. */
    bool qnetd_down;
    struct forming forming[HA_MAX_NODES];
    unsigned n_forming;

    bool base_records; /* Each epoch begins with a record. */
    unsigned n_broken; /* Faults in force. */
    bool faults_over;
    uint64_t next_id; /* Of client writes. */
    struct oracle oracle;

    bool failed;
    char violation[LINE_LEN];
    char lines[KEEP_LINES][LINE_LEN];
    uint64_t n_lines;
    char *story; /* All of the narration, for stories. */
    size_t story_n;
    size_t story_allocated;
    bool keep_story;
};

#define FOR_EACH_NODE(ND, W) \
    for (struct node *ND = (W)->nodes; ND < (W)->nodes + (W)->n; ND++)

/* world.c */
void world_init(struct world *, const struct sim_options *, struct coverage *);
void world_close(struct world *);
void world_fence_policy(struct world *, bool devices, bool confirm);
void *world_alloc(struct world *, size_t);
void world_at(struct world *, int64_t at, sim_fn *, struct node *,
              uint64_t arg, void *ptr);
void world_in(struct world *, int64_t us, sim_fn *, struct node *,
              uint64_t arg, void *ptr);
/* Runs until 'until' or a violation. */
void world_run(struct world *, int64_t until);
bool world_step(struct world *, int64_t until);
uint64_t rnd(struct world *);
int64_t rnd_in(struct world *, int64_t lo, int64_t hi);
bool rnd_chance(struct world *, unsigned permille);
mono_t node_clock(const struct world *, const struct node *);
int64_t node_god_time(const struct world *, const struct node *, mono_t);
void tell(struct world *, const struct node *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void violation(struct world *, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct node *world_node(struct world *, uint32_t id);

static inline mask_t
bit_of(uint32_t id)
{
    return (mask_t) 1 << (id - 1);
}

static inline bool
epoch_none(struct ha_epoch e)
{
    return !e.n && !e.node;
}

static inline bool
epoch_same(struct ha_epoch a, struct ha_epoch b)
{
    return !ha_epoch_cmp(a, b);
}

struct ha_set set_of_mask(mask_t);

/* net.c */
bool net_reaches(const struct world *, const struct node *from,
                 const struct node *to);
bool net_both(const struct world *, const struct node *, const struct node *);
int64_t net_delay(struct world *);
void net_cut(struct world *, mask_t a, mask_t b, bool cut);
void net_heal(struct world *);

/* group.c */
void group_changed(struct world *);
void group_boot(struct world *, struct node *);
/* Corosync alone is stopped, and started again. */
void group_stop(struct world *, struct node *);
void group_start(struct world *, struct node *);
void group_down(struct world *, struct node *);
void group_freeze(struct world *, struct node *);
void group_thaw(struct world *, struct node *);
void group_join(struct world *, struct node *);
void group_leave(struct world *, struct node *);
void group_send(struct world *, struct node *, const struct ha_msg *);
/* The quorum device's server comes and goes. */
void group_qnetd(struct world *, bool up);

/* node.c */
void node_boot(struct world *, struct node *);
void node_power_cut(struct world *, struct node *);
void node_wipe(struct world *, struct node *);
/* Its record is one of another cluster, which had far more epochs. */
void node_other_life(struct world *, struct node *);
void node_freeze(struct world *, struct node *);
void node_thaw(struct world *, struct node *);
void had_start(struct world *, struct node *);
void had_crash(struct world *, struct node *, bool reexec);
void had_restart(struct world *, struct node *);
void had_freeze(struct world *, struct node *);
void had_thaw(struct world *, struct node *);
void had_post(struct world *, struct node *, const struct ha_event *);
bool had_runs(const struct node *);
void node_local(struct world *, struct node *);
bool node_runs(const struct node *);

/* door.c */
void fence_start(struct world *, struct node *);
void fence_crash(struct world *, struct node *);
void fence_stop(struct world *, struct node *);
void fence_freeze(struct world *, struct node *);
void fence_thaw(struct world *, struct node *);
void fence_resume(struct world *, struct node *);
void fence_command(struct world *, struct node *, enum fence_cmd,
                   struct ha_epoch, const struct ha_set *);
void fence_order_endless(struct world *, struct node *,
                         const struct ha_action *);
void fence_connect(struct world *, struct node *);
void fence_had_lost(struct world *, struct node *);
bool fence_runs(const struct node *);
/* True if a client's packets leave this node now. */
bool door_lets_out(const struct world *, const struct node *);

/* bmc.c */
void bmc_start(struct world *, struct node *);
void bmc_crash(struct world *, struct node *);
void bmc_fence(struct world *, struct node *, uint32_t node);
void bmc_set_mode(struct world *, struct node *, enum bmc_mode);

/* replica.c */
void replica_boot(struct world *, struct node *);
void replica_start(struct world *, struct node *, enum ha_db);
void replica_crash(struct world *, struct node *, enum ha_db);
void replica_mute(struct world *, struct node *, enum ha_db, bool mute);
void replica_down(struct world *, struct node *);
void replica_power_cut(struct world *, struct node *);
void replica_wipe(struct world *, struct node *);
void replica_command(struct world *, struct node *, const struct ha_action *);
void server_crash(struct world *, struct node *, enum ha_db);
struct ha_pos db_pos(const struct db *, size_t n);
struct rec *db_append(struct db *, struct ha_epoch, uint64_t id, int64_t at);
bool db_has_data(const struct db *);
size_t db_common_prefix(const struct db *, const struct db *);
void replica_facts(struct world *, struct node *, struct ha_local *);

/* clients.c */
void clients_start(struct world *);
void northd_kill(struct world *, struct node *);
void northd_start(struct world *, struct node *);
void northd_set(struct world *, struct node *, bool run);
void northd_probe(struct world *, struct node *, uint32_t token);

/* oracle.c */
void oracle_init(struct world *);
void oracle_close(struct world *);
void oracle_step(struct world *, struct node *, const struct ha_event *,
                 const struct ha_actions *);
void oracle_sent(struct world *, struct node *, const struct ha_msg *);
void oracle_persisted(struct world *, struct node *);
void oracle_takes(struct world *, struct node *, enum ha_db, struct ha_epoch);
void oracle_log_taken(struct world *, struct node *, enum ha_db);
void oracle_ack(struct world *, struct node *, enum ha_db);
void oracle_write(struct world *, struct node *, enum ha_db, const char *who);
void oracle_doors(struct world *);
void oracle_cut(struct world *, struct node *, enum ha_db,
                const struct node *source, size_t keep);
void oracle_accepts(struct world *, struct node *, enum ha_db);
void oracle_wish(struct world *);
void oracle_refused(struct world *);
void oracle_fault(struct world *);
void oracle_logs(struct world *);
/* NULL if all is well, or what is missing. */
const char *oracle_settled(struct world *, char *buf, size_t size);
bool oracle_hopeless(struct world *);
void oracle_dump(struct world *);
int64_t oracle_bound_us(const struct world *);
int64_t oracle_outage_us(const struct world *);

/* faults.c */
void faults_plan(struct world *, int64_t from, int64_t until, unsigned n);
void faults_end(struct world *);

/* script.c */
int script_run(const char *path, bool verbose, bool update, struct coverage *);

#endif /* tests/sim/sim.h */
