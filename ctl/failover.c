/* SPDX-License-Identifier: Apache-2.0 */

/* 'ovn-hactl failover --allow-data-loss': the last resort. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/confirm.h"
#include "ctl/daemon.h"
#include "ctl/verbs.h"
#include "lib/mono.h"

int
verb_failover(struct verb_args *args)
{
    const char *argv[] = { args->to, NULL, NULL };
    char *loss, *reply, name[128];
    mono_t begin;
    int rc;

    if (!args->allow_data_loss) {
        fprintf(stderr, "ovn-hactl: failover takes --allow-data-loss, since "
                        "the cluster fails over by itself where nothing is "
                        "lost; ovn-hactl switchover moves the role\n");
        return VERB_USAGE;
    }
    rc = daemon_ask("failover/preview", argv, &loss);
    if (rc) {
        return rc;
    }
    snprintf(name, sizeof name, "%.*s", (int) strcspn(loss, "\n"), loss);
    if (!args->yes && !confirm_typed(loss + strcspn(loss, "\n") + 1, name)) {
        free(loss);
        return VERB_FAILED;
    }
    free(loss);
    argv[0] = args->to = name;
    argv[1] = verbs_operator();
    begin = mono_now();
    rc = daemon_ask("failover", argv, &reply);
    if (rc) {
        return rc;
    }
    free(reply);
    return verbs_wait_active("", 0, args, begin);
}
