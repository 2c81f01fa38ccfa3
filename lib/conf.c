/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/conf.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/netaddr.h"
#include "lib/conf-private.h"
#include "lib/wire.h"
#include "lib/xalloc.h"

/* Values. */

static void *
member_of(const void *base, const struct conf_option *option)
{
    return (char *) base + option->offset;
}

static bool
option_is_string(const struct conf_option *option)
{
    return option->type == CONF_PATH || option->type == CONF_REMOTES
           || option->type == CONF_GROUP || option->type == CONF_ADDRESS
           || option->type == CONF_WORDS || option->type == CONF_PREFIXES
           || option->type == CONF_INTERFACE;
}

/* Each of the functions that parse a value returns NULL or the reason why it
 * is wrong, which the caller frees. */

static char *
parse_int(const struct conf_option *option, const char *text, int *ret_value)
{
    long long value;
    char *end;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end) {
        return ha_asprintf("\"%s\" is not a whole number", text);
    } else if (errno || value < option->min || value > option->max) {
        return ha_asprintf("%s is out of range: from %d to %d", text,
                           option->min, option->max);
    }
    *ret_value = value;
    return NULL;
}

static char *
parse_bool(const char *text, bool *ret_value)
{
    static const char *const words[][2] = { { "no", "yes" },
                                            { "false", "true" },
                                            { "off", "on" } };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (int value = 0; value < 2; value++) {
            if (!strcmp(text, words[i][value])) {
                *ret_value = value;
                return NULL;
            }
        }
    }
    return ha_asprintf("\"%s\" is neither yes nor no", text);
}

static const char *const tristate_words[] = {
    [CONF_OFF] = "off",
    [CONF_AUTO] = "auto",
    [CONF_ON] = "on",
};

static char *
parse_tristate(const char *text, enum conf_tristate *ret_value)
{
    for (int value = CONF_OFF; value <= CONF_ON; value++) {
        if (!strcmp(text, tristate_words[value])) {
            *ret_value = value;
            return NULL;
        }
    }
    return ha_asprintf("\"%s\" is none of off, auto and on", text);
}

static const char *const policies[] = { "auto", "stop", "fence" };

static char *
parse_policy(const char *text, int *ret_value)
{
    for (int i = 0; i < 3; i++) {
        if (!strcmp(text, policies[i])) {
            *ret_value = i;
            return NULL;
        }
    }
    return ha_asprintf("\"%s\" is none of auto, stop and fence", text);
}

static char *
check_path(const struct conf_option *option, const char *text)
{
    if (!*text && *option->def) {
        return ha_strdup("it is empty");
    } else if (*text && *text != '/') {
        return ha_asprintf("\"%s\" is not an absolute path", text);
    }
    return NULL;
}

/* Checks one remote: ptcp:PORT[:ADDRESS] or pssl:PORT[:ADDRESS]. */
static bool
remote_is_valid(const char *remote, size_t n)
{
    char port[6];
    size_t digits;

    if (n < 6 || (memcmp(remote, "ptcp:", 5) && memcmp(remote, "pssl:", 5))) {
        return false;
    }
    remote += 5;
    n -= 5;
    digits = strspn(remote, "0123456789");
    if (digits < 1 || digits > 5 || digits > n) {
        return false;
    }
    memcpy(port, remote, digits);
    port[digits] = '\0';
    return atoi(port) >= 1 && atoi(port) <= 65535
           && (digits == n || (remote[digits] == ':' && digits + 1 < n));
}

static char *
check_remotes(const char *text)
{
    while (*text) {
        size_t n;

        text += strspn(text, ", ");
        n = strcspn(text, ", ");
        if (n && !remote_is_valid(text, n)) {
            return ha_asprintf("\"%.*s\" is not of the form "
                               "ptcp:PORT[:ADDRESS] or pssl:PORT[:ADDRESS]",
                               (int) n, text);
        }
        text += n;
    }
    return NULL;
}

static char *
check_group(const char *text)
{
    return text[strcspn(text, " \t:,/")]
               ? ha_asprintf("\"%s\" is not the name of one group", text)
               : NULL;
}

