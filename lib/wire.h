/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_WIRE_H
#define HA_WIRE_H 1

/* Messages between ovn-had and its workers on the same host.
 *
 * One message is one SOCK_SEQPACKET packet: struct wire_hdr, then the body
 * of its type.  Bodies are plain fixed-size structs in host order: both ends
 * run on one machine.  After an upgrade in place a new ovn-had meets an old
 * fence worker, so bodies only ever grow at their end: a receiver zero-fills
 * what is missing and ignores what is beyond the size that it knows.
 *
 * Used by ha/fence.c, ha/replica.c, fence/ and replica/.  Never crosses the
 * network. */

#include <netinet/in.h>
#include <stdint.h>

#include "lib/types.h"

#define WIRE_VERSION 1
#define WIRE_WHY_LEN 160   /* Longest reason text, with its NUL. */
#define WIRE_PATH_LEN 108  /* As sun_path. */
#define WIRE_MAX_REMOTES 8 /* Public remotes of one database. */
#define WIRE_REMOTE_LEN 128
#define WIRE_NAME_LEN 64 /* Of a node, with its NUL. */

/* A database's file with this behind its name is whole and durable, and is to
 * take its place (WIRE_R_INSTALL). */
#define WIRE_INSTALL_SUFFIX ".install"

struct wire_hdr {
    uint16_t version; /* WIRE_VERSION. */
    uint16_t type;    /* enum wire_type. */
    uint32_t len;     /* Bytes of the body that follow. */
};

enum wire_type {
    /* ovn-had to ovn-ha-fence. */
    WIRE_F_CONFIG = 1, /* struct wire_f_config. */
    WIRE_F_MEMBERS,    /* struct wire_f_members. */
    WIRE_F_DB,         /* struct wire_f_db. */
    WIRE_F_NORTHD,     /* struct wire_f_pid. */
    WIRE_F_SUPPORT,    /* struct wire_f_epoch. */
    WIRE_F_SERVE,      /* struct wire_f_epoch. */
    WIRE_F_CLOSE,      /* struct wire_f_epoch. */
    WIRE_F_PING,       /* No body. */
    WIRE_F_EXIT,       /* No body: close, stop supporting, exit. */
    WIRE_F_ENDLESS,    /* struct wire_f_endless. */

    /* ovn-ha-fence to ovn-had. */
    WIRE_F_STATE = 64, /* struct wire_f_state. */
    WIRE_F_SUPPORTED,  /* struct wire_f_supported. */

    /* ovn-had to ovn-ha-replica. */
    WIRE_R_ROLE = 128,   /* struct wire_r_role. */
    WIRE_R_PEERS,        /* struct wire_r_peers. */
    WIRE_R_SERVER,       /* struct wire_r_server. */
    WIRE_R_PROBE,        /* struct wire_r_probe. */
    WIRE_R_CONSENT,      /* struct wire_r_consent. */
    WIRE_R_VERIFY = 144, /* struct wire_r_verify. */

    /* ovn-ha-replica to ovn-had. */
    WIRE_R_STATUS = 192,       /* struct wire_r_status. */
    WIRE_R_PEER,               /* struct wire_r_peer. */
    WIRE_R_ROLE_DONE,          /* struct wire_r_role_done. */
    WIRE_R_PROBED,             /* struct wire_r_probed. */
    WIRE_R_ASIDE,              /* struct wire_r_aside. */
    WIRE_R_INSTALL,            /* struct wire_r_install. */
    WIRE_R_VERIFICATION = 208, /* struct wire_r_verification. */
    WIRE_R_DIFFERENCE,         /* struct wire_r_difference. */

    /* ovn-had to the process that runs fence agents. */
    WIRE_A_DEVICE = 256, /* struct wire_a_device. */
    WIRE_A_TARGET,       /* struct wire_a_target. */
    WIRE_A_COMMIT,       /* struct wire_a_commit. */
    WIRE_A_FENCE,        /* struct wire_a_fence. */
    WIRE_A_PING,         /* No body. */

