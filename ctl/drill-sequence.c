/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-sequence.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wordexp.h>

#include "ctl/confirm.h"
#include "ctl/drill.h"
#include "ctl/drill-report.h"
#include "ctl/interrupt.h"
#include "lib/child.h"
#include "lib/durable.h"
#include "lib/jsonget.h"
#include "lib/mono.h"
#include "lib/xalloc.h"

#define FILE_MAX 65536
#define STEPS_MAX 64
#define OUTPUT_MAX (4 * 1024 * 1024)
#define STEP_MS 50
#define POLL_MS 200

/* ---- The file ------------------------------------------------------------ */

struct step {
    char *text;
    int line;
    wordexp_t words;
};

struct steps {
    struct step step[STEPS_MAX];
    size_t n;
};

static void
free_steps(struct steps *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->step[i].text);
        wordfree(&s->step[i].words);
    }
}

/* Returns false after a line of error. */
static bool
add_step(struct steps *s, const char *file, int line, char *text)
{
    struct step *step = &s->step[s->n];
    const char *why = NULL;

    text += strspn(text, " \t\r");
    if (!*text || *text == '#') {
        return true;
    } else if (s->n == STEPS_MAX) {
        why = "there are too many drills";
    } else if (wordexp(text, &step->words, WRDE_NOCMD | WRDE_UNDEF)) {
        why = "these are no words for a shell";
    } else if (!act_find_kind(step->words.we_wordv[0])) {
        wordfree(&step->words);
        why = "there is no such drill";
    }
    if (why) {
        fprintf(stderr, "ovn-hactl: %s:%d: \"%s\": %s\n", file, line, text,
                why);
        return false;
    }
    step->text = ha_strdup(text);
    step->line = line;
    s->n++;
    return true;
}

/* Returns false after a line of error; the caller frees them either way. */
static bool
read_steps(const char *file, struct steps *s)
{
    char *text, *rest, *line;
    size_t n;
    int error = durable_read(file, FILE_MAX, &text, &n), number = 0;
    bool ok = true;

    if (error) {
        fprintf(stderr, "ovn-hactl: %s: %s\n", file, strerror(-error));
        return false;
    }
    for (rest = text; ok && (line = strsep(&rest, "\n"));) {
        ok = add_step(s, file, ++number, line);
    }
    free(text);
    if (ok && !s->n) {
        fprintf(stderr, "ovn-hactl: %s names no drill\n", file);
        ok = false;
    }
    return ok;
}

/* ---- One drill ----------------------------------------------------------- */

/* Starts it, in a session of its own, so that the terminal's signals come once,
 * from here.  Returns 0 or a negative errno, and where its output comes. */
static int
start(const struct step *step, const char *const options[],
      struct child *ret_child, int *ret_fd)
{
    size_t n = step->words.we_wordc, n_options = 0;
    const char **argv;
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    int fds[2], error;

    if (length < 0) {
        return -errno;
    }
    self[length] = '\0';
    while (options[n_options]) {
        n_options++;
    }
    if (pipe2(fds, O_CLOEXEC)) {
        return -errno;
    }
    argv = ha_calloc(n + n_options + 3, sizeof *argv);
    argv[0] = self; /* By its name, which ovn-had looks at. */
    argv[1] = "drill";
    memcpy(argv + 2, step->words.we_wordv, n * sizeof *argv);
    memcpy(argv + 2 + n, options, n_options * sizeof *argv);
    error = child_spawn(&(struct child_spec){ .argv = argv,
                                              .out_fd = fds[1],
                                              .err_fd = STDERR_FILENO },
                        ret_child);
    free(argv);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        return error;
    }
    *ret_fd = fds[0];
    return 0;
}

/* What it prints, up to its end.  Signals are passed on. */
static char *
collect(struct child *child, int fd)
{
    char *text = ha_calloc(1, OUTPUT_MAX + 1);
    size_t n = 0;
    int told = interrupt_count();

    for (;;) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        ssize_t got = 0;

        poll(&pfd, 1, STEP_MS);
        for (; told < interrupt_count(); told++) {
            child_signal(child, SIGTERM);
        }
        if (pfd.revents && n < OUTPUT_MAX) {
            got = read(fd, text + n, OUTPUT_MAX - n);
            n += got > 0 ? got : 0;
        }
        if (pfd.revents && got <= 0 && (got == 0 || errno != EINTR)) {
            close(fd);
            return text;
        }
    }
}

/* Runs one, and returns its exit status; 'ret_text', if it is not NULL: what it
 * printed, which the caller frees. */
static int
run_step(const struct step *step, const char *const options[], char **ret_text)
{
    struct child child;
    int fd, status, error = start(step, options, &child, &fd);
    char *text;

    if (error) {
        fprintf(stderr, "ovn-hactl: drill %s cannot be started: %s\n",
                step->text, strerror(-error));
        return VERB_FAILED;
    }
    text = collect(&child, fd);
    error = child_wait(&child, MONO_NEVER, &status);
    child_close(&child);
    if (ret_text) {
        *ret_text = text;
    } else {
        free(text);
    }
    return !error && WIFEXITED(status) ? WEXITSTATUS(status) : VERB_FAILED;
}

/* ---- All of them --------------------------------------------------------- */

/* The report is what follows the plan. */
static json_t *
parse_report(const char *text)
{
    const char *begin = text ? strstr(text, "\n{") : NULL;

    return begin ? json_loads(begin, 0, NULL) : NULL;
}

