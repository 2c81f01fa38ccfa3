/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/core/core.h"

#include <assert.h>

#define TO(STATE) (1u << HA_##STATE)

/* The one table of states and legal edges.  doc/STATES.md is made from it. */
const struct ha_state_row ha_states[HA_N_STATES] = {
    [HA_STARTING] = {
        "starting",
        TO(ISOLATED) | TO(STANDBY) | TO(PROMOTING) | TO(BLOCKED)
        | TO(DEMOTING),
        "No record is agreed on in this life yet; nothing is served.",
    },
    [HA_ISOLATED] = {
        "isolated",
        TO(STARTING),
        "No quorum here: nothing is served and nobody is promoted.",
    },
    [HA_STANDBY] = {
        "standby",
        TO(ISOLATED) | TO(PROMOTING) | TO(BLOCKED),
        "Another node is active; its log is applied here.",
    },
    [HA_PROMOTING] = {
        "promoting",
        TO(ACTIVE) | TO(DEMOTING),
        "Named active: waits for verdict, tail, log, listeners and northd.",
    },
    [HA_ACTIVE] = {
        "active",
        TO(PROMOTING) | TO(DEMOTING),
        "Serves both databases under a live lease and runs northd.",
    },
    [HA_DEMOTING] = {
        "demoting",
        TO(ISOLATED) | TO(STANDBY) | TO(PROMOTING) | TO(BLOCKED)
        | TO(STARTING),
        "Ends northd and closes every way in before anyone else may serve.",
    },
    [HA_BLOCKED] = {
        "blocked",
        TO(ISOLATED) | TO(STANDBY) | TO(PROMOTING),
        "This node could act, but nobody may be promoted; the reason is shown.",
    },
};

struct why_row {
    const char *code;
    const char *text; /* What it is, or what it waits for. */
    const char *ends; /* "It ends when ...". */
};

