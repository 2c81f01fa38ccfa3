/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/mono.h"

#include <assert.h>
#include <time.h>

mono_t
mono_now(void)
{
    struct timespec ts;
    int error = clock_gettime(CLOCK_BOOTTIME, &ts);

    assert(!error);
    return (mono_t){ (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };
}