    /* And back. */
    WIRE_A_STATE = 320, /* struct wire_a_state. */
};

struct wire_node {
    uint32_t id; /* Corosync node id. */
    uint32_t reserved;
    struct sockaddr_storage addr; /* Ring address; port 0. */
};

/* ---- fence ---------------------------------------------------------- */

/* Whether the kernel is to hold the lease, too. */
enum wire_kernel_lease {
    WIRE_KERNEL_LEASE_UNTOLD, /* Leave the kernel alone. */
    WIRE_KERNEL_LEASE_OFF,    /* Take out what an earlier life put in. */
    WIRE_KERNEL_LEASE_AUTO,   /* If it lets us. */
    WIRE_KERNEL_LEASE_ON,     /* Never serve without. */
};

#define WIRE_MAX_ADDRESSES 8
#define WIRE_IFNAME_LEN 16 /* As IFNAMSIZ. */

/* One virtual IP, without ports: 'family' 0 is none. */
struct wire_address {
    uint16_t family;   /* AF_INET or AF_INET6. */
    uint16_t prefix;   /* Length of the network's part, in bits. */
    uint8_t bytes[16]; /* In network order; 4 of them for AF_INET. */
};

/* Addresses that follow the active role. */
struct wire_addresses {
    uint32_t n;         /* 0: none. */
    uint32_t detect_ms; /* How long another owner has to answer. */
    char interface[WIRE_IFNAME_LEN];
    struct wire_address address[WIRE_MAX_ADDRESSES];
};

#define WIRE_IDENTITY_LEN 36 /* Of a watchdog, with its NUL. */

/* What a feeding may take, and the timer of the device be late: a part of
 * what the lease has to be longer than the timeout. */
#define WATCHDOG_SLACK_MS 20

/* The watchdog, and what resets this node at once. */
struct wire_watchdog {
    char device[WIRE_PATH_LEN];       /* Path; "": found by its identity. */
    char identity[WIRE_IDENTITY_LEN]; /* It must have; "": any.  Both "":
                                       * there is no watchdog. */
    uint32_t timeout_s;               /* That it is to have. */
    uint32_t pretimeout_s;            /* 0: none. */
    uint32_t max_ms; /* A longer timeout is of no use under the lease. */
    uint32_t reset_after_ms; /* Of a process that was killed and lives. */
    char reset_program[WIRE_PATH_LEN]; /* Run then; "": nothing is. */
};

/* Sent once after connecting and whenever it changes. */
struct wire_f_config {
    uint32_t self;    /* This node's id. */
    uint32_t n_nodes; /* All members of the nodelist, self too. */
    struct wire_node nodes[HA_MAX_NODES];
    uint16_t port; /* UDP port of beats. */
    uint16_t reserved;
    uint32_t drift_ppm; /* Promise = lease * (1 + drift). */
    uint64_t lease_us;
    uint64_t beat_us;    /* Interval of beats. */
    uint32_t supporters; /* Acknowledging peers that a lease needs:
                                 * majority of the nodelist less self. */
    uint32_t reserved2;
    char key_file[WIRE_PATH_LEN]; /* Corosync's authkey, "" if none. */
    uint32_t kernel_lease;        /* enum wire_kernel_lease. */
    struct wire_addresses addresses;
    struct wire_watchdog watchdog;
};

/* Current corosync membership: beats from others are refused. */
struct wire_f_members {
    uint32_t n;
    uint32_t ids[HA_MAX_NODES];
};

/* A database server that the door guards.  Sent when it (re)started: the
 * worker first removes every remote but 'private_remote', and opens it again
 * by itself if it is serving under a live lease. */
struct wire_f_db {
    uint32_t db;                          /* enum ha_db. */
    uint32_t pid;                         /* 0: it is down. */
    char ctl[WIRE_PATH_LEN];              /* Its unixctl socket. */
    char private_remote[WIRE_REMOTE_LEN]; /* Never touched. */
    uint32_t n_remotes; /* Public remotes, opened while serving. */
    char remotes[WIRE_MAX_REMOTES][WIRE_REMOTE_LEN];
};

