/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/drill-clients.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ctl/ovsdb.h"
#include "lib/jsonget.h"
#include "lib/xalloc.h"

#define KNOCK_US 10000           /* Between two tries to connect... */
#define KNOCK_PATIENCE_US 200000 /* ...and how long one of them may take. */
#define WRITE_US 20000           /* Between two writes. */
#define PATIENCE_US 50000        /* Without answer: rather another node... */
#define STUBBORN_US 1000000      /* ...or the same one again. */
#define LONG_US 10000000         /* The same for a question about many rows. */
#define PROBE_US \
    100000              /* The other client asks for a sign of life...
                                  */
#define DEAF_US 1000000 /* ...and leaves when none has come. */
#define STEP_MS 5

#define NAME "ovn_ha_drill_"
#define LOCK "ovn_ha_drill"
#define MARK "ovn-ha-drill"

enum {
    ID_LOCK = 1,
    ID_MONITOR,
    ID_ECHO,
    ID_FIRST, /* Of transactions. */
};

/* A server, as a client sees it from outside. */
struct door {
    char *remote;
    struct ovsdb *o; /* On its way; or NULL. */
    mono_t knocked;
};

/* All servers of a database, and the session with one of them. */
struct side {
    struct door doors[CLIENTS_NODES_MAX];
    size_t n;
    const struct tls *tls; /* NULL: none. */
    struct ovsdb *session;
    size_t at; /* Index of its door. */
    mono_t heard;
};

struct clients {
    struct side nb, sb;
    struct ledger *ledger;
    struct chassis *chassis;
    char prefix[32]; /* Of this drill's rows, a number follows... */
    /* ...which these are in SB; "" until seen.  Several, because a change of a
     * set costs those who follow as much as the set is large. */
    char uuids[CLIENTS_ROWS_MAX][40];
    size_t n_rows;
    int next_id;
    enum clients_lock lock;
    char *refusal;

    bool writing;
    mono_t next_write;
    bool pending; /* This write waits for its answer: */
    int pending_id;
    size_t number;
    int asked_id; /* This question does; 0: none. */
    json_t *answer;
    mono_t sent;  /* Write or question. */
    bool raise;   /* nb_cfg is to be raised... */
    int raise_id; /* ...which this one does; 0: not asked for yet. */

    mono_t next_probe;
};

/* ---- Sides --------------------------------------------------------------- */

static bool
side_init(struct side *s, const char *remotes, const struct tls *tls)
{
    char *copy = ha_strdup(remotes), *rest = copy, *remote;
    bool ok = true;

    s->tls = tls;
    while (ok && (remote = strsep(&rest, ","))) {
        ok = ovsdb_is_remote(remote) && s->n < CLIENTS_NODES_MAX;
        if (ok && ovsdb_needs_tls(remote) && !tls) {
            fprintf(stderr,
                    "ovn-hactl: %s needs --private-key, --certificate and "
                    "--ca-cert\n",
                    remote);
            ok = false;
        } else if (ok) {
            s->doors[s->n++] = (struct door){ .remote = ha_strdup(remote),
                                              .knocked = MONO_MIN };
        } else {
            fprintf(stderr,
                    "ovn-hactl: \"%s\" is not tcp:ADDRESS:PORT, "
                    "ssl:ADDRESS:PORT or unix:PATH, or one of more than %d\n",
                    remote, CLIENTS_NODES_MAX);
        }
    }
    free(copy);
    return ok;
}

static void
door_leave(struct door *d)
{
    ovsdb_close(d->o);
    d->o = NULL;
}

static void
side_leave(struct side *s)
{
    ovsdb_close(s->session);
    s->session = NULL;
}

static void
side_close(struct side *s)
{
    side_leave(s);
    for (size_t i = 0; i < s->n; i++) {
        door_leave(&s->doors[i]);
        free(s->doors[i].remote);
    }
}

static size_t
side_poll(const struct side *s, struct pollfd *fds)
{
    size_t n = 0;

    if (s->session) {
        fds[n++] = ovsdb_pollfd(s->session);
    }
    for (size_t i = 0; i < s->n; i++) {
        if (s->doors[i].o) {
            fds[n++] = ovsdb_pollfd(s->doors[i].o);
        }
    }
    return n;
}

