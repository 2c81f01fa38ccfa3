/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/tls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/xalloc.h"

#define NAME_LEN 64
#define DATE_LEN 24

struct tls {
    SSL_CTX *ctx;
};

struct tls_session {
    SSL *ssl;
    BIO *in, *out; /* Owned by 'ssl'. */
    char name[NAME_LEN];
    bool failed; /* For good. */
    char why[TLS_WHY_LEN];
};

/* ---- Words --------------------------------------------------------------- */

static void
date_of(const ASN1_TIME *time, char buf[DATE_LEN])
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(time, &tm)
        || !strftime(buf, DATE_LEN, "%Y-%m-%d %H:%M UTC", &tm)) {
        strcpy(buf, "an unknown date");
    }
}

static void
name_of(X509 *cert, char buf[NAME_LEN])
{
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                                  buf, NAME_LEN)
        < 0) {
        buf[0] = '\0';
    }
}

/* What is wrong with 'cert', by OpenSSL's number. */
static void
explain_cert(X509 *cert, int code, char why[TLS_WHY_LEN])
{
    char name[NAME_LEN] = "", date[DATE_LEN];

    if (cert) {
        name_of(cert, name);
    }
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        date_of(X509_get0_notAfter(cert), date);
        snprintf(why, TLS_WHY_LEN, "the certificate of \"%s\" expired on %s",
                 name, date);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        date_of(X509_get0_notBefore(cert), date);
        snprintf(why, TLS_WHY_LEN,
                 "the certificate of \"%s\" is not valid before %s; compare "
                 "the clocks",
                 name, date);
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        snprintf(why, TLS_WHY_LEN,
                 "the certificate of \"%s\" is of another authority than "
                 "ours",
                 name);
        break;
    default:
        snprintf(why, TLS_WHY_LEN, "the certificate of \"%s\": %.60s", name,
                 X509_verify_cert_error_string(code));
        break;
    }
}

/* ---- Files --------------------------------------------------------------- */

/* A key with a passphrase is refused, not asked about on a terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *aux)
{
    (void) buf;
    (void) size;
    (void) writing;
    (void) aux;
    return -1;
}

/* The sentence about a file that does not load.  'what' it should be is said
 * only if it can be read at all. */
static int
bad_file(const char *option, const char *file, const char *what,
         char why[TLS_WHY_LEN])
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    snprintf(why, TLS_WHY_LEN, "[replication] %s %.120s: %s", option, file,
             fd < 0 ? strerror(errno) : what);
    if (fd >= 0) {
        close(fd);
    }
    ERR_clear_error();
    return -EINVAL;
}

static int
load_files(SSL_CTX *ctx, const struct tls_files *f, char why[TLS_WHY_LEN])
{
    if (SSL_CTX_use_certificate_chain_file(ctx, f->certificate) != 1) {
        return bad_file("certificate", f->certificate,
                        "there is no certificate (PEM) in it", why);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, f->private_key, SSL_FILETYPE_PEM) != 1
        && ERR_GET_REASON(ERR_peek_last_error())
               != X509_R_KEY_VALUES_MISMATCH) {
        return bad_file("private-key", f->private_key,
                        "there is no private key (PEM, without a passphrase) "
                        "in it",
                        why);
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return bad_file("private-key", f->private_key,
                        "it is not the key of the certificate", why);
    }
    if (SSL_CTX_load_verify_file(ctx, f->ca_cert) != 1) {
        return bad_file("ca-cert", f->ca_cert,
                        "there is no certificate (PEM) in it", why);
    }
    return 0;
}

/* Judges the own certificate as the other side will. */
static int
check_own(SSL_CTX *ctx, const struct tls_files *f, char why[TLS_WHY_LEN])
{
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = NULL;
    char text[TLS_WHY_LEN];
    int code = 0;
    bool ok;

    SSL_CTX_get0_chain_certs(ctx, &chain);
    ok = store
         && X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(ctx),
                                SSL_CTX_get0_certificate(ctx), chain);
    assert(ok);
    if (X509_verify_cert(store) != 1) {
        code = X509_STORE_CTX_get_error(store);
        explain_cert(X509_STORE_CTX_get_current_cert(store), code, text);
        snprintf(why, TLS_WHY_LEN, "[replication] certificate %.100s: %.120s",
                 f->certificate, text);
    }
    X509_STORE_CTX_free(store);
    ERR_clear_error();
    return code ? -EINVAL : 0;
}

/* Keeps the reason for the session; OpenSSL has only a number for it. */
static int
on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(
        store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *s = SSL_get_app_data(ssl);

    if (!ok && !s->why[0]) {
        explain_cert(X509_STORE_CTX_get_current_cert(store),
                     X509_STORE_CTX_get_error(store), s->why);
    }
    return ok;
}

int
tls_create(const struct tls_files *files, struct tls **ret_tls,
           char why[TLS_WHY_LEN])
{
    struct tls *tls = ha_calloc(1, sizeof *tls);
    int error;
    bool ok;

    tls->ctx = SSL_CTX_new(TLS_method());
    ok = tls->ctx && SSL_CTX_set_min_proto_version(tls->ctx, TLS1_3_VERSION);
    assert(ok);
    SSL_CTX_set_default_passwd_cb(tls->ctx, no_passphrase);
    SSL_CTX_set_verify(tls->ctx,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       on_verify);
    /* No session is resumed: each shows its certificate. */
    SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(tls->ctx, 0);
    error = load_files(tls->ctx, files, why);
    if (!error) {
        error = check_own(tls->ctx, files, why);
    }
    if (error) {
        tls_destroy(tls);
        return error;
    }
    *ret_tls = tls;
    return 0;
}

