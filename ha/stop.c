/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/stop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ha/agents.h"
#include "ha/fence.h"
#include "ha/had.h"
#include "ha/loop.h"
#include "ha/northd.h"
#include "ha/pause.h"
#include "ha/replica.h"
#include "ha/server.h"
#include "lib/log.h"

/* Patience with each step. */
#define FENCE_US 3000000
#define NORTHD_US 2500000
#define SERVERS_US 7000000
#define HAND_OVER_US 20000000 /* The core has a limit of its own. */

static void
enter(struct had *h, enum had_stop stop)
{
    h->stop = stop;
    h->stop_since = mono_now();
}

static bool
past(const struct had *h, int64_t us)
{
    return mono_us_between(h->stop_since, mono_now()) > us;
}

void
stop_request(struct had *h)
{
    struct ha_event ev = { .type = HA_EV_SHUTDOWN };

    h->ends = true;
    if (h->leaving) {
        stop_begin(h);
        return;
    }
    if (pause_keeps_role(h)) {
        ha_log(HA_LOG_WARN, "stop",
               "asked to stop; the cluster is paused, so nobody takes over, "
               "and clients are not served until this node is back or "
               "ovn-hactl resume is run");
    } else {
        ha_log(HA_LOG_INFO, "stop", "asked to stop; handing over first");
    }
    h->leaving = true;
    h->stop_since = mono_now();
    loop_post(h, &ev);
}

void
stop_begin(struct had *h)
{
    if (h->stop == HAD_RUNS) {
        ha_log(HA_LOG_INFO, "stop", "closing the door");
        h->leaving = true;
        enter(h, HAD_STOP_FENCE);
        northd_stop(h->northd);
        fence_exit(h->fence);
    }
}

bool
stop_reexec(struct had *h, char *error, size_t size)
{
    const struct conf *old = h->settings->conf;
    struct conf *conf;
    char *text;
    bool fits;

    if (h->leaving) {
        snprintf(error, size, "it is being stopped");
        return false;
    }
    if (conf_load(old->file, old->required, &conf, &text)) {
        snprintf(error, size, "the configuration is wrong: %s", text);
        free(text);
        return false;
    }
    fits = settings_fit(conf, &h->cluster, error, size);
    text = fits ? conf_reload_refusal(old, conf) : NULL;
    if (text) {
        snprintf(error, size, "%s", text);
        free(text);
        fits = false;
    }
    conf_destroy(conf);
    if (!fits) {
        return false;
    }
    if (access(h->program, X_OK)) {
        snprintf(error, size, "%s: %s", h->program, strerror(errno));
        return false;
    }
    ha_log(HA_LOG_INFO, "stop", "executing the program anew");
    h->reexec = true;
    loop_stop(h);
    return true;
}

static void
stop_servers(struct had *h)
{
    bool stopped = true;

    for (int db = 0; db < HA_N_DBS; db++) {
        stopped &= server_stopped(h->server[db]);
    }
    if (stopped || past(h, SERVERS_US)) {
        enter(h, HAD_STOPPED);
        ha_log(HA_LOG_INFO, "stop", "stopped");
        loop_stop(h);
    }
}

void
stop_tick(struct had *h)
{
    switch (h->stop) {
    case HAD_RUNS:
        if (h->leaving && past(h, HAND_OVER_US)) {
            stop_begin(h);
        }
        break;
    case HAD_STOP_FENCE:
        if (fence_exited(h->fence) || past(h, FENCE_US)) {
            enter(h, HAD_STOP_NORTHD);
        }
        break;
    case HAD_STOP_NORTHD:
        if (northd_stopped(h->northd) || past(h, NORTHD_US)) {
            enter(h, HAD_STOP_SERVERS);
            for (int db = 0; db < HA_N_DBS; db++) {
                replica_stop(h->replica[db]);
                server_stop(h->server[db]);
            }
        }
        break;
    case HAD_STOP_SERVERS:
        stop_servers(h);
        break;
    case HAD_STOPPED:
        break;
    }
}
