/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_FRAME_H
#define HA_REPLICA_FRAME_H 1

/* The replication protocol, version 1, as bytes.
 *
 * A stream (TLS or TCP) of frames.  A frame is 8 bytes of head, the body's
 * length (32 bits), a type (16 bits) and 16 bits of zero, then the body, at
 * most FRAME_BODY_MAX bytes.  All numbers are big-endian.  A position is
 * lineage (64 bits), epoch's number and node (32 bits each), seq and chain (64
 * bits each).
 *
 *     sender (listens)                            receiver (connects)
 *           <------------  KNOCK
 *     CHALLENGE version caps nonce  ------------>
 *           <------------  HELLO version caps db node flags epoch pos
 *                                                    nonce mac
 *     WELCOME node found head mac   ------------>
 *     SCHEMA json                   ------------>
 *     [FORK pos]                    ------------>  unless found is FOUND: the
 *                                                  last one that both may have
 *     [SNAPSHOT pos bytes, DATA...] ------------>  unless found is FOUND
 *     RECORD pos flags sha1 length bytes, MORE.. ->
 *     HEARTBEAT head                ------------>  each second
 *           <------------  ACK pos                 durable there; each second
 *
 * A snapshot makes the receiver give up what it has, so it comes only from the
 * active node of exactly the epoch that HELLO names; every other node ships no
 * more than the records after a position that it finds in its own log, and
 * refuses otherwise.
 *
 * Either side may send REFUSE with a code and a sentence, and then closes.
 * KNOCK says nothing; it is there so that a sender that wants TLS sees at once
 * that it will get none, and can refuse that in plaintext.
 *
 * 'caps' are what each side can do beyond version 1; a message that needs a
 * capability is sent only to who has it.  A frame of unknown type is skipped
 * if its type has FRAME_OPTIONAL set, and otherwise ends the session.  Bodies
 * grow at their end only: what is beyond is ignored.
 *
 * With FRAME_CAP_VERIFY on both sides a receiver may have its content compared
 * with the sender's at one position, while records flow on:
 *
 *           <------------  VERIFY id pos
 *           <----------->  VERIFY_TEXT id code text
 *
 * where texts are questions and answers (replica/content.h).  It ends with a
 * code other than 0, from the sender with a reason as text.
 *
 * The MACs prove that both know the key: HMAC-SHA256 over a label, the other
 * side's last frame body (and with it its nonce) and the own body up to the
 * MAC.  Without a key the MAC is zero, and then both must have none.
 *
 * Used by the sender and the receiver; pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hmac.h"
#include "lib/types.h"
#include "replica/record.h"

#define FRAME_VERSION 1
#define FRAME_HEAD_LEN 8
#define FRAME_BODY_MAX (1u << 20)
#define FRAME_OPTIONAL 0x8000u
#define FRAME_NONCE_LEN 32
#define FRAME_TEXT_MAX 160 /* Of a REFUSE, with its NUL. */

#define FRAME_CAP_KEY (1u << 0) /* Has a key, and wants one. */
#define FRAME_CAP_VERIFY (1u << 1)

enum frame_type {
    FRAME_CHALLENGE = 1,
    FRAME_HELLO,
    FRAME_WELCOME,
    FRAME_REFUSE,
    FRAME_SCHEMA,
    FRAME_SNAPSHOT,
    FRAME_DATA,
    FRAME_RECORD,
    FRAME_MORE,
    FRAME_HEARTBEAT,
    FRAME_ACK,
    FRAME_KNOCK = FRAME_OPTIONAL | 1,
    FRAME_FORK = FRAME_OPTIONAL | 2,
    FRAME_VERIFY = FRAME_OPTIONAL | 3,
    FRAME_VERIFY_TEXT = FRAME_OPTIONAL | 4,
};

struct frame_head {
    uint32_t len; /* Of the body. */
    uint16_t type;
};

struct frame_challenge {
    uint32_t version;
    uint32_t caps;
    uint8_t nonce[FRAME_NONCE_LEN];
};

#define FRAME_HELLO_SNAPSHOT (1u << 0) /* Own file is not what 'pos' says. */

struct frame_hello {
    uint32_t version;
    uint32_t caps;
    uint32_t db;           /* enum ha_db. */
    uint32_t node;         /* The receiver. */
    uint32_t flags;        /* FRAME_HELLO_*. */
    struct ha_epoch epoch; /* The cluster's, as the receiver was told. */
    struct ha_pos pos;     /* Durable and complete there. */
    uint8_t nonce[FRAME_NONCE_LEN];
    uint8_t mac[HMAC_BYTES];
};

struct frame_welcome {
    uint32_t node;  /* The sender. */
    uint32_t found; /* enum oplog_found: what became of 'pos'. */
    struct ha_pos head;
    uint8_t mac[HMAC_BYTES];
};

