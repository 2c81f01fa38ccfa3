/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/group.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <corosync/corotypes.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include "ha/ev.h"
#include "lib/log.h"
#include "lib/xalloc.h"

#define GROUP_NAME "ovn-ha"
#define GROUP_MAGIC 0x6f76682d /* Differs if the byte order does. */
#define NOTE_MAGIC 0x6f76686e
#define GROUP_VERSION 1
#define RECONNECT_MS 200
#define RETRY_MS 5    /* After TRY_AGAIN. */
#define MAX_QUEUE 256 /* Messages that wait for corosync. */

struct group_hdr {
    uint32_t magic;
    uint16_t version;
    uint16_t reserved;
    uint32_t size; /* Of what follows, at the sender. */
    uint32_t reserved2;
};

struct pending {
    struct pending *next;
    uint32_t magic;
    size_t n;
    char data[];
};

/* A member of the nodelist as cpg shows it. */
struct member {
    uint32_t id;
    uint32_t pid; /* The process that counts; 0: absent. */
    bool foreign; /* Sends what we do not understand; said. */
};

struct group {
    struct ev_loop *loop;
    const struct cluster *cluster;
    struct group_handler handler;
    bool wanted; /* group_join() was called. */

    bool connected;
    cpg_handle_t cpg;
    quorum_handle_t quorum;
    struct ev_fd *cpg_event;
    struct ev_fd *quorum_event;
    struct ev_timer *reconnect;
    bool complained; /* That corosync cannot be reached. */
    bool broken;     /* Noticed inside a callback or a send. */
    bool stuck;      /* Corosync takes no messages. */

    struct member members[HA_MAX_NODES]; /* By index in the nodelist. */
    uint32_t n_members;

    struct pending *queue; /* Oldest first. */
    struct pending **queue_tail;
    size_t n_queue;
    struct ev_timer *retry;
};

static struct member *
find_member(struct group *g, uint32_t id)
{
    for (uint32_t i = 0; i < g->n_members; i++) {
        if (g->members[i].id == id) {
            return &g->members[i];
        }
    }
    return NULL;
}

static void
drop_queue(struct group *g)
{
    while (g->queue) {
        struct pending *p = g->queue;

        g->queue = p->next;
        free(p);
    }
    g->queue_tail = &g->queue;
    g->n_queue = 0;
}

static void
unwatch(struct group *g)
{
    ev_fd_destroy(g->cpg_event);
    ev_fd_destroy(g->quorum_event);
    g->cpg_event = g->quorum_event = NULL;
}

static void
tell_isolated(struct group *g)
{
    static const struct ha_set none;

    g->handler.quorum(g->handler.aux, false, &none);
    g->handler.view(g->handler.aux, &none);
}

/* Corosync is gone: says so, and begins to look for it. */
static void
disconnect(struct group *g)
{
    unwatch(g);
    cpg_finalize(g->cpg);
    quorum_finalize(g->quorum);
    g->connected = g->broken = g->stuck = false;
    drop_queue(g);
    ev_timer_stop(g->retry);
    for (uint32_t i = 0; i < g->n_members; i++) {
        g->members[i].pid = 0;
    }
    ha_log(HA_LOG_WARN, "group", "corosync went away; this node is isolated");
    g->complained = true;
    ev_timer_set_ms(g->reconnect, RECONNECT_MS);
    tell_isolated(g);
}

/* Callbacks of corosync. */

/* Hands over a note, if 'data' is one. */
static bool
deliver_note(struct group *g, uint32_t from, const void *data, size_t n)
{
    struct group_hdr hdr;

    if (n < sizeof hdr
        || (memcpy(&hdr, data, sizeof hdr), hdr.magic != NOTE_MAGIC)) {
        return false;
    }
    if (hdr.size == n - sizeof hdr) {
        g->handler.note(g->handler.aux, from, (const char *) data + sizeof hdr,
                        hdr.size);
    }
    return true;
}

