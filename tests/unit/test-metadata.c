/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/metadata.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define ACTIONS                                                            \
    "<actions>\n<action name=\"on\" "                                      \
    "automatic=\"0\"/>\n<action name=\"off\" />\n<action name=\"status\" " \
    "/>\n<action name='monitor'/></actions>"

static const char good[] =
    "<?xml version=\"1.0\" ?>\n<resource-agent name=\"fence_x\">\n"
    "<longdesc>name=\"trap\" of <parameter </longdesc>\n"
    "<parameters>\n<parameter name=\"action\" unique=\"0\">\n"
    "<parameter unique = \"0\" name = \"ip\" required=\"1\">\n"
    "<parameter name=\"password\" unique=\"0\" obsoletes=\"passwd\">\n"
    "<parameter other=\"name\">\n"
    "</parameters>\n" ACTIONS "\n</resource-agent>";

static void
assert_check(const char *xml, const char *params, int error, const char *want)
{
    char why[160] = "";

    assert_int_equal(metadata_check(xml, params, why, sizeof why), error);
    assert_string_equal(why, want);
}

static void
known(void **state)
{
    (void) state;
    assert_check(good, "", 0, "");
    assert_check(good, "ip=192.0.2.1\n@password=/etc/secret\n", 0, "");
    assert_check(good, "ip=a=b", 0, "");
}

static void
unknown(void **state)
{
    (void) state;
    assert_check(good, "ip=1\nipp=1\n", -EINVAL,
                 "the agent has no parameter \"ipp\"");
    assert_check(good, "i=1\n", -EINVAL, "the agent has no parameter \"i\"");
    assert_check(good, "@passwd=/x\n", -EINVAL,
                 "the agent has no parameter \"passwd\"");
    assert_check(good, "trap=1\n", -EINVAL,
                 "the agent has no parameter \"trap\"");
    assert_check(good, "name=1\n", -EINVAL,
                 "the agent has no parameter \"name\"");
    /* An action is none. */
    assert_check(good, "off=1\n", -EINVAL,
                 "the agent has no parameter \"off\"");
}

static void
actions(void **state)
{
    char text[sizeof good];
    char *p;

    (void) state;
    memcpy(text, good, sizeof text);
    p = strstr(text, "\"status\"");
    memcpy(p, "\"statue\"", 8);
    assert_check(text, "", -ENOTSUP, "the agent has no action \"status\"");
}

static void
nonsense(void **state)
{
    static const char *const texts[] = { "", "usage: fence_x", "<", "<a",
                                         "<parameter name=" };
    static const char *const broken[] = {
        "<resource-agent <parameter",
        "<resource-agent <action name",
        "<resource-agent <action name=",
        "<resource-agent <action name=\"off",
        "<resource-agent <action name=off>",
    };

    (void) state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_check(texts[i], "", -ENOMSG,
                     "what it prints as its metadata is none");
    }
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_check(broken[i], "", -ENOTSUP,
                     "the agent has no action \"off\"");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known),
        cmocka_unit_test(unknown),
        cmocka_unit_test(actions),
        cmocka_unit_test(nonsense),
    };

    return cmocka_run_group_tests_name("metadata", tests, NULL, NULL);
}