static char *
check_address(const char *text)
{
    struct sockaddr_storage addr;
    socklen_t n;

    return *text && netaddr_parse(text, &addr, &n)
               ? ha_asprintf("\"%s\" is not of the form ADDRESS:PORT or "
                             "[ADDRESS]:PORT, in numbers",
                             text)
               : NULL;
}

/* Each address is valid, they are not too many, and none is there twice. */
static char *
check_prefixes(const char *text)
{
    struct netaddr_prefix found[CONF_MAX_ADDRESSES], p;
    size_t n_found = 0, n;

    for (; (n = conf_word(&text)); text += n) {
        const char *wrong = netaddr_parse_prefix(text, n, &p);

        if (wrong) {
            return ha_asprintf("\"%.*s\" %s", (int) n, text, wrong);
        } else if (n_found == CONF_MAX_ADDRESSES) {
            return ha_asprintf("more than %d addresses", CONF_MAX_ADDRESSES);
        }
        for (size_t i = 0; i < n_found; i++) {
            if (found[i].family == p.family
                && !memcmp(found[i].bytes, p.bytes, sizeof p.bytes)) {
                return ha_asprintf("\"%.*s\" is there twice", (int) n, text);
            }
        }
        found[n_found++] = p;
    }
    return NULL;
}

static char *
check_interface(const char *text)
{
    return strlen(text) >= CONF_IFNAME_LEN || text[strcspn(text, " \t:,/")]
               ? ha_asprintf("\"%s\" is not the name of a network interface",
                             text)
               : NULL;
}

/* Status and events are JSON, which holds nothing else. */
static char *
check_utf8(const char *text)
{
    json_t *json = json_string(text);

    json_decref(json);
    return json ? NULL : ha_strdup("it is not UTF-8");
}

char *
conf_set_value(void *base, const struct conf_option *option, const char *text)
{
    void *member = member_of(base, option);
    char *reason = check_utf8(text);

    if (reason) {
        return reason;
    }
    switch (option->type) {
    case CONF_INT:
        return parse_int(option, text, member);
    case CONF_BOOL:
        return parse_bool(text, member);
    case CONF_TRISTATE:
        return parse_tristate(text, member);
    case CONF_POLICY:
        return parse_policy(text, member);
    case CONF_PATH:
        reason = check_path(option, text);
        break;
    case CONF_REMOTES:
        reason = check_remotes(text);
        break;
    case CONF_GROUP:
        reason = check_group(text);
        break;
    case CONF_ADDRESS:
        reason = check_address(text);
        break;
    case CONF_PREFIXES:
        reason = check_prefixes(text);
        break;
    case CONF_INTERFACE:
        reason = check_interface(text);
        break;
    case CONF_WORDS:
        break;
    }
    if (!reason) {
        free(*(char **) member);
        *(char **) member = ha_strdup(text);
    }
    return reason;
}

void
conf_set_defaults(void *base, const struct conf_option *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *reason = conf_set_value(base, &table[i], table[i].def);

        assert(!reason);
    }
}

void
conf_free_values(void *base, const struct conf_option *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (option_is_string(&table[i])) {
            free(*(char **) member_of(base, &table[i]));
        }
    }
}

static bool
has_word(const char *text, const char *word)
{
    size_t n;

    for (; (n = conf_word(&text)); text += n) {
        if (strlen(word) == n && !strncmp(word, text, n)) {
            return true;
        }
    }
    return false;
}

int
conf_last_line(const struct conf *conf, const char *section, const char *names)
{
    int line = 0;

    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        if (!strcmp(conf_options[i].section, section)
            && has_word(names, conf_options[i].name)
            && conf->lines[i] > line) {
            line = conf->lines[i];
        }
    }
    return line;
}

/* What is said to everyone who connects is said to nobody in clear. */
static char *
check_status(const struct conf *conf, int *ret_line)
{
    struct sockaddr_storage addr;
    socklen_t n;

    if (!*conf->status_private_key != !*conf->status_certificate
        || (*conf->status_ca_cert && !*conf->status_certificate)) {
        *ret_line =
            conf_last_line(conf, "status", "private-key certificate ca-cert");
        return ha_strdup("[status] private-key and certificate go together, "
                         "and ca-cert needs both");
    }
    if (*conf->status_listen && !*conf->status_certificate
        && !netaddr_parse(conf->status_listen, &addr, &n)
        && !netaddr_is_loopback(&addr)) {
        *ret_line = conf_last_line(conf, "status", "listen");
        return ha_asprintf("[status] listen is %s, which is no loopback "
                           "address: give private-key and certificate, too",
                           conf->status_listen);
    }
    return NULL;
}

