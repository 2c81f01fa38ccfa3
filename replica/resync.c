/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/resync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

#include "lib/log.h"
#include "replica/applier.h"
#include "replica/compare.h"
#include "replica/dbserver.h"
#include "replica/giveway.h"
#include "replica/lost.h"
#include "replica/schemas.h"
#include "replica/shrink.h"
#include "replica/snapshot.h"
#include "replica/survey.h"

#define ASIDE_MS 30000       /* Between the first two copies of a file ... */
#define ASIDE_MAX_MS 3600000 /* ... and at most. */
#define INSTALL_BYTES (16u << 20) /* Smaller ones are always compared. */
#define INSTALL_MS 30000 /* For the supervisor to end the server and rename. */

enum resync_state {
    RESYNC_IDLE,
    RESYNC_COMING,  /* Takes in the snapshot's bytes. */
    RESYNC_SURVEY,  /* Reads it through. */
    RESYNC_COMPARE, /* Looks what differs. */
    RESYNC_ASIDE,   /* Saves what gives way. */
    RESYNC_APPLY,   /* The difference is under way. */
    RESYNC_OFFER,   /* The whole file is to take the own one's place. */
};

struct resync {
    struct resync_config cfg;
    enum resync_state state;

    struct resync_source source;
    char *schema;              /* That of 'source'. */
    struct snapshot *snapshot; /* NULL: none. */
    struct survey *survey;
    struct compare *compare;
    struct json *difference; /* What it found, as a record. */
    struct giveway *giveway;
    bool whole; /* The file is to be installed. */
    bool asked; /* ... and the supervisor was asked to. */
    long long int asked_at;

    bool has_aside; /* 'aside' was not taken yet. */
    struct wire_r_aside aside;
    long long int next_aside; /* Not before, if it is to be done often. */
    int aside_ms;             /* Grows with each copy. */

    const char *need;       /* For the last snapshot; "": none yet. */
    char way[WIRE_WHY_LEN]; /* That was chosen last. */
    char why[WIRE_WHY_LEN];
    int retry_ms;
};

struct resync *
resync_create(const struct resync_config *cfg)
{
    struct resync *s = xzalloc(sizeof *s);

    s->cfg = *cfg;
    s->need = "";
    snapshot_clean(cfg->file);
    return s;
}

void
resync_destroy(struct resync *s)
{
    if (s) {
        resync_stop(s);
        free(s);
    }
}

void
resync_stop(struct resync *s)
{
    survey_destroy(s->survey);
    s->survey = NULL;
    compare_destroy(s->compare);
    s->compare = NULL;
    giveway_destroy(s->giveway);
    s->giveway = NULL;
    snapshot_destroy(s->snapshot);
    s->snapshot = NULL;
    json_destroy(s->difference);
    s->difference = NULL;
    free(s->schema);
    s->schema = NULL;
    s->whole = false;
    s->state = RESYNC_IDLE;
}

/* It did not go well, and is to be tried again in 'ms'. */
static enum resync_outcome OVS_PRINTF_FORMAT(3, 4)
    resync_again(struct resync *s, int ms, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    s->retry_ms = ms;
    return RESYNC_AGAIN;
}

/* True if the own database is still that with which the snapshot is compared. */
static bool
resync_is_unmoved(const struct resync *s)
{
    return s->cfg.log->gen && s->cfg.log->state == OPLOG_READY
           && applier_is_prepared(s->cfg.applier);
}

/* ---- Taking it in -------------------------------------------------------- */

static const char *
found_to_string(enum oplog_found found)
{
    switch (found) {
    case OPLOG_FOUND:
        return "it is found";
    case OPLOG_OTHER_LINEAGE:
        return "own lineage is another";
    case OPLOG_OLDER:
        return "own position is older than the source's log";
    case OPLOG_BEYOND:
        return "own position is beyond the end of the source's log";
    case OPLOG_DIFFERS:
        return "own last record is not in the source's log";
    case OPLOG_NONE:
    default:
        return "own position is not known";
    }
}

