/* SPDX-License-Identifier: Apache-2.0 */

/* The sender's side of a session: the input is what a receiver, or who claims
 * to be one, says to it, as whole frames or as raw bytes.  What must hold:
 * without the key nobody is told more than the challenge and a refusal, and a
 * snapshot goes to nobody but who names the epoch of this active node.  A
 * verification is answered, too, but not before the welcome. */

#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "openvswitch/vlog.h"
#include "util.h"

#include "lib/log.h"
#include "replica/oplog.h"
#include "replica/sender.h"
#include "tests/fuzz/logfile.h"
#include "tests/fuzz/wire.h"

#define N_RECORDS 20
#define ROUNDS 64 /* Of the loop, at most, after the last input. */

static const struct ha_epoch epoch = { 4, 1 };
static struct oplog *logs[2];            /* Of a standby, of an active node. */
static struct ha_pos pos[N_RECORDS + 1]; /* Those that both logs hold. */
static struct peers peers;

/* This session. */
static bool with_key, with_truth, told_epoch;
static size_t n_heard[FRAME_ACK + 1];

/* A log with records that were counted in 'epoch'. */
static struct oplog *
make_log(const char *path, const char *points_path)
{
    struct ha_pos base = { .lineage = 7, .epoch = epoch, .seq = 1 };
    struct oplog *log;

    logfile_begin(path, false);
    log = oplog_create(path, points_path);
    oplog_catch_up(log);
    assert(!oplog_begin_active(log, &base, epoch));
    pos[0] = base;
    for (int i = 1; i <= N_RECORDS; i++) {
        char body[64];

        logfile_append_record(path, body,
                              sprintf(body, "{\"_date\":%d,\"Root\":{}}", i));
        assert(!oplog_catch_up(log));
        pos[i] = log->gen->end_pos;
    }
    return log;
}

static void
prepare(void)
{
    if (logs[0]) {
        return;
    }
    ha_log_to_stderr(false);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    peers.n = 2;
    for (uint32_t i = 0; i < peers.n; i++) {
        struct sockaddr_in *in = (struct sockaddr_in *) &peers.nodes[i].addr;

        peers.nodes[i].id = i + 1;
        in->sin_family = AF_INET;
        inet_pton(AF_INET, WIRE_PEER, &in->sin_addr);
    }
    logs[0] = make_log(logfile_path("standby"), logfile_path("standby.pos"));
    oplog_begin_follow(logs[0]);
    logs[1] = make_log(logfile_path("active"), logfile_path("active.pos"));
}

/* Checks one frame of the sender. */
static void
heard(uint16_t type, const uint8_t *body, size_t n)
{
    struct frame_challenge challenge;
    struct frame_welcome welcome;
    struct frame_snapshot snapshot;
    struct frame_record record;
    struct frame_refuse refuse;
    struct frame_verify_text text;
    struct ha_pos head;

    if (type & FRAME_OPTIONAL) {
        assert(type == FRAME_FORK
                   ? !frame_get_pos(body, n, &head)
                   : type == FRAME_VERIFY_TEXT
                         && !frame_get_verify_text(body, n, &text));
        assert(n_heard[FRAME_WELCOME] == 1 && !with_key);
        return;
    }
    assert(type <= FRAME_ACK);
    n_heard[type]++;
    switch (type) {
    case FRAME_CHALLENGE:
        assert(!frame_get_challenge(body, n, &challenge));
        break;
    case FRAME_WELCOME:
        assert(!frame_get_welcome(body, n, &welcome) && welcome.node == 1);
        break;
    case FRAME_REFUSE:
        assert(!frame_get_refuse(body, n, &refuse) && refuse.text[0]);
        break;
    case FRAME_SCHEMA:
        assert(n_heard[FRAME_WELCOME] == 1);
        break;
    case FRAME_SNAPSHOT:
        assert(!frame_get_snapshot(body, n, &snapshot));
        assert(with_truth && told_epoch);
        break;
    case FRAME_DATA:
        assert(n_heard[FRAME_SNAPSHOT] == 1);
        break;
    case FRAME_RECORD:
        assert(!frame_get_record(body, n, &record));
        assert(n_heard[FRAME_SCHEMA] == 1);
        break;
    case FRAME_HEARTBEAT:
        assert(!frame_get_pos(body, n, &head));
        break;
    default:
        assert(!"a sender does not say this");
    }
    if (with_key) {
        assert(type == FRAME_CHALLENGE || type == FRAME_REFUSE);
    }
}

