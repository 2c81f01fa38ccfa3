/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/giveway.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util.h"

#include "replica/aside.h"
#include "replica/lost.h"
#include "replica/oplog.h"

struct giveway {
    struct aside *aside;
    struct lost *lost;
    bool copied;
};

/* Bytes of the own file; of a damaged one, also those that cannot be read. */
static uint64_t
own_bytes(const struct oplog *log)
{
    struct stat st;

    return log->damaged && !fstat(log->gen->fd, &st) ? (uint64_t) st.st_size
                                                     : log->gen->end;
}

static int
giveway_begin_report(struct giveway *g, const struct giveway_config *cfg)
{
    struct lost_config lost = {
        .db = cfg->db,
        .self = cfg->self,
        .source = cfg->source,
        .backup = cfg->backup,
        .log = cfg->log,
        .fork = cfg->fork,
        .own = cfg->own,
        .theirs = cfg->theirs,
        .name = aside_name(g->aside),
        .text = aside_add(g->aside, "txt"),
        .request = aside_add(g->aside, "json"),
    };

    if (!lost.text || !lost.request) {
        return -errno;
    }
    g->lost = lost_create(&lost);
    return 0;
}

struct giveway *
giveway_create(const struct giveway_config *cfg)
{
    const struct oplog_gen *gen = cfg->log->gen;
    struct giveway *g = xzalloc(sizeof *g);
    int error = 0;

    g->aside = aside_create(cfg->state_dir, cfg->db, &gen->end_pos, gen->fd,
                            own_bytes(cfg->log));
    error = g->aside ? giveway_begin_report(g, cfg) : -errno;
    if (error) {
        giveway_destroy(g);
        errno = -error;
        return NULL;
    }
    return g;
}

void
giveway_destroy(struct giveway *g)
{
    if (g) {
        lost_destroy(g->lost);
        aside_destroy(g->aside);
        free(g);
    }
}

int
giveway_run(struct giveway *g)
{
    int ret;

    if (!g->copied) {
        ret = aside_run(g->aside);
        g->copied = !ret;
        return ret < 0 ? ret : 1;
    }
    ret = lost_run(g->lost);
    return ret ? ret : aside_finish(g->aside);
}

const char *
giveway_path(const struct giveway *g)
{
    return aside_path(g->aside);
}

const char *
giveway_name(const struct giveway *g)
{
    return aside_name(g->aside);
}

const struct lost_counts *
giveway_counts(const struct giveway *g)
{
    return lost_counts(g->lost);
}
