/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/check-corosync.h"
#include "lib/jsonget.h"
#include "lib/xalloc.h"

/* Votes of all nodes and of the quorum device. */
static long
count_votes(const json_t *cmap, bool *ret_uneven)
{
    bool device = *corosync_text(cmap, "quorum.device.model") != '\0';
    long n_nodes = 0, votes = 0;

    *ret_uneven = false;
    for (int pos = 0; pos < COROSYNC_MAX_POS; pos++) {
        long of_node = corosync_node_number(cmap, pos, "quorum_votes", 1);

        if (corosync_node_number(cmap, pos, "nodeid", 0)) {
            n_nodes++;
            votes += of_node;
            *ret_uneven |= of_node != 1;
        }
    }
    /* As votequorum(5) has it for a device that is not told. */
    return votes
           + (device ? corosync_number(cmap, "quorum.device.votes",
                                       n_nodes > 2 ? n_nodes - 1 : 1)
                     : 0);
}

static void
check_votes(const json_t *cmap, json_t *findings)
{
    bool uneven;
    long votes = count_votes(cmap, &uneven);
    long expected = corosync_number(cmap, "quorum.expected_votes", votes);

    if (expected != votes) {
        check_add(findings, CHECK_CRITICAL, "expected-votes",
                  ha_asprintf("quorum.expected_votes is %ld, but nodes and "
                              "quorum device have %ld votes",
                              expected, votes),
                  "with too few expected votes both halves of a split have "
                  "quorum; with too many one lost node takes it from all",
                  "remove expected_votes from the quorum section of "
                  "corosync.conf: corosync counts the nodelist");
    }
    if (uneven) {
        check_add(findings, CHECK_WARNING, "uneven-votes",
                  ha_strdup("not every node of corosync's nodelist has one "
                            "vote"),
                  "ovn-ha counts nodes, corosync counts votes: where the two "
                  "disagree nobody serves, though half of the cluster is up",
                  "remove quorum_votes from the nodelist of corosync.conf; "
                  "prefer a node by [node] priority instead");
    }
}

static void
check_two_node(const json_t *cmap, json_t *findings)
{
    long n = corosync_n_nodes(cmap);

    if (!corosync_number(cmap, "quorum.two_node", 0)) {
        return;
    }
    if (n != 2) {
        check_add(findings, CHECK_CRITICAL, "two-node",
                  ha_asprintf("quorum.two_node is 1 with %ld nodes", n),
                  "one vote is quorum then, so that each part of a split "
                  "cluster believes it has it",
                  "remove two_node from the quorum section of corosync.conf");
    } else if (*corosync_text(cmap, "quorum.device.model")) {
        check_add(findings, CHECK_CRITICAL, "two-node",
                  ha_strdup("quorum.two_node is 1 beside a quorum device"),
                  "both halves of a split have quorum, whatever the device "
                  "says",
                  "remove two_node from the quorum section of corosync.conf");
    } else if (!corosync_number(cmap, "quorum.wait_for_all", 1)) {
        check_add(findings, CHECK_WARNING, "wait-for-all",
                  ha_strdup("quorum.wait_for_all is 0 with two_node"),
                  "after both were off, a node that cannot see the other one "
                  "claims quorum at once, and may fence it in turn, for ever",
                  "remove wait_for_all from the quorum section of "
                  "corosync.conf: two_node implies it");
    }
}

void
check_quorum(const json_t *facts, json_t *findings)
{
    const json_t *cmap = jsonget(facts, "corosync");

    if (!json_is_object(cmap)) {
        return;
    }
    if (strcmp(corosync_text(cmap, "quorum.provider"),
               "corosync_votequorum")) {
        check_add(findings, CHECK_CRITICAL, "no-quorum-provider",
                  ha_strdup("quorum.provider is not corosync_votequorum"),
                  "without it corosync never says that quorum is lost",
                  "give the quorum section of corosync.conf the line "
                  "provider: corosync_votequorum");
    }
    check_votes(cmap, findings);
    check_two_node(cmap, findings);
    if (corosync_number(cmap, "quorum.last_man_standing", 0)) {
        check_add(findings, CHECK_WARNING, "last-man-standing",
                  ha_strdup("quorum.last_man_standing is on"),
                  "corosync lowers the expected votes as nodes go, down to "
                  "nodes that ovn-ha, which needs a majority of the nodelist, "
                  "does not let serve: the cluster is quorate and down",
                  "remove last_man_standing from corosync.conf");
    }
    if (corosync_number(cmap, "quorum.auto_tie_breaker", 0)) {
        check_add(findings, CHECK_WARNING, "auto-tie-breaker",
                  ha_strdup("quorum.auto_tie_breaker is on"),
                  "half of the nodes has quorum then, which is no majority of "
                  "the nodelist: ovn-ha cannot prove there that the other "
                  "half's lease is over, and does not take over",
                  "remove auto_tie_breaker; use a quorum device or an odd "
                  "number of nodes");
    }
}

