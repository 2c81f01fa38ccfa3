/* SPDX-License-Identifier: Apache-2.0 */

/* Stories: a text of one command a line, which an operator can read.
 *
 * The world of a story is calm: nothing in it is random.  What is expected is
 * said in the story; besides, its narration is compared with NAME.golden. */

#include "tests/sim/sim.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 16
#define LOOK_US (5 * MS) /* Between two looks at what is expected. */

struct story {
    const char *path;
    unsigned line;
    struct world *w;
    char *words[MAX_WORDS];
    int n_words;
    bool bad; /* An expectation failed, or a mistake. */
};

static void
complain(struct story *s, const char *what, const char *detail)
{
    printf("%s:%u: %s%s%s\n", s->path, s->line, what, *detail ? ": " : "",
           detail);
    s->bad = true;
}

static const char *
word(const struct story *s, int i)
{
    return i < s->n_words ? s->words[i] : "";
}

static struct node *
node_arg(struct story *s, int i)
{
    struct node *nd = world_node(s->w, (uint32_t) atoi(word(s, i)));

    if (!nd) {
        complain(s, "no such node", word(s, i));
        return &s->w->nodes[0];
    }
    return nd;
}

/* "300ms", "2s" or "1.5s". */
static int64_t
time_arg(struct story *s, int i)
{
    char *unit;
    double number = strtod(word(s, i), &unit);

    if (!strcmp(unit, "ms")) {
        return (int64_t) (number * (double) MS);
    } else if (!strcmp(unit, "s")) {
        return (int64_t) (number * (double) SEC);
    }
    complain(s, "not a time", word(s, i));
    return 0;
}

/* Nodes named from word 'i' on, up to 'end'. */
static mask_t
nodes_arg(struct story *s, int i, const char *end)
{
    mask_t mask = 0;

    if (!strcmp(word(s, i), "all")) {
        return ((mask_t) 1 << s->w->n) - 1;
    }
    for (; i < s->n_words && strcmp(s->words[i], end); i++) {
        mask |= bit_of(node_arg(s, i)->id);
    }
    return mask;
}

/* ---- Expectations ----------------------------------------------------- */

static int
find_word(const struct story *s, const char *what)
{
    for (int i = 0; i < s->n_words; i++) {
        if (!strcmp(s->words[i], what)) {
            return i;
        }
    }
    return -1;
}

static bool
node_is_active(const struct world *w, const struct node *nd)
{
    return had_runs(nd) && nd->had.core.state == HA_ACTIVE
           && door_lets_out(w, nd);
}

static const struct node *
active_node(struct world *w)
{
    FOR_EACH_NODE(nd, w)
    {
        if (node_is_active(w, nd)) {
            return nd;
        }
    }
    return NULL;
}

static bool
someone_serves(struct world *w)
{
    FOR_EACH_NODE(nd, w)
    {
        if (door_lets_out(w, nd)) {
            return true;
        }
    }
    return false;
}

/* Words 1 and on, up to "within", "for" or the end, are the condition. */
static bool
condition_holds(struct story *s)
{
    struct world *w = s->w;
    const struct ha_record *rec = &w->oracle.chosen.record;
    const char *what = word(s, 1);
    char buf[160];

    if (!strcmp(what, "active")) {
        return isdigit((unsigned char) word(s, 2)[0])
                   ? node_is_active(w, node_arg(s, 2))
                   : active_node(w) != NULL;
    } else if (!strcmp(what, "nobody")) {
        return !someone_serves(w);
    } else if (!strcmp(what, "state")) {
        const struct node *nd = node_arg(s, 2);

        return nd->had.alive
               && !strcmp(ha_state_name(nd->had.core.state), word(s, 3));
    } else if (!strcmp(what, "why")) {
        return !strcmp(ha_why_code(node_arg(s, 2)->had.core.why), word(s, 3));
    } else if (!strcmp(what, "stopped")) {
        return !node_arg(s, 2)->had.alive;
    } else if (!strcmp(what, "in-sync")) {
        int end = find_word(s, "within");
        struct ha_set set =
            set_of_mask(nodes_arg(s, 2, end > 0 ? "within" : "for"));

        return ha_set_equal(&rec->in_sync, &set);
    } else if (!strcmp(what, "epoch")) {
        return rec->epoch.n == (uint32_t) atoi(word(s, 2));
    } else if (!strcmp(what, "moves")) {
        return w->oracle.n_moves <= (unsigned) atoi(word(s, 2));
    } else if (!strcmp(what, "lost")) {
        return w->oracle.lost == (size_t) atoi(word(s, 2));
    } else if (!strcmp(what, "pause")) {
        static const char *const names[] = { "none", "asked", "on", "ending" };

        return !strcmp(names[rec->paused], word(s, 2));
    } else if (!strcmp(what, "endless")) {
        return node_arg(s, 2)->fence.holder.end != LEASE_ORDINARY;
    } else if (!strcmp(what, "settled")) {
        return !oracle_settled(w, buf, sizeof buf);
    }
    complain(s, "unknown condition", what);
    return true;
}

