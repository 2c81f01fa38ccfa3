/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/web.h"

#include "ha-config.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ha/ev.h"
#include "ha/had.h"
#include "ha/history.h"
#include "ha/http.h"
#include "ha/lag.h"
#include "ha/page.h"
#include "ha/status.h"
#include "lib/log.h"
#include "lib/metrics.h"
#include "lib/netaddr.h"
#include "lib/servertls.h"
#include "lib/unixpath.h"
#include "lib/xalloc.h"

/* Connections, and patience with each. */
#define CONNECTIONS 64
#define DEADLINE_MS 30000

#define CACHE_MS 50    /* A page is rendered once in this time, */
#define SAMPLE_MS 1000 /* and the lag is looked at once in this. */
#define RETRY_S 5      /* Before a listener is tried again. */
#define HISTORY_SCHEMA 1

#define TYPE_TEXT "text/plain; charset=utf-8"
#define TYPE_JSON "application/json"
#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define TYPE_OPENMETRICS \
    "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* What was rendered last. */
struct cache {
    char *text; /* NULL: nothing. */
    mono_t at;
};

struct web {
    struct http_server *server;
    struct ev_timer *sample;
    struct lag *lag;
    bool unix_open, tcp_open;
    mono_t tried_at; /* When the listeners were tried last. */
    bool has_group;  /* 'gid' may read from the Unix socket. */
    gid_t gid;
    json_t *status; /* Of 'status_at'; NULL: none. */
    mono_t status_at;
    struct cache status_text, metrics, openmetrics, history;
    char line[512]; /* A short answer. */
};

/* Contents. */

static bool
is_fresh(mono_t at)
{
    return mono_us_between(at, mono_now()) < CACHE_MS * 1000;
}

/* The status, not older than CACHE_MS. */
static const json_t *
get_status(struct had *h)
{
    struct web *web = h->web;

    if (!web->status || !is_fresh(web->status_at)) {
        json_decref(web->status);
        web->status = status_make(h);
        web->status_at = mono_now();
    }
    return web->status;
}

static char *
make_status(struct had *h)
{
    return json_dumps(get_status(h), JSON_INDENT(1));
}

static char *
make_metrics(struct had *h)
{
    return metrics_render(get_status(h), false);
}

static char *
make_openmetrics(struct had *h)
{
    return metrics_render(get_status(h), true);
}

static char *
make_history(struct had *h)
{
    json_t *events = history_recent(h->history);
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    fprintf(f, "{\"schema\": %d, \"events\": ", HISTORY_SCHEMA);
    json_dumpf(events, f, 0);
    fputs(", \"lag\": ", f);
    lag_print(h->web->lag, f);
    fputs("}\n", f);
    fclose(f);
    json_decref(events);
    return text;
}

static void
reply_text(struct http_reply *reply, int code, const char *type,
           const char *text)
{
    reply->code = code;
    reply->type = type;
    reply->body = text;
    reply->n = strlen(text);
}

static void
reply_cached(struct had *h, struct http_reply *reply, struct cache *cache,
             const char *type, char *(*make)(struct had *) )
{
    if (!cache->text || !is_fresh(cache->at)) {
        free(cache->text);
        cache->text = make(h);
        cache->at = mono_now();
    }
    reply_text(reply, cache->text ? 200 : 503, type,
               cache->text ? cache->text : "");
}

/* "CODE  STATE: REASON" for health checks and whoever reads them. */
static void
reply_verdict(struct had *h, struct http_reply *reply, bool ok,
              const char *reason)
{
    const struct ha_core *c = &h->core;
    const char *why = ha_why_text(c->why);
    struct web *web = h->web;

    reason = *reason ? reason : c->why != HA_WHY_NONE ? why : "";
    snprintf(web->line, sizeof web->line, "%s%s%s\n",
             status_state(c->state, h->settings->conf->witness),
             *reason ? ": " : "", reason);
    reply_text(reply, ok ? 200 : 503, TYPE_TEXT, web->line);
}

/* Pages. */

static bool
serves(const struct had *h)
{
    return h->core.state == HA_ACTIVE && h->core.fence.open;
}

