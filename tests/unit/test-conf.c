/* SPDX-License-Identifier: Apache-2.0 */

#include "lib/conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/durable.h"

static char dir[] = "/tmp/test-conf.XXXXXX";
static char path[64];

static int
setup(void **state)
{
    (void) state;
    if (!mkdtemp(dir)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/conf", dir);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    unlink(path);
    return rmdir(dir);
}

static struct conf *
load(const char *text)
{
    struct conf *conf = NULL;
    char *error = NULL;

    assert_int_equal(durable_write(path, text, strlen(text), 0600), 0);
    if (conf_load(path, true, &conf, &error)) {
        fail_msg("%s", error);
    }
    assert_null(error);
    return conf;
}

/* 'want' follows the name of the file. */
static void
assert_refused(const char *text, const char *want)
{
    struct conf *conf = NULL;
    char *error = NULL;

    assert_int_equal(durable_write(path, text, strlen(text), 0600), 0);
    assert_int_equal(conf_load(path, true, &conf, &error), -EINVAL);
    assert_null(conf);
    assert_memory_equal(error, path, strlen(path));
    assert_string_equal(error + strlen(path), want);
    free(error);
}

/* Takes the output of one of the printing functions. */
static char *
printed(const struct conf *conf, void (*print)(FILE *))
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    assert_non_null(f);
    if (conf) {
        conf_print(conf, f);
    } else {
        print(f);
    }
    assert_int_equal(fclose(f), 0);
    return text;
}

static void
defaults(void **state)
{
    struct conf *conf;
    char *error;

    (void) state;
    assert_int_equal(conf_load(NULL, true, &conf, &error), 0);
    assert_int_equal(conf->lease_ms, 1000);
    assert_int_equal(conf->beat_ms, 100);
    assert_int_equal(conf->drift_ppm, 10000);
    assert_int_equal(conf->priority, 100);
    assert_false(conf->nofailover);
    assert_int_equal(conf->kernel_lease, CONF_AUTO);
    assert_string_equal(conf->listen_nb, "");
    assert_string_equal(conf->sb_db, "/var/lib/ovn/ovnsb_db.db");
    assert_int_equal(conf->beat_port, 6663);
    assert_int_equal(conf->no_quorum_policy, CONF_POLICY_AUTO);
    assert_int_equal(conf->lag_records, 1000);
    assert_int_equal(conf->verify_interval_s, 3600);
    assert_int_equal(conf->shrink_guard, 70);
    conf_destroy(conf);
    conf_destroy(NULL);
}

static void
missing_file(void **state)
{
    struct conf *conf = NULL;
    char *error = NULL;

    (void) state;
    assert_int_equal(conf_load("/nonexistent/x", true, &conf, &error),
                     -ENOENT);
    assert_string_equal(error, "/nonexistent/x: No such file or directory");
    free(error);
    assert_int_equal(conf_load("/nonexistent/x", false, &conf, &error), 0);
    assert_int_equal(conf->lease_ms, 1000);
    /* A reload looks there again. */
    assert_string_equal(conf->file, "/nonexistent/x");
    assert_false(conf->required);
    conf_destroy(conf);
}

