/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_EXPLORE_SEARCH_H
#define TESTS_EXPLORE_SEARCH_H 1

/* Breadth first through the states of a model, each stored once.
 *
 * Used by explore.c.  A search ends when every state within its depth has
 * been seen, at the first violation, whose shortest way from the start it then
 * tells, or when it is larger than it may be. */

#include "tests/explore/model.h"

struct search_plan {
    const char *name;
    uint32_t nodes;
    bool pair_fence;
    bool fine;       /* Events between any two messages; else only where
                      * none is on its way. */
    bool cold;       /* From a first start; else from a cluster at rest. */
    uint32_t kinds;  /* Bit per enum mkind: what may happen, */
    uint32_t events; /* how often in all, */
    uint32_t depth;  /* and within how many steps. */
    uint32_t long_events, long_depth; /* The same for a long search. */
};

struct search_result {
    uint64_t states;
    uint64_t transitions;
    uint64_t steps; /* Of cores. */
    uint64_t bytes;
    uint32_t depth; /* Of the last new state. */
    bool complete;  /* There is nothing beyond that. */
    bool failed;
};

void search_run(const struct search_plan *, uint64_t max_states, bool verbose,
                uint64_t edges[HA_N_STATES][HA_N_STATES],
                struct search_result *);

#endif /* tests/explore/search.h */
