/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/explore/intern.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 2048
#define PIECE 256
#define MAX_PIECES (MAX_WORDS / 2)

static void *
grow(void *p, size_t size)
{
    p = realloc(p, size);
    if (!p) {
        abort();
    }
    return p;
}

/* Runs of zeros and of others in turn: their lengths, and the others. */
static uint32_t
pack(const uint32_t *words, uint32_t n, uint32_t *out)
{
    uint32_t used = 0;
    uint32_t i = 0;

    while (i < n) {
        uint32_t zeros = i;
        uint32_t head = used++;
        uint32_t start;

        while (i < n && !words[i]) {
            i++;
        }
        start = i;
        while (i < n && words[i]) {
            out[used++] = words[i++];
        }
        out[head] = (start - zeros) << 16 | (i - start);
    }
    return used;
}

static uint32_t
hash(const uint32_t *words, uint32_t n)
{
    uint64_t h = n;

    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return (uint32_t) (h ^ h >> 32);
}

static const uint32_t *
string_of(const struct intern *t, uint32_t number, uint32_t *ret_n)
{
    const uint8_t *p = t->bytes + t->at[number];
    uint64_t end = number + 1 < t->n ? t->at[number + 1] : t->n_bytes;

    *ret_n = (uint32_t) ((end - t->at[number]) / 4);
    return (const uint32_t *) (const void *) p;
}

static void
rehash(struct intern *t)
{
    t->n_slots = t->n_slots ? t->n_slots * 2 : 1024;
    free(t->slots);
    t->slots = calloc(t->n_slots, sizeof *t->slots);
    if (!t->slots) {
        abort();
    }
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t n;
        const uint32_t *words = string_of(t, i, &n);
        uint32_t slot = hash(words, n) & (t->n_slots - 1);

        while (t->slots[slot]) {
            slot = (slot + 1) & (t->n_slots - 1);
        }
        t->slots[slot] = i + 1;
    }
}

static uint32_t
add(struct intern *t, const uint32_t *words, uint32_t n)
{
    if (t->n == t->at_allocated) {
        t->at_allocated = t->at_allocated * 2 + 1024;
        t->at = grow(t->at, t->at_allocated * sizeof *t->at);
    }
    if (t->n_bytes + n * 4 > t->allocated) {
        t->allocated = t->allocated * 3 / 2 + n * 4 + (1 << 20);
        t->bytes = grow(t->bytes, t->allocated);
    }
    t->at[t->n] = t->n_bytes;
    memcpy(t->bytes + t->n_bytes, words, n * 4);
    t->n_bytes += n * 4;
    return t->n++;
}

uint32_t
intern_put(struct intern *t, const void *data, size_t size)
{
    static uint32_t packed[2 * MAX_WORDS];
    uint32_t n, slot;

    assert(size % 4 == 0 && size / 4 <= MAX_WORDS);
    if (t->n * 2 >= t->n_slots) {
        rehash(t);
    }
    n = pack(data, (uint32_t) (size / 4), packed);
    slot = hash(packed, n) & (t->n_slots - 1);
    for (; t->slots[slot]; slot = (slot + 1) & (t->n_slots - 1)) {
        uint32_t other_n;
        const uint32_t *other = string_of(t, t->slots[slot] - 1, &other_n);

        if (other_n == n && !memcmp(other, packed, n * 4)) {
            return t->slots[slot] - 1;
        }
    }
    t->slots[slot] = t->n + 1;
    return add(t, packed, n);
}

void
intern_get(const struct intern *t, uint32_t number, void *data, size_t size)
{
    uint32_t *out = data;
    uint32_t n;
    const uint32_t *words = string_of(t, number, &n);
    const uint32_t *end = words + n;

    memset(data, 0, size);
    while (words < end) {
        uint32_t head = *words++;

        out += head >> 16;
        memcpy(out, words, (head & 0xffff) * 4);
        out += head & 0xffff;
        words += head & 0xffff;
    }
}

static bool
is_zero(const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[PIECE];

    return !memcmp(bytes, zeros, size);
}

static size_t
piece_size(size_t size, uint32_t i)
{
    return size - i * PIECE < PIECE ? size - i * PIECE : PIECE;
}

uint32_t
intern_put_large(struct intern *t, struct intern *pieces, const void *data,
                 size_t size)
{
    uint32_t numbers[MAX_PIECES];
    uint32_t n = (uint32_t) ((size + PIECE - 1) / PIECE);
    const uint8_t *bytes = data;

    assert(n <= MAX_PIECES);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *piece = bytes + i * PIECE;
        size_t len = piece_size(size, i);

        numbers[i] =
            is_zero(piece, len) ? 0 : intern_put(pieces, piece, len) + 1;
    }
    return intern_put(t, numbers, n * sizeof numbers[0]);
}

void
intern_get_large(const struct intern *t, const struct intern *pieces,
                 uint32_t number, void *data, size_t size)
{
    uint32_t numbers[MAX_PIECES];
    uint32_t n = (uint32_t) ((size + PIECE - 1) / PIECE);
    uint8_t *bytes = data;

    intern_get(t, number, numbers, n * sizeof numbers[0]);
    memset(bytes, 0, size);
    for (uint32_t i = 0; i < n; i++) {
        if (numbers[i]) {
            intern_get(pieces, numbers[i] - 1, bytes + i * PIECE,
                       piece_size(size, i));
        }
    }
}

void
intern_close(struct intern *t)
{
    free(t->bytes);
    free(t->at);
    free(t->slots);
    memset(t, 0, sizeof *t);
}

uint64_t
intern_bytes(const struct intern *t)
{
    return t->allocated + t->at_allocated * sizeof *t->at
           + t->n_slots * sizeof *t->slots;
}
