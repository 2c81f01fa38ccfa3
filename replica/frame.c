/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/frame.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MAC_INPUT_LEN (32 + 2 * FRAME_FIXED_MAX)

/* ---- Numbers ------------------------------------------------------------- */

static uint8_t *
put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 3; i >= 0; i--) {
        *p++ = v >> (8 * i);
    }
    return p;
}

static uint8_t *
put_u64(uint8_t *p, uint64_t v)
{
    return put_u32(put_u32(p, v >> 32), v & UINT32_MAX);
}

static uint8_t *
put_bytes(uint8_t *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

static uint32_t
get_u32(const uint8_t **p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        v = v << 8 | *(*p)++;
    }
    return v;
}

static uint64_t
get_u64(const uint8_t **p)
{
    uint64_t hi = get_u32(p);

    return hi << 32 | get_u32(p);
}

static void
get_bytes(const uint8_t **p, void *bytes, size_t n)
{
    memcpy(bytes, *p, n);
    *p += n;
}

static uint8_t *
put_pos(uint8_t *p, const struct ha_pos *pos)
{
    p = put_u64(p, pos->lineage);
    p = put_u32(p, pos->epoch.n);
    p = put_u32(p, pos->epoch.node);
    p = put_u64(p, pos->seq);
    return put_u64(p, pos->chain);
}

static void
get_pos(const uint8_t **p, struct ha_pos *pos)
{
    memset(pos, 0, sizeof *pos);
    pos->lineage = get_u64(p);
    pos->epoch.n = get_u32(p);
    pos->epoch.node = get_u32(p);
    pos->seq = get_u64(p);
    pos->chain = get_u64(p);
}

/* ---- Bodies -------------------------------------------------------------- */

void
frame_put_head(uint8_t buf[FRAME_HEAD_LEN], const struct frame_head *h)
{
    put_u32(put_u32(buf, h->len), (uint32_t) h->type << 16);
}

int
frame_get_head(const uint8_t buf[FRAME_HEAD_LEN], struct frame_head *h)
{
    const uint8_t *p = buf;

    h->len = get_u32(&p);
    h->type = get_u32(&p) >> 16;
    return h->len > FRAME_BODY_MAX ? -EBADMSG : 0;
}

size_t
frame_put_challenge(uint8_t *buf, const struct frame_challenge *m)
{
    uint8_t *p = put_u32(put_u32(buf, m->version), m->caps);

    return put_bytes(p, m->nonce, sizeof m->nonce) - buf;
}

int
frame_get_challenge(const uint8_t *p, size_t n, struct frame_challenge *m)
{
    if (n < FRAME_CHALLENGE_LEN) {
        return -EBADMSG;
    }
    m->version = get_u32(&p);
    m->caps = get_u32(&p);
    get_bytes(&p, m->nonce, sizeof m->nonce);
    return 0;
}

size_t
frame_put_hello(uint8_t *buf, const struct frame_hello *m)
{
    uint8_t *p = put_u32(put_u32(buf, m->version), m->caps);

    p = put_u32(put_u32(p, m->db), m->node);
    p = put_u32(put_u32(put_u32(p, m->flags), m->epoch.n), m->epoch.node);
    p = put_bytes(put_pos(p, &m->pos), m->nonce, sizeof m->nonce);
    return put_bytes(p, m->mac, sizeof m->mac) - buf;
}

int
frame_get_hello(const uint8_t *p, size_t n, struct frame_hello *m)
{
    if (n < FRAME_HELLO_LEN) {
        return -EBADMSG;
    }
    m->version = get_u32(&p);
    m->caps = get_u32(&p);
    m->db = get_u32(&p);
    m->node = get_u32(&p);
    m->flags = get_u32(&p);
    m->epoch.n = get_u32(&p);
    m->epoch.node = get_u32(&p);
    get_pos(&p, &m->pos);
    get_bytes(&p, m->nonce, sizeof m->nonce);
    get_bytes(&p, m->mac, sizeof m->mac);
    return 0;
}

size_t
frame_put_welcome(uint8_t *buf, const struct frame_welcome *m)
{
    uint8_t *p = put_u32(put_u32(buf, m->node), m->found);

    return put_bytes(put_pos(p, &m->head), m->mac, sizeof m->mac) - buf;
}

int
frame_get_welcome(const uint8_t *p, size_t n, struct frame_welcome *m)
{
    if (n < FRAME_WELCOME_LEN) {
        return -EBADMSG;
    }
    m->node = get_u32(&p);
    m->found = get_u32(&p);
    get_pos(&p, &m->head);
    get_bytes(&p, m->mac, sizeof m->mac);
    return 0;
}

size_t
frame_put_refuse(uint8_t *buf, const struct frame_refuse *m)
{
    uint8_t *p = put_u32(buf, m->code);

    return put_bytes(p, m->text, strnlen(m->text, sizeof m->text - 1)) - buf;
}

