/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_SEQ_H
#define HA_LIB_SEQ_H 1

/* Message sockets between the supervisor and its workers.
 *
 * AF_UNIX SOCK_SEQPACKET keeps the bounds of messages, so there is no framing
 * to get wrong, and tells of the other end's death at once.  The supervisor,
 * ovn-ha-fence and ovn-ha-replica use it.  Every descriptor is nonblocking and
 * close-on-exec.  Nothing here ever waits, queues or interprets a message:
 * whoever gets -EAGAIN decides what that means. */

#include <stddef.h>
#include <sys/types.h>

/* The largest message, which a receiver's buffer should hold. */
#define SEQ_MSG_MAX 65536

/* Listens on 'path' with mode 0600, in place of whatever socket was there.
 * Returns a descriptor or a negative errno, -ENAMETOOLONG among them. */
int seq_listen(const char *path);

/* Connects to 'path'.  Returns a descriptor or a negative errno;
 * -ECONNREFUSED and -ENOENT mean that no one listens, -EAGAIN that the
 * listener's queue is full. */
int seq_connect(const char *path);

/* Accepts one connection.  Returns a descriptor or a negative errno; -EAGAIN
 * if none is waiting. */
int seq_accept(int listen_fd);

/* Makes a connected pair.  Returns 0 or a negative errno. */
int seq_pair(int ret_fds[2]);

/* Sends one whole message.  Returns 0; -EAGAIN if it does not fit at present,
 * and then nothing was sent; -EPIPE or -ECONNRESET if the other end is gone;
 * or another negative errno.  Raises no SIGPIPE. */
int seq_send(int fd, const void *msg, size_t n);

/* Receives one message into 'buf'.  Returns its length; -EAGAIN if there is
 * none; -EPIPE if the other end closed; -EMSGSIZE if it was larger than
 * 'size', and then it is lost; or another negative errno.  An empty message
 * cannot be told from a closed socket, so send none. */
ssize_t seq_recv(int fd, void *buf, size_t size);

/* Asks the kernel which process is at the other end (as it was at connect
 * time).  Returns 0 or a negative errno. */
int seq_peer(int fd, pid_t *ret_pid, uid_t *ret_uid, gid_t *ret_gid);

#endif /* HA_LIB_SEQ_H */