struct wire_f_pid {
    uint32_t pid; /* northd, killed on close; 0: none. */
};

/* WIRE_F_SUPPORT: refuse every lower epoch from now on (and if the door is
 * open under a lower one, close it, kill northd), then support beats of
 * exactly this epoch.  Answered by WIRE_F_SUPPORTED once all of this is so.
 * WIRE_F_SERVE: send beats for this epoch (epoch.node is self) and open the
 * door as soon as, and only while, the lease lives.
 * WIRE_F_CLOSE: stop beats, close the door, kill northd; the epoch is only
 * told. WIRE_F_STATE reports each change of the door. */
struct wire_f_epoch {
    struct ha_epoch epoch;
};

/* The lease of what is served has no end (the cluster is paused), or, 'on'
 * being 0, is to have one again; then it keeps none until the ordinary lease
 * is live.  Void if another epoch is served. */
struct wire_f_endless {
    struct ha_epoch epoch;
    uint32_t on;
    uint32_t token; /* Comes back in WIRE_F_STATE. */
};

enum wire_door {
    WIRE_DOOR_CLOSED,  /* No public remote, no session. */
    WIRE_DOOR_WAITING, /* Told to serve, no lease yet. */
    WIRE_DOOR_OPENING,
    WIRE_DOOR_OPEN,
    WIRE_DOOR_CLOSING,
};

enum wire_kernel {
    WIRE_KERNEL_UNUSED,  /* It holds no lease, and need not. */
    WIRE_KERNEL_PENDING, /* On the way. */
    WIRE_KERNEL_USED,    /* Without a lease in the kernel no client hears
                          * this node. */
    WIRE_KERNEL_MISSING, /* It does not let us. */
};

enum wire_address_state {
    WIRE_ADDRESS_NONE,    /* None is configured. */
    WIRE_ADDRESS_LEFT,    /* This node has none of them, as it should be. */
    WIRE_ADDRESS_PROBING, /* Asks whether someone else has one. */
    WIRE_ADDRESS_HELD,
    WIRE_ADDRESS_LEAVING,
    WIRE_ADDRESS_REFUSED, /* Not taken: 'why' says it. */
};

enum wire_watchdog_state {
    WIRE_WATCHDOG_NONE,    /* None is configured. */
    WIRE_WATCHDOG_PENDING, /* On the way. */
    WIRE_WATCHDOG_READY,   /* It works, and is disarmed. */
    WIRE_WATCHDOG_ARMED,
    WIRE_WATCHDOG_MISSING, /* 'why' says it. */
};

/* Whether the driver lets a watchdog be disarmed. */
enum wire_nowayout {
    WIRE_NOWAYOUT_UNKNOWN,
    WIRE_NOWAYOUT_NO, /* It does. */
    WIRE_NOWAYOUT_YES,
};

/* Of the watchdog. */
struct wire_f_watchdog {
    uint32_t state;         /* enum wire_watchdog_state. */
    uint32_t nowayout;      /* enum wire_nowayout. */
    uint32_t timeout_ms;    /* As the device has it; 0: not known. */
    uint32_t pretimeout_ms; /* 0: none. */
    char path[WIRE_PATH_LEN];
    char identity[WIRE_IDENTITY_LEN];
    char why[WIRE_WHY_LEN]; /* What is wrong with it; "". */
};

/* Sent in answer to WIRE_F_PING and WIRE_F_CONFIG and on every change of
 * door or lease. */
