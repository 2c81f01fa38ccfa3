/* SPDX-License-Identifier: Apache-2.0 */

/* A drill's report as a page for people and as test cases for programs. */

#include <math.h>
#include <string.h>

#include "ctl/drill-report.h"
#include "lib/jsonget.h"

#define WIDTH 960
#define LEFT 110 /* Of the time axis. */
#define RIGHT 20
#define LANE 60 /* Height of what is counted... */
#define ROW 20  /* ...and of a phase. */
#define TOP 10
#define GAP 15
#define PHASES_Y (TOP + 2 * (LANE + GAP) + 10)

static double
number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* For text and for attributes in double quotes, of XML and of HTML.  What XML
 * does not know is left out. */
static void
put(FILE *f, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", f);
            break;
        case '&':
            fputs("&amp;", f);
            break;
        case '"':
            fputs("&quot;", f);
            break;
        default:
            if ((unsigned char) *text >= ' ' || *text == '\n') {
                putc(*text, f);
            }
        }
    }
}

/* 'head', a member as text, 'tail'. */
static void
put_member(FILE *f, const char *head, const json_t *o, const char *key,
           const char *tail)
{
    fputs(head, f);
    put(f, jsonget_text(o, key));
    fputs(tail, f);
}

/* ---- Test cases ---------------------------------------------------------- */

static size_t
count_failed(const json_t *checks)
{
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(checks); i++) {
        n += !jsonget_true(json_array_get(checks, i), "pass");
    }
    return n;
}

static void
put_case(FILE *f, const json_t *report, const json_t *check)
{
    put_member(f, "  <testcase classname=\"ovn-hactl.drill.", report, "kind",
               "\" ");
    put_member(f, "name=\"", check, "name", "\">");
    if (!jsonget_true(check, "pass")) {
        put_member(f, "<failure message=\"", check, "measured", "");
        put_member(f, "; limit ", check, "limit", "\"/>");
    }
    put_member(f, "<system-out>", check, "measured",
               "</system-out></testcase>\n");
}

static void
put_suite(FILE *f, const json_t *report)
{
    const json_t *checks = jsonget(report, "checks");
    bool aborted = !strcmp(jsonget_text(report, "verdict"), "ABORTED");

    put_member(f, "<testsuite name=\"ovn-hactl drill ", report, "kind", "\" ");
    fprintf(f, "tests=\"%zu\" failures=\"%zu\" errors=\"%d\" time=\"%.3f\" ",
            json_array_size(checks) + aborted, count_failed(checks), aborted,
            number(report, "duration_ms") / 1e3);
    put_member(f, "timestamp=\"", report, "began", "\" ");
    put_member(f, "hostname=\"", report, "node", "\">\n");
    for (size_t i = 0; i < json_array_size(checks); i++) {
        put_case(f, report, json_array_get(checks, i));
    }
    if (aborted) {
        put_member(f, "  <testcase classname=\"ovn-hactl.drill.", report,
                   "kind", "\" name=\"runs to its end\">");
        put_member(f, "<error message=\"", report, "why", "\"/></testcase>\n");
    }
    fputs("</testsuite>\n", f);
}

/* What ended a sequence early is a case of its own. */
static void
put_suites(FILE *f, const json_t *report)
{
    const json_t *drills = jsonget(report, "drills");

    fputs("<testsuites>\n", f);
    for (size_t i = 0; i < json_array_size(drills); i++) {
        put_suite(f, json_array_get(drills, i));
    }
    if (*jsonget_text(report, "why")) {
        put_member(f,
                   "<testsuite name=\"ovn-hactl drill sequence\" tests=\"1\" "
                   "failures=\"0\" errors=\"1\">\n"
                   "  <testcase classname=\"ovn-hactl.drill.sequence\" "
                   "name=\"runs to its end\"><error message=\"",
                   report, "why", "\"/></testcase>\n</testsuite>\n");
    }
    fputs("</testsuites>\n", f);
}

void
report_print_junit(const json_t *report, FILE *f)
{
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", f);
    if (jsonget(report, "drills")) {
        put_suites(f, report);
    } else {
        put_suite(f, report);
    }
}

/* ---- The picture --------------------------------------------------------- */

/* The time axis. */
struct axis {
    double from_ms, to_ms;
};

static double
x_of(const struct axis *axis, double ms)
{
    double span = axis->to_ms - axis->from_ms;

    return LEFT + (WIDTH - LEFT - RIGHT) * (ms - axis->from_ms) / span;
}

