/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/certs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/log.h"
#include "lib/xalloc.h"

#define LOOK_MS 1000
#define SOON_S (30 * 24 * 3600) /* A certificate that ends by then is told. */

/* What tells one state of a file from another. */
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

struct certs {
    struct tls_files files;
    struct tls *tls;
    struct stamp stamps[3]; /* Of what 'tls' was made of. */
    int64_t next_look_ms;
    char why[TLS_WHY_LEN];
};

struct certs *
certs_create(const struct tls_files *files)
{
    struct certs *c = ha_calloc(1, sizeof *c);

    c->files = *files;
    return c;
}

void
certs_destroy(struct certs *c)
{
    if (c) {
        tls_destroy(c->tls);
        free(c);
    }
}

static void
stamp(const char *file, struct stamp *ret)
{
    struct stat st;

    memset(ret, 0, sizeof *ret);
    if (!stat(file, &st)) {
        ret->dev = st.st_dev;
        ret->ino = st.st_ino;
        ret->size = st.st_size;
        ret->mtime.tv_sec = st.st_mtim.tv_sec;
        ret->mtime.tv_nsec = st.st_mtim.tv_nsec;
    }
}

static void
tell_validity(const struct certs *c)
{
    time_t until = tls_valid_until(c->tls);
    char date[32];
    struct tm tm;

    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&until, &tm));
    ha_log(until - time(NULL) < SOON_S ? HA_LOG_WARN : HA_LOG_INFO, "certs",
           "%s is used; it is valid until %s", c->files.certificate, date);
}

void
certs_run(struct certs *c, int64_t now_ms)
{
    struct stamp stamps[3];
    char why[TLS_WHY_LEN];
    struct tls *tls;

    if (now_ms < c->next_look_ms) {
        return;
    }
    c->next_look_ms = now_ms + LOOK_MS;
    memset(stamps, 0, sizeof stamps);
    stamp(c->files.private_key, &stamps[0]);
    stamp(c->files.certificate, &stamps[1]);
    stamp(c->files.ca_cert, &stamps[2]);
    if (c->tls && !memcmp(stamps, c->stamps, sizeof stamps)) {
        c->why[0] = '\0';
        return;
    }
    if (tls_create(&c->files, &tls, why)) {
        if (strcmp(c->why, why)) {
            ha_log(HA_LOG_ERR, "certs", "%s; %s", why,
                   c->tls ? "the old files stay in use"
                          : "log shipping waits for it");
        }
        strcpy(c->why, why);
        return;
    }
    tls_destroy(c->tls);
    c->tls = tls;
    c->why[0] = '\0';
    memcpy(c->stamps, stamps, sizeof stamps);
    tell_validity(c);
}

const struct tls *
certs_tls(const struct certs *c)
{
    return c->tls;
}

const char *
certs_why(const struct certs *c)
{
    return c->why;
}
