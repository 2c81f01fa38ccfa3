/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char dir[] = "/tmp/test-tls.XXXXXX";

/* ---- Certificates -------------------------------------------------------- */

/* Two authorities, and certificates of theirs. */
enum who { CA, OTHER_CA, N1, N2, STRANGER, EXPIRED, LATER, N_WHO };

static const struct {
    const char *file, *name, *san;
    enum who issuer;
    int from_s, to_s; /* From now on. */
} certs[N_WHO] = {
    [CA] = { "ca", "ovn-ha CA", NULL, CA, -60, 9999 },
    [OTHER_CA] = { "other", "ovn-ha CA", NULL, OTHER_CA, -60, 9999 },
    [N1] = { "n1", "n1", NULL, CA, -60, 9999 },
    [N2] = { "n2", "unused", "DNS:n2,IP:192.0.2.2,IP:2001:db8::2", CA, -60,
             9999 },
    [STRANGER] = { "stranger", "n1", NULL, OTHER_CA, -60, 9999 },
    [EXPIRED] = { "expired", "n1", NULL, CA, -9999, -60 },
    [LATER] = { "later", "n1", NULL, CA, 9999, 99999 },
};
static EVP_PKEY *keys[N_WHO];

static const char *
path(const char *name, const char *suffix)
{
    static char paths[8][128];
    static int i;

    i = (i + 1) % 8;
    snprintf(paths[i], sizeof paths[i], "%s/%s%s", dir, name, suffix);
    return paths[i];
}

static void
add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void
set_names(X509 *cert, enum who who)
{
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *) certs[who].name, -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(
        X509_get_issuer_name(cert), "CN", MBSTRING_ASC,
        (const unsigned char *) certs[certs[who].issuer].name, -1, -1, 0);
    if (certs[who].san) {
        add_extension(cert, NID_subject_alt_name, certs[who].san);
    }
    if (certs[who].issuer == who) {
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    }
}

static void
make(enum who who)
{
    X509 *cert = X509_new();
    FILE *f;

    keys[who] = EVP_EC_gen("P-256");
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), who + 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), certs[who].from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), certs[who].to_s);
    X509_set_pubkey(cert, keys[who]);
    set_names(cert, who);
    assert_true(X509_sign(cert, keys[certs[who].issuer], EVP_sha256()) > 0);
    f = fopen(path(certs[who].file, "-cert.pem"), "w");
    PEM_write_X509(f, cert);
    fclose(f);
    f = fopen(path(certs[who].file, "-key.pem"), "w");
    PEM_write_PrivateKey(f, keys[who], NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(cert);
}

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    for (int who = 0; who < N_WHO; who++) {
        make(who);
    }
    return 0;
}

