/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/status.h"

#include "ha-config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ha/drill.h"
#include "ha/fence.h"
#include "ha/fencing.h"
#include "ha/group.h"
#include "ha/had.h"
#include "ha/hook.h"
#include "ha/northd.h"
#include "ha/pause.h"
#include "ha/replica.h"
#include "ha/server.h"
#include "ha/since.h"
#include "ha/told.h"
#include "lib/problems.h"
#include "ha/verify.h"

#define SCHEMA 1

static void
put(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static json_t *
hex(uint64_t value)
{
    char text[20];

    snprintf(text, sizeof text, "%016" PRIx64, value);
    return json_string(text);
}

const char *
status_state(uint32_t state, bool witness)
{
    return witness && state == HA_STANDBY ? "witness" : ha_state_name(state);
}

/* "3.1": number and node id. */
static json_t *
epoch(struct ha_epoch e)
{
    char text[32];

    if (!e.n) {
        return json_null();
    }
    snprintf(text, sizeof text, "%" PRIu32 ".%" PRIu32, e.n, e.node);
    return json_string(text);
}

static json_t *
why(uint32_t code)
{
    if (code == HA_WHY_NONE) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:s}", "code", ha_why_code(code), "text",
                     ha_why_text(code), "ends", ha_why_ends(code));
}

static json_t *
names(const struct had *h, const struct ha_set *set)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < set->n; i++) {
        json_array_append_new(
            list, json_string(cluster_name(&h->cluster, set->id[i])));
    }
    return list;
}

static json_t *
position(const struct ha_pos *pos)
{
    return json_pack("{s:o, s:o, s:I, s:o}", "lineage", hex(pos->lineage),
                     "epoch", epoch(pos->epoch), "seq", (json_int_t) pos->seq,
                     "chain", hex(pos->chain));
}

/* What this node waits for.  A standby remains one while no record is in force
 * with those who are here, which is moments; if not, it is to be told. */
static enum ha_why
own_why(const struct had *h)
{
    const struct ha_core *c = &h->core;

    if (c->state != HA_STANDBY || c->why != HA_WHY_NONE || c->in_force) {
        return c->why;
    }
    return c->dirty                      ? HA_WHY_DISK
           : c->coord_why != HA_WHY_NONE ? c->coord_why
                                         : HA_WHY_AGREEING;
}

/* What 'id' says of itself; this node needs no message for that. */
static bool
node_status(const struct had *h, uint32_t id, struct ha_status *ret_status)
{
    const struct ha_peer *peer = ha_core_peer(&h->core, id);

    if (id == h->cluster.self) {
        ha_core_status(&h->core, ret_status);
        ret_status->why = own_why(h);
        return true;
    }
    if (!peer || !peer->heard || !ha_set_has(&h->core.view, id)) {
        return false;
    }
    *ret_status = peer->status;
    return true;
}

/* Where 'id' is, and where the active is, as far as can be told.  The best
 * witness is the node that sends, then the one that receives, then what the
 * two told the group. */
static void
find_positions(const struct had *h, uint32_t id, enum ha_db db,
               const struct ha_status *st, struct ha_pos *pos,
               struct ha_pos *head)
{
    const struct ha_core *c = &h->core;
    const struct ha_peer *peer = ha_core_peer(c, id);
    uint32_t active = c->record.active;
    const struct wire_r_status *own;
    struct ha_status theirs;
    mono_t at;

    *pos = st->local.db[db].pos;
    memset(head, 0, sizeof *head);
    if (id == active) {
        *head = *pos;
    } else if (active == h->cluster.self) {
        if (peer && peer->recv[db].connected) {
            *head = peer->recv[db].head;
            *pos = peer->recv[db].acked;
        }
    } else if (id == h->cluster.self
               && (own = replica_status(h->replica[db], &at))
               && own->flags & WIRE_RS_CONNECTED) {
        *head = own->head;
        *pos = own->pos;
    }
    /* What the active told the group may be news to a receiver that has not
     * heard from it for a while. */
    if (id != active && active != h->cluster.self
        && node_status(h, active, &theirs)
        && (!head->lineage
            || (theirs.local.db[db].pos.lineage == head->lineage
                && ha_pos_cmp(&theirs.local.db[db].pos, head) > 0))) {
        *head = theirs.local.db[db].pos;
    }
}

