/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "util.h"

#include "lib/digest.h"
#include "lib/durable.h"
#include "replica/backup.h"
#include "replica/oplog.h"

#define NAME "backup.json"
#define FORMAT 1

static const char *
key_of(enum ha_db db)
{
    return db == HA_NB ? "nb" : "sb";
}

void
manifest_init(struct manifest *m)
{
    time_t now = time(NULL);
    struct tm tm;

    memset(m, 0, sizeof *m);
    gmtime_r(&now, &tm);
    strftime(m->time, sizeof m->time, "%Y-%m-%dT%H:%M:%SZ", &tm);
    gethostname(m->host, sizeof m->host - 1);
}

char *
manifest_path(const char *folder, enum ha_db db)
{
    return xasprintf("%s/ovn%s_db.db", folder, key_of(db));
}

/* The SHA-256 and the length of the file 'fd'.  Returns false with errno. */
static bool
get_sha256(int fd, char hex[MANIFEST_SHA256_HEX], uint64_t *ret_bytes)
{
    uint8_t sha256[DIGEST_SHA256_LEN];
    struct stat st;
    void *map;

    if (fstat(fd, &st)) {
        return false;
    }
    map = st.st_size ? mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                     : NULL;
    if (map == MAP_FAILED) {
        return false;
    }
    digest_sha256(map ? map : "", st.st_size, sha256);
    if (map) {
        munmap(map, st.st_size);
    }
    for (int i = 0; i < DIGEST_SHA256_LEN; i++) {
        snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
    }
    *ret_bytes = st.st_size;
    return true;
}

bool
manifest_set(struct manifest *m, enum ha_db db, const struct oplog *log)
{
    if (!get_sha256(log->gen->fd, m->db[db].sha256, &m->db[db].bytes)) {
        backup_error("%s: %s", log->path, ovs_strerror(errno));
        return false;
    }
    m->db[db].pos = log->gen->end_pos;
    return true;
}

bool
manifest_write(const struct manifest *m, const char *folder)
{
    struct json *json = json_object_create();
    char *path = xasprintf("%s/" NAME, folder), *text;
    int error;

    json_object_put(json, "format", json_integer_create(FORMAT));
    json_object_put_string(json, "time", m->time);
    json_object_put_string(json, "host", m->host);
    json_object_put(json, "in_sync",
                    m->in_sync < 0 ? json_null_create()
                                   : json_boolean_create(m->in_sync));
    for (int db = 0; db < HA_N_DBS; db++) {
        const struct ha_pos *pos = &m->db[db].pos;
        struct json *o = json_object_create();

        json_object_put(o, "bytes", json_integer_create(m->db[db].bytes));
        json_object_put_string(o, "sha256", m->db[db].sha256);
        json_object_put_format(o, "lineage", "%016" PRIx64, pos->lineage);
        json_object_put_format(o, "epoch", "%" PRIu32 ".%" PRIu32,
                               pos->epoch.n, pos->epoch.node);
        json_object_put(o, "record", json_integer_create(pos->seq));
        json_object_put_format(o, "chain", "%016" PRIx64, pos->chain);
        json_object_put(o, "lag_records",
                        m->db[db].lag < 0
                            ? json_null_create()
                            : json_integer_create(m->db[db].lag));
        json_object_put(json, key_of(db), o);
    }
    text = json_to_string(json, JSSF_PRETTY | JSSF_SORT);
    error = durable_write(path, text, strlen(text), 0600);
    if (error) {
        backup_error("%s: %s", path, ovs_strerror(-error));
    }
    free(text);
    free(path);
    json_destroy(json);
    return !error;
}

void
manifest_remove(const char *folder)
{
    char *path = xasprintf("%s/" NAME, folder);

    unlink(path);
    free(path);
}

static const char *
get_text(const struct json *o, const char *key)
{
    const struct json *v = o && o->type == JSON_OBJECT
                               ? shash_find_data(json_object(o), key)
                               : NULL;

    return v && v->type == JSON_STRING ? json_string(v) : "";
}

