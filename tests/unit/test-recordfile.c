/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
make(struct ha_durable *d, uint32_t n_in_sync)
{
    memset(d, 0, sizeof *d);
    d->promised = (struct ha_ballot){ 7, 2 };
    d->accepted = (struct ha_ballot){ 6, 1 };
    d->rev = 3;
    d->record.lineage = 0xfedcba9876543210;
    d->record.epoch = (struct ha_epoch){ 12, 2 };
    d->record.active = 2;
    d->record.lease_us = 1000000;
    for (uint32_t i = 0; i < n_in_sync; i++) {
        ha_set_add(&d->record.in_sync, i + 1);
    }
}

static void
comes_back_as_it_was(void **state)
{
    struct ha_durable old, new;
    char text[RECORD_MAX];
    size_t size;

    (void) state;
    for (uint32_t n = 0; n <= HA_MAX_NODES; n++) {
        make(&old, n);
        if (n == 2) {
            ha_set_add(&old.record.suspects, 4294967295);
        }
        if (n == 3) {
            old.record.paused = HA_PAUSE_ON;
            old.record.paused_ms = 1764201600123;
        }
        if (n == 1) {
            old.alone = HA_ALONE_FORCED;
        }
        size = record_print(&old, text);
        assert_int_equal(size, strlen(text));
        assert_int_equal(record_parse(text, &new), 0);
        assert_memory_equal(&old, &new, sizeof old);
    }
}

/* Any bit that flips on the disk is noticed, and nothing is returned. */
static void
no_flipped_bit_is_believed(void **state)
{
    struct ha_durable d, untouched;
    char text[RECORD_MAX];
    size_t n;

    (void) state;
    make(&d, 3);
    n = record_print(&d, text);
    memset(&d, 0xa5, sizeof d);
    untouched = d;
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text[i] ^= 1 << bit;
            if (text[i]) {
                assert_int_not_equal(record_parse(text, &d), 0);
            }
            text[i] ^= 1 << bit;
        }
    }
    assert_memory_equal(&d, &untouched, sizeof d);
}

static void
no_truncated_one_is_believed(void **state)
{
    struct ha_durable d;
    char text[RECORD_MAX];
    size_t n;

    (void) state;
    make(&d, 3);
    n = record_print(&d, text);
    for (size_t i = 0; i < n; i++) {
        char saved = text[i];

        text[i] = '\0';
        assert_int_not_equal(record_parse(text, &d), 0);
        text[i] = saved;
    }
}

static void
a_newer_version_is_told_apart(void **state)
{
    struct ha_durable d;

    (void) state;
    assert_int_equal(record_parse("ovn-ha record 2\nwhatever\n", &d),
                     -EPROTONOSUPPORT);
    assert_int_equal(record_parse("", &d), -EBADMSG);
}

static void
file(void **state)
{
    char dir[] = "/tmp/test-recordfile.XXXXXX", path[64];
    struct ha_durable old, new;

    (void) state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/record", dir);
    assert_int_equal(record_read(path, &new), -ENOENT);
    make(&old, 2);
    assert_int_equal(record_write(path, &old), 0);
    assert_int_equal(record_read(path, &new), 0);
    assert_memory_equal(&old, &new, sizeof old);
    assert_int_equal(truncate(path, 40), 0);
    assert_int_equal(record_read(path, &new), -EBADMSG);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
    assert_int_not_equal(record_write(path, &old), 0);
}

/* It is moved to a name that was not used yet. */
static void
set_aside(void **state)
{
    char folder[] = "/tmp/ovn-ha-record-XXXXXX", path[64], *first, *second;
    struct ha_durable d = { .rev = 7 }, back;

    (void) state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/record", folder);
    assert_int_equal(record_set_aside(path, folder, &first), -ENOENT);
    assert_int_equal(record_write(path, &d), 0);
    assert_int_equal(record_set_aside(path, folder, &first), 0);
    assert_int_equal(record_read(path, &back), -ENOENT);
    assert_int_equal(record_write(path, &d), 0);
    assert_int_equal(record_set_aside(path, folder, &second), 0);
    assert_string_not_equal(first, second);
    assert_int_equal(record_read(first, &back), 0);
    assert_int_equal(back.rev, 7);
    assert_int_equal(record_read(second, &back), 0);
    unlink(first);
    unlink(second);
    free(first);
    free(second);
    snprintf(path, sizeof path, "%s/diverged", folder);
    rmdir(path);
    rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(no_flipped_bit_is_believed),
        cmocka_unit_test(no_truncated_one_is_believed),
        cmocka_unit_test(a_newer_version_is_told_apart),
        cmocka_unit_test(file),
        cmocka_unit_test(set_aside),
    };

    return cmocka_run_group_tests_name("recordfile", tests, NULL, NULL);
}
