/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/conf.h"

#include <limits.h>
#include <string.h>

#define AT(MEMBER) offsetof(struct conf, MEMBER)

/* clang-format off */
const struct conf_option conf_options[] = {
    { "timing", "lease-ms", CONF_INT, 200, 60000, "1000", AT(lease_ms),
      "How long the active may serve on the newest beat that enough supporters "
      "acknowledged. The shorter, the sooner a standby may take over, and the "
      "sooner a slow network stops the active. Give every node the same." },
    { "timing", "beat-ms", CONF_INT, 0, 15000, "0", AT(beat_ms),
      "Time between two beats of the active. 0 is a tenth of the lease. At "
      "least four beats must fit into a lease." },
    { "timing", "drift-ppm", CONF_INT, 100, 200000, "10000", AT(drift_ppm),
      "By how much the clocks of two nodes may run at different speed, in "
      "millionths. Supporters keep their promise longer by it." },
    { "timing", "start-grace-ms", CONF_INT, 0, 600000, "5000",
      AT(start_grace_ms),
      "When the whole cluster starts: how long to wait for the node that was "
      "active last, and for its database servers, before another one is "
      "elected." },
    { "timing", "hang-ms", CONF_INT, 500, 600000, "2000", AT(hang_ms),
      "A database server, northd or worker that neither answers nor makes any "
      "progress for this long is killed and started again." },
    { "timing", "busy-ms", CONF_INT, 5000, 3600000, "120000", AT(busy_ms),
      "The same for one that does not answer, but works." },

    { "node", "priority", CONF_INT, 0, 1000, "100", AT(priority),
      "Of two nodes with equally fresh and healthy databases the one with the "
      "higher number becomes active." },
    { "node", "nofailover", CONF_BOOL, 0, 0, "no", AT(nofailover),
      "If yes, this node never becomes active by itself." },
    { "node", "witness", CONF_BOOL, 0, 0, "no", AT(witness),
      "If yes, this node runs no databases and no northd: it only votes, and "
      "acknowledges the active's beats, so that of two control nodes one can "
      "go on without the other." },
    { "node", "kernel-lease", CONF_TRISTATE, 0, 0, "auto", AT(kernel_lease),
      "Whether the kernel holds the lease, too: what the databases say on "
      "their TCP ports leaves this node only under a lease, even if every "
      "process of it stood still meanwhile. It needs nftables; its table is "
      "inet ovn_ha. With auto a node whose kernel does not allow it serves "
      "without, and ovn-hactl status says so; with on it does not serve." },

    { "listen", "nb", CONF_REMOTES, 0, 0, "", AT(listen_nb),
      "Remotes on which the active serves the Northbound database, besides "
      "those in its own connection table and the unix socket, for example "
      "ptcp:6641:192.0.2.1, or pssl:6641. Separate several by commas." },
    { "listen", "sb", CONF_REMOTES, 0, 0, "", AT(listen_sb),
      "The same for the Southbound database, most often with port 6642." },

    { "virtual-ip", "address", CONF_PREFIXES, 0, 0, "", AT(vip_address),
      "Addresses that the active takes, and that clients can use instead of "
      "a list of all nodes, each with the length of its network's prefix, for "
      "example 192.0.2.10/24, 2001:db8::10/64. Separate several by commas. "
      "None may be an address of a node. Give every node the same." },
    { "virtual-ip", "interface", CONF_INTERFACE, 0, 0, "", AT(vip_interface),
      "The Ethernet interface of this node that they are put on. A node where "
      "it is missing or down does not become active, and one that is active "
      "hands over. It needs another address of the same network, unless the "
      "length is 32, or 128 for IPv6." },
    { "virtual-ip", "detect-ms", CONF_INT, 20, 10000, "100",
      AT(vip_detect_ms),
      "How long another owner of such an address has to answer before it is "
      "taken. A promotion takes longer by this. If one answers, this node does "
      "not serve, and ovn-hactl status names the owner's MAC address." },

    { "paths", "nb-db", CONF_PATH, 0, 0, "/var/lib/ovn/ovnnb_db.db",
      AT(nb_db), "File of the Northbound database." },
    { "paths", "sb-db", CONF_PATH, 0, 0, "/var/lib/ovn/ovnsb_db.db",
      AT(sb_db), "File of the Southbound database." },
    { "paths", "nb-sock", CONF_PATH, 0, 0, "/run/ovn/ovnnb_db.sock",
      AT(nb_sock),
      "Public unix socket of the Northbound database. It exists on the active "
      "only." },
    { "paths", "sb-sock", CONF_PATH, 0, 0, "/run/ovn/ovnsb_db.sock",
      AT(sb_sock), "The same for the Southbound database." },
    { "paths", "nb-schema", CONF_PATH, 0, 0, "/usr/share/ovn/ovn-nb.ovsschema",
      AT(nb_schema), "Schema of the Northbound database." },
    { "paths", "sb-schema", CONF_PATH, 0, 0, "/usr/share/ovn/ovn-sb.ovsschema",
      AT(sb_schema), "Schema of the Southbound database." },
    { "paths", "run-dir", CONF_PATH, 0, 0, "/run/ovn-ha", AT(run_dir),
      "Folder for sockets between the parts of ovn-ha." },
    { "paths", "ovn-run-dir", CONF_PATH, 0, 0, "/run/ovn", AT(ovn_run_dir),
      "Folder for OVN's pid files and control sockets." },
    { "paths", "state-dir", CONF_PATH, 0, 0, "/var/lib/ovn-ha", AT(state_dir),
      "Folder for the record, the history, and data that was set aside." },
    { "paths", "log-dir", CONF_PATH, 0, 0, "/var/log/ovn", AT(log_dir),
      "Folder for the logs of the databases, of northd and of the workers." },
    { "paths", "ovsdb-server", CONF_PATH, 0, 0, "/usr/sbin/ovsdb-server",
      AT(ovsdb_server), "The program." },
    { "paths", "ovsdb-tool", CONF_PATH, 0, 0, "/usr/bin/ovsdb-tool",
      AT(ovsdb_tool), "The program." },
    { "paths", "ovn-northd", CONF_PATH, 0, 0, "/usr/bin/ovn-northd",
      AT(ovn_northd), "The program." },

    { "replication", "port-nb", CONF_INT, 1, 65535, "6661", AT(port_nb),
      "TCP port on which nodes follow this node's Northbound database. Give "
      "every node the same." },
    { "replication", "port-sb", CONF_INT, 1, 65535, "6662", AT(port_sb),
      "The same for the Southbound database." },
    { "replication", "private-key", CONF_PATH, 0, 0, "", AT(private_key),
      "Private key (PEM, without a passphrase) of this node, for log shipping "
      "in TLS. Give all three of private-key, certificate and ca-cert, or "
      "none; without them it is not encrypted." },
    { "replication", "certificate", CONF_PATH, 0, 0, "", AT(certificate),
      "Certificate (PEM) of this node, in its name or of its address; "
      "intermediate ones may follow it." },
    { "replication", "ca-cert", CONF_PATH, 0, 0, "", AT(ca_cert),
      "Certificates (PEM) of the authority that signed all nodes' "
      "certificates." },
    { "replication", "shrink-guard", CONF_INT, 0, 99, "70", AT(shrink_guard),
      "A standby stops to follow, keeps what it has and raises an alarm if "
      "more than this share of its rows, in percent, would be gone: by one "
      "transaction, by a snapshot, or by several transactions within 60 "
      "seconds. An operator lets it go on with ovn-hactl accept-shrink. 0 is no "
      "guard." },
    { "replication", "shrink-rows", CONF_INT, 1, 100000000, "100",
      AT(shrink_rows),
      "Fewer rows than this may always go, so that small databases are not "
      "bothered." },

    { "replication", "verify-interval-s", CONF_INT, 0, 31536000, "3600",
      AT(verify_interval_s),
      "How often a standby's databases are compared with the active's, row by "
      "row and at one position, in seconds. Each node chooses its own moment. "
      "It reads the files at the lowest priority, and takes as much memory as "
      "the database's server, on both nodes. 0 is never." },
    { "replication", "verify-recent-s", CONF_INT, 0, 86400, "600",
      AT(verify_recent_s),
      "Before a switchover the heir is verified, unless that was done within "
      "this many seconds, and its database servers run since. 0 is always." },

    { "beat", "port", CONF_INT, 1, 65535, "6663", AT(beat_port),
      "UDP port of beats and their acknowledgements. Give every node the "
      "same." },

    { "quorum", "no-quorum-policy", CONF_POLICY, 0, 0, "auto",
      AT(no_quorum_policy),
      "What a node does that is left without quorum. With stop it serves "
      "nothing. With fence, which is for a pair of nodes only, it goes on: the "
      "active serves without a lease, and the other node takes over once the "
      "active is proven to be dead, by a fence device or by an operator. auto "
      "is fence in a pair without a quorum device, and stop otherwise. In a "
      "pair with one the proof is wanted as well, and quorum with it; with "
      "fence the device's vote decides nothing there. With three or more "
      "nodes fence is the same as stop. Give every node the same." },
    { "quorum", "eligible-ms", CONF_INT, 1000, 86400000, "600000",
      AT(eligible_ms),
      "In a pair that lives on proof, and after a pause (ovn-hactl pause): a "
      "node that was apart from the active for longer than this before it was "
      "proven to be dead does not take over by itself, because it lacks what "
      "the active served meanwhile. This bounds what a failover may lose." },
    { "quorum", "fence-delay-ms", CONF_INT, 0, 600000, "2000",
      AT(fence_delay_ms),
      "In a pair that lives on proof: how long this node waits before it has "
      "the active fenced. The active does not wait, so that of two nodes that "
      "cannot see each other one survives. Give more than its device takes to "
      "switch off and to say so, which for many controllers is 3 to 10 s: with "
      "less each may switch off the other one, and nobody serves." },

    { "insync", "lag-records", CONF_INT, 1, INT_MAX, "1000", AT(lag_records),
      "A standby that is more transactions than this behind leaves the in-sync "
      "set." },
    { "insync", "lag-ms", CONF_INT, 100, 3600000, "10000", AT(lag_ms),
      "So does one that was not level with the active for this long." },

    { "disk", "low-mb", CONF_INT, 0, 1000000, "100", AT(low_mb),
      "Free megabytes where the databases or the record are below which this "
      "node hands over to one that has more, because a database on a full disk "
      "refuses every write. If no other has more it serves on. What was passed "
      "is over once there is twice as much. 0 is never." },
    { "disk", "warn-mb", CONF_INT, 0, 1000000, "500", AT(warn_mb),
      "The same, but it is only said: by ovn-hactl status and check, as a "
      "problem; and ovn-hactl backup and restore leave this much free there. "
      "Give more than low-mb." },

    { "watchdog", "device", CONF_PATH, 0, 0, "", AT(watchdog_device),
      "Path of the watchdog that resets this node if its door is not closed in "
      "time, for example /dev/watchdog0. It is armed only while this node "
      "serves. Empty, and no identity: there is none, and nothing else is "
      "needed for the lease to hold. Nobody else may have it open: unset "
      "RuntimeWatchdogSec of systemd if that has it." },
    { "watchdog", "identity", CONF_WORDS, 0, 0, "", AT(watchdog_identity),
      "What the device has to call itself, for example i6300ESB timer; see "
      "/sys/class/watchdog/*/identity. With device empty, the one that does is "
      "looked for." },
    { "watchdog", "timeout-s", CONF_INT, 0, 60, "0", AT(watchdog_timeout_s),
      "After so long without being fed it resets the node. It has to do so "
      "within the lease: timeout-s * 1000 + 2 * beat-ms + 20 <= lease-ms, the "
      "20 being for the feeding itself. 0 is the longest that fits." },
    { "watchdog", "pretimeout-s", CONF_INT, 0, 59, "0",
      AT(watchdog_pretimeout_s),
      "So long before that the kernel does what the device's "
      "pretimeout_governor says, for example panic, to leave a dump. It has to "
      "be shorter than the timeout. 0 is never." },
    { "watchdog", "reset-program", CONF_PATH, 0, 0, "", AT(reset_program),
      "Program that resets this node at once, run with the reason as its "
      "argument if a database or northd was killed to close the door and does "
      "not end, because its disk does not answer, say. Empty: the watchdog, if "
      "there is one, does it." },
    { "watchdog", "reset-after-ms", CONF_INT, 100, 60000, "2000",
      AT(reset_after_ms),
      "How long such a process may take to end. A large one takes a moment. "
      "This may be longer than the lease: what was killed answers nobody, so "
      "no client is served by two; it delays the reset, not the promotion." },

    { "status", "socket", CONF_PATH, 0, 0, "/run/ovn-ha/status.sock",
      AT(status_socket),
      "Unix socket on which ovn-had answers HTTP: the page for people, status, "
      "metrics and health checks. Nothing can be changed there." },
    { "status", "group", CONF_GROUP, 0, 0, "", AT(status_group),
      "Group whose members may read from that socket, too, and ask ovn-had "
      "what changes nothing. Empty: only root may." },
    { "status", "listen", CONF_ADDRESS, 0, 0, "", AT(status_listen),
      "Address and TCP port on which the same is answered, for example "
      "192.0.2.1:6664 or [2001:db8::1]:6664. It needs private-key and "
      "certificate, unless the address is a loopback one." },
    { "status", "private-key", CONF_PATH, 0, 0, "", AT(status_private_key),
      "Private key (PEM) of that listener, which then speaks TLS." },
    { "status", "certificate", CONF_PATH, 0, 0, "", AT(status_certificate),
      "Its certificate (PEM), followed by those between it and its "
      "authority." },
    { "status", "ca-cert", CONF_PATH, 0, 0, "", AT(status_ca_cert),
      "Certificates (PEM) of the authority that signed the certificates of "
      "clients. If given, the listener lets no other client in." },

    { "events", "program", CONF_PATH, 0, 0, "", AT(events_program),
      "Program that is started for each event of this node, as root, with the "
      "event as one line of JSON on its standard input; see ovn-had(8). One "
      "at a time: what it takes too long for waits, and of more than 64 "
      "events the oldest are dropped." },
    { "events", "timeout-ms", CONF_INT, 100, 600000, "10000",
      AT(events_timeout_ms),
      "If it runs for longer than this it is killed, with all processes of "
      "its group. What it leaves behind there when it ends is killed, too." },
};

