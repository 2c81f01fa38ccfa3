/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/prepare.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ha/ev.h"
#include "ha/foreign.h"
#include "lib/child.h"
#include "lib/durable.h"
#include "lib/log.h"
#include "lib/version.h"
#include "lib/xalloc.h"

#define OUTPUT_MAX 4096
#define KILL_MS 100 /* Until a killed process is reaped. */

enum step {
    STEP_CREATE,
    STEP_CHECK,
    STEP_FILE_VERSION,
    STEP_SCHEMA_VERSION,
    STEP_BACKUP,
    STEP_CONVERT,
};

struct prepare {
    struct ev_loop *loop;
    const struct settings *settings;
    const struct settings_db *db;
    prepare_done_func *done;
    void *aux;
    enum step step;
    struct child child;
    struct ev_fd *end; /* Of the step. */
    struct ev_timer *finished;
    char *output; /* File that takes what a step prints. */
    char *backup;
    char *file_version; /* Of the file's schema, once it is known. */
    char *fresh;        /* The new file until it is whole. */
    char error[1024];
};

static void run_step(struct prepare *, enum step);

static void
on_finished(void *p_)
{
    struct prepare *p = p_;

    p->done(p->aux, p->error[0] ? p->error : NULL);
}

/* Tells the result from the loop, so that 'done' may destroy 'p'. */
static void
finish(struct prepare *p)
{
    ev_timer_set_ms(p->finished, 0);
}

static void
fail(struct prepare *p, const char *what, const char *why)
{
    snprintf(p->error, sizeof p->error, "%s: %s: %s", p->db->file, what, why);
    finish(p);
}

static const char *
step_name(enum step step)
{
    static const char *const names[] = {
        [STEP_CREATE] = "creating the database",
        [STEP_CHECK] = "comparing the schema",
        [STEP_FILE_VERSION] = "reading the file's schema version",
        [STEP_SCHEMA_VERSION] = "reading the schema's version",
        [STEP_BACKUP] = "keeping a copy",
        [STEP_CONVERT] = "converting to the new schema",
    };

    return names[step];
}

/* A new database appears under its name only when it is whole: half a file
 * would be taken for a broken database ever after. */
static void
install_fresh(struct prepare *p)
{
    const char *slash = strrchr(p->fresh, '/');
    int dir_len = slash ? slash + 1 - p->fresh : 0;
    char *lock =
        ha_asprintf("%.*s.%s.~lock~", dir_len, p->fresh, p->fresh + dir_len);

    unlink(lock);
    free(lock);
    if (rename(p->fresh, p->db->file)) {
        fail(p, step_name(STEP_CREATE), strerror(errno));
        return;
    }
    durable_sync_folder_of(p->db->file);
    finish(p);
}

/* Its schema is another than that of OVN's package, which is 'version'. */
static void
compare_versions(struct prepare *p, const char *version)
{
    if (version_cmp(p->file_version, version) > 0) {
        ha_log(HA_LOG_WARN, "prepare",
               "%s has schema %s, newer than the %s of %s; it is kept so, and "
               "OVN should be upgraded here",
               p->db->file, p->file_version, version, p->db->schema);
        finish(p);
        return;
    }
    ha_log(HA_LOG_INFO, "prepare",
           "%s has another schema than %s; "
           "converting it, with a copy in %s",
           p->db->file, p->db->schema, p->backup);
    run_step(p, STEP_BACKUP);
}

/* What follows after the step that ended well and printed 'text'. */
static void
next_step(struct prepare *p, const char *text)
{
    switch (p->step) {
    case STEP_CHECK:
        if (strncmp(text, "yes", 3)) {
            finish(p);
        } else {
            run_step(p, STEP_FILE_VERSION);
        }
        break;
    case STEP_FILE_VERSION:
        p->file_version = ha_strdup(text);
        run_step(p, STEP_SCHEMA_VERSION);
        break;
    case STEP_SCHEMA_VERSION:
        compare_versions(p, text);
        break;
    case STEP_BACKUP:
        run_step(p, STEP_CONVERT);
        break;
    case STEP_CREATE:
        install_fresh(p);
        break;
    case STEP_CONVERT:
        finish(p);
        break;
    }
}

static void
on_step_end(void *p_)
{
    struct prepare *p = p_;
    char *text = NULL;
    int status;
    size_t n;

    if (child_reap(&p->child, &status) == -EAGAIN) {
        return;
    }
    ev_fd_destroy(p->end);
    p->end = NULL;
    child_close(&p->child);
    if (durable_read(p->output, OUTPUT_MAX, &text, &n)) {
        text = ha_strdup("");
    }
    unlink(p->output);
    text[strcspn(text, "\n")] = '\0';
    if (status) {
        fail(p, step_name(p->step), text);
    } else {
        next_step(p, text);
    }
    free(text);
}

static void
run_step(struct prepare *p, enum step step)
{
    const char *tool = p->settings->conf->ovsdb_tool;
    const char *file = p->db->file, *schema = p->db->schema;
    const char *const argvs[][6] = {
        [STEP_CREATE] = { tool, "create", p->fresh, schema },
        [STEP_CHECK] = { tool, "needs-conversion", file, schema },
        [STEP_FILE_VERSION] = { tool, "db-version", file },
        [STEP_SCHEMA_VERSION] = { tool, "schema-version", schema },
        [STEP_BACKUP] = { "/bin/cp", "-p", "--", file, p->backup },
        [STEP_CONVERT] = { tool, "convert", file, schema },
    };
    struct child_spec spec = {
        .argv = argvs[step],
        .reset_priority = true,
        .log_path = p->output,
    };
    int error;

    p->step = step;
    unlink(p->output);
    error = child_spawn(&spec, &p->child);
    if (error) {
        fail(p, argvs[step][0], strerror(-error));
        return;
    }
    p->end = ev_fd_create(p->loop, p->child.pidfd, POLLIN, on_step_end, p);
}

struct prepare *
prepare_start(struct ev_loop *loop, const struct settings *settings,
              enum ha_db db, prepare_done_func *done, void *aux)
{
    struct prepare *p = ha_calloc(1, sizeof *p);

    p->loop = loop;
    p->settings = settings;
    p->db = &settings->db[db];
    p->done = done;
    p->aux = aux;
    p->child = CHILD_NONE;
    p->finished = ev_timer_create(loop, on_finished, p);
    p->output = ha_asprintf("%s/ovsdb-tool-%s.out", settings->conf->run_dir,
                            p->db->short_name);
    p->backup =
        ha_asprintf("%s.backup-%lld", p->db->file, (long long) time(NULL));
    p->fresh = ha_asprintf("%s.new", p->db->file);
    if (access(p->db->file, F_OK)) {
        ha_log(HA_LOG_INFO, "prepare", "%s does not exist; created",
               p->db->file);
        unlink(p->fresh);
        run_step(p, STEP_CREATE);
    } else if (foreign_clustered(p->db->file)) {
        fail(p, "refused", "it " FOREIGN_CLUSTERED);
    } else {
        run_step(p, STEP_CHECK);
    }
    return p;
}

void
prepare_destroy(struct prepare *p)
{
    int status;

    if (!p) {
        return;
    }
    ev_fd_destroy(p->end);
    ev_timer_destroy(p->finished);
    if (p->child.pid > 0) {
        child_signal(&p->child, SIGKILL);
        child_wait(&p->child, mono_add_ms(mono_now(), KILL_MS), &status);
        child_close(&p->child);
    }
    free(p->output);
    free(p->backup);
    free(p->file_version);
    free(p->fresh);
    free(p);
}