static int
teardown(void **state)
{
    char command[64];

    (void) state;
    for (int who = 0; who < N_WHO; who++) {
        EVP_PKEY_free(keys[who]);
    }
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

/* ---- Sessions ------------------------------------------------------------ */

static struct tls_files
files_of(enum who who, enum who ca)
{
    return (struct tls_files){
        .private_key = path(certs[who].file, "-key.pem"),
        .certificate = path(certs[who].file, "-cert.pem"),
        .ca_cert = path(certs[ca].file, "-cert.pem"),
    };
}

static struct tls *
context(enum who who, enum who ca)
{
    struct tls_files files = files_of(who, ca);
    char why[TLS_WHY_LEN] = "";
    struct tls *tls;

    if (tls_create(&files, &tls, why)) {
        fail_msg("%s", why);
    }
    return tls;
}

/* Carries bytes, one at a time if 'slowly'.  Returns true if there were any.
 */
static bool
carry(struct tls_session *from, struct tls_session *to, bool slowly)
{
    char buf[4096];
    size_t n = tls_session_drain(from, buf, slowly ? 1 : sizeof buf);

    tls_session_feed(to, buf, n);
    return n > 0;
}

struct pair {
    struct tls_session *client, *server;
    int client_error, server_error;
};

/* Two sides that shake hands until both are done with it. */
static struct pair
meet(const struct tls *client, const struct tls *server, bool slowly)
{
    struct pair p = {
        .client = tls_session_create(client, false),
        .server = tls_session_create(server, true),
    };
    bool moved;

    do {
        p.client_error = tls_session_handshake(p.client);
        moved = carry(p.client, p.server, slowly);
        p.server_error = tls_session_handshake(p.server);
        moved |= carry(p.server, p.client, slowly);
    } while (moved);
    return p;
}

static void
part(struct pair *p)
{
    tls_session_destroy(p->client);
    tls_session_destroy(p->server);
}

static void
says_both_ways(void **state)
{
    struct tls *a = context(N1, CA), *b = context(N2, CA);
    char text[100000], got[sizeof text];
    size_t have;

    (void) state;
    memset(text, 'x', sizeof text);
    for (int slowly = 0; slowly < 2; slowly++) {
        struct pair p = meet(a, b, slowly);

        assert_int_equal(p.client_error, 0);
        assert_int_equal(p.server_error, 0);
        assert_string_equal(tls_session_name(p.server), "n1");
        assert_string_equal(tls_session_name(p.client), "unused");
        assert_int_equal(tls_session_read(p.client, got, sizeof got), -EAGAIN);
        for (int i = 0; i < 2; i++) {
            struct tls_session *from = i ? p.server : p.client;
            struct tls_session *to = i ? p.client : p.server;

            assert_int_equal(tls_session_write(from, text, sizeof text), 0);
            while (carry(from, to, false)) {
                continue;
            }
            for (have = 0; have < sizeof text;) {
                ssize_t n =
                    tls_session_read(to, got + have, sizeof got - have);

                assert_true(n > 0);
                have += n;
            }
            assert_memory_equal(got, text, sizeof text);
        }
        part(&p);
    }
    tls_destroy(a);
    tls_destroy(b);
}

static bool
is_of(const struct tls_session *s, const char *name, const char *address)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (strchr(address, ':')) {
        inet_pton(AF_INET6, address, &in6.sin6_addr);
        return tls_session_is_of(s, name, (struct sockaddr *) &in6);
    }
    inet_pton(AF_INET, address, &in4.sin_addr);
    return tls_session_is_of(s, name, (struct sockaddr *) &in4);
}

static void
certificate_is_of_one_node(void **state)
{
    struct tls *a = context(N1, CA), *b = context(N2, CA);
    struct pair p = meet(a, b, false);

    (void) state;
    assert_true(is_of(p.server, "n1", "192.0.2.1"));
    assert_false(is_of(p.server, "n2", "192.0.2.1"));
    assert_false(is_of(p.server, "", "192.0.2.1"));
    assert_true(is_of(p.client, "n2", "192.0.2.9"));
    assert_true(is_of(p.client, "n9", "192.0.2.2"));
    assert_true(is_of(p.client, "", "2001:db8::2"));
    assert_false(is_of(p.client, "", "2001:db8::3"));
    assert_false(is_of(p.client, "n9", "192.0.2.9"));
    /* The common name does not count beside a DNS name. */
    assert_false(is_of(p.client, "unused", "192.0.2.9"));
    part(&p);
    tls_destroy(a);
    tls_destroy(b);
}

static void
assert_says(const struct tls_session *s, const char *text)
{
    if (!strstr(tls_session_why(s), text)) {
        fail_msg("\"%s\" lacks \"%s\"", tls_session_why(s), text);
    }
}

/* Either side refuses the other's certificate, and both say why. */
static void
other_authority(void **state)
{
    struct tls *a = context(STRANGER, OTHER_CA), *b = context(N2, CA);
    struct pair p = meet(a, b, false);

    (void) state;
    assert_int_equal(p.client_error, -EPROTO);
    assert_says(p.client, "certificate of \"unused\" is of another authority");
    assert_int_equal(p.server_error, -EPROTO);
    assert_says(p.server, "our certificate is refused: it is of another");
    part(&p);
    tls_destroy(a);
    tls_destroy(b);
}

