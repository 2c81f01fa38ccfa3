/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a configuration fits to corosync's nodelist. */

#include "ha/settings.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ha/cluster.h"
#include "lib/durable.h"

static struct cluster cluster;
static char error[CLUSTER_ERROR_LEN];

static void
set4(struct sockaddr_storage *ss, const char *text)
{
    struct sockaddr_in sin = { .sin_family = AF_INET };

    assert_int_equal(inet_pton(AF_INET, text, &sin.sin_addr), 1);
    memcpy(ss, &sin, sizeof sin);
}

static void
set6(struct sockaddr_storage *ss, const char *text)
{
    struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };

    assert_int_equal(inet_pton(AF_INET6, text, &sin6.sin6_addr), 1);
    memcpy(ss, &sin6, sizeof sin6);
}

static bool
fits(const char *addresses)
{
    char path[] = "/tmp/test-settings.XXXXXX", text[200];
    int n =
        snprintf(text, sizeof text,
                 "[virtual-ip]\ninterface = eth0\naddress = %s\n", addresses);
    int fd = mkstemp(path);
    char *why = NULL;
    struct conf *conf;
    bool fit;

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(durable_write(path, text, n, 0600), 0);
    assert_int_equal(conf_load(path, true, &conf, &why), 0);
    fit = settings_fit(conf, &cluster, error, sizeof error);
    conf_destroy(conf);
    unlink(path);
    return fit;
}

static void
no_address_of_a_node(void **state)
{
    (void) state;
    cluster.n_nodes = 2;
    snprintf(cluster.nodes[0].name, sizeof cluster.nodes[0].name, "n1");
    snprintf(cluster.nodes[1].name, sizeof cluster.nodes[1].name, "n2");
    set4(&cluster.nodes[0].addr, "192.0.2.1");
    set4(&cluster.nodes[1].addr, "192.0.2.2");
    set4(&cluster.nodes[1].links[0], "198.51.100.2");
    set6(&cluster.nodes[1].links[1], "2001:db8::2");
    cluster.nodes[1].n_links = 2;

    assert_true(fits("192.0.2.9/24, 2001:db8::9/64"));
    assert_false(fits("192.0.2.1/24"));
    assert_non_null(strstr(error, "192.0.2.1/24 is the address of n1"));
    /* Nor on another network of corosync's. */
    assert_false(fits("192.0.2.9/24, 198.51.100.2/24"));
    assert_non_null(strstr(error, "198.51.100.2/24 is the address of n2"));
    assert_false(fits("2001:db8::2/64"));
    assert_non_null(strstr(error, "2001:db8::2/64 is the address of n2"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_address_of_a_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
