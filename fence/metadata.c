/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/metadata.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Skips blanks. */
static const char *
skip(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* True if the element whose attributes begin at 'p' has name="NAME". */
static bool
has_name(const char *p, const char *name, size_t n)
{
    for (p = skip(p); *p && *p != '>' && *p != '/'; p = skip(p)) {
        size_t attr = strcspn(p, "= \t\r\n>");
        bool is_name = attr == 4 && !memcmp(p, "name", 4);
        const char *value, *end;

        p = skip(p + attr);
        if (*p != '=') {
            continue;
        }
        p = skip(p + 1);
        if (*p != '"' && *p != '\'') {
            return false;
        }
        value = p + 1;
        end = strchr(value, *p);
        if (!end) {
            return false;
        }
        if (is_name) {
            return (size_t) (end - value) == n && !memcmp(value, name, n);
        }
        p = end + 1;
    }
    return false;
}

/* True if 'xml' has <ELEMENT ... name="NAME" ...>. */
static bool
has_element(const char *xml, const char *element, const char *name, size_t n)
{
    size_t len = strlen(element);

    for (const char *p = xml; (p = strchr(p, '<')); p++) {
        if (!strncmp(p + 1, element, len) && strchr(" \t\r\n", p[1 + len])
            && has_name(p + 1 + len, name, n)) {
            return true;
        }
    }
    return false;
}

int
metadata_check(const char *xml, const char *params, char *why, size_t size)
{
    static const char *const actions[] = { "off", "on", "status", "monitor" };

    if (!strstr(xml, "<resource-agent")) {
        snprintf(why, size, "what it prints as its metadata is none");
        return -ENOMSG;
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (!has_element(xml, "action", actions[i], strlen(actions[i]))) {
            snprintf(why, size, "the agent has no action \"%s\"", actions[i]);
            return -ENOTSUP;
        }
    }
    for (const char *p = params; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        const char *name = p + (*p == '@');
        size_t n = strcspn(name, "=");

        if (!has_element(xml, "parameter", name, n)) {
            snprintf(why, size, "the agent has no parameter \"%.*s\"",
                     n < 64 ? (int) n : 64, name);
            return -EINVAL;
        }
    }
    return 0;
}