void
tls_destroy(struct tls *tls)
{
    if (tls) {
        SSL_CTX_free(tls->ctx);
        free(tls);
    }
}

/* Seconds since 1970; 0 if it cannot be read. */
static int64_t
end_of(const X509 *cert)
{
    struct tm tm;

    return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) ? timegm(&tm) : 0;
}

int64_t
tls_valid_until(const struct tls *tls)
{
    return end_of(SSL_CTX_get0_certificate(tls->ctx));
}

int
tls_file_valid_until(const char *file, bool authority, int64_t *ret_until,
                     char why[TLS_WHY_LEN])
{
    FILE *stream = fopen(file, "re");
    int64_t until = 0;
    bool found = false;
    X509 *cert;

    if (!stream) {
        int error = errno;

        snprintf(why, TLS_WHY_LEN, "%s", strerror(error));
        return -error;
    }
    while ((authority || !found)
           && (cert = PEM_read_X509(stream, NULL, NULL, NULL))) {
        until = !found || end_of(cert) > until ? end_of(cert) : until;
        found = true;
        X509_free(cert);
    }
    ERR_clear_error();
    fclose(stream);
    if (!found) {
        snprintf(why, TLS_WHY_LEN, "there is no certificate (PEM) in it");
        return -EINVAL;
    }
    *ret_until = until;
    return 0;
}

/* ---- Sessions ------------------------------------------------------------ */

struct tls_session *
tls_session_create(const struct tls *tls, bool server)
{
    struct tls_session *s = ha_calloc(1, sizeof *s);

    s->ssl = SSL_new(tls->ctx);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    assert(s->ssl && s->in && s->out);
    BIO_set_mem_eof_return(s->in, -1);
    SSL_set_bio(s->ssl, s->in, s->out);
    SSL_set_app_data(s->ssl, s);
    if (server) {
        SSL_set_accept_state(s->ssl);
    } else {
        SSL_set_connect_state(s->ssl);
    }
    return s;
}

void
tls_session_destroy(struct tls_session *s)
{
    if (s) {
        SSL_free(s->ssl);
        free(s);
    }
}

void
tls_session_feed(struct tls_session *s, const void *data, size_t n)
{
    assert(n <= INT32_MAX);
    if (n) {
        int done = BIO_write(s->in, data, (int) n);

        assert(done == (int) n);
    }
}

size_t
tls_session_drain(struct tls_session *s, void *buf, size_t n)
{
    int got = BIO_read(s->out, buf, n > INT32_MAX ? INT32_MAX : (int) n);

    return got > 0 ? (size_t) got : 0;
}

/* The sentence about an error that is in OpenSSL's queue. */
static void
explain_error(struct tls_session *s)
{
    unsigned long code = ERR_peek_error();
    const char *text = ERR_reason_error_string(code);

    if (s->why[0]) {
        return; /* A certificate, and it is said what is wrong with it. */
    }
    switch (ERR_GET_REASON(code)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        text = "no certificate was shown";
        break;
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        text = "our certificate is refused: it has expired there; compare the "
               "clocks";
        break;
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR: /* One of the same name. */
        text = "our certificate is refused: it is of another authority than "
               "theirs";
        break;
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        text = "our certificate is refused";
        break;
    }
    snprintf(s->why, sizeof s->why, "%s",
             text ? text : "the session was cut short");
}

/* What became of a call that returned 'ret'. */
static int
session_result(struct tls_session *s, int ret)
{
    int error = 0;

    if (s->failed) {
        return -EPROTO;
    }
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_ZERO_RETURN:
        break;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        error = -EAGAIN;
        break;
    default:
        explain_error(s);
        s->failed = true;
        error = -EPROTO;
        break;
    }
    ERR_clear_error();
    return error;
}

int
tls_session_handshake(struct tls_session *s)
{
    X509 *cert;
    int error;

    ERR_clear_error();
    error = session_result(s, SSL_do_handshake(s->ssl));
    if (!error && (cert = SSL_get0_peer_certificate(s->ssl))) {
        name_of(cert, s->name);
    }
    return error;
}

ssize_t
tls_session_read(struct tls_session *s, void *buf, size_t n)
{
    int got;

    ERR_clear_error();
    got = SSL_read(s->ssl, buf, n > INT32_MAX ? INT32_MAX : (int) n);
    return got > 0 ? got : session_result(s, got);
}

int
tls_session_write(struct tls_session *s, const void *data, size_t n)
{
    int error = 0;

    assert(n <= INT32_MAX);
    if (n) {
        ERR_clear_error();
        error = session_result(s, SSL_write(s->ssl, data, (int) n));
    }
    /* Memory takes all of it at once. */
    assert(error != -EAGAIN);
    return error;
}

const char *
tls_session_why(const struct tls_session *s)
{
    return s->why;
}

bool
tls_session_is_of(const struct tls_session *s, const char *name,
                  const struct sockaddr *addr)
{
    X509 *cert = SSL_get0_peer_certificate(s->ssl);
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) addr;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *) addr;
    int ok;

    if (!cert) {
        return false;
    }
    /* One certificate is one node's. */
    if (*name
        && X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL)
               == 1) {
        return true;
    }
    ok = addr->sa_family == AF_INET6
             ? X509_check_ip(cert, in6->sin6_addr.s6_addr, 16, 0)
             : X509_check_ip(cert, (const void *) &in4->sin_addr, 4, 0);
    return ok == 1;
}

const char *
tls_session_name(const struct tls_session *s)
{
    return s->name;
}
