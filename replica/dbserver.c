/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/dbserver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

#include "lib/log.h"
#include "lib/mono.h"

#define RETRY_MS 100 /* Between attempts to connect. */
#define ECHO_MS 200
#define HEALTHY_US 1000000
#define MAX_REPLIES 128 /* Taken in at a time. */

enum dbserver_state {
    DBSERVER_DOWN,
    DBSERVER_CONNECTING,
    DBSERVER_SCHEMA, /* Asked for the schema. */
    DBSERVER_LOCK,   /* Asked for the lock. */
    DBSERVER_READY,
    DBSERVER_CONVERT, /* Asked for another schema. */
};

struct dbserver {
    const char *db_name, *lock;
    char *remote;
    enum dbserver_state state;
    struct stream *stream; /* While CONNECTING. */
    struct jsonrpc *rpc;   /* Later. */
    long long int next_try;
    long long int next_echo;
    struct json *echo_id, *ask_id; /* Of what is unanswered, or NULL. */
    bool absent;                   /* No one listened at the last attempt. */
    uint64_t connection;
    int64_t seen_us;
    char *schema;
    char *refusal; /* Why it does not convert, or NULL. */
    struct jsonrpc_msg *replies[MAX_REPLIES];
    size_t first_reply, n_replies;
};

struct dbserver *
dbserver_create(enum ha_db db, const char *remote)
{
    struct dbserver *s = xzalloc(sizeof *s);

    s->db_name = db == HA_NB ? "OVN_Northbound" : "OVN_Southbound";
    s->lock = db == HA_NB ? "ovn_ha_nb" : "ovn_ha_sb";
    s->remote = xstrdup(remote);
    return s;
}

static void
dbserver_drop_replies(struct dbserver *s)
{
    while (s->n_replies) {
        jsonrpc_msg_destroy(dbserver_recv(s));
    }
}

void
dbserver_reset(struct dbserver *s)
{
    stream_close(s->stream);
    jsonrpc_close(s->rpc);
    json_destroy(s->echo_id);
    json_destroy(s->ask_id);
    dbserver_drop_replies(s);
    s->stream = NULL;
    s->rpc = NULL;
    s->echo_id = s->ask_id = NULL;
    s->state = DBSERVER_DOWN;
    s->next_try = time_msec() + RETRY_MS;
}

void
dbserver_destroy(struct dbserver *s)
{
    if (s) {
        dbserver_reset(s);
        free(s->remote);
        free(s->schema);
        free(s->refusal);
        free(s);
    }
}

void
dbserver_hurry(struct dbserver *s)
{
    s->next_try = 0;
}

bool
dbserver_is_ready(const struct dbserver *s)
{
    return s->state == DBSERVER_READY;
}

bool
dbserver_is_absent(const struct dbserver *s)
{
    return s->absent;
}

uint64_t
dbserver_connection(const struct dbserver *s)
{
    return s->connection;
}

bool
dbserver_is_healthy(const struct dbserver *s)
{
    return dbserver_is_ready(s) && mono_now().us - s->seen_us < HEALTHY_US;
}

int64_t
dbserver_seen_us(const struct dbserver *s)
{
    return s->seen_us;
}

const char *
dbserver_schema(const struct dbserver *s)
{
    return s->schema;
}

const char *
dbserver_db_name(const struct dbserver *s)
{
    return s->db_name;
}

/* ---- Connecting ---------------------------------------------------------- */

/* Sends a request of the setup. */
static void
dbserver_ask(struct dbserver *s, enum dbserver_state state, const char *method,
             const char *param)
{
    struct json *params = json_array_create_1(json_string_create(param));

    s->state = state;
    jsonrpc_send(s->rpc, jsonrpc_create_request(method, params, &s->ask_id));
}

static void
dbserver_connected(struct dbserver *s)
{
    s->rpc = jsonrpc_open(s->stream);
    s->stream = NULL;
    s->absent = false;
    s->next_echo = time_msec();
    dbserver_ask(s, DBSERVER_SCHEMA, "get_schema", s->db_name);
}

static void
dbserver_connect(struct dbserver *s)
{
    if (s->state == DBSERVER_DOWN) {
        if (time_msec() < s->next_try) {
            return;
        }
        if (jsonrpc_stream_open(s->remote, &s->stream, DSCP_DEFAULT)) {
            s->stream = NULL;
            s->absent = true;
            s->next_try = time_msec() + RETRY_MS;
            return;
        }
        s->state = DBSERVER_CONNECTING;
    }
    if (s->state == DBSERVER_CONNECTING) {
        int error = stream_connect(s->stream);

        if (!error) {
            dbserver_connected(s);
        } else if (error != EAGAIN) {
            dbserver_reset(s);
            s->absent = true;
        }
    }
}

static void
dbserver_got_schema(struct dbserver *s, const struct json *schema)
{
    free(s->schema);
    s->schema = json_to_string(schema, JSSF_SORT);
    dbserver_ask(s, DBSERVER_LOCK, "steal", s->lock);
}

/* What an error says to people: its details, if it has any. */
static char *
error_to_text(const struct json *error)
{
    const struct json *details =
        error->type == JSON_OBJECT
            ? shash_find_data(json_object(error), "details")
            : NULL;

    return details && details->type == JSON_STRING
               ? xstrdup(json_string(details))
               : json_to_string(error, JSSF_SORT);
}

/* The answer to dbserver_convert(). */
static void
dbserver_converted(struct dbserver *s, const struct jsonrpc_msg *msg)
{
    if (msg->type == JSONRPC_ERROR) {
        free(s->refusal);
        s->refusal = error_to_text(msg->error);
        s->state = DBSERVER_READY;
    } else {
        ha_log(HA_LOG_INFO, "dbserver", "%s has converted its database %s",
               s->remote, s->db_name);
        dbserver_reset(s);
        dbserver_hurry(s);
    }
}

