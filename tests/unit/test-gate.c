/* SPDX-License-Identifier: Apache-2.0 */

/* A gate that has no server; with one it is tested on real ones, by
 * tests/cluster/test_fence.py. */

#include "fence/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* It is real time: what is due at once, for ever, is all that runs. */
static void
without_a_server_nothing_is_due(void **state)
{
    mono_t now = { 1000000 };
    struct gate g;

    (void) state;
    gate_init(&g, HA_NB);
    assert_int_equal(gate_next(&g).us, MONO_NEVER.us);
    gate_open(&g, now);
    gate_run(&g, now);
    assert_int_equal(gate_next(&g).us, MONO_NEVER.us);
    assert_true(gate_is_safe(&g));
    gate_close(&g);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_server_nothing_is_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
