/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_CORE_TRACE_H
#define HA_CORE_TRACE_H 1

/* Steps of the core as bytes, and back.
 *
 * The supervisor's journal (ha/journal.c) is made of these, and 'ovn-hactl
 * replay' feeds them to the core once more.  Compact: a tick that decides
 * nothing takes four bytes.  No member is left out, so what is read back
 * decides as it did.  Pure: no I/O, no allocation.
 *
 * A journal is a sequence of segments.  Each begins with TRACE_MAGIC and
 * either LIFE (a fresh core, and its configuration) or IMAGE (the core as it
 * was; only software that was compiled the same can read it); STEPs follow.
 * What was not written whole ends a segment. */

#include <stddef.h>
#include <stdint.h>

#include "ha/core/core.h"

#define TRACE_MAGIC "\xffovn-ha trace 1\n"
#define TRACE_MAGIC_LEN (sizeof TRACE_MAGIC - 1)
#define TRACE_ENTRY_MAX 4096 /* Of a LIFE or a STEP; asserted. */

enum trace_kind {
    TRACE_LIFE = 1,
    TRACE_IMAGE,
    TRACE_STEP,
};

struct trace_entry {
    enum trace_kind kind;
    struct ha_config config; /* LIFE. */
    const uint8_t *image;    /* IMAGE: a struct ha_core, anyhow aligned. */
    struct ha_event event;   /* STEP. */
    size_t n_actions;        /* STEP: what was decided. */
    uint32_t digest;         /* STEP: of the actions. */
    char tell[HA_TELL_LEN];  /* STEP. */
};

/* What an entry says only as a difference to the one before.  All zero at
 * the beginning of a segment. */
struct trace_state {
    int64_t now_us;
    uint64_t lineage;
};

/* Write an entry; return its length. */
size_t trace_put_life(struct trace_state *, const struct ha_config *,
                      uint8_t buf[TRACE_ENTRY_MAX]);
size_t trace_put_step(struct trace_state *, const struct ha_event *,
                      const struct ha_actions *, uint8_t buf[TRACE_ENTRY_MAX]);
/* Only the head: the bytes of struct ha_core follow. */
size_t trace_put_image(struct trace_state *, uint8_t buf[TRACE_ENTRY_MAX]);

/* Reads the entry at 'data'.  Returns 0, or -EBADMSG if there is none, or
 * -EPROTONOSUPPORT for an IMAGE of other software. */
int trace_get(struct trace_state *, const uint8_t *data, size_t n,
              struct trace_entry *ret_entry, size_t *ret_used);

/* Digest of what is to be done; equal actions have equal ones. */
uint32_t trace_digest(const struct ha_actions *);

#endif /* ha/core/trace.h */