/* A witness is in that state, too, but has no data. */
static bool
is_standby(const struct had *h)
{
    return h->core.state == HA_STANDBY && !h->settings->conf->witness;
}

/* This node's own row in the status. */
static const json_t *
own_row(struct had *h)
{
    const json_t *nodes = json_object_get(get_status(h), "nodes");

    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *node = json_array_get(nodes, i);

        if (json_integer_value(json_object_get(node, "id"))
            == h->cluster.self) {
            return node;
        }
    }
    return NULL;
}

/* Why this standby is not as close to the active as a client of its data
 * wants it; "" if it is.  'max_lag' below 0: no limit. */
static const char *
not_close(struct had *h, long long max_lag)
{
    static const char *const keys[] = { "nb", "sb" };
    const json_t *row = own_row(h);

    for (int i = 0; i < HA_N_DBS; i++) {
        const json_t *db = json_object_get(row, keys[i]);
        const json_t *lag = json_object_get(db, "lag_records");

        if (!json_is_true(json_object_get(db, "complete"))) {
            return "its replica is not complete";
        }
        if (!json_is_true(json_object_get(db, "connected"))) {
            return "it does not follow the active's log";
        }
        if (max_lag >= 0 && !json_is_integer(lag)) {
            return "how far it is behind is not known";
        }
        if (max_lag >= 0 && json_integer_value(lag) > max_lag) {
            return "it is further behind the active than max_lag";
        }
    }
    return "";
}

static void
page_root(struct had *h, const struct httphead *head, struct http_reply *reply)
{
    (void) h;
    (void) head;
    reply->code = 200;
    reply->type = TYPE_HTML;
    reply->body = page_html;
    reply->n = page_html_len;
}

static void
page_status(struct had *h, const struct httphead *head,
            struct http_reply *reply)
{
    (void) head;
    reply_cached(h, reply, &h->web->status_text, TYPE_JSON, make_status);
}

static void
page_metrics(struct had *h, const struct httphead *head,
             struct http_reply *reply)
{
    if (head->openmetrics) {
        reply_cached(h, reply, &h->web->openmetrics, TYPE_OPENMETRICS,
                     make_openmetrics);
    } else {
        reply_cached(h, reply, &h->web->metrics, TYPE_METRICS, make_metrics);
    }
}

static void
page_history(struct had *h, const struct httphead *head,
             struct http_reply *reply)
{
    (void) head;
    reply_cached(h, reply, &h->web->history, TYPE_JSON, make_history);
}

static void
page_active(struct had *h, const struct httphead *head,
            struct http_reply *reply)
{
    (void) head;
    reply_verdict(h, reply, serves(h), "");
}

static void
page_standby(struct had *h, const struct httphead *head,
             struct http_reply *reply)
{
    long long max_lag = -1;
    int error = httphead_number(head, "max_lag", &max_lag);
    bool standby = is_standby(h);
    const char *reason;

    if (error == -EINVAL) {
        reply_text(reply, 400, TYPE_TEXT,
                   "max_lag is a number of records, from 0 up\n");
        return;
    }
    reason = standby ? not_close(h, max_lag) : "";
    reply_verdict(h, reply, standby && !*reason, reason);
}

static void
page_healthz(struct had *h, const struct httphead *head,
             struct http_reply *reply)
{
    (void) h;
    (void) head;
    reply_text(reply, 200, TYPE_TEXT, "ok\n");
}

static void
page_readyz(struct had *h, const struct httphead *head,
            struct http_reply *reply)
{
    bool standby = h->core.state == HA_STANDBY;
    const char *reason = is_standby(h) ? not_close(h, -1) : "";

    (void) head;
    reply_verdict(h, reply, serves(h) || (standby && !*reason), reason);
}

static const struct page {
    const char *path;
    void (*make)(struct had *, const struct httphead *, struct http_reply *);
} pages[] = {
    { "/", page_root },           { "/status", page_status },
    { "/metrics", page_metrics }, { "/history", page_history },
    { "/active", page_active },   { "/standby", page_standby },
    { "/healthz", page_healthz }, { "/readyz", page_readyz },
};

