/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_LIB_VERSION_H
#define HA_LIB_VERSION_H 1

/* Versions of OVSDB schemas, such as "20.27.0": three numbers.  The supervisor
 * and the receiver ask which of two is newer.  What is no number counts as 0,
 * so nothing here can fail. */

/* Negative, 0 or positive, as 'a' is older than, as old as or newer than
 * 'b'. */
int version_cmp(const char *a, const char *b);

#endif /* lib/version.h */
