/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl reinit' and 'accept-shrink': an operator lets a replica do what
 * it asks for. */

#include <stdio.h>
#include <string.h>

#include "ctl/verbs.h"

/* Asks for the node's name to be typed.  Returns false if anything else is. */
static bool
confirm(const char *node)
{
    char line[256];

    printf("The databases of %s that are of another lineage will be set "
           "aside there, in\ndiverged/ of its state folder, and then give way "
           "to the active node's.\nType the node's name to go on: ",
           node);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) {
        line[0] = '\0';
    }
    line[strcspn(line, "\n")] = '\0';
    return !strcmp(line, node);
}

int
verb_reinit(struct verb_args *args)
{
    const char *const argv[] = { args->to, NULL };

    if (!args->to) {
        fputs("ovn-hactl: reinit takes the name of a node\n", stderr);
        return VERB_USAGE;
    }
    if (!args->yes && !confirm(args->to)) {
        fputs("ovn-hactl: that is not its name; nothing was done\n", stderr);
        return VERB_FAILED;
    }
    return verbs_show("reinit", argv);
}

int
verb_accept_shrink(struct verb_args *args)
{
    const char *const argv[] = { args->to, NULL };

    return verbs_show("accept-shrink", argv);
}