#undef AT
#define AT(MEMBER) offsetof(struct conf_device, MEMBER)

const struct conf_option conf_device_options[] = {
    { "device NAME", "agent", CONF_WORDS, 0, 0, "", AT(agent),
      "The fence agent: a program of /usr/sbin such as fence_ipmilan, or an "
      "absolute path. All that is no option of this list is a parameter of "
      "the agent, see its manual page, and is compared with its metadata. If "
      "-file stands behind a parameter's name, as in password-file, its value "
      "is the first line of that file, which only its owner may be able to "
      "read; so must this file if it holds a secret itself." },
    { "device NAME", "timeout-ms", CONF_INT, 1000, 600000, "20000",
      AT(timeout_ms),
      "An agent that runs for longer is killed with its children." },
    { "device NAME", "retries", CONF_INT, 0, 10, "1", AT(retries),
      "How often what failed is tried again before the next level is." },
    { "device NAME", "monitor-s", CONF_INT, 1, 86400, "60", AT(monitor_s),
      "Time between two looks whether the device works." },
};

#undef AT
#define AT(MEMBER) offsetof(struct conf_fence, MEMBER)

const struct conf_option conf_fence_options[] = {
    { "fence NODE", "level-1", CONF_WORDS, 0, 0, "", AT(levels[0]),
      "Devices that switch the node off, in this order. Each of them has to "
      "succeed: name both outlets of a node with two power supplies." },
    { "fence NODE", "level-2", CONF_WORDS, 0, 0, "", AT(levels[1]),
      "The same, tried when level-1 has failed." },
    { "fence NODE", "level-3", CONF_WORDS, 0, 0, "", AT(levels[2]),
      "The same, tried when level-2 has failed." },
    { "fence NODE", "level-4", CONF_WORDS, 0, 0, "", AT(levels[3]),
      "The same, tried when level-3 has failed." },
    { "fence NODE", "confirm", CONF_WORDS, 0, 0, "", AT(confirm),
      "Another device, whose status has to say that the node is off as well "
      "before that is believed. It switches nothing." },
    { "fence NODE", "power-on", CONF_BOOL, 0, 0, "no", AT(power_on),
      "If yes, the node is switched on again once it has been off." },
};
/* clang-format on */

