/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_UNIXPATH_H
#define HA_LIB_UNIXPATH_H 1

/* Unix sockets by path: what lib/seq (messages), lib/uctl (streams) and the
 * status socket (ha/web.c) have in common. */

/* Opens a socket of 'type' (SOCK_STREAM or SOCK_SEQPACKET), nonblocking and
 * close-on-exec, and lets it listen on 'path' with mode 0600, in place of
 * whatever socket was there.  Returns a descriptor or a negative errno. */
int unixpath_listen(const char *path, int type);

/* The same, but connects.  Returns a descriptor or a negative errno; a local
 * connect never stays in progress: -EAGAIN means a full queue. */
int unixpath_connect(const char *path, int type);

/* Accepts a connection of any family, nonblocking and close-on-exec.  Returns a descriptor
 * or a negative errno. */
int unixpath_accept(int listen_fd);

#endif /* HA_LIB_UNIXPATH_H */
