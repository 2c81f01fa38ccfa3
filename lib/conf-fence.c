/* SPDX-License-Identifier: Apache-2.0 */

/* Fence devices, and which of them fence which node. */

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf-private.h"
#include "lib/xalloc.h"

#define DEVICE "device "
#define FENCE "fence "
#define FILE_SUFFIX "-file"

bool
conf_fence_owns(const char *section)
{
    return !strncmp(section, DEVICE, strlen(DEVICE))
           || !strncmp(section, FENCE, strlen(FENCE));
}

static bool
name_is_good(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char) name[i]) && !strchr("-_.", name[i])) {
            return false;
        }
    }
    return n > 0 && n < CONF_NAME_LEN;
}

const struct conf_device *
conf_device_find(const struct conf *conf, const char *name, size_t n)
{
    for (size_t i = 0; i < conf->n_devices; i++) {
        const char *its = conf->devices[i].name;

        if (strlen(its) == n && !memcmp(its, name, n)) {
            return &conf->devices[i];
        }
    }
    return NULL;
}

/* The words of 'text', which are set apart by blanks or commas. */
size_t
conf_word(const char **text)
{
    *text += strspn(*text, " \t,");
    return strcspn(*text, " \t,");
}

/* ---- Lines ---------------------------------------------------------- */

static struct conf_device *
get_device(struct conf *conf, const char *name, int line)
{
    struct conf_device *d =
        (struct conf_device *) conf_device_find(conf, name, strlen(name));

    if (d || conf->n_devices == CONF_MAX_DEVICES) {
        return d;
    }
    d = &conf->devices[conf->n_devices++];
    d->name = ha_strdup(name);
    d->line = line;
    conf_set_defaults(d, conf_device_options, CONF_N_DEVICE_OPTIONS);
    return d;
}

static struct conf_fence *
get_fence(struct conf *conf, const char *node, int line)
{
    struct conf_fence *f;

    for (size_t i = 0; i < conf->n_fences; i++) {
        if (!strcmp(conf->fences[i].node, node)) {
            return &conf->fences[i];
        }
    }
    if (conf->n_fences == HA_MAX_NODES) {
        return NULL;
    }
    f = &conf->fences[conf->n_fences++];
    f->node = ha_strdup(node);
    f->line = line;
    conf_set_defaults(f, conf_fence_options, CONF_N_FENCE_OPTIONS);
    return f;
}

static char *
given_already(int line)
{
    return ha_asprintf("it was given in line %d already", line);
}

/* Sets a value of 'base' by the table; '*ret_known' says if it is in it. */
static char *
set_known(void *base, const struct conf_option *table, size_t n, int lines[],
          const char *name, const char *value, int line, bool *ret_known)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(table[i].name, name)) {
            continue;
        }
        *ret_known = true;
        if (lines[i]) {
            return given_already(lines[i]);
        }
        lines[i] = line;
        return conf_set_value(base, &table[i], value);
    }
    *ret_known = false;
    return NULL;
}

/* What is no option of ours is one of the agent's. */
static char *
add_param(struct conf_device *d, const char *name, const char *value, int line)
{
    for (size_t i = 0; i < d->n_params; i++) {
        if (!strcmp(d->params[i].name, name)) {
            return given_already(d->params[i].line);
        }
    }
    if (d->n_params == CONF_MAX_PARAMS) {
        return ha_asprintf("there are more than %d parameters",
                           CONF_MAX_PARAMS);
    } else if (!strcmp(name, "action") || !strcmp(name, "option")) {
        return ha_strdup("what the agent is to do is not configured");
    }
    d->params[d->n_params++] = (struct conf_param){
        .name = ha_strdup(name),
        .value = ha_strdup(value),
        .line = line,
    };
    return NULL;
}

static char *
set_device(struct conf *conf, const char *section, const char *name,
           const char *value, int line)
{
    struct conf_device *d = get_device(conf, section, line);
    char *reason;
    bool known;

    if (!d) {
        return ha_asprintf("there are more than %d devices", CONF_MAX_DEVICES);
    }
    reason = set_known(d, conf_device_options, CONF_N_DEVICE_OPTIONS, d->lines,
                       name, value, line, &known);
    return known ? reason : add_param(d, name, value, line);
}

static char *
set_fence(struct conf *conf, const char *section, const char *name,
          const char *value, int line)
{
    struct conf_fence *f = get_fence(conf, section, line);
    char *reason;
    bool known;

    if (!f) {
        return ha_asprintf("there are more than %d nodes", HA_MAX_NODES);
    }
    reason = set_known(f, conf_fence_options, CONF_N_FENCE_OPTIONS, f->lines,
                       name, value, line, &known);
    return known ? reason : ha_strdup("there is no such option");
}

char *
conf_fence_set(struct conf *conf, const char *section, const char *name,
               const char *value, int line)
{
    bool device = !strncmp(section, DEVICE, strlen(DEVICE));
    const char *named = section + strlen(device ? DEVICE : FENCE);
    char *reason, *full;

    named += strspn(named, " \t");
    if (!name_is_good(named)) {
        return ha_asprintf("\"%s\" is no name for a %s", named,
                           device ? "device" : "node");
    }
    reason = device ? set_device(conf, named, name, value, line)
                    : set_fence(conf, named, name, value, line);
    if (!reason) {
        return NULL;
    }
    full = ha_asprintf("[%s] %s: %s", section, name, reason);
    free(reason);
    return full;
}

/* ---- Together ------------------------------------------------------- */

bool
conf_param_is_file(const struct conf_param *p)
{
    size_t n = strlen(p->name), suffix = strlen(FILE_SUFFIX);

    return n > suffix && !strcmp(p->name + n - suffix, FILE_SUFFIX);
}