bool
conf_has_watchdog(const struct conf *conf)
{
    return !conf->witness
           && (*conf->watchdog_device || *conf->watchdog_identity);
}

int
conf_watchdog_max_ms(const struct conf *conf)
{
    /* What is fed on each acknowledged beat may miss one; and with no time
     * for a feeding, none would be allowed at all (fence/feed.h). */
    return conf->lease_ms - 2 * conf->beat_ms - WATCHDOG_SLACK_MS;
}

int
conf_watchdog_timeout_s(const struct conf *conf)
{
    int longest_s = conf_watchdog_max_ms(conf) / 1000;

    return conf->watchdog_timeout_s ? conf->watchdog_timeout_s
           : longest_s > 0          ? longest_s
                                    : 1; /* None is shorter. */
}

/* A watchdog that bites after the lease is over protects nothing. */
static char *
check_watchdog(const struct conf *conf, int *ret_line)
{
    int timeout_s = conf_watchdog_timeout_s(conf);

    if (!conf_has_watchdog(conf)) {
        return NULL;
    }
    *ret_line = conf_last_line(conf, "watchdog",
                               "device identity timeout-s pretimeout-s");
    if (strlen(conf->watchdog_identity) > CONF_IDENTITY_LEN) {
        return ha_asprintf("[watchdog] identity has more than %d characters",
                           CONF_IDENTITY_LEN);
    } else if (timeout_s * 1000 > conf_watchdog_max_ms(conf)) {
        return ha_asprintf("unsafe timing: the watchdog has to bite within "
                           "the lease, but 1000 * timeout-s + 2 * beat-ms + "
                           "%d <= lease-ms does not hold: 1000 * %d + 2 * %d "
                           "+ %d > %d; raise [timing] lease-ms on every node",
                           WATCHDOG_SLACK_MS, timeout_s, conf->beat_ms,
                           WATCHDOG_SLACK_MS, conf->lease_ms);
    } else if (conf->watchdog_pretimeout_s >= timeout_s) {
        return ha_asprintf("unsafe timing: [watchdog] pretimeout-s < "
                           "timeout-s does not hold: %d >= %d",
                           conf->watchdog_pretimeout_s, timeout_s);
    }
    return NULL;
}

/* Returns NULL or the violated condition, and the line that completes it. */
static char *
check_together(struct conf *conf, int *ret_line)
{
    int n_tls = !!*conf->private_key + !!*conf->certificate + !!*conf->ca_cert;
    char *reason;

    if (!conf->beat_ms) {
        conf->beat_ms = conf->lease_ms / 10;
    }
    if (4 * conf->beat_ms > conf->lease_ms) {
        *ret_line = conf_last_line(conf, "timing", "beat-ms lease-ms");
        return ha_asprintf("unsafe timing: 4 * beat-ms <= lease-ms does not "
                           "hold: 4 * %d > %d",
                           conf->beat_ms, conf->lease_ms);
    }
    if (conf->port_nb == conf->port_sb) {
        *ret_line = conf_last_line(conf, "replication", "port-nb port-sb");
        return ha_asprintf("[replication] port-nb and port-sb are both %d",
                           conf->port_nb);
    }
    if (n_tls != 0 && n_tls != 3) {
        *ret_line = conf_last_line(conf, "replication",
                                   "private-key certificate ca-cert");
        return ha_strdup("[replication] private-key, certificate and ca-cert "
                         "go together: give all three or none");
    }
    if (!*conf->vip_address != !*conf->vip_interface) {
        *ret_line = conf_last_line(conf, "virtual-ip", "address interface");
        return ha_strdup("[virtual-ip] address and interface go together: "
                         "give both or none");
    }
    reason = check_watchdog(conf, ret_line);
    return reason ? reason : check_status(conf, ret_line);
}

/* The file. */

