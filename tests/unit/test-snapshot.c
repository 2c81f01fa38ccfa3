/* SPDX-License-Identifier: Apache-2.0 */

#include "replica/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/record.h"

#define SCHEMA "{\"name\":\"X\"}"

struct bench {
    char folder[64], file[80], coming[96], offer[96];
    int like;
    char log[1024]; /* Of the source. */
    size_t first, n;
};

static void
add_record(struct bench *b, const char *body)
{
    char header[RECORD_HEADER_MAX];
    size_t n = record_format_header(body, strlen(body), header);

    memcpy(b->log + b->n, header, n);
    memcpy(b->log + b->n + n, body, strlen(body));
    b->n += n + strlen(body);
}

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    strcpy(b->folder, "/tmp/test-snapshot.XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->file, sizeof b->file, "%s/db", b->folder);
    snprintf(b->coming, sizeof b->coming, "%s.snapshot", b->file);
    snprintf(b->offer, sizeof b->offer, "%s.install", b->file);
    b->like = open(b->file, O_RDWR | O_CREAT, 0640);
    assert_true(b->like >= 0);
    assert_int_equal(fchmod(b->like, 0640), 0);
    add_record(b, "{ \"name\" : \"X\" }\n");
    b->first = b->n;
    add_record(b, "{\"T\":{}}\n");
    add_record(b, "{\"_date\":5}\n");
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    snapshot_clean(b->file);
    close(b->like);
    unlink(b->file);
    assert_int_equal(rmdir(b->folder), 0);
    free(b);
    return 0;
}

static struct snapshot *
create(const struct bench *b)
{
    struct snapshot_spec spec = {
        .file = b->file,
        .like = b->like,
        .schema = SCHEMA,
        .pos = { .lineage = 1, .epoch = { 2, 3 }, .seq = 4, .chain = 5 },
        .bytes = b->n,
    };
    struct snapshot *s;

    assert_int_equal(snapshot_create(&spec, &s), 0);
    return s;
}

/* Checks that the file is the schema, the record with the position, and what
 * the source has behind its own schema. */
static void
check_file(const struct bench *b, const struct snapshot *s)
{
    static const char schema[] = SCHEMA "\n";
    size_t rest = b->n - b->first;
    char buf[2048], *p = buf;
    struct record_comment c;
    struct record_header h;
    ssize_t n = pread(snapshot_fd(s), buf, sizeof buf, 0);

    assert_int_equal(n, snapshot_bytes(s));
    assert_int_equal(record_parse_header(p, n, &h), 0);
    assert_int_equal(h.body_len, strlen(schema));
    assert_memory_equal(p + h.header_len, schema, h.body_len);
    p += h.header_len + h.body_len;
    assert_int_equal(record_parse_header(p, buf + n - p, &h), 0);
    p += h.header_len;
    assert_int_equal(record_find_comment(p, h.body_len, &c), RECORD_INSTALL);
    assert_int_equal(c.end, n);
    assert_int_equal(c.pos.lineage, 1);
    assert_int_equal(c.pos.seq, 4);
    p += h.body_len;
    assert_int_equal(buf + n - p, rest);
    assert_memory_equal(p, b->log + b->first, rest);
}

/* However the bytes are cut. */
static void
test_write(void **state)
{
    const struct bench *b = *state;

    for (size_t piece = 1; piece <= b->n; piece++) {
        struct snapshot *s = create(b);

        for (size_t off = 0; off < b->n; off += piece) {
            size_t n = b->n - off < piece ? b->n - off : piece;

            assert_false(snapshot_is_complete(s));
            assert_int_equal(snapshot_write(s, b->log + off, n), 0);
        }
        assert_true(snapshot_is_complete(s));
        assert_int_equal(snapshot_have(s), b->n);
        check_file(b, s);
        snapshot_destroy(s);
        assert_int_equal(access(b->coming, F_OK), -1);
    }
}

static void
test_garbage(void **state)
{
    struct bench *b = *state;
    struct snapshot *s = create(b);

    assert_int_equal(snapshot_write(s, "no database", 11), -EBADMSG);
    snapshot_destroy(s);
    s = create(b);
    assert_int_equal(snapshot_write(s, b->log, b->n), 0);
    assert_int_equal(snapshot_write(s, "x", 1), -EBADMSG);
    snapshot_destroy(s);
}

static void
test_offer(void **state)
{
    const struct bench *b = *state;
    struct snapshot *s = create(b);
    uint64_t dev, ino;
    struct stat st;

    assert_int_equal(snapshot_write(s, b->log, b->n), 0);
    assert_int_equal(access(b->offer, F_OK), -1);
    assert_int_equal(snapshot_offer(s), 0);
    assert_int_equal(access(b->coming, F_OK), -1);
    snapshot_get_id(s, &dev, &ino);
    assert_int_equal(stat(b->offer, &st), 0);
    assert_int_equal(st.st_ino, ino);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, snapshot_bytes(s));
    snapshot_destroy(s);
    assert_int_equal(access(b->offer, F_OK), -1);
}

/* Once it has the database's name it is not removed. */
static void
test_installed(void **state)
{
    const struct bench *b = *state;
    struct snapshot *s = create(b);

    assert_int_equal(snapshot_write(s, b->log, b->n), 0);
    assert_int_equal(snapshot_offer(s), 0);
    assert_int_equal(rename(b->offer, b->file), 0);
    snapshot_destroy(s);
    assert_int_equal(access(b->file, F_OK), 0);
}

static void
test_no_room(void **state)
{
    const struct bench *b = *state;
    struct snapshot_spec spec = {
        .file = b->file,
        .like = b->like,
        .schema = SCHEMA,
        .bytes = UINT64_C(1) << 60,
    };
    struct snapshot *s;

    assert_true(snapshot_create(&spec, &s) < 0);
    assert_int_equal(access(b->coming, F_OK), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_installed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
    };

    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
