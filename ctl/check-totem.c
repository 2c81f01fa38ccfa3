/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <string.h>

#include "ctl/check-corosync.h"
#include "lib/jsonget.h"
#include "lib/xalloc.h"

#define DEFAULT_TOKEN_MS 1000
#define TOKEN_MIN_MS 500 /* Shorter ones lost quorum without a fault. */
#define PING_MIN_MS 500  /* The same of knet's pings. */

/* In effect, with what each node beyond two adds. */
static long
token_ms(const json_t *cmap)
{
    return corosync_number(
        cmap, "runtime.config.totem.token",
        corosync_number(cmap, "totem.token", DEFAULT_TOKEN_MS));
}

void
check_token(const json_t *facts, json_t *findings)
{
    const json_t *cmap = jsonget(facts, "corosync");
    long token = token_ms(cmap);
    /* Until the others agree that a node is gone, by corosync's default. */
    long consensus = corosync_number(cmap, "runtime.config.totem.consensus",
                                     token * 12 / 10);
    long lease =
        json_integer_value(jsonget(jsonget(facts, "conf"), "lease_ms"));

    if (!json_is_object(cmap)) {
        return;
    }
    if (token < TOKEN_MIN_MS) {
        check_add(findings, CHECK_WARNING, "token-short",
                  ha_asprintf("corosync's token is %ld ms", token),
                  "below 500 ms a moment without processor time costs healthy "
                  "nodes their membership",
                  "raise token in the totem section of corosync.conf");
    }
    if (lease > token + consensus) {
        check_add(
            findings, CHECK_WARNING, "lease-long",
            ha_asprintf("[timing] lease-ms is %ld, but corosync knows after "
                        "%ld ms (token and consensus) that a node is gone",
                        lease, token + consensus),
            "a standby then waits for the end of the old active's lease, and "
            "each failover takes longer for it",
            "lower lease-ms on every node, or raise token if the network "
            "needs it");
    }
}

void
check_knet(const json_t *facts, json_t *findings)
{
    const json_t *cmap = jsonget(facts, "corosync");
    const char *transport = corosync_text(cmap, "totem.transport");
    long token = token_ms(cmap);
    /* knet's own: half a token. */
    long timeout = corosync_number(cmap, "totem.interface.0.knet_ping_timeout",
                                   token / 2);

    if (json_is_object(cmap) && (!*transport || !strcmp(transport, "knet"))
        && timeout < PING_MIN_MS) {
        check_add(findings, CHECK_WARNING, "knet-ping",
                  ha_asprintf("knet's ping timeout is %ld ms", timeout),
                  "it then takes healthy links for dead, which stops the "
                  "group's messages for half a second each time",
                  "in the totem section of corosync.conf: interface { "
                  "linknumber: 0, knet_ping_interval: 200, knet_ping_timeout: "
                  "1000, knet_pong_count: 1 }, one option a line");
    }
}

static bool
is_none(const char *text)
{
    return !*text || !strcmp(text, "none");
}

void
check_encryption(const json_t *facts, json_t *findings)
{
    const json_t *cmap = jsonget(facts, "corosync");

    if (json_is_object(cmap)
        && is_none(corosync_text(cmap, "totem.crypto_cipher"))
        && is_none(corosync_text(cmap, "totem.crypto_hash"))
        && strcmp(corosync_text(cmap, "totem.secauth"), "on")) {
        check_add(findings, CHECK_WARNING, "corosync-in-clear",
                  ha_strdup("corosync neither encrypts nor authenticates"),
                  "whoever reaches its network can speak for a node, and the "
                  "beats that keep the active's lease have no key either",
                  "corosync-keygen, copy /etc/corosync/authkey to every node, "
                  "and set crypto_cipher: aes256 and crypto_hash: sha256 in "
                  "the totem section of corosync.conf");
    }
}
