/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/runner.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "fence/agent.h"
#include "fence/fencing.h"
#include "fence/metadata.h"
#include "fence/sup.h"
#include "lib/log.h"
#include "lib/xalloc.h"

_Static_assert(WIRE_A_MAX_DEVICES == FENCING_MAX_DEVICES
                   && WIRE_A_MAX_LEVELS == FENCING_MAX_LEVELS
                   && WIRE_A_MAX_IN_LEVEL == FENCING_MAX_IN_LEVEL
                   && WIRE_WHY_LEN == FENCING_WHY_LEN,
               "wire and state machine agree");
_Static_assert((int) WIRE_A_IDLE == (int) FENCING_IDLE
                   && (int) WIRE_A_FAILED == (int) FENCING_FAILED,
               "phases are told as they are");

#define METADATA_US 20000000 /* Some agents take their time even for that. */
#define MSGS_A_TURN 128
#define ORPHANS_US 200000 /* Until those that were killed are looked at. */

/* What is configured. */
struct plan {
    struct wire_a_device devices[FENCING_MAX_DEVICES];
    struct wire_a_target targets[HA_MAX_NODES];
    struct wire_a_commit commit;
};

struct runner {
    struct sup sup;
    int signal_fd;
    bool ending;
    struct plan plan;              /* In force. */
    struct plan next;              /* Being told. */
    uint32_t n_devices, n_targets; /* Told of it so far. */
    struct fencing fencing;
    struct agent agents[FENCING_MAX_DEVICES];
    mono_t orphans_due;
    enum fencing_phase phases[HA_MAX_NODES]; /* When last looked. */
    bool answer_due;
    struct wire_a_state told;
};

/* ---- Configuration -------------------------------------------------- */

static bool
plan_is_sound(const struct plan *p)
{
    for (uint32_t i = 0; i < p->commit.n_targets; i++) {
        const struct wire_a_target *t = &p->targets[i];

        for (uint32_t l = 0; l < WIRE_A_MAX_LEVELS; l++) {
            if (t->n[l] > WIRE_A_MAX_IN_LEVEL) {
                return false;
            }
            for (uint32_t k = 0; k < t->n[l]; k++) {
                if (t->devices[l][k] >= p->commit.n_devices) {
                    return false;
                }
            }
        }
        if (t->has_confirm && t->confirm >= p->commit.n_devices) {
            return false;
        }
    }
    return true;
}

static void
end_agents(struct runner *r)
{
    for (uint32_t i = 0; i < FENCING_MAX_DEVICES; i++) {
        agent_close(&r->agents[i]);
        agent_init(&r->agents[i]);
    }
}

/* Makes the state machine of the plan. */
static void
adopt_plan(struct runner *r, mono_t now)
{
    struct fencing *f = &r->fencing;

    end_agents(r);
    memset(f, 0, sizeof *f);
    f->n_devices = r->plan.commit.n_devices;
    f->n_targets = r->plan.commit.n_targets;
    for (uint32_t i = 0; i < f->n_devices; i++) {
        const struct wire_a_device *d = &r->plan.devices[i];

        f->devices[i].timeout_us = (int64_t) d->timeout_ms * 1000;
        f->devices[i].monitor_us = (int64_t) d->monitor_ms * 1000;
        f->devices[i].retries = d->retries;
    }
    for (uint32_t i = 0; i < f->n_targets; i++) {
        const struct wire_a_target *w = &r->plan.targets[i];
        struct fencing_target *t = &f->targets[i];

        t->node = w->node;
        t->has_confirm = w->has_confirm;
        t->confirm = w->confirm;
        t->power_on = w->power_on;
        for (uint32_t l = 0; l < FENCING_MAX_LEVELS; l++) {
            t->levels[l].n = w->n[l];
            memcpy(t->levels[l].devices, w->devices[l],
                   sizeof t->levels[l].devices);
        }
    }
    fencing_start(f, now);
    memset(r->phases, 0, sizeof r->phases);
    ha_log(HA_LOG_INFO, "agents", "%u fence devices for %u nodes",
           f->n_devices, f->n_targets);
}