static void
values(void **state)
{
    struct conf *conf =
        load("; a comment\n"
             "[timing]\n"
             "  lease-ms = 2000 ; as in the lab\n"
             "\tbeat-ms=500\n"
             "# another\n"
             "[node]\n"
             "nofailover = yes\n"
             "kernel-lease = on\n"
             "[listen]\n"
             "nb = ptcp:6641:192.0.2.1, pssl:6643:[2001:db8::1]\n"
             "sb = pssl:6642\n"
             "[quorum]\nno-quorum-policy = fence\n"
             "[virtual-ip]\naddress = 192.0.2.9/24,2001:db8::9/64\n"
             "interface = eth0\n"
             "[replication]\n"
             "private-key = /k\ncertificate = /c\nca-cert = /a\n"
             "[status]\n"
             "group = adm\nlisten = [2001:db8::1]:6664\n"
             "private-key = /k\ncertificate = /c");

    (void) state;
    assert_int_equal(conf->lease_ms, 2000);
    assert_int_equal(conf->beat_ms, 500);
    assert_true(conf->nofailover);
    assert_int_equal(conf->kernel_lease, CONF_ON);
    assert_string_equal(conf->listen_nb,
                        "ptcp:6641:192.0.2.1, pssl:6643:[2001:db8::1]");
    assert_string_equal(conf->listen_sb, "pssl:6642");
    assert_string_equal(conf->ca_cert, "/a");
    assert_string_equal(conf->status_socket, "/run/ovn-ha/status.sock");
    assert_string_equal(conf->status_group, "adm");
    assert_string_equal(conf->status_listen, "[2001:db8::1]:6664");
    assert_int_equal(conf->no_quorum_policy, CONF_POLICY_FENCE);
    assert_string_equal(conf->vip_address, "192.0.2.9/24,2001:db8::9/64");
    assert_string_equal(conf->vip_interface, "eth0");
    assert_int_equal(conf->vip_detect_ms, 100);
    assert_int_equal(conf->priority, 100);
    conf_destroy(conf);
}

/* Nodes compare what they were told. */
static void
addresses_are_alike_however_they_are_written(void **state)
{
    struct conf *one = load("[virtual-ip]\ninterface = e\naddress = "
                            "2001:DB8:0::9/64 192.0.2.9/24");
    struct conf *two = load("[virtual-ip]\ninterface = e\naddress = "
                            "192.0.2.9/24,2001:db8::9/64");

    (void) state;
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        char *a = conf_get_meaning(one, &conf_options[i]);
        char *b = conf_get_meaning(two, &conf_options[i]);

        assert_string_equal(a, b);
        if (!strcmp(conf_options[i].name, "address")
            && !strcmp(conf_options[i].section, "virtual-ip")) {
            assert_string_equal(a, "192.0.2.9/24, 2001:db8::9/64");
        }
        free(a);
        free(b);
    }
    conf_destroy(one);
    conf_destroy(two);
}

static void
watchdog(void **state)
{
    struct conf *conf = load("[timing]\nlease-ms = 2600\n"
                             "[watchdog]\nidentity = i6300ESB timer\n");

    (void) state;
    assert_true(conf_has_watchdog(conf));
    assert_string_equal(conf->watchdog_identity, "i6300ESB timer");
    assert_int_equal(conf_watchdog_max_ms(conf), 2600 - 2 * 260 - 20);
    assert_int_equal(conf_watchdog_timeout_s(conf), 2);
    conf_destroy(conf);
    conf = load("[watchdog]\ndevice = /dev/watchdog0\n"
                "[node]\nwitness = yes\n");
    assert_false(conf_has_watchdog(conf)); /* Nothing there is served. */
    conf_destroy(conf);
    assert_refused("[watchdog]\ndevice = /dev/watchdog0\n",
                   ":2: unsafe timing: the watchdog has to bite within the "
                   "lease, but 1000 * timeout-s + 2 * beat-ms + 20 <= "
                   "lease-ms does not hold: 1000 * 1 + 2 * 100 + 20 > 1000; "
                   "raise [timing] lease-ms on every node");
    /* With such beats none would come in time to be fed on. */
    assert_refused("[timing]\nlease-ms = 1029\nbeat-ms = 5\n"
                   "[watchdog]\ndevice = /dev/watchdog0\n",
                   ":5: unsafe timing: the watchdog has to bite within the "
                   "lease, but 1000 * timeout-s + 2 * beat-ms + 20 <= "
                   "lease-ms does not hold: 1000 * 1 + 2 * 5 + 20 > 1029; "
                   "raise [timing] lease-ms on every node");
    assert_refused("[timing]\nlease-ms = 2500\n"
                   "[watchdog]\ndevice = /dev/watchdog0\ntimeout-s = 3\n",
                   ":5: unsafe timing: the watchdog has to bite within the "
                   "lease, but 1000 * timeout-s + 2 * beat-ms + 20 <= "
                   "lease-ms does not hold: 1000 * 3 + 2 * 250 + 20 > 2500; "
                   "raise [timing] lease-ms on every node");
    assert_refused("[timing]\nlease-ms = 2600\n"
                   "[watchdog]\ndevice = /dev/watchdog0\n"
                   "pretimeout-s = 2\n",
                   ":5: unsafe timing: [watchdog] pretimeout-s < timeout-s "
                   "does not hold: 2 >= 2");
    assert_refused(
        "[watchdog]\nidentity = 123456789012345678901234567890123\n",
        ":2: [watchdog] identity has more than 32 characters");
}