static void
no_certificate_is_taken_as_it_comes(void **state)
{
    (void) state;
    for (int who = STRANGER; who < N_WHO; who++) {
        struct tls_files files = files_of(who, CA);
        char why[TLS_WHY_LEN] = "";
        struct tls *tls;

        assert_int_equal(tls_create(&files, &tls, why), -EINVAL);
        assert_non_null(strstr(why, files.certificate));
        assert_non_null(strstr(why, who == STRANGER  ? "another authority"
                                    : who == EXPIRED ? "expired on"
                                                     : "not valid before"));
    }
}

static void
expect_bad(struct tls_files files, const char *file, const char *text)
{
    char why[TLS_WHY_LEN] = "";
    struct tls *tls;

    assert_int_equal(tls_create(&files, &tls, why), -EINVAL);
    if (!strstr(why, file) || !strstr(why, text)) {
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", why, file, text);
    }
}

static void
bad_files_are_named(void **state)
{
    struct tls_files good = files_of(N1, CA), f;
    const char *none = path("none", ".pem"), *junk = path("junk", ".pem");
    FILE *file = fopen(junk, "w");

    (void) state;
    fputs("junk\n", file);
    fclose(file);
    f = good;
    f.private_key = none;
    expect_bad(f, "private-key", "No such file");
    f.private_key = junk;
    expect_bad(f, junk, "no private key");
    f.private_key = path(certs[N2].file, "-key.pem");
    expect_bad(f, f.private_key, "not the key of the certificate");
    f = good;
    f.certificate = none;
    expect_bad(f, none, "No such file");
    f.certificate = junk;
    expect_bad(f, junk, "no certificate");
    f = good;
    f.ca_cert = none;
    expect_bad(f, none, "No such file");
    f.ca_cert = junk;
    expect_bad(f, junk, "no certificate");
}

/* Of a node's file its own counts, of an authority's the last to end. */
static void
ends_are_read(void **state)
{
    char why[TLS_WHY_LEN], line[4096];
    const char *bundle = path("bundle", ".pem");
    int64_t until = 0, now = time(NULL);
    FILE *f = fopen(bundle, "w");

    (void) state;
    assert_non_null(f);
    for (int i = 0; i < 2; i++) {
        FILE *from = fopen(path(i ? "later" : "n1", "-cert.pem"), "r");

        assert_non_null(from);
        while (fgets(line, sizeof line, from)) {
            fputs(line, f);
        }
        fclose(from);
    }
    fclose(f);
    assert_int_equal(tls_file_valid_until(bundle, false, &until, why), 0);
    assert_in_range(until, now + 9000, now + 9999);
    assert_int_equal(tls_file_valid_until(bundle, true, &until, why), 0);
    assert_in_range(until, now + 99000, now + 99999);
    unlink(bundle);
    assert_int_equal(tls_file_valid_until("/dev/null", false, &until, why),
                     -EINVAL);
    assert_string_equal(why, "there is no certificate (PEM) in it");
    assert_int_equal(tls_file_valid_until("/nowhere", true, &until, why),
                     -ENOENT);
    assert_string_equal(why, "No such file or directory");
}

static void
garbage_ends_the_session(void **state)
{
    struct tls *a = context(N1, CA);
    struct tls_session *s = tls_session_create(a, true);

    (void) state;
    tls_session_feed(s, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_int_equal(tls_session_handshake(s), -EPROTO);
    assert_true(tls_session_why(s)[0]);
    tls_session_destroy(s);
    tls_destroy(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_both_ways),
        cmocka_unit_test(certificate_is_of_one_node),
        cmocka_unit_test(other_authority),
        cmocka_unit_test(no_certificate_is_taken_as_it_comes),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(ends_are_read),
        cmocka_unit_test(garbage_ends_the_session),
    };

    return cmocka_run_group_tests_name("tls", tests, setup, teardown);
}
