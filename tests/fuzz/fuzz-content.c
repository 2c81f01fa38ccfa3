/* SPDX-License-Identifier: Apache-2.0 */

/* What a peer's verifier says: its questions, and its answers to ours.  The
 * first byte says which; then each line is one of them, as JSON. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openvswitch/json.h"
#include "util.h"

#include "replica/content.h"
#include "replica/shadow.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/logfile.h"

#define ROW                                                \
    "{\"Root\":{\"00000000-0000-4000-8000-000000000001\":" \
    "{\"name\":\"one\",\"n\":7},"                          \
    "\"00000000-0000-4000-8000-000000000002\":"            \
    "{\"name\":\"two\",\"ids\":[\"map\",[[\"k\",\"v\"]]]}}}"

/* Two rows, loaded once: nothing here changes them. */
static struct shadow *
get_shadow(void)
{
    static struct shadow *shadow;

    if (!shadow) {
        const char *path = logfile_path("content.db");
        char why[SHADOW_WHY_LEN] = "";
        struct stat st;
        int fd;

        logfile_begin(path, false);
        logfile_append_record(path, ROW, strlen(ROW));
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert(fd >= 0 && !fstat(fd, &st));
        shadow = shadow_create(fd, st.st_size, NULL);
        assert(!shadow_load(shadow, st.st_size, why));
    }
    return shadow;
}

/* The next line as JSON; NULL if there is none, or it is none. */
static struct json *
next_json(struct fuzz *in)
{
    struct json *json;
    size_t n = 0;
    char *text;

    if (!in->n) {
        return NULL;
    }
    while (n < in->n && in->p[n] != '\n') {
        n++;
    }
    text = xmemdup0((const char *) in->p, n);
    fuzz_bytes(in, n + 1, &n);
    json = json_from_string(text);
    free(text);
    if (json->type == JSON_STRING) { /* Or an error. */
        json_destroy(json);
        return NULL;
    }
    return json;
}

static struct json *
ask(void *in, struct json *question)
{
    json_destroy(question);
    return next_json(in);
}

static void
check_text(const char *text, size_t size)
{
    assert(strnlen(text, size) < size);
}

static void
check_compare(struct content *content, struct fuzz *in)
{
    struct content_result r;
    int error = content_compare(content, ask, in, &r);

    assert(!error || error == -EPIPE || error == -EBADMSG);
    assert(r.n_found <= WIRE_R_DIFFERENCES);
    for (uint32_t i = 0; i < r.n_found; i++) {
        check_text(r.found[i].table, sizeof r.found[i].table);
        check_text(r.found[i].row, sizeof r.found[i].row);
        check_text(r.found[i].column, sizeof r.found[i].column);
        check_text(r.found[i].there, sizeof r.found[i].there);
        check_text(r.found[i].here, sizeof r.found[i].here);
    }
}

static void
check_answers(struct content *content, struct fuzz *in)
{
    struct json *question;

    while ((question = next_json(in))) {
        json_destroy(content_answer(content, question));
        json_destroy(question);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = { .p = data, .n = size };
    bool compares = fuzz_byte(&in) & 1;
    struct content *content = content_create(get_shadow());

    if (compares) {
        check_compare(content, &in);
    } else {
        check_answers(content, &in);
    }
    content_destroy(content);
    return 0;
}
