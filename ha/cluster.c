/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/cluster.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <corosync/cmap.h>
#include <corosync/corotypes.h>

#include "lib/log.h"

#define DEFAULT_KEY_FILE "/etc/corosync/authkey"
#define DEFAULT_TOKEN_MS 1000
#define DEFAULT_PORT 5405 /* Of link 0; each link has the next one. */

/* Copies the string 'key' to 'buf', "" if it is missing. */
static void
get_string(cmap_handle_t cmap, const char *key, char *buf, size_t size)
{
    char *value;

    buf[0] = '\0';
    if (cmap_get_string(cmap, key, &value) == CS_OK) {
        snprintf(buf, size, "%s", value);
        free(value);
    }
}

static uint32_t
get_number(cmap_handle_t cmap, const char *key, uint32_t missing)
{
    uint32_t value;

    return cmap_get_uint32(cmap, key, &value) == CS_OK ? value : missing;
}

static bool
get_flag(cmap_handle_t cmap, const char *key)
{
    uint8_t value;

    return cmap_get_uint8(cmap, key, &value) == CS_OK && value;
}

/* Turns ring0_addr, an address or a name, into an address. */
static int
resolve(struct cluster_node *node, char error[CLUSTER_ERROR_LEN])
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list;
    int code = getaddrinfo(node->address, NULL, &hints, &list);

    if (code) {
        snprintf(error, CLUSTER_ERROR_LEN,
                 "corosync's ring0_addr of %s, \"%s\", has no address: %s",
                 node->name, node->address, gai_strerror(code));
        return -EADDRNOTAVAIL;
    }
    memcpy(&node->addr, list->ai_addr, list->ai_addrlen);
    getnameinfo(list->ai_addr, list->ai_addrlen, node->address,
                sizeof node->address, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(list);
    return 0;
}

/* Those of its other links, of which nothing depends on one without. */
static void
read_links(cmap_handle_t cmap, uint32_t pos, struct cluster_node *node)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list;
    char key[64], text[CLUSTER_NAME_LEN];

    for (uint32_t link = 1; link <= CLUSTER_MAX_LINKS; link++) {
        snprintf(key, sizeof key, "nodelist.node.%u.ring%u_addr", pos, link);
        get_string(cmap, key, text, sizeof text);
        if (text[0] && !getaddrinfo(text, NULL, &hints, &list)) {
            memcpy(&node->links[node->n_links++], list->ai_addr,
                   list->ai_addrlen);
            freeaddrinfo(list);
        }
    }
}

/* Reads entry 'pos' of the nodelist. */
static int
read_node(cmap_handle_t cmap, uint32_t pos, struct cluster_node *node,
          char error[CLUSTER_ERROR_LEN])
{
    char key[64];

    memset(node, 0, sizeof *node);
    snprintf(key, sizeof key, "nodelist.node.%u.ring0_addr", pos);
    get_string(cmap, key, node->address, sizeof node->address);
    snprintf(key, sizeof key, "nodelist.node.%u.nodeid", pos);
    node->id = get_number(cmap, key, 0);
    if (!node->id) {
        snprintf(error, CLUSTER_ERROR_LEN,
                 "corosync's nodelist gives \"%s\" no nodeid: add it to "
                 "corosync.conf",
                 node->address);
        return -EINVAL;
    }
    snprintf(key, sizeof key, "nodelist.node.%u.name", pos);
    get_string(cmap, key, node->name, sizeof node->name);
    if (!node->name[0]) {
        snprintf(node->name, sizeof node->name, "node%u", node->id);
    }
    read_links(cmap, pos, node);
    return resolve(node, error);
}

static int
by_id(const void *a_, const void *b_)
{
    const struct cluster_node *a = a_, *b = b_;

    return a->id < b->id ? -1 : a->id > b->id;
}

/* Positions in the nodelist may have holes after nodes were removed, so all
 * keys are looked at. */
static int
read_nodes(cmap_handle_t cmap, struct cluster *c,
           char error[CLUSTER_ERROR_LEN])
{
    char key[CMAP_KEYNAME_MAXLEN + 1];
    uint32_t pos,
        local = get_number(cmap, "nodelist.local_node_pos", UINT32_MAX);
    cmap_iter_handle_t iter;
    char end[sizeof key];
    int rc = 0;

    if (cmap_iter_init(cmap, "nodelist.node.", &iter) != CS_OK) {
        snprintf(error, CLUSTER_ERROR_LEN, "corosync has no nodelist");
        return -ENOENT;
    }
    while (!rc && cmap_iter_next(cmap, iter, key, NULL, NULL) == CS_OK) {
        if (sscanf(key, "nodelist.node.%u.%s", &pos, end) != 2
            || strcmp(end, "ring0_addr")) {
            continue;
        }
        if (c->n_nodes == HA_MAX_NODES) {
            snprintf(error, CLUSTER_ERROR_LEN,
                     "corosync's nodelist has more "
                     "than %d nodes",
                     HA_MAX_NODES);
            rc = -E2BIG;
            break;
        }
        rc = read_node(cmap, pos, &c->nodes[c->n_nodes], error);
        if (!rc && pos == local) {
            c->self = c->nodes[c->n_nodes].id;
        }
        c->n_nodes++;
    }
    cmap_iter_finalize(cmap, iter);
    if (!rc && !c->self) {
        snprintf(error, CLUSTER_ERROR_LEN,
                 "this node is not in corosync's nodelist");
        rc = -ENOENT;
    }
    qsort(c->nodes, c->n_nodes, sizeof c->nodes[0], by_id);
    return rc;
}

