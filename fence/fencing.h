/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_FENCING_H
#define FENCE_FENCING_H 1

/* Fencing, as a state machine: which agent to run next, and what to believe.
 *
 * Exists apart from the processes (fence/agents) so that what counts as a
 * proof is decided in one place, which unit tests and the simulator run.  A
 * node counts as fenced only after each device of one level said "off" to an
 * `off` and to a `status` after it, and had before that, and not long before,
 * said "on" or answered its monitor: "off" alone may be a broken agent.
 * Where a device confirms, its `status` has to say so, too.
 *
 * The caller asks fencing_next() for runs until there is none, carries them
 * out and tells of each end by fencing_done().  Pure: knows no process, no
 * clock and no parameters of agents. */

#include "lib/mono.h"
#include "lib/types.h"

/* `reboot` is not among the actions: nothing can ask for the proof that the
 * node is off between its halves.  Off, status, on do the same with one. */
#define FENCING_MAX_DEVICES 32
#define FENCING_MAX_LEVELS 4
#define FENCING_MAX_IN_LEVEL 4
#define FENCING_WHY_LEN 160

enum fencing_action {
    FENCING_NONE,
    FENCING_METADATA, /* Do agent and parameters fit together? */
    FENCING_MONITOR,
    FENCING_STATUS,
    FENCING_OFF,
    FENCING_ON,
};

enum fencing_outcome {
    FENCING_GOOD,   /* It did what it was to do; of `status`: on. */
    FENCING_IS_OFF, /* Only of `status`: off. */
    FENCING_BAD,    /* It failed, or was ended because it took too long. */
};

struct fencing_device {
    int64_t timeout_us; /* Of each run. */
    int64_t monitor_us; /* Between two monitors. */
    uint32_t retries;   /* Of what failed; 0: none. */

    /* State. */
    bool fits;       /* Its metadata was read, and its parameters fit. */
    mono_t answered; /* Last "on", or answer to a monitor; MONO_MIN. */
    mono_t tried;    /* Last end of a run; MONO_MIN. */
    bool well;       /* That run was as it is to be. */
    mono_t next;     /* Of metadata or monitor. */
    enum fencing_action running;
    bool for_target;           /* That run is a step of 'target'. */
    uint32_t target;           /* Index. */
    bool abort;                /* That run is in the way of fencing: end it. */
    char why[FENCING_WHY_LEN]; /* What the last failure was; "". */
};

struct fencing_level {
    uint32_t n; /* 0: there is no such level. */
    uint32_t devices[FENCING_MAX_IN_LEVEL];
};

enum fencing_phase {
    FENCING_IDLE,
    FENCING_WORKING,
    FENCING_FENCED, /* Proven off. */
    FENCING_FAILED, /* No level did. */
};

/* What is to be done with one device of a level. */
enum fencing_step {
    FENCING_STEP_HEAR, /* Make sure that it is one that can be believed. */
    FENCING_STEP_OFF,
    FENCING_STEP_STATUS,
    FENCING_STEP_CONFIRM_HEAR,
    FENCING_STEP_CONFIRM,
    FENCING_STEP_ON, /* After the proof; whatever comes of it. */
    FENCING_STEP_END,
};

struct fencing_target {
    uint32_t node; /* Id. */
    struct fencing_level levels[FENCING_MAX_LEVELS];
    bool has_confirm;
    uint32_t confirm; /* Device. */
    bool power_on;    /* Switch it on again after the proof. */

    /* State. */
    enum fencing_phase phase;
    uint32_t token; /* Of the request. */
    mono_t since;   /* When it came. */
    mono_t fenced;  /* When the proof was complete; MONO_MIN. */
    uint32_t level; /* Index, */
    uint32_t pos;   /* device in it, */
    enum fencing_step step;
    uint32_t failures;         /* of this step. */
    mono_t step_next;          /* Not before. */
    mono_t step_end;           /* Status has to say off by then. */
    char why[FENCING_WHY_LEN]; /* Of the last failure; "". */
};

struct fencing {
    uint32_t n_devices;
    struct fencing_device devices[FENCING_MAX_DEVICES];
    uint32_t n_targets;
    struct fencing_target targets[HA_MAX_NODES];
};

struct fencing_run {
    uint32_t device; /* Index. */
    enum fencing_action action;
    int64_t timeout_us;
};

/* Sets the state of all devices and targets to what it is at the start; the
 * caller has filled in the rest.  Monitors begin soon, and not all at once. */
void fencing_start(struct fencing *, mono_t now);

/* True if a level for 'node' exists. */
bool fencing_can(const struct fencing *, uint32_t node);

/* Begins to fence 'node'; the 'token' is told with the result.  One that is
 * under way goes on, under the new token.  Returns 0, or -ENODEV if there is
 * no device for it. */
int fencing_request(struct fencing *, uint32_t node, uint32_t token,
                    mono_t now);

/* Returns true and the next run to begin; false if there is none now. */
bool fencing_next(struct fencing *, mono_t now, struct fencing_run *ret_run);

/* The run on 'device' ended.  'why' says what was wrong. */
void fencing_done(struct fencing *, uint32_t device, enum fencing_outcome,
                  const char *why, mono_t now);

/* When fencing_next() may have something new to say. */
mono_t fencing_due(const struct fencing *);

/* True if what 'device' says is believed at 'now'. */
bool fencing_believes(const struct fencing_device *, mono_t now);

const char *fencing_action_name(enum fencing_action);

#endif /* fence/fencing.h */
