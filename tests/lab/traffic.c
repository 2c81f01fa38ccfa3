/* SPDX-License-Identifier: Apache-2.0 */

/* lab-traffic: one end of a pair of workloads that talk all the time.
 *
 *     lab-traffic PEER_ADDRESS PACKETS_PER_SECOND REPORT
 *
 * Sends numbered UDP datagrams to its peer, which runs the same program, and
 * notes every number that comes in; and opens a new flow (a UDP source port
 * not used before) every 100 ms, which the peer has to answer.  Writes REPORT,
 * a line of JSON, twice a second.  SIGTERM: sends no more, listens on for a
 * second, writes the last report.  What was lost on the way is the peer's
 * "sent" less this end's "received". */

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    DATA_PORT = 5000,        /* Numbered datagrams. */
    FLOW_PORT = 5001,        /* Answers new flows. */
    FIRST_FLOW_PORT = 10000, /* Their source ports. */
    LAST_FLOW_PORT = 60000,
    FLOW_EVERY_MS = 100,
    FLOW_PATIENCE_MS = 2000,
    FLOWS_PENDING = 64,
    HELLO_EVERY_MS = 20,
    REPORT_EVERY_MS = 500,
    DRAIN_EVERY_MS = 4,
    LINGER_MS = 1000,
    BURST = 4,       /* At most so many datagrams at once... */
    DEBT_MAX = 1000, /* ...when so many are overdue. */
    BATCH = 64,
    PAYLOAD = 64,
};

#define SEQ_MAX (UINT64_C(1) << 26) /* 18 hours at 1,000 a second. */

struct datagram {
    uint64_t seq; /* 0: only "I am here". */
    char filler[PAYLOAD - sizeof(uint64_t)];
};

struct flow {
    int fd; /* -1: free. */
    int64_t opened_ns;
};

struct traffic {
    const char *report;
    struct sockaddr_in peer;
    int data_fd, flow_fd;
    int64_t period_ns;

    bool peer_seen;
    bool stopping;
    uint64_t sent, send_errors;
    int64_t next_send_ns, next_hello_ns, next_flow_ns, next_report_ns;
    int64_t next_drain_ns, end_ns;

    uint8_t *seen; /* A bit for each number that came in. */
    uint64_t received, duplicates, late, highest;
    int64_t first_ns, last_ns; /* Arrivals, wall clock. */
    int64_t gap_ns, gap_at_ns; /* The longest time without any. */

    struct flow flows[FLOWS_PENDING];
    int next_port;
    uint64_t opened, answered, failed;
    int64_t slowest_ns, slowest_at_ns, failed_at_ns;
};

static volatile sig_atomic_t got_term;

static void
on_term(int signo)
{
    (void) signo;
    got_term = 1;
}

static void
die(const char *what)
{
    fprintf(stderr, "lab-traffic: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t
clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t
now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int
bound_socket(int port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_port = htons(port) };
    int one = 1, size = 4 << 20;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        die("socket");
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    if (bind(fd, (struct sockaddr *) &sin, sizeof sin) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
send_seq(struct traffic *t, uint64_t seq)
{
    struct datagram d = { .seq = htobe64(seq) };

    /* A datagram that the kernel refuses counts as sent: whoever lost it,
     * the workload's peer does not get it. */
    if (sendto(t->data_fd, &d, sizeof d, 0, (struct sockaddr *) &t->peer,
               sizeof t->peer)
        < 0) {
        t->send_errors++;
    }
}

static void
send_due(struct traffic *t, int64_t now)
{
    if (!t->peer_seen) {
        if (now >= t->next_hello_ns) {
            send_seq(t, 0);
            t->next_hello_ns = now + HELLO_EVERY_MS * 1000000;
        }
        t->next_send_ns = now + t->period_ns;
        return;
    }
    if (now - t->next_send_ns > DEBT_MAX * t->period_ns) {
        t->next_send_ns = now;
    }
    for (int i = 0;
         i < BURST && now >= t->next_send_ns && t->sent + 1 < SEQ_MAX; i++) {
        send_seq(t, ++t->sent);
        t->next_send_ns += t->period_ns;
    }
}

static void
note_arrival(struct traffic *t, uint64_t seq, int64_t at)
{
    if (!t->peer_seen) {
        /* The peer may have seen nothing of us yet. */
        t->peer_seen = true;
        send_seq(t, 0);
    }
    if (!seq || seq >= SEQ_MAX) {
        return;
    }
    if (!t->first_ns) {
        t->first_ns = at;
    } else if (at - t->last_ns > t->gap_ns) {
        t->gap_ns = at - t->last_ns;
        t->gap_at_ns = t->last_ns;
    }
    if (at > t->last_ns) {
        t->last_ns = at;
    }
    if (t->seen[seq / 8] & 1 << seq % 8) {
        t->duplicates++;
        return;
    }
    t->seen[seq / 8] |= 1 << seq % 8;
    t->received++;
    if (seq > t->highest) {
        t->highest = seq;
    } else {
        t->late++;
    }
}

static int64_t
arrival_ns(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec ts;

            memcpy(&ts, CMSG_DATA(c), sizeof ts);
            return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
        }
    }
    return clock_ns(CLOCK_REALTIME);
}

static void
drain_data(struct traffic *t)
{
    struct datagram d[BATCH];
    char control[BATCH][CMSG_SPACE(sizeof(struct timespec))];
    struct iovec iov[BATCH];
    struct mmsghdr msgs[BATCH];
    int n;

    do {
        for (int i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){ &d[i], sizeof d[i] };
            msgs[i].msg_hdr = (struct msghdr){
                .msg_iov = &iov[i],
                .msg_iovlen = 1,
                .msg_control = control[i],
                .msg_controllen = sizeof control[i],
            };
        }
        n = recvmmsg(t->data_fd, msgs, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++) {
            if (msgs[i].msg_len == sizeof d[i]) {
                note_arrival(t, be64toh(d[i].seq),
                             arrival_ns(&msgs[i].msg_hdr));
            }
        }
    } while (n == BATCH);
}

