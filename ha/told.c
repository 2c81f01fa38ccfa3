/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/told.h"

#include "ha-config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ha/group.h"
#include "ha/had.h"
#include "lib/schemafile.h"
#include "lib/xalloc.h"

#define EVERY_MS 20000 /* Time between two notes of a node. */

static int64_t
clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static json_t *
common_options(const struct conf *conf)
{
    json_t *options = json_object();

    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        const struct conf_option *option = &conf_options[i];
        /* A witness takes no virtual IP. */
        bool moot = conf->witness && !strcmp(option->section, "virtual-ip");
        char *name, *value;

        if (conf_option_is_common(option) && !moot) {
            name = ha_asprintf("[%s] %s", option->section, option->name);
            value = conf_get_meaning(conf, option);
            json_object_set_new(options, name, json_string(value));
            free(value);
            free(name);
        }
    }
    return options;
}

/* The installed schemas' versions, of which a witness has none that matter; one
 * that cannot be read is left out. */
static json_t *
schemas(const struct settings *s)
{
    json_t *versions = json_object();

    for (int db = 0; db < HA_N_DBS && !s->conf->witness; db++) {
        char version[SCHEMAFILE_VERSION_LEN];

        if (!schemafile_version(s->db[db].schema, version)) {
            json_object_set_new(versions, s->db[db].short_name,
                                json_string(version));
        }
    }
    return versions;
}

static void
tell(struct had *h)
{
    json_t *note = json_pack(
        "{s:s, s:I, s:o, s:o}", "version", PACKAGE_VERSION, "time_ms",
        (json_int_t) clock_ms(), "schemas", schemas(h->settings), "options",
        common_options(h->settings->conf));
    char *text = json_dumps(note, JSON_COMPACT);
    size_t n = strlen(text);

    if (n <= GROUP_NOTE_MAX) {
        group_send_note(h->group, text, n);
    }
    free(text);
    json_decref(note);
    h->told->next = mono_add_ms(mono_now(), EVERY_MS);
}

void
told_init(struct had *h)
{
    h->told = ha_calloc(1, sizeof *h->told);
    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        h->told->nodes[i].id = h->cluster.nodes[i].id;
    }
    h->told->next = MONO_NEVER;
}

void
told_close(struct had *h)
{
    for (uint32_t i = 0; i < HA_MAX_NODES; i++) {
        json_decref(h->told->nodes[i].what);
    }
    free(h->told);
    h->told = NULL;
}

void
told_tick(struct had *h)
{
    if (!mono_before(mono_now(), h->told->next)) {
        tell(h);
    }
}

void
told_group_changed(struct had *h)
{
    h->told->next = mono_now();
}

static struct told_node *
find(const struct had *h, uint32_t id)
{
    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        if (h->told->nodes[i].id == id) {
            return &h->told->nodes[i];
        }
    }
    return NULL;
}

void
told_take_note(struct had *h, uint32_t from, const void *data, size_t n)
{
    struct told_node *node = find(h, from);
    json_t *what = node && n && *(const char *) data == '{'
                       ? json_loadb(data, n, 0, NULL)
                       : NULL;
    const json_t *time_ms = json_object_get(what, "time_ms");

    if (!json_is_integer(time_ms)) {
        json_decref(what);
        return;
    }
    node->ahead_ms[node->n++ % 2] = json_integer_value(time_ms) - clock_ms();
    json_decref(node->what);
    node->what = what;
}

json_t *
told_status(const struct had *h, uint32_t id)
{
    const struct told_node *node = find(h, id);
    int64_t ahead;
    json_t *o;

    if (!node || !node->what) {
        return json_null();
    }
    ahead = node->ahead_ms[0];
    if (node->n > 1 && node->ahead_ms[1] > ahead) {
        ahead = node->ahead_ms[1];
    }
    o = json_copy(node->what);
    json_object_del(o, "time_ms");
    json_object_set_new(o, "clock_ahead_ms", json_integer(ahead));
    return o;
}