/* Goes on connecting.  Returns true if the connection stands. */
static bool
door_knock(struct door *d, const struct tls *tls, mono_t now)
{
    int error = d->o ? ovsdb_step(d->o) : -EAGAIN;

    if (!error) {
        return true;
    }
    if (error != -EAGAIN
        || mono_before(mono_add_us(d->knocked, KNOCK_PATIENCE_US), now)) {
        door_leave(d);
    }
    if (!d->o && !mono_before(now, mono_add_us(d->knocked, KNOCK_US))) {
        d->knocked = now;
        if (ovsdb_open(d->remote, tls, &d->o)) {
            d->o = NULL;
        }
    }
    return false;
}

/* Knocks at all doors but the one of a session that is not given up yet.
 * Returns true if there is another session than before. */
static bool
side_knock(struct side *s, mono_t now, bool again)
{
    for (size_t k = 1; k <= s->n; k++) {
        /* Another first choice each time. */
        size_t i = (s->at + k) % s->n;

        if ((s->session && i == s->at && !again)
            || !door_knock(&s->doors[i], s->tls, now)) {
            continue;
        }
        side_leave(s);
        s->session = s->doors[i].o;
        s->doors[i].o = NULL;
        s->at = i;
        s->heard = now;
        for (size_t j = 0; j < s->n; j++) {
            door_leave(&s->doors[j]);
        }
        return true;
    }
    return false;
}

/* ---- The writer ---------------------------------------------------------- */

/* Matches the rows of all drills. */
static json_t *
marked(void)
{
    return json_pack("[[s, s, [s, [[s, s]]]]]", "external_ids", "includes",
                     "map", MARK, "row");
}

/* A write is an address in a range that is reserved and never used. */
static char *
make_address(size_t number)
{
    return ha_asprintf("240.%zu.%zu.%zu", number >> 16 & 255,
                       number >> 8 & 255, number & 255);
}

/* The number of the write; SIZE_MAX if it is none. */
static size_t
parse_address(const char *address)
{
    unsigned int a, b, c;

    return sscanf(address, "240.%u.%u.%u", &a, &b, &c) == 3
               ? (size_t) a << 16 | b << 8 | c
               : SIZE_MAX;
}

static char *
make_name(const struct clients *c, size_t row)
{
    return ha_asprintf("%s%zu", c->prefix, row);
}

static bool
is_ours(const struct clients *c, const char *name)
{
    return !strncmp(name, c->prefix, strlen(c->prefix));
}

static void
write_number(struct clients *c, mono_t now)
{
    char *address, *name;

    c->number = ledger_add(c->ledger, now);
    address = make_address(c->number);
    name = make_name(c, c->number % c->n_rows);
    c->pending = true;
    c->pending_id = c->next_id++;
    c->sent = now;
    c->next_write = mono_max(now, mono_add_us(c->next_write, WRITE_US));
    ovsdb_send(c->nb.session, "transact",
               json_pack("[s, {s:s, s:s, s:[[s, s, s]], s:[[s, s, s]]}]",
                         "OVN_Northbound", "op", "mutate", "table",
                         "Address_Set", "where", "name", "==", name,
                         "mutations", "addresses", "insert", address),
               c->pending_id);
    free(address);
    free(name);
}

/* Why a write was not acknowledged; NULL if it was. */
static char *
find_refusal(const json_t *reply)
{
    const json_t *result = json_array_get(jsonget(reply, "result"), 0);
    char *refusal = ovsdb_refusal(reply);

    return refusal ? refusal
           : json_integer_value(jsonget(result, "count"))
               ? NULL
               : ha_strdup("the drill's row is gone");
}

