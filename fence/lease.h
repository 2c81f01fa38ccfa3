/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_LEASE_H
#define FENCE_LEASE_H 1

/* The arithmetic of beats, leases and promises (DESIGN.md, Lease).
 *
 * The holder (active) sends beats; supporters acknowledge them.  The holder
 * may serve until the *send* time of the newest beat that enough supporters
 * acknowledged, plus the lease.  A supporter's promise runs from its
 * acknowledgement, is longer by the drift of clocks, and binds it to nobody
 * else.  So what the holder believes ends before what the supporters
 * promised, whatever the network does in between.
 *
 * Used by the fence worker and, as the same object file, by the simulator.
 * Pure: reads no clock, allocates nothing, does no I/O, logs nothing.  Times
 * of different nodes are never compared with each other.
 *
 * Points in time are mono_t; durations are int64_t named *_us. */

#include "lib/mono.h"
#include "lib/types.h"

#define LEASE_RING 256 /* Beats whose send time is remembered. */
#define LEASE_MAX_US INT64_C(3600000000) /* Longest lease that is believed. */

/* What one beat says.  An acknowledgement repeats it unchanged. */
struct lease_beat {
    struct ha_epoch epoch; /* Its 'node' is the sender. */
    uint64_t life;         /* Start of the sender's process, ordered
                                 * within one boot (an epoch ends with it). */
    uint64_t seq;          /* Grows with each beat of one life. */
    mono_t sent;           /* Sender's clock. */
    int64_t lease_us;      /* How long the sender wants to rely on it. */
};

/* ---- Holder --------------------------------------------------------- */

struct lease_holder_peer {
    uint32_t id;  /* Corosync node id. */
    mono_t acked; /* Send time of its newest acknowledged
                                 * beat; MONO_MIN: none. */
    mono_t until; /* acked + that beat's lease. */
    uint64_t seq; /* Of that beat; 0: none. */
};

/* The end of a lease.  While it has none, beats go on, so that the ordinary
 * one is there when it is wanted again. */
enum lease_end {
    LEASE_ORDINARY,
    LEASE_ENDLESS,  /* Whatever is acknowledged. */
    LEASE_RETURNED, /* Endless until the ordinary one is live. */
};

struct lease_holder {
    struct ha_epoch epoch; /* {0, 0}: not beating. */
    uint64_t life;         /* As in the beats. */
    uint64_t seq;          /* Of the newest beat; never starts over. */
    uint64_t first_seq;    /* First of this epoch. */
    int64_t lease_us;      /* For beats from now on. */
    uint32_t supporters;   /* Acknowledging peers that are enough. */
    enum lease_end end;    /* Whether it has one. */
    uint32_t n_peers;
    struct lease_holder_peer peers[HA_MAX_NODES];
    struct {
        mono_t sent;
        int64_t lease_us;
    } ring[LEASE_RING]; /* By seq % LEASE_RING. */
};

/* 'life' as in struct lease_beat. */
void lease_holder_init(struct lease_holder *, uint64_t life);

/* Sets the length of the lease for later beats, how many peers have to
 * acknowledge (0: the lease is endless), and who they are (without self).
 * Keeps the acknowledgements of peers that stay.  'lease_us' is 1 to
 * LEASE_MAX_US, 'n' at most HA_MAX_NODES. */
void lease_holder_set(struct lease_holder *, int64_t lease_us,
                      uint32_t supporters, const uint32_t ids[], uint32_t n);

/* Begins to hold (or to try to) under 'epoch'; forgets every earlier beat
 * and acknowledgement, also those of the same epoch. */
void lease_holder_start(struct lease_holder *, struct ha_epoch epoch);

/* Makes the lease of the present epoch endless, or asks for the ordinary one
 * again.  Another epoch begins with the ordinary one. */
void lease_holder_set_endless(struct lease_holder *, bool endless);

/* If the ordinary lease was asked for: takes it, once it lives beyond 'then'.
 * Returns true if that happened now. */
bool lease_holder_settle(struct lease_holder *, mono_t then);

