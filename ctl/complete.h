/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_COMPLETE_H
#define CTL_COMPLETE_H 1

/* 'ovn-hactl complete': what may follow on the command line, for the shells.
 *
 * The scripts in etc/completion know no command and no option: they ask this,
 * which answers from the tables that main.c goes by, and so cannot differ from
 * them. */

#include <getopt.h>
#include <stddef.h>

struct verb_args;

/* What stands behind a verb and is no option. */
enum verb_takes {
    VERB_TAKES_NOTHING,
    VERB_TAKES_NODE,
    VERB_TAKES_KIND, /* Of drills. */
    VERB_TAKES_FILE,
};

struct verb {
    const char *name;
    int (*run)(struct verb_args *);
    const char *options;   /* Letters of those that it takes. */
    enum verb_takes takes; /* At most one... */
    const char *operand;   /* ...and at least, in words; or NULL. */
};

/* The option whose argument is a node. */
#define COMPLETE_NODE_OPTION 't'

/* Prints each word that may stand in place of the last of 'words' and begins
 * with it; all before it stand on the command line.  Nodes are those that
 * ovn-had knows, if it answers. */
void complete_print(const struct verb verbs[], size_t n_verbs,
                    const struct option longs[], int n, char *words[]);

#endif /* ctl/complete.h */
