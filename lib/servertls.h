/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_SERVERTLS_H
#define HA_LIB_SERVERTLS_H 1

/* The server's side of TLS: certificates from files, TLS 1.2 or later.
 *
 * For ha/web.c, which listens, and ha/http.c, which hands each connection's
 * session to libevent.  Replication has its own TLS, Open vSwitch's. */

struct ssl_st; /* OpenSSL's SSL. */
struct servertls;

/* Reads private key and certificate (with its chain).  With a 'ca_cert' that
 * is not "" only clients with a certificate signed by it are let in.  Returns
 * 0, or a negative errno with a sentence in '*ret_error', which the caller
 * frees. */
int servertls_create(const char *private_key, const char *certificate,
                     const char *ca_cert, struct servertls **ret_tls,
                     char **ret_error);
void servertls_destroy(struct servertls *);

/* For one connection; the caller frees it, as libevent does by itself.  NULL
 * if there is no memory. */
struct ssl_st *servertls_session(const struct servertls *);

#endif /* HA_LIB_SERVERTLS_H */