struct parser {
    struct conf *conf;
    FILE *stream;
    int line;       /* That is being read. */
    int error_line; /* Where 'reason' belongs to, 0 for the whole file. */
    char *reason;   /* First error, or NULL. */
};

/* Keeps the first error, and takes over 'reason'. */
static void
parser_fail(struct parser *parser, int line, char *reason)
{
    if (parser->reason) {
        free(reason);
    } else {
        parser->reason = reason;
        parser->error_line = line;
    }
}

/* Reads a line for inih, which by itself would neither count it for its
 * handler nor tell of one that is cut, and would take an indented line for
 * part of the value before it. */
static char *
read_line(char *buf, int size, void *parser_)
{
    struct parser *parser = parser_;
    size_t indent;

    if (parser->reason || !fgets(buf, size, parser->stream)) {
        return NULL;
    }
    parser->line++;
    if (!strchr(buf, '\n') && !feof(parser->stream)) {
        parser_fail(
            parser, parser->line,
            ha_asprintf("the line is longer than %d characters", size - 2));
        return NULL;
    }
    indent = strspn(buf, " \t");
    memmove(buf, buf + indent, strlen(buf + indent) + 1);
    return buf;
}

static const struct conf_option *
find_option(const char *section, const char *name)
{
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        if (!strcmp(conf_options[i].section, section)
            && !strcmp(conf_options[i].name, name)) {
            return &conf_options[i];
        }
    }
    return NULL;
}

static char *
handle_value(struct parser *parser, const char *section, const char *name,
             const char *value)
{
    const struct conf_option *option = find_option(section, name);
    char *reason, *full;
    int *line;

    if (conf_fence_owns(section)) {
        return conf_fence_set(parser->conf, section, name, value,
                              parser->line);
    } else if (!option) {
        return ha_asprintf("there is no option [%s] %s", section, name);
    }
    line = &parser->conf->lines[option - conf_options];
    if (*line) {
        return ha_asprintf("[%s] %s was given in line %d already", section,
                           name, *line);
    }
    *line = parser->line;
    reason = conf_set_value(parser->conf, option, value);
    if (!reason) {
        return NULL;
    }
    full = ha_asprintf("[%s] %s: %s", section, name, reason);
    free(reason);
    return full;
}

static int
handle(void *parser_, const char *section, const char *name, const char *value)
{
    struct parser *parser = parser_;
    char *reason = handle_value(parser, section, name, value);

    if (reason) {
        parser_fail(parser, parser->line, reason);
    }
    return 1;
}

static void
parse_stream(struct parser *parser)
{
    int line = ini_parse_stream(read_line, parser, handle, parser);

    if (line) {
        parser_fail(parser, line > 0 ? line : 0,
                    ha_strdup("neither [SECTION] nor NAME = VALUE"));
    }
    if (ferror(parser->stream)) {
        parser_fail(parser, 0, ha_strdup("cannot be read"));
    }
}

static char *
parser_error_text(const struct parser *parser, const char *file)
{
    if (!file) {
        return ha_strdup(parser->reason);
    } else if (!parser->error_line) {
        return ha_asprintf("%s: %s", file, parser->reason);
    }
    return ha_asprintf("%s:%d: %s", file, parser->error_line, parser->reason);
}

/* Opens the file, or leaves NULL for the defaults. */
static int
open_file(const char *file, bool required, FILE **ret_stream)
{
    *ret_stream = file ? fopen(file, "re") : NULL;
    if (!file || *ret_stream || (errno == ENOENT && !required)) {
        return 0;
    }
    return -errno;
}

/* True if others than its owner may read the file. */
static bool
is_open_to_others(FILE *stream)
{
    struct stat st;

    return fstat(fileno(stream), &st) || st.st_mode & 077;
}

