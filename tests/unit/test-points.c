/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/points.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-points.XXXXXX";
static char path[64];

static struct point
make_point(uint64_t off)
{
    struct point p = {
        .off = off,
        .record_off = off - 10,
        .mode = off % 2 ? POINTS_ACTIVE : POINTS_FOLLOW,
        .epoch = { off, 2 },
        .pos = {
            .lineage = 0xabcdef0123456789,
            .epoch = { 3, 4 },
            .seq = off * 2,
            .chain = 0x10 + off,
        },
    };

    memset(p.sha1, (int) off, sizeof p.sha1);
    return p;
}

static void
test_add(void **state)
{
    struct points ps = { .n = 0 };

    (void) state;
    for (uint64_t i = 0; i < POINTS_MAX + 5; i++) {
        struct point p = make_point(100 + i);

        points_add(&ps, &p);
    }
    assert_int_equal(ps.n, POINTS_MAX);
    assert_int_equal(ps.a[0].off, 105);
    assert_int_equal(ps.a[ps.n - 1].off, 100 + POINTS_MAX + 4);

    /* One at or before the end takes the place of what it contradicts. */
    struct point p = make_point(110);
    p.pos.seq = 1;
    points_add(&ps, &p);
    assert_int_equal(ps.n, 6);
    assert_int_equal(ps.a[5].off, 110);
    assert_int_equal(ps.a[5].pos.seq, 1);
}

static void
test_save_and_load(void **state)
{
    struct points ps = { .dev = 5, .ino = 6 }, got;

    (void) state;
    for (uint64_t i = 0; i < 3; i++) {
        struct point p = make_point(100 + i);

        points_add(&ps, &p);
    }
    assert_int_equal(points_load(path, &got), -ENOENT);
    assert_int_equal(points_save(path, &ps), 0);
    memset(&got, 0, sizeof got);
    assert_int_equal(points_load(path, &got), 0);
    assert_int_equal(got.n, 3);
    assert_int_equal(got.dev, 5);
    assert_int_equal(got.ino, 6);
    for (size_t i = 0; i < 3; i++) {
        assert_memory_equal(&got.a[i].pos, &ps.a[i].pos, sizeof ps.a[i].pos);
        assert_memory_equal(got.a[i].sha1, ps.a[i].sha1, RECORD_SHA1_LEN);
        assert_int_equal(got.a[i].off, ps.a[i].off);
        assert_int_equal(got.a[i].record_off, ps.a[i].record_off);
        assert_int_equal(got.a[i].mode, ps.a[i].mode);
        assert_int_equal(ha_epoch_cmp(got.a[i].epoch, ps.a[i].epoch), 0);
    }
}

/* Whatever is cut off, it is not taken for a whole file. */
static void
test_load_cut(void **state)
{
    struct points ps = { .dev = 5, .ino = 6 }, got;
    struct point p = make_point(100);
    struct stat st;

    (void) state;
    points_add(&ps, &p);
    assert_int_equal(points_save(path, &ps), 0);
    assert_int_equal(stat(path, &st), 0);
    for (off_t n = st.st_size - 1; n >= 0; n--) {
        assert_int_equal(truncate(path, n), 0);
        assert_int_equal(points_load(path, &got), -EBADMSG);
    }
}

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/nb.pos", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    unlink(path);
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_load_cut),
    };

    return cmocka_run_group_tests_name("points", tests, setup, teardown);
}