static void
on_commit(struct runner *r, const struct wire_a_commit *commit, mono_t now)
{
    r->answer_due = true;
    r->next.commit = *commit;
    if (commit->n_devices != r->n_devices || commit->n_targets != r->n_targets
        || !plan_is_sound(&r->next)) {
        ha_log(HA_LOG_ERR, "agents",
               "refused a configuration of %u devices and %u nodes",
               commit->n_devices, commit->n_targets);
    } else if (memcmp(&r->next, &r->plan, sizeof r->plan)) {
        r->plan = r->next;
        adopt_plan(r, now);
    }
    r->n_devices = r->n_targets = 0;
    memset(&r->next, 0, sizeof r->next);
}

static void
on_fence(struct runner *r, const struct wire_a_fence *m, mono_t now)
{
    if (fencing_request(&r->fencing, m->node, m->token, now)) {
        ha_log(HA_LOG_WARN, "agents", "no device can fence node %u", m->node);
    } else {
        ha_log(HA_LOG_WARN, "agents", "fencing node %u", m->node);
    }
    r->answer_due = true;
}

static void
on_message(struct runner *r, uint16_t type, union sup_body *body, mono_t now)
{
    switch (type) {
    case WIRE_A_DEVICE:
        if (r->n_devices < FENCING_MAX_DEVICES) {
            struct wire_a_device *d = &r->next.devices[r->n_devices++];

            *d = body->device;
            d->params[sizeof d->params - 1] = '\0';
            d->agent[sizeof d->agent - 1] = d->name[sizeof d->name - 1] = '\0';
        }
        break;
    case WIRE_A_TARGET:
        if (r->n_targets < HA_MAX_NODES) {
            struct wire_a_target *t = &r->next.targets[r->n_targets++];

            *t = body->target;
            t->name[sizeof t->name - 1] = '\0';
        }
        break;
    case WIRE_A_COMMIT:
        on_commit(r, &body->commit, now);
        break;
    case WIRE_A_FENCE:
        on_fence(r, &body->fence, now);
        break;
    case WIRE_A_PING:
        r->answer_due = true;
        break;
    default:
        ha_log(HA_LOG_DBG, "agents", "unknown message of type %u", type);
        break;
    }
}

static void
read_sup(struct runner *r, mono_t now)
{
    static union sup_body body; /* Large. */
    uint16_t type;

    if (sup_accept(&r->sup, now)) {
        r->n_devices = r->n_targets = 0;
        memset(&r->next, 0, sizeof r->next);
    }
    for (int i = 0; i < MSGS_A_TURN; i++) {
        int error = sup_recv(&r->sup, now, &type, &body);

        if (!error) {
            on_message(r, type, &body, now);
        } else if (error != -EBADMSG) {
            return;
        }
    }
}

/* ---- Agents --------------------------------------------------------- */

/* What a run that ended means. */
static enum fencing_outcome
judge(struct runner *r, uint32_t i, enum fencing_action action, int status,
      char why[FENCING_WHY_LEN])
{
    const struct agent *a = &r->agents[i];
    char line[FENCING_WHY_LEN / 2];

    why[0] = '\0';
    if (action == FENCING_METADATA && !status) {
        return metadata_check(a->text, r->plan.devices[i].params, why,
                              FENCING_WHY_LEN)
                   ? FENCING_BAD
                   : FENCING_GOOD;
    } else if (!status) {
        return FENCING_GOOD;
    } else if (status == 2 && action == FENCING_STATUS) {
        return FENCING_IS_OFF;
    }
    if (status == -ETIMEDOUT) {
        snprintf(why, FENCING_WHY_LEN, "%s took too long and was killed",
                 fencing_action_name(action));
    } else {
        agent_last_line(a, line, sizeof line);
        snprintf(why, FENCING_WHY_LEN, "%s failed (exit status %d)%s%s",
                 fencing_action_name(action), status, line[0] ? ": " : "",
                 line);
    }
    return FENCING_BAD;
}

/* Tells what matters of it to people. */
static void
log_end(const struct runner *r, uint32_t i, enum fencing_action action,
        enum fencing_outcome outcome, const char *why)
{
    const struct fencing_device *d = &r->fencing.devices[i];
    const char *name = r->plan.devices[i].name;

