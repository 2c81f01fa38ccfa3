/* SPDX-License-Identifier: Apache-2.0 */

/* The process of a verifier.  It may block, and ends when its worker does. */

#include <config.h>

#include "replica/verifier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "openvswitch/json.h"
#include "timeval.h"
#include "util.h"

#include "replica/content.h"
#include "replica/shadow.h"
#include "replica/verifier-private.h"

#define LOAD_SLICE (1u << 20)
#define PROGRESS_MS 250

/* linux/ioprio.h. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13)

struct process {
    struct verifier_msg msg; /* To be sent. */
    char heard[VERIFIER_TEXT_MAX + 1];
    long long int next_progress;
};

/* Behind everything that serves anybody.  What cannot be had is no reason to
 * stop. */
static void
step_back(void)
{
    static const char adj[] = "1000";
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        ignore(write(fd, adj, sizeof adj - 1));
        close(fd);
    }
    setpriority(PRIO_PROCESS, 0, 19);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
    prctl(PR_SET_NAME, "ovn-ha-verifier");
}

/* Waits until the socket is ready. */
static void
wait_for(short int events)
{
    struct pollfd pfd = { .fd = VERIFIER_FD, .events = events };

    while (poll(&pfd, 1, -1) < 0 && errno == EINTR) {
        continue;
    }
}

/* Sends 'p->msg' with 'n' bytes of body.  The process ends if there is nobody
 * any more.  Without 'must' it is dropped if it does not fit now. */
static void
say(struct process *p, enum verifier_said said, size_t n, bool must)
{
    int error;

    p->msg.said = said;
    p->msg.len = n;
    for (;;) {
        error = seq_send(VERIFIER_FD, &p->msg,
                         offsetof(struct verifier_msg, text) + n);
        if (error != -EAGAIN || !must) {
            break;
        }
        wait_for(POLLOUT);
    }
    if (error && error != -EAGAIN) {
        exit(EXIT_SUCCESS);
    }
}

static struct wire_r_verification *
fill_verification(struct process *p, uint32_t state)
{
    struct wire_r_verification *m = &p->msg.verification;

    memset(m, 0, sizeof *m);
    m->state = state;
    return m;
}

static void
say_progress(struct process *p, uint32_t phase, uint64_t done, uint64_t total)
{
    struct wire_r_verification *m;

    if (time_msec() >= p->next_progress) {
        p->next_progress = time_msec() + PROGRESS_MS;
        m = fill_verification(p, WIRE_RV_RUNNING);
        m->phase = phase;
        m->done = done;
        m->total = total;
        say(p, VERIFIER_PROGRESS, sizeof *m, false);
    }
}

static void __attribute__((noreturn)) fail(struct process *p, const char *why)
{
    struct wire_r_verification *m = fill_verification(p, WIRE_RV_FAILED);

    ovs_strlcpy(m->why, why, sizeof m->why);
    say(p, VERIFIER_RESULT, sizeof *m, true);
    exit(EXIT_SUCCESS);
}

static void
on_progress(void *p, uint64_t done, uint64_t rows)
{
    say_progress(p, WIRE_RVP_COMPARING, done, rows);
}

static struct content *
load(struct process *p, uint64_t upto)
{
    struct shadow *shadow = shadow_create(VERIFIER_FILE_FD, upto, NULL);
    char why[SHADOW_WHY_LEN], text[WIRE_WHY_LEN];
    struct content *content;
    int ret;

    do {
        ret = shadow_load(shadow, LOAD_SLICE, why);
        say_progress(p, WIRE_RVP_READING, shadow_offset(shadow), upto);
    } while (ret > 0);
    if (ret < 0 || !shadow_db(shadow)) {
        snprintf(text, sizeof text, "the file does not load: %.120s",
                 ret < 0 ? why : "it is empty");
        fail(p, text);
    }
    content = content_create(shadow);
    content_set_progress(content, on_progress, p);
    return content; /* With the shadow below it, to the end. */
}

/* Sends 'json', which is consumed, to the other end's process. */
static void
say_json(struct process *p, struct json *json)
{
    char *text = json_to_string(json, 0);
    size_t n = strlen(text);

    json_destroy(json);
    if (n > sizeof p->msg.text) {
        free(text);
        fail(p, "the schema is too large to be compared");
    }
    memcpy(p->msg.text, text, n);
    free(text);
    say(p, VERIFIER_TEXT, n, true);
}

/* Waits for what the other end's process says. */
static struct json *
hear_json(struct process *p)
{
    ssize_t n;

    while ((n = seq_recv(VERIFIER_FD, p->heard, sizeof p->heard - 1))
           == -EAGAIN) {
        wait_for(POLLIN);
    }
    if (n < 0) {
        exit(EXIT_SUCCESS);
    }
    p->heard[n] = '\0';
    return json_from_string(p->heard);
}

static struct json *
ask(void *p, struct json *question)
{
    say_json(p, question);
    return hear_json(p);
}

static void
run_asking(struct process *p, struct content *content)
{
    struct content_result r;
    struct wire_r_verification *m;

    if (content_compare(content, ask, p, &r)) {
        fail(p, "the source's answers make no sense");
    }
    for (uint32_t i = 0; i < r.n_found; i++) {
        p->msg.difference = r.found[i];
        say(p, VERIFIER_DIFFERENCE, sizeof r.found[i], true);
    }
    m = fill_verification(p, r.n_differ ? WIRE_RV_DIFFERS : WIRE_RV_EQUAL);
    m->phase = WIRE_RVP_COMPARING;
    m->rows = m->done = m->total = r.rows;
    m->tables = r.tables;
    m->n_differ = r.n_differ;
    m->skipped = r.skipped;
    say(p, VERIFIER_RESULT, sizeof *m, true);
}

/* Until the worker ends it. */
static void __attribute__((noreturn))
run_answering(struct process *p, struct content *content)
{
    for (;;) {
        struct json *question = hear_json(p);
        struct json *answer = content_answer(content, question);

        json_destroy(question);
        if (!answer) {
            fail(p, "a question makes no sense");
        }
        say_json(p, answer);
    }
}

int
verifier_main(bool asks, uint64_t upto)
{
    static struct process p; /* Too large for the stack. */
    struct content *content;

    step_back();
    content = load(&p, upto);
    if (!asks) {
        run_answering(&p, content);
    }
    run_asking(&p, content);
    return EXIT_SUCCESS;
}
