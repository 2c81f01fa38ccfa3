/* SPDX-License-Identifier: Apache-2.0 */

/* Which addresses are taken for ours; the test is the kernel. */

#include "fence/place.h"

#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#define ETH0 2
#define ETH1 3

static struct place place;
static struct rtnl_address there[8];
static unsigned int n_there, n_interrupted, n_removed;
static const mono_t now = { 1000000000 };

int
rtnl_create(struct rtnl **ret)
{
    *ret = (struct rtnl *) there;
    return 0;
}

void
rtnl_destroy(struct rtnl *r)
{
    (void) r;
}

int
rtnl_get_link(struct rtnl *r, const char *name, struct rtnl_link *ret)
{
    (void) r;
    assert_string_equal(name, "eth0");
    *ret = (struct rtnl_link){ .index = ETH0, .ethernet = true, .up = true };
    return 0;
}

/* One that is interrupted has told only half of it. */
int
rtnl_each_address(struct rtnl *r, rtnl_address_func *func, void *aux)
{
    unsigned int n = n_interrupted ? n_there / 2 : n_there;

    (void) r;
    for (unsigned int i = 0; i < n; i++) {
        func(aux, &there[i]);
    }
    if (n_interrupted) {
        n_interrupted--;
        return -EINTR;
    }
    return 0;
}

int
rtnl_set_address(struct rtnl *r, int index, const struct wire_address *a,
                 uint32_t valid_s)
{
    (void) r;
    (void) index;
    (void) a;
    (void) valid_s;
    return 0;
}

int
rtnl_del_address(struct rtnl *r, int index, const struct wire_address *a)
{
    (void) r;
    (void) index;
    (void) a;
    n_removed++;
    return 0;
}

static const struct wire_address vip = { AF_INET, 24, { 192, 0, 2, 9 } };
static const struct wire_address own = { AF_INET, 24, { 192, 0, 2, 1 } };

static int
setup(void **state)
{
    const struct wire_addresses want = { .n = 1,
                                         .interface = "eth0",
                                         .address = { vip } };

    (void) state;
    place_init(&place);
    place_set(&place, &want);
    there[0] = (struct rtnl_address){ ETH0, true, false, own };
    n_there = 1;
    n_interrupted = n_removed = 0;
    return 0;
}

static void
add(int index, bool forever, bool second)
{
    there[n_there++] = (struct rtnl_address){ index, forever, second, vip };
}

static const char *
judge(void)
{
    static char why[WIRE_WHY_LEN];

    assert_int_equal(place_look(&place, now), 0);
    place_judge(&place, why, now);
    assert_int_equal(place_leave(&place), 0);
    return why;
}

/* What the worker of an earlier life gave has a lifetime. */
static void
ours_is_removed_wherever_it_is(void **state)
{
    (void) state;
    add(ETH0, false, true);
    add(ETH1, false, false);
    assert_string_equal(judge(), "");
    assert_int_equal(n_removed, 2);
    assert_true(place.held[0] && !place.given[0]);
}

static void
a_nodes_own_address_stays(void **state)
{
    (void) state;
    add(ETH1, true, false);
    assert_non_null(strstr(judge(), "192.0.2.9 is an address of this node"));
    assert_int_equal(n_removed, 0);
    assert_true(place.unfit);

    /* Also where it belongs, as the first one of its network. */
    there[0] = (struct rtnl_address){ ETH0, true, false, vip };
    n_there = 1;
    assert_non_null(strstr(judge(), "192.0.2.9 is an address of this node"));
    assert_int_equal(n_removed, 0);
}

static void
one_added_to_a_network_is_taken_over(void **state)
{
    (void) state;
    add(ETH0, true, true);
    assert_string_equal(judge(), "");
    assert_int_equal(n_removed, 0);
    assert_true(place.held[0] && place.given[0] && !place.unfit);
}

static void
an_interrupted_look_is_begun_again(void **state)
{
    (void) state;
    add(ETH0, false, true);
    add(ETH1, false, true);
    n_interrupted = 3;
    assert_int_equal(place_look(&place, now), 0);
    assert_int_equal(place.n_found, 2);
    /* But not for ever. */
    n_interrupted = 1000;
    assert_int_equal(place_look(&place, now), -EINTR);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(NAME) cmocka_unit_test_setup(NAME, setup)
        T(ours_is_removed_wherever_it_is),
        T(a_nodes_own_address_stays),
        T(one_added_to_a_network_is_taken_over),
        T(an_interrupted_look_is_begun_again),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