/* Records behind the active; null if that cannot be said. */
static json_t *
lag(const struct ha_pos *pos, const struct ha_pos *head)
{
    if (!head->lineage || head->lineage != pos->lineage) {
        return json_null();
    }
    return json_integer(head->seq > pos->seq ? head->seq - pos->seq : 0);
}

/* What the replica waits for an operator for; null: nothing. */
static json_t *
asks(const struct ha_local_db *l)
{
    if (l->ask == HA_ASK_SHRINK) {
        return json_pack("{s:s, s:I, s:I, s:I}", "command", "accept-shrink",
                         "record", (json_int_t) l->ask_seq, "rows",
                         (json_int_t) l->ask_rows, "lost",
                         (json_int_t) l->ask_lost);
    }
    return l->ask == HA_ASK_REINIT ? json_pack("{s:s}", "command", "reinit")
                                   : json_null();
}

/* Of milliseconds since 1970; null for 0. */
static json_t *
date(int64_t ms)
{
    time_t seconds = ms / 1000;
    char text[32];
    struct tm tm;

    if (!ms) {
        return json_null();
    }
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

/* Values may be cut anywhere by a program that knows no UTF-8. */
static json_t *
value(const char *text)
{
    json_t *json = json_string(text);

    return json ? json : json_string("(not UTF-8)");
}

/* What a verification found last that differed, even if it was replaced. */
static json_t *
found(const struct verify_view *v)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < v->n_found; i++) {
        const struct wire_r_difference *d = &v->found[i];

        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:o, s:o, s:o}", "table", value(d->table),
                      "row", value(d->row), "column",
                      d->column[0] ? value(d->column) : json_null(), "active",
                      value(d->there), "here", value(d->here)));
    }
    return json_pack("{s:o, s:I, s:o}", "ended", date(v->found_ms), "rows",
                     (json_int_t) v->found_rows, "differences", list);
}

static const char *
verify_state(uint32_t state)
{
    static const char *const names[] = { "none",  "waiting", "running",
                                         "equal", "differs", "failed" };

    return state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

/* null if there was none. */
static json_t *
verification(const struct had *h, uint32_t id, enum ha_db db)
{
    const struct verify_view *v = verify_view(h, id, db);
    const struct wire_r_verification *m = &v->last;
    json_t *o;

    if (m->state == WIRE_RV_NONE && !v->request) {
        return json_null();
    }
    o = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:o, s:o, s:s}",
        "state", verify_state(m->state), "phase",
        m->phase == WIRE_RVP_READING ? "reading" : "comparing", "done",
        (json_int_t) m->done, "total", (json_int_t) m->total, "rows",
        (json_int_t) m->rows, "rows_differ", (json_int_t) m->n_differ,
        "tables", (json_int_t) m->tables, "skipped", (int) m->skipped,
        "took_ms", (json_int_t) m->took_ms, "ended", date(m->ended_ms),
        "position", position(&m->pos), "why", m->why);
    json_object_set_new(o, "found", v->found_ms ? found(v) : json_null());
    json_object_set_new(o, "request", json_integer(v->request));
    json_object_set_new(o, "request_state",
                        json_string(verify_state(v->request_state)));
    return o;
}

static json_t *
node_db(const struct had *h, uint32_t id, enum ha_db db,
        const struct ha_status *st)
{
    const struct ha_local_db *l = &st->local.db[db];
    struct ha_pos pos, head;

    find_positions(h, id, db, st, &pos, &head);
    return json_pack("{s:o, s:o, s:b, s:b, s:b, s:b, s:o, s:o}", "position",
                     position(&pos), "lag_records", lag(&pos, &head),
                     "complete", l->complete, "has_data", l->has_data,
                     "server_ok", l->server_ok, "connected", l->connected,
                     "asks", asks(l), "verification", verification(h, id, db));
}