    if (outcome == FENCING_BAD && !d->abort
        && (d->for_target || d->well || strcmp(d->why, why))) {
        ha_log(HA_LOG_ERR, "agents", "%s: %s", name, why);
    } else if (outcome != FENCING_BAD && d->for_target) {
        ha_log(HA_LOG_WARN, "agents", "%s: %s: %s", name,
               fencing_action_name(action),
               outcome == FENCING_IS_OFF  ? "the node is off"
               : action == FENCING_STATUS ? "the node is on"
                                          : "done");
    } else if (outcome == FENCING_GOOD && action == FENCING_MONITOR
               && !d->well) {
        ha_log(HA_LOG_INFO, "agents", "%s answers its monitor", name);
    }
}

static void
end_run(struct runner *r, uint32_t i, int status, const char *trouble,
        mono_t now)
{
    enum fencing_action action = r->fencing.devices[i].running;
    char why[FENCING_WHY_LEN];
    enum fencing_outcome outcome = FENCING_BAD;

    if (trouble) {
        snprintf(why, sizeof why, "%s", trouble);
    } else {
        outcome = judge(r, i, action, status, why);
    }
    log_end(r, i, action, outcome, why);
    fencing_done(&r->fencing, i, outcome, why, now);
}

static void
run_agents(struct runner *r, mono_t now)
{
    for (uint32_t i = 0; i < r->fencing.n_devices; i++) {
        int status;

        if (!agent_runs(&r->agents[i])) {
            continue;
        }
        if (r->fencing.devices[i].abort) {
            agent_kill(&r->agents[i], now);
        }
        status = agent_run(&r->agents[i], now);
        if (status != -EAGAIN) {
            end_run(r, i, status, NULL, now);
        }
    }
}

/* Said before it is done: what an agent does to a node may be the last that
 * is heard of either. */
static void
log_start(const struct runner *r, const struct fencing_run *run)
{
    const struct fencing_device *d = &r->fencing.devices[run->device];

    if (d->for_target) {
        ha_log(HA_LOG_WARN, "agents", "%s: %s of %s begins",
               r->plan.devices[run->device].name,
               fencing_action_name(run->action),
               r->plan.targets[d->target].name);
    }
}

/* What an agent left behind is ended before the next one begins. */
static void
end_orphans(struct runner *r, mono_t now)
{
    r->orphans_due = MONO_NEVER;
    for (uint32_t i = 0; i < FENCING_MAX_DEVICES; i++) {
        if (agent_runs(&r->agents[i])) {
            return;
        }
    }
    if (agent_end_orphans()) {
        r->orphans_due = mono_add_us(now, ORPHANS_US);
    }
}

static void
start_agents(struct runner *r, mono_t now)
{
    struct fencing_run run;
    char why[FENCING_WHY_LEN];

    while (fencing_next(&r->fencing, now, &run)) {
        const struct wire_a_device *d = &r->plan.devices[run.device];
        int64_t us =
            run.action == FENCING_METADATA ? METADATA_US : run.timeout_us;

        assert(!agent_runs(&r->agents[run.device]));
        log_start(r, &run);
        if (agent_start(&r->agents[run.device], d->agent, run.action,
                        run.action == FENCING_METADATA ? "" : d->params, us,
                        now, why, sizeof why)) {
            end_run(r, run.device, 0, why, now);
        }
    }
}

/* ---- Telling -------------------------------------------------------- */

static int64_t
state_time(mono_t t)
{
    return t.us == MONO_MIN.us ? 0 : t.us;
}

static void
make_device(const struct runner *r, uint32_t i,
            struct wire_a_device_state *ret)
{
    const struct fencing_device *d = &r->fencing.devices[i];

    memcpy(ret->name, r->plan.devices[i].name, sizeof ret->name);
    ret->fits = d->fits;
    ret->well = d->well;
    ret->running = d->running;
    ret->answered_us = state_time(d->answered);
    ret->tried_us = state_time(d->tried);
    memcpy(ret->why, d->why, sizeof ret->why);
}

