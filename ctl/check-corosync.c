/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check-corosync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonget.h"
#include "lib/xalloc.h"

json_t *
corosync_parse(const char *text)
{
    char *copy = ha_strdup(text), *rest = copy, *line;
    json_t *cmap = json_object();

    while ((line = strsep(&rest, "\n"))) {
        char *type = strstr(line, " (");
        char *value = type ? strstr(type, ") = ") : NULL;

        if (value) {
            *type = '\0';
            json_object_set_new(cmap, line, json_string(value + 4));
        }
    }
    free(copy);
    return cmap;
}

const char *
corosync_text(const json_t *cmap, const char *key)
{
    return jsonget_text(cmap, key);
}

long
corosync_number(const json_t *cmap, const char *key, long missing)
{
    const char *text = corosync_text(cmap, key);
    char *end;
    long value = strtol(text, &end, 10);

    if (!strcmp(text, "yes") || !strcmp(text, "on")) {
        return 1;
    }
    return end == text || *end ? missing : value;
}

long
corosync_node_number(const json_t *cmap, int pos, const char *key,
                     long missing)
{
    char full[64];

    snprintf(full, sizeof full, "nodelist.node.%d.%s", pos, key);
    return corosync_number(cmap, full, missing);
}

long
corosync_n_nodes(const json_t *cmap)
{
    long n = 0;

    for (int pos = 0; pos < COROSYNC_MAX_POS; pos++) {
        n += corosync_node_number(cmap, pos, "nodeid", 0) != 0;
    }
    return n;
}