int
conf_load(const char *file, bool required, struct conf **ret_conf,
          char **ret_error)
{
    struct parser parser = { .line = 0 };
    bool open_to_others = false;
    int error;

    error = open_file(file, required, &parser.stream);
    if (error) {
        *ret_error = ha_asprintf("%s: %s", file, strerror(-error));
        return error;
    }
    parser.conf = ha_calloc(1, sizeof *parser.conf);
    conf_set_defaults(parser.conf, conf_options, CONF_N_OPTIONS);
    parser.conf->file = file ? ha_strdup(file) : NULL;
    parser.conf->required = required;
    if (parser.stream) {
        parse_stream(&parser);
        open_to_others = is_open_to_others(parser.stream);
        fclose(parser.stream);
    }
    if (!parser.reason) {
        parser.reason = check_together(parser.conf, &parser.error_line);
    }
    if (!parser.reason) {
        parser.reason =
            conf_fence_check(parser.conf, open_to_others, &parser.error_line);
    }
    if (parser.reason) {
        *ret_error = parser_error_text(&parser, parser.conf->file);
        free(parser.reason);
        conf_destroy(parser.conf);
        return -EINVAL;
    }
    *ret_conf = parser.conf;
    return 0;
}

char *
conf_reload_refusal(const struct conf *old, const struct conf *new)
{
    char *reason = NULL;

    for (size_t i = 0; i < CONF_N_OPTIONS && !reason; i++) {
        const struct conf_option *option = &conf_options[i];
        char *was = conf_get_text(old, option);
        char *is = conf_get_text(new, option);

        if (conf_option_is_fixed(option) && strcmp(was, is)) {
            struct parser at = { .error_line = new->lines[i] };

            at.reason =
                ha_asprintf("[%s] %s cannot become %s by a reload, because "
                            "what runs here uses %s: stop ovn-had and start "
                            "it again, or leave that as it was",
                            option->section, option->name, is, was);
            reason = parser_error_text(&at, new->file);
            free(at.reason);
        }
        free(was);
        free(is);
    }
    return reason;
}

void
conf_destroy(struct conf *conf)
{
    if (!conf) {
        return;
    }
    conf_free_values(conf, conf_options, CONF_N_OPTIONS);
    conf_fence_destroy(conf);
    free(conf->file);
    free(conf);
}

/* Printing. */

/* Writes "[section]" if row 'i' is the first of it. */
static void
print_section(size_t i, const char *fmt, FILE *f)
{
    const char *section = conf_options[i].section;

    if (!i || strcmp(section, conf_options[i - 1].section)) {
        fprintf(f, fmt, i ? "\n" : "", section);
    }
}

static void
print_value(const void *base, const struct conf_option *option, FILE *f)
{
    const void *member = member_of(base, option);

    switch (option->type) {
    case CONF_INT:
        fprintf(f, "%d", *(const int *) member);
        break;
    case CONF_BOOL:
        fputs(*(const bool *) member ? "yes" : "no", f);
        break;
    case CONF_TRISTATE:
        fputs(tristate_words[*(const enum conf_tristate *) member], f);
        break;
    case CONF_POLICY:
        fputs(policies[*(const int *) member], f);
        break;
    case CONF_PATH:
    case CONF_REMOTES:
    case CONF_GROUP:
    case CONF_ADDRESS:
    case CONF_WORDS:
    case CONF_PREFIXES:
    case CONF_INTERFACE:
        fputs(*(char *const *) member, f);
        break;
    }
}

static int
compare_prefixes(const void *a_, const void *b_)
{
    const struct netaddr_prefix *a = a_, *b = b_;

    return a->family != b->family
               ? a->family - b->family
               : memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* Whatever order and form they are written in. */
static char *
same_prefixes(const char *text)
{
    struct netaddr_prefix list[CONF_MAX_ADDRESSES];
    char *out = ha_strdup(""), buf[INET6_ADDRSTRLEN];
    size_t n_list = 0, n;

    for (; (n = conf_word(&text)) && n_list < CONF_MAX_ADDRESSES; text += n) {
        n_list += !netaddr_parse_prefix(text, n, &list[n_list]);
    }
    qsort(list, n_list, sizeof list[0], compare_prefixes);
    for (size_t i = 0; i < n_list; i++) {
        char *longer = ha_asprintf(
            "%s%s%s/%u", out, i ? ", " : "",
            inet_ntop(list[i].family, list[i].bytes, buf, sizeof buf),
            list[i].bits);

        free(out);
        out = longer;
    }
    return out;
}

char *
conf_get_meaning(const struct conf *conf, const struct conf_option *option)
{
    return option->type == CONF_PREFIXES
               ? same_prefixes(*(char *const *) member_of(conf, option))
               : conf_get_text(conf, option);
}

char *
conf_get_text(const struct conf *conf, const struct conf_option *option)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert(f);
    print_value(conf, option, f);
    fclose(f);
    return text;
}

