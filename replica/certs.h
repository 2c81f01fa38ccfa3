/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_CERTS_H
#define HA_REPLICA_CERTS_H 1

/* This node's key and certificates for log shipping.
 *
 * Files that were changed are read again within a second or so, and the next
 * session uses them; those that are open stay as they are.  Files that cannot
 * be used leave the last good ones in place, or, if there were none, no
 * session at all: never one in plaintext.
 *
 * Made by the worker, used by the sender and the receiver. */

#include <stdint.h>

#include "lib/tls.h"

struct certs;

struct certs *certs_create(const struct tls_files *);
void certs_destroy(struct certs *);

/* Looks at the files, at most once a second of 'now_ms'. */
void certs_run(struct certs *, int64_t now_ms);

/* What sessions are made with, or NULL, and then certs_why() says why. */
const struct tls *certs_tls(const struct certs *);

/* What is wrong with the files as they are; "" if nothing is. */
const char *certs_why(const struct certs *);

#endif /* replica/certs.h */
