/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/kernel-child.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fence/helper.h"
#include "fence/keys.h"
#include "fence/nft.h"
#include "fence/ports.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/seq.h"

#define TABLE KEYS_TABLE
#define RETRY_MS 10000 /* After the kernel did not let us. */

/* Each of these is as it should be, if it is there already: one that took
 * over from a crashed predecessor may not cut those who still hear it. */
static const char setup[] =
    "add table " TABLE "\n"
    "add set " TABLE " ports { type inet_service; }\n"
    "add set " TABLE " key0 { type inet_proto; flags timeout; }\n"
    "add set " TABLE " key1 { type inet_proto; flags timeout; }\n"
    "add chain " TABLE " out { type filter hook output priority 0; }\n"
    "add chain " TABLE " guarded\n"
    "flush chain " TABLE " out\n"
    "flush chain " TABLE " guarded\n"
    "add rule " TABLE " out tcp sport @ports tcp flags & rst == 0"
    " goto guarded\n"
    "add rule " TABLE " guarded meta l4proto @key0 meta l4proto @key1"
    " accept\n"
    "add rule " TABLE " guarded counter reject with tcp reset\n";

/* "delete" of what is not there would be an error. */
static const char removal[] = "add table " TABLE "\n"
                              "delete table " TABLE "\n";

struct keeper {
    struct nft *nft;
    struct keys keys;
    struct ports ports;
    unsigned int n_ports; /* Of these the kernel knows. */
    int ports_error;      /* Of the last look. */
    bool up;              /* The table is there. */
    bool told;            /* Of a wish, in this life. */
    mono_t next_try;      /* Of setting it up. */
    char why[WIRE_WHY_LEN];
};

static int
run(struct keeper *k, const char *commands)
{
    int error = k->nft ? 0 : nft_create(&k->nft, k->why, sizeof k->why);

    return error ? error : nft_run(k->nft, commands, k->why, sizeof k->why);
}

/* ---- The table ------------------------------------------------------- */

/* Tells the kernel of the ports from number 'first' on. */
static int
add_ports(struct keeper *k, unsigned int first)
{
    char text[64 + PORTS_MAX * 8];
    int n = snprintf(text, sizeof text, "add element " TABLE " ports { ");
    int error;

    for (unsigned int i = first; i < k->ports.n; i++) {
        n += snprintf(text + n, sizeof text - n, "%s%u", i > first ? ", " : "",
                      k->ports.port[i]);
    }
    snprintf(text + n, sizeof text - n, " }\n");
    error = run(k, text);
    if (!error) {
        k->n_ports = k->ports.n;
    }
    return error;
}

static int
set_up(struct keeper *k)
{
    int error = run(k, setup);

    if (!error) {
        k->up = true;
        k->n_ports = 0;
    }
    return error;
}

/* Guards what the databases have opened since. */
static int
follow_ports(struct keeper *k, const pid_t pids[HA_N_DBS])
{
    int error = ports_look(&k->ports, pids);

    if (error != k->ports_error && error) {
        ha_log(HA_LOG_WARN, "kernel", "only %u client ports are known: %s",
               k->ports.n, strerror(-error));
    }
    k->ports_error = error;
    if (k->ports.n == k->n_ports) {
        return 0;
    }
    for (unsigned int i = k->n_ports; i < k->ports.n; i++) {
        ha_log(HA_LOG_INFO, "kernel", "guarding port %u", k->ports.port[i]);
    }
    return add_ports(k, k->n_ports);
}

/* The keys first: ports may be served already. */
static int
renew(struct keeper *k, mono_t until, const pid_t pids[HA_N_DBS])
{
    int error = keys_renew(&k->keys, k->nft, until, k->why, sizeof k->why);

    return error ? error : follow_ports(k, pids);
}

/* ---- Wishes ---------------------------------------------------------- */

/* It does not work: then the ports may not stay mute for that. */
static void
give_up(struct keeper *k, mono_t now)
{
    char why[WIRE_WHY_LEN];

    k->next_try = mono_add_ms(now, RETRY_MS);
    memcpy(why, k->why, sizeof why);
    k->up = run(k, removal) && k->up;
    memcpy(k->why, why, sizeof why);
}

static void
hold(struct keeper *k, const struct kernel_wish *wish, mono_t now)
{
    mono_t until = { wish->until_us };
    int error = 0;

    if (!k->up) {
        if (mono_before(now, k->next_try)) {
            return;
        }
        error = set_up(k);
        if (!error && !mono_before(now, until)) {
            error = add_ports(k, 0);
        }
    }
    if (!error && mono_before(now, until)) {
        error = renew(k, until, wish->pids);
        if (error == -EIO) {
            /* Most often someone flushed all rules of this machine. */
            ha_log(HA_LOG_WARN, "kernel", "setting up anew: %s", k->why);
            error = set_up(k);
            error = error ? error : renew(k, until, wish->pids);
        }
    }
    if (error == -EIO || error == -ENOSYS) {
        give_up(k, now);
    } else if (error == -EBUSY) {
        snprintf(k->why, sizeof k->why, "the kernel changes rules too slowly");
    } else {
        k->why[0] = '\0';
    }
}

static void
let_go(struct keeper *k)
{
    if (k->up || !k->told) {
        run(k, removal); /* Who may not remove it has not made it. */
    }
    k->up = false;
    k->why[0] = '\0';
    k->next_try = MONO_MIN;
}

static void
carry_out(struct keeper *k, const struct kernel_wish *wish,
          struct kernel_answer *answer)
{
    if (wish->use) {
        hold(k, wish, mono_now());
    } else {
        let_go(k);
    }
    k->told = true;
    memset(answer, 0, sizeof *answer);
    answer->state = !wish->use ? WIRE_KERNEL_UNUSED
                    : k->up    ? WIRE_KERNEL_USED
                               : WIRE_KERNEL_MISSING;
    answer->until_us = keys_end(&k->keys).us;
    memcpy(answer->why, k->why, sizeof answer->why);
}

static void
keeper_init(struct keeper *k)
{
    memset(k, 0, sizeof *k);
    keys_init(&k->keys);
    ports_init(&k->ports);
    k->next_try = MONO_MIN;
}

void
kernel_child_run(int fd, const void *aux)
{
    static struct keeper keeper; /* Large; the only one. */
    struct kernel_answer answer;
    struct kernel_wish wish;

    (void) aux;
    helper_begin(fd, "ovn-ha-kernel");
    keeper_init(&keeper);
    while (helper_take(&wish, sizeof wish)) {
        carry_out(&keeper, &wish, &answer);
        if (seq_send(STDIN_FILENO, &answer, sizeof answer)) {
            break;
        }
    }
    _exit(0);
}