void
conf_print_option(const struct conf *conf, const void *base,
                  const struct conf_option *option, int line, FILE *f)
{
    fprintf(f, "%s = ", option->name);
    print_value(base, option, f);
    if (line) {
        fprintf(f, " ; %s:%d\n", conf->file, line);
    } else {
        fputs(" ; default\n", f);
    }
}

void
conf_print(const struct conf *conf, FILE *f)
{
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        print_section(i, "%s[%s]\n", f);
        conf_print_option(conf, conf, &conf_options[i], conf->lines[i], f);
    }
    conf_fence_print(conf, f);
}

/* Writes 'text' in lines of at most 'width' characters. */
static void
print_wrapped(const char *prefix, const char *text, size_t width, FILE *f)
{
    while (*text) {
        size_t n = strlen(text);

        if (n > width) {
            n = width;
            while (n && text[n] != ' ') {
                n--;
            }
            assert(n);
        }
        fprintf(f, "%s%.*s\n", prefix, (int) n, text);
        text += n + strspn(text + n, " ");
    }
}

/* Sections that cannot stand there with their defaults. */
static void
print_named_example(const struct conf_option *table, size_t n, FILE *f)
{
    fprintf(f, "\n# [%s]\n", table[0].section);
    for (size_t i = 0; i < n; i++) {
        fputc('\n', f);
        print_wrapped("# ", table[i].help, 76, f);
        fprintf(f, "#     %s =%s%s\n", table[i].name, *table[i].def ? " " : "",
                table[i].def);
    }
}

void
conf_print_example(FILE *f)
{
    fputs("# Example configuration of ovn-ha, with the default of every "
          "option.\n"
          "# A plain cluster needs none.  See ovn-ha.conf(5).\n"
          "# Generated from lib/conf-options.c.\n\n",
          f);
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        print_section(i, "%s[%s]\n", f);
        fputc('\n', f);
        print_wrapped("# ", conf_options[i].help, 76, f);
        fprintf(f, "#%s =%s%s\n", conf_options[i].name,
                *conf_options[i].def ? " " : "", conf_options[i].def);
    }
    print_named_example(conf_fence_options, CONF_N_FENCE_OPTIONS, f);
    print_named_example(conf_device_options, CONF_N_DEVICE_OPTIONS, f);
}

/* Writes help text for mdoc, where each sentence starts a line. */
static void
print_man_text(const char *text, FILE *f)
{
    for (; *text; text++) {
        if (text[0] == '.' && text[1] == ' ') {
            fputs(".\n", f);
            text++;
        } else {
            fputc(*text, f);
        }
    }
    fputc('\n', f);
}

static void
print_man_table(const struct conf_option *table, size_t n, FILE *f)
{
    for (size_t i = 0; i < n; i++) {
        const struct conf_option *option = &table[i];

        if (!i || strcmp(option->section, table[i - 1].section)) {
            fprintf(f, "%s.Ss [%s]\n.Bl -tag -width Ds\n", i ? ".El\n" : "",
                    option->section);
        }
        fprintf(f, ".It Cm %s\n", option->name);
        print_man_text(option->help, f);
        if (conf_option_is_fixed(option)) {
            fputs("A reload that would change it is refused.\n", f);
        }
        if (option->type == CONF_INT) {
            fprintf(f, "From %d to %d, by default %s.\n", option->min,
                    option->max, option->def);
        } else if (*option->def) {
            fprintf(f, "By default\n.Li %s .\n", option->def);
        } else {
            fputs("Empty by default.\n", f);
        }
    }
    fputs(".El\n", f);
}

void
conf_print_man(FILE *f)
{
    print_man_table(conf_options, CONF_N_OPTIONS, f);
    print_man_table(conf_fence_options, CONF_N_FENCE_OPTIONS, f);
    print_man_table(conf_device_options, CONF_N_DEVICE_OPTIONS, f);
}