enum frame_refusal {
    FRAME_BAD_VERSION = 1,
    FRAME_NO_MEMBER,
    FRAME_BAD_KEY,
    FRAME_BAD_DB,
    FRAME_NOT_READY, /* Has no complete log (yet). */
    FRAME_BAD_CHAIN, /* Same seq, another hash. */
    FRAME_CHANGED,   /* The log took a turn: come again. */
    FRAME_BAD_FRAME,
    FRAME_NO_TLS,
};

struct frame_refuse {
    uint32_t code; /* enum frame_refusal. */
    char text[FRAME_TEXT_MAX];
};

struct frame_snapshot {
    struct ha_pos pos; /* Of the whole. */
    uint64_t bytes;    /* Of DATA that follow. */
};

#define FRAME_RECORD_RELAYED \
    (1u << 0) /* Written by a standby: the chain is
                                        * not of this text's SHA-1. */

struct frame_record {
    struct ha_pos pos; /* After it. */
    uint32_t flags;
    uint8_t sha1[RECORD_SHA1_LEN]; /* Of the body. */
    uint64_t bytes; /* Of the body; MORE brings what does not fit
                                 * here. */
};

struct frame_verify {
    uint32_t id; /* Of the receiver's choice; not 0. */
    struct ha_pos pos;
};

enum frame_verify_code {
    FRAME_VERIFY_GOES_ON, /* The text is a question, or an answer. */
    FRAME_VERIFY_BUSY,    /* With another receiver: come again. */
    FRAME_VERIFY_GONE,    /* The position is not in the log any more. */
    FRAME_VERIFY_FAILED,
    FRAME_VERIFY_DONE, /* From the receiver. */
};

struct frame_verify_text {
    uint32_t id;
    uint32_t code; /* enum frame_verify_code. */
};

/* Bytes of the fixed parts, in front of text or data. */
#define FRAME_POS_LEN 32
#define FRAME_CHALLENGE_LEN (8 + FRAME_NONCE_LEN)
#define FRAME_HELLO_LEN (28 + FRAME_POS_LEN + FRAME_NONCE_LEN + HMAC_BYTES)
#define FRAME_WELCOME_LEN (8 + FRAME_POS_LEN + HMAC_BYTES)
#define FRAME_SNAPSHOT_LEN (FRAME_POS_LEN + 8)
#define FRAME_RECORD_LEN (FRAME_POS_LEN + 4 + RECORD_SHA1_LEN + 8)
#define FRAME_VERIFY_LEN (8 + FRAME_POS_LEN)
#define FRAME_VERIFY_TEXT_LEN 8
#define FRAME_FIXED_MAX 256 /* At least each of them. */

/* A frame's head.  The parser returns 0, or -EBADMSG for a length beyond
 * FRAME_BODY_MAX. */
void frame_put_head(uint8_t buf[FRAME_HEAD_LEN], const struct frame_head *);
int frame_get_head(const uint8_t buf[FRAME_HEAD_LEN], struct frame_head *);

/* Each 'put' writes a body and returns its length.  Each 'get' returns 0 or
 * -EBADMSG. */
size_t frame_put_challenge(uint8_t *, const struct frame_challenge *);
int frame_get_challenge(const uint8_t *, size_t, struct frame_challenge *);
size_t frame_put_hello(uint8_t *, const struct frame_hello *);
int frame_get_hello(const uint8_t *, size_t, struct frame_hello *);
size_t frame_put_welcome(uint8_t *, const struct frame_welcome *);
int frame_get_welcome(const uint8_t *, size_t, struct frame_welcome *);
size_t frame_put_refuse(uint8_t *, const struct frame_refuse *);
int frame_get_refuse(const uint8_t *, size_t, struct frame_refuse *);
size_t frame_put_snapshot(uint8_t *, const struct frame_snapshot *);
int frame_get_snapshot(const uint8_t *, size_t, struct frame_snapshot *);
size_t frame_put_record(uint8_t *, const struct frame_record *);
int frame_get_record(const uint8_t *, size_t, struct frame_record *);
size_t frame_put_verify(uint8_t *, const struct frame_verify *);
int frame_get_verify(const uint8_t *, size_t, struct frame_verify *);
size_t frame_put_verify_text(uint8_t *, const struct frame_verify_text *);
int frame_get_verify_text(const uint8_t *, size_t, struct frame_verify_text *);
size_t frame_put_pos(uint8_t *, const struct ha_pos *);
int frame_get_pos(const uint8_t *, size_t, struct ha_pos *);

/* The MAC over 'label', the peer's body and the own body without its MAC (its
 * last HMAC_BYTES bytes).  Zero without a key. */
struct frame_key {
    bool present;
    struct hmac_key key;
};

void frame_mac(const struct frame_key *, const char *label,
               const uint8_t *theirs, size_t theirs_len, const uint8_t *ours,
               size_t ours_len, uint8_t mac[HMAC_BYTES]);

/* True if 'mac' is the right one. */
bool frame_mac_is(const struct frame_key *, const char *label,
                  const uint8_t *theirs, size_t theirs_len,
                  const uint8_t *ours, size_t ours_len,
                  const uint8_t mac[HMAC_BYTES]);

#endif /* replica/frame.h */