/* Says hello as a good receiver would, but for one byte of the input's. */
static void
say_hello(struct fuzz *in)
{
    struct frame_hello m = {
        .version = FRAME_VERSION,
        .caps = with_key ? FRAME_CAP_KEY : 0,
        .db = HA_NB,
        .node = 2,
        .epoch = epoch,
        .pos = pos[fuzz_byte(in) % (N_RECORDS + 1)],
        .flags = fuzz_byte(in) & FRAME_HELLO_SNAPSHOT,
    };
    uint8_t body[FRAME_FIXED_MAX];
    size_t n = frame_put_hello(body, &m);
    uint8_t at = fuzz_byte(in);

    if (at < n) {
        body[at] ^= fuzz_byte(in);
    }
    frame_get_hello(body, n, &m);
    told_epoch = told_epoch || !ha_epoch_cmp(m.epoch, epoch);
    wire_say(FRAME_HELLO, body, n);
}

static void
act(struct fuzz *in)
{
    uint8_t op = fuzz_byte(in);
    uint8_t body[FRAME_FIXED_MAX];
    struct ha_pos ack = pos[fuzz_byte(in) % (N_RECORDS + 1)];
    const uint8_t *p;
    size_t n;

    switch (op % 6) {
    case 0:
        say_hello(in);
        break;
    case 1:
        ack.seq += op & 0x80;
        ack.chain ^= op & 0x40;
        wire_say(FRAME_ACK, body, frame_put_pos(body, &ack));
        break;
    case 2: {
        uint16_t type = fuzz_byte(in) | (op & 0x80) << 8;

        /* What a raw hello says is not kept account of. */
        told_epoch = true;
        p = fuzz_bytes(in, fuzz_byte(in), &n);
        wire_say(type, p, n);
        break;
    }
    case 3:
        told_epoch = true;
        p = fuzz_bytes(in, fuzz_byte(in), &n);
        wire_say_bytes(p, n);
        break;
    case 4:
        p = fuzz_bytes(in, 200, &n);
        wire_say(FRAME_REFUSE, p, n);
        break;
    case 5:
        break; /* Let it run. */
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz in = { .p = data, .n = n };
    uint8_t mode = fuzz_byte(&in);
    struct frame_key key = { .present = mode & 1 };
    struct sender_config cfg = {
        .db = HA_NB,
        .self = 1,
        .listen = WIRE_PEER ":1",
        .key = &key,
        .peers = &peers,
    };
    struct sender *s;
    struct wire_r_peer peer;

    prepare();
    with_key = mode & 1;
    with_truth = mode & 2;
    told_epoch = false;
    memset(n_heard, 0, sizeof n_heard);
    if (with_key) {
        hmac_key_derive(&key.key, "secret", 6, "replication 1");
    }
    wire_begin(mode >> 4, heard);
    s = sender_create(&cfg, logs[with_truth]);
    sender_set_active(s, with_truth ? epoch : (struct ha_epoch){ .n = 0 });
    do {
        sender_run(s);
        act(&in);
    } while (in.n);
    for (int i = 0; i < ROUNDS && wire_is_busy(); i++) {
        sender_run(s);
    }
    wire_hang_up();
    sender_run(s);
    sender_get_peer(s, 0, &peer);
    sender_destroy(s);
    assert(n_heard[FRAME_CHALLENGE] == 1 && !wire_is_open());
    return 0;
}
