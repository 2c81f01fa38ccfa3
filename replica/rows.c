/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/rows.h"

#include <errno.h>
#include <string.h>

static void
skip_space(struct rows *r)
{
    while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p) {
        r->p++;
    }
}

static bool
take(struct rows *r, char c)
{
    skip_space(r);
    if (r->p < r->end && *r->p == c) {
        r->p++;
        return true;
    }
    return false;
}

/* Takes a string without its quotes, escapes as they are. */
static bool
take_string(struct rows *r, const char **ret, size_t *ret_n)
{
    const char *start;

    if (!take(r, '"')) {
        return false;
    }
    start = r->p;
    while (r->p < r->end && *r->p != '"') {
        r->p += *r->p == '\\' ? 2 : 1;
    }
    if (r->p >= r->end) {
        return false;
    }
    *ret = start;
    *ret_n = r->p++ - start;
    return true;
}

/* Takes a key and the colon behind it. */
static bool
take_key(struct rows *r, const char **ret, size_t *ret_n)
{
    return take_string(r, ret, ret_n) && take(r, ':');
}

/* Takes what is neither a string nor has parts. */
static bool
take_word(struct rows *r)
{
    const char *start = r->p;

    while (r->p < r->end && *r->p && !strchr(",]}: \t\r\n", *r->p)) {
        r->p++;
    }
    return r->p > start;
}

/* Takes a value of any form, whatever is in it. */
static bool
take_value(struct rows *r)
{
    const char *s;
    size_t n, depth = 0;

    do {
        skip_space(r);
        if (r->p >= r->end) {
            return false;
        } else if (*r->p == '"') {
            if (!take_string(r, &s, &n)) {
                return false;
            }
        } else if (strchr("{[", *r->p) && *r->p) {
            depth++;
            r->p++;
        } else if (strchr("}]", *r->p) && *r->p) {
            if (!depth--) {
                return false;
            }
            r->p++;
        } else if (depth && (*r->p == ',' || *r->p == ':')) {
            r->p++;
        } else if (!take_word(r)) {
            return false;
        }
    } while (depth);
    return true;
}

void
rows_init(struct rows *r, const char *body, size_t n)
{
    memset(r, 0, sizeof *r);
    r->p = body;
    r->end = body + n;
}

/* Goes on to the rows of the next table.  Returns as rows_next(). */
static int
next_table(struct rows *r)
{
    for (;;) {
        bool first = !r->table;

        if (!first && take(r, '}')) {
            skip_space(r);
            return r->p == r->end ? 0 : -EBADMSG;
        }
        if (!take(r, first ? '{' : ',')
            || !take_key(r, &r->table, &r->table_len)) {
            return first && r->p < r->end && take(r, '}') ? 0 : -EBADMSG;
        }
        if (r->table_len && *r->table != '_') {
            r->in_table = true;
            return take(r, '{') ? 1 : -EBADMSG;
        }
        if (!take_value(r)) {
            return -EBADMSG;
        }
    }
}

int
rows_next(struct rows *r, struct rows_row *ret)
{
    size_t n;
    int error;

    for (;;) {
        if (!r->in_table) {
            error = next_table(r);
            if (error != 1) {
                return error;
            }
        }
        if (!take(r, '}')) {
            break;
        }
        r->in_table = false;
    }
    take(r, ',');
    ret->table = r->table;
    ret->table_len = r->table_len;
    if (!take_key(r, &ret->uuid, &n) || n != ROWS_UUID_LEN) {
        return -EBADMSG;
    }
    skip_space(r);
    ret->value = r->p;
    if (!take_value(r)) {
        return -EBADMSG;
    }
    ret->value_len = r->p - ret->value;
    ret->deleted = *ret->value == 'n';
    return 1;
}
