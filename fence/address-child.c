/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/address-child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fence/helper.h"
#include "fence/place.h"
#include "fence/wires.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/seq.h"

#define N_PROBES 3
#define RETRY_MS 200    /* After it could not be taken. */
#define HOLD_MS 500     /* Between looks and renewals while it is held... */
#define LOOK_MS 1000    /* ...and looks while it is not. */
#define VALID_MAX_S 10  /* Of what a lease without an end is worth. */
#define CLAIM_MS 60000  /* How long a claim of someone else is told. */
#define DEFEND_MS 10000 /* Between answers to such claims (RFC 5227). */
#define LAST_TRIES 20   /* To leave them when the worker is gone... */
#define LAST_TRY_MS 100 /* ...one each. */
#define LOCK_TRY_MS 10  /* Between looks whether a predecessor is gone. */
#define MAX_POLL (WIRES_MAX_POLL + 1)

/* When neighbors are told: at once, and again for those that were busy, or
 * that take nothing new within a second. */
static const int announce_ms[] = { 0, 100, 300, 1200, 2500, 5000, 10000 };
#define N_ANNOUNCE (sizeof announce_ms / sizeof announce_ms[0])

struct keeper {
    struct address_wish wish;
    uint32_t n_wishes;
    struct place place;
    struct wires wires;
    enum wire_address_state state;
    char why[WIRE_WHY_LEN];
    mono_t next; /* Turn. */

    unsigned int n_probes; /* Sent. */
    mono_t probed;

    size_t n_announced; /* Of announce_ms[]. */
    mono_t announced;   /* When that began. */
    mono_t defended;
    mono_t claimed; /* When someone else last did; MONO_MIN. */
    char claim[WIRE_WHY_LEN];

    struct address_answer told;
};

static const char *
print(const struct wire_address *a, char buf[INET6_ADDRSTRLEN])
{
    inet_ntop(a->family, a->bytes, buf, INET6_ADDRSTRLEN);
    return buf;
}

/* ---- Leaving --------------------------------------------------------- */

/* Has none of them.  Returns true once that is so. */
static bool
leave(struct keeper *k, mono_t now)
{
    int error = k->place.want.n ? place_look(&k->place, now) : 0;

    wires_close(&k->wires);
    if (!error && k->place.n_found) {
        /* Looked at again: there may have been more. */
        error = place_leave(&k->place);
        error = error ? error : place_look(&k->place, now);
    }
    k->n_announced = N_ANNOUNCE;
    if (!error && !k->place.n_found) {
        k->state = k->place.want.n ? WIRE_ADDRESS_LEFT : WIRE_ADDRESS_NONE;
        return true;
    }
    k->state = WIRE_ADDRESS_LEAVING;
    snprintf(k->why, sizeof k->why, "it cannot be left: %s",
             error ? strerror(-error) : "it comes back");
    k->next = mono_min(k->next, mono_add_ms(now, RETRY_MS));
    return false;
}

/* One that is somebody else's as yet is told of. */
static void
tell_given(struct keeper *k)
{
    const struct wire_addresses *c = &k->place.want;
    char text[INET6_ADDRSTRLEN];

    for (uint32_t i = 0; i < c->n && !k->why[0]; i++) {
        if (k->place.given[i]) {
            snprintf(k->why, sizeof k->why,
                     "%s is on %s without end, which ovn-ha did not do: "
                     "remove it, unless this node is about to become active",
                     print(&c->address[i], text), c->interface);
        }
    }
}

/* A node that may not have them. */
static void
run_without(struct keeper *k, mono_t now)
{
    mono_t again = mono_add_ms(k->place.looked, LOOK_MS);

    if (k->state == WIRE_ADDRESS_NONE) {
        return;
    }
    if (k->state == WIRE_ADDRESS_LEFT && mono_before(now, again)) {
        k->next = mono_min(k->next, again);
        return;
    }
    k->next = mono_min(k->next, mono_add_ms(now, LOOK_MS));
    if (leave(k, now)) {
        place_judge(&k->place, k->why, now);
        tell_given(k);
        if (!k->why[0]
            && mono_before(now, mono_add_ms(k->claimed, CLAIM_MS))) {
            memcpy(k->why, k->claim, sizeof k->why);
        }
    }
}

/* ---- Claims of others ------------------------------------------------ */

/* Takes what others say; returns true if one of them has such an address, or
 * is about to take it. */
