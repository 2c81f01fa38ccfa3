/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_MONO_H
#define HA_LIB_MONO_H 1

/* Monotonic time.
 *
 * Leases, timers and deadlines all count on CLOCK_BOOTTIME, which goes on
 * while the machine sleeps and never follows a change of the date.  The time
 * is a struct, so that a number of another unit cannot be mixed in by
 * mistake.  Used everywhere; the pure parts use only the inline functions and
 * never mono_now(). */

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t us; /* Microseconds since boot. */
} mono_t;

/* Earlier than, and later than, any time that the clock shows. */
#define MONO_MIN ((mono_t){ INT64_MIN })
#define MONO_NEVER ((mono_t){ INT64_MAX })

/* The time now. */
mono_t mono_now(void);

/* Returns 't' plus 'us' microseconds, which may be negative.  MONO_NEVER and
 * MONO_MIN stay what they are, and a sum out of range becomes one of them. */
static inline mono_t
mono_add_us(mono_t t, int64_t us)
{
    int64_t sum;

    if (t.us == INT64_MAX || t.us == INT64_MIN) {
        return t;
    }
    if (__builtin_add_overflow(t.us, us, &sum)) {
        return us > 0 ? MONO_NEVER : MONO_MIN;
    }
    return (mono_t){ sum };
}

static inline mono_t
mono_add_ms(mono_t t, int64_t ms)
{
    int64_t us;

    if (__builtin_mul_overflow(ms, 1000, &us)) {
        us = ms > 0 ? INT64_MAX : INT64_MIN;
    }
    return mono_add_us(t, us);
}

/* True if 'a' is strictly earlier than 'b'. */
static inline bool
mono_before(mono_t a, mono_t b)
{
    return a.us < b.us;
}

static inline mono_t
mono_min(mono_t a, mono_t b)
{
    return a.us < b.us ? a : b;
}

static inline mono_t
mono_max(mono_t a, mono_t b)
{
    return a.us > b.us ? a : b;
}

/* Microseconds from 'from' to 'to'; negative if 'to' is earlier.  Saturates,
 * so MONO_NEVER is INT64_MAX or nearly so away. */
static inline int64_t
mono_us_between(mono_t from, mono_t to)
{
    int64_t us;

    if (__builtin_sub_overflow(to.us, from.us, &us)) {
        us = to.us > from.us ? INT64_MAX : INT64_MIN;
    }
    return us;
}

/* Milliseconds from 'now' until 't', rounded up, as poll() wants them: 0 if
 * 't' has come, -1 for MONO_NEVER, INT_MAX at most. */
static inline int
mono_ms_until(mono_t now, mono_t t)
{
    int64_t us = mono_us_between(now, t);

    if (t.us == INT64_MAX) {
        return -1;
    }
    if (us <= 0) {
        return 0;
    }
    us = us / 1000 + (us % 1000 != 0);
    return us > INT32_MAX ? INT32_MAX : (int) us;
}

#endif /* HA_LIB_MONO_H */