/* By the names that agents give them. */
static bool
is_secret(const struct conf_param *p)
{
    static const char *const words[] = { "passw",     "secret", "token",
                                         "community", "apikey", "api_key" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(p->name, words[i])) {
            /* The program that prints it is none. */
            return !conf_param_is_file(p) && !strstr(p->name, "_script");
        }
    }
    return false;
}

/* What an agent is told in all has to fit into one message. */
static size_t
params_length(const struct conf_device *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_params; i++) {
        n += strlen(d->params[i].name) + strlen(d->params[i].value) + 3;
    }
    return n;
}

static char *
check_device(const struct conf_device *d, bool open_to_others, int *ret_line)
{
    *ret_line = d->line;
    if (!*d->agent) {
        return ha_asprintf("[device %s] names no agent", d->name);
    } else if (params_length(d) >= CONF_PARAMS_LEN) {
        return ha_asprintf("[device %s] has more than %d bytes of parameters",
                           d->name, CONF_PARAMS_LEN);
    } else if (*d->agent != '/'
               && (strncmp(d->agent, "fence_", 6) || strchr(d->agent, '/'))) {
        return ha_asprintf("[device %s] agent: \"%s\" is neither fence_NAME "
                           "nor an absolute path",
                           d->name, d->agent);
    }
    for (size_t i = 0; i < d->n_params; i++) {
        const struct conf_param *p = &d->params[i];

        *ret_line = p->line;
        if (is_secret(p) && open_to_others) {
            return ha_asprintf(
                "[device %s] %s is a secret, but others than root can read "
                "this file: chmod 0600, or give %s-file",
                d->name, p->name, p->name);
        } else if (conf_param_is_file(p) && *p->value != '/') {
            return ha_asprintf("[device %s] %s: \"%s\" is not an absolute "
                               "path",
                               d->name, p->name, p->value);
        }
    }
    return NULL;
}

/* Devices that 'text' names. */
static char *
check_names(const struct conf *conf, const struct conf_fence *f,
            const char *option, const char *text, size_t max)
{
    size_t n, count = 0;

    for (; (n = conf_word(&text)); text += n) {
        if (!conf_device_find(conf, text, n)) {
            return ha_asprintf("[fence %s] %s: there is no [device %.*s]",
                               f->node, option, (int) n, text);
        } else if (++count > max) {
            return ha_asprintf("[fence %s] %s: more than %zu devices", f->node,
                               option, max);
        }
    }
    return NULL;
}

static char *
check_fence(const struct conf *conf, const struct conf_fence *f)
{
    char *reason = check_names(conf, f, "confirm", f->confirm, 1);
    bool ended = false;

    for (size_t i = 0; i < CONF_MAX_LEVELS && !reason; i++) {
        const char *text = f->levels[i], *option = conf_fence_options[i].name;

        if (!conf_word(&text)) {
            if (!i) {
                return ha_asprintf("[fence %s] names no device for level-1",
                                   f->node);
            }
            ended = true;
        } else if (ended) {
            return ha_asprintf("[fence %s] %s: the level before it is "
                               "missing",
                               f->node, option);
        } else {
            reason = check_names(conf, f, option, text, CONF_MAX_IN_LEVEL);
        }
    }
    return reason;
}

char *
conf_fence_check(const struct conf *conf, bool open_to_others, int *ret_line)
{
    char *reason = NULL;

    for (size_t i = 0; i < conf->n_devices && !reason; i++) {
        reason = check_device(&conf->devices[i], open_to_others, ret_line);
    }
    for (size_t i = 0; i < conf->n_fences && !reason; i++) {
        *ret_line = conf->fences[i].line;
        reason = check_fence(conf, &conf->fences[i]);
    }
    return reason;
}

/* ---- The rest ------------------------------------------------------- */

void
conf_fence_print(const struct conf *conf, FILE *f)
{
    for (size_t i = 0; i < conf->n_fences; i++) {
        const struct conf_fence *x = &conf->fences[i];

        fprintf(f, "\n[fence %s]\n", x->node);
        for (size_t k = 0; k < CONF_N_FENCE_OPTIONS; k++) {
            conf_print_option(conf, x, &conf_fence_options[k], x->lines[k], f);
        }
    }
    for (size_t i = 0; i < conf->n_devices; i++) {
        const struct conf_device *d = &conf->devices[i];

        fprintf(f, "\n[device %s]\n", d->name);
        for (size_t k = 0; k < CONF_N_DEVICE_OPTIONS; k++) {
            conf_print_option(conf, d, &conf_device_options[k], d->lines[k],
                              f);
        }
        for (size_t k = 0; k < d->n_params; k++) {
            fprintf(f, "%s = %s ; %s:%d\n", d->params[k].name,
                    is_secret(&d->params[k]) ? "(secret)" : d->params[k].value,
                    conf->file, d->params[k].line);
        }
    }
}

void
conf_fence_destroy(struct conf *conf)
{
    for (size_t i = 0; i < conf->n_devices; i++) {
        struct conf_device *d = &conf->devices[i];

        conf_free_values(d, conf_device_options, CONF_N_DEVICE_OPTIONS);
        free(d->name);
        for (size_t k = 0; k < d->n_params; k++) {
            explicit_bzero(d->params[k].value, strlen(d->params[k].value));
            free(d->params[k].name);
            free(d->params[k].value);
        }
    }
    for (size_t i = 0; i < conf->n_fences; i++) {
        conf_free_values(&conf->fences[i], conf_fence_options,
                         CONF_N_FENCE_OPTIONS);
        free(conf->fences[i].node);
    }
}