static void
expect_within(struct story *s, int64_t us)
{
    int64_t until = s->w->now + us;

    while (!condition_holds(s)) {
        if (s->w->now >= until) {
            oracle_dump(s->w);
            complain(s, "did not come true", word(s, 1));
            return;
        }
        world_run(s->w, s->w->now + LOOK_US);
        if (s->w->failed) {
            return;
        }
    }
}

static void
expect_for(struct story *s, int64_t us)
{
    int64_t until = s->w->now + us;

    while (s->w->now < until && !s->w->failed) {
        if (!condition_holds(s)) {
            complain(s, "did not stay true", word(s, 1));
            return;
        }
        world_run(s->w, s->w->now + LOOK_US);
    }
}

static void
do_expect(struct story *s)
{
    int within = find_word(s, "within");
    int lasting = find_word(s, "for");

    if (within > 0) {
        expect_within(s, time_arg(s, within + 1));
    } else if (lasting > 0) {
        expect_for(s, time_arg(s, lasting + 1));
    } else if (!condition_holds(s)) {
        complain(s, "is not so", word(s, 1));
    }
}

/* ---- Commands --------------------------------------------------------- */

static void
do_boot(struct story *s)
{
    mask_t mask = nodes_arg(s, 1, "");

    FOR_EACH_NODE(nd, s->w)
    {
        if (mask & bit_of(nd->id)) {
            node_boot(s->w, nd);
        }
    }
}

/* "cut 1 from 2 3", "join 1 with 2 3". */
static void
do_cut(struct story *s, bool cut)
{
    const char *sep = cut ? "from" : "with";
    int i = find_word(s, sep);

    if (i < 0) {
        complain(s, "which from which?", "");
        return;
    }
    tell(s->w, NULL, cut ? "the link is cut" : "the link is whole again");
    net_cut(s->w, nodes_arg(s, 1, sep), nodes_arg(s, i + 1, ""), cut);
}

static void
do_crash(struct story *s)
{
    struct node *nd = node_arg(s, 2);
    const char *what = word(s, 1);

    if (!strcmp(what, "ovn-had")) {
        had_crash(s->w, nd, false);
    } else if (!strcmp(what, "fence")) {
        fence_crash(s->w, nd);
    } else if (!strcmp(what, "nb-server")) {
        server_crash(s->w, nd, HA_NB);
    } else if (!strcmp(what, "sb-worker")) {
        replica_crash(s->w, nd, HA_SB);
    } else {
        complain(s, "cannot crash", what);
    }
}

static void
do_freeze(struct story *s)
{
    struct node *nd = node_arg(s, 2);
    const char *what = word(s, 1);

    tell(s->w, nd, "== %s freezes", what);
    if (!strcmp(what, "ovn-had")) {
        had_freeze(s->w, nd);
    } else if (!strcmp(what, "fence")) {
        fence_freeze(s->w, nd);
    } else if (!strcmp(what, "sb-worker")) {
        replica_mute(s->w, nd, HA_SB, true);
    } else if (!strcmp(what, "corosync")) {
        group_freeze(s->w, nd);
    } else if (!strcmp(what, "node")) {
        node_freeze(s->w, nd);
    } else {
        complain(s, "cannot freeze", what);
    }
}

static void
do_thaw(struct story *s)
{
    struct node *nd = node_arg(s, 2);
    const char *what = word(s, 1);

    tell(s->w, nd, "== %s thaws", what);
    if (!strcmp(what, "ovn-had")) {
        had_thaw(s->w, nd);
    } else if (!strcmp(what, "fence")) {
        fence_thaw(s->w, nd);
    } else if (!strcmp(what, "sb-worker")) {
        replica_mute(s->w, nd, HA_SB, false);
    } else if (!strcmp(what, "corosync")) {
        group_thaw(s->w, nd);
    } else if (!strcmp(what, "node")) {
        node_thaw(s->w, nd);
    } else {
        complain(s, "cannot thaw", what);
    }
}