static json_t *
node(const struct had *h, const struct cluster_node *n)
{
    const struct ha_core *c = &h->core;
    bool is_active = c->in_force && c->record.active == n->id;
    json_t *o = json_pack("{s:s, s:I, s:s, s:b, s:b}", "name", n->name, "id",
                          (json_int_t) n->id, "address", n->address,
                          "in_group", ha_set_has(&c->view, n->id), "in_sync",
                          ha_set_has(&c->record.in_sync, n->id));
    struct ha_status st;

    if (!node_status(h, n->id, &st)) {
        put(o, "state", json_string("absent"));
        put(o, "why", why(HA_WHY_ABSENT));
        return o;
    }
    put(o, "state", json_string(status_state(st.state, st.local.witness)));
    put(o, "why", why(st.why));
    put(o, "not_eligible",
        is_active ? json_null() : why(ha_core_why_not(c, n->id)));
    put(o, "epoch", epoch(st.hold));
    put(o, "door_open", json_boolean(st.open));
    put(o, "lease_endless", json_boolean(st.endless));
    put(o, "leaving", json_boolean(st.leaving));
    put(o, "priority", json_integer(st.local.priority));
    put(o, "nofailover", json_boolean(st.local.nofailover));
    put(o, "witness", json_boolean(st.local.witness));
    put(o, "low_disk", json_boolean(st.local.low_disk));
    put(o, "record_full", json_boolean(st.local.record_full));
    put(o, "told", told_status(h, n->id));
    if (st.local.witness) {
        put(o, "in_sync", json_null());
        return o;
    }
    put(o, "northd_ok", json_boolean(st.local.northd_ok));
    put(o, "set_aside",
        json_pack("{s:i, s:I}", "files", (int) st.local.aside_files, "bytes",
                  (json_int_t) st.local.aside_bytes));
    put(o, "nb", node_db(h, n->id, HA_NB, &st));
    put(o, "sb", node_db(h, n->id, HA_SB, &st));
    return o;
}

/* This node's own parts. */

/* Whether the kernel holds the lease, too, and why not. */
static json_t *
own_kernel_lease(const struct had *h, const struct wire_f_state *st)
{
    static const char *const states[] = { "unused", "pending", "used",
                                          "missing" };
    const char *reason = st->kernel_why;

    if (st->kernel == WIRE_KERNEL_UNUSED) {
        reason = h->settings->conf->witness ? "a witness serves nothing"
                 : h->settings->conf->kernel_lease == CONF_OFF
                     ? "kernel-lease is off"
                     : "the lease of this node has no end";
    }
    return json_pack("{s:s, s:s}", "state",
                     st->kernel < 4 ? states[st->kernel] : "unknown", "why",
                     reason);
}

/* The virtual IP; null where none is configured. */
static json_t *
own_address(const struct had *h, const struct wire_f_state *st)
{
    static const char *const states[] = { "none", "left",    "probing",
                                          "held", "leaving", "refused" };
    const struct conf *conf = h->settings->conf;
    const char *text = conf->vip_address, *reason = st->address_why;
    json_t *addresses;
    size_t n;

    if (!*text || conf->witness) {
        return json_null();
    }
    if (st->address == WIRE_ADDRESS_NONE) {
        reason = "the fence worker is of an older version: stop and start "
                 "ovn-had";
    }
    addresses = json_array();
    for (; (n = conf_word(&text)); text += n) {
        json_array_append_new(addresses, json_stringn(text, n));
    }
    return json_pack("{s:o, s:s, s:s, s:b, s:b, s:s}", "addresses", addresses,
                     "interface", conf->vip_interface, "state",
                     st->address < 6 ? states[st->address] : "unknown", "held",
                     st->address == WIRE_ADDRESS_HELD, "unfit",
                     (int) st->address_unfit, "why", reason);
}

/* The watchdog, and why there is none. */
static json_t *
own_watchdog(const struct had *h, const struct wire_f_state *st)
{
    static const char *const states[] = { "none", "pending", "ready", "armed",
                                          "missing" };
    const struct wire_f_watchdog *w = &st->watchdog;
    const struct conf *conf = h->settings->conf;
    const char *reason = w->why;

    if (!conf_has_watchdog(conf)) {
        reason = conf->witness ? "a witness serves nothing"
                               : "no [watchdog] device is configured: nothing "
                                 "resets this node if it stands still";
    } else if (w->state == WIRE_WATCHDOG_NONE) {
        reason = "the fence worker is of an older version: stop and start "
                 "ovn-had";
    }
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:s}", "state",
                     w->state < 5 ? states[w->state] : "unknown", "device",
                     w->path, "identity", w->identity, "timeout_ms",
                     (int) w->timeout_ms, "pretimeout_ms",
                     (int) w->pretimeout_ms, "nowayout",
                     w->nowayout == WIRE_NOWAYOUT_UNKNOWN
                         ? json_null()
                         : json_boolean(w->nowayout == WIRE_NOWAYOUT_YES),
                     "why", reason);
}

