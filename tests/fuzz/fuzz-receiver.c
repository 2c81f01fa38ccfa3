/* SPDX-License-Identifier: Apache-2.0 */

/* The receiver's side of a session: the input is what a source, or who claims
 * to be one, says to it, as whole frames or as raw bytes; good frames carry
 * snapshots and records of the input's JSON.  The own server is played here,
 * over a real shadow.  What must hold: without the key nothing is applied, and
 * what is applied continues what is here. */

#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "util.h"

#include "lib/digest.h"
#include "lib/log.h"
#include "replica/applier.h"
#include "replica/dbserver.h"
#include "replica/giveway.h"
#include "replica/lost.h"
#include "replica/finding.h"
#include "replica/oplog.h"
#include "replica/receiver.h"
#include "replica/shrink.h"
#include "tests/fuzz/logfile.h"
#include "tests/fuzz/wire.h"

#define ROUNDS 64 /* Of the loop, at most, after the last input. */
#define SNAPSHOT_MAX 8192

static const struct ha_epoch epoch = { 4, 1 };
static const char *db_path, *points_path;

/* The own server's side. */
struct applier {
    struct oplog *log;
    struct shadow *shadow;
    struct ha_pos sent;
    bool failed;
};

/* This session. */
static struct applier own;
static struct ha_pos said; /* After the last record that was said. */
static struct shrink guard;
static bool with_key;

/* ---- In place of replica/applier.c and replica/dbserver.c ---------------- */

bool
applier_prepare(struct applier *a)
{
    return !a->failed;
}

bool
applier_is_prepared(const struct applier *a)
{
    return !a->failed;
}

bool
applier_is_loaded(const struct applier *a)
{
    return !a->failed;
}

bool
applier_is_busy(const struct applier *a)
{
    return a->failed;
}

bool
applier_has_room(const struct applier *a)
{
    return !a->failed;
}

const char *
applier_failure(const struct applier *a)
{
    return a->failed ? "the own server refuses" : NULL;
}

struct ha_pos
applier_sent(const struct applier *a)
{
    return a->sent;
}

struct ha_pos
applier_durable(const struct applier *a)
{
    return a->sent;
}

const struct shadow *
applier_shadow(const struct applier *a)
{
    return a->shadow;
}

static bool
allow(const struct shadow_effect *effect, void *aux)
{
    (void) aux;
    return effect != NULL;
}

int
applier_add(struct applier *a, const char *body, const struct ha_pos *pos,
            bool last)
{
    struct json *ops = json_array_create_empty();
    char why[SHADOW_WHY_LEN];

    assert(!with_key && (last || !last));
    assert(pos->lineage == a->sent.lineage && pos->seq > a->sent.seq);
    a->failed = shadow_apply(a->shadow, body, ops, allow, NULL, why) < 0;
    a->sent = *pos;
    json_destroy(ops);
    return a->failed ? -EIO : 0;
}

int
applier_resync(struct applier *a, const struct json *record,
               const struct ha_pos *pos)
{
    struct json *ops = json_array_create_empty();
    char why[SHADOW_WHY_LEN];

    assert(!with_key && pos->lineage);
    a->failed = shadow_apply_json(a->shadow, record, ops, why) < 0;
    json_destroy(ops);
    if (a->failed) {
        return -EIO;
    }
    a->sent = *pos;
    return oplog_set_pos(a->log, pos);
}

/* Only after a verification, which nobody asks for here. */
void
applier_forget(struct applier *a)
{
    assert(!a);
}

bool
dbserver_is_ready(const struct dbserver *server)
{
    return server == NULL;
}

const char *
dbserver_schema(const struct dbserver *server)
{
    return server ? NULL : logfile_schema;
}

/* Nothing comes of it, as if the server had just gone away. */
void
dbserver_convert(struct dbserver *server, const char *schema)
{
    assert(!server && schema);
}

char *
dbserver_take_refusal(struct dbserver *server)
{
    assert(!server);
    return NULL;
}

/* What gives way is neither copied nor reported. */
struct giveway *
giveway_create(const struct giveway_config *cfg)
{
    assert(cfg->state_dir && cfg->db == HA_NB && cfg->log && cfg->own
           && cfg->theirs);
    return (struct giveway *) &own;
}

int
giveway_run(struct giveway *g)
{
    return g ? 0 : 1;
}

