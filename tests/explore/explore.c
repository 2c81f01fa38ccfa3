/* SPDX-License-Identifier: Apache-2.0 */

/* The searches, and their report: how much was seen, and that every state and
 * every edge of the table was reached. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/explore/search.h"

#define K(KIND) (1u << MODEL_##KIND)
#define PARTS (K(POWER) | K(BOOT) | K(CUT) | K(HEAL))
#define HANGS (K(FREEZE) | K(THAW) | K(SLOW) | K(STICKY) | K(MUTE) | K(UNMUTE))
#define CRASHES (K(HAD_CRASH) | K(FENCE_CRASH))
#define DISKS (K(WIPE) | K(DISK_BAD) | K(DISK_OK))
#define OPERATORS (K(SWITCH) | K(SHUTDOWN) | K(FORCE) | K(UNFIT) | K(WRITE))
#define SERVERS (K(SERVER_DOWN) | K(SERVER_UP))
#define DEVICES (K(DEVICE_BAD) | K(DEVICE_OK) | K(VOUCH))
#define ALL (PARTS | HANGS | CRASHES | DISKS | OPERATORS | SERVERS)

static const struct search_plan plans[] = {
    {
        .name = "three nodes, any two events",
        .nodes = 3,
        .kinds = ALL,
        .events = 2,
        .depth = 30,
        .long_events = 3,
        .long_depth = 16,
    },
    {
        .name = "three nodes, two cuts between any two messages",
        .nodes = 3,
        .fine = true,
        .kinds = PARTS,
        .events = 2,
        .depth = 60,
        .long_events = 3,
        .long_depth = 60,
    },
    {
        .name = "three nodes, two events while they first start",
        .nodes = 3,
        .cold = true,
        .kinds = PARTS | DISKS,
        .events = 2,
        .depth = 20,
        .long_events = 3,
        .long_depth = 20,
    },
    {
        .name = "three nodes, three events around a switchover",
        .nodes = 3,
        .kinds = K(SWITCH) | K(STICKY) | K(HAD_CRASH),
        .events = 3,
        .depth = 16,
        .long_events = 4,
        .long_depth = 20,
    },
    {
        .name = "a pair that lives on proof, any two events",
        .nodes = 2,
        .pair_fence = true,
        .kinds = ALL | DEVICES,
        .events = 2,
        .depth = 30,
        .long_events = 3,
        .long_depth = 20,
    },
    {
        .name = "a pair that needs both, any two events",
        .nodes = 2,
        .kinds = ALL,
        .events = 2,
        .depth = 30,
        .long_events = 3,
        .long_depth = 20,
    },
};

#define N_PLANS (sizeof plans / sizeof plans[0])

static double
seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static void
print_result(const struct search_plan *plan, const struct search_result *r,
             double took)
{
    printf("%s: %s, %llu states, %llu transitions, %llu steps of cores in "
           "%.1f s (%.0f states a second, %llu MB)\n",
           plan->name, r->complete ? "all of it" : "not all of it",
           (unsigned long long) r->states, (unsigned long long) r->transitions,
           (unsigned long long) r->steps, took,
           took > 0 ? (double) r->states / took : 0,
           (unsigned long long) r->bytes >> 20);
    printf("  up to %u events within %u steps, the last new state after %u\n",
           plan->events, plan->depth, r->depth);
    fflush(stdout);
}

/* What of the table was seen; returns how many edges were not. */
static unsigned
print_edges(uint64_t edges[HA_N_STATES][HA_N_STATES])
{
    unsigned missing = 0;

    for (int i = 0; i < HA_N_STATES; i++) {
        printf("state %s:", ha_state_name(i));
        for (int j = 0; j < HA_N_STATES; j++) {
            if (ha_states[i].next & (1u << j)) {
                printf(" -> %s %llu%s", ha_state_name(j),
                       (unsigned long long) edges[i][j],
                       edges[i][j] ? ";" : " NEVER;");
                missing += !edges[i][j];
            }
        }
        putchar('\n');
    }
    printf(missing ? "%u edges of the table were not reached\n"
                   : "every state and every edge of the table was reached\n",
           missing);
    return missing;
}

static void
usage(FILE *out)
{
    fputs("usage: explore [OPTION]...\n"
          "  --long           one event more, for hours\n"
          "  --only N         one search, from 1; edges do not count\n"
          "  --max-states N   give up beyond that [20000000]\n"
          "  --list           what there is\n"
          "  --tap            close with counts as automake has them\n"
          "  -v               tell of each step of depth\n",
          out);
}

struct run {
    bool is_long;
    bool verbose;
    bool tap;
    uint32_t only;
    uint64_t max_states;
};

static int
run_all(const struct run *run)
{
    static uint64_t edges[HA_N_STATES][HA_N_STATES];
    unsigned passed = 0, failed = 0;

    for (uint32_t i = 0; i < N_PLANS; i++) {
        struct search_plan plan = plans[i];
        struct search_result r;
        double start = seconds();

        if (run->only && run->only != i + 1) {
            continue;
        }
        if (run->is_long) {
            plan.events = plan.long_events;
            plan.depth = plan.long_depth;
        }
        search_run(&plan, run->max_states, run->verbose, edges, &r);
        print_result(&plan, &r, seconds() - start);
        *(r.failed ? &failed : &passed) += 1;
    }
    if (!run->only) {
        *(print_edges(edges) ? &failed : &passed) += 1;
    }
    if (run->tap) {
        printf("# PASS:  %u\n# FAIL:  %u\n", passed, failed);
    }
    return failed ? 1 : 0;
}

static void
list(void)
{
    for (uint32_t i = 0; i < N_PLANS; i++) {
        printf("%u %s\n", i + 1, plans[i].name);
    }
}

enum { OPT_LONG = 256, OPT_ONLY, OPT_MAX, OPT_LIST, OPT_TAP };

static const struct option long_options[] = {
    { "long", no_argument, NULL, OPT_LONG },
    { "only", required_argument, NULL, OPT_ONLY },
    { "max-states", required_argument, NULL, OPT_MAX },
    { "list", no_argument, NULL, OPT_LIST },
    { "tap", no_argument, NULL, OPT_TAP },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

int
main(int argc, char *argv[])
{
    struct run run = { .max_states = 20000000 };
    int c;

    while ((c = getopt_long(argc, argv, "hv", long_options, NULL)) != -1) {
        switch (c) {
        case OPT_LONG:
            run.is_long = true;
            break;
        case OPT_ONLY:
            run.only = (uint32_t) strtoul(optarg, NULL, 0);
            break;
        case OPT_MAX:
            run.max_states = strtoull(optarg, NULL, 0);
            break;
        case OPT_LIST:
            list();
            return 0;
        case OPT_TAP:
            run.tap = true;
            break;
        case 'v':
            run.verbose = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind < argc || run.only > N_PLANS) {
        usage(stderr);
        return 2;
    }
    return run_all(&run);
}
