/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_QUOTED_H
#define TESTS_UNIT_QUOTED_H 1

/* JSON in a test's source, with ' for ".  Include it after cmocka.h. */

#include <jansson.h>
#include <stdio.h>
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

/* Puts 'value', such JSON, at 'path' of 'json', whose words are separated by
 * '/'. */
static inline void
quoted_set(json_t *json, const char *path, const char *value)
{
    char *copy = strdup(path), *rest = copy, *key;
    char *wrapped = malloc(strlen(value) + 3);
    json_t *at = json, *new;

    sprintf(wrapped, "[%s]", value);
    new = quoted_json(wrapped);
    while ((key = strsep(&rest, "/")) && rest) {
        at = json_is_array(at) ? json_array_get(at, atoi(key))
                               : json_object_get(at, key);
        assert_non_null(at);
    }
    if (json_is_array(at)) {
        json_array_set(at, atoi(key), json_array_get(new, 0));
    } else {
        json_object_set(at, key, json_array_get(new, 0));
    }
    json_decref(new);
    free(wrapped);
    free(copy);
}

#endif /* tests/unit/quoted.h */