/* Beats are as trustworthy as corosync's own packets: the same key. */
static void
read_key(cmap_handle_t cmap, struct cluster *c)
{
    char hash[16], cipher[16], secauth[8];

    get_string(cmap, "totem.crypto_hash", hash, sizeof hash);
    get_string(cmap, "totem.crypto_cipher", cipher, sizeof cipher);
    get_string(cmap, "totem.secauth", secauth, sizeof secauth);
    if (strcmp(secauth, "on") && (!hash[0] || !strcmp(hash, "none"))
        && (!cipher[0] || !strcmp(cipher, "none"))) {
        return;
    }
    get_string(cmap, "totem.keyfile", c->key_file, sizeof c->key_file);
    if (!c->key_file[0]) {
        snprintf(c->key_file, sizeof c->key_file, "%s", DEFAULT_KEY_FILE);
    }
}

/* Those of the links that this node has an address for. */
static void
read_ports(cmap_handle_t cmap, struct cluster *c)
{
    uint32_t pos = get_number(cmap, "nodelist.local_node_pos", 0);
    char key[64], address[CLUSTER_NAME_LEN];

    for (uint32_t link = 0; link < CLUSTER_MAX_PORTS; link++) {
        uint16_t port;

        snprintf(key, sizeof key, "nodelist.node.%u.ring%u_addr", pos, link);
        get_string(cmap, key, address, sizeof address);
        if (!address[0]) {
            continue;
        }
        snprintf(key, sizeof key, "totem.interface.%u.mcastport", link);
        c->ports[c->n_ports++] = cmap_get_uint16(cmap, key, &port) == CS_OK
                                     ? port
                                     : DEFAULT_PORT + link;
    }
}

int
cluster_read(struct cluster *ret_cluster, char error[CLUSTER_ERROR_LEN])
{
    struct cluster c = { .self = 0 };
    cmap_handle_t cmap;
    char model[32];
    cs_error_t code;
    int rc;

    code = cmap_initialize(&cmap);
    if (code != CS_OK) {
        snprintf(error, CLUSTER_ERROR_LEN,
                 code == CS_ERR_ACCESS
                     ? "corosync refuses this user: run as root"
                     : "corosync is not running (its cmap service does not "
                       "answer: %s)",
                 cs_strerror(code));
        return code == CS_ERR_ACCESS ? -EACCES : -ECONNREFUSED;
    }
    rc = read_nodes(cmap, &c, error);
    c.token_ms =
        get_number(cmap, "runtime.config.totem.token", DEFAULT_TOKEN_MS);
    c.two_node = get_flag(cmap, "quorum.two_node");
    get_string(cmap, "quorum.device.model", model, sizeof model);
    c.qdevice = model[0] != '\0';
    read_key(cmap, &c);
    read_ports(cmap, &c);
    cmap_finalize(cmap);
    if (!rc) {
        *ret_cluster = c;
    }
    return rc;
}

const struct cluster_node *
cluster_node(const struct cluster *c, uint32_t id)
{
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        if (c->nodes[i].id == id) {
            return &c->nodes[i];
        }
    }
    return NULL;
}

const struct cluster_node *
cluster_find(const struct cluster *c, const char *name)
{
    char *end;
    unsigned long id = strtoul(name, &end, 10);

    for (uint32_t i = 0; i < c->n_nodes; i++) {
        if (!strcmp(c->nodes[i].name, name)) {
            return &c->nodes[i];
        }
    }
    return *name && !*end && id <= UINT32_MAX ? cluster_node(c, id) : NULL;
}

const char *
cluster_name(const struct cluster *c, uint32_t id)
{
    static char stranger[32];
    const struct cluster_node *node = cluster_node(c, id);

    if (node) {
        return node->name;
    }
    snprintf(stranger, sizeof stranger, "node %u", id);
    return stranger;
}

void
cluster_to_wire(const struct cluster_node *node, struct wire_node *ret_node)
{
    memset(ret_node, 0, sizeof *ret_node);
    ret_node->id = node->id;
    ret_node->addr = node->addr;
}
