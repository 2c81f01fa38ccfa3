/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_TELL_H
#define FENCE_TELL_H 1

/* What the worker tells its supervisor.
 *
 * Called at the end of each turn; what the supervisor cannot take at present
 * is told in a later one.  Changes nothing of the worker but what is due. */

#include "fence/worker.h"

/* Sends WIRE_F_STATE if it was asked for or changed.  What passes by itself,
 * such as time, is no change. */
void tell_state(struct worker *, mono_t now);

/* Answers WIRE_F_SUPPORT once the door of earlier epochs is closed. */
void tell_supported(struct worker *, mono_t now);

#endif /* fence/tell.h */