/* In one transaction with the question what it is then. */
static void
send_raise(struct clients *c)
{
    c->raise_id = c->next_id++;
    ovsdb_send(c->nb.session, "transact",
               json_pack("[s, {s:s, s:s, s:[], s:[[s, s, i]]},"
                         " {s:s, s:s, s:[], s:[s]}]",
                         "OVN_Northbound", "op", "mutate", "table",
                         "NB_Global", "where", "mutations", "nb_cfg", "+=", 1,
                         "op", "select", "table", "NB_Global", "where",
                         "columns", "nb_cfg"),
               c->raise_id);
}

static void
hear_raised(struct clients *c, const json_t *reply, mono_t now)
{
    const json_t *rows =
        jsonget(json_array_get(jsonget(reply, "result"), 1), "rows");
    const json_t *nb_cfg = jsonget(json_array_get(rows, 0), "nb_cfg");

    c->raise = false;
    c->raise_id = 0;
    if (nb_cfg) {
        chassis_expect(c->chassis, json_integer_value(nb_cfg), now);
    }
}

/* Returns false if the session is of no use any more. */
static bool
hear_reply(struct clients *c, const json_t *m, mono_t now)
{
    json_int_t id = json_integer_value(json_object_get(m, "id"));
    char *refusal;

    if (id == ID_LOCK) {
        c->lock = jsonget_true(jsonget(m, "result"), "locked")
                      ? CLIENTS_LOCK_OURS
                      : CLIENTS_LOCK_TAKEN;
    } else if (c->pending && id == c->pending_id) {
        c->pending = false;
        refusal = find_refusal(m);
        if (refusal) {
            free(c->refusal);
            c->refusal = refusal;
            return false;
        }
        ledger_ack(c->ledger, c->number, now);
    } else if (id && id == c->raise_id) {
        hear_raised(c, m, now);
    } else if (id && id == c->asked_id) {
        c->answer = json_incref((json_t *) m);
        c->asked_id = 0;
    }
    return true;
}

/* What was asked in a session that is over. */
static void
forget_nb(struct clients *c)
{
    c->pending = false;
    c->asked_id = c->raise_id = 0;
    c->lock = CLIENTS_LOCK_UNKNOWN;
}

static void
leave_nb(struct clients *c)
{
    side_leave(&c->nb);
    forget_nb(c);
}

static void
hear_nb(struct clients *c, mono_t now)
{
    int error = ovsdb_step(c->nb.session);
    json_t *m;

    while (!error && !(error = ovsdb_get(c->nb.session, &m))) {
        if (!strcmp(jsonget_text(m, "method"), "locked")) {
            c->lock = CLIENTS_LOCK_OURS;
        } else if (!hear_reply(c, m, now)) {
            error = -EIO;
        }
        json_decref(m);
    }
    if (error != -EAGAIN) {
        leave_nb(c);
    }
}

static void
step_nb(struct clients *c, mono_t now)
{
    int64_t waited = 0;

    if (c->nb.session) {
        hear_nb(c, now);
    }
    if (c->pending || c->asked_id) {
        waited = mono_us_between(c->sent, now);
    }
    if ((!c->nb.session || waited > PATIENCE_US)
        && side_knock(&c->nb, now,
                      waited > (c->pending ? STUBBORN_US : LONG_US))) {
        forget_nb(c);
        ovsdb_send(c->nb.session, "lock", json_pack("[s]", LOCK), ID_LOCK);
    }
    if (c->nb.session && c->writing && !c->pending
        && !mono_before(now, c->next_write)) {
        write_number(c, now);
    }
    if (c->nb.session && c->raise && !c->raise_id) {
        send_raise(c);
    }
}

/* ---- The one that looks -------------------------------------------------- */

/* Calls 'func' with the number of each write in a set of addresses. */
static void
each_number(struct clients *c, const json_t *set, mono_t now,
            void (*func)(struct clients *, size_t number, mono_t now))
{
    const json_t *list = json_array_get(set, 1);

    if (json_is_string(set)) {
        func(c, parse_address(json_string_value(set)), now);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *address = json_string_value(json_array_get(list, i));

        func(c, parse_address(address ? address : ""), now);
    }
}

static void
see(struct clients *c, size_t number, mono_t now)
{
    ledger_seen(c->ledger, number, now);
}

