/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/settings.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ha/agents.h"
#include "ha/cluster.h"
#include "lib/netaddr.h"
#include "lib/xalloc.h"

static void
fill_db(struct settings *s, enum ha_db db, const char *name)
{
    const struct conf *conf = s->conf;
    struct settings_db *d = &s->db[db];

    d->short_name = name;
    d->ctl = ha_asprintf("%s/ovn%s_db.ctl", conf->ovn_run_dir, name);
    d->pidfile = ha_asprintf("%s/ovn%s_db.pid", conf->ovn_run_dir, name);
    d->log = ha_asprintf("%s/ovsdb-server-%s.log", conf->log_dir, name);
    d->private_sock = ha_asprintf("%s/%s.sock", s->private_dir, name);
}

struct settings *
settings_create(struct conf *conf)
{
    struct settings *s = ha_calloc(1, sizeof *s);
    struct settings_db *nb = &s->db[HA_NB], *sb = &s->db[HA_SB];

    s->conf = conf;
    s->lease_ms = conf->lease_ms;
    s->beat_ms = conf->beat_ms;
    s->hang_ms = conf->hang_ms;
    s->busy_ms = conf->busy_ms;
    s->private_dir = ha_asprintf("%s/private", conf->run_dir);
    s->fence_sock = ha_asprintf("%s/fence.sock", conf->run_dir);
    s->agents_sock = ha_asprintf("%s.agents", s->fence_sock);
    s->record = ha_asprintf("%s/record", conf->state_dir);
    s->history_dir = ha_asprintf("%s/history", conf->state_dir);
    s->pidfile = ha_asprintf("%s/ovn-had.pid", conf->ovn_run_dir);
    s->worker_log = ha_asprintf("%s/ovn-ha-workers.log", conf->log_dir);
    s->northd_pidfile = ha_asprintf("%s/ovn-northd.pid", conf->ovn_run_dir);
    s->northd_log = ha_asprintf("%s/ovn-northd.log", conf->log_dir);

    fill_db(s, HA_NB, "nb");
    nb->file = conf->nb_db;
    nb->schema = conf->nb_schema;
    nb->public_sock = conf->nb_sock;
    nb->listen = conf->listen_nb;
    nb->repl_port = conf->port_nb;
    nb->schema_name = "OVN_Northbound";
    nb->global_table = "NB_Global";

    fill_db(s, HA_SB, "sb");
    sb->file = conf->sb_db;
    sb->schema = conf->sb_schema;
    sb->public_sock = conf->sb_sock;
    sb->listen = conf->listen_sb;
    sb->repl_port = conf->port_sb;
    sb->schema_name = "OVN_Southbound";
    sb->global_table = "SB_Global";
    return s;
}

void
settings_destroy(struct settings *s)
{
    if (!s) {
        return;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        free(s->db[db].ctl);
        free(s->db[db].pidfile);
        free(s->db[db].log);
        free(s->db[db].private_sock);
    }
    free(s->private_dir);
    free(s->fence_sock);
    free(s->agents_sock);
    free(s->record);
    free(s->history_dir);
    free(s->pidfile);
    free(s->worker_log);
    free(s->northd_pidfile);
    free(s->northd_log);
    conf_destroy(s->conf);
    free(s);
}

bool
settings_policy_is_fence(const struct settings *s, const struct cluster *c)
{
    int policy = s->conf->no_quorum_policy;

    return c->n_nodes == 2
           && (policy == CONF_POLICY_FENCE
               || (policy == CONF_POLICY_AUTO && !c->qdevice));
}

bool
settings_lives_on_proof(const struct settings *s, const struct cluster *c)
{
    return settings_policy_is_fence(s, c) || (c->n_nodes == 2 && c->qdevice);
}

static bool
is_same(const struct sockaddr_storage *a, const struct netaddr_prefix *p)
{
    const void *bytes =
        a->ss_family == AF_INET
            ? (const void *) &((const struct sockaddr_in *) a)->sin_addr
            : (const void *) &((const struct sockaddr_in6 *) a)->sin6_addr;

    return a->ss_family == p->family
           && !memcmp(bytes, p->bytes, netaddr_len(p->family));
}

/* The node that has this address in corosync's nodelist, on whatever link;
 * NULL. */
