/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_LIB_TLS_H
#define HA_LIB_TLS_H 1

/* TLS 1.3 with certificates on both sides, as bytes.
 *
 * A context is made of the three files that the configuration names.  A
 * session turns what is to be said into records of TLS and back, and touches
 * no socket: its user moves the bytes.  Whoever is refused is refused with a
 * sentence that says why; OpenSSL's errors end here.
 *
 * Used by replica/link, through replica/certs.  Knows no nodes: it only tells
 * whether a certificate is of a name or an address. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define TLS_WHY_LEN 256 /* Longest reason, with its NUL. */

struct tls;
struct tls_session;

/* PEM files. */
struct tls_files {
    const char *private_key;
    const char *certificate; /* With intermediate ones behind it. */
    const char *ca_cert;
};

/* Reads the files.  Returns 0, or -EINVAL and a sentence that names the file
 * and what is wrong with it. */
int tls_create(const struct tls_files *, struct tls **ret_tls,
               char why[TLS_WHY_LEN]);
/* Sessions that it was used for live on. */
void tls_destroy(struct tls *);

/* When the own certificate ends: seconds since 1970. */
int64_t tls_valid_until(const struct tls *);

/* From the first certificate in 'file', or from that of an authority which is
 * valid for longest if 'authority'.  Returns 0 and its end, or a negative
 * errno and a reason. */
int tls_file_valid_until(const char *file, bool authority, int64_t *ret_until,
                         char why[TLS_WHY_LEN]);

/* A session of the side that listens ('server') or of the one that connects.
 */
struct tls_session *tls_session_create(const struct tls *, bool server);
void tls_session_destroy(struct tls_session *);

/* Takes 'n' bytes that came from the other side. */
void tls_session_feed(struct tls_session *, const void *data, size_t n);

/* Hands out up to 'n' bytes that the other side is to get, and returns how
 * many.  To be called after each of the calls below, whatever they return. */
size_t tls_session_drain(struct tls_session *, void *buf, size_t n);

/* Goes on with the handshake.  Returns 0 when it is complete, and the other
 * side's certificate is of our authority and valid; -EAGAIN if it needs more
 * bytes; -EPROTO if it failed. */
int tls_session_handshake(struct tls_session *);

/* Reads what was said.  Returns its length, 0 at the end, -EAGAIN or -EPROTO.
 */
ssize_t tls_session_read(struct tls_session *, void *buf, size_t n);

/* Says all of 'data', after the handshake.  Returns 0 or -EPROTO. */
int tls_session_write(struct tls_session *, const void *data, size_t n);

/* Why it failed, as a sentence about the other side; "" if it did not. */
const char *tls_session_why(const struct tls_session *);

/* True if the other side's certificate is of 'name' (as a DNS name, or as the
 * common name where it has no DNS name) or of the address 'addr'. */
bool tls_session_is_of(const struct tls_session *, const char *name,
                       const struct sockaddr *addr);

/* The common name in the other side's certificate; "" if none. */
const char *tls_session_name(const struct tls_session *);

#endif /* lib/tls.h */
