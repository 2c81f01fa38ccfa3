/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-report.h"

#include "lib/jsonget.h"

static double
number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void
print_list(const char *head, const json_t *list, FILE *f)
{
    if (json_array_size(list)) {
        fprintf(f, "\n%s:\n", head);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        fprintf(f, "  %s\n", json_string_value(json_array_get(list, i)));
    }
}

/* Moments of 'list', named by their member 'key'. */
static void
print_moments(const char *head, const json_t *list, const char *key, FILE *f)
{
    if (json_array_size(list)) {
        fprintf(f, "\n%s:\n", head);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *moment = json_array_get(list, i);

        fprintf(f, "  %9.0f ms  %s\n", number(moment, "ms"),
                jsonget_text(moment, key));
    }
}

static void
print_drill(const json_t *report, FILE *f)
{
    const json_t *checks = jsonget(report, "checks");
    const json_t *writes = jsonget(report, "writes");
    const json_t *active = jsonget(report, "active");

    fprintf(f, "drill %s, begun on %s at %s: %s\n",
            jsonget_text(report, "kind"), jsonget_text(report, "node"),
            jsonget_text(report, "began"), jsonget_text(report, "verdict"));
    if (*jsonget_text(report, "why")) {
        fprintf(f, "  %s\n", jsonget_text(report, "why"));
    }
    if (*jsonget_text(active, "before")) {
        fprintf(f, "  %s was active, %s is now\n",
                jsonget_text(active, "before"),
                *jsonget_text(active, "after") ? jsonget_text(active, "after")
                                               : "nobody");
    }
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);
        const char *limit = jsonget_text(check, "limit");

        fprintf(f, "  %-6s %-24s %s%s%s\n",
                !*limit                       ? ""
                : jsonget_true(check, "pass") ? "pass"
                                              : "FAIL",
                jsonget_text(check, "name"), jsonget_text(check, "measured"),
                *limit ? "; limit " : "", limit);
    }
    fprintf(f, "  %-6s %-24s %.0f acknowledged, %.0f without an answer\n", "",
            "writes", number(writes, "acknowledged"),
            number(writes, "unanswered"));
    print_moments("phases, from the act on", jsonget(report, "phases"), "name",
                  f);
    print_moments("what this node said", jsonget(report, "timeline"), "text",
                  f);
    print_list("left as it is", jsonget(report, "notes"), f);
    print_list("to be mended by hand", jsonget(report, "remains"), f);
}

/* All drills, then a line each. */
static void
print_sequence(const json_t *report, FILE *f)
{
    const json_t *drills = jsonget(report, "drills");
    size_t n = json_array_size(drills);

    for (size_t i = 0; i < n; i++) {
        print_drill(json_array_get(drills, i), f);
        putc('\n', f);
    }
    fprintf(f, "drill sequence %s: %s; %zu of %.0f drills were done\n",
            jsonget_text(report, "file"), jsonget_text(report, "verdict"), n,
            number(report, "planned"));
    if (*jsonget_text(report, "why")) {
        fprintf(f, "  %s\n", jsonget_text(report, "why"));
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *drill = json_array_get(drills, i);

        fprintf(f, "  %-8s %s\n", jsonget_text(drill, "verdict"),
                jsonget_text(drill, "kind"));
    }
}

void
report_print_text(const json_t *report, FILE *f)
{
    if (jsonget(report, "drills")) {
        print_sequence(report, f);
    } else {
        print_drill(report, f);
    }
}
