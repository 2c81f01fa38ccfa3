/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_CLUSTER_H
#define HA_CLUSTER_H 1

/* What corosync's configuration says of the cluster.
 *
 * Names, ids and addresses come from corosync (cmap), so that a plain cluster
 * needs no configuration of ovn-ha.  Read once at the start of a life, by
 * main.c; a changed nodelist is taken by a reload.  Waits for corosync's
 * answer, so the loop never calls it. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "ha/core/core.h"
#include "lib/wire.h"

#define CLUSTER_NAME_LEN 64
#define CLUSTER_ERROR_LEN 256
#define CLUSTER_MAX_PORTS 8
#define CLUSTER_MAX_LINKS (CLUSTER_MAX_PORTS - 1)

struct cluster_node {
    uint32_t id;
    char name[CLUSTER_NAME_LEN];    /* "node3" if the nodelist has no name. */
    char address[CLUSTER_NAME_LEN]; /* ring0_addr as numbers. */
    struct sockaddr_storage addr;   /* The same; port 0. */
    struct sockaddr_storage links[CLUSTER_MAX_LINKS]; /* ring1_addr and on. */
    uint32_t n_links;
};

struct cluster {
    uint32_t self; /* This node's id. */
    uint32_t n_nodes;
    struct cluster_node nodes[HA_MAX_NODES]; /* By id, ascending. */
    uint32_t token_ms; /* In effect, coefficient included. */
    bool two_node;     /* Both halves of a pair keep quorum. */
    bool qdevice;
    uint16_t ports[CLUSTER_MAX_PORTS]; /* UDP, of corosync's links. */
    uint32_t n_ports;
    char key_file[WIRE_PATH_LEN]; /* "" if corosync does not encrypt. */
};

/* Reads all of it.  Returns 0; -ECONNREFUSED if corosync is not running; or
 * another negative errno, with a sentence in 'error'. */
int cluster_read(struct cluster *ret_cluster, char error[CLUSTER_ERROR_LEN]);

/* NULL if 'id' is not in the nodelist. */
const struct cluster_node *cluster_node(const struct cluster *, uint32_t id);

/* By name, or by id in digits.  NULL if there is none. */
const struct cluster_node *cluster_find(const struct cluster *,
                                        const char *name);

/* Its name, or "node ID" from a static buffer for a stranger. */
const char *cluster_name(const struct cluster *, uint32_t id);

/* For the workers' messages. */
void cluster_to_wire(const struct cluster_node *, struct wire_node *ret_node);

#endif /* ha/cluster.h */
