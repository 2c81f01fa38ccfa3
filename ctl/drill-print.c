/* SPDX-License-Identifier: Apache-2.0 */

/* Where the report of a drill, or of a sequence of them, goes. */

#include "ctl/drill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/drill-report.h"

/* Returns false after a line of error. */
static bool
open_file(const char *path, FILE **ret_file)
{
    *ret_file = path ? fopen(path, "we") : NULL;
    if (path && !*ret_file) {
        fprintf(stderr, "ovn-hactl: %s cannot be written: %s\n", path,
                strerror(errno));
    }
    return !path || *ret_file;
}

/* The same, if not all of it could be written. */
static bool
close_file(const char *path, FILE *file)
{
    if (file && (ferror(file) | fclose(file))) {
        fprintf(stderr, "ovn-hactl: %s cannot be written: %s\n", path,
                strerror(errno));
        return false;
    }
    return true;
}

bool
drill_open_files(const struct verb_args *args, struct drill_files *files)
{
    return open_file(args->drill.junit, &files->junit)
           && open_file(args->drill.html, &files->html);
}

bool
drill_close_files(const struct verb_args *args, struct drill_files *files)
{
    return close_file(args->drill.junit, files->junit)
           & close_file(args->drill.html, files->html);
}

void
drill_print_report(const struct verb_args *args,
                   const struct drill_files *files, const json_t *report)
{
    char *text;

    if (files->junit) {
        report_print_junit(report, files->junit);
    }
    if (files->html) {
        report_print_html(report, files->html);
    }
    if (!args->json) {
        putchar('\n');
        report_print_text(report, stdout);
        return;
    }
    text = json_dumps(report, JSON_INDENT(2));
    puts(text);
    free(text);
}
