/* SPDX-License-Identifier: Apache-2.0 */

/* Runs seeds and stories.  Ends at the first violation, with the seed, the
 * invariant's name and the last lines of the narration. */

#include "tests/sim/sim.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct run {
    struct sim_options opt;
    uint64_t from;
    uint64_t count;
    const char *seeds_file;
    bool update;
    bool go_on;
    bool tap;
    uint64_t passed;
    uint64_t failed;
    struct coverage cov;
};

static void
usage(FILE *out)
{
    fputs("usage: sim [OPTION]... [STORY.sim]...\n"
          "  --seed N            run one seed\n"
          "  --seeds FROM COUNT  run COUNT seeds\n"
          "  --file FILE         run the seeds of FILE: lines of\n"
          "                      'SEED [NODES [FAULTS [KIND]]]'\n"
          "  --nodes N           nodes of the cluster [3]\n"
          "  --faults K          faults of a run [40]\n"
          "  --witness           the last node has no databases\n"
          "  --qdevice           a pair with a quorum device\n"
          "  --two-node          a pair whose corosync has two_node\n"
          "  --watchdog          watchdogs, and no lease in the kernel\n"
          "  --compact           databases are compacted now and then\n"
          "  --update            write the golden files of the stories\n"
          "  --keep-going        do not end at the first violation\n"
          "  --coverage          print which edges and reasons were seen\n"
          "  --tap               close with counts as automake has them\n"
          "  -v                  print the narration\n",
          out);
}

static void
report(const struct world *w)
{
    uint64_t first = w->n_lines > KEEP_LINES ? w->n_lines - KEEP_LINES : 0;

    if (!w->opt.verbose) {
        for (uint64_t i = first; i < w->n_lines; i++) {
            puts(w->lines[i % KEEP_LINES]);
        }
    }
    printf("FAILED seed %llu nodes %u faults %u: %s\n",
           (unsigned long long) w->opt.seed, w->opt.n_nodes, w->opt.faults,
           w->violation);
    fflush(stdout);
}

static void
boot(struct world *w, struct node *nd, uint64_t arg, void *ptr)
{
    (void) arg;
    (void) ptr;
    node_boot(w, nd);
}

/* A unit of systemd: what ended is started again. */
static void
restart_ended(struct world *w)
{
    FOR_EACH_NODE(nd, w)
    {
        if (!nd->up || !nd->had.alive) {
            node_boot(w, nd);
        }
    }
}

/* Whoever paused it does not forget that. */
static void
resume(struct world *w)
{
    struct ha_event ev = { .type = HA_EV_RESUME };

    if (w->oracle.chosen.record.paused == HA_PAUSE_ON) {
        FOR_EACH_NODE(nd, w)
        {
            if (nd->had.alive && nd->had.core.in_force
                && nd->had.core.record.paused == HA_PAUSE_ON) {
                had_post(w, nd, &ev);
                return;
            }
        }
    }
}

/* Waits until all is well; a violation if that takes too long. */
static void
settle(struct world *w)
{
    int64_t since = w->now;
    int64_t until = w->now + oracle_bound_us(w);
    char buf[160];
    const char *what = "";

    while (!w->failed && w->now < until) {
        world_run(w, w->now + 250 * MS);
        restart_ended(w);
        resume(w);
        what = oracle_settled(w, buf, sizeof buf);
        if (!what || oracle_hopeless(w)) {
            unsigned ms = (unsigned) ((w->now - since) / MS);

            if (ms > w->cov->max_recovery_ms) {
                w->cov->max_recovery_ms = ms;
                w->cov->max_recovery_seed = w->opt.seed;
            }
            return;
        }
    }
    oracle_dump(w);
    violation(w, "no-recovery", "after %lld ms %s",
              (long long) (w->now - since) / MS, what);
}

