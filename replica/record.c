/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/record.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"

/* Inside of JSON's strings a quote is escaped, so these texts can only be
 * members of the record's own object: columns never begin with '_'. */
#define COMMENT_LEAD "\"_comment\":\"ovn-ha:1 "
#define DATE_LEAD "\"_date\":"
#define DIFF "\"_is_diff\":true"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Parses decimal digits at '*p', before 'end'.  Moves '*p' behind them. */
static bool
parse_u64(const char **p, const char *end, uint64_t *ret)
{
    const char *q = *p;
    uint64_t v = 0;

    while (q < end && isdigit((unsigned char) *q)) {
        if (__builtin_mul_overflow(v, 10, &v)
            || __builtin_add_overflow(v, (uint64_t) (*q - '0'), &v)) {
            return false;
        }
        q++;
    }
    if (q == *p) {
        return false;
    }
    *p = q;
    *ret = v;
    return true;
}

static bool
parse_u32(const char **p, const char *end, uint32_t *ret)
{
    uint64_t v;

    if (!parse_u64(p, end, &v) || v > UINT32_MAX) {
        return false;
    }
    *ret = v;
    return true;
}

/* Parses exactly 16 hexadecimal digits. */
static bool
parse_hex64(const char **p, const char *end, uint64_t *ret)
{
    uint64_t v = 0;

    if (end - *p < 16) {
        return false;
    }
    for (int i = 0; i < 16; i++) {
        int digit = hex_digit((*p)[i]);

        if (digit < 0) {
            return false;
        }
        v = v << 4 | (uint64_t) digit;
    }
    *p += 16;
    *ret = v;
    return true;
}

static bool
parse_char(const char **p, const char *end, char c)
{
    if (*p < end && **p == c) {
        (*p)++;
        return true;
    }
    return false;
}

