/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/probe.h"

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

#define DB "OVN_Northbound"

struct probe {
    char *remote;
    bool busy, done;
    uint32_t token;
    int error;
    long long int began, deadline;
    struct stream *stream; /* While connecting. */
    struct jsonrpc *rpc;
    struct json *id; /* Of the transaction. */
    int64_t want;    /* nb_cfg that we set; -1: not known yet. */
    int64_t sb_cfg;  /* Seen last. */
};

struct probe *
probe_create(const char *remote)
{
    struct probe *p = xzalloc(sizeof *p);

    p->remote = xstrdup(remote);
    return p;
}

static void
probe_close(struct probe *p)
{
    stream_close(p->stream);
    jsonrpc_close(p->rpc);
    json_destroy(p->id);
    p->stream = NULL;
    p->rpc = NULL;
    p->id = NULL;
    p->busy = false;
}

void
probe_destroy(struct probe *p)
{
    if (p) {
        probe_close(p);
        free(p->remote);
        free(p);
    }
}

static void
probe_end(struct probe *p, int error)
{
    probe_close(p);
    p->error = error;
    p->done = true;
}

void
probe_begin(struct probe *p, uint32_t token, uint32_t timeout_ms)
{
    int error;

    probe_close(p);
    p->busy = true;
    p->done = false;
    p->token = token;
    p->began = time_msec();
    p->deadline = p->began + timeout_ms;
    p->want = -1;
    p->sb_cfg = INT64_MIN;
    error = jsonrpc_stream_open(p->remote, &p->stream, DSCP_DEFAULT);
    if (error) {
        p->stream = NULL;
        probe_end(p, -error);
    }
}

static void
probe_ask(struct probe *p)
{
    static const char monitor[] = "[\"" DB "\",null,{\"NB_Global\":"
                                  "[{\"columns\":[\"sb_cfg\"]}]}]";
    static const char transact[] =
        "[\"" DB "\","
        "{\"op\":\"mutate\",\"table\":\"NB_Global\",\"where\":[],"
        "\"mutations\":[[\"nb_cfg\",\"+=\",1]]},"
        "{\"op\":\"select\",\"table\":\"NB_Global\",\"where\":[],"
        "\"columns\":[\"nb_cfg\"]}]";

    jsonrpc_send(p->rpc, jsonrpc_create_request(
                             "monitor", json_from_string(monitor), NULL));
    jsonrpc_send(p->rpc, jsonrpc_create_request(
                             "transact", json_from_string(transact), &p->id));
}

static const struct json *
member(const struct json *json, const char *name)
{
    return json && json->type == JSON_OBJECT
               ? shash_find_data(json_object(json), name)
               : NULL;
}

static const struct json *
element(const struct json *json, size_t i)
{
    return json && json->type == JSON_ARRAY && i < json_array(json)->n
               ? json_array(json)->elems[i]
               : NULL;
}

/* The answer to the transaction: which nb_cfg it is now. */
static void
probe_take_nb_cfg(struct probe *p, const struct jsonrpc_msg *msg)
{
    const struct json *rows = member(element(msg->result, 1), "rows");
    const struct json *nb_cfg = member(element(rows, 0), "nb_cfg");

    if (nb_cfg && nb_cfg->type == JSON_INTEGER) {
        p->want = json_integer(nb_cfg);
    } else {
        probe_end(p, -ENOENT);
    }
}

/* Looks for sb_cfg in what a monitor says. */
static void
probe_take_update(struct probe *p, const struct json *updates)
{
    const struct json *table = member(updates, "NB_Global");
    struct shash_node *node;

    if (!table || table->type != JSON_OBJECT) {
        return;
    }
    SHASH_FOR_EACH (node, json_object(table)) {
        const struct json *sb_cfg =
            member(member(node->data, "new"), "sb_cfg");

        if (sb_cfg && sb_cfg->type == JSON_INTEGER) {
            p->sb_cfg = json_integer(sb_cfg);
        }
    }
}

static void
probe_handle(struct probe *p, const struct jsonrpc_msg *msg)
{
    if (msg->type == JSONRPC_NOTIFY && !strcmp(msg->method, "update")) {
        probe_take_update(p, element(msg->params, 1));
    } else if (msg->type == JSONRPC_REPLY && p->id
               && json_equal(msg->id, p->id)) {
        probe_take_nb_cfg(p, msg);
    } else if (msg->type == JSONRPC_REPLY) {
        probe_take_update(p, msg->result);
    } else if (msg->type == JSONRPC_ERROR) {
        probe_end(p, -EPROTO);
    }
    if (p->busy && p->want >= 0 && p->sb_cfg >= p->want) {
        probe_end(p, 0);
    }
}

static void
probe_connect(struct probe *p)
{
    int error = stream_connect(p->stream);

    if (!error) {
        p->rpc = jsonrpc_open(p->stream);
        p->stream = NULL;
        probe_ask(p);
    } else if (error != EAGAIN) {
        probe_end(p, -error);
    }
}

void
probe_run(struct probe *p)
{
    if (p->busy && p->stream) {
        probe_connect(p);
    }
    if (p->busy && p->rpc) {
        jsonrpc_run(p->rpc);
    }
    while (p->busy && p->rpc) {
        struct jsonrpc_msg *msg;
        int error = jsonrpc_recv(p->rpc, &msg);

        if (error) {
            if (error != EAGAIN) {
                probe_end(p, error == EOF ? -EPIPE : -error);
            }
            break;
        }
        probe_handle(p, msg);
        jsonrpc_msg_destroy(msg);
    }
    if (p->busy && time_msec() >= p->deadline) {
        probe_end(p, -ETIMEDOUT);
    }
}

void
probe_wait(struct probe *p)
{
    if (p->done) {
        poll_immediate_wake();
    }
    if (p->busy) {
        if (p->stream) {
            stream_connect_wait(p->stream);
        } else {
            jsonrpc_wait(p->rpc);
            jsonrpc_recv_wait(p->rpc);
        }
        poll_timer_wait_until(p->deadline);
    }
}

bool
probe_take(struct probe *p, uint32_t *ret_token, int *ret_error,
           uint32_t *ret_took_ms)
{
    if (!p->done) {
        return false;
    }
    p->done = false;
    *ret_token = p->token;
    *ret_error = p->error;
    *ret_took_ms = time_msec() - p->began;
    return true;
}
