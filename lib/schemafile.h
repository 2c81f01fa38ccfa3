/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_SCHEMAFILE_H
#define HA_LIB_SCHEMAFILE_H 1

/* The version in an installed schema file of OVN, which is JSON.
 *
 * A node whose package is older or newer than the others' has another one.
 * ovn-had tells the other nodes; 'ovn-hactl check' compares.  Reads one small
 * file, and knows nothing else of schemas. */

#include <stddef.h>

/* Longest version, with its NUL. */
#define SCHEMAFILE_VERSION_LEN 32

/* Returns 0, or a negative errno and leaves "": -EINVAL if the file is no
 * schema. */
int schemafile_version(const char *path, char version[SCHEMAFILE_VERSION_LEN]);

#endif /* HA_LIB_SCHEMAFILE_H */
