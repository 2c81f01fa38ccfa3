/* SPDX-License-Identifier: Apache-2.0 */

/* The position file: one that is understood is understood in the same way
 * when it is written again. */

#include <stdio.h>
#include <unistd.h>

#include "replica/points.h"
#include "tests/fuzz/logfile.h"

static void
check_equal(const struct points *a, const struct points *b)
{
    assert(a->dev == b->dev && a->ino == b->ino && a->n == b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct point *p = &a->a[i], *q = &b->a[i];

        assert(p->off == q->off && p->record_off == q->record_off);
        assert(!memcmp(p->sha1, q->sha1, sizeof p->sha1));
        assert(p->mode == q->mode && !ha_epoch_cmp(p->epoch, q->epoch));
        assert(!ha_pos_cmp(&p->pos, &q->pos));
        assert(p->pos.lineage == q->pos.lineage);
        assert(p->pos.chain == q->pos.chain);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *path, *again_path;
    struct points points, again;

    if (!path) {
        path = logfile_path("pos");
        again_path = logfile_path("pos.again");
    }
    logfile_begin(path, true);
    logfile_append(path, data, n);
    if (!points_load(path, &points)) {
        assert(points.n && points.n <= POINTS_MAX);
        for (size_t i = 0; i < points.n; i++) {
            assert(points.a[i].record_off < points.a[i].off);
            assert(!i || points.a[i - 1].off < points.a[i].off);
        }
        assert(!points_save(again_path, &points));
        assert(!points_load(again_path, &again));
        check_equal(&points, &again);
    }
    return 0;
}