static void
answer_flows(struct traffic *t)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    char byte;

    while (recvfrom(t->flow_fd, &byte, 1, 0, (struct sockaddr *) &from, &len)
           >= 0) {
        sendto(t->flow_fd, &byte, 1, 0, (struct sockaddr *) &from, len);
        len = sizeof from;
    }
}

static void
open_flow(struct traffic *t, int64_t now)
{
    struct sockaddr_in to = t->peer;
    struct flow *f = NULL;

    for (int i = 0; i < FLOWS_PENDING && !f; i++) {
        f = t->flows[i].fd < 0 ? &t->flows[i] : NULL;
    }
    if (!f) {
        return;
    }
    f->fd = bound_socket(t->next_port);
    if (++t->next_port == LAST_FLOW_PORT) {
        t->next_port = FIRST_FLOW_PORT;
    }
    if (f->fd < 0) {
        return;
    }
    to.sin_port = htons(FLOW_PORT);
    f->opened_ns = now;
    t->opened++;
    /* One datagram only: a new flow has to work at the first try. */
    if (connect(f->fd, (struct sockaddr *) &to, sizeof to) < 0
        || send(f->fd, "", 1, 0) < 0) {
        t->send_errors++;
    }
}

static void
check_flow(struct traffic *t, struct flow *f, int64_t now)
{
    char byte;
    int64_t took = now - f->opened_ns;

    if (recv(f->fd, &byte, 1, 0) == 1) {
        t->answered++;
        if (took > t->slowest_ns) {
            t->slowest_ns = took;
            t->slowest_at_ns = clock_ns(CLOCK_REALTIME) - took;
        }
    } else if (took > FLOW_PATIENCE_MS * INT64_C(1000000)) {
        t->failed++;
        t->failed_at_ns = clock_ns(CLOCK_REALTIME) - took;
    } else {
        return;
    }
    close(f->fd);
    f->fd = -1;
}

/* The first numbers up to 'highest' that did not come in, as [from, to]. */
static void
print_missing(const struct traffic *t, FILE *file)
{
    int ranges = 0;

    fprintf(file, ", \"missing\": [");
    for (uint64_t seq = 1; seq <= t->highest && ranges < 20; seq++) {
        if (t->seen[seq / 8] == 0xff) {
            seq |= 7;
            continue;
        }
        if (t->seen[seq / 8] & 1 << seq % 8) {
            continue;
        }
        uint64_t from = seq;
        while (seq < t->highest
               && !(t->seen[(seq + 1) / 8] & 1 << (seq + 1) % 8)) {
            seq++;
        }
        fprintf(file, "%s[%" PRIu64 ", %" PRIu64 "]", ranges++ ? ", " : "",
                from, seq);
    }
    fputc(']', file);
}