enum resync_outcome
resync_begin(struct resync *s, const struct resync_source *source)
{
    const struct oplog *log = s->cfg.log;
    struct snapshot_spec spec = {
        .file = s->cfg.file,
        .like = log->gen->fd,
        .schema = source->schema,
        .pos = source->snapshot.pos,
        .bytes = source->snapshot.bytes,
    };
    int error = snapshot_create(&spec, &s->snapshot);

    if (error) {
        return resync_again(s, RETRY_FAILED_MS,
                            "no file of %" PRIu64 " bytes can be made for the "
                            "snapshot beside the database's: %.60s",
                            spec.bytes, ovs_strerror(-error));
    }
    s->source = *source;
    s->source.schema = s->schema = xstrdup(source->schema);
    s->state = RESYNC_COMING;
    s->need = log->n_foreign    ? "own file holds foreign records"
              : log->damaged    ? "own file is damaged"
              : source->differs ? "own file differs from the source's"
                                : found_to_string(source->found);
    ha_log(HA_LOG_INFO, "resync",
           "node %" PRIu32 " sends a snapshot of %" PRIu64 " bytes: %s",
           source->node, spec.bytes, s->need);
    return RESYNC_GOES_ON;
}

enum resync_outcome
resync_take(struct resync *s, const void *data, size_t n)
{
    int error = snapshot_write(s->snapshot, data, n);

    if (error == -EBADMSG) {
        return resync_again(s, RETRY_MS, "the source's snapshot is garbled");
    } else if (error) {
        return resync_again(
            s, RETRY_FAILED_MS,
            "the snapshot cannot be written to the own disk: %.60s",
            ovs_strerror(-error));
    } else if (snapshot_is_complete(s->snapshot)) {
        s->state = RESYNC_SURVEY;
    }
    return RESYNC_GOES_ON;
}

/* ---- Taking over --------------------------------------------------------- */

static enum resync_outcome
resync_apply(struct resync *s)
{
    s->state = RESYNC_APPLY;
    if (applier_resync(s->cfg.applier, s->difference,
                       &s->source.snapshot.pos)) {
        return resync_again(s, RETRY_OWN_MS, "%s",
                            applier_failure(s->cfg.applier));
    }
    json_destroy(s->difference);
    s->difference = NULL;
    return RESYNC_GOES_ON;
}

static enum resync_outcome
resync_applied(struct resync *s)
{
    if (applier_failure(s->cfg.applier)) {
        return resync_again(s, RETRY_OWN_MS, "%s",
                            applier_failure(s->cfg.applier));
    } else if (applier_is_busy(s->cfg.applier)) {
        return RESYNC_GOES_ON;
    }
    oplog_catch_up(s->cfg.log);
    return RESYNC_APPLIED;
}

/* What comes after the snapshot is asked for once the server runs on it. */
static enum resync_outcome
resync_offer(struct resync *s)
{
    int error = snapshot_offer(s->snapshot);

    if (error) {
        return resync_again(s, RETRY_FAILED_MS,
                            "the snapshot cannot be made durable: %.60s",
                            ovs_strerror(-error));
    }
    applier_forget(s->cfg.applier); /* Room for the new one. */
    s->state = RESYNC_OFFER;
    s->asked = false;
    s->asked_at = time_msec();
    return RESYNC_OFFERED;
}

bool
resync_take_install(struct resync *s)
{
    bool ask = s->state == RESYNC_OFFER && !s->asked;

    s->asked = s->asked || ask;
    return ask;
}