/* 'policy' is what the configuration says.  What it asks for is not done here,
 * and nobody would notice before quorum is lost. */
static void
check_policy(const json_t *cmap, const char *policy, json_t *findings)
{
    long n_nodes = corosync_n_nodes(cmap);

    if (!strcmp(policy, "fence") && n_nodes && n_nodes != 2) {
        check_add(
            findings, CHECK_WARNING, "policy-in-vain",
            ha_asprintf("[quorum] no-quorum-policy = fence with %ld nodes",
                        n_nodes),
            "it is for pairs: here a node without quorum serves nothing, "
            "as with stop",
            "leave the policy at auto");
    }
}

void
check_tie_breaker(const json_t *facts, json_t *findings)
{
    const json_t *cmap = jsonget(facts, "corosync");
    const json_t *conf = jsonget(facts, "conf");
    size_t n_fenced = json_array_size(jsonget(conf, "fenced"));
    bool device = *corosync_text(cmap, "quorum.device.model") != '\0';
    const char *policy = jsonget_text(conf, "policy");

    check_policy(cmap, policy, findings);
    if (device && corosync_n_nodes(cmap) > 2) {
        check_add(
            findings, CHECK_WARNING, "device-in-vain",
            ha_asprintf("a quorum device beside %ld nodes",
                        corosync_n_nodes(cmap)),
            "with its vote fewer nodes have quorum than are a majority "
            "of the nodelist, and these serve nothing",
            "remove the device section from corosync.conf; if the number "
            "of nodes is even, add a witness");
    }
    if (!json_is_object(conf) || corosync_n_nodes(cmap) != 2) {
        return;
    }
    if (device && n_fenced < 2) {
        check_add(
            findings, CHECK_CRITICAL, "device-no-proof",
            ha_asprintf("a pair with a quorum device, in which %s a "
                        "fence device",
                        n_fenced ? "only one node has" : "no node has"),
            "when a node dies the other one has quorum, but no proof "
            "that it is off, and does not take over until an operator "
            "vouches for it",
            "configure [fence NODE] for both nodes, or make the device's "
            "machine a witness instead");
    } else if (device) {
        if (!strcmp(policy, "fence")) {
            check_add(findings, CHECK_WARNING, "device-in-vain",
                      ha_strdup("a quorum device beside [quorum] "
                                "no-quorum-policy = fence"),
                      "its vote decides nothing: a node without quorum goes "
                      "on, too, and has the other one fenced",
                      "leave the policy at auto, or remove the device section "
                      "from corosync.conf");
        }
    } else if (!strcmp(policy, "stop")) {
        check_add(findings, CHECK_WARNING, "pair-stops",
                  ha_strdup("a pair without a quorum device, with [quorum] "
                            "no-quorum-policy = stop"),
                  "when either node dies the other one serves nothing until "
                  "it is back",
                  "add a quorum device or a third node, or configure fence "
                  "devices and leave the policy at auto");
    } else if (n_fenced < 2) {
        check_add(findings, CHECK_CRITICAL, "no-tie-breaker",
                  ha_asprintf("a pair without a quorum device, in which %s a "
                              "fence device",
                              n_fenced ? "only one node has" : "no node has"),
                  "when a node dies the other one has neither quorum nor a "
                  "proof that it is off, and does not take over until an "
                  "operator vouches for it",
                  "configure [fence NODE] for both nodes, or add a quorum "
                  "device or a third node");
    }
}