static bool
hear_claims(struct keeper *k, bool asking_counts, mono_t now)
{
    const struct wire_addresses *c = &k->place.want;
    const struct wire_address *a;
    char text[INET6_ADDRSTRLEN];
    struct neighbor_mac mac;
    const uint8_t *m = mac.bytes;
    enum neighbor_claim claim;

    do {
        claim = wires_read(&k->wires, c->address, c->n, &a, &mac);
    } while (claim == NEIGHBOR_ASKS && !asking_counts);
    if (claim == NEIGHBOR_NONE) {
        return false;
    }
    snprintf(k->claim, sizeof k->claim,
             "%s: another host on %s has it, MAC address "
             "%02x:%02x:%02x:%02x:%02x:%02x",
             print(a, text), c->interface, m[0], m[1], m[2], m[3], m[4], m[5]);
    k->claimed = now;
    return true;
}

/* ---- Taking ---------------------------------------------------------- */

static void
refuse(struct keeper *k, const char *why, mono_t now)
{
    if (k->state != WIRE_ADDRESS_REFUSED || strcmp(k->why, why)) {
        ha_log(HA_LOG_ERR, "address", "not taken: %s", why);
    }
    memmove(k->why, why, strlen(why) + 1);
    k->state = WIRE_ADDRESS_REFUSED;
    k->next = mono_min(k->next, mono_add_ms(now, RETRY_MS));
}

/* Begins to ask whether someone has them. */
static void
begin_probing(struct keeper *k, mono_t now)
{
    char why[WIRE_WHY_LEN];
    int error = place_look(&k->place, now);

    if (error) {
        snprintf(why, sizeof why, "rtnetlink: %s", strerror(-error));
    } else {
        place_judge(&k->place, why, now);
    }
    if (!why[0]) {
        error = place_leave(&k->place);
        error = error ? error
                      : wires_open(&k->wires, k->place.link.index,
                                   &k->place.link.mac);
        if (error) {
            snprintf(why, sizeof why, "interface %s: %s",
                     k->place.want.interface, strerror(-error));
        }
    }
    if (why[0]) {
        refuse(k, why, now);
        return;
    }
    if (k->state != WIRE_ADDRESS_REFUSED) {
        k->state = WIRE_ADDRESS_PROBING;
    }
    k->n_probes = 0;
    k->probed = MONO_MIN;
}

/* For how long the kernel is to have them. */
static uint32_t
valid_s(const struct keeper *k, mono_t now)
{
    int64_t left_us = mono_us_between(now, (mono_t){ k->wish.until_us });
    int64_t s = left_us / 1000000 + 2;

    return s < VALID_MAX_S ? s : VALID_MAX_S;
}

static void
begin_announcing(struct keeper *k, mono_t now)
{
    k->n_announced = 0;
    k->announced = now;
}

static void
take(struct keeper *k, mono_t now)
{
    const struct wire_addresses *c = &k->place.want;
    char why[WIRE_WHY_LEN], text[INET6_ADDRSTRLEN];
    int error;

    for (uint32_t i = 0; i < c->n; i++) {
        ha_log(
            HA_LOG_INFO, "address", "taking %s/%u on %s; no one else has it",
            print(&c->address[i], text), c->address[i].prefix, c->interface);
    }
    error = place_take(&k->place, valid_s(k, now));
    if (error) {
        snprintf(why, sizeof why, "interface %s: %s", c->interface,
                 strerror(-error));
        leave(k, now);
        refuse(k, why, now);
        return;
    }
    k->state = WIRE_ADDRESS_HELD;
    k->place.looked = now;
    k->why[0] = '\0';
    if (k->wish.announce) {
        begin_announcing(k, now);
    }
}

/* Asks for each.  Who could not ask knows nothing, and begins again; returns
 * true then. */
static bool
probe(struct keeper *k, mono_t now)
{
    const struct wire_addresses *c = &k->place.want;
    char why[WIRE_WHY_LEN], text[INET6_ADDRSTRLEN];

    for (uint32_t i = 0; i < c->n; i++) {
        int error = wires_probe(&k->wires, &c->address[i]);

        if (error) {
            snprintf(why, sizeof why, "cannot ask on %s who has %s: %s",
                     c->interface, print(&c->address[i], text),
                     strerror(-error));
            wires_close(&k->wires);
            refuse(k, why, now);
            return true;
        }
    }
    return false;
}

