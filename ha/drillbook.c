/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/drillbook.h"

#include <stdio.h>
#include <string.h>

bool
drillbook_parse(const void *data, size_t n, struct drillbook_note *note)
{
    if (n != sizeof *note) {
        return false;
    }
    memcpy(note, data, sizeof *note);
    note->name[sizeof note->name - 1] = '\0';
    note->text[sizeof note->text - 1] = '\0';
    return note->kind >= DRILLBOOK_BEGIN && note->kind <= DRILLBOOK_TELL;
}

void
drillbook_take(struct drillbook *b, uint32_t from,
               const struct drillbook_note *note)
{
    if (note->kind == DRILLBOOK_BEGIN && !b->token) {
        b->token = note->token;
        b->owner = from;
        snprintf(b->name, sizeof b->name, "%s", note->name);
    } else if (note->kind == DRILLBOOK_END && note->token == b->token
               && from == b->owner) {
        *b = (struct drillbook){ 0 };
    }
}

void
drillbook_set_view(struct drillbook *b, const struct ha_set *view)
{
    if (b->token && !ha_set_has(view, b->owner)) {
        *b = (struct drillbook){ 0 };
    }
}

const char *
drillbook_refusal(const struct drillbook *b, uint32_t from,
                  const struct drillbook_note *note, bool active)
{
    return !b->token                 ? "no drill is registered here"
           : b->token != note->token ? "another drill is registered here"
           : b->owner != from        ? "its drill was begun on another node"
           : strcmp(b->name, note->name) ? "its drill is of another kind"
           : !active                     ? "this node is not the active"
                                         : NULL;
}