/* With nothing broken, an operator's wish costs nothing. */
static void
final_switchover(struct world *w)
{
    struct ha_event ev = { .type = HA_EV_SWITCH };
    struct node *nd = &w->nodes[rnd(w) % w->n];
    size_t lost;

    world_run(w, w->now + 7 * SEC);
    settle(w);
    if (w->failed || oracle_hopeless(w)) {
        return;
    }
    lost = w->oracle.lost;
    tell(w, nd, "== a last switchover");
    oracle_wish(w);
    had_post(w, nd, &ev);
    world_run(w, w->now + 2 * SEC);
    settle(w);
    if (!w->failed && w->oracle.lost != lost) {
        violation(w, "switchover-lost-writes", "%zu", w->oracle.lost - lost);
    }
}

static void
run_seed(struct run *r, const struct sim_options *opt)
{
    struct world *w = calloc(1, sizeof *w);
    int64_t span = 60 * SEC;

    if (!w) {
        abort();
    }
    world_init(w, opt, &r->cov);
    if (rnd_chance(w, 300)) {
        /* Ovn ran here before; its data begin the lineage. */
        struct node *nd = &w->nodes[rnd(w) % w->n];

        nd->db[0].data_before = nd->db[1].data_before = !nd->witness;
    }
    FOR_EACH_NODE(nd, w)
    {
        world_at(w, rnd_in(w, 0, 3000) * MS, boot, nd, 0, NULL);
    }
    clients_start(w);
    faults_plan(w, rnd_in(w, 0, 12) * SEC, span, opt->faults);
    world_run(w, span);
    faults_end(w);
    settle(w);
    if (!w->failed) {
        final_switchover(w);
    }
    oracle_logs(w);
    if (w->failed) {
        report(w);
        r->failed++;
    } else {
        r->passed++;
    }
    world_close(w);
    free(w);
}

static bool
stop_now(const struct run *r)
{
    return r->failed && !r->go_on;
}

static int
run_file(struct run *r)
{
    FILE *f = fopen(r->seeds_file, "r");
    char line[256];

    if (!f) {
        fprintf(stderr, "sim: %s: %s\n", r->seeds_file, strerror(errno));
        return -errno;
    }
    while (!stop_now(r) && fgets(line, sizeof line, f)) {
        struct sim_options opt = r->opt;
        unsigned long long seed;
        char kind[16] = "";

        if (sscanf(line, "%llu %u %u %15s", &seed, &opt.n_nodes, &opt.faults,
                   kind)
            >= 1) {
            opt.seed = seed;
            opt.qdevice = !strcmp(kind, "qdevice");
            opt.two_node = !strcmp(kind, "two-node");
            opt.witness = !strcmp(kind, "witness");
            opt.watchdog = !strcmp(kind, "watchdog");
            opt.compact = !strcmp(kind, "compact");
            run_seed(r, &opt);
        }
    }
    fclose(f);
    return 0;
}

static void
print_coverage(const struct coverage *c)
{
    for (int i = 0; i < HA_N_STATES; i++) {
        for (int j = 0; j < HA_N_STATES; j++) {
            if (c->edge[i][j] || (ha_states[i].next & (1u << j))) {
                printf("edge %s -> %s: %llu\n", ha_state_name(i),
                       ha_state_name(j), (unsigned long long) c->edge[i][j]);
            }
        }
    }
    for (int i = 1; i < HA_N_WHYS; i++) {
        printf("why %s: %llu\n", ha_why_code(i),
               (unsigned long long) c->why[i]);
    }
}

static void
print_figures(const struct run *r, double took)
{
    const struct coverage *c = &r->cov;
    uint64_t n = r->passed + r->failed;

    if (c->simulated_us) {
        printf("%llu runs in %.1f s, %.1f a second; %llu steps; "
               "%llu writes acknowledged, %llu lost by failovers; "
               "served %.1f%% of the time; "
               "longest recovery %.1f s (seed %llu), longest outage of a "
               "sound majority %.1f s (seed %llu)\n",
               (unsigned long long) n, took,
               took > 0 ? (double) n / took : 0.0,
               (unsigned long long) c->steps, (unsigned long long) c->acked,
               (unsigned long long) c->lost,
               100.0 * (double) c->served_us / (double) c->simulated_us,
               c->max_recovery_ms / 1000.0,
               (unsigned long long) c->max_recovery_seed,
               c->max_outage_ms / 1000.0,
               (unsigned long long) c->max_outage_seed);
    }
    if (r->tap) {
        printf("# PASS:  %llu\n# FAIL:  %llu\n",
               (unsigned long long) r->passed, (unsigned long long) r->failed);
    }
    printf("%llu passed, %llu failed\n", (unsigned long long) r->passed,
           (unsigned long long) r->failed);
}

