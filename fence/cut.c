/* SPDX-License-Identifier: Apache-2.0 */
#include "fence/cut.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fence/nft.h"
#include "lib/wire.h"

#define TABLE "inet ovn_ha_drill"
#define PORTS_MAX 16

/* "delete" of what is not there would be an error.  An earlier cut may have
 * left its table. */
static const char removal[] = "add table " TABLE "\n"
                              "delete table " TABLE "\n";

static const char setup[] =
    "add table " TABLE "\n"
    "add set " TABLE " cut { type inet_service; flags timeout; }\n"
    "add chain " TABLE " in { type filter hook input priority -300; }\n"
    "add chain " TABLE " out { type filter hook output priority -300; }\n"
    "add rule " TABLE " in udp dport @cut drop\n"
    "add rule " TABLE " out udp dport @cut drop\n";

/* A number from 1 to 'max'; 0: it is none. */
static long
parse(const char *text, long max)
{
    char *end;
    long value = strtol(text, &end, 10);

    return *text && !*end && value >= 1 && value <= max ? value : 0;
}

/* All in one transaction: there is no moment without an end in sight. */
static int
begin(struct nft *nft, long ms, char *const ports[], int n_ports, char why[],
      size_t size)
{
    char text[2048];
    size_t n = snprintf(text, sizeof text, "%s%s", removal, setup);

    for (int i = 0; i < n_ports; i++) {
        n += snprintf(text + n, sizeof text - n,
                      "add element " TABLE " cut { %ld timeout %ldms }\n",
                      parse(ports[i], 65535), ms);
    }
    return nft_run(nft, text, why, size);
}

static void
wait_for_end(long ms)
{
    struct timespec patience = { ms / 1000, ms % 1000 * 1000000 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigtimedwait(&set, NULL, &patience);
}

int
cut_run(const char *ms_text, char *const ports[], int n_ports)
{
    long ms = parse(ms_text, CUT_MAX_MS);
    bool valid = ms && n_ports && n_ports <= PORTS_MAX;
    char why[WIRE_WHY_LEN];
    struct nft *nft;
    int error;

    for (int i = 0; i < n_ports; i++) {
        valid = valid && parse(ports[i], 65535);
    }
    if (!valid) {
        fprintf(stderr,
                "ovn-ha-fence: --cut needs 1 to %d ms, and 1 to %d "
                "UDP ports\n",
                CUT_MAX_MS, PORTS_MAX);
        return 2;
    }
    error = nft_create(&nft, why, sizeof why);
    if (!error) {
        error = begin(nft, ms, ports, n_ports, why, sizeof why);
        if (!error) {
            wait_for_end(ms);
            error = nft_run(nft, removal, why, sizeof why);
        }
        nft_destroy(nft);
    }
    if (error) {
        fprintf(stderr, "ovn-ha-fence: cut: %s\n", why);
    }
    return error ? 1 : 0;
}