static bool
is_known(const struct clients *c, const char *uuid)
{
    for (size_t i = 0; i < c->n_rows; i++) {
        if (!strcmp(uuid, c->uuids[i])) {
            return true;
        }
    }
    return false;
}

/* Remembers which rows are ours, because a change does not tell a name. */
static void
hear_row(struct clients *c, const char *uuid, const json_t *change, mono_t now)
{
    const json_t *row = jsonget(change, "initial");
    const char *name;

    row = row ? row : jsonget(change, "insert");
    name = jsonget_text(row, "name");
    if (row && is_ours(c, name)) {
        size_t i = strtoul(name + strlen(c->prefix), NULL, 10) % c->n_rows;

        snprintf(c->uuids[i], sizeof c->uuids[i], "%s", uuid);
    }
    row = row ? row : jsonget(change, "modify");
    if (is_known(c, uuid)) {
        each_number(c, jsonget(row, "addresses"), now, see);
    }
}

static void
hear_updates(struct clients *c, const json_t *updates, mono_t now)
{
    json_t *rows = json_object_get(updates, "Address_Set"), *change;
    const char *uuid;

    json_object_foreach (rows, uuid, change) {
        hear_row(c, uuid, change, now);
    }
    chassis_update(c->chassis, jsonget(updates, "Chassis_Private"), now);
}

static void
hear_sb(struct clients *c, mono_t now)
{
    int error = ovsdb_step(c->sb.session);
    json_t *m;

    while (!error && !(error = ovsdb_get(c->sb.session, &m))) {
        c->sb.heard = now;
        if (!strcmp(jsonget_text(m, "method"), "update2")) {
            hear_updates(c, json_array_get(jsonget(m, "params"), 1), now);
        } else {
            hear_updates(c, jsonget(m, "result"), now);
        }
        json_decref(m);
    }
    if (error != -EAGAIN || mono_us_between(c->sb.heard, now) > DEAF_US) {
        side_leave(&c->sb);
    } else if (!mono_before(now, c->next_probe)) {
        ovsdb_send(c->sb.session, "echo", json_array(), ID_ECHO);
        c->next_probe = mono_add_us(now, PROBE_US);
    }
}

static void
step_sb(struct clients *c, mono_t now)
{
    if (c->sb.session) {
        hear_sb(c, now);
    }
    if (!c->sb.session && side_knock(&c->sb, now, false)) {
        /* Its updates tell what was added to a set, not all that is in it. */
        ovsdb_send(c->sb.session, "monitor_cond",
                   json_pack("[s, n, {s:[{s:[s, s]}], s:[{s:[s, s]}]}]",
                             "OVN_Southbound", "Address_Set", "columns",
                             "name", "addresses", "Chassis_Private", "columns",
                             "name", "nb_cfg"),
                   ID_MONITOR);
    }
}

/* ---- Both ---------------------------------------------------------------- */

struct clients *
clients_create(const char *nb, const char *sb, const struct tls *tls,
               size_t n_rows, struct ledger *ledger, struct chassis *chassis)
{
    struct clients *c = ha_calloc(1, sizeof *c);
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != sizeof random) {
        random = mono_now().us;
    }
    snprintf(c->prefix, sizeof c->prefix, NAME "%08" PRIx32 "_",
             (uint32_t) random);
    c->n_rows = n_rows;
    c->ledger = ledger;
    c->chassis = chassis;
    c->next_id = ID_FIRST;
    c->next_write = c->next_probe = mono_now();
    if (!side_init(&c->nb, nb, tls) || !side_init(&c->sb, sb, tls)) {
        clients_destroy(c);
        return NULL;
    }
    return c;
}

void
clients_destroy(struct clients *c)
{
    if (c) {
        side_close(&c->nb);
        side_close(&c->sb);
        json_decref(c->answer);
        free(c->refusal);
        free(c);
    }
}

size_t
clients_poll(const struct clients *c, struct pollfd *fds)
{
    size_t n = side_poll(&c->nb, fds);

    return n + side_poll(&c->sb, fds + n);
}