static int64_t
get_number(const struct json *o, const char *key)
{
    const struct json *v = o && o->type == JSON_OBJECT
                               ? shash_find_data(json_object(o), key)
                               : NULL;

    return v && v->type == JSON_INTEGER ? json_integer(v) : -1;
}

static int
get_flag(const struct json *o, const char *key)
{
    const struct json *v = shash_find_data(json_object(o), key);

    return v && v->type == JSON_TRUE ? 1 : v && v->type == JSON_FALSE ? 0 : -1;
}

static bool
parse(struct manifest *m, const struct json *json)
{
    bool ok = get_number(json, "format") == FORMAT;

    memset(m, 0, sizeof *m);
    ovs_strlcpy(m->time, get_text(json, "time"), sizeof m->time);
    ovs_strlcpy(m->host, get_text(json, "host"), sizeof m->host);
    m->in_sync = get_flag(json, "in_sync");
    for (int db = 0; ok && db < HA_N_DBS; db++) {
        const struct json *o = shash_find_data(json_object(json), key_of(db));
        struct ha_pos *pos = &m->db[db].pos;

        ovs_strlcpy(m->db[db].sha256, get_text(o, "sha256"),
                    sizeof m->db[db].sha256);
        m->db[db].bytes = get_number(o, "bytes");
        pos->seq = get_number(o, "record");
        m->db[db].lag = get_number(o, "lag_records");
        ok = strlen(m->db[db].sha256) == MANIFEST_SHA256_HEX - 1
             && sscanf(get_text(o, "lineage"), "%" SCNx64, &pos->lineage) == 1
             && sscanf(get_text(o, "chain"), "%" SCNx64, &pos->chain) == 1
             && sscanf(get_text(o, "epoch"), "%" SCNu32 ".%" SCNu32,
                       &pos->epoch.n, &pos->epoch.node)
                    == 2;
    }
    return ok;
}

static bool
check_file(const struct manifest *m, const char *folder, enum ha_db db)
{
    char *path = manifest_path(folder, db), hex[MANIFEST_SHA256_HEX] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t bytes = 0;
    bool ok = false;

    if (fd < 0 || !get_sha256(fd, hex, &bytes)) {
        backup_error("%s: %s", path, ovs_strerror(errno));
    } else if (bytes != m->db[db].bytes || strcmp(hex, m->db[db].sha256)) {
        backup_error("%s is not what was backed up: %s; take another backup",
                     path,
                     bytes < m->db[db].bytes ? "its end is missing"
                                             : "its content was changed");
    } else {
        ok = true;
    }
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return ok;
}

bool
manifest_read(struct manifest *m, const char *folder)
{
    char *path = xasprintf("%s/" NAME, folder);
    struct json *json = NULL;
    bool ok = false;

    if (access(path, R_OK)) {
        backup_error("%s: %s", path,
                     errno == ENOENT
                         ? "not there, so this is no backup, or not all of one"
                         : ovs_strerror(errno));
    } else {
        json = json_from_file(path);
        ok = json->type == JSON_OBJECT && parse(m, json);
        if (!ok) {
            backup_error("%s is damaged, or of a later version", path);
        }
        json_destroy(json);
    }
    free(path);
    for (int db = 0; ok && db < HA_N_DBS; db++) {
        ok = check_file(m, folder, db);
    }
    return ok;
}

void
manifest_print(const struct manifest *m, const char *folder)
{
    printf("%s: of %s on %s%s\n", folder, m->time, m->host,
           m->in_sync == 1 ? ""
           : m->in_sync ? ", of which it is not known whether it was in sync"
                        : ", which was not in sync: it may be older");
    for (int db = 0; db < HA_N_DBS; db++) {
        const struct ha_pos *pos = &m->db[db].pos;

        if (pos->lineage) {
            printf("  %s at record %" PRIu64 " of epoch %" PRIu32 ".%" PRIu32
                   ", lineage %016" PRIx64 "\n",
                   ha_db_name(db), pos->seq, pos->epoch.n, pos->epoch.node,
                   pos->lineage);
        } else {
            printf("  %s at a position that is not known\n", ha_db_name(db));
        }
    }
    fflush(stdout);
}