static json_t *
own_fence(const struct had *h)
{
    static const char *const doors[] = { "closed", "waiting", "opening",
                                         "open", "closing" };
    const struct wire_f_state *st;
    mono_t at;
    json_int_t left;

    st = fence_state(h->fence, &at);
    if (!st) {
        return json_pack("{s:b}", "connected", 0);
    }
    left = st->lease_left_us - mono_us_between(at, mono_now());
    return json_pack("{s:b, s:i, s:s, s:I, s:i, s:i, s:o, s:o, s:s, s:o, s:o, "
                     "s:o}",
                     "connected", 1, "pid", (int) st->pid, "door",
                     st->door < 5 ? doors[st->door] : "unknown",
                     "lease_left_ms", left > 0 ? left / 1000 : 0, "acks",
                     (int) st->n_acks, "lease_losses", (int) st->lease_losses,
                     "serve", epoch(st->serve), "support", epoch(st->support),
                     "why", st->why, "kernel_lease", own_kernel_lease(h, st),
                     "virtual_ip", own_address(h, st), "watchdog",
                     own_watchdog(h, st));
}

static json_t *
own_db(const struct had *h, enum ha_db db)
{
    static const char *const phases[] = {
        "no-file",  "loading",   "no-server", "idle",   "connecting",
        "snapshot", "following", "active",    "failed",
    };
    const struct wire_r_status *st;
    json_t *o = json_pack("{s:s, s:i, s:i, s:s}", "server",
                          server_state(h->server[db]), "server_pid",
                          (int) server_pid(h->server[db]), "server_starts",
                          (int) server_starts(h->server[db]), "server_error",
                          server_error(h->server[db]));
    mono_t at;

    st = replica_status(h->replica[db], &at);
    if (!st) {
        put(o, "replica", json_string("no worker"));
        return o;
    }
    put(o, "replica",
        json_string(st->phase < 9 ? phases[st->phase] : "unknown"));
    put(o, "replica_why", json_string(st->why));
    put(o, "resync", json_string(st->resync));
    put(o, "resumes", json_integer(st->resumes));
    put(o, "snapshots", json_integer(st->snapshots));
    put(o, "snapshot_why", json_string(st->snapshot_why));
    put(o, "foreign", json_boolean(st->flags & WIRE_RS_FOREIGN));
    put(o, "differs", json_boolean(st->flags & WIRE_RS_DIFFERS));
    put(o, "file_bytes", json_integer(st->file_bytes));
    put(o, "progress_done", json_integer(st->progress_done));
    put(o, "progress_total", json_integer(st->progress_total));
    return o;
}

static json_t *
own_northd(const struct had *h)
{
    return json_pack("{s:s, s:i, s:i, s:b}", "state", northd_state(h->northd),
                     "pid", (int) northd_pid(h->northd), "starts",
                     (int) northd_starts(h->northd), "wanted", h->want_northd);
}

/* The disks that this node writes to. */
static json_t *
own_disk(const struct had *h)
{
    const struct conf *conf = h->settings->conf;
    const struct room *room = &h->room;
    json_t *folders = json_array();

    for (size_t i = 0; i < room->n; i++) {
        json_array_append_new(
            folders,
            json_pack("{s:o, s:I}", "folder", value(room->folders[i].path),
                      "free_bytes", (json_int_t) room->folders[i].free_bytes));
    }
    return json_pack("{s:o, s:b, s:b, s:i, s:i, s:o, s:s}", "folders", folders,
                     "low", room->low, "tight", room->tight, "low_mb",
                     conf->low_mb, "warn_mb", conf->warn_mb, "record",
                     value(h->settings->record), "record_error",
                     h->record_error ? strerror(-h->record_error) : "");
}

/* Together. */

/* True if 'id' can serve all clients, and nothing of its databases is missing;
 * of the active's, if all can go to others. */
