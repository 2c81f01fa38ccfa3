/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ovsdb-ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ovsdb.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define PATIENCE_MS 20000 /* A server may be at work on something large. */

/* Waits until 'session' has something to do.  Returns 0 or -ETIMEDOUT. */
static int
wait_for(struct ovsdb *session, mono_t deadline)
{
    struct pollfd pfd = ovsdb_pollfd(session);

    return poll(&pfd, 1, mono_ms_until(mono_now(), deadline)) > 0 ? 0
                                                                  : -ETIMEDOUT;
}

static json_t *
get_reply(struct ovsdb *session, mono_t deadline)
{
    json_t *reply = NULL;
    int error;

    while ((error = ovsdb_get(session, &reply)) == -EAGAIN) {
        error = ovsdb_step(session);
        if ((error && error != -EAGAIN) || wait_for(session, deadline)) {
            return NULL;
        }
    }
    return error ? NULL : reply;
}

json_t *
ovsdb_ask(const char *path, const char *method, json_t *params)
{
    mono_t deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    char *remote = ha_asprintf("unix:%s", path);
    json_t *reply = NULL, *result;
    struct ovsdb *session;
    int error = ovsdb_open(remote, NULL, &session);

    free(remote);
    if (error) {
        json_decref(params);
        return NULL;
    }
    while ((error = ovsdb_step(session)) == -EAGAIN
           && !wait_for(session, deadline)) {
        continue;
    }
    if (!error) {
        ovsdb_send(session, method, json_incref(params), 1);
        reply = get_reply(session, deadline);
    }
    json_decref(params);
    ovsdb_close(session);
    result = json_incref(json_object_get(reply, "result"));
    json_decref(reply);
    return result;
}

json_t *
ovsdb_ask_rows(const char *path, const char *db, const char *table,
               const char *columns)
{
    json_t *result = ovsdb_ask(
        path, "transact",
        json_pack("[s, {s:s, s:s, s:[], s:o}]", db, "op", "select", "table",
                  table, "where", "columns", json_loads(columns, 0, NULL)));
    json_t *rows =
        json_incref(json_object_get(json_array_get(result, 0), "rows"));

    json_decref(result);
    return rows;
}

json_t *
ovsdb_ask_map(const json_t *value)
{
    const json_t *pairs = json_array_get(value, 1);
    json_t *map = json_object();

    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *key = json_string_value(json_array_get(pair, 0));

        if (key) {
            json_object_set(map, key, json_array_get(pair, 1));
        }
    }
    return map;
}