void
clients_step(struct clients *c, mono_t now)
{
    step_nb(c, now);
    step_sb(c, now);
}

size_t
clients_rows(const struct clients *c)
{
    return c->n_rows;
}

bool
clients_connected(const struct clients *c)
{
    return c->nb.session && c->sb.session;
}

enum clients_lock
clients_lock(const struct clients *c)
{
    return c->lock;
}

void
clients_stop(struct clients *c)
{
    c->writing = false;
}

void
clients_raise(struct clients *c)
{
    c->raise = true;
}

bool
clients_busy(const struct clients *c)
{
    return c->pending;
}

const char *
clients_refusal(const struct clients *c)
{
    return c->refusal ? c->refusal : "";
}

/* Has operations done on the Northbound database, whose list it takes over,
 * and asks anew where an answer does not come: they have to do no harm if done
 * twice. */
static int
ask(struct clients *c, json_t *operations, mono_t deadline, json_t **ret_reply)
{
    json_t *params = json_pack("[s]", "OVN_Northbound");
    struct pollfd fds[CLIENTS_FDS_MAX];

    json_array_extend(params, operations);
    json_decref(operations);
    c->asked_id = 0;
    while (!c->answer && mono_before(mono_now(), deadline)) {
        poll(fds, clients_poll(c, fds), STEP_MS);
        clients_step(c, mono_now());
        if (c->nb.session && !c->asked_id && !c->answer) {
            c->asked_id = c->next_id++;
            c->sent = mono_now();
            ovsdb_send(c->nb.session, "transact", json_incref(params),
                       c->asked_id);
        }
    }
    json_decref(params);
    if (!c->answer) {
        return -ETIMEDOUT;
    }
    *ret_reply = c->answer;
    c->answer = NULL;
    free(c->refusal);
    c->refusal = ovsdb_refusal(*ret_reply);
    if (c->refusal) {
        json_decref(*ret_reply);
        return -EIO;
    }
    return 0;
}

static void
keep(struct clients *c, size_t number, mono_t now)
{
    (void) now;
    ledger_kept(c->ledger, number);
}

int
clients_look(struct clients *c, mono_t deadline, size_t *ret_n)
{
    json_t *reply, *rows;
    int error = ask(c,
                    json_pack("[{s:s, s:s, s:o, s:[s, s]}]", "op", "select",
                              "table", "Address_Set", "where", marked(),
                              "columns", "name", "addresses"),
                    deadline, &reply);

    if (error) {
        return error;
    }
    rows = json_object_get(json_array_get(json_object_get(reply, "result"), 0),
                           "rows");
    *ret_n = json_array_size(rows);
    for (size_t i = 0; i < *ret_n; i++) {
        const json_t *row = json_array_get(rows, i);

        if (is_ours(c, jsonget_text(row, "name"))) {
            each_number(c, jsonget(row, "addresses"), MONO_MIN, keep);
        }
    }
    json_decref(reply);
    return 0;
}

static json_t *
make_delete(void)
{
    return json_pack("{s:s, s:s, s:o}", "op", "delete", "table", "Address_Set",
                     "where", marked());
}

int
clients_clean(struct clients *c, mono_t deadline)
{
    json_t *reply;
    int error = ask(c, json_pack("[o]", make_delete()), deadline, &reply);

    if (!error) {
        json_decref(reply);
    }
    return error;
}

int
clients_start(struct clients *c, mono_t deadline)
{
    json_t *operations = json_pack("[o]", make_delete()), *reply;
    int error;

    for (size_t i = 0; i < c->n_rows; i++) {
        char *name = make_name(c, i);

        json_array_append_new(operations,
                              json_pack("{s:s, s:s, s:{s:s, s:[s, [[s, s]]]}}",
                                        "op", "insert", "table", "Address_Set",
                                        "row", "name", name, "external_ids",
                                        "map", MARK, "row"));
        free(name);
    }
    error = ask(c, operations, deadline, &reply);
    if (!error) {
        json_decref(reply);
        c->next_write = mono_now();
        c->writing = true;
    }
    return error;
}