/* "failover to 2", on that node: the last resort. */
static void
do_failover(struct story *s)
{
    struct ha_event ev = { .type = HA_EV_FORCE, .ctl.ms = s->w->now };
    struct node *nd = node_arg(s, 2);

    ev.ctl.to = nd->id;
    tell(s->w, nd, "== an operator accepts that it lacks records");
    had_post(s->w, nd, &ev);
}

/* "switchover to 2", "shutdown 1". */
static void
do_operator(struct story *s, enum ha_event_type type)
{
    struct ha_event ev = { .type = type };
    const struct node *active = active_node(s->w);
    struct node *nd = type == HA_EV_SHUTDOWN ? node_arg(s, 1)
                      : active               ? world_node(s->w, active->id)
                                             : &s->w->nodes[0];

    if (type == HA_EV_SWITCH) {
        ev.ctl.to = node_arg(s, 2)->id;
        tell(s->w, NULL, "an operator asks for a switchover to n%u",
             ev.ctl.to);
        oracle_wish(s->w);
    } else {
        tell(s->w, nd, "== an operator stops ovn-had");
    }
    had_post(s->w, nd, &ev);
}

/* "reinit 1 on 2": asked of the ovn-had of 2. */
static void
do_reinit(struct story *s)
{
    struct ha_event ev = { .type = HA_EV_CONSENT,
                           .ctl.request = HA_REQ_REINIT };
    struct node *nd = node_arg(s, 3);

    ev.ctl.to = node_arg(s, 1)->id;
    tell(s->w, nd, "== an operator asks to reinit n%u", ev.ctl.to);
    had_post(s->w, nd, &ev);
}

/* "pause on 2", "resume on 2": by that node's ovn-had. */
static void
do_pause(struct story *s, enum ha_event_type type)
{
    struct ha_event ev = { .type = type };
    struct node *nd = node_arg(s, 2);

    ev.ctl.ms = 1;
    tell(s->w, nd, "== an operator asks to %s", word(s, 0));
    had_post(s->w, nd, &ev);
}

/* "corosync stops on 1 2", "corosync starts on all". */
static void
do_corosync(struct story *s)
{
    mask_t mask = nodes_arg(s, 3, "");

    FOR_EACH_NODE(nd, s->w)
    {
        if (!(mask & bit_of(nd->id))) {
            continue;
        } else if (!strcmp(word(s, 1), "stops")) {
            group_stop(s->w, nd);
        } else if (!strcmp(word(s, 1), "starts")) {
            group_start(s->w, nd);
        } else {
            complain(s, "corosync cannot", word(s, 1));
        }
    }
}

/* "flap 1 from 2 3 each 2s for 600s": cut for so long, whole for so long, and
 * so on.  What the nodes say meanwhile is left out. */
static void
do_flap(struct story *s)
{
    int from = find_word(s, "from");
    int each = find_word(s, "each");
    struct world *w = s->w;
    bool cut = false;
    int64_t until;

    if (from < 0 || each < 0) {
        complain(s, "which from which, and how fast?", "");
        return;
    }
    w->oracle.n_moves = 0;
    w->keep_story = false;
    until = w->now + time_arg(s, each + 3);
    while (w->now < until && !w->failed) {
        cut = !cut;
        net_cut(w, nodes_arg(s, 1, "from"), nodes_arg(s, from + 1, "each"),
                cut);
        world_run(w, w->now + time_arg(s, each + 1));
    }
    net_cut(w, nodes_arg(s, 1, "from"), nodes_arg(s, from + 1, "each"), false);
    w->keep_story = true;
    tell(w, NULL,
         "the link is whole again; the active role has moved %u times",
         w->oracle.n_moves);
}

static void
do_disk(struct story *s)
{
    struct node *nd = node_arg(s, 1);

    tell(s->w, nd, "== the disk is full");
    nd->disk.fails_until = s->w->now + time_arg(s, 3);
    node_local(s->w, nd);
}

/* "door of 1 sticks for 9s": it is not closed before. */
static void
do_door(struct story *s)
{
    struct node *nd = node_arg(s, 2);

    tell(s->w, nd, "== its door would close slowly");
    nd->door_stuck_until = s->w->now + time_arg(s, 5);
}

/* "address of 1 lost", "... back": the virtual IP cannot be had there. */
static void
do_address(struct story *s)
{
    struct node *nd = node_arg(s, 2);

    nd->address_unfit = !strcmp(word(s, 3), "lost");
    tell(s->w, nd, "== can%s have the virtual IP",
         nd->address_unfit ? "not" : "");
    node_local(s->w, nd);
}