const char *
giveway_path(const struct giveway *g)
{
    return g ? "nowhere" : NULL;
}

const char *
giveway_name(const struct giveway *g)
{
    return g ? "nothing" : NULL;
}

const struct lost_counts *
giveway_counts(const struct giveway *g)
{
    static const struct lost_counts none;

    return g ? &none : NULL;
}

void
giveway_destroy(struct giveway *g)
{
    assert(!g || g == (struct giveway *) &own);
}

/* ---- The source ---------------------------------------------------------- */

static void
say_challenge(struct fuzz *in)
{
    struct frame_challenge m = {
        .version = fuzz_byte(in) ? FRAME_VERSION : 2,
        .caps = FRAME_CAP_KEY,
    };
    uint8_t body[FRAME_FIXED_MAX];

    wire_say(FRAME_CHALLENGE, body, frame_put_challenge(body, &m));
}

static void
say_welcome(struct fuzz *in)
{
    struct frame_welcome m = {
        .node = 2,
        .found = fuzz_byte(in),
        .head = own.sent,
    };
    uint8_t body[FRAME_FIXED_MAX];
    size_t n = frame_put_welcome(body, &m);
    uint8_t at = fuzz_byte(in);

    if (at < n) {
        body[at] ^= fuzz_byte(in);
    }
    wire_say(FRAME_WELCOME, body, n);
}

static void
say_schema(struct fuzz *in)
{
    uint8_t how = fuzz_byte(in);
    size_t n;
    const uint8_t *p = fuzz_bytes(in, how & 0x7f, &n);

    if (how & 0x80) {
        wire_say(FRAME_SCHEMA, p, n);
    } else {
        wire_say(FRAME_SCHEMA, logfile_schema, strlen(logfile_schema));
    }
}

static size_t
put_record(char *to, const void *body, size_t n)
{
    size_t len = logfile_header(body, n, to);

    memcpy(to + len, body, n);
    return len + n;
}

/* A snapshot with the schema and some records, in pieces. */
static void
say_snapshot(struct fuzz *in)
{
    struct frame_snapshot m = { .pos = own.sent };
    static char text[SNAPSHOT_MAX];
    uint8_t body[FRAME_FIXED_MAX];
    uint8_t how = fuzz_byte(in);
    size_t n = 0;

    if (how & 1) {
        n = put_record(text, logfile_schema, strlen(logfile_schema));
    }
    for (int i = 0; i < (how >> 4) && n < sizeof text - 600; i++) {
        size_t len;
        const uint8_t *p = fuzz_bytes(in, fuzz_byte(in) * 2, &len);

        if (len) {
            n += put_record(text + n, p, len);
        }
    }
    m.pos.seq += how & 2;
    m.pos.epoch = epoch;
    m.bytes = how & 4 ? fuzz_byte(in) : n;
    said = m.pos;
    wire_say(FRAME_SNAPSHOT, body, frame_put_snapshot(body, &m));
    for (size_t i = 0; i < n || !i; i += 1024) {
        wire_say(FRAME_DATA, text + i, MIN(n - i, 1024));
    }
}

/* A record that continues what was said, the rest of it in MORE. */
static void
say_record(struct fuzz *in)
{
    struct frame_record m = { .flags = fuzz_byte(in) & FRAME_RECORD_RELAYED };
    uint8_t how = fuzz_byte(in), body[FRAME_FIXED_MAX + 512];
    size_t n, first, head;
    const uint8_t *p = fuzz_bytes(in, fuzz_byte(in) * 2, &n);

    digest_sha1(p, n, m.sha1);
    m.pos = record_next_pos(&said, epoch, m.sha1);
    m.pos.seq += how & 1;
    m.pos.chain ^= how & 2;
    m.sha1[0] ^= how & 4;
    m.bytes = how & 8 ? (uint64_t) fuzz_byte(in) << 20 : n;
    said = m.pos;
    first = how & 16 ? n / 2 : n;
    head = frame_put_record(body, &m);
    memcpy(body + head, p, first);
    wire_say(FRAME_RECORD, body, head + first);
    if (first < n) {
        wire_say(FRAME_MORE, p + first, n - first);
    }
}