_Static_assert(sizeof conf_device_options / sizeof conf_device_options[0]
                       == CONF_N_DEVICE_OPTIONS
                   && sizeof conf_fence_options / sizeof conf_fence_options[0]
                          == CONF_N_FENCE_OPTIONS,
               "they count the rows");
_Static_assert(sizeof conf_options / sizeof conf_options[0] == CONF_N_OPTIONS,
               "CONF_N_OPTIONS counts the rows");

static bool
is_one_of(const struct conf_option *option, const char *const names[][2],
          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(option->section, names[i][0])
            && !strcmp(option->name, names[i][1])) {
            return true;
        }
    }
    return false;
}

bool
conf_option_is_common(const struct conf_option *option)
{
    static const char *const names[][2] = {
        { "timing", "lease-ms" },         { "replication", "port-nb" },
        { "replication", "port-sb" },     { "beat", "port" },
        { "quorum", "no-quorum-policy" }, { "virtual-ip", "address" },
    };

    return is_one_of(option, names, sizeof names / sizeof names[0]);
}

bool
conf_option_is_fixed(const struct conf_option *option)
{
    static const char *const names[][2] = {
        { "paths", "nb-db" },     { "paths", "sb-db" },
        { "paths", "nb-sock" },   { "paths", "sb-sock" },
        { "paths", "run-dir" },   { "paths", "ovn-run-dir" },
        { "paths", "state-dir" }, { "node", "witness" },
    };

    return is_one_of(option, names, sizeof names / sizeof names[0]);
}