static void
put_axis(FILE *f, const struct axis *axis, int bottom)
{
    double step = pow(10, floor(log10((axis->to_ms - axis->from_ms) / 4)));

    while ((axis->to_ms - axis->from_ms) / step > 12) {
        step *= 2;
    }
    for (double ms = ceil(axis->from_ms / step) * step; ms <= axis->to_ms;
         ms += step) {
        double x = x_of(axis, ms);

        fprintf(f,
                "<line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" "
                "y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%g s</text>\n",
                fabs(ms) < step / 2 ? "act" : "grid", x, TOP, x, bottom, x,
                bottom + 15, fabs(ms) < step / 2 ? 0 : ms / 1e3);
    }
}

/* Bars for what happened in each step. */
static void
put_lane(FILE *f, const struct axis *axis, const json_t *rates,
         const char *key, const char *name, int y)
{
    const json_t *counts = jsonget(rates, key);
    double step_ms = number(rates, "step_ms"), most = 1;

    for (size_t i = 0; i < json_array_size(counts); i++) {
        most = fmax(most, json_number_value(json_array_get(counts, i)));
    }
    fprintf(f, "<text x=\"0\" y=\"%d\">%s</text>\n", y + LANE / 2, name);
    for (size_t i = 0; i < json_array_size(counts); i++) {
        double height =
            LANE * json_number_value(json_array_get(counts, i)) / most;
        double x = x_of(axis, axis->from_ms + i * step_ms);
        double width = x_of(axis, axis->from_ms + (i + 1) * step_ms) - x;

        if (height > 0) {
            fprintf(f,
                    "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" "
                    "width=\"%.1f\" height=\"%.1f\"/>\n",
                    key, x, y + LANE - height, width, height);
        }
    }
}

static void
put_outage(FILE *f, const struct axis *axis, const json_t *writes)
{
    double from = number(writes, "outage_from_ms");
    double to = from + number(writes, "outage_ms");

    from = fmax(from, axis->from_ms);
    to = fmin(to, axis->to_ms);
    if (from < to) {
        fprintf(f,
                "<rect class=\"outage\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" "
                "height=\"%d\"/>\n",
                x_of(axis, from), TOP, x_of(axis, to) - x_of(axis, from),
                LANE);
    }
}

/* A row each, so that names do not meet. */
static void
put_phase(FILE *f, const struct axis *axis, const json_t *phase, int y)
{
    double ms = number(phase, "ms"), x = x_of(axis, ms);
    bool late = x > WIDTH * 0.6;

    fprintf(f,
            "<circle cx=\"%.1f\" cy=\"%d\" r=\"4\"/><text x=\"%.1f\" "
            "y=\"%d\" text-anchor=\"%s\">",
            x, y, late ? x - 9 : x + 9, y + 4, late ? "end" : "start");
    put(f, jsonget_text(phase, "name"));
    fprintf(f, ", %.0f ms</text>\n", ms);
}

static void
put_picture(FILE *f, const json_t *report)
{
    const json_t *rates = jsonget(report, "rates");
    const json_t *phases = jsonget(report, "phases");
    size_t steps = json_array_size(jsonget(rates, "acknowledged"));
    size_t n = json_array_size(phases);
    int bottom = PHASES_Y + ROW * n;
    struct axis axis = { .from_ms = number(rates, "from_ms") };

    axis.to_ms = axis.from_ms + fmax(1, steps * number(rates, "step_ms"));
    fprintf(f, "<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH,
            bottom + 20);
    put_axis(f, &axis, bottom);
    put_outage(f, &axis, jsonget(report, "writes"));
    put_lane(f, &axis, rates, "acknowledged", "writes to NB", TOP);
    put_lane(f, &axis, rates, "in_sb", "seen in SB", TOP + LANE + GAP);
    for (size_t i = 0; i < n; i++) {
        put_phase(f, &axis, json_array_get(phases, i),
                  PHASES_Y + ROW * i + ROW / 2);
    }
    fputs("</svg>\n", f);
}

/* ---- The page ------------------------------------------------------------ */

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;max-width:62em;margin:2em auto;"
    "padding:0 1em;color:#1c2430;background:#fff}"
    "h1{font-size:1.5em}h2{font-size:1.1em;margin-top:1.8em}"
    ".verdict{padding:.1em .6em;border-radius:.3em;color:#fff}"
    ".PASS{background:#1a7f37}.FAIL{background:#c62828}"
    ".ABORTED{background:#8a6100}"
    "table{border-collapse:collapse}td,th{padding:.25em 1.2em .25em 0;"
    "text-align:left;border-bottom:1px solid #dde3ea;vertical-align:top}"
    "td.ms{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}"
    ".no{color:#c62828;font-weight:bold}"
    "svg{width:100%;font-size:12px;fill:#1c2430}"
    ".grid{stroke:#dde3ea}.act{stroke:#1c2430;stroke-dasharray:3 3}"
    ".acknowledged{fill:#2f6fb5}.in_sb{fill:#2a9d8f}"
    ".outage{fill:#c62828;opacity:.22}";