static void
on_deliver(cpg_handle_t handle, const struct cpg_name *name, uint32_t nodeid,
           uint32_t pid, void *data, size_t n)
{
    struct group_hdr hdr;
    struct member *m;
    struct ha_msg msg;
    struct group *g;
    void *context;

    (void) name;
    cpg_context_get(handle, &context);
    g = context;
    m = find_member(g, nodeid);
    if (!m || m->pid != pid || g->stuck || deliver_note(g, nodeid, data, n)) {
        return;
    }
    if (n != sizeof hdr + sizeof msg
        || (memcpy(&hdr, data, sizeof hdr), hdr.magic != GROUP_MAGIC)
        || hdr.version != GROUP_VERSION || hdr.size != sizeof msg) {
        if (!m->foreign) {
            m->foreign = true;
            ha_log(HA_LOG_ERR, "group",
                   "%s speaks another version or is of "
                   "another architecture; its messages are ignored",
                   cluster_name(g->cluster, nodeid));
        }
        return;
    }
    memcpy(&msg, (char *) data + sizeof hdr, sizeof msg);
    g->handler.msg(g->handler.aux, nodeid, &msg);
}

/* The process of 'm' that counts: the one that counted before, if it is still
 * there, else the first. */
static void
choose_process(struct group *g, struct member *m,
               const struct cpg_address *list, size_t n)
{
    uint32_t count = 0, first = 0;
    bool kept = false;

    for (size_t i = 0; i < n; i++) {
        if (list[i].nodeid == m->id) {
            count++;
            first = first ? first : list[i].pid;
            kept = kept || list[i].pid == m->pid;
        }
    }
    if (!kept) {
        m->pid = first;
        m->foreign = false;
    }
    if (count > 1) {
        ha_log(HA_LOG_ERR, "group",
               "%s runs %u processes of the group; only "
               "process %u counts",
               cluster_name(g->cluster, m->id), count, m->pid);
    }
}

static void
on_confchg(cpg_handle_t handle, const struct cpg_name *name,
           const struct cpg_address *list, size_t n,
           const struct cpg_address *left, size_t n_left,
           const struct cpg_address *joined, size_t n_joined)
{
    struct ha_set view = { .n = 0 };
    struct group *g;
    char buf[256];
    void *context;

    (void) name;
    (void) left;
    (void) n_left;
    (void) joined;
    (void) n_joined;
    cpg_context_get(handle, &context);
    g = context;
    if (g->stuck) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!find_member(g, list[i].nodeid)) {
            ha_log(HA_LOG_WARN, "group",
                   "node %u is in the group but not in "
                   "the nodelist; ignored",
                   list[i].nodeid);
        }
    }
    for (uint32_t i = 0; i < g->n_members; i++) {
        choose_process(g, &g->members[i], list, n);
        if (g->members[i].pid) {
            ha_set_add(&view, g->members[i].id);
        }
    }
    ha_log(HA_LOG_INFO, "group", "members are %s",
           ha_set_print(&view, buf, sizeof buf));
    g->handler.view(g->handler.aux, &view);
}

static void
on_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring,
          uint32_t n, const uint32_t *list)
{
    struct ha_set members = { .n = 0 };
    const void *context;
    struct group *g;
    char buf[256];

    (void) ring;
    quorum_context_get(handle, &context);
    g = (struct group *) context;
    for (uint32_t i = 0; i < n; i++) {
        if (find_member(g, list[i])) {
            ha_set_add(&members, list[i]);
        }
    }
    if (g->stuck) {
        return;
    }
    ha_log(quorate ? HA_LOG_INFO : HA_LOG_WARN, "group",
           "corosync sees %s; %s", ha_set_print(&members, buf, sizeof buf),
           quorate ? "quorate" : "no quorum");
    g->handler.quorum(g->handler.aux, quorate, &members);
}

/* Libquorum calls it together with on_quorum(), which says all. */
static void
on_nodelist(quorum_handle_t handle, struct quorum_ring_id ring, uint32_t n,
            const uint32_t *list, uint32_t n_joined, const uint32_t *joined,
            uint32_t n_left, const uint32_t *left)
{
    (void) handle;
    (void) ring;
    (void) n;
    (void) list;
    (void) n_joined;
    (void) joined;
    (void) n_left;
    (void) left;
}