/* "disk-low N", "disk-low N over". */
static void
do_disk_low(struct story *s)
{
    struct node *nd = node_arg(s, 1);

    nd->low_disk = strcmp(word(s, 2), "over") != 0;
    tell(s->w, nd,
         nd->low_disk ? "== the disk is nearly full"
                      : "== the disk has room again");
    node_local(s->w, nd);
}

/* "fencing", "fencing with proof", "fencing without devices": the pair's
 * policy, before it boots. */
static void
do_fencing(struct story *s)
{
    world_fence_policy(s->w, strcmp(word(s, 1), "without"),
                       !strcmp(word(s, 1), "with"));
}

/* "device of 1 fails": that by which node 1 fences the other. */
static void
do_device(struct story *s)
{
    static const char *const modes[] = { "works", "fails", "hangs", "lies" };

    for (int mode = 0; mode < 4; mode++) {
        if (!strcmp(word(s, 3), modes[mode])) {
            bmc_set_mode(s->w, node_arg(s, 2), (enum bmc_mode) mode);
            return;
        }
    }
    complain(s, "a device cannot be so", word(s, 3));
}

/* "vouch for 1 on 2": an operator says to node 2 that 1 is off. */
static void
do_vouch(struct story *s)
{
    struct ha_event ev = { .type = HA_EV_FENCED };

    ev.fenced.node = node_arg(s, 2)->id;
    ev.fenced.proven = ev.fenced.vouched = true;
    tell(s->w, NULL, "an operator vouches that n%u is off", ev.fenced.node);
    had_post(s->w, node_arg(s, 4), &ev);
}

static void
do_command(struct story *s)
{
    const char *verb = word(s, 0);

    if (!strcmp(verb, "expect")) {
        do_expect(s);
    } else if (!strcmp(verb, "wait")) {
        world_run(s->w, s->w->now + time_arg(s, 1));
    } else if (!strcmp(verb, "boot")) {
        do_boot(s);
    } else if (!strcmp(verb, "data")) {
        struct node *nd = node_arg(s, 1);

        nd->db[HA_NB].data_before = nd->db[HA_SB].data_before = true;
    } else if (!strcmp(verb, "power-cut")) {
        node_power_cut(s->w, node_arg(s, 1));
    } else if (!strcmp(verb, "lose-disk")) {
        node_wipe(s->w, node_arg(s, 1));
    } else if (!strcmp(verb, "other-life")) {
        node_other_life(s->w, node_arg(s, 1));
    } else if (!strcmp(verb, "crash")) {
        do_crash(s);
    } else if (!strcmp(verb, "re-exec")) {
        had_crash(s->w, node_arg(s, 1), true);
    } else if (!strcmp(verb, "start")) {
        had_start(s->w, node_arg(s, 1));
    } else if (!strcmp(verb, "freeze")) {
        do_freeze(s);
    } else if (!strcmp(verb, "thaw")) {
        do_thaw(s);
    } else if (!strcmp(verb, "cut")) {
        do_cut(s, true);
    } else if (!strcmp(verb, "join")) {
        do_cut(s, false);
    } else if (!strcmp(verb, "flap")) {
        do_flap(s);
    } else if (!strcmp(verb, "disk-full")) {
        do_disk(s);
    } else if (!strcmp(verb, "disk-low")) {
        do_disk_low(s);
    } else if (!strcmp(verb, "fencing")) {
        do_fencing(s);
    } else if (!strcmp(verb, "device")) {
        do_device(s);
    } else if (!strcmp(verb, "door")) {
        do_door(s);
    } else if (!strcmp(verb, "address")) {
        do_address(s);
    } else if (!strcmp(verb, "qnetd")) {
        group_qnetd(s->w, !strcmp(word(s, 1), "up"));
    } else if (!strcmp(verb, "vouch")) {
        do_vouch(s);
    } else if (!strcmp(verb, "switchover")) {
        do_operator(s, HA_EV_SWITCH);
    } else if (!strcmp(verb, "reinit")) {
        do_reinit(s);
    } else if (!strcmp(verb, "failover")) {
        do_failover(s);
    } else if (!strcmp(verb, "pause")) {
        do_pause(s, HA_EV_PAUSE);
    } else if (!strcmp(verb, "resume")) {
        do_pause(s, HA_EV_RESUME);
    } else if (!strcmp(verb, "corosync")) {
        do_corosync(s);
    } else if (!strcmp(verb, "shutdown")) {
        do_operator(s, HA_EV_SHUTDOWN);
    } else {
        complain(s, "unknown command", verb);
    }
}