struct wire_f_state {
    struct ha_epoch serve;       /* {0,0} unless told to serve. */
    struct ha_epoch support;     /* Beats accepted. */
    uint32_t door;               /* enum wire_door. */
    uint32_t n_acks;             /* Peers that acknowledged the last beat. */
    int64_t lease_left_us;       /* 0: no lease. */
    int64_t old_promise_left_us; /* Promises to epochs below 'support', and
                                  * the lease that a fresh start sits out. */
    int64_t opened_us;     /* CLOCK_BOOTTIME when the door last opened. */
    int64_t closed_us;     /* ... last closed. */
    uint32_t lease_losses; /* Leases that ran out since start. */
    uint32_t pid;
    char why[WIRE_WHY_LEN]; /* Why the door is not open; "". */
    uint32_t kernel;        /* enum wire_kernel. */
    uint32_t reserved;
    char kernel_why[WIRE_WHY_LEN];  /* What is wrong with it; "". */
    uint32_t endless;               /* The lease of 'serve' has no end. */
    uint32_t endless_token;         /* Of the last WIRE_F_ENDLESS; 0: none. */
    uint32_t address;               /* enum wire_address_state. */
    uint32_t address_unfit;         /* 1: it could not be taken here. */
    char address_why[WIRE_WHY_LEN]; /* What is wrong with it; "". */
    struct wire_f_watchdog watchdog;
};

struct wire_f_supported {
    struct ha_epoch epoch;
    int64_t old_promise_left_us;
};

/* ---- fence agents --------------------------------------------------- */

#define WIRE_A_MAX_DEVICES 32
#define WIRE_A_MAX_LEVELS 4
#define WIRE_A_MAX_IN_LEVEL 4
#define WIRE_A_NAME_LEN 64
#define WIRE_A_PARAMS_LEN 8192

/* After connecting: all devices in their order, all targets, and COMMIT.  What
 * is not as before ends what is under way. */
struct wire_a_device {
    char name[WIRE_A_NAME_LEN];
    char agent[WIRE_PATH_LEN]; /* Path of the program. */
    uint32_t timeout_ms;       /* Of each run. */
    uint32_t retries;
    uint32_t monitor_ms; /* Between two monitors. */
    /* Lines "NAME=VALUE", as the agent gets them on standard input, and
     * "@NAME=PATH", whose value is the first line of the file. */
    char params[WIRE_A_PARAMS_LEN];
};

struct wire_a_target {
    uint32_t node; /* Corosync id. */
    char name[WIRE_A_NAME_LEN];
    uint32_t n[WIRE_A_MAX_LEVELS]; /* Devices of each level; 0: none. */
    uint32_t devices[WIRE_A_MAX_LEVELS][WIRE_A_MAX_IN_LEVEL]; /* Indexes. */
    uint32_t has_confirm;
    uint32_t confirm;  /* Index. */
    uint32_t power_on; /* Afterwards. */
};

struct wire_a_commit {
    uint32_t n_devices;
    uint32_t n_targets;
};

struct wire_a_fence {
    uint32_t node;
    uint32_t token; /* Comes back with the result. */
};

struct wire_a_device_state {
    char name[WIRE_A_NAME_LEN];
    uint32_t fits;       /* Parameters and metadata were compared. */
    uint32_t well;       /* The last run was as it is to be. */
    uint32_t running;    /* enum fencing_action; 0: nothing. */
    int64_t answered_us; /* CLOCK_BOOTTIME; 0: never. */
    int64_t tried_us;    /* The same of the last run, well or not. */
    char why[WIRE_WHY_LEN];
};

enum wire_a_phase {
    WIRE_A_IDLE,
    WIRE_A_WORKING,
    WIRE_A_FENCED,
    WIRE_A_FAILED,
};

struct wire_a_target_state {
    uint32_t node;
    uint32_t phase; /* enum wire_a_phase. */
    uint32_t token;
    uint32_t level;   /* From 0 on. */
    uint32_t device;  /* Index of the device in hand. */
    uint32_t action;  /* enum fencing_action. */
    int64_t since_us; /* CLOCK_BOOTTIME of the request; 0: none. */
    int64_t fenced_us;
    char why[WIRE_WHY_LEN]; /* Of the last failure. */
};

/* In answer to PING and COMMIT, and on every change. */
struct wire_a_state {
    uint32_t pid;
    uint32_t n_devices;
    uint32_t n_targets;
    uint32_t reserved;
    struct wire_a_device_state devices[WIRE_A_MAX_DEVICES];
    struct wire_a_target_state targets[HA_MAX_NODES];
};

/* ---- replica -------------------------------------------------------- */

