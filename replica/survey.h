/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_REPLICA_SURVEY_H
#define HA_REPLICA_SURVEY_H 1

/* Reads a snapshot once through before anything is done with it.
 *
 * Every record must be whole, with its SHA-1 right; and to know whether a
 * difference is worth its while, the rows are counted, and how many of them
 * the own database has.  Of what is read, only that is kept which own rows
 * there are, so that costs little time, and little more memory than the largest
 * record.
 *
 * Used by the receiver.  Never writes anything. */

#include <stdint.h>

#include "replica/shadow.h"

struct survey;

/* Begins with the first 'bytes' of 'fd'.  Both must stay as they are. */
struct survey *survey_create(int fd, uint64_t bytes, const struct shadow *own);
void survey_destroy(struct survey *);

/* Reads on.  Returns 1 if there is more, 0 at the end, or -EBADMSG. */
int survey_run(struct survey *);

/* Rows in the snapshot's records; one that was changed counts each time. */
uint64_t survey_rows(const struct survey *);

/* ... of them those that the own database has. */
uint64_t survey_shared(const struct survey *);

/* Rows of the own database that the snapshot has in the end. */
struct shadow_count survey_kept(const struct survey *);

#endif /* replica/survey.h */