/* ---- Golden narration ------------------------------------------------- */

static char *
read_all(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text;
    size_t n;

    if (!f) {
        return NULL;
    }
    text = malloc(1 << 20);
    if (!text) {
        abort();
    }
    n = fread(text, 1, (1 << 20) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void
show_difference(const char *want, const char *got)
{
    while (*want && *got) {
        size_t a = strcspn(want, "\n");
        size_t b = strcspn(got, "\n");

        if (a != b || memcmp(want, got, a)) {
            break;
        }
        want += a + (want[a] == '\n');
        got += b + (got[b] == '\n');
    }
    printf("  was: %.*s\n  is:  %.*s\n", (int) strcspn(want, "\n"), want,
           (int) strcspn(got, "\n"), got);
}

static void
compare_golden(struct story *s, bool update)
{
    char path[512];
    const char *got = s->w->story ? s->w->story : "";
    size_t base = strlen(s->path) - strlen(".sim");
    char *want;

    snprintf(path, sizeof path, "%.*s.golden", (int) base, s->path);
    if (update) {
        FILE *f = fopen(path, "w");

        if (!f || fputs(got, f) < 0 || fclose(f)) {
            complain(s, "cannot write", path);
        }
        return;
    }
    want = read_all(path);
    if (!want) {
        complain(s, "no golden narration", path);
    } else if (strcmp(want, got)) {
        complain(s, "the narration differs (look at it, then --update)", path);
        show_difference(want, got);
    }
    free(want);
}

/* ---- Life ------------------------------------------------------------- */

static void
split(struct story *s, char *line)
{
    char *save = NULL;

    s->n_words = 0;
    line[strcspn(line, "#\n")] = '\0';
    for (char *p = strtok_r(line, " \t", &save); p && s->n_words < MAX_WORDS;
         p = strtok_r(NULL, " \t", &save)) {
        s->words[s->n_words++] = p;
    }
}

static void
begin(struct story *s, bool verbose, struct coverage *cov)
{
    struct sim_options opt = {
        .n_nodes = 3,
        .verbose = verbose,
        .calm = true,
    };

    if (!strcmp(word(s, 0), "nodes")) {
        opt.n_nodes = (unsigned) atoi(word(s, 1));
        opt.witness = !strcmp(word(s, 3), "witness");
        opt.qdevice = opt.n_nodes == 2 && !strcmp(word(s, 3), "qdevice");
        opt.two_node = opt.n_nodes == 2 && !strcmp(word(s, 3), "two_node");
        opt.watchdog = !strcmp(word(s, 3), "watchdog");
    }
    if (opt.n_nodes < 1 || opt.n_nodes > HA_MAX_NODES) {
        opt.n_nodes = 3;
    }
    world_init(s->w, &opt, cov);
    s->w->keep_story = true;
    clients_start(s->w);
}

/* Runs one story.  Returns 0 if all came about as it says. */
int
script_run(const char *path, bool verbose, bool update, struct coverage *cov)
{
    struct story s = { .path = path };
    bool begun = false;
    char line[256], echo[256];
    FILE *f = fopen(path, "r");

    if (!f) {
        printf("%s: %s\n", path, strerror(errno));
        return -errno;
    }
    s.w = calloc(1, sizeof *s.w);
    if (!s.w) {
        abort();
    }
    while (!s.bad && !s.w->failed && fgets(line, sizeof line, f)) {
        s.line++;
        snprintf(echo, sizeof echo, "%.*s", (int) strcspn(line, "#\n"), line);
        split(&s, line);
        if (s.n_words && !begun) {
            begin(&s, verbose, cov);
            begun = true;
        }
        if (s.n_words && strcmp(s.words[0], "nodes")) {
            tell(s.w, NULL, "> %s", echo);
            do_command(&s);
        }
    }
    fclose(f);
    if (begun && s.w->failed) {
        complain(&s, "violation", s.w->violation);
    }
    if (begun && !s.bad) {
        oracle_logs(s.w);
        compare_golden(&s, update);
    }
    if (s.bad && !verbose && begun) {
        fputs(s.w->story ? s.w->story : "", stdout);
    }
    if (begun) {
        world_close(s.w);
    }
    free(s.w);
    printf("%s: %s\n", s.bad ? "FAILED" : "ok", path);
    return s.bad ? -EINVAL : 0;
}
