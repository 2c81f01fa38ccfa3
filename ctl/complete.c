/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/complete.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/daemon.h"
#include "ctl/drill-act.h"
#include "lib/jsonget.h"

static void
offer(const char *word, const char *typed)
{
    if (!strncmp(word, typed, strlen(typed))) {
        puts(word);
    }
}

static void
offer_nodes(const char *typed)
{
    static const char *const argv[] = { "--json", NULL };
    json_t *status = NULL;
    const json_t *nodes;
    char *reply;

    if (!daemon_call("cluster/status", argv, &reply)) {
        status = json_loads(reply, 0, NULL);
    }
    free(reply);
    nodes = jsonget(status, "nodes");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        offer(jsonget_text(json_array_get(nodes, i), "name"), typed);
    }
    json_decref(status);
}

static void
offer_kinds(const char *typed)
{
    char *names = act_kind_names(), *rest = names, *name;

    while ((name = strsep(&rest, ", "))) {
        if (*name) {
            offer(name, typed);
        }
    }
    offer("sequence", typed); /* Of them, from a file. */
    free(names);
}

/* The option that 'word' is, if it wants another word; or NULL. */
static const struct option *
find_open(const struct option longs[], const char *word)
{
    if (strncmp(word, "--", 2)) {
        return NULL;
    }
    for (; longs->name; longs++) {
        if (!strcmp(longs->name, word + 2)) {
            return longs->has_arg == required_argument ? longs : NULL;
        }
    }
    return NULL;
}

static const struct verb *
find_verb(const struct verb verbs[], size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(verbs[i].name, name)) {
            return &verbs[i];
        }
    }
    return NULL;
}

static void
offer_options(const struct verb *verb, const struct option longs[],
              const char *typed)
{
    for (; longs->name; longs++) {
        char word[64];

        if (strchr(verb ? verb->options : "hV", longs->val)) {
            snprintf(word, sizeof word, "--%s", longs->name);
            offer(word, typed);
        }
    }
}

static void
offer_operand(const struct verb *verb, const char *typed)
{
    if (verb->takes == VERB_TAKES_NODE) {
        offer_nodes(typed);
    } else if (verb->takes == VERB_TAKES_KIND) {
        offer_kinds(typed);
    }
}

void
complete_print(const struct verb verbs[], size_t n_verbs,
               const struct option longs[], int n, char *words[])
{
    const char *typed = n ? words[n - 1] : "";
    const struct option *open = NULL;
    const struct verb *verb = NULL;
    int n_operands = 0;

    for (int i = 0; i < n - 1; i++) {
        if (!strcmp(words[i], "=")) {
            continue; /* bash makes three words of --to=NODE. */
        } else if (open) {
            open = NULL; /* This was its argument. */
        } else if ((open = find_open(longs, words[i])) || words[i][0] == '-') {
            continue;
        } else if (verb) {
            n_operands++;
        } else {
            verb = find_verb(verbs, n_verbs, words[i]);
        }
    }
    if (open) {
        if (open->val == COMPLETE_NODE_OPTION) {
            offer_nodes(strcmp(typed, "=") ? typed : "");
        }
    } else if (*typed == '-') {
        offer_options(verb, longs, typed);
    } else if (!verb) {
        for (size_t i = 0; i < n_verbs; i++) {
            offer(verbs[i].name, typed);
        }
    } else if (!n_operands) {
        offer_operand(verb, typed);
    }
}
