/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_DRILL_REPORT_H
#define CTL_DRILL_REPORT_H 1

/* A drill's report in the forms in which it is wanted.  Each is made of the
 * same JSON, whose members are described in ovn-hactl(8).  Pure but for the
 * file that it writes to.  Used by ctl/drill. */

#include <jansson.h>
#include <stdio.h>

void report_print_text(const json_t *report, FILE *);

/* For continuous integration: a test case for each limit. */
void report_print_junit(const json_t *report, FILE *);

/* A page for people with a picture of what happened, which needs nothing but
 * itself. */
void report_print_html(const json_t *report, FILE *);

#endif /* ctl/drill-report.h */
