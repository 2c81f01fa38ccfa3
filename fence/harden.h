/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_HARDEN_H
#define FENCE_HARDEN_H 1

/* Makes a process hard to hold up: the fence worker and its child that keeps
 * the lease in the kernel, each for itself.  Changes nothing but how the
 * kernel treats this process. */

/* Keeps the kernel from letting this process wait: for its own pages, for
 * others that compute, or for the killer of large processes.  What is refused
 * is logged; it works all the same, only with less certainty. */
void harden(void);

#endif /* fence/harden.h */
