/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/check-collect.h"
#include "ctl/verbs.h"
#include "lib/jsonget.h"

#define SCHEMA 1

/* As monitoring systems have it since Nagios. */
static int
exit_status(enum check_severity worst)
{
    static const int statuses[] = { 0, 3, 1, 2 };

    return statuses[worst];
}

static void
print_json(const struct check table[], size_t n, const json_t *facts,
           json_t *findings)
{
    json_t *checks = json_array(), *o;
    char *text;

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(checks, json_string(table[i].name));
    }
    o = json_pack("{s:i, s:s, s:b, s:o, s:O}", "schema", SCHEMA, "state",
                  check_severity_name(check_worst(findings)), "daemon",
                  jsonget(facts, "status") != NULL, "checks", checks,
                  "findings", findings);
    text = json_dumps(o, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(o);
}

int
verb_check(struct verb_args *args)
{
    const struct check *table =
        args->client ? check_client_table : check_table;
    size_t n = args->client ? check_client_n : check_n;
    json_t *facts = args->client ? check_collect_client() : check_collect();
    json_t *findings = check_judge(table, n, facts);
    int status = exit_status(check_worst(findings));

    if (args->json) {
        print_json(table, n, facts, findings);
    } else {
        char *text = check_render(findings, n,
                                  args->client || jsonget(facts, "status"));

        fputs(text, stdout);
        free(text);
    }
    json_decref(findings);
    json_decref(facts);
    return status;
}
