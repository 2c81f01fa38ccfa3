/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_H
#define FUZZ_H 1

/* What the fuzz targets share.
 *
 * A target is one file, tests/fuzz/fuzz-NAME.c, with one function that is
 * called for each input.  'make fuzz' links it with libFuzzer; 'make check'
 * links it with replay.c, which gives it the inputs in tests/fuzz/corpus/NAME.
 *
 * A target asserts what must hold for any input, and leaves nothing behind:
 * each input is judged alone. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What of an input is not used yet. */
struct fuzz {
    const uint8_t *p;
    size_t n;
};

/* The next byte; 0 if there is none. */
static inline uint8_t
fuzz_byte(struct fuzz *in)
{
    if (!in->n) {
        return 0;
    }
    in->n--;
    return *in->p++;
}

/* The next bytes, at most 'max': where they begin, and in '*ret_n' how many
 * they are. */
static inline const uint8_t *
fuzz_bytes(struct fuzz *in, size_t max, size_t *ret_n)
{
    const uint8_t *p = in->p;

    *ret_n = in->n < max ? in->n : max;
    in->p += *ret_n;
    in->n -= *ret_n;
    return p;
}

#endif /* tests/fuzz/fuzz.h */