/* clang-format off */
static const struct why_row whys[HA_N_WHYS] = {
    [HA_WHY_NONE] = { "", "", "" },
    [HA_WHY_NO_GROUP] = { "no-group",
        "not in corosync's group yet: is corosync running here?",
        "corosync runs here and ovn-had has joined its group" },
    [HA_WHY_NO_QUORUM] = { "no-quorum",
        "corosync has no quorum here: see corosync-quorumtool -s",
        "enough control nodes can reach each other again" },
    [HA_WHY_AGREEING] = { "agreeing",
        "the members exchange their records",
        "all members have answered: moments, unless one is mute" },
    [HA_WHY_HOLDERS] = { "holders",
        "too few members that hold the record are here to know which node "
        "is the freshest: start the others",
        "more of the nodes that were members before are started" },
    [HA_WHY_BOOTSTRAP_MEMBERS] = { "bootstrap-members",
        "first start: waits until all members of the nodelist are here",
        "ovn-had runs on every node of the nodelist" },
    [HA_WHY_BOOTSTRAP_DATA] = { "bootstrap-data",
        "first start: more than one node has data; set aside the files of "
        "all but one",
        "the database files of all nodes but one are set aside" },
    [HA_WHY_NOT_ELIGIBLE] = { "not-eligible",
        "no node here may be promoted; each node's row says why",
        "one node's own reason is mended, or, as the last resort, by ovn-hactl "
        "failover --allow-data-loss" },
    [HA_WHY_GRACE] = { "grace",
        "cold start: gives the last active a chance to return first",
        "the last active returns, or the start grace is over" },
    [HA_WHY_VERDICT] = { "verdict",
        "no proof that the old active has stopped: start it, or make sure "
        "that it is off",
        "the old active is back, or known to be off" },
    [HA_WHY_LEASE] = { "lease",
        "waits until the old active's lease has provably run out",
        "the lease is over, which takes no more than its length" },
    [HA_WHY_TAIL] = { "tail",
        "pulls the newest records from a fresher member",
        "the missing records have come" },
    [HA_WHY_LOG] = { "log",
        "the replica workers take over the log",
        "both replica workers have the log" },
    [HA_WHY_DOOR] = { "door",
        "the listeners are not open: no lease yet, or an ovsdb-server does "
        "not answer",
        "a majority acknowledges beats, and both databases answer" },
    [HA_WHY_NORTHD] = { "northd",
        "serves, but no NB change has reached SB through ovn-northd yet",
        "an NB change reaches SB through ovn-northd" },
    [HA_WHY_DISK] = { "disk",
        "the record cannot be written: check disk space and permissions",
        "the record can be written; tried again each second" },
    [HA_WHY_LINEAGE] = { "lineage",
        "its replica belongs to another lineage or to none yet",
        "it has followed the active and is complete" },
    [HA_WHY_INCOMPLETE] = { "incomplete",
        "its replica is not complete yet",
        "it has all of the active's data" },
    [HA_WHY_NOT_IN_SYNC] = { "not-in-sync",
        "it was not in sync when the record last changed",
        "it is level with the active, which then takes it in; where no active "
        "comes back, ovn-hactl failover --allow-data-loss is the last "
        "resort" },
    [HA_WHY_DATABASE] = { "database",
        "an ovsdb-server of it is down or does not answer, or it could not "
        "take the virtual IP",
        "both of its ovsdb-servers answer, and the interface of the virtual IP "
        "is well" },
    [HA_WHY_NOFAILOVER] = { "nofailover",
        "configured with nofailover",
        "nofailover is set to no in its configuration" },
    [HA_WHY_LEAVING] = { "leaving",
        "it is being shut down",
        "ovn-had is started there again" },
    [HA_WHY_RETRY] = { "retry",
        "its last promotion failed moments ago",
        "some seconds have passed" },
    [HA_WHY_ABSENT] = { "absent",
        "it is not in the group",
        "corosync and ovn-had run there, and its network is up" },
    [HA_WHY_REINIT] = { "reinit",
        "its data are of another lineage and do not give way by themselves: "
        "ovn-hactl reinit NODE sets them aside and lets it join",
        "ovn-hactl reinit is run for it, or its own data are put elsewhere" },
    [HA_WHY_SHRINK] = { "shrink",
        "most rows of its database would be gone, so it has stopped to follow "
        "and keeps them: if they are to go, ovn-hactl accept-shrink NODE",
        "ovn-hactl accept-shrink is run for it, or the active has its rows "
        "again" },
    [HA_WHY_UNMET] = { "unmet",
        "this node has not been with the other one since it started, and may "
        "have the older data: start the other node",
        "both nodes are together, or, as the last resort, by ovn-hactl "
        "failover --allow-data-loss" },
    [HA_WHY_STALE] = { "stale",
        "this node was apart from the active for longer than eligible-ms "
        "before that was proven to be dead, and lacks what it served "
        "meanwhile: start the other node",
        "it has followed the other node again, or, as the last resort, by "
        "ovn-hactl failover --allow-data-loss" },
    [HA_WHY_NO_DEVICE] = { "no-device",
        "no proof that the other node has stopped, and no fence device for "
        "it: make sure that it is off, then run ovn-hactl fence-ack NODE",
        "the other node is back, or an operator vouches that it is off" },
    [HA_WHY_FENCE_DELAY] = { "fence-delay",
        "about to fence the other node; the active has the first shot",
        "fence-delay-ms are over" },
    [HA_WHY_FENCING] = { "fencing",
        "waits for the proof that the other node is off",
        "its fence devices have answered" },
    [HA_WHY_FENCE_FAILED] = { "fence-failed",
        "the other node could not be fenced: see ovn-hactl history, make sure "
        "that it is off, then run ovn-hactl fence-ack NODE",
        "the other node is back, or known to be off" },
    [HA_WHY_FENCE_LIMIT] = { "fence-limit",
        "the other node was to be fenced 3 times in 10 minutes; not again "
        "before they are over: see ovn-hactl history, make sure that it is "
        "off, then run ovn-hactl fence-ack NODE",
        "the other node is back, or known to be off, or 10 minutes are over" },
    [HA_WHY_ALIVE] = { "alive",
        "it is in the group, and so it is not off",
        "it has left the group" },
    [HA_WHY_OWES] = { "owes",
        "the node that hands over does not say where its log ends: a replica "
        "worker does not answer there",
        "its replica workers answer, or the move is called off" },
    [HA_WHY_SERVED] = { "served",
        "an active node serves; ovn-hactl switchover moves the role, and "
        "loses nothing",
        "no node serves any more" },
    [HA_WHY_UNDER_WAY] = { "under-way",
        "a node is about to become active without that",
        "nobody is left who may become active" },
    [HA_WHY_LINEAGES] = { "lineages",
        "members hold records of different lineages: ovn-hactl reinit NODE "
        "sets aside that of the node which is to join the others",
        "all records of members that are here are of one lineage" },
    [HA_WHY_PAUSED] = { "paused",
        "the cluster is paused, so roles stay as they are: no other node takes "
        "over before ovn-hactl resume",
        "the active is back, or ovn-hactl resume is run" },
    [HA_WHY_ENDLESS] = { "endless",
        "the last active went away while the cluster was paused, with a lease "
        "that has no end, and nothing proves that it has stopped: start it, or "
        "have it fenced (ovn-hactl fence NODE), or make sure that it is off and "
        "run ovn-hactl fence-ack NODE",
        "the last active is back, or known to be off" },
    [HA_WHY_PAUSE_STALE] = { "pause-stale",
        "the last active may have served for longer than eligible-ms after it "
        "was heard here last, and before it was known to be off, so that "
        "records may be missing here: start it",
        "the last active is back, or, as the last resort, by ovn-hactl "
        "failover --allow-data-loss" },
    [HA_WHY_NOT_PAUSED] = { "not-paused",
        "the cluster is not paused",
        "ovn-hactl pause is run" },
    [HA_WHY_RESUMING] = { "resuming",
        "a pause is about to end: the active gives back its endless lease",
        "its ordinary lease is live again" },
    [HA_WHY_UNSERVED] = { "unserved",
        "no active node serves, or it has just changed",
        "one node is active and the others follow it" },
    [HA_WHY_WITNESS] = { "witness",
        "a witness: it has no databases",
        "witness is set to no in its configuration" },
    [HA_WHY_RECORD_FULL] = { "record-full",
        "there is no room for its record or for the active's, and both write "
        "into theirs that the role moves",
        "there is room; or ovn-had is stopped on the active, as in a failure" },
};
/* clang-format on */

const char *
ha_state_name(uint32_t state)
{
    return state < HA_N_STATES ? ha_states[state].name : "unknown";
}

const char *
ha_why_code(uint32_t why)
{
    return why < HA_N_WHYS ? whys[why].code : "unknown";
}

const char *
ha_why_text(uint32_t why)
{
    return why < HA_N_WHYS ? whys[why].text : "for an unknown reason";
}

const char *
ha_why_ends(uint32_t why)
{
    const char *ends = why < HA_N_WHYS ? whys[why].ends : NULL;

    return ends ? ends : "";
}
