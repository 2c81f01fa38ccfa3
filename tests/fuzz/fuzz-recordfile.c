/* SPDX-License-Identifier: Apache-2.0 */

/* The record on disk: what is understood is the same when it is written
 * again.  The input lacks the checksum, which is added here, as no fuzzer
 * would find it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ha/record.h"
#include "lib/xalloc.h"
#include "tests/fuzz/fuzz.h"

/* As ha/record.c's. */
static uint64_t
checksum(const uint8_t *data, size_t n)
{
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ data[i]) * 0x100000001b3;
    }
    return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = ha_asprintf("%.*schecksum %016" PRIx64 "\n", (int) n,
                             (const char *) data, checksum(data, n));
    struct ha_durable d, again;
    char buf[RECORD_MAX], twice[RECORD_MAX];

    if (!record_parse(text, &d)) {
        assert(d.record.in_sync.n <= HA_MAX_NODES);
        assert(d.record.suspects.n <= HA_MAX_NODES);
        record_print(&d, buf);
        assert(!record_parse(buf, &again));
        record_print(&again, twice);
        assert(!strcmp(buf, twice));
    }
    free(text);
    return 0;
}