static void
errors_name_line_and_reason(void **state)
{
    char longer[400] = "[paths]\nnb-db = /";

    (void) state;
    assert_refused("[timing]\nlease = 5\n",
                   ":2: there is no option [timing] lease");
    assert_refused("lease-ms = 5\n", ":1: there is no option [] lease-ms");
    assert_refused("\n[timing]\n\nlease-ms = 199\n",
                   ":4: [timing] lease-ms: 199 is out of range: "
                   "from 200 to 60000");
    assert_refused("[timing]\nlease-ms = 99999999999999999999\n",
                   ":2: [timing] lease-ms: 99999999999999999999 is out of "
                   "range: from 200 to 60000");
    assert_refused("[events]\nprogram = /usr/bin/\xe4\n",
                   ":2: [events] program: it is not UTF-8");
    assert_refused("[timing]\nlease-ms = 1s\n",
                   ":2: [timing] lease-ms: \"1s\" is not a whole number");
    assert_refused("[timing]\nlease-ms =\n",
                   ":2: [timing] lease-ms: \"\" is not a whole number");
    assert_refused("[node]\nkernel-lease = yes\n",
                   ":2: [node] kernel-lease: \"yes\" is none of off, auto and "
                   "on");
    assert_refused("[virtual-ip]\naddress = 192.0.2.1\n",
                   ":2: [virtual-ip] address: \"192.0.2.1\" lacks the length "
                   "of its network's prefix, such as /24");
    assert_refused("[virtual-ip]\naddress = 192.0.2.1/24, 192.0.2.1/32\n",
                   ":2: [virtual-ip] address: \"192.0.2.1/32\" is there "
                   "twice");
    assert_refused("[virtual-ip]\naddress = 1.0.0.1/8 1.0.0.2/8 1.0.0.3/8 "
                   "1.0.0.4/8 1.0.0.5/8 1.0.0.6/8 1.0.0.7/8 1.0.0.8/8 "
                   "1.0.0.9/8\n",
                   ":2: [virtual-ip] address: more than 8 addresses");
    assert_refused("[virtual-ip]\ninterface = eth0 eth1\n",
                   ":2: [virtual-ip] interface: \"eth0 eth1\" is not the name "
                   "of a network interface");
    assert_refused("[virtual-ip]\ninterface = abcdefghijklmnop\n",
                   ":2: [virtual-ip] interface: \"abcdefghijklmnop\" is not "
                   "the name of a network interface");
    assert_refused("[virtual-ip]\naddress = 192.0.2.1/24\n",
                   ":2: [virtual-ip] address and interface go together: give "
                   "both or none");
    assert_refused("[virtual-ip]\ninterface = eth0\n",
                   ":2: [virtual-ip] address and interface go together: give "
                   "both or none");
    assert_refused("[node]\nnofailover = maybe\n",
                   ":2: [node] nofailover: \"maybe\" is neither yes nor no");
    assert_refused("[quorum]\nno-quorum-policy = ignore\n",
                   ":2: [quorum] no-quorum-policy: \"ignore\" is none of "
                   "auto, stop and fence");
    assert_refused("[paths]\nnb-db = nb.db\n",
                   ":2: [paths] nb-db: \"nb.db\" is not an absolute path");
    assert_refused("[paths]\nnb-db =\n", ":2: [paths] nb-db: it is empty");
    assert_refused("[status]\nlisten = localhost:80\n",
                   ":2: [status] listen: \"localhost:80\" is not of the form "
                   "ADDRESS:PORT or [ADDRESS]:PORT, in numbers");
    assert_refused("[status]\ngroup = adm, wheel\n",
                   ":2: [status] group: \"adm, wheel\" is not the name of one "
                   "group");
    assert_refused("[node]\npriority = 1\npriority = 2\n",
                   ":3: [node] priority was given in line 2 already");
    assert_refused("[node]\npriority\n",
                   ":2: neither [SECTION] nor NAME = VALUE");
    assert_refused("[node\n", ":1: neither [SECTION] nor NAME = VALUE");
    memset(longer + strlen(longer), 'x', 300);
    assert_refused(longer, ":2: the line is longer than 198 characters");
}