/* Gives up: there is no lease any more, and late acknowledgements do not
 * bring it back. */
void lease_holder_stop(struct lease_holder *);

/* Makes the next beat.  Call right before it is sent. */
struct lease_beat lease_holder_beat(struct lease_holder *, mono_t now);

/* Takes an acknowledgement from 'peer'.  Returns true if it was of a beat
 * of this epoch and life and newer than what this peer acknowledged before,
 * false if it was ignored. */
bool lease_holder_ack(struct lease_holder *, uint32_t peer,
                      const struct lease_beat *);

/* When the lease ends or ended: MONO_NEVER if it is endless, MONO_MIN if there
 * never was one. */
mono_t lease_holder_until(const struct lease_holder *);

/* True if this node may serve at 'now'. */
bool lease_holder_alive(const struct lease_holder *, mono_t now);

/* Number of peers that are bound to this holder at 'now'. */
uint32_t lease_holder_n_bound(const struct lease_holder *, mono_t now);

/* ---- Supporter ------------------------------------------------------ */

enum lease_answer {
    LEASE_ACK,         /* Acknowledge; the promise was renewed. */
    LEASE_BAD_BEAT,    /* Not a beat of its epoch's node, or a lease
                                 * beyond all limits. */
    LEASE_NOT_MEMBER,  /* Sender is not in the membership. */
    LEASE_OTHER_EPOCH, /* Not exactly the supported epoch. */
    LEASE_REPLAY,      /* An older life, or not newer than the
                                 * newest beat that was acknowledged. */
    LEASE_FRESH,       /* Within one lease after the start. */
};

struct lease_supporter {
    int64_t lease_us;      /* Own configuration's. */
    uint32_t drift_ppm;    /* A promise is lease * (1 + drift). */
    mono_t started;        /* Of this life. */
    mono_t fresh_until;    /* Does not acknowledge before this. */
    struct ha_epoch epoch; /* Supported; every lower one is refused. */
    mono_t promise;        /* To the holder of 'epoch'; or MONO_MIN. */
    mono_t old_promise;    /* To lower epochs, and the fresh start. */
    uint64_t life;         /* Of the newest acknowledged beat. */
    uint64_t seq;
    uint32_t n_members;
    uint32_t members[HA_MAX_NODES];
};

/* A fresh start: whatever an earlier life promised may still hold, so it
 * counts as a promise of one lease from 'started'.  'lease_us' is 1 to
 * LEASE_MAX_US. */
void lease_supporter_init(struct lease_supporter *, int64_t lease_us,
                          uint32_t drift_ppm, mono_t started);

/* Changes the length of promises from 'now' on.  While the start is fresh, a
 * longer lease lengthens that too; nothing shortens a promise. */
void lease_supporter_set(struct lease_supporter *, int64_t lease_us,
                         uint32_t drift_ppm, mono_t now);

/* Sets the membership: beats of others are refused. */
void lease_supporter_set_members(struct lease_supporter *,
                                 const uint32_t ids[], uint32_t n);

/* Supports exactly 'epoch' from now on, and refuses lower ones for ever.
 * The promise to the epoch before lives on as the old promise.  Returns
 * -ESTALE and changes nothing if 'epoch' is lower than the supported one. */
int lease_supporter_support(struct lease_supporter *, struct ha_epoch epoch);

/* Judges a beat that arrived from 'from' at 'now'.  On LEASE_ACK the promise
 * is renewed and the caller acknowledges at once. */
enum lease_answer lease_supporter_beat(struct lease_supporter *, uint32_t from,
                                       const struct lease_beat *, mono_t now);

/* Time left at 'now' of promises to epochs below the supported one and of
 * the fresh start; 0: none. */
int64_t lease_supporter_old_left_us(const struct lease_supporter *,
                                    mono_t now);

/* Time left at 'now' of the promise to the supported epoch; 0: none. */
int64_t lease_supporter_left_us(const struct lease_supporter *, mono_t now);

#endif /* fence/lease.h */