static void
say_raw(struct fuzz *in, bool framed)
{
    uint16_t type = fuzz_byte(in);
    size_t n;
    const uint8_t *p = fuzz_bytes(in, fuzz_byte(in), &n);

    if (framed) {
        wire_say(type & 0x80 ? type | FRAME_OPTIONAL : type, p, n);
    } else {
        wire_say_bytes(p, n);
    }
}

static void
act(struct fuzz *in)
{
    uint8_t op = fuzz_byte(in), body[FRAME_FIXED_MAX];
    size_t n;
    const uint8_t *p;

    switch (op % 9) {
    case 0:
        say_challenge(in);
        break;
    case 1:
        say_welcome(in);
        break;
    case 2:
        say_schema(in);
        break;
    case 3:
        say_snapshot(in);
        break;
    case 4:
        say_record(in);
        break;
    case 5:
        wire_say(FRAME_HEARTBEAT, body, frame_put_pos(body, &said));
        break;
    case 6:
        p = fuzz_bytes(in, 200, &n);
        wire_say(FRAME_REFUSE, p, n);
        break;
    case 7:
        say_raw(in, true);
        break;
    case 8:
        say_raw(in, false);
        break;
    }
}

/* ---- The session --------------------------------------------------------- */

static void
heard(uint16_t type, const uint8_t *body, size_t n)
{
    struct frame_hello hello;
    struct ha_pos pos;

    if (type == FRAME_HELLO) {
        assert(!frame_get_hello(body, n, &hello) && hello.node == 1);
    } else if (type == FRAME_KNOCK) {
        assert(!n);
    } else {
        assert(type == FRAME_ACK && !frame_get_pos(body, n, &pos));
    }
}

static void
prepare(void)
{
    if (!db_path) {
        db_path = logfile_path("db");
        points_path = logfile_path("db.pos");
        ha_log_to_stderr(false);
        vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    }
}

/* A node with a database of a few rows, as far as record 1 of the source. */
static void
own_begin(void)
{
    static const char row[] =
        "{\"_date\":1,\"Root\":{\"00000000-0000-4000-8000-000000000001\":"
        "{\"name\":\"a\",\"n\":1}}}";
    struct ha_pos base = { .lineage = 7, .epoch = epoch, .seq = 1 };
    char why[SHADOW_WHY_LEN];

    logfile_begin(db_path, false);
    logfile_append_record(db_path, row, strlen(row));
    own.log = oplog_create(db_path, points_path);
    assert(!oplog_catch_up(own.log) && !oplog_set_pos(own.log, &base));
    own.shadow = shadow_create(own.log->gen->fd, own.log->gen->end, NULL);
    assert(!shadow_load(own.shadow, SIZE_MAX / 2, why));
    own.sent = said = base;
    own.failed = false;
}

static void
source_address(struct wire_node *node)
{
    struct sockaddr_in *in = (struct sockaddr_in *) &node->addr;

    node->id = 2;
    in->sin_family = AF_INET;
    inet_pton(AF_INET, WIRE_PEER, &in->sin_addr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz in = { .p = data, .n = n };
    struct wire_r_role role = { .lineage = 7, .epoch = epoch };
    struct wire_r_status status = { .role = 0 };
    uint8_t mode = fuzz_byte(&in);
    struct frame_key key = { .present = mode & 1 };
    struct finding finding = { .differs = false };
    struct receiver_config cfg = {
        .db = HA_NB,
        .self = 1,
        .key = &key,
        .guard = &guard,
        .state_dir = logfile_folder(),
        .finding = &finding,
        .file = db_path,
    };
    struct receiver *r;

    prepare();
    with_key = key.present;
    if (with_key) {
        hmac_key_derive(&key.key, "secret", 6, "replication 1");
    }
    source_address(&role.source);
    role.source_port = 1;
    own_begin();
    shrink_init(&guard, 0, 0);
    wire_begin(mode >> 4, heard);
    r = receiver_create(&cfg, own.log, NULL, &own);
    receiver_follow(r, &role);
    do {
        receiver_run(r);
        act(&in);
    } while (in.n);
    for (int i = 0; i < ROUNDS && wire_is_busy(); i++) {
        receiver_run(r);
    }
    receiver_run(r);
    receiver_get_status(r, &status);
    assert(memchr(status.why, '\0', sizeof status.why));
    receiver_destroy(r);
    shadow_destroy(own.shadow);
    oplog_destroy(own.log);
    assert(!wire_is_open());
    return 0;
}