static double
seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

enum {
    OPT_SEED = 256,
    OPT_SEEDS,
    OPT_FILE,
    OPT_NODES,
    OPT_FAULTS,
    OPT_WITNESS,
    OPT_QDEVICE,
    OPT_TWO_NODE,
    OPT_WATCHDOG,
    OPT_COMPACT,
    OPT_UPDATE,
    OPT_KEEP_GOING,
    OPT_COVERAGE,
    OPT_TAP
};

static const struct option long_options[] = {
    { "seed", required_argument, NULL, OPT_SEED },
    { "seeds", required_argument, NULL, OPT_SEEDS },
    { "file", required_argument, NULL, OPT_FILE },
    { "nodes", required_argument, NULL, OPT_NODES },
    { "faults", required_argument, NULL, OPT_FAULTS },
    { "witness", no_argument, NULL, OPT_WITNESS },
    { "qdevice", no_argument, NULL, OPT_QDEVICE },
    { "two-node", no_argument, NULL, OPT_TWO_NODE },
    { "watchdog", no_argument, NULL, OPT_WATCHDOG },
    { "compact", no_argument, NULL, OPT_COMPACT },
    { "update", no_argument, NULL, OPT_UPDATE },
    { "keep-going", no_argument, NULL, OPT_KEEP_GOING },
    { "coverage", no_argument, NULL, OPT_COVERAGE },
    { "tap", no_argument, NULL, OPT_TAP },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

int
main(int argc, char *argv[])
{
    struct run r = { .opt = { .n_nodes = 3, .faults = 40 } };
    bool coverage = false;
    double start = seconds();
    int error = 0;
    int c;

    while ((c = getopt_long(argc, argv, "hv", long_options, NULL)) != -1) {
        switch (c) {
        case OPT_SEED:
            r.from = strtoull(optarg, NULL, 0);
            r.count = 1;
            break;
        case OPT_SEEDS:
            r.from = strtoull(optarg, NULL, 0);
            if (optind >= argc) {
                usage(stderr);
                return 2;
            }
            r.count = strtoull(argv[optind++], NULL, 0);
            break;
        case OPT_FILE:
            r.seeds_file = optarg;
            break;
        case OPT_NODES:
            r.opt.n_nodes = (unsigned) atoi(optarg);
            break;
        case OPT_FAULTS:
            r.opt.faults = (unsigned) atoi(optarg);
            break;
        case OPT_WITNESS:
            r.opt.witness = true;
            break;
        case OPT_QDEVICE:
            r.opt.qdevice = true;
            r.opt.n_nodes = 2;
            break;
        case OPT_TWO_NODE:
            r.opt.two_node = true;
            r.opt.n_nodes = 2;
            break;
        case OPT_WATCHDOG:
            r.opt.watchdog = true;
            break;
        case OPT_COMPACT:
            r.opt.compact = true;
            break;
        case OPT_UPDATE:
            r.update = true;
            break;
        case OPT_KEEP_GOING:
            r.go_on = true;
            break;
        case OPT_COVERAGE:
            coverage = true;
            break;
        case OPT_TAP:
            r.tap = true;
            break;
        case 'v':
            r.opt.verbose = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (r.opt.n_nodes < 1 || r.opt.n_nodes > HA_MAX_NODES) {
        usage(stderr);
        return 2;
    }
    for (int i = optind; i < argc && !stop_now(&r); i++) {
        if (script_run(argv[i], r.opt.verbose, r.update, &r.cov)) {
            r.failed++;
        } else {
            r.passed++;
        }
    }
    if (r.seeds_file && !stop_now(&r)) {
        error = run_file(&r);
    }
    for (uint64_t i = 0; i < r.count && !stop_now(&r); i++) {
        r.opt.seed = r.from + i;
        run_seed(&r, &r.opt);
    }
    if (coverage) {
        print_coverage(&r.cov);
    }
    print_figures(&r, seconds() - start);
    return error || r.failed ? 1 : 0;
}
