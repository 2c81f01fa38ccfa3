/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_VERIFY_H
#define CTL_VERIFY_H 1

/* What 'verify' and 'switchover' share: to follow a verification that ovn-had
 * was asked for, and to say how it goes.  The work is done by ovn-had, so it
 * does no harm to be interrupted here. */

#include <jansson.h>

/* How one database's verification ended: "equal", "differs" or "failed". */
typedef void verify_end_func(void *aux, const char *node, const char *db,
                             const json_t *verification);

struct verify_watch {
    verify_end_func *end;
    void *aux;
    int plain_s; /* Where there is no terminal: seconds between two lines of
                  * progress, which go to stderr. */
    const char *hint; /* Behind each of these; "". */
};

/* Follows what ovn-had's reply 'nodes' names, to the end.  Returns an exit
 * status of its own; how it came out, 'end' was told. */
int verify_follow(const char *nodes, const struct verify_watch *);

/* The first of the differences that were found, as a clause, in memory that
 * the caller frees. */
char *verify_first_difference(const json_t *verification, const char *node);

#endif /* ctl/verify.h */