int
frame_get_refuse(const uint8_t *p, size_t n, struct frame_refuse *m)
{
    if (n < 4) {
        return -EBADMSG;
    }
    m->code = get_u32(&p);
    n -= 4;
    n = n < sizeof m->text - 1 ? n : sizeof m->text - 1;
    memcpy(m->text, p, n);
    m->text[n] = '\0';
    return 0;
}

size_t
frame_put_snapshot(uint8_t *buf, const struct frame_snapshot *m)
{
    return put_u64(put_pos(buf, &m->pos), m->bytes) - buf;
}

int
frame_get_snapshot(const uint8_t *p, size_t n, struct frame_snapshot *m)
{
    if (n < FRAME_SNAPSHOT_LEN) {
        return -EBADMSG;
    }
    get_pos(&p, &m->pos);
    m->bytes = get_u64(&p);
    return 0;
}

size_t
frame_put_record(uint8_t *buf, const struct frame_record *m)
{
    uint8_t *p = put_u32(put_pos(buf, &m->pos), m->flags);

    p = put_bytes(p, m->sha1, sizeof m->sha1);
    return put_u64(p, m->bytes) - buf;
}

int
frame_get_record(const uint8_t *p, size_t n, struct frame_record *m)
{
    if (n < FRAME_RECORD_LEN) {
        return -EBADMSG;
    }
    get_pos(&p, &m->pos);
    m->flags = get_u32(&p);
    get_bytes(&p, m->sha1, sizeof m->sha1);
    m->bytes = get_u64(&p);
    if (!m->bytes || m->bytes > RECORD_BODY_MAX
        || n - FRAME_RECORD_LEN > m->bytes) {
        return -EBADMSG;
    }
    return 0;
}

size_t
frame_put_pos(uint8_t *buf, const struct ha_pos *pos)
{
    return put_pos(buf, pos) - buf;
}

int
frame_get_pos(const uint8_t *p, size_t n, struct ha_pos *pos)
{
    if (n < FRAME_POS_LEN) {
        return -EBADMSG;
    }
    get_pos(&p, pos);
    return 0;
}

size_t
frame_put_verify(uint8_t *buf, const struct frame_verify *m)
{
    return put_pos(put_u32(put_u32(buf, m->id), 0), &m->pos) - buf;
}

int
frame_get_verify(const uint8_t *p, size_t n, struct frame_verify *m)
{
    if (n < FRAME_VERIFY_LEN) {
        return -EBADMSG;
    }
    m->id = get_u32(&p);
    get_u32(&p);
    get_pos(&p, &m->pos);
    return m->id ? 0 : -EBADMSG;
}

size_t
frame_put_verify_text(uint8_t *buf, const struct frame_verify_text *m)
{
    return put_u32(put_u32(buf, m->id), m->code) - buf;
}

int
frame_get_verify_text(const uint8_t *p, size_t n, struct frame_verify_text *m)
{
    if (n < FRAME_VERIFY_TEXT_LEN) {
        return -EBADMSG;
    }
    m->id = get_u32(&p);
    m->code = get_u32(&p);
    return 0;
}

/* Lays out what a MAC is over: fixed places, so that no two inputs give the
 * same bytes. */
static size_t
mac_input(uint8_t in[MAC_INPUT_LEN], const char *label, const uint8_t *theirs,
          size_t theirs_len, const uint8_t *ours, size_t ours_len)
{
    assert(strlen(label) <= 32 && theirs_len <= FRAME_FIXED_MAX
           && ours_len <= FRAME_FIXED_MAX && ours_len >= HMAC_BYTES);
    memset(in, 0, MAC_INPUT_LEN);
    memcpy(in, label, strlen(label));
    memcpy(in + 32, theirs, theirs_len);
    memcpy(in + 32 + FRAME_FIXED_MAX, ours, ours_len - HMAC_BYTES);
    return MAC_INPUT_LEN;
}

void
frame_mac(const struct frame_key *key, const char *label,
          const uint8_t *theirs, size_t theirs_len, const uint8_t *ours,
          size_t ours_len, uint8_t mac[HMAC_BYTES])
{
    uint8_t in[MAC_INPUT_LEN];
    size_t n = mac_input(in, label, theirs, theirs_len, ours, ours_len);

    memset(mac, 0, HMAC_BYTES);
    if (key->present) {
        hmac_sign(&key->key, in, n, mac);
    }
}

bool
frame_mac_is(const struct frame_key *key, const char *label,
             const uint8_t *theirs, size_t theirs_len, const uint8_t *ours,
             size_t ours_len, const uint8_t mac[HMAC_BYTES])
{
    uint8_t in[MAC_INPUT_LEN];
    size_t n = mac_input(in, label, theirs, theirs_len, ours, ours_len);

    return !key->present || hmac_verify(&key->key, in, n, mac, HMAC_BYTES);
}