static void
write_report(const struct traffic *t, const char *state)
{
    char temp[512];

    snprintf(temp, sizeof temp, "%s.new", t->report);
    FILE *file = fopen(temp, "w");
    if (!file) {
        die(temp);
    }
    fprintf(file,
            "{\"state\": \"%s\", \"sent\": %" PRIu64
            ", \"send_errors\": %" PRIu64 ", \"received\": %" PRIu64
            ", \"duplicates\": %" PRIu64 ", \"late\": %" PRIu64
            ", \"highest\": %" PRIu64,
            state, t->sent, t->send_errors, t->received, t->duplicates,
            t->late, t->highest);
    fprintf(file,
            ", \"first_at\": %.6f, \"last_at\": %.6f"
            ", \"longest_gap_ms\": %.3f, \"longest_gap_at\": %.6f",
            t->first_ns / 1e9, t->last_ns / 1e9, t->gap_ns / 1e6,
            t->gap_at_ns / 1e9);
    fprintf(file,
            ", \"flows_opened\": %" PRIu64 ", \"flows_answered\": %" PRIu64
            ", \"flows_failed\": %" PRIu64 ", \"flow_slowest_ms\": %.3f"
            ", \"flow_slowest_at\": %.6f, \"flow_failed_at\": %.6f",
            t->opened, t->answered, t->failed, t->slowest_ns / 1e6,
            t->slowest_at_ns / 1e9, t->failed_at_ns / 1e9);
    print_missing(t, file);
    fprintf(file, "}\n");
    fclose(file);
    if (rename(temp, t->report) < 0) {
        die(t->report);
    }
}

static bool
flows_pending(const struct traffic *t)
{
    for (int i = 0; i < FLOWS_PENDING; i++) {
        if (t->flows[i].fd >= 0) {
            return true;
        }
    }
    return false;
}

/* One tick: sends, receives and reports what is due. */
static void
tick(struct traffic *t, int64_t now)
{
    if (!t->stopping) {
        send_due(t, now);
        if (t->peer_seen && now >= t->next_flow_ns) {
            open_flow(t, now);
            t->next_flow_ns = now + FLOW_EVERY_MS * 1000000;
        }
    }
    if (now >= t->next_drain_ns) {
        t->next_drain_ns = now + DRAIN_EVERY_MS * 1000000;
        drain_data(t);
        answer_flows(t);
        for (int i = 0; i < FLOWS_PENDING; i++) {
            if (t->flows[i].fd >= 0) {
                check_flow(t, &t->flows[i], now);
            }
        }
    }
    if (now >= t->next_report_ns) {
        t->next_report_ns = now + REPORT_EVERY_MS * 1000000;
        write_report(t, !t->peer_seen ? "waiting"
                        : t->stopping ? "stopping"
                                      : "running");
    }
    if (got_term && !t->stopping) {
        t->stopping = true;
        t->end_ns = now + LINGER_MS * INT64_C(1000000);
    }
}

static void
run(struct traffic *t)
{
    int64_t tick_ns = t->period_ns < 1000000 ? 500000 : 1000000;
    int64_t next = now_ns();

    for (;;) {
        int64_t now = now_ns();

        tick(t, now);
        /* A flow that is under way keeps its right to an answer. */
        if (t->stopping && now >= t->end_ns && !flows_pending(t)) {
            return;
        }
        next += tick_ns;
        if (next <= now) {
            next = now + tick_ns / 4;
        }
        struct timespec ts = { next / 1000000000, next % 1000000000 };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
    }
}

int
main(int argc, char *argv[])
{
    static struct traffic t;

    if (argc != 4 || atoi(argv[2]) <= 0) {
        fprintf(stderr, "usage: lab-traffic PEER PACKETS_PER_SECOND "
                        "REPORT\n");
        return 2;
    }
    t.peer = (struct sockaddr_in){ .sin_family = AF_INET,
                                   .sin_port = htons(DATA_PORT) };
    if (inet_pton(AF_INET, argv[1], &t.peer.sin_addr) != 1) {
        fprintf(stderr, "lab-traffic: %s is no address\n", argv[1]);
        return 2;
    }
    t.period_ns = 1000000000 / atoi(argv[2]);
    t.report = argv[3];
    t.next_port = FIRST_FLOW_PORT;
    t.seen = calloc(SEQ_MAX / 8, 1);
    t.data_fd = bound_socket(DATA_PORT);
    t.flow_fd = bound_socket(FLOW_PORT);
    if (!t.seen || t.data_fd < 0 || t.flow_fd < 0) {
        die("setting up");
    }
    for (int i = 0; i < FLOWS_PENDING; i++) {
        t.flows[i].fd = -1;
    }
    signal(SIGTERM, on_term);
    signal(SIGINT, SIG_IGN);

    run(&t);
    write_report(&t, "done");
    return 0;
}