/* Descriptors. */

static void
on_cpg_readable(void *g_)
{
    struct group *g = g_;
    cs_error_t code = cpg_dispatch(g->cpg, CS_DISPATCH_ALL);

    if ((code != CS_OK && code != CS_ERR_TRY_AGAIN) || g->broken || g->stuck) {
        disconnect(g);
    }
}

static void
on_quorum_readable(void *g_)
{
    struct group *g = g_;
    cs_error_t code = quorum_dispatch(g->quorum, CS_DISPATCH_ALL);

    if ((code != CS_OK && code != CS_ERR_TRY_AGAIN) || g->broken) {
        disconnect(g);
    }
}

/* Connecting. */

static cs_error_t
connect_cpg(struct group *g)
{
    cpg_model_v1_data_t model = {
        .model = CPG_MODEL_V1,
        .cpg_deliver_fn = on_deliver,
        .cpg_confchg_fn = on_confchg,
    };
    struct cpg_name name = { .length = strlen(GROUP_NAME) };
    cs_error_t code;

    memcpy(name.value, GROUP_NAME, name.length);
    code = cpg_model_initialize(&g->cpg, CPG_MODEL_V1,
                                (cpg_model_data_t *) &model, g);
    if (code != CS_OK) {
        return code;
    }
    code = cpg_join(g->cpg, &name);
    if (code != CS_OK) {
        cpg_finalize(g->cpg);
    }
    return code;
}