static void
remotes(void **state)
{
    static const char *const bad[] = {
        "tcp:6641:192.0.2.1", "ptcp:",   "ptcp:0",   "ptcp:65536",  "ptcp:x",
        "ptcp:6641:",         "ptcp:1x", "punix:/x", "ptcp:123456",
    };

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[100], want[200];

        snprintf(text, sizeof text, "[listen]\nsb = ptcp:6642,%s\n", bad[i]);
        snprintf(want, sizeof want,
                 ":2: [listen] sb: \"%s\" is not of the form "
                 "ptcp:PORT[:ADDRESS] or pssl:PORT[:ADDRESS]",
                 bad[i]);
        assert_refused(text, want);
    }
}

static void
unsafe_combinations(void **state)
{
    struct conf *conf;

    (void) state;
    assert_refused("[timing]\nlease-ms = 1000\nbeat-ms = 251\n",
                   ":3: unsafe timing: 4 * beat-ms <= lease-ms does not hold: "
                   "4 * 251 > 1000");
    conf = load("[timing]\nlease-ms = 1000\nbeat-ms = 250\n");
    conf_destroy(conf);
    assert_refused("[replication]\nport-nb = 6662\n",
                   ":2: [replication] port-nb and port-sb are both 6662");
    assert_refused("[status]\ncertificate = /c\n",
                   ":2: [status] private-key and certificate go together, and "
                   "ca-cert needs both");
    assert_refused("[status]\nca-cert = /c\n",
                   ":2: [status] private-key and certificate go together, and "
                   "ca-cert needs both");
    /* In clear only to this machine itself. */
    conf = load("[status]\nlisten = 127.0.0.1:6664\n");
    conf_destroy(conf);
    assert_refused("[status]\nlisten = 0.0.0.0:6664\n",
                   ":2: [status] listen is 0.0.0.0:6664, which is no loopback "
                   "address: give private-key and certificate, too");
    assert_refused("[replication]\nca-cert = /a\n",
                   ":2: [replication] private-key, certificate and ca-cert go "
                   "together: give all three or none");
}

static void
print_tells_where_from(void **state)
{
    struct conf *conf = load("[timing]\nlease-ms = 2000\n");
    char *text = printed(conf, NULL), want[100];

    (void) state;
    snprintf(want, sizeof want, "\nlease-ms = 2000 ; %s:2\n", path);
    assert_non_null(strstr(text, want));
    assert_non_null(strstr(text, "\nbeat-ms = 200 ; default\n"));
    assert_non_null(strstr(text, "\nnofailover = no ; default\n"));
    conf_destroy(conf);
    free(text);
}

/* Of what hangs together the last line completes it, wherever it stands. */
static void
the_line_is_named(void **state)
{
    (void) state;
    assert_refused("[timing]\nbeat-ms = 251\nhang-ms = 900\nlease-ms = 1000\n"
                   "busy-ms = 9000\n",
                   ":4: unsafe timing: 4 * beat-ms <= lease-ms does not hold: "
                   "4 * 251 > 1000");
}

