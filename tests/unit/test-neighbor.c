/* SPDX-License-Identifier: Apache-2.0 */

/* Tests of fence/neighbor: frames byte by byte, and what is read from them. */

#include "fence/neighbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

static const struct neighbor_mac self = { { 2, 0, 0, 0, 0, 1 } };
static const struct wire_address v4 = { AF_INET, 24, { 192, 0, 2, 10 } };
static const struct wire_address v6 = {
    AF_INET6,
    64,
    { 0x20, 1, 0xd, 0xb8, [13] = 0xaa, 0xbb, 0xcc },
};

static uint8_t frame[NEIGHBOR_FRAME_MAX];
static struct neighbor_mac mac;

#define ARP_HEAD                                                            \
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, \
        6, 4, 0

static void
arp_frames(void **state)
{
    static const uint8_t probe[] = {
        ARP_HEAD, 1, 2, 0, 0, 0, 0, 1,   0, 0, 0,
        0,        0, 0, 0, 0, 0, 0, 192, 0, 2, 10
    };
    static const uint8_t gratuitous[] = { ARP_HEAD, 1, 2,   0,  0, 0, 0, 1,
                                          192,      0, 2,   10, 0, 0, 0, 0,
                                          0,        0, 192, 0,  2, 10 };
    static const uint8_t reply[] = { ARP_HEAD, 2,    2,    0,    0,    0,
                                     0,        1,    192,  0,    2,    10,
                                     0xff,     0xff, 0xff, 0xff, 0xff, 0xff,
                                     192,      0,    2,    10 };

    (void) state;
    assert_int_equal(neighbor_make_probe(&v4, &self, frame), sizeof probe);
    assert_memory_equal(frame, probe, sizeof probe);
    assert_int_equal(neighbor_make_announcement(&v4, &self, false, frame),
                     sizeof gratuitous);
    assert_memory_equal(frame, gratuitous, sizeof gratuitous);
    assert_int_equal(neighbor_make_announcement(&v4, &self, true, frame),
                     sizeof reply);
    assert_memory_equal(frame, reply, sizeof reply);
}

/* The internet checksum of all that is there comes to nothing. */
static void
assert_checksum(size_t n)
{
    uint32_t sum = (n - 54) + 58;

    for (size_t i = 22; i < n; i += 2) {
        sum += (uint32_t) frame[i] << 8 | frame[i + 1];
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    assert_int_equal(sum, 0xffff);
}

static void
nd_frames(void **state)
{
    static const uint8_t group_mac[] = { 0x33, 0x33, 0xff, 0xaa, 0xbb, 0xcc };
    static const uint8_t group[] = {
        0xff, 2, [11] = 1, 0xff, 0xaa, 0xbb, 0xcc
    };
    static const uint8_t all_mac[] = { 0x33, 0x33, 0, 0, 0, 1 };
    static const uint8_t nowhere[16];
    static const uint8_t option[] = { 2, 1, 2, 0, 0, 0, 0, 1 };

    (void) state;
    assert_int_equal(neighbor_make_probe(&v6, &self, frame), 78);
    assert_memory_equal(frame, group_mac, 6);
    assert_memory_equal(frame + 22, nowhere, 16); /* Its sender. */
    assert_memory_equal(frame + 38, group, sizeof group);
    assert_int_equal(frame[21], 255);
    assert_int_equal(frame[54], 135);
    assert_memory_equal(frame + 62, v6.bytes, 16);
    assert_checksum(78);

    assert_int_equal(neighbor_make_announcement(&v6, &self, false, frame), 86);
    assert_memory_equal(frame, all_mac, 6);
    assert_memory_equal(frame + 22, v6.bytes, 16);
    assert_int_equal(frame[54], 136);
    assert_int_equal(frame[58], 0x20); /* Overrides what was known. */
    assert_memory_equal(frame + 62, v6.bytes, 16);
    assert_memory_equal(frame + 78, option, 8);
    assert_checksum(86);
}

static enum neighbor_claim
read_as(const struct wire_address *a, size_t n)
{
    memset(&mac, 0, sizeof mac);
    return neighbor_read(frame, n, a, &mac);
}

static void
claims(void **state)
{
    const struct wire_address *both[] = { &v4, &v6 };

    (void) state;
    for (int i = 0; i < 2; i++) {
        const struct wire_address *a = both[i], *b = both[!i];
        struct wire_address other = *a;
        size_t n;

        other.bytes[3] ^= 1;
        n = neighbor_make_probe(a, &self, frame);
        assert_int_equal(read_as(a, n), NEIGHBOR_ASKS);
        assert_memory_equal(&mac, &self, sizeof mac);
        assert_int_equal(read_as(&other, n), NEIGHBOR_NONE);
        assert_int_equal(read_as(b, n), NEIGHBOR_NONE);
        for (int reply = 0; reply < 2; reply++) {
            n = neighbor_make_announcement(a, &self, reply, frame);
            assert_int_equal(read_as(a, n), NEIGHBOR_HAS);
            assert_memory_equal(&mac, &self, sizeof mac);
            assert_int_equal(read_as(&other, n), NEIGHBOR_NONE);
            assert_int_equal(read_as(b, n), NEIGHBOR_NONE);
        }
    }
}

/* Who asks for an address to speak to it does not want it. */
static void
questions(void **state)
{
    size_t n = neighbor_make_probe(&v4, &self, frame);

    (void) state;
    frame[31] = 99; /* The sender's address. */
    assert_int_equal(read_as(&v4, n), NEIGHBOR_NONE);
    n = neighbor_make_probe(&v6, &self, frame);
    frame[37] = 99;
    assert_int_equal(read_as(&v6, n), NEIGHBOR_NONE);
}

/* What comes from beyond a router, or is something else, says nothing. */
static void
strangers(void **state)
{
    size_t n = neighbor_make_announcement(&v6, &self, false, frame);

    (void) state;
    frame[21] = 254;
    assert_int_equal(read_as(&v6, n), NEIGHBOR_NONE);
    frame[21] = 255;
    frame[20] = 17;
    assert_int_equal(read_as(&v6, n), NEIGHBOR_NONE);
    frame[20] = 58;
    frame[54] = 134;
    assert_int_equal(read_as(&v6, n), NEIGHBOR_NONE);
    frame[54] = 136;
    for (size_t i = 0; i < 78; i++) {
        assert_int_equal(read_as(&v6, i), NEIGHBOR_NONE);
    }
    assert_int_equal(read_as(&v6, 78), NEIGHBOR_HAS);
    n = neighbor_make_announcement(&v4, &self, false, frame);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(read_as(&v4, i), NEIGHBOR_NONE);
    }
    for (size_t i = 15; i < 20; i++) {
        frame[i] ^= 8;
        assert_int_equal(read_as(&v4, n), NEIGHBOR_NONE);
        frame[i] ^= 8;
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arp_frames), cmocka_unit_test(nd_frames),
        cmocka_unit_test(claims),     cmocka_unit_test(questions),
        cmocka_unit_test(strangers),
    };

    return cmocka_run_group_tests_name("neighbor", tests, NULL, NULL);
}