static cs_error_t
connect_quorum(struct group *g)
{
    quorum_model_v1_data_t model = {
        .model = QUORUM_MODEL_V1,
        .quorum_notify_fn = on_quorum,
        .nodelist_notify_fn = on_nodelist,
    };
    uint32_t type;
    cs_error_t code = quorum_model_initialize(
        &g->quorum, QUORUM_MODEL_V1, (quorum_model_data_t *) &model, &type, g);

    if (code != CS_OK) {
        return code;
    }
    if (type != QUORUM_SET) {
        ha_log(HA_LOG_ERR, "group",
               "corosync runs without a quorum provider; "
               "set quorum.provider to corosync_votequorum");
        code = CS_ERR_NOT_SUPPORTED;
    } else {
        code =
            quorum_trackstart(g->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
    }
    if (code != CS_OK) {
        quorum_finalize(g->quorum);
    }
    return code;
}

static void
watch(struct group *g)
{
    int fd = -1;

    cpg_fd_get(g->cpg, &fd);
    g->cpg_event = ev_fd_create(g->loop, fd, POLLIN, on_cpg_readable, g);
    quorum_fd_get(g->quorum, &fd);
    g->quorum_event = ev_fd_create(g->loop, fd, POLLIN, on_quorum_readable, g);
}

static void
on_reconnect(void *g_)
{
    struct group *g = g_;
    cs_error_t code = connect_quorum(g);

    if (code == CS_OK) {
        code = connect_cpg(g);
        if (code != CS_OK) {
            quorum_finalize(g->quorum);
        }
    }
    if (code != CS_OK) {
        if (!g->complained && code != CS_ERR_TRY_AGAIN) {
            g->complained = true;
            ha_log(HA_LOG_WARN, "group",
                   "corosync cannot be reached (%s); "
                   "trying again",
                   cs_strerror(code));
        }
        ev_timer_set_ms(g->reconnect, RECONNECT_MS);
        return;
    }
    g->connected = true;
    g->complained = false;
    ha_log(HA_LOG_INFO, "group", "joined corosync's group %s", GROUP_NAME);
    watch(g);
}

/* Sending. */

/* Returns 0, -EAGAIN, or -EPIPE if corosync is gone. */
static int
try_send(struct group *g, uint32_t magic, const void *data, size_t n)
{
    struct group_hdr hdr = {
        .magic = magic,
        .version = GROUP_VERSION,
        .size = n,
    };
    struct iovec iov[2] = {
        { .iov_base = &hdr, .iov_len = sizeof hdr },
        { .iov_base = (void *) data, .iov_len = n },
    };
    cs_error_t code = cpg_mcast_joined(g->cpg, CPG_TYPE_AGREED, iov, 2);

    return (code == CS_OK ? 0 : code == CS_ERR_TRY_AGAIN ? -EAGAIN : -EPIPE);
}

/* The handler may be on the stack, so a lost connection is only noted and
 * dealt with from the event loop. */
static void
note_broken(struct group *g)
{
    g->broken = true;
    ev_timer_set_ms(g->retry, 0);
}

/* A message was lost because corosync takes none, most likely because it is
 * frozen; even to disconnect would wait for it.  So this node leaves in the
 * eyes of the core, and on corosync's next sign of life it joins anew. */
static void
note_stuck(struct group *g)
{
    g->stuck = true;
    drop_queue(g);
    ev_timer_set_ms(g->retry, 0);
}

static void
on_retry(void *g_)
{
    struct group *g = g_;
    int rc = 0;

    if (g->broken) {
        disconnect(g);
        return;
    }
    if (g->stuck) {
        ha_log(HA_LOG_ERR, "group",
               "corosync takes no messages; this node "
               "counts as isolated until it does");
        tell_isolated(g);
        return;
    }
    while (
        g->queue
        && !(rc = try_send(g, g->queue->magic, g->queue->data, g->queue->n))) {
        struct pending *p = g->queue;

        g->queue = p->next;
        g->n_queue--;
        free(p);
    }
    if (!g->queue) {
        g->queue_tail = &g->queue;
    }
    if (rc == -EAGAIN) {
        ev_timer_set_ms(g->retry, RETRY_MS);
    } else if (rc) {
        note_broken(g);
    }
}

static void
enqueue(struct group *g, uint32_t magic, const void *data, size_t n)
{
    struct pending *p = ha_calloc(1, sizeof *p + n);

    p->magic = magic;
    p->n = n;
    memcpy(p->data, data, n);
    *g->queue_tail = p;
    g->queue_tail = &p->next;
    if (!g->n_queue++) {
        ev_timer_set_ms(g->retry, RETRY_MS);
    }
}

static void
send_bytes(struct group *g, uint32_t magic, const void *data, size_t n)
{
    int rc;

    if (!g->connected || g->broken || g->stuck) {
        return;
    }
    rc = g->queue ? -EAGAIN : try_send(g, magic, data, n);
    if (rc == -EPIPE) {
        note_broken(g);
    } else if (rc == -EAGAIN && g->n_queue < MAX_QUEUE) {
        enqueue(g, magic, data, n);
    } else if (rc == -EAGAIN && magic == GROUP_MAGIC) {
        note_stuck(g);
    }
}

void
group_send(struct group *g, const struct ha_msg *msg)
{
    send_bytes(g, GROUP_MAGIC, msg, sizeof *msg);
}

void
group_send_note(struct group *g, const void *data, size_t n)
{
    assert(n <= GROUP_NOTE_MAX);
    send_bytes(g, NOTE_MAGIC, data, n);
}

struct group *
group_create(struct ev_loop *loop, const struct cluster *cluster,
             const struct group_handler *handler)
{
    struct group *g = ha_calloc(1, sizeof *g);

    g->loop = loop;
    g->cluster = cluster;
    g->handler = *handler;
    g->queue_tail = &g->queue;
    g->reconnect = ev_timer_create(loop, on_reconnect, g);
    g->retry = ev_timer_create(loop, on_retry, g);
    g->n_members = cluster->n_nodes;
    for (uint32_t i = 0; i < cluster->n_nodes; i++) {
        g->members[i].id = cluster->nodes[i].id;
    }
    return g;
}

/* Corosync is not told: a frozen one would keep us waiting, and it notices by
 * itself when the process ends or executes another program. */
void
group_destroy(struct group *g)
{
    if (!g) {
        return;
    }
    unwatch(g);
    ev_timer_destroy(g->reconnect);
    ev_timer_destroy(g->retry);
    drop_queue(g);
    free(g);
}

void
group_join(struct group *g)
{
    if (!g->wanted) {
        g->wanted = true;
        ev_timer_set_ms(g->reconnect, 0);
    }
}

bool
group_connected(const struct group *g)
{
    return g->connected;
}
