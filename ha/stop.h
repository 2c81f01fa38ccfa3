/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_STOP_H
#define HA_STOP_H 1

/* The end of this process: for good, or into the next version of it.
 *
 * For good: the core hands over first (stop_request()), then the door closes,
 * then northd, the databases and the workers end.  Anew (stop_reexec()):
 * everything lives on and is adopted again, no client notices. */

#include <stdbool.h>
#include <stddef.h>

struct had;

/* An operator, or systemd, wants the service to stop.  A second time: without
 * handing over. */
void stop_request(struct had *);

/* The core says that nothing is left to hand over. */
void stop_begin(struct had *);

/* Leaves the loop to execute the program anew.  Refused, with a sentence in
 * 'error', if that would fail. */
bool stop_reexec(struct had *, char *error, size_t size);

/* Every 50 ms. */
void stop_tick(struct had *);

#endif /* ha/stop.h */
