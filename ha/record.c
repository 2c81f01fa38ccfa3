/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/record.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/durable.h"
#include "lib/xalloc.h"

#define HEADING "ovn-ha record "
#define VERSION 1

/* FNV-1a: guards against accidents, not against malice. */
static uint64_t
checksum(const char *data, size_t n)
{
    uint64_t sum = 0xcbf29ce484222325;

    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ (unsigned char) data[i]) * 0x100000001b3;
    }
    return sum;
}

/* Only while it is paused does the line hold more than earlier versions read:
 * they must not take such a record for one under which leases end. */
static void
print_paused(const struct ha_record *r, char *buf, size_t size)
{
    if (r->paused) {
        snprintf(buf, size, "paused %" PRIu32 " %" PRIu64 "\n", r->paused,
                 r->paused_ms);
    } else {
        snprintf(buf, size, "paused 0\n");
    }
}

size_t
record_print(const struct ha_durable *d, char buf[RECORD_MAX])
{
    const struct ha_record *r = &d->record;
    char in_sync[256], suspects[256], paused[64], alone[32] = "";
    int n;

    print_paused(r, paused, sizeof paused);
    if (d->alone) {
        /* Earlier versions must not take it for one that all agreed on. */
        snprintf(alone, sizeof alone, "alone %" PRIu32 "\n", d->alone);
    }
    n = snprintf(buf, RECORD_MAX,
                 HEADING "%d\n"
                         "promised %" PRIu32 " %" PRIu32 "\n"
                         "accepted %" PRIu32 " %" PRIu32 "\n"
                         "revision %" PRIu32 "\n"
                         "lineage %016" PRIx64 "\n"
                         "epoch %" PRIu32 " %" PRIu32 "\n"
                         "active %" PRIu32 "\n"
                         "%s"
                         "lease-us %" PRId64 "\n"
                         "in-sync %s\n"
                         "suspects %s\n"
                         "%s",
                 VERSION, d->promised.n, d->promised.node, d->accepted.n,
                 d->accepted.node, d->rev, r->lineage, r->epoch.n,
                 r->epoch.node, r->active, paused, r->lease_us,
                 ha_set_print(&r->in_sync, in_sync, sizeof in_sync),
                 ha_set_print(&r->suspects, suspects, sizeof suspects), alone);
    n += snprintf(buf + n, RECORD_MAX - n, "checksum %016" PRIx64 "\n",
                  checksum(buf, n));
    assert(n < RECORD_MAX);
    return n;
}

/* Reads "KEY IDS...\n" at '*p' and moves on. */
static int
parse_set(const char **p, const char *key, struct ha_set *set)
{
    size_t n = strlen(key);
    char *end;

    if (strncmp(*p, key, n)) {
        return -EBADMSG;
    }
    for (*p += n; **p == ' '; *p = end) {
        unsigned long id = strtoul(*p + 1, &end, 10);

        if (end == *p + 1) {
            (*p)++;
            break; /* No ids. */
        }
        if (!id || id > UINT32_MAX || set->n == HA_MAX_NODES) {
            return -EBADMSG;
        }
        ha_set_add(set, id);
    }
    return *(*p)++ == '\n' ? 0 : -EBADMSG;
}

int
record_parse(const char *text, struct ha_durable *ret_durable)
{
    struct ha_durable d = { .rev = 0 };
    struct ha_record *r = &d.record;
    const char *sum = strstr(text, "\nchecksum "), *p;
    char want[40], paused[64];
    int version, n = 0;

    if (sscanf(text, HEADING "%d", &version) != 1) {
        return -EBADMSG;
    }
    if (version != VERSION) {
        return -EPROTONOSUPPORT;
    }
    if (!sum) {
        return -EBADMSG;
    }
    snprintf(want, sizeof want, "\nchecksum %016" PRIx64 "\n",
             checksum(text, sum + 1 - text));
    if (strcmp(sum, want)) {
        return -EBADMSG;
    }
    if (sscanf(text,
               HEADING "%*d\n"
                       "promised %" SCNu32 " %" SCNu32 "\n"
                       "accepted %" SCNu32 " %" SCNu32 "\n"
                       "revision %" SCNu32 "\n"
                       "lineage %" SCNx64 "\n"
                       "epoch %" SCNu32 " %" SCNu32 "\n"
                       "active %" SCNu32 "\n"
                       "paused %63[0-9 ]\n"
                       "lease-us %" SCNd64 "%n",
               &d.promised.n, &d.promised.node, &d.accepted.n,
               &d.accepted.node, &d.rev, &r->lineage, &r->epoch.n,
               &r->epoch.node, &r->active, paused, &r->lease_us, &n)
            != 11
        || text[n] != '\n'
        || sscanf(paused, "%" SCNu32 " %" SCNu64, &r->paused, &r->paused_ms)
               != (strchr(paused, ' ') ? 2 : 1)) {
        return -EBADMSG;
    }
    p = text + n + 1;
    if (parse_set(&p, "in-sync", &r->in_sync)
        || parse_set(&p, "suspects", &r->suspects)) {
        return -EBADMSG;
    }
    if (sscanf(p, "alone %" SCNu32 "%n", &d.alone, &n) == 1) {
        p += n + 1;
    }
    if (p != sum + 1) {
        return -EBADMSG;
    }
    *ret_durable = d;
    return 0;
}

int
record_write(const char *path, const struct ha_durable *d)
{
    char buf[RECORD_MAX];
    size_t n = record_print(d, buf);

    return durable_write(path, buf, n, 0600);
}

int
record_read(const char *path, struct ha_durable *ret_durable)
{
    char *text;
    size_t n;
    int error = durable_read(path, RECORD_MAX, &text, &n);

    if (!error) {
        error = record_parse(text, ret_durable);
        free(text);
    }
    return error == -EFBIG ? -EBADMSG : error;
}

/* Links before it unlinks: a name that is taken is left alone, and whatever
 * fails, the record is somewhere. */
int
record_set_aside(const char *path, const char *state_dir, char **ret_path)
{
    char *folder = ha_asprintf("%s/diverged", state_dir), *to = NULL;
    int error = mkdir(folder, 0750) && errno != EEXIST ? -errno : -EEXIST;

    for (int i = 0; error == -EEXIST; i++) {
        free(to);
        to = ha_asprintf("%s/record-%lld.%d", folder, (long long) time(NULL),
                         i);
        error = link(path, to) ? -errno : 0;
    }
    if (!error) {
        error = durable_sync_folder_of(to);
    }
    if (!error) {
        error = durable_remove(path);
    }
    if (error) {
        free(to);
    } else {
        *ret_path = to;
    }
    free(folder);
    return error;
}
