/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EXPLORE_INTERN_H
#define TESTS_EXPLORE_INTERN_H 1

/* A table that holds each byte string once, and numbers it.
 *
 * Exists because millions of states of a cluster are made of some thousands
 * of states of nodes and messages: a state is a few numbers, equal states
 * have equal numbers, and nothing rests on hashes being different.  Strings
 * are kept without their zero words.  Used by search.c and model.c; never
 * forgets anything. */

#include <stddef.h>
#include <stdint.h>

struct intern {
    uint8_t *bytes; /* The strings, packed, one after another. */
    uint64_t n_bytes;
    uint64_t allocated;
    uint64_t *at; /* Where each number's string begins. */
    uint32_t n;
    uint32_t at_allocated;
    uint32_t *slots; /* Hash table of numbers, plus 1. */
    uint32_t n_slots;
};

/* The number of the 'size' bytes at 'data', a multiple of 4. */
uint32_t intern_put(struct intern *, const void *data, size_t size);
/* The same for what has parts in common with others: split into pieces, which
 * 'pieces' holds. */
uint32_t intern_put_large(struct intern *, struct intern *pieces,
                          const void *data, size_t size);
void intern_get_large(const struct intern *, const struct intern *pieces,
                      uint32_t number, void *data, size_t size);
/* Gets it back; 'size' as it was put. */
void intern_get(const struct intern *, uint32_t number, void *data,
                size_t size);
void intern_close(struct intern *);
/* Memory that it takes. */
uint64_t intern_bytes(const struct intern *);

#endif /* tests/explore/intern.h */
