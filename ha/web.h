/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_WEB_H
#define HA_WEB_H 1

/* The status socket: what ovn-had answers to HTTP (doc/STATUS.md).
 *
 * A page for people, the status as JSON, metrics, history, and health checks
 * for load balancers, on a Unix socket and, if configured, on TCP.  Everything
 * is rendered from memory, at most once in CACHE_MS; nothing waits, and
 * nothing can be changed here.  A listener that cannot be opened is told in
 * the log and tried again: it never keeps a database from being served. */

struct had;

void web_create(struct had *);
void web_destroy(struct had *);

#endif /* ha/web.h */