static enum resync_outcome
resync_await_install(struct resync *s)
{
    uint64_t dev, ino;

    snapshot_get_id(s->snapshot, &dev, &ino);
    if (oplog_is_file(s->cfg.log, dev, ino)) {
        ha_log(HA_LOG_INFO, "resync",
               "the snapshot of node %" PRIu32 " is the own file now, at "
               "record %" PRIu64,
               s->source.node, s->source.snapshot.pos.seq);
        return RESYNC_INSTALLED;
    } else if (time_msec() - s->asked_at > INSTALL_MS) {
        return resync_again(s, RETRY_FAILED_MS,
                            "the snapshot was not put in the own file's "
                            "place");
    }
    return RESYNC_GOES_ON;
}

/* In the way that was chosen. */
static enum resync_outcome
resync_take_over(struct resync *s)
{
    giveway_destroy(s->giveway); /* Gives memory back. */
    s->giveway = NULL;
    compare_destroy(s->compare);
    s->compare = NULL;
    return s->whole ? resync_offer(s) : resync_apply(s);
}

/* ---- What gives way ------------------------------------------------------ */

/* True if what gives way may be nowhere else.  What the same epoch's active
 * node wrote and this follower only repeated is not lost: an epoch's records
 * are numbered by one node alone, which never begins again within it, so a
 * lower number of the same epoch is an ancestor.  Even so, a difference that
 * removes nearly everything is not trusted that far. */
static bool
resync_must_set_aside(const struct resync *s, const struct shadow_diff *d)
{
    const struct oplog *log = s->cfg.log;
    enum oplog_found found = s->source.found;
    /* Then even what was deleted here is something that the source lacks. */
    bool forked =
        log->n_foreign || found == OPLOG_BEYOND || found == OPLOG_DIFFERS;

    if (log->damaged) {
        return true;
    }
    if (!forked
        && ((!d->n_delete && !d->n_update)
            || !shadow_has_data(applier_shadow(s->cfg.applier)))) {
        return false;
    }
    if (!d->n_delete && !d->n_update && !d->n_insert) {
        return false;
    }
    return log->n_foreign || found != OPLOG_OLDER
           || ha_epoch_cmp(log->gen->end_pos.epoch,
                           s->source.snapshot.pos.epoch)
           || d->n_delete > 9 * d->n_shared;
}

/* Copies must not fill the disk if their reason comes again and again. */
static bool
resync_may_copy(struct resync *s)
{
    long long int now = time_msec();

    if (!s->cfg.log->n_foreign && !s->cfg.log->damaged && !s->source.differs) {
        return true;
    }
    if (now < s->next_aside) {
        return false;
    }
    s->aside_ms = now > s->next_aside + ASIDE_MAX_MS
                      ? ASIDE_MS
                      : MIN(MAX(2 * s->aside_ms, ASIDE_MS), ASIDE_MAX_MS);
    s->next_aside = now + s->aside_ms;
    return true;
}

static enum resync_outcome
resync_cannot_set_aside(struct resync *s, int error)
{
    return resync_again(s, RETRY_FAILED_MS,
                        "own data that the source does not have cannot be "
                        "set aside in %.40s: %.40s",
                        s->cfg.state_dir, ovs_strerror(error));
}

static enum resync_outcome
resync_begin_aside(struct resync *s)
{
    struct giveway_config cfg = {
        .state_dir = s->cfg.state_dir,
        .db = s->cfg.db,
        .self = s->cfg.self,
        .source = s->source.node,
        .log = s->cfg.log,
        .fork = s->source.fork,
        .own = applier_shadow(s->cfg.applier),
        .theirs = s->compare,
    };

    s->giveway = giveway_create(&cfg);
    if (!s->giveway) {
        return resync_cannot_set_aside(s, errno);
    }
    s->state = RESYNC_ASIDE;
    return RESYNC_GOES_ON;
}

