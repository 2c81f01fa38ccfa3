/* SPDX-License-Identifier: Apache-2.0 */

/* The record parser: a header line, the position in a record's comment, its
 * date, and one whole record read from a file. */

#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/digest.h"
#include "replica/oplog.h"
#include "tests/fuzz/fuzz.h"

static void
check_header(const char *text, size_t n)
{
    struct record_header h, cut;

    if (record_parse_header(text, n, &h)) {
        return;
    }
    assert(h.header_len <= RECORD_HEADER_MAX && h.header_len <= n);
    assert(text[h.header_len - 1] == '\n');
    assert(h.body_len && h.body_len <= RECORD_BODY_MAX);
    /* What is cut short is never taken for a whole line. */
    for (size_t i = 0; i < h.header_len; i++) {
        assert(record_parse_header(text, i, &cut) == -EAGAIN);
    }
}

static bool
pos_equals(const struct ha_pos *a, const struct ha_pos *b)
{
    return a->lineage == b->lineage && a->epoch.n == b->epoch.n
           && a->epoch.node == b->epoch.node && a->seq == b->seq
           && a->chain == b->chain;
}

/* A position that is found is the same one when it is written again. */
static void
check_comment(const char *text, size_t n)
{
    static const char lead[] = "\"_comment\":\"";
    char body[sizeof lead + RECORD_COMMENT_MAX];
    struct record_comment c, again;
    enum record_kind kind = record_find_comment(text, n, &c);

    if (kind == RECORD_PLAIN) {
        return;
    }
    memcpy(body, lead, sizeof lead - 1);
    record_format_comment(kind, &c, body + sizeof lead - 1);
    strcat(body, "\"");
    assert(record_find_comment(body, strlen(body), &again) == kind);
    assert(pos_equals(&c.pos, &again.pos));
    assert(kind == RECORD_RESYNC || c.prev == again.prev);
}

static void
check_file(const uint8_t *data, size_t n)
{
    int fd = memfd_create("record", MFD_CLOEXEC);
    uint8_t sha1[RECORD_SHA1_LEN];
    struct record_header h;
    char *body;

    assert(fd >= 0 && write(fd, data, n) == (ssize_t) n);
    if (oplog_read_record(fd, 0, &h, &body) == 1) {
        assert(h.header_len + (uint64_t) h.body_len <= n);
        assert(!memcmp(body, data + h.header_len, h.body_len));
        assert(!body[h.body_len]);
        digest_sha1(body, h.body_len, sha1);
        assert(!memcmp(sha1, h.sha1, sizeof sha1));
        free(body);
    }
    close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz in = { .p = data, .n = n };
    int mode = fuzz_byte(&in) % 4;
    const char *text = (const char *) in.p;

    if (mode == 0) {
        check_header(text, in.n);
    } else if (mode == 1) {
        check_comment(text, in.n);
    } else if (mode == 2) {
        assert(record_find_date(text, in.n) >= 0);
    } else {
        check_file(in.p, in.n);
    }
    return 0;
}