/* Waits until the cluster can stand another one.  Returns false if it cannot
 * in time. */
static bool
wait_well(const struct verb_args *args)
{
    mono_t deadline = mono_add_us(mono_now(), args->timeout_seconds * 1000000);
    bool well = false;

    while (!well && !interrupt_count() && mono_before(mono_now(), deadline)) {
        json_t *status;

        if (verbs_get_status(&status)) {
            return false;
        }
        well = !strcmp(watch_health(status), "ok");
        json_decref(status);
        if (!well) {
            poll(NULL, 0, POLL_MS);
        }
    }
    return well;
}

/* Returns why it ends here, in memory that the caller frees; NULL: it does
 * not. */
static char *
do_step(const struct verb_args *args, const struct step *step, bool first,
        json_t *drills)
{
    static const char *const options[] = { "--yes", "--json", NULL };
    char *text = NULL;
    json_t *report;
    bool aborted;

    if (!first && !wait_well(args)) {
        return interrupt_count()
                   ? ha_strdup("interrupted")
                   : ha_asprintf("before \"%s\" the cluster was not well "
                                 "within %g s",
                                 step->text, args->timeout_seconds);
    }
    fprintf(stderr, "drill %s\n", step->text);
    run_step(step, options, &text);
    report = parse_report(text);
    free(text);
    if (!report) {
        return ha_asprintf("\"%s\" did not begin", step->text);
    }
    aborted = !strcmp(jsonget_text(report, "verdict"), "ABORTED");
    json_array_append_new(drills, report);
    return aborted ? ha_asprintf("\"%s\" was aborted", step->text) : NULL;
}

static const char *
verdict(const json_t *drills, const char *why)
{
    for (size_t i = 0; !why && i < json_array_size(drills); i++) {
        if (strcmp(jsonget_text(json_array_get(drills, i), "verdict"),
                   "PASS")) {
            return "FAIL";
        }
    }
    return why ? "ABORTED" : "PASS";
}

/* Does them all.  The caller owns the report. */
static json_t *
do_steps(const struct verb_args *args, const struct steps *s)
{
    mono_t began = mono_now();
    json_t *drills = json_array(), *report;
    time_t date = time(NULL);
    char *why = NULL, text[32];
    struct tm tm;

    for (size_t i = 0; i < s->n && !why; i++) {
        why = do_step(args, &s->step[i], !i, drills);
    }
    gmtime_r(&date, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    report = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s?, s:I, s:I, s:o}",
                       "schema", 1, "kind", "sequence", "file",
                       args->drill.sequence, "began", text, "verdict",
                       verdict(drills, why), "why", why, "duration_ms",
                       (json_int_t) mono_us_between(began, mono_now()) / 1000,
                       "planned", (json_int_t) s->n, "drills", drills);
    free(why);
    return report;
}

/* As "drill: sequence FAIL: kill-nb PASS, crash FAIL". */
static void
note_verdict(const json_t *report)
{
    const json_t *drills = jsonget(report, "drills");
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    fprintf(f, "drill: sequence %s", jsonget_text(report, "verdict"));
    if (*jsonget_text(report, "why")) {
        fprintf(f, " (%s)", jsonget_text(report, "why"));
    }
    for (size_t i = 0; i < json_array_size(drills); i++) {
        const json_t *drill = json_array_get(drills, i);

        fprintf(f, "%s %s %s", i ? "," : ":", jsonget_text(drill, "kind"),
                jsonget_text(drill, "verdict"));
    }
    fclose(f);
    drill_note(text);
}

/* Wrong options show before anything is done. */
static bool
check_steps(const char *file, const struct steps *s)
{
    static const char *const options[] = { "--dry-run", NULL };

    for (size_t i = 0; i < s->n; i++) {
        if (run_step(&s->step[i], options, NULL) == VERB_USAGE) {
            fprintf(stderr, "ovn-hactl: %s:%d: \"%s\" is no drill\n", file,
                    s->step[i].line, s->step[i].text);
            return false;
        }
    }
    return true;
}

static int
run_all(const struct verb_args *args, const struct steps *s,
        struct drill_files *files)
{
    const char *verdict;
    json_t *report;
    int rc;

    interrupt_catch();
    report = do_steps(args, s);
    note_verdict(report);
    drill_print_report(args, files, report);
    verdict = jsonget_text(report, "verdict");
    rc = !strcmp(verdict, "PASS")   ? VERB_FINE
         : !strcmp(verdict, "FAIL") ? VERB_DRILL
                                    : VERB_FAILED;
    json_decref(report);
    return rc;
}

int
sequence_run(const struct verb_args *args)
{
    struct steps s = { .n = 0 };
    struct drill_files files = { NULL, NULL };
    int rc = VERB_FAILED;

    if (!read_steps(args->drill.sequence, &s)) {
        rc = VERB_USAGE;
    } else if (!check_steps(args->drill.sequence, &s)) {
        rc = VERB_USAGE;
    } else {
        for (size_t i = 0; i < s.n; i++) {
            printf("drill %s\n", s.step[i].text);
        }
        fflush(stdout);
        if (args->drill.dry_run) {
            rc = VERB_FINE;
        } else if (drill_ask(args) && drill_open_files(args, &files)) {
            rc = run_all(args, &s, &files);
        }
    }
    if (!drill_close_files(args, &files)) {
        rc = VERB_FAILED;
    }
    free_steps(&s);
    return rc;
}
