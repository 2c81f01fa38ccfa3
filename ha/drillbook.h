/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_DRILLBOOK_H
#define HA_DRILLBOOK_H 1

/* Which drill runs in the cluster, as each node has it from notes that all get
 * in the same order (ha/group): the first that registers has the book until it
 * ends, or the node where it was begun leaves the group.
 *
 * What a drill does to another node rests on it: a node harms itself only for
 * the drill in its book, at the word of the node where that was begun, while it
 * is the active, and as the drill said at its begin.  A message that strayed
 * can therefore harm nobody.  None of it concerns the core: what it decides, it
 * decides on the facts that a drill makes.
 *
 * Pure: no clock, no input or output.  Used by ha/drill. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ha/core/core.h"

#define DRILLBOOK_NAME_LEN 32
#define DRILLBOOK_TEXT_LEN 1024

enum drillbook_note_kind {
    DRILLBOOK_BEGIN = 0x64720001, /* 'name' is the kind of drill. */
    DRILLBOOK_END,
    DRILLBOOK_ACT,  /* 'node' is to harm itself as 'name' says. */
    DRILLBOOK_TELL, /* 'text' is for the history; 'token' does not matter. */
};

/* Sent as it is, like struct ha_msg. */
struct drillbook_note {
    uint32_t kind; /* enum drillbook_note_kind. */
    uint32_t node;
    uint64_t token; /* Of the drill; random. */
    uint32_t cut_ms;
    uint32_t reserved;
    char name[DRILLBOOK_NAME_LEN];
    char text[DRILLBOOK_TEXT_LEN];
};

/* All zero: no drill. */
struct drillbook {
    uint64_t token;
    uint32_t owner; /* Node where it was begun. */
    char name[DRILLBOOK_NAME_LEN];
};

/* Makes a note of 'n' bytes that came from somewhere.  Returns false if they
 * are none. */
bool drillbook_parse(const void *data, size_t n, struct drillbook_note *);

/* Enters what a note of 'from' says of begin and end. */
void drillbook_take(struct drillbook *, uint32_t from,
                    const struct drillbook_note *);

/* The group has other members now. */
void drillbook_set_view(struct drillbook *, const struct ha_set *view);

/* Whether 'self' may do to itself what a note of 'from' asks for; 'active' says
 * that it is.  Returns NULL, or why not. */
const char *drillbook_refusal(const struct drillbook *, uint32_t from,
                              const struct drillbook_note *, bool active);

#endif /* ha/drillbook.h */
