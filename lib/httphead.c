/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/httphead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A piece of the head. */
struct piece {
    const char *s;
    size_t n;
};

/* The length of the head with the empty line that ends it; 0 if that is not
 * there yet. */
static size_t
head_length(const char *data, size_t n)
{
    for (const char *p = data; (p = memchr(p, '\n', n - (p - data))); p++) {
        size_t left = n - (p - data);

        if (left >= 2 && p[1] == '\n') {
            return p - data + 2;
        }
        if (left >= 3 && p[1] == '\r' && p[2] == '\n') {
            return p - data + 3;
        }
    }
    return 0;
}

/* Cuts off 'rest' what stands before 'c', and 'c'. */
static struct piece
next_word(struct piece *rest, char c)
{
    const char *end = rest->n ? memchr(rest->s, c, rest->n) : NULL;
    struct piece word = *rest;

    if (end) {
        word.n = end - rest->s;
        rest->n -= word.n + 1;
        rest->s = end + 1;
    } else {
        rest->s += rest->n;
        rest->n = 0;
    }
    return word;
}

/* Cuts off the next line; its end is not part of it. */
static struct piece
next_line(struct piece *rest)
{
    struct piece line = next_word(rest, '\n');

    if (line.n && line.s[line.n - 1] == '\r') {
        line.n--;
    }
    return line;
}

static bool
equals(struct piece piece, const char *text)
{
    return piece.n == strlen(text) && !strncasecmp(piece.s, text, piece.n);
}

static struct piece
trim(struct piece p)
{
    while (p.n && (*p.s == ' ' || *p.s == '\t')) {
        p.s++;
        p.n--;
    }
    while (p.n && (p.s[p.n - 1] == ' ' || p.s[p.n - 1] == '\t')) {
        p.n--;
    }
    return p;
}

static enum httphead_method
parse_method(struct piece word)
{
    static const char *const names[] = { "GET", "HEAD", "OPTIONS" };

    for (int i = 0; i < HTTPHEAD_OTHER; i++) {
        if (word.n == strlen(names[i]) && !memcmp(word.s, names[i], word.n)) {
            return i;
        }
    }
    return HTTPHEAD_OTHER;
}

static int
copy(char dst[HTTPHEAD_TARGET_LEN], struct piece piece)
{
    if (piece.n >= HTTPHEAD_TARGET_LEN) {
        return -EMSGSIZE;
    }
    memcpy(dst, piece.s, piece.n);
    dst[piece.n] = '\0';
    return 0;
}

static int
parse_request_line(struct piece line, struct httphead *head)
{
    struct piece method = next_word(&line, ' ');
    struct piece target = next_word(&line, ' ');
    struct piece path = next_word(&target, '?');
    int error;

    if (!method.n || !path.n || *path.s != '/' || line.n != 8
        || memcmp(line.s, "HTTP/1.", 7)
        || (line.s[7] != '0' && line.s[7] != '1')) {
        return -EPROTO;
    }
    head->method = parse_method(method);
    head->keep_alive = line.s[7] == '1';
    error = copy(head->path, path);
    return error ? error : copy(head->query, target);
}

/* True if 'list', words separated by commas, has 'word'; what follows a
 * word's ';' does not count. */
static bool
has_word(struct piece list, const char *word)
{
    while (list.n) {
        struct piece item = next_word(&list, ',');

        if (equals(trim(next_word(&item, ';')), word)) {
            return true;
        }
    }
    return false;
}

static int
parse_header(struct piece line, struct httphead *head)
{
    struct piece name = next_word(&line, ':'), value = trim(line);

    if (!name.n || name.s + name.n == line.s || *name.s == ' '
        || *name.s == '\t') {
        return -EPROTO;
    }
    if (equals(name, "Connection")) {
        if (has_word(value, "close")) {
            head->keep_alive = false;
        } else if (has_word(value, "keep-alive")) {
            head->keep_alive = true;
        }
    } else if (equals(name, "Accept")) {
        head->openmetrics |= has_word(value, "application/openmetrics-text");
    } else if (equals(name, "Transfer-Encoding")
               || (equals(name, "Content-Length") && !equals(value, "0"))) {
        return -EOPNOTSUPP;
    }
    return 0;
}

ssize_t
httphead_parse(const char *data, size_t n, struct httphead *ret_head)
{
    struct httphead head = { .method = HTTPHEAD_OTHER };
    size_t length = head_length(data, n);
    struct piece rest = { data, length }, line;
    int error;

    if (length > HTTPHEAD_MAX || (!length && n >= HTTPHEAD_MAX)) {
        return -EMSGSIZE;
    }
    if (!length) {
        return 0;
    }
    if (memchr(data, '\0', length)) {
        return -EPROTO;
    }
    error = parse_request_line(next_line(&rest), &head);
    while (!error && (line = next_line(&rest)).n) {
        error = parse_header(line, &head);
    }
    if (error) {
        return error;
    }
    *ret_head = head;
    return length;
}

int
httphead_number(const struct httphead *head, const char *name,
                long long *ret_value)
{
    struct piece rest = { head->query, strlen(head->query) };

    while (rest.n) {
        struct piece value = next_word(&rest, '&');
        struct piece key = next_word(&value, '=');
        long long number = 0;

        if (!equals(key, name)) {
            continue;
        }
        for (size_t i = 0; i < value.n; i++) {
            if (value.s[i] < '0' || value.s[i] > '9' || i >= 18) {
                return -EINVAL;
            }
            number = number * 10 + value.s[i] - '0';
        }
        *ret_value = number;
        return value.n ? 0 : -EINVAL;
    }
    return -ENOENT;
}
