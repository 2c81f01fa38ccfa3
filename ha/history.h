/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_HISTORY_H
#define HA_HISTORY_H 1

/* What the core decided, and when: the journal that 'ovn-hactl history'
 * shows.
 *
 * A bounded file of lines TIME|EPOCH|STATE|TEXT; when it is full it becomes
 * history.log.1 and a new one begins.  Written by the loop.  Not made durable
 * line by line: nothing is decided by it. */

#include <jansson.h>
#include <stddef.h>

#include "ha/core/core.h"

struct history;

/* Opens the file in 'folder'.  Returns 0 or a negative errno. */
int history_open(const char *folder, struct history **ret_history);
void history_close(struct history *);

void history_add(struct history *, struct ha_epoch, enum ha_state,
                 const char *text);

/* The last 'n' lines, oldest first, in memory that the caller frees; "" if
 * there are none. */
char *history_tail(const struct history *, size_t n);

/* The last HISTORY_RECENT of them from memory, newest last: a list of objects
 * of "time", "epoch", "state" and "text".  The caller owns it. */
#define HISTORY_RECENT 200
json_t *history_recent(const struct history *);

#endif /* ha/history.h */