/* The answer to a request of the setup, or for another schema. */
static void
dbserver_answer(struct dbserver *s, const struct jsonrpc_msg *msg)
{
    json_destroy(s->ask_id);
    s->ask_id = NULL;
    if (s->state == DBSERVER_CONVERT) {
        dbserver_converted(s, msg);
    } else if (msg->type != JSONRPC_REPLY) {
        ha_log(HA_LOG_WARN, "dbserver", "%s refuses its database %s",
               s->remote, s->db_name);
        dbserver_reset(s);
    } else if (s->state == DBSERVER_SCHEMA) {
        dbserver_got_schema(s, msg->result);
    } else {
        s->state = DBSERVER_READY;
        s->connection++;
        ha_log(HA_LOG_INFO, "dbserver", "connected to %s", s->remote);
    }
}

/* ---- Messages ------------------------------------------------------------ */

static bool
is_reply_to(const struct jsonrpc_msg *msg, const struct json *id)
{
    return id && (msg->type == JSONRPC_REPLY || msg->type == JSONRPC_ERROR)
           && json_equal(msg->id, id);
}

/* Takes care of 'msg', or keeps it for dbserver_recv(). */
static void
dbserver_handle(struct dbserver *s, struct jsonrpc_msg *msg)
{
    if (is_reply_to(msg, s->echo_id)) {
        json_destroy(s->echo_id);
        s->echo_id = NULL;
    } else if (is_reply_to(msg, s->ask_id)) {
        dbserver_answer(s, msg);
    } else if (msg->type == JSONRPC_REQUEST && !strcmp(msg->method, "echo")) {
        jsonrpc_send(s->rpc,
                     jsonrpc_create_reply(json_clone(msg->params), msg->id));
    } else if (msg->type == JSONRPC_NOTIFY && !strcmp(msg->method, "stolen")) {
        ha_log(HA_LOG_ERR, "dbserver", "someone else took the lock %s of %s",
               s->lock, s->remote);
        dbserver_reset(s);
        s->next_try = time_msec() + 1000;
    } else if (msg->type == JSONRPC_REPLY || msg->type == JSONRPC_ERROR) {
        s->replies[(s->first_reply + s->n_replies++) % MAX_REPLIES] = msg;
        return;
    }
    jsonrpc_msg_destroy(msg);
}

static void
dbserver_send_echo(struct dbserver *s)
{
    if (time_msec() >= s->next_echo) {
        s->next_echo = time_msec() + ECHO_MS;
        if (!s->echo_id) {
            jsonrpc_send(s->rpc,
                         jsonrpc_create_request(
                             "echo", json_array_create_empty(), &s->echo_id));
        }
    }
}

void
dbserver_run(struct dbserver *s)
{
    dbserver_connect(s);
    if (!s->rpc) {
        return;
    }
    jsonrpc_run(s->rpc);
    while (s->rpc && s->n_replies < MAX_REPLIES) {
        struct jsonrpc_msg *msg;

        if (jsonrpc_recv(s->rpc, &msg)) {
            break;
        }
        s->seen_us = mono_now().us;
        dbserver_handle(s, msg);
    }
    if (s->rpc && jsonrpc_get_status(s->rpc)) {
        ha_log(HA_LOG_INFO, "dbserver", "connection to %s lost", s->remote);
        dbserver_reset(s);
    } else if (s->rpc) {
        dbserver_send_echo(s);
    }
}

void
dbserver_wait(struct dbserver *s)
{
    if (s->state == DBSERVER_DOWN) {
        poll_timer_wait_until(s->next_try);
    } else if (s->stream) {
        stream_connect_wait(s->stream);
    } else {
        jsonrpc_wait(s->rpc);
        if (s->n_replies < MAX_REPLIES) {
            jsonrpc_recv_wait(s->rpc);
        }
        poll_timer_wait_until(s->next_echo);
    }
}

void
dbserver_convert(struct dbserver *s, const char *schema)
{
    struct json *params;

    if (s->state == DBSERVER_READY) {
        params = json_array_create_2(json_string_create(s->db_name),
                                     json_from_string(schema));
        s->state = DBSERVER_CONVERT;
        jsonrpc_send(s->rpc,
                     jsonrpc_create_request("convert", params, &s->ask_id));
    }
}

char *
dbserver_take_refusal(struct dbserver *s)
{
    char *refusal = s->refusal;

    s->refusal = NULL;
    return refusal;
}

struct json *
dbserver_begin(const struct dbserver *s)
{
    struct json *params = json_array_create_empty();
    struct json *op = json_object_create();

    json_array_add(params, json_string_create(s->db_name));
    json_object_put_string(op, "op", "assert");
    json_object_put_string(op, "lock", s->lock);
    json_array_add(params, op);
    return params;
}

uint64_t
dbserver_transact(struct dbserver *s, struct json *params)
{
    struct json *id;
    uint64_t ret;

    if (s->state != DBSERVER_READY) {
        json_destroy(params);
        return 0;
    }
    if (jsonrpc_send(s->rpc,
                     jsonrpc_create_request("transact", params, &id))) {
        json_destroy(id);
        return 0;
    }
    ret = json_integer(id) + 1; /* Ids begin at 0. */
    json_destroy(id);
    return ret;
}

struct jsonrpc_msg *
dbserver_recv(struct dbserver *s)
{
    struct jsonrpc_msg *msg;

    if (!s->n_replies) {
        return NULL;
    }
    msg = s->replies[s->first_reply];
    s->first_reply = (s->first_reply + 1) % MAX_REPLIES;
    s->n_replies--;
    return msg;
}
