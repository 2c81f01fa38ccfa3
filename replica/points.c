/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/points.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/durable.h"

#define FIRST_LINE "ovn-ha position 1\n"

void
points_add(struct points *ps, const struct point *p)
{
    while (ps->n && ps->a[ps->n - 1].off >= p->off) {
        ps->n--;
    }
    if (ps->n == POINTS_MAX) {
        memmove(ps->a, ps->a + 1, (POINTS_MAX - 1) * sizeof *ps->a);
        ps->n--;
    }
    ps->a[ps->n++] = *p;
}

static bool
sha1_from_hex(const char *hex, uint8_t sha1[RECORD_SHA1_LEN])
{
    for (int i = 0; i < RECORD_SHA1_LEN; i++) {
        unsigned int byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        sha1[i] = byte;
    }
    return true;
}

static bool
point_parse(const char *line, struct point *p)
{
    char mode[8], sha1[RECORD_HEX_LEN];
    struct point q;

    memset(&q, 0, sizeof q);
    if (sscanf(line,
               "point %" SCNu64 " %" SCNu64 " %40[0-9a-f] %7[a-z]"
               " %" SCNu32 ".%" SCNu32 " %" SCNx64 " %" SCNu32 ".%" SCNu32
               " %" SCNu64 " %" SCNx64,
               &q.off, &q.record_off, sha1, mode, &q.epoch.n, &q.epoch.node,
               &q.pos.lineage, &q.pos.epoch.n, &q.pos.epoch.node, &q.pos.seq,
               &q.pos.chain)
            != 11
        || strlen(sha1) != 2 * RECORD_SHA1_LEN || !sha1_from_hex(sha1, q.sha1)
        || q.record_off >= q.off) {
        return false;
    }
    if (!strcmp(mode, "active")) {
        q.mode = POINTS_ACTIVE;
    } else if (!strcmp(mode, "follow")) {
        q.mode = POINTS_FOLLOW;
    } else {
        return false;
    }
    *p = q;
    return true;
}

/* Reads what follows the first line.  The last line must be "end", so that a
 * file that was cut short is not taken for a whole one. */
static int
points_read(FILE *f, struct points *ps)
{
    char line[512];

    if (!fgets(line, sizeof line, f)
        || sscanf(line, "file %" SCNu64 " %" SCNu64, &ps->dev, &ps->ino)
               != 2) {
        return -EBADMSG;
    }
    while (fgets(line, sizeof line, f)) {
        struct point p;

        if (!strcmp(line, "end\n")) {
            return ps->n ? 0 : -EBADMSG;
        }
        if (!point_parse(line, &p)) {
            return -EBADMSG;
        }
        points_add(ps, &p);
    }
    return -EBADMSG;
}

int
points_load(const char *path, struct points *ret_points)
{
    FILE *f = fopen(path, "re");
    struct points ps = { .n = 0 };
    char line[64];
    int error;

    if (!f) {
        return -errno;
    }
    error = fgets(line, sizeof line, f) && !strcmp(line, FIRST_LINE)
                ? points_read(f, &ps)
                : -EBADMSG;
    fclose(f);
    if (!error) {
        *ret_points = ps;
    }
    return error;
}

static void
points_write(FILE *f, const struct points *ps)
{
    fputs(FIRST_LINE, f);
    fprintf(f, "file %" PRIu64 " %" PRIu64 "\n", ps->dev, ps->ino);
    for (size_t i = 0; i < ps->n; i++) {
        const struct point *p = &ps->a[i];
        char sha1[RECORD_HEX_LEN];

        record_format_sha1(p->sha1, sha1);
        fprintf(f,
                "point %" PRIu64 " %" PRIu64 " %s %s %" PRIu32 ".%" PRIu32
                " %016" PRIx64 " %" PRIu32 ".%" PRIu32 " %" PRIu64
                " %016" PRIx64 "\n",
                p->off, p->record_off, sha1,
                p->mode == POINTS_ACTIVE ? "active" : "follow", p->epoch.n,
                p->epoch.node, p->pos.lineage, p->pos.epoch.n,
                p->pos.epoch.node, p->pos.seq, p->pos.chain);
    }
    fputs("end\n", f);
}

int
points_save(const char *path, const struct points *ps)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    int error;

    if (!f) {
        return -errno;
    }
    points_write(f, ps);
    error = fclose(f) ? -ENOMEM : durable_write(path, text, n, 0640);
    free(text);
    return error;
}