static void
run_probing(struct keeper *k, mono_t now)
{
    const struct wire_addresses *c = &k->place.want;
    mono_t due = mono_add_us(k->probed, c->detect_ms * 1000 / N_PROBES);

    if (hear_claims(k, true, now)) {
        k->n_probes = 0;
        wires_close(&k->wires);
        refuse(k, k->claim, now);
        return;
    }
    if (!mono_before(now, due) && k->n_probes == N_PROBES) {
        take(k, now);
        return;
    }
    if (!mono_before(now, due)) {
        if (probe(k, now)) {
            return;
        }
        k->n_probes++;
        k->probed = now;
        due = mono_add_us(now, c->detect_ms * 1000 / N_PROBES);
    }
    k->next = mono_min(k->next, due);
}

/* ---- Holding --------------------------------------------------------- */

static void
announce(struct keeper *k, mono_t now)
{
    const struct wire_addresses *c = &k->place.want;

    while (k->n_announced < N_ANNOUNCE) {
        mono_t due = mono_add_ms(k->announced, announce_ms[k->n_announced]);

        if (mono_before(now, due)) {
            k->next = mono_min(k->next, due);
            return;
        }
        for (uint32_t i = 0; i < c->n; i++) {
            wires_announce(&k->wires, &c->address[i]);
        }
        k->n_announced++;
    }
}

/* Puts back what someone removed, and renews the rest. */
static void
renew(struct keeper *k, mono_t now)
{
    const struct wire_addresses *c = &k->place.want;
    char text[INET6_ADDRSTRLEN];
    int error = place_look(&k->place, now);
    bool missed = false;

    if (!error) {
        place_judge(&k->place, k->why, now);
    }
    if (error || k->place.link_error) {
        return; /* Tried again in a moment. */
    }
    for (uint32_t i = 0; i < c->n; i++) {
        missed |= !k->place.held[i];
    }
    if (missed && k->why[0]) {
        return; /* The interface comes first. */
    }
    for (uint32_t i = 0; i < c->n; i++) {
        if (!k->place.held[i]) {
            ha_log(HA_LOG_WARN, "address",
                   "%s is not on %s any more; putting it back",
                   print(&c->address[i], text), c->interface);
        }
    }
    error = place_take(&k->place, valid_s(k, now));
    error =
        error ? error
              : wires_open(&k->wires, k->place.link.index, &k->place.link.mac);
    if (error) {
        snprintf(k->why, sizeof k->why, "interface %s: %s", c->interface,
                 strerror(-error));
    } else if (missed) {
        begin_announcing(k, now);
    }
}

static void
run_held(struct keeper *k, mono_t now)
{
    mono_t due = mono_add_ms(k->place.looked, HOLD_MS);

    if (hear_claims(k, false, now)
        && !mono_before(now, mono_add_ms(k->defended, DEFEND_MS))) {
        ha_log(HA_LOG_ERR, "address", "%s, too", k->claim);
        k->defended = now;
        begin_announcing(k, now);
    }
    if (!mono_before(now, due)) {
        renew(k, now);
        due = mono_add_ms(now, HOLD_MS);
    }
    if (!k->why[0] && mono_before(now, mono_add_ms(k->claimed, CLAIM_MS))) {
        memcpy(k->why, k->claim, sizeof k->why);
    }
    announce(k, now);
    k->next = mono_min(k->next, due);
}

/* A node that is to have them. */
static void
run_with(struct keeper *k, mono_t now)
{
    switch (k->state) {
    case WIRE_ADDRESS_NONE:
        break;
    case WIRE_ADDRESS_LEFT:
    case WIRE_ADDRESS_LEAVING:
        begin_probing(k, now);
        break;
    case WIRE_ADDRESS_REFUSED:
        if (k->wires.arp_fd < 0) {
            begin_probing(k, now);
        }
        break;
    case WIRE_ADDRESS_PROBING:
    case WIRE_ADDRESS_HELD:
        break;
    }
    if (k->state == WIRE_ADDRESS_HELD) {
        run_held(k, now);
    } else if (k->wires.arp_fd >= 0) {
        run_probing(k, now);
    }
}

/* ---- Wishes ---------------------------------------------------------- */

static bool
is_same_place(const struct wire_addresses *a, const struct wire_addresses *b)
{
    return a->n == b->n && !memcmp(a->address, b->address, sizeof a->address)
           && !memcmp(a->interface, b->interface, sizeof a->interface);
}