static void
make_target(const struct runner *r, uint32_t i,
            struct wire_a_target_state *ret)
{
    const struct fencing_target *t = &r->fencing.targets[i];

    ret->node = t->node;
    ret->phase = t->phase;
    ret->token = t->token;
    ret->level = t->level;
    for (uint32_t k = 0; k < r->fencing.n_devices; k++) {
        const struct fencing_device *d = &r->fencing.devices[k];

        if (d->running != FENCING_NONE && d->for_target && d->target == i) {
            ret->device = k;
            ret->action = d->running;
        }
    }
    ret->since_us = t->phase == FENCING_IDLE ? 0 : t->since.us;
    ret->fenced_us = state_time(t->fenced);
    memcpy(ret->why, t->why, sizeof ret->why);
}

static void
tell(struct runner *r, mono_t now)
{
    static struct wire_a_state s; /* Large. */

    if (r->sup.fd < 0) {
        return;
    }
    memset(&s, 0, sizeof s);
    s.pid = getpid();
    s.n_devices = r->fencing.n_devices;
    s.n_targets = r->fencing.n_targets;
    for (uint32_t i = 0; i < s.n_devices; i++) {
        make_device(r, i, &s.devices[i]);
    }
    for (uint32_t i = 0; i < s.n_targets; i++) {
        make_target(r, i, &s.targets[i]);
    }
    if ((r->answer_due || memcmp(&s, &r->told, sizeof s))
        && sup_send(&r->sup, WIRE_A_STATE, &s, sizeof s, now) != -EAGAIN) {
        r->answer_due = false;
        r->told = s;
    }
}

/* Log lines for the ends of what was asked for. */
static void
log_phases(struct runner *r)
{
    for (uint32_t i = 0; i < r->fencing.n_targets; i++) {
        const struct fencing_target *t = &r->fencing.targets[i];
        const char *name = r->plan.targets[i].name;

        if (r->phases[i] != t->phase && t->phase == FENCING_FENCED) {
            ha_log(HA_LOG_WARN, "agents", "%s is off: proven by level %u",
                   name, t->level + 1);
        } else if (r->phases[i] != t->phase && t->phase == FENCING_FAILED) {
            ha_log(HA_LOG_ERR, "agents", "%s could not be fenced: %s", name,
                   t->why);
        }
        r->phases[i] = t->phase;
    }
}

/* ---- Loop ----------------------------------------------------------- */

static void
sleep_turn(const struct runner *r)
{
    struct pollfd pfds[3 + 2 * FENCING_MAX_DEVICES];
    mono_t due = mono_min(fencing_due(&r->fencing), r->orphans_due);
    unsigned int n = 0;

    pfds[n++] = (struct pollfd){ r->signal_fd, POLLIN, 0 };
    n += sup_poll(&r->sup, pfds + n);
    for (uint32_t i = 0; i < r->fencing.n_devices; i++) {
        n += agent_poll(&r->agents[i], pfds + n);
        due = mono_min(due, agent_due(&r->agents[i]));
    }
    poll(pfds, n, mono_ms_until(mono_now(), due));
}

static void
run_turn(struct runner *r)
{
    struct signalfd_siginfo info;
    mono_t now;

    sleep_turn(r);
    now = mono_now();
    r->ending = read(r->signal_fd, &info, sizeof info) == sizeof info;
    read_sup(r, now);
    run_agents(r, now);
    end_orphans(r, now);
    start_agents(r, now);
    log_phases(r);
    tell(r, now);
}

int
runner_main(const char *path)
{
    struct runner *r = ha_calloc(1, sizeof *r);
    sigset_t set;
    int error;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    r->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    for (uint32_t i = 0; i < FENCING_MAX_DEVICES; i++) {
        agent_init(&r->agents[i]);
    }
    error = r->signal_fd < 0 ? -errno : sup_init(&r->sup, path, mono_now());
    if (error) {
        ha_log(HA_LOG_ERR, "agents", "cannot listen on %s: %s", path,
               strerror(-error));
        return 1;
    }
    while (!r->ending) {
        run_turn(r);
    }
    end_agents(r);
    agent_end_orphans();
    return 0;
}
