/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/servertls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "lib/xalloc.h"

struct servertls {
    SSL_CTX *ctx;
};

/* "FILE: what OpenSSL says". */
static char *
error_text(const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return ha_asprintf("%s: %s", file, reason ? reason : "is not accepted");
}

static char *
load(SSL_CTX *ctx, const char *private_key, const char *certificate,
     const char *ca_cert)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1) {
        return error_text(certificate);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, private_key, SSL_FILETYPE_PEM) != 1
        || SSL_CTX_check_private_key(ctx) != 1) {
        return error_text(private_key);
    }
    if (*ca_cert) {
        if (SSL_CTX_load_verify_locations(ctx, ca_cert, NULL) != 1) {
            return error_text(ca_cert);
        }
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(ca_cert));
        SSL_CTX_set_verify(
            ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return NULL;
}

int
servertls_create(const char *private_key, const char *certificate,
                 const char *ca_cert, struct servertls **ret_tls,
                 char **ret_error)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct servertls *tls;
    char *text;

    if (!ctx) {
        *ret_error = ha_strdup("OpenSSL: out of memory");
        return -ENOMEM;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    /* A client must not make this side work at will. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    /* What a client may resume without its certificate being asked for. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    text = load(ctx, private_key, certificate, ca_cert);
    if (text) {
        SSL_CTX_free(ctx);
        *ret_error = text;
        return -EINVAL;
    }
    tls = ha_calloc(1, sizeof *tls);
    tls->ctx = ctx;
    *ret_tls = tls;
    return 0;
}

void
servertls_destroy(struct servertls *tls)
{
    if (tls) {
        SSL_CTX_free(tls->ctx);
        free(tls);
    }
}

struct ssl_st *
servertls_session(const struct servertls *tls)
{
    return SSL_new(tls->ctx);
}
