/* SPDX-License-Identifier: Apache-2.0 */

#include "ha/drillbook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* A drill of node 2. */
#define TOKEN 77

static struct drillbook_note
note(enum drillbook_note_kind kind, uint64_t token, const char *name)
{
    struct drillbook_note n = { .kind = kind, .token = token };

    snprintf(n.name, sizeof n.name, "%s", name);
    return n;
}

static void
take(struct drillbook *b, uint32_t from, enum drillbook_note_kind kind,
     uint64_t token, const char *name)
{
    struct drillbook_note n = note(kind, token, name);

    drillbook_take(b, from, &n);
}

static struct drillbook
begun(void)
{
    struct drillbook b = { 0 };

    take(&b, 2, DRILLBOOK_BEGIN, TOKEN, "crash");
    assert_int_equal(b.token, TOKEN);
    assert_int_equal(b.owner, 2);
    assert_string_equal(b.name, "crash");
    return b;
}

/* The first has the book until it ends, or its node leaves. */
static void
test_one_at_a_time(void **state)
{
    struct drillbook b = begun();
    struct ha_set view = { .n = 0 };

    (void) state;
    take(&b, 3, DRILLBOOK_BEGIN, 88, "isolate");
    assert_int_equal(b.token, TOKEN);
    take(&b, 3, DRILLBOOK_END, TOKEN, "");
    assert_int_equal(b.token, TOKEN);
    take(&b, 2, DRILLBOOK_END, 88, "");
    assert_int_equal(b.token, TOKEN);
    take(&b, 2, DRILLBOOK_END, TOKEN, "");
    assert_int_equal(b.token, 0);
    take(&b, 3, DRILLBOOK_BEGIN, 88, "isolate");
    assert_int_equal(b.owner, 3);

    ha_set_add(&view, 2);
    ha_set_add(&view, 3);
    drillbook_set_view(&b, &view);
    assert_int_equal(b.token, 88);
    ha_set_del(&view, 3);
    drillbook_set_view(&b, &view);
    assert_int_equal(b.token, 0);
}

static void
assert_refused(const struct drillbook *b, uint32_t from, uint64_t token,
               const char *name, bool active, const char *text)
{
    struct drillbook_note n = note(DRILLBOOK_ACT, token, name);
    const char *why = drillbook_refusal(b, from, &n, active);

    if (!text) {
        assert_null(why);
    } else {
        assert_non_null(why);
        assert_non_null(strstr(why, text));
    }
}

/* Whatever does not fit does no harm. */
static void
test_refusals(void **state)
{
    struct drillbook none = { 0 }, b = begun();

    (void) state;
    assert_refused(&b, 2, TOKEN, "crash", true, NULL);
    assert_refused(&none, 2, TOKEN, "crash", true, "no drill");
    assert_refused(&none, 2, 0, "", true, "no drill");
    assert_refused(&b, 2, 88, "crash", true, "another drill");
    assert_refused(&b, 3, TOKEN, "crash", true, "on another node");
    assert_refused(&b, 2, TOKEN, "isolate", true, "of another kind");
    assert_refused(&b, 2, TOKEN, "crash", false, "not the active");
}

/* Bytes that are no note, or one without ends of its texts. */
static void
test_parse(void **state)
{
    struct drillbook_note n = note(DRILLBOOK_ACT, TOKEN, "crash"), parsed;

    (void) state;
    assert_true(drillbook_parse(&n, sizeof n, &parsed));
    assert_string_equal(parsed.name, "crash");
    assert_false(drillbook_parse(&n, sizeof n - 1, &parsed));
    memset(n.name, 'x', sizeof n.name);
    memset(n.text, 'x', sizeof n.text);
    assert_true(drillbook_parse(&n, sizeof n, &parsed));
    assert_int_equal(strlen(parsed.name), sizeof n.name - 1);
    assert_int_equal(strlen(parsed.text), sizeof n.text - 1);
    n.kind = DRILLBOOK_TELL + 1;
    assert_false(drillbook_parse(&n, sizeof n, &parsed));
    n.kind = DRILLBOOK_BEGIN - 1;
    assert_false(drillbook_parse(&n, sizeof n, &parsed));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
