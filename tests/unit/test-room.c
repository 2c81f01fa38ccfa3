/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct conf conf = { .low_mb = 100, .warn_mb = 500 };

/* With 'mb' free in one of two folders. */
static void
see(struct room *room, uint64_t mb)
{
    room->folders[0].free_bytes = UINT64_C(900) * ROOM_MB;
    room->folders[1].free_bytes = room->folders[1].own_bytes = mb * ROOM_MB;
    room->n = 2;
    room_judge(room, &conf);
}

/* A limit is passed once, and not left again by a little. */
static void
limits_have_two_sides(void **state)
{
    struct room room = { .n = 0 };

    (void) state;
    see(&room, 500);
    assert_false(room.tight || room.low);
    see(&room, 499);
    assert_true(room.tight && !room.low);
    see(&room, 100);
    assert_true(room.tight && !room.low);
    see(&room, 99);
    assert_true(room.tight && room.low);
    assert_ptr_equal(room_least(&room), &room.folders[1]);
    see(&room, 199);
    assert_true(room.low);
    see(&room, 200);
    assert_true(room.tight && !room.low);
    see(&room, 899);
    assert_true(room.tight);
    see(&room, 1000);
    assert_true(room.tight); /* The other folder has 900. */
    room.folders[0].free_bytes = UINT64_C(1000) * ROOM_MB;
    room_judge(&room, &conf);
    assert_false(room.tight || room.low);
}

static void
full_where_the_record_is(void **state)
{
    struct room room = { .n = 0 };

    (void) state;
    see(&room, 0);
    assert_true(room.low && !room.record_full); /* The databases' folder. */
    room.folders[1].record = true;
    see(&room, 0);
    assert_true(room.low && room.record_full);
    see(&room, 1);
    assert_true(room.low && room.record_full); /* A little more is not room. */
    see(&room, 2);
    assert_true(room.low && !room.record_full);
    see(&room, 1);
    assert_false(room.record_full);
    /* What others may not use is room for root. */
    room.folders[1].free_bytes = 0;
    room_judge(&room, &conf);
    assert_false(room.record_full);
}

static void
zero_is_no_limit(void **state)
{
    struct conf off = { .low_mb = 0, .warn_mb = 0 };
    struct room room = { .folders = { { .free_bytes = 0 } }, .n = 1 };

    (void) state;
    room_judge(&room, &off);
    assert_false(room.tight || room.low);
}

static void
each_folder_once(void **state)
{
    char etc[] = "/etc", nb[] = "/etc/nb.db", sb[] = "/no/such/folder/sb.db",
         top[] = "/nb.db";
    struct conf real = { .nb_db = nb, .sb_db = sb, .state_dir = etc };
    struct room room = { .n = 0 };

    (void) state;
    room_look(&room, &real);
    assert_int_equal(room.n, 1);
    assert_string_equal(room.folders[0].path, "/etc");
    assert_true(room.folders[0].free_bytes > 0);
    real.nb_db = top;
    room_look(&room, &real);
    assert_int_equal(room.n, 2);
    assert_string_equal(room.folders[0].path, "/");
    /* A witness has no databases. */
    real.witness = true;
    room_look(&room, &real);
    assert_int_equal(room.n, 1);
    room_close(&room);
    assert_null(room_least(&room));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_have_two_sides),
        cmocka_unit_test(full_where_the_record_is),
        cmocka_unit_test(zero_is_no_limit),
        cmocka_unit_test(each_folder_once),
    };

    return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