/* What lives on over a reload keeps its paths; all else may change. */
static void
a_reload_cannot_move_what_runs(void **state)
{
    struct conf *old = load("[paths]\nrun-dir = /run/a\n");
    struct conf *same = load("[paths]\nlog-dir = /l\nrun-dir = /run/a\n"
                             "[timing]\nlease-ms = 3000\n");
    struct conf *other = load("[paths]\n\nrun-dir = /run/b\n");
    struct conf *none = load("");
    char *text, want[200];

    (void) state;
    assert_null(conf_reload_refusal(old, same));
    text = conf_reload_refusal(old, other);
    snprintf(want, sizeof want,
             "%s:3: [paths] run-dir cannot become /run/b by a reload, because "
             "what runs here uses /run/a: ",
             path);
    assert_memory_equal(text, want, strlen(want));
    free(text);
    text = conf_reload_refusal(old, none);
    snprintf(want, sizeof want, "%s: [paths] run-dir cannot become ", path);
    assert_memory_equal(text, want, strlen(want));
    free(text);
    conf_destroy(old);
    conf_destroy(same);
    conf_destroy(other);
    conf_destroy(none);
}

/* What is printed can be read again, and gives the same. */
static void
print_round_trip(void **state)
{
    struct conf *conf = load("[listen]\nnb = pssl:6641\n");
    char *once = printed(conf, NULL), *twice, *p, *q;

    (void) state;
    conf_destroy(conf);
    conf = load(once);
    assert_string_equal(conf->listen_nb, "pssl:6641");
    twice = printed(conf, NULL);
    for (p = once, q = twice; *p;) { /* Equal but for the comments. */
        size_t n = strcspn(p, ";\n");

        assert_int_equal(strcspn(q, ";\n"), n);
        assert_memory_equal(p, q, n);
        p += strcspn(p, "\n") + 1;
        q += strcspn(q, "\n") + 1;
    }
    conf_destroy(conf);
    free(once);
    free(twice);
}

/* The example is valid as it is, and with every option uncommented. */
static void
example_is_valid(void **state)
{
    char *text = printed(NULL, conf_print_example), *p;
    struct conf *conf = load(text);
    int n = 0;

    (void) state;
    conf_destroy(conf);
    for (p = text; (p = strstr(p, "\n#")) != NULL; p++) {
        if (p[2] != ' ') {
            p[1] = ' ';
            n++;
        }
    }
    assert_int_equal(n, CONF_N_OPTIONS);
    conf = load(text);
    assert_int_equal(conf->lease_ms, 1000);
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        assert_true(conf->lines[i] > 0);
    }
    conf_destroy(conf);
    free(text);
}

static void
man_has_every_option(void **state)
{
    char *text = printed(NULL, conf_print_man), *p = text;

    (void) state;
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        char want[100];

        snprintf(want, sizeof want, ".It Cm %s\n", conf_options[i].name);
        p = strstr(p, want);
        assert_non_null(p);
    }
    p = strstr(p, ".Ss [fence NODE]\n");
    assert_non_null(p);
    assert_non_null(strstr(p, ".It Cm level-4\n"));
    assert_non_null(strstr(p, ".Ss [device NAME]\n"));
    assert_non_null(strstr(p, ".It Cm monitor-s\n"));
    free(text);
}

static const char fencing[] = "[fence n1]\n"
                              "level-1 = ipmi-n1\n"
                              "level-2 = pdu-a, pdu-b\n"
                              "confirm = pdu-a\n"
                              "power-on = yes\n"
                              "[device ipmi-n1]\n"
                              "agent = fence_ipmilan\n"
                              "ip = 192.0.2.11\n"
                              "password-file = /etc/ovn-ha/n1.secret\n"
                              "timeout-ms = 5000\n"
                              "[device pdu-a]\n"
                              "agent = fence_apc\n"
                              "community = s3cret\n"
                              "[device pdu-b]\n"
                              "agent = /opt/fence_b\n";

