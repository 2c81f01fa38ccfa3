/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_JSONGET_H
#define HA_LIB_JSONGET_H 1

/* Members of JSON objects, for those who read the status: lib/problems.c,
 * lib/metrics.c, lib/table.c and ovn-hactl's verbs.  What is missing, or of another type, does no
 * harm. */

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

static inline const json_t *
jsonget(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

/* "" if it is no string. */
static inline const char *
jsonget_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static inline bool
jsonget_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* The object of an array whose member 'key' is 'text'; NULL if there is none. */
static inline const json_t *
jsonget_row(const json_t *array, const char *key, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *row = json_array_get(array, i);

        if (!strcmp(jsonget_text(row, key), text)) {
            return row;
        }
    }
    return NULL;
}

#endif /* HA_LIB_JSONGET_H */
