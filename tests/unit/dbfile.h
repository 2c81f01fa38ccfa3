/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_DBFILE_H
#define TESTS_UNIT_DBFILE_H 1

/* An OVSDB file in memory, for tests of what reads one.  Include it after
 * cmocka.h. */

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replica/record.h"
#include "replica/shadow.h"

struct dbfile {
    int fd;
    uint64_t n;
};

static inline void
dbfile_add(struct dbfile *f, const char *body)
{
    char header[RECORD_HEADER_MAX];
    size_t n = strlen(body);
    size_t len = record_format_header(body, n, header);

    assert_int_equal(pwrite(f->fd, header, len, f->n), len);
    assert_int_equal(pwrite(f->fd, body, n, f->n + len), n);
    f->n += len + n;
}

/* The caller closes it. */
static inline void
dbfile_open(struct dbfile *f, const char *schema)
{
    f->fd = memfd_create("db", MFD_CLOEXEC);
    f->n = 0;
    assert_true(f->fd >= 0);
    dbfile_add(f, schema);
}

/* The caller destroys it. */
static inline struct shadow *
dbfile_load(const struct dbfile *f)
{
    struct shadow *shadow = shadow_create(f->fd, f->n, NULL);
    char why[SHADOW_WHY_LEN] = "";

    assert_int_equal(shadow_load(shadow, f->n, why), 0);
    return shadow;
}

#endif /* tests/unit/dbfile.h */