static void
on_wish(struct keeper *k, const struct address_wish *wish, mono_t now)
{
    bool announce_now = wish->announce && !k->wish.announce;

    if (!is_same_place(&k->place.want, &wish->addresses)) {
        leave(k, now);
        place_set(&k->place, &wish->addresses);
        k->state =
            wish->addresses.n ? WIRE_ADDRESS_LEAVING : WIRE_ADDRESS_NONE;
        k->why[0] = '\0';
    }
    k->place.want.detect_ms = wish->addresses.detect_ms;
    if (wish->until_us < k->wish.until_us) {
        k->place.looked = MONO_MIN; /* The kernel is told at once. */
    }
    if (!wish->hold && k->wish.hold) {
        k->state = k->state == WIRE_ADDRESS_NONE ? WIRE_ADDRESS_NONE
                                                 : WIRE_ADDRESS_LEAVING;
    }
    k->wish = *wish;
    if (announce_now && k->state == WIRE_ADDRESS_HELD) {
        begin_announcing(k, now);
    }
}

static void
run(struct keeper *k, mono_t now)
{
    bool hold = k->wish.hold && mono_before(now, (mono_t){ k->wish.until_us });

    k->next = MONO_NEVER;
    if (hold) {
        k->next = (mono_t){ k->wish.until_us };
        run_with(k, now);
        return;
    }
    if (k->state == WIRE_ADDRESS_HELD || k->state == WIRE_ADDRESS_PROBING
        || k->state == WIRE_ADDRESS_REFUSED) {
        k->state = WIRE_ADDRESS_LEAVING;
    }
    run_without(k, now);
}

/* Returns false if the worker is gone. */
static bool
tell(struct keeper *k)
{
    struct address_answer a = { .serial = k->wish.serial,
                                .state = k->state,
                                .unfit = k->place.unfit,
                                .n_wishes = k->n_wishes };
    int error;

    snprintf(a.why, sizeof a.why, "%s", k->why);
    if (!memcmp(&a, &k->told, sizeof a)) {
        return true;
    }
    error = seq_send(STDIN_FILENO, &a, sizeof a);
    if (!error) {
        k->told = a;
    }
    return !error || error == -EAGAIN;
}

/* Returns false if the worker is gone. */
static bool
take_wishes(struct keeper *k)
{
    struct address_wish wish;
    ssize_t n;

    while ((n = seq_recv(STDIN_FILENO, &wish, sizeof wish)) == sizeof wish) {
        k->n_wishes++;
        on_wish(k, &wish, mono_now());
    }
    return n == -EAGAIN;
}

static void
wait(const struct keeper *k)
{
    struct pollfd pfds[MAX_POLL];
    unsigned int n = wires_poll(&k->wires, pfds);

    pfds[n++] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
    poll(pfds, n, mono_ms_until(mono_now(), k->next));
}

/* Nobody can say any more that this node may have them. */
static void
leave_for_good(struct keeper *k)
{
    for (int i = 0; i < LAST_TRIES && !leave(k, mono_now()); i++) {
        poll(NULL, 0, LAST_TRY_MS);
    }
}

/* Waits for the lock.  A child of an earlier worker that still has it would
 * leave the addresses as if they were its own: it is ended, since this one
 * leaves them all the same. */
static void
take_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    pid_t told = 0;

    while (fcntl(fd, F_SETLK, &lock)) {
        struct flock holder = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        struct pollfd worker = { STDIN_FILENO, 0, 0 };

        if (errno != EAGAIN && errno != EACCES) {
            ha_log(HA_LOG_ERR, "address", "%s: %s", path, strerror(errno));
            return;
        }
        if (!fcntl(fd, F_GETLK, &holder) && holder.l_type == F_WRLCK
            && holder.l_pid > 0) {
            if (holder.l_pid != told) {
                ha_log(HA_LOG_WARN, "address",
                       "killing process %d of an earlier worker",
                       (int) holder.l_pid);
            }
            told = holder.l_pid;
            kill(holder.l_pid, SIGKILL);
        }
        if (poll(&worker, 1, LOCK_TRY_MS) > 0) {
            _exit(0); /* The worker is gone, and nothing was taken. */
        }
    }
}

void
address_child_run(int fd, const void *lock_file)
{
    static struct keeper keeper; /* Large; the only one. */
    struct keeper *k = &keeper;

    helper_begin(fd, "ovn-ha-address");
    take_lock(lock_file);
    place_init(&k->place);
    wires_init(&k->wires);
    k->next = MONO_NEVER;
    k->claimed = k->defended = MONO_MIN;
    k->n_announced = N_ANNOUNCE;
    do {
        wait(k);
        if (!take_wishes(k)) {
            break;
        }
        run(k, mono_now());
    } while (tell(k));
    leave_for_good(k);
    _exit(0);
}
