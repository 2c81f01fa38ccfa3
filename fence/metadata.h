/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_METADATA_H
#define FENCE_METADATA_H 1

/* What a fence agent says of itself: its parameters and actions.
 *
 * An agent ignores a parameter that it does not know, so that a slip of the
 * pen would come to light when a node has to be fenced.  fence/agents
 * compares what is configured with the agent's metadata as soon as it has
 * both.  Reads the two elements that it needs, and is no XML parser.
 *
 * Does not ask for what is marked required="1": agents that take one of
 * several mark one of them (fence_scsi has a plug so, which a key or nodename
 * replaces), and a device that works is not to be refused.  One that lacks
 * something fails its first monitor, which says so. */

#include <stddef.h>

/* Compares 'params' (as in struct wire_a_device) with 'xml', what the agent
 * printed for the action metadata.  Returns 0; -ENOMSG if that is no metadata;
 * -ENOTSUP if the agent lacks an action that fencing needs; -EINVAL if it does
 * not know a parameter.  Then 'why' is a sentence. */
int metadata_check(const char *xml, const char *params, char *why,
                   size_t size);

#endif /* fence/metadata.h */