static void
put_checks(FILE *f, const json_t *report)
{
    const json_t *checks = jsonget(report, "checks");
    const json_t *writes = jsonget(report, "writes");

    fputs("<h2>Limits</h2>\n<table>\n<tr><th></th><th>measured</th>"
          "<th>limit</th><th></th></tr>\n",
          f);
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);

        put_member(f, "<tr><td>", check, "name", "</td>");
        put_member(f, "<td>", check, "measured", "</td>");
        put_member(f, "<td>", check, "limit", "</td>");
        fputs(!jsonget_true(check, "pass")    ? "<td class=\"no\">FAIL</td>"
              : *jsonget_text(check, "limit") ? "<td>pass</td>"
                                              : "<td></td>",
              f);
        fputs("</tr>\n", f);
    }
    fprintf(f,
            "</table>\n<p>%.0f writes were acknowledged, %.0f had no "
            "answer.</p>\n",
            number(writes, "acknowledged"), number(writes, "unanswered"));
}

static void
put_timeline(FILE *f, const json_t *report)
{
    const json_t *list = jsonget(report, "timeline");

    put_member(f, "<h2>What ", report, "node", " said</h2>\n<table>\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *moment = json_array_get(list, i);

        fprintf(f, "<tr><td class=\"ms\">%.0f ms</td>", number(moment, "ms"));
        put_member(f, "<td>", moment, "text", "</td></tr>\n");
    }
    fputs("</table>\n", f);
}

static void
put_list(FILE *f, const char *head, const json_t *list)
{
    if (json_array_size(list)) {
        fprintf(f, "<h2>%s</h2>\n<ul>\n", head);
        for (size_t i = 0; i < json_array_size(list); i++) {
            fputs("<li>", f);
            put(f, json_string_value(json_array_get(list, i)));
            fputs("</li>\n", f);
        }
        fputs("</ul>\n", f);
    }
}

/* One drill, and with it in a sequence. */
static void
put_drill(FILE *f, const json_t *report)
{
    const json_t *active = jsonget(report, "active");

    put_member(f, "<h1>drill ", report, "kind", " ");
    put_member(f, "<span class=\"verdict ", report, "verdict", "\">");
    put_member(f, "", report, "verdict", "</span></h1>\n");
    put_member(f, "<p>Begun on ", report, "node", "");
    put_member(f, " at ", report, "began", ". ");
    if (*jsonget_text(active, "before")) {
        put_member(f, "", active, "before", " was active, ");
        put_member(f, "", active, "after",
                   *jsonget_text(active, "after") ? " is now. "
                                                  : "nobody is now. ");
    }
    put_member(f, "", report, "why", "</p>\n");
    put_list(f, "To be mended by hand", jsonget(report, "remains"));
    put_checks(f, report);
    fputs("<h2>What happened</h2>\n", f);
    put_picture(f, report);
    put_timeline(f, report);
    put_list(f, "Left as it is", jsonget(report, "notes"));
}

static void
put_sequence(FILE *f, const json_t *report)
{
    const json_t *drills = jsonget(report, "drills");

    put_member(f, "<h1>drill sequence ", report, "file", " ");
    put_member(f, "<span class=\"verdict ", report, "verdict", "\">");
    put_member(f, "", report, "verdict", "</span></h1>\n");
    put_member(f, "<p>Begun at ", report, "began", ". ");
    put_member(f, "", report, "why", "</p>\n");
    for (size_t i = 0; i < json_array_size(drills); i++) {
        put_drill(f, json_array_get(drills, i));
    }
}

void
report_print_html(const json_t *report, FILE *f)
{
    put_member(f,
               "<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
               "charset=\"utf-8\"><title>drill ",
               report, "kind", ": ");
    put_member(f, "", report, "verdict", "</title>\n");
    fprintf(f, "<style>%s</style></head><body>\n", style);
    if (jsonget(report, "drills")) {
        put_sequence(f, report);
    } else {
        put_drill(f, report);
    }
    fputs("</body></html>\n", f);
}
