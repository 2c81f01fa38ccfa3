/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_QUOTED_H
#define TESTS_UNIT_QUOTED_H 1

/* JSON in a test's source, with ' for ".  Include it after cmocka.h. */

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static inline json_t *
quoted_json(const char *text)
{
    char *copy = strdup(text);
    json_t *json;

    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json = json_loads(copy, 0, NULL);
    free(copy);
    assert_non_null(json);
    return json;
}

#endif /* tests/unit/quoted.h */