static void
on_request(void *had, const struct httphead *head, struct http_reply *reply)
{
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (!strcmp(head->path, pages[i].path)) {
            pages[i].make(had, head, reply);
            return;
        }
    }
    reply_text(reply, 404, TYPE_TEXT,
               "there are / /status /metrics /history /active /standby "
               "/healthz /readyz\n");
}

/* Listeners. */

/* The group that may read from the Unix socket, too.  Looked up once, before
 * the loop runs: it may have to be asked for on the network. */
static void
find_group(struct had *h)
{
    const char *name = h->settings->conf->status_group;
    const struct group *group = *name ? getgrnam(name) : NULL;

    h->web->has_group = group != NULL;
    h->web->gid = group ? group->gr_gid : 0;
    if (*name && !group) {
        ha_log(HA_LOG_ERR, "web",
               "there is no group %s: only root may read the status socket",
               name);
    }
}

static void
listen_unix(struct had *h)
{
    const struct conf *conf = h->settings->conf;
    int fd = unixpath_listen(conf->status_socket, SOCK_STREAM);

    if (fd < 0) {
        ha_log(HA_LOG_ERR, "web", "%s: %s; trying again in %d s",
               conf->status_socket, strerror(-fd), RETRY_S);
        return;
    }
    if (h->web->has_group
        && (chown(conf->status_socket, -1, h->web->gid)
            || chmod(conf->status_socket, 0660))) {
        ha_log(HA_LOG_ERR, "web", "%s cannot be opened to the group %s: %s",
               conf->status_socket, conf->status_group, strerror(errno));
    }
    http_listen(h->web->server, fd, NULL);
    h->web->unix_open = true;
}

static void
listen_tcp(struct had *h)
{
    const struct conf *conf = h->settings->conf;
    struct servertls *tls = NULL;
    char *text;
    int fd;

    if (*conf->status_certificate
        && servertls_create(conf->status_private_key, conf->status_certificate,
                            conf->status_ca_cert, &tls, &text)) {
        ha_log(HA_LOG_ERR, "web", "%s; trying again in %d s", text, RETRY_S);
        free(text);
        return;
    }
    fd = netaddr_listen(conf->status_listen);
    if (fd < 0) {
        ha_log(HA_LOG_ERR, "web", "%s: %s; trying again in %d s",
               conf->status_listen, strerror(-fd), RETRY_S);
        servertls_destroy(tls);
        return;
    }
    http_listen(h->web->server, fd, tls);
    h->web->tcp_open = true;
    ha_log(HA_LOG_INFO, "web", "listening on %s%s", conf->status_listen,
           tls ? " with TLS" : "");
}

static void
open_listeners(struct had *h)
{
    struct web *web = h->web;

    web->tried_at = mono_now();
    if (!web->unix_open) {
        listen_unix(h);
    }
    if (!web->tcp_open && *h->settings->conf->status_listen) {
        listen_tcp(h);
    }
}

/* Everything together. */

static void
on_sample(void *had)
{
    struct had *h = had;
    struct web *web = h->web;

    ev_timer_set_ms(web->sample, SAMPLE_MS);
    lag_add(web->lag, get_status(h), mono_now());
    if (mono_us_between(web->tried_at, mono_now()) > RETRY_S * 1000000) {
        open_listeners(h);
    }
}

void
web_create(struct had *h)
{
    const struct http_limits limits = { CONNECTIONS, DEADLINE_MS };
    struct web *web = ha_calloc(1, sizeof *web);

    h->web = web;
    web->lag = lag_create();
    find_group(h);
    web->server = http_create(h->loop, &limits, on_request, h);
    web->sample = ev_timer_create(h->loop, on_sample, h);
    ev_timer_set_ms(web->sample, 0);
    open_listeners(h);
}

void
web_destroy(struct had *h)
{
    struct web *web = h->web;

    http_destroy(web->server);
    if (web->unix_open) {
        unlink(h->settings->conf->status_socket);
    }
    ev_timer_destroy(web->sample);
    lag_destroy(web->lag);
    json_decref(web->status);
    free(web->status_text.text);
    free(web->metrics.text);
    free(web->openmetrics.text);
    free(web->history.text);
    free(web);
}