static void
fence_sections(void **state)
{
    struct conf *conf = load(fencing);
    const struct conf_device *d = &conf->devices[0];
    const struct conf_fence *f = &conf->fences[0];
    const char *text = f->levels[1];

    (void) state;
    assert_int_equal(conf->n_devices, 3);
    assert_string_equal(d->name, "ipmi-n1");
    assert_string_equal(d->agent, "fence_ipmilan");
    assert_int_equal(d->timeout_ms, 5000);
    assert_int_equal(d->retries, 1);
    assert_int_equal(d->n_params, 2);
    assert_string_equal(d->params[0].name, "ip");
    assert_string_equal(d->params[0].value, "192.0.2.11");
    assert_false(conf_param_is_file(&d->params[0]));
    assert_true(conf_param_is_file(&d->params[1]));
    assert_int_equal(conf->n_fences, 1);
    assert_string_equal(f->node, "n1");
    assert_string_equal(f->levels[0], "ipmi-n1");
    assert_true(f->power_on);
    assert_int_equal(conf_word(&text), 5);
    assert_ptr_equal(conf_device_find(conf, text, 5), &conf->devices[1]);
    text += 5;
    assert_int_equal(conf_word(&text), 5);
    text += 5;
    assert_int_equal(conf_word(&text), 0);
    conf_destroy(conf);
}

static void
secrets_are_not_printed(void **state)
{
    struct conf *conf = load(fencing);
    char *text = printed(conf, NULL), want[100];

    (void) state;
    assert_null(strstr(text, "s3cret"));
    snprintf(want, sizeof want, "\ncommunity = (secret) ; %s:13\n", path);
    assert_non_null(strstr(text, want));
    snprintf(want, sizeof want, "\nip = 192.0.2.11 ; %s:8\n", path);
    assert_non_null(strstr(text, want));
    assert_non_null(strstr(text, "\n[fence n1]\nlevel-1 = ipmi-n1 ; "));
    assert_non_null(strstr(text, "\n[device pdu-b]\nagent = /opt/fence_b ;"));
    conf_destroy(conf);
    free(text);
}

/* A file with a secret in it is nobody else's to read. */
static void
secrets_are_guarded(void **state)
{
    static const char plain[] =
        "[device a]\nagent = fence_x\nip = 1\npassword-file = /s\n";
    struct conf *conf = NULL;
    char *error = NULL, want[200];

    (void) state;
    assert_int_equal(durable_write(path, fencing, strlen(fencing), 0640), 0);
    assert_int_equal(conf_load(path, true, &conf, &error), -EINVAL);
    snprintf(want, sizeof want,
             "%s:13: [device pdu-a] community is a secret, but others than "
             "root can read this file: chmod 0600, or give community-file",
             path);
    assert_string_equal(error, want);
    free(error);

    assert_int_equal(durable_write(path, plain, strlen(plain), 0644), 0);
    assert_int_equal(conf_load(path, true, &conf, &error), 0);
    conf_destroy(conf);
}