static const struct cluster_node *
owner_of(const struct cluster *c, const struct netaddr_prefix *p)
{
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        const struct cluster_node *node = &c->nodes[i];

        if (is_same(&node->addr, p)) {
            return node;
        }
        for (uint32_t j = 0; j < node->n_links; j++) {
            if (is_same(&node->links[j], p)) {
                return node;
            }
        }
    }
    return NULL;
}

bool
settings_fit(const struct conf *conf, const struct cluster *cluster,
             char *error, size_t size)
{
    const char *text = conf->vip_address;
    struct netaddr_prefix p;
    size_t n;

    for (; (n = conf_word(&text)); text += n) {
        const struct cluster_node *owner =
            netaddr_parse_prefix(text, n, &p) ? NULL : owner_of(cluster, &p);

        if (owner) {
            snprintf(error, size,
                     "%s:%d: [virtual-ip] address: %.*s is the address of %s "
                     "in corosync's nodelist; give one that no node has",
                     conf->file, conf_last_line(conf, "virtual-ip", "address"),
                     (int) n, text, owner->name);
            return false;
        }
    }
    return agents_check(conf, cluster, error, size);
}

void
settings_print(const struct settings *s, const struct cluster *c, FILE *f)
{
    conf_print(s->conf, f);
    fputs("\n# What ovn-ha goes by besides; it is set in corosync.conf.\n", f);
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        fprintf(f, "# node %s = %u, %s ; corosync, nodelist\n",
                c->nodes[i].name, c->nodes[i].id, c->nodes[i].address);
    }
    fprintf(f, "# token-ms = %u ; corosync, totem.token in effect\n",
            c->token_ms);
    fprintf(f, "# beat-key = %s ; corosync, %s\n",
            *c->key_file ? c->key_file : "none",
            *c->key_file ? "totem.keyfile" : "totem.crypto_cipher is none");
    fprintf(f, "# quorum-device = %s ; corosync, quorum.device\n",
            c->qdevice ? "yes" : "no");
    if (s->conf->no_quorum_policy == CONF_POLICY_AUTO) {
        fprintf(f,
                "# no-quorum-policy = %s ; by auto; corosync has %u nodes and "
                "%s quorum device\n",
                settings_policy_is_fence(s, c) ? "fence" : "stop", c->n_nodes,
                c->qdevice ? "a" : "no");
    }
}

/* Makes 'path' and what is missing above it. */
static int
make_folder(const char *path, mode_t mode)
{
    char *copy = ha_strdup(path);
    int error = 0;

    for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(copy, 0755);
        *p = '/';
    }
    if (mkdir(copy, mode) && errno != EEXIST) {
        error = -errno;
    }
    free(copy);
    return error;
}

static int
make_folder_of(const char *file)
{
    char *copy = ha_strdup(file), *slash = strrchr(copy, '/');
    int error = 0;

    if (slash && slash != copy) {
        *slash = '\0';
        error = make_folder(copy, 0755);
    }
    free(copy);
    return error;
}

int
settings_make_folders(const struct settings *s, const char **ret_folder)
{
    const struct {
        const char *path;
        mode_t mode;
    } folders[] = {
        { s->conf->ovn_run_dir, 0755 }, { s->conf->run_dir, 0755 },
        { s->private_dir, 0700 },       { s->conf->state_dir, 0700 },
        { s->history_dir, 0700 },       { s->conf->log_dir, 0755 },
    };

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        int error = make_folder(folders[i].path, folders[i].mode);

        if (error) {
            *ret_folder = folders[i].path;
            return error;
        }
    }
    const char *const files[] = { s->db[HA_NB].file, s->db[HA_SB].file,
                                  s->conf->status_socket };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int error = make_folder_of(files[i]);

        if (error) {
            *ret_folder = files[i];
            return error;
        }
    }
    /* Whoever made it before must not leave it open. */
    if (chmod(s->private_dir, 0700)) {
        *ret_folder = s->private_dir;
        return -errno;
    }
    return 0;
}

const char *
settings_warning(const struct settings *s, bool authkey)
{
    if (s->conf->private_key[0] || s->conf->witness) {
        return NULL;
    }
    return authkey ? "log shipping is not encrypted, and only its beginning "
                     "is authenticated: set private-key, certificate and "
                     "ca-cert in [replication] of every node"
                   : "log shipping is neither encrypted nor authenticated: "
                     "set private-key, certificate and ca-cert in "
                     "[replication] of every node";
}