/* Keeps what the supervisor is to be told. */
static void
resync_note_aside(struct resync *s)
{
    const struct lost_counts *n = giveway_counts(s->giveway);

    ha_log(HA_LOG_WARN, "resync",
           "own data that node %" PRIu32 " does not have gives way: %" PRIu64
           " records; a copy is %s, beside it are a report and a transaction "
           "of %" PRIu64 " operations",
           s->source.node, n->n_records, giveway_path(s->giveway), n->n_ops);
    memset(&s->aside, 0, sizeof s->aside);
    s->aside.source = s->source.node;
    s->aside.by_record = n->by_record;
    s->aside.n_records = n->n_records;
    s->aside.n_ops = n->n_ops;
    s->aside.n_left_out = n->n_left_out;
    ovs_strlcpy(s->aside.name, giveway_name(s->giveway), sizeof s->aside.name);
    s->has_aside = true;
}

bool
resync_take_aside(struct resync *s, struct wire_r_aside *ret)
{
    bool has = s->has_aside;

    *ret = s->aside;
    s->has_aside = false;
    return has;
}

static enum resync_outcome
resync_set_aside(struct resync *s)
{
    int ret = giveway_run(s->giveway);

    if (ret > 0) {
        poll_immediate_wake();
        return RESYNC_GOES_ON;
    } else if (ret < 0) {
        return resync_cannot_set_aside(s, -ret);
    }
    resync_note_aside(s);
    return resync_take_over(s);
}

static enum resync_outcome
resync_begin_compare(struct resync *s)
{
    s->compare =
        compare_create(applier_shadow(s->cfg.applier),
                       snapshot_fd(s->snapshot), snapshot_bytes(s->snapshot));
    s->state = RESYNC_COMPARE;
    poll_immediate_wake();
    return RESYNC_GOES_ON;
}

/* Nothing gives way before the guard lets it, nor before what is to be set
 * aside is: in either way, 'd' says what that would be. */
static enum resync_outcome
resync_give_way(struct resync *s, const struct shadow_diff *d)
{
    /* Data of another lineage give way as a whole, or not at all. */
    if (!shrink_may_replace(s->cfg.guard, &s->source.snapshot.pos,
                            d->n_counted,
                            s->source.reinit ? 0 : d->n_counted_delete)) {
        return RESYNC_HELD;
    }
    if (!resync_must_set_aside(s, d)) {
        return resync_take_over(s);
    }
    if (!resync_may_copy(s)) {
        return resync_again(s, RETRY_FAILED_MS,
                            "the own file must be copied again and again; "
                            "waiting before the next copy is set aside");
    } else if (!s->compare) {
        return resync_begin_compare(s); /* The report needs it. */
    }
    return resync_begin_aside(s);
}

/* ---- Looking at it ------------------------------------------------------- */

/* Notes how the snapshot is to be taken over: as a whole, if it is large and
 * the own database has less than half of it, as then the server would be busy
 * for longer with the difference than with a start. */
static void
resync_choose_way(struct resync *s)
{
    uint64_t n = survey_rows(s->survey);
    uint64_t shared = survey_shared(s->survey);
    bool large = snapshot_bytes(s->snapshot) >= INSTALL_BYTES;
    bool same = schemas_are_equal(s->schema, dbserver_schema(s->cfg.server));

    s->whole = s->cfg.installs && large && same && 2 * shared < n;
    snprintf(s->way, sizeof s->way,
             "%s: %" PRIu64 " of the snapshot's %" PRIu64
             " rows were here, it has %" PRIu64 " MiB%s",
             s->whole ? "whole file" : "difference", shared, n,
             snapshot_bytes(s->snapshot) >> 20,
             same ? "" : ", and another schema");
    ha_log(HA_LOG_INFO, "resync", "%s", s->way);
}

/* What a whole file would do to the own database.  As no row was looked at,
 * each of those that both have counts as changed. */
static struct shadow_diff
resync_diff_of_whole(const struct resync *s)
{
    struct shadow_count own = shadow_count(applier_shadow(s->cfg.applier));
    struct shadow_count kept = survey_kept(s->survey);

    return (struct shadow_diff){
        .n_insert = survey_rows(s->survey) - survey_shared(s->survey),
        .n_delete = own.rows - kept.rows,
        .n_update = kept.rows,
        .n_shared = kept.rows,
        .n_counted = own.counted,
        .n_counted_delete = own.counted - kept.counted,
    };
}