static void
wrong_fence_sections(void **state)
{
    char many[1000] = "[device a]\nagent = fence_x\n[fence n1]\nlevel-1 = ";

    (void) state;
    assert_refused("[device a b]\nagent = fence_x\n",
                   ":2: \"a b\" is no name for a device");
    assert_refused("[fence ]\nlevel-1 = a\n",
                   ":2: \"\" is no name for a node");
    assert_refused("[fence n1]\nlevel-0 = a\n",
                   ":2: [fence n1] level-0: there is no such option");
    assert_refused("[fence n1]\nlevel-1 = a\n",
                   ":2: [fence n1] level-1: there is no [device a]");
    assert_refused("[device a]\nip = 1\n", ":2: [device a] names no agent");
    assert_refused("[device a]\nagent = ipmilan\n",
                   ":2: [device a] agent: \"ipmilan\" is neither fence_NAME "
                   "nor an absolute path");
    assert_refused("[device a]\nagent = fence_x/../sh\n",
                   ":2: [device a] agent: \"fence_x/../sh\" is neither "
                   "fence_NAME nor an absolute path");
    assert_refused("[device a]\nagent = fence_x\naction = on\n",
                   ":3: [device a] action: what the agent is to do is not "
                   "configured");
    assert_refused("[device a]\nagent = fence_x\nip = 1\nip = 2\n",
                   ":4: [device a] ip: it was given in line 3 already");
    assert_refused("[device a]\nagent = fence_x\nretries = 1\nretries = 1\n",
                   ":4: [device a] retries: it was given in line 3 already");
    assert_refused("[device a]\nagent = fence_x\npassword-file = s\n",
                   ":3: [device a] password-file: \"s\" is not an absolute "
                   "path");
    assert_refused("[device a]\nagent = fence_x\n[fence n1]\nlevel-2 = a\n",
                   ":4: [fence n1] names no device for level-1");
    assert_refused("[device a]\nagent = fence_x\n[fence n1]\nlevel-1 = a\n"
                   "level-3 = a\n",
                   ":4: [fence n1] level-3: the level before it is missing");
    assert_refused("[device a]\nagent = fence_x\n[fence n1]\nlevel-1 = a\n"
                   "confirm = a a\n",
                   ":4: [fence n1] confirm: more than 1 devices");
    strcat(many, "a a a a a\n");
    assert_refused(many, ":4: [fence n1] level-1: more than 4 devices");
}

/* The help of an option and what nodes compare are of one mind. */
static void
common_options_say_so(void **state)
{
    bool before = false;

    (void) state;
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        const struct conf_option *option = &conf_options[i];
        bool says = strstr(option->help, "every node the same");

        if (!strncmp(option->help, "The same for", 12)) {
            says = before;
        }
        assert_int_equal(conf_option_is_common(option), says);
        before = says;
    }
}

static void
text_of_values(void **state)
{
    static const char *const texts[] = { "1500", "yes", "fence", "/k" };
    struct conf *conf = load("[timing]\nlease-ms = 1500\n"
                             "[node]\nnofailover = on\n"
                             "[quorum]\nno-quorum-policy = fence\n"
                             "[paths]\nnb-db = /k\n");
    static const char *const names[] = { "lease-ms", "nofailover",
                                         "no-quorum-policy", "nb-db" };

    (void) state;
    for (size_t i = 0; i < CONF_N_OPTIONS; i++) {
        for (int j = 0; j < 4; j++) {
            if (!strcmp(conf_options[i].name, names[j])) {
                char *text = conf_get_text(conf, &conf_options[i]);

                assert_string_equal(text, texts[j]);
                free(text);
            }
        }
    }
    conf_destroy(conf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(missing_file),
        cmocka_unit_test(values),
        cmocka_unit_test(addresses_are_alike_however_they_are_written),
        cmocka_unit_test(watchdog),
        cmocka_unit_test(errors_name_line_and_reason),
        cmocka_unit_test(remotes),
        cmocka_unit_test(unsafe_combinations),
        cmocka_unit_test(print_tells_where_from),
        cmocka_unit_test(print_round_trip),
        cmocka_unit_test(example_is_valid),
        cmocka_unit_test(man_has_every_option),
        cmocka_unit_test(fence_sections),
        cmocka_unit_test(secrets_are_not_printed),
        cmocka_unit_test(secrets_are_guarded),
        cmocka_unit_test(wrong_fence_sections),
        cmocka_unit_test(common_options_say_so),
        cmocka_unit_test(text_of_values),
        cmocka_unit_test(the_line_is_named),
        cmocka_unit_test(a_reload_cannot_move_what_runs),
    };

    return cmocka_run_group_tests_name("conf", tests, setup, teardown);
}