static bool
is_protected(const struct ha_core *c, uint32_t id, const struct ha_local *l)
{
    bool fit = l->northd_ok && !l->unfit && !l->address_unfit;

    for (int db = 0; db < HA_N_DBS; db++) {
        fit &= l->db[db].complete && l->db[db].server_ok;
    }
    return fit && ha_set_has(&c->record.in_sync, id);
}

/* "ok", "degraded": served, but not as well protected as it should be, or
 * "down": nobody serves, as far as this node knows. */
static const char *
health(const struct had *h)
{
    const struct ha_core *c = &h->core;
    struct ha_status st;

    if (!(c->in_force || c->state == HA_ACTIVE)
        || !(ha_core_may_act(c) || ha_core_goes_on(c))
        || !node_status(h, c->record.active, &st) || st.state != HA_ACTIVE
        || !st.open) {
        return "down";
    }
    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        uint32_t id = h->cluster.nodes[i].id;

        if (!node_status(h, id, &st)
            || (id != c->record.active && st.state != HA_STANDBY)
            || (!st.local.witness && !is_protected(c, id, &st.local))) {
            return "degraded";
        }
    }
    return "ok";
}

static json_t *
cluster(const struct had *h)
{
    const struct ha_core *c = &h->core;
    const struct ha_record *r = &c->record;
    json_t *o = json_pack(
        "{s:s, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o}", "health", health(h),
        "lineage", hex(r->lineage), "epoch", epoch(r->epoch), "in_force",
        c->in_force, "quorate", c->quorate, "members", names(h, &c->members),
        "group", names(h, &c->view), "in_sync", names(h, &r->in_sync),
        "suspects", names(h, &r->suspects));

    put(o, "active",
        r->active && (c->in_force || c->state == HA_ACTIVE)
            ? json_string(cluster_name(&h->cluster, r->active))
            : json_null());
    put(o, "last_active",
        r->active ? json_string(cluster_name(&h->cluster, r->active))
                  : json_null());
    put(o, "pause", pause_status(h));
    put(o, "lease_ms", json_integer(c->cfg.lease_us / 1000));
    put(o, "token_ms", json_integer(h->cluster.token_ms));
    put(o, "nodes", json_integer(h->cluster.n_nodes));
    put(o, "drill", drill_status(h));
    return o;
}

/* What works, but should be otherwise. */
static json_t *
warnings(const struct had *h)
{
    const char *text =
        settings_warning(h->settings, h->cluster.key_file[0] != '\0');
    json_t *list = json_array();

    if (text) {
        json_array_append_new(list, json_string(text));
    }
    return list;
}

/* What is not well, and since when. */
static json_t *
problems(const struct had *h, const json_t *status)
{
    json_t *list = problems_find(status);

    since_mark(h->since, list, mono_now(), time(NULL));
    return list;
}

json_t *
status_make(const struct had *h)
{
    const struct ha_core *c = &h->core;
    bool witness = h->settings->conf->witness;
    json_t *o, *nodes = json_array();

    for (uint32_t i = 0; i < h->cluster.n_nodes; i++) {
        json_array_append_new(nodes, node(h, &h->cluster.nodes[i]));
    }
    o = json_pack("{s:i, s:s, s:o, s:s, s:o, s:o}", "schema", SCHEMA,
                  "version", PACKAGE_VERSION, "time",
                  date((int64_t) time(NULL) * 1000), "node",
                  cluster_name(&h->cluster, h->cluster.self), "cluster",
                  cluster(h), "nodes", nodes);
    put(o, "warnings", warnings(h));
    put(o, "local",
        json_pack(
            "{s:s, s:o, s:I, s:b, s:b, s:o, s:o, s:o, s:o}", "state",
            status_state(c->state, witness), "why", why(own_why(h)),
            "state_ms",
            (json_int_t) mono_us_between(c->state_since, mono_now()) / 1000,
            "corosync", group_connected(h->group), "stopping", h->leaving,
            "fence", own_fence(h), "fencing", fencing_status(h), "events",
            hook_status(h->hook), "disk", own_disk(h)));
    if (!witness) {
        put(json_object_get(o, "local"), "nb", own_db(h, HA_NB));
        put(json_object_get(o, "local"), "sb", own_db(h, HA_SB));
        put(json_object_get(o, "local"), "northd", own_northd(h));
    }
    put(o, "problems", problems(h, o));
    return o;
}