enum wire_r_role_kind {
    WIRE_R_IDLE,   /* Accept nothing, ship what is asked for. */
    WIRE_R_FOLLOW, /* Apply records of 'source'. */
    WIRE_R_ACTIVE, /* Own log is the truth of 'epoch'. */
};

/* Answered by WIRE_R_ROLE_DONE with the same token once it is so: for IDLE
 * when nothing is in flight any more and the position is final; for ACTIVE
 * when the base of the epoch is durable; for FOLLOW at once. */
struct wire_r_role {
    uint32_t role; /* enum wire_r_role_kind. */
    uint32_t token;
    uint64_t lineage;        /* The record's. */
    struct ha_epoch epoch;   /* The record's. */
    struct wire_node source; /* FOLLOW: whom. */
    uint16_t source_port;
    uint16_t reserved;
    uint32_t reserved2;
};

struct wire_r_role_done {
    uint32_t role;
    uint32_t token;
    struct ha_pos pos;
    int32_t error; /* Negative errno or 0. */
    uint32_t reserved;
};

/* Nodes that may connect to this worker. */
struct wire_r_peers {
    uint32_t n;
    struct wire_node nodes[HA_MAX_NODES];
    char names[HA_MAX_NODES][WIRE_NAME_LEN]; /* As in the nodelist. */
};

/* This node's ovsdb-server started (pid > 0) or ended (0). */
struct wire_r_server {
    uint32_t pid;
};

/* NB only: bump nb_cfg and wait until northd brought it to SB (sb_cfg). */
struct wire_r_probe {
    uint32_t token;
    uint32_t timeout_ms;
};

struct wire_r_probed {
    uint32_t token;
    int32_t error; /* 0, -ETIMEDOUT, ... */
    uint32_t took_ms;
    uint32_t reserved;
};

enum wire_r_phase {
    WIRE_RP_NO_FILE,   /* The database file is not there yet. */
    WIRE_RP_LOADING,   /* Reading the own file. */
    WIRE_RP_NO_SERVER, /* Own ovsdb-server not connected. */
    WIRE_RP_IDLE,
    WIRE_RP_CONNECTING, /* To the source. */
    WIRE_RP_SNAPSHOT,
    WIRE_RP_FOLLOWING,
    WIRE_RP_ACTIVE,
    WIRE_RP_FAILED, /* 'why' says it; ineligible. */
};

#define WIRE_RS_COMPLETE (1u << 0)  /* File is a whole state of the lineage. */
#define WIRE_RS_HAS_DATA (1u << 1)  /* More than packages' empty database. */
#define WIRE_RS_FOREIGN (1u << 2)   /* A record that we did not write. */
#define WIRE_RS_SERVER_OK (1u << 3) /* Own ovsdb-server answers. */
#define WIRE_RS_CONNECTED (1u << 4) /* To the source. */
#define WIRE_RS_DIFFERS \
    (1u << 5) /* A verification found it so, and none
                                     * has found it equal since. */
#define WIRE_RS_CHAIN \
    (1u << 6) /* Other records than the source's at the
                                 * same position; 'why' says where. */

/* On every change of role, phase or flags at once, of position at most every
 * 20 ms, and otherwise each second. */
struct wire_r_status {
    uint32_t role;  /* enum wire_r_role_kind. */
    uint32_t phase; /* enum wire_r_phase. */
    uint32_t flags; /* WIRE_RS_*. */
    uint32_t resumes;
    uint32_t snapshots;
    uint32_t source;    /* Node id; 0: none. */
    struct ha_pos pos;  /* Durable here. */
    struct ha_pos head; /* FOLLOW: newest known of the source. */
    uint64_t file_bytes;
    uint64_t progress_done; /* Of a snapshot, bytes; 0/0 otherwise. */
    uint64_t progress_total;
    int64_t server_seen_us; /* When own ovsdb-server last answered. */
    char why[WIRE_WHY_LEN];

