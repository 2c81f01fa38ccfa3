/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_VERIFIER_PRIVATE_H
#define HA_REPLICA_VERIFIER_PRIVATE_H 1

/* The descriptors that a verifier's process finds open.  Shared by the two
 * halves of replica/verifier.h; nobody else includes it. */

#define VERIFIER_FD 3      /* Socket to the worker. */
#define VERIFIER_FILE_FD 4 /* The database's file. */

#endif /* replica/verifier-private.h */
