/* SPDX-License-Identifier: Apache-2.0 */

/* The bodies of the replication protocol, both directions: what is understood
 * is the same when it is written again, and nothing is longer than it says. */

#include "replica/frame.h"
#include "tests/fuzz/fuzz.h"

/* The fixed part of a body that was understood: written again from 'M', it is
 * what came. */
#define CHECK_BODY(NAME, LEN)                         \
    do {                                              \
        struct frame_##NAME m;                        \
        if (!frame_get_##NAME(p, n, &m)) {            \
            assert(n >= LEN);                         \
            assert(frame_put_##NAME(buf, &m) == LEN); \
            assert(!memcmp(buf, p, LEN));             \
        }                                             \
    } while (0)

static void
check_refuse(const uint8_t *p, size_t n)
{
    uint8_t buf[FRAME_FIXED_MAX];
    struct frame_refuse m;

    if (!frame_get_refuse(p, n, &m)) {
        assert(strnlen(m.text, sizeof m.text) < sizeof m.text);
        assert(frame_put_refuse(buf, &m) == 4 + strlen(m.text));
        assert(!memcmp(buf, p, 4 + strlen(m.text)));
    }
}

static void
check_record(const uint8_t *p, size_t n)
{
    uint8_t buf[FRAME_FIXED_MAX];
    struct frame_record m;

    CHECK_BODY(record, FRAME_RECORD_LEN);
    if (!frame_get_record(p, n, &m)) {
        assert(m.bytes && m.bytes <= RECORD_BODY_MAX);
        assert(n - FRAME_RECORD_LEN <= m.bytes);
    }
}

static void
check_pos(const uint8_t *p, size_t n)
{
    uint8_t buf[FRAME_FIXED_MAX];
    struct ha_pos pos;

    if (!frame_get_pos(p, n, &pos)) {
        assert(n >= FRAME_POS_LEN);
        assert(frame_put_pos(buf, &pos) == FRAME_POS_LEN);
        assert(!memcmp(buf, p, FRAME_POS_LEN));
    }
}

/* The word behind the id is of no meaning. */
static void
check_verify(const uint8_t *p, size_t n)
{
    uint8_t buf[FRAME_FIXED_MAX];
    struct frame_verify m;

    if (!frame_get_verify(p, n, &m)) {
        assert(n >= FRAME_VERIFY_LEN && m.id);
        assert(frame_put_verify(buf, &m) == FRAME_VERIFY_LEN);
        assert(!memcmp(buf, p, 4));
        assert(!memcmp(buf + 8, p + 8, FRAME_POS_LEN));
    }
}

static void
check_head(const uint8_t *p, size_t n)
{
    uint8_t buf[FRAME_HEAD_LEN];
    struct frame_head m;

    if (n >= FRAME_HEAD_LEN && !frame_get_head(p, &m)) {
        assert(m.len <= FRAME_BODY_MAX);
        frame_put_head(buf, &m);
        /* The last 16 bits are of no meaning. */
        assert(!memcmp(buf, p, FRAME_HEAD_LEN - 2));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = { .p = data, .n = size };
    uint8_t which = fuzz_byte(&in), buf[FRAME_FIXED_MAX];
    const uint8_t *p = in.p;
    size_t n = in.n;

    /* Those that a receiver may leave out have the uppermost bit. */
    switch (which & 0x80 ? FRAME_OPTIONAL | (which & 0x7f) : which) {
    case FRAME_CHALLENGE:
        CHECK_BODY(challenge, FRAME_CHALLENGE_LEN);
        break;
    case FRAME_HELLO:
        CHECK_BODY(hello, FRAME_HELLO_LEN);
        break;
    case FRAME_WELCOME:
        CHECK_BODY(welcome, FRAME_WELCOME_LEN);
        break;
    case FRAME_REFUSE:
        check_refuse(p, n);
        break;
    case FRAME_SNAPSHOT:
        CHECK_BODY(snapshot, FRAME_SNAPSHOT_LEN);
        break;
    case FRAME_RECORD:
        check_record(p, n);
        break;
    case FRAME_VERIFY:
        check_verify(p, n);
        break;
    case FRAME_VERIFY_TEXT:
        CHECK_BODY(verify_text, FRAME_VERIFY_TEXT_LEN);
        break;
    case FRAME_ACK:
    case FRAME_FORK:
    case FRAME_HEARTBEAT:
        check_pos(p, n);
        break;
    default:
        check_head(p, n);
        break;
    }
    return 0;
}