    uint32_t ask; /* enum ha_ask: waits for WIRE_R_CONSENT. */
    uint32_t reserved;
    uint64_t ask_seq;  /* SHRINK: of the source, after what was stopped. */
    uint64_t ask_rows; /* SHRINK: rows that count, and were there... */
    uint64_t ask_lost; /* ...and would be gone. */

    char resync[WIRE_WHY_LEN]; /* How the last snapshot was taken over, and
                                * why so; "". */
    char snapshot_why[WIRE_WHY_LEN]; /* Why it was needed; "". */
};

/* An operator's answer to what the worker asks for.  Void if it asks for
 * something else by now. */
struct wire_r_consent {
    uint32_t ask; /* enum ha_ask. */
    uint32_t reserved;
    uint64_t until; /* SHRINK: 'seq' of the source up to which it holds. */
};

/* End the ovsdb-server, rename FILE.install to FILE, start the server again.
 * Nothing is answered: the worker sees which file it is, and withdraws its
 * offer by removing FILE.install, which may be gone therefore. */
struct wire_r_install {
    uint32_t token; /* Of the role, which must be the last one told. */
    uint32_t reserved;
};

/* One per connected (or just lost) receiver, on the sending side. */
struct wire_r_peer {
    uint32_t node;
    uint32_t connected; /* 0 or 1. */
    uint32_t complete;  /* Past its snapshot. */
    uint32_t reserved;
    struct ha_pos acked; /* Durable there. */
    struct ha_pos head;  /* Own end of log when this was sent. */
    int64_t lag_us;      /* Age of the oldest unacknowledged record. */
};

/* Own data were set aside, durably, before they give way. */
struct wire_r_aside {
    uint32_t source;     /* Node id of the one that does not have them. */
    uint32_t by_record;  /* 0: the place where the logs parted is not known. */
    uint64_t n_records;  /* That the source never had. */
    uint64_t n_ops;      /* Of the transaction that brings them back. */
    uint64_t n_left_out; /* Changes that do not fit any more. */
    char name[WIRE_PATH_LEN]; /* Of the files, without folder and ending. */
};

/* FOLLOW only: compare the content of the own file with the source's at one
 * position.  Answered by WIRE_R_VERIFICATION, the last one of which is
 * neither WAITING nor RUNNING. */
struct wire_r_verify {
    uint32_t token; /* Not 0. */
    uint32_t reserved;
};

enum wire_r_verify_state {
    WIRE_RV_NONE,
    WIRE_RV_WAITING, /* For the source, which is busy with another one. */
    WIRE_RV_RUNNING,
    WIRE_RV_EQUAL,
    WIRE_RV_DIFFERS, /* Up to WIRE_R_DIFFERENCES were told before. */
    WIRE_RV_FAILED,  /* 'why' says it; nothing is known. */
};

enum wire_r_verify_phase {
    WIRE_RVP_READING,   /* The file: 'done' and 'total' are bytes. */
    WIRE_RVP_COMPARING, /* 'done' and 'total' are rows. */
};

/* One verification; token 0 for that after a repair, which nobody asked
 * for.  At most each 250 ms while it is running. */
struct wire_r_verification {
    uint32_t token;
    uint32_t state; /* enum wire_r_verify_state. */
    uint32_t phase; /* enum wire_r_verify_phase. */
    uint32_t tables;
    uint64_t done, total;
    uint64_t rows;     /* Compared. */
    uint64_t n_differ; /* Rows. */
    uint32_t skipped;  /* Tables and columns that only one side has. */
    uint32_t source;   /* Node id. */
    struct ha_pos pos; /* Of both sides. */
    int64_t took_ms;
    int64_t ended_ms; /* Since 1970; 0: it has not ended. */
    char why[WIRE_WHY_LEN];
};

#define WIRE_R_DIFFERENCES 4 /* Told of one verification. */

/* One value that differs, or with "" as column a row that one side has
 * alone. */
struct wire_r_difference {
    char table[64], row[40], column[64];
    char there[WIRE_WHY_LEN]; /* The source's value, perhaps cut... */
    char here[WIRE_WHY_LEN];  /* ...and the own one. */
};

#endif /* lib/wire.h */