static bool
parse_sha1(const char **p, const char *end, uint8_t sha1[RECORD_SHA1_LEN])
{
    if (end - *p < 2 * RECORD_SHA1_LEN) {
        return false;
    }
    for (int i = 0; i < RECORD_SHA1_LEN; i++) {
        int hi = hex_digit((*p)[2 * i]);
        int lo = hex_digit((*p)[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return false;
        }
        sha1[i] = hi << 4 | lo;
    }
    *p += 2 * RECORD_SHA1_LEN;
    return true;
}

int
record_parse_header(const char *buf, size_t n,
                    struct record_header *ret_header)
{
    static const char lead[] = "OVSDB JSON ";
    size_t lead_len = sizeof lead - 1;
    struct record_header h;
    const char *p, *end;
    uint64_t len;

    if (memcmp(buf, lead, n < lead_len ? n : lead_len)) {
        return -EBADMSG;
    }
    end = memchr(buf, '\n', n < RECORD_HEADER_MAX ? n : RECORD_HEADER_MAX);
    if (!end) {
        return n < RECORD_HEADER_MAX ? -EAGAIN : -EBADMSG;
    }
    p = buf + lead_len;
    if (!parse_u64(&p, end, &len) || !len || len > RECORD_BODY_MAX
        || !parse_char(&p, end, ' ') || !parse_sha1(&p, end, h.sha1)
        || p != end) {
        return -EBADMSG;
    }
    h.header_len = end + 1 - buf;
    h.body_len = len;
    *ret_header = h;
    return 0;
}

void
record_format_sha1(const uint8_t sha1[RECORD_SHA1_LEN],
                   char hex[RECORD_HEX_LEN])
{
    for (int i = 0; i < RECORD_SHA1_LEN; i++) {
        snprintf(hex + 2 * i, 3, "%02x", sha1[i]);
    }
}

size_t
record_format_header(const char *body, size_t n, char buf[RECORD_HEADER_MAX])
{
    uint8_t sha1[RECORD_SHA1_LEN];
    char hex[RECORD_HEX_LEN];
    int len;

    digest_sha1(body, n, sha1);
    record_format_sha1(sha1, hex);
    len = snprintf(buf, RECORD_HEADER_MAX, "OVSDB JSON %zu %s\n", n, hex);
    assert(len > 0 && len < RECORD_HEADER_MAX);
    return len;
}

void
record_format_comment(enum record_kind kind,
                      const struct record_comment *comment,
                      char buf[RECORD_COMMENT_MAX])
{
    const struct ha_pos *pos = &comment->pos;
    char prev[24] = "-";
    int n;

    assert(kind != RECORD_PLAIN);
    if (kind == RECORD_APPLIED) {
        snprintf(prev, sizeof prev, "%" PRIu64, comment->prev);
    } else if (kind == RECORD_INSTALL) {
        snprintf(prev, sizeof prev, "@%020" PRIu64, comment->end);
    }
    n = snprintf(buf, RECORD_COMMENT_MAX,
                 "ovn-ha:1 %016" PRIx64 " %" PRIu32 ".%" PRIu32 " %" PRIu64
                 " %016" PRIx64 " %s",
                 pos->lineage, pos->epoch.n, pos->epoch.node, pos->seq,
                 pos->chain, prev);
    assert(n > 0 && n < RECORD_COMMENT_MAX);
}

enum record_kind
record_find_comment(const char *body, size_t n,
                    struct record_comment *ret_comment)
{
    struct record_comment c = { .prev = 0 };
    enum record_kind kind = RECORD_RESYNC;
    const char *end = body + n;
    const char *p;

    p = memmem(body, n, COMMENT_LEAD, strlen(COMMENT_LEAD));
    if (!p) {
        return RECORD_PLAIN;
    }
    p += strlen(COMMENT_LEAD);
    if (!parse_hex64(&p, end, &c.pos.lineage) || !parse_char(&p, end, ' ')
        || !parse_u32(&p, end, &c.pos.epoch.n) || !parse_char(&p, end, '.')
        || !parse_u32(&p, end, &c.pos.epoch.node) || !parse_char(&p, end, ' ')
        || !parse_u64(&p, end, &c.pos.seq) || !parse_char(&p, end, ' ')
        || !parse_hex64(&p, end, &c.pos.chain) || !parse_char(&p, end, ' ')) {
        return RECORD_PLAIN;
    }
    if (parse_char(&p, end, '@')) {
        kind = RECORD_INSTALL;
        if (!parse_u64(&p, end, &c.end)) {
            return RECORD_PLAIN;
        }
    } else if (!parse_char(&p, end, '-')) {
        kind = RECORD_APPLIED;
        if (!parse_u64(&p, end, &c.prev)) {
            return RECORD_PLAIN;
        }
    }
    /* The end of the comment, or "\n" as JSON writes it. */
    if (!parse_char(&p, end, '"') && !parse_char(&p, end, '\\')) {
        return RECORD_PLAIN;
    }
    *ret_comment = c;
    return kind;
}

bool
record_is_diff(const char *body, size_t n)
{
    return memmem(body, n, DIFF, strlen(DIFF)) != NULL;
}

int64_t
record_find_date(const char *body, size_t n)
{
    const char *p = memmem(body, n, DATE_LEAD, strlen(DATE_LEAD));
    uint64_t date;

    if (!p) {
        return 0;
    }
    p += strlen(DATE_LEAD);
    return parse_u64(&p, body + n, &date) && date <= INT64_MAX ? (int64_t) date
                                                               : 0;
}

uint64_t
record_chain(uint64_t prev, const uint8_t sha1[RECORD_SHA1_LEN])
{
    uint8_t in[8 + RECORD_SHA1_LEN], out[DIGEST_SHA256_LEN];
    uint64_t chain = 0;

    for (int i = 0; i < 8; i++) {
        in[i] = prev >> (56 - 8 * i);
    }
    memcpy(in + 8, sha1, RECORD_SHA1_LEN);
    digest_sha256(in, sizeof in, out);
    for (int i = 0; i < 8; i++) {
        chain = chain << 8 | out[i];
    }
    return chain;
}

struct ha_pos
record_next_pos(const struct ha_pos *pos, struct ha_epoch epoch,
                const uint8_t sha1[RECORD_SHA1_LEN])
{
    return (struct ha_pos){
        .lineage = pos->lineage,
        .epoch = epoch,
        .seq = pos->seq + 1,
        .chain = record_chain(pos->chain, sha1),
    };
}