/* The snapshot is whole, and known by its numbers. */
static enum resync_outcome
resync_surveyed(struct resync *s)
{
    struct shadow_diff d;

    resync_choose_way(s);
    d = resync_diff_of_whole(s);
    survey_destroy(s->survey);
    s->survey = NULL;
    if (s->whole) {
        return resync_give_way(s, &d);
    }
    return resync_begin_compare(s);
}

static enum resync_outcome
resync_survey(struct resync *s)
{
    int ret;

    if (!s->survey) {
        s->survey = survey_create(snapshot_fd(s->snapshot),
                                  snapshot_bytes(s->snapshot),
                                  applier_shadow(s->cfg.applier));
    }
    ret = survey_run(s->survey);
    if (ret < 0) {
        return resync_again(s, RETRY_MS, "the source's snapshot is damaged");
    } else if (!ret) {
        return resync_surveyed(s);
    }
    poll_immediate_wake();
    return RESYNC_GOES_ON;
}

static enum resync_outcome
resync_compared(struct resync *s)
{
    struct shadow_diff d;

    if (s->whole) {
        return resync_begin_aside(s);
    }
    s->difference = compare_to_record(s->compare, &d);
    ha_log(HA_LOG_INFO, "resync",
           "the snapshot at record %" PRIu64 " differs by %" PRIu64
           " new, %" PRIu64 " changed and %" PRIu64
           " removed rows of %" PRIu64,
           s->source.snapshot.pos.seq, d.n_insert, d.n_update, d.n_delete,
           d.n_insert + d.n_shared);
    return resync_give_way(s, &d);
}

static enum resync_outcome
resync_compare(struct resync *s)
{
    char why[SHADOW_WHY_LEN];
    int ret = compare_run(s->compare, why);

    if (ret < 0) {
        resync_again(s, RETRY_FAILED_MS,
                     "the source's snapshot does not fit the own database: "
                     "%.100s",
                     why);
        return RESYNC_REFUSED;
    } else if (!ret) {
        return resync_compared(s);
    }
    poll_immediate_wake();
    return RESYNC_GOES_ON;
}

/* ---- Work ---------------------------------------------------------------- */

enum resync_outcome
resync_run(struct resync *s)
{
    if (s->state >= RESYNC_SURVEY && s->state <= RESYNC_ASIDE
        && !resync_is_unmoved(s)) {
        return resync_again(s, 0, "the own file was replaced");
    }
    switch (s->state) {
    case RESYNC_SURVEY:
        return resync_survey(s);
    case RESYNC_COMPARE:
        return resync_compare(s);
    case RESYNC_ASIDE:
        return resync_set_aside(s);
    case RESYNC_APPLY:
        return resync_applied(s);
    case RESYNC_OFFER:
        return resync_await_install(s);
    case RESYNC_IDLE:
    case RESYNC_COMING:
    default:
        return RESYNC_GOES_ON;
    }
}

void
resync_wait(const struct resync *s)
{
    if (s->state == RESYNC_OFFER) {
        poll_timer_wait(20);
    }
}

bool
resync_is_open(const struct resync *s)
{
    return s->state == RESYNC_COMING;
}

const char *
resync_why(const struct resync *s)
{
    return s->why;
}

int
resync_retry_ms(const struct resync *s)
{
    return s->retry_ms;
}

void
resync_get_status(const struct resync *s, struct wire_r_status *status)
{
    if (s->snapshot) {
        status->progress_done = snapshot_have(s->snapshot);
        status->progress_total = s->source.snapshot.bytes;
    }
    ovs_strlcpy(status->resync, s->way, sizeof status->resync);
    ovs_strlcpy(status->snapshot_why, s->need, sizeof status->snapshot_why);
}
