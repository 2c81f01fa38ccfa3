/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/shrink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct shrink s;
static uint64_t seq;

static int
setup(void **state)
{
    (void) state;
    shrink_init(&s, 70, 100);
    shrink_begin(&s, (struct ha_epoch){ 1, 1 });
    seq = 10;
    return 0;
}

static struct ha_pos
at(uint64_t n)
{
    return (struct ha_pos){ .lineage = 1, .epoch = { 1, 1 }, .seq = n };
}

/* The next record, made in 'second'. */
static bool
apply(int second, uint64_t rows, uint64_t inserted, uint64_t deleted)
{
    struct ha_pos pos = at(++seq);

    return shrink_may_apply(&s, &pos, second * INT64_C(1000), rows, inserted,
                            deleted);
}

static bool
replace(uint64_t rows, uint64_t deleted)
{
    struct ha_pos pos = at(++seq);

    return shrink_may_replace(&s, &pos, rows, deleted);
}

/* One record: the share, exactly, and the least number of rows. */
static void
test_edges(void **state)
{
    (void) state;
    assert_true(apply(1, 1000, 0, 700));
    assert_null(shrink_asks(&s));
    setup(NULL);
    assert_false(apply(1, 1000, 0, 701));
    assert_int_equal(shrink_asks(&s)->rows, 1000);
    assert_int_equal(shrink_asks(&s)->lost, 701);
    assert_int_equal(shrink_asks(&s)->pos.seq, seq);
    setup(NULL);
    assert_true(apply(1, 99, 0, 99));
    setup(NULL);
    assert_false(apply(1, 100, 0, 100));
    setup(NULL);
    assert_false(apply(1, 1000, 1000, 1000));
}

static void
test_off(void **state)
{
    (void) state;
    shrink_init(&s, 0, 1);
    assert_true(apply(1, 1000, 0, 1000));
    assert_true(replace(1000, 1000));
}

/* Several records within a minute count together, and no longer. */
static void
test_window(void **state)
{
    (void) state;
    assert_true(apply(1, 1000, 0, 350));
    assert_true(apply(60, 650, 0, 350));
    assert_false(apply(61, 300, 0, 1));
    assert_int_equal(shrink_asks(&s)->rows, 1000);
    assert_int_equal(shrink_asks(&s)->lost, 701);
    setup(NULL);
    assert_true(apply(1, 1000, 0, 350));
    assert_true(apply(62, 650, 0, 350));
    assert_true(apply(63, 300, 0, 1));
}

/* What came and went within it is no loss. */
static void
test_churn(void **state)
{
    (void) state;
    assert_true(apply(1, 10, 1000, 0));
    for (int i = 0; i < 20; i++) {
        assert_true(apply(2 + i, 1010 - 50 * i, 0, 50));
    }
}

/* Many seconds, and a clock that is set back. */
static void
test_long_run(void **state)
{
    uint64_t rows = 100000;

    (void) state;
    for (int i = 0; i < 1000; i++) {
        assert_true(apply(i, rows, 0, 90));
        rows -= 90;
    }
    setup(NULL);
    assert_true(apply(1000, 1000, 0, 400));
    for (int i = 0; i < 100; i++) {
        assert_true(apply(5 + i, 600, 0, 0));
    }
    assert_false(apply(110, 600, 0, 310));
}

static void
test_accept_records(void **state)
{
    uint64_t until;

    (void) state;
    assert_false(shrink_accept(&s, 100));
    assert_false(apply(1, 1000, 0, 900));
    until = seq + 1;
    assert_false(shrink_accept(&s, seq - 1));
    assert_non_null(shrink_asks(&s));
    assert_true(shrink_accept(&s, until));
    assert_null(shrink_asks(&s));
    seq--;
    assert_true(apply(1, 1000, 0, 900));
    assert_true(apply(1, 100, 900, 100));
    /* That was all; what remained is what is guarded now. */
    assert_true(apply(2, 900, 0, 500));
    assert_false(apply(3, 400, 0, 300));
}

static void
test_accept_snapshot(void **state)
{
    (void) state;
    assert_true(replace(1000, 700));
    assert_false(replace(1000, 750));
    assert_true(shrink_accept(&s, seq));
    /* It lost a little more meanwhile; then most of what was to remain. */
    assert_true(replace(1000, 800));
    assert_false(replace(1000, 750));
    assert_true(shrink_accept(&s, seq));
    assert_false(replace(1000, 940));
    assert_int_equal(shrink_asks(&s)->lost, 940);
    /* An answer is for once. */
    assert_true(shrink_accept(&s, seq));
    assert_true(replace(1000, 940));
    assert_false(replace(1000, 940));
}

/* Another epoch is another question; the same one told again is not. */
static void
test_epochs(void **state)
{
    (void) state;
    assert_false(apply(1, 1000, 0, 900));
    shrink_begin(&s, (struct ha_epoch){ 1, 1 });
    assert_non_null(shrink_asks(&s));
    shrink_begin(&s, (struct ha_epoch){ 2, 2 });
    assert_null(shrink_asks(&s));
    assert_false(replace(1000, 900));
    assert_true(shrink_accept(&s, seq));
    shrink_begin(&s, (struct ha_epoch){ 3, 1 });
    assert_false(replace(1000, 900));
}

/* What a node deleted as the active is not held against its next one. */
static void
test_rows_of_an_earlier_epoch(void **state)
{
    (void) state;
    assert_true(apply(1, 1000, 1, 0));
    shrink_begin(&s, (struct ha_epoch){ 3, 1 });
    assert_true(apply(30, 100, 1, 0));
}

static void
test_tables(void **state)
{
    (void) state;
    assert_true(shrink_counts("Logical_Switch"));
    assert_true(shrink_counts("Port_Binding"));
    assert_false(shrink_counts("MAC_Binding"));
    assert_false(shrink_counts("FDB"));
    assert_false(shrink_counts("Logical_Flow"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_edges, setup),
        cmocka_unit_test_setup(test_off, setup),
        cmocka_unit_test_setup(test_window, setup),
        cmocka_unit_test_setup(test_rows_of_an_earlier_epoch, setup),
        cmocka_unit_test_setup(test_churn, setup),
        cmocka_unit_test_setup(test_long_run, setup),
        cmocka_unit_test_setup(test_accept_records, setup),
        cmocka_unit_test_setup(test_accept_snapshot, setup),
        cmocka_unit_test_setup(test_epochs, setup),
        cmocka_unit_test_setup(test_tables, setup),
    };

    return cmocka_run_group_tests_name("shrink", tests, NULL, NULL);
}
