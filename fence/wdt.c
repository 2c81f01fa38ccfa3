/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/wdt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/log.h"

#define SYSFS "/sys/class/watchdog"

void
wdt_init(struct wdt *d)
{
    *d = (struct wdt){ .fd = -1 };
}

/* ---- What the kernel tells without opening it ------------------------- */

/* Reads an attribute of the device 'name'.  Returns false if there is none,
 * as in a kernel without CONFIG_WATCHDOG_SYSFS. */
static bool
read_attribute(const char *name, const char *attribute, char text[],
               size_t size)
{
    char path[sizeof SYSFS + 300];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, SYSFS "/%s/%s", name, attribute);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return n > 0;
}

/* Its name in sysfs: the legacy path is that of the first one. */
static void
get_name(const char *path, char name[64])
{
    char *real = realpath(path, NULL);
    const char *from = real ? real : path;
    const char *slash = strrchr(from, '/');

    from = slash ? slash + 1 : from;
    snprintf(name, 64, "%.63s", strcmp(from, "watchdog") ? from : "watchdog0");
    free(real);
}

/* Appends to a list. */
static void
add_to(char list[], size_t size, const char *text)
{
    size_t n = strlen(list);

    snprintf(list + n, size - n, "%s\"%s\"", n ? ", " : "", text);
}

/* Finds the path of the device with that identity. */
static int
find(struct wdt *d, const char *identity, char why[], size_t size)
{
    DIR *dir = opendir(SYSFS);
    char text[64], seen[96] = "";
    const struct dirent *e;
    int error = -ENODEV;

    if (!dir) {
        snprintf(why, size,
                 "no watchdog is known to the kernel here (" SYSFS "): load "
                 "its driver, or set device");
        return error;
    }
    while (error && (e = readdir(dir))) {
        if (e->d_name[0] == '.'
            || !read_attribute(e->d_name, "identity", text, sizeof text)) {
            continue;
        } else if (strcmp(text, identity)) {
            add_to(seen, sizeof seen, text);
        } else {
            snprintf(d->path, sizeof d->path, "/dev/%.64s", e->d_name);
            error = 0;
        }
    }
    closedir(dir);
    if (error) {
        snprintf(why, size, "no watchdog is \"%s\"; here is %s", identity,
                 *seen ? seen : "none");
    }
    return error;
}

static int
check_identity(const char *identity, const char *wanted, char why[],
               size_t size)
{
    if (!*wanted || !strcmp(identity, wanted)) {
        return 0;
    }
    snprintf(why, size, "it is \"%s\", and not \"%s\"", identity, wanted);
    return -ENODEV;
}

/* What can be refused without having armed it. */
static int
look(struct wdt *d, const struct wire_watchdog *conf, char why[], size_t size)
{
    char name[64], text[64];
    int error = 0;

    if (conf->device[0]) {
        snprintf(d->path, sizeof d->path, "%s", conf->device);
    } else {
        error = find(d, conf->identity, why, size);
    }
    if (error) {
        return error;
    }
    get_name(d->path, name);
    if (read_attribute(name, "nowayout", text, sizeof text)) {
        d->nowayout = strcmp(text, "0") ? WIRE_NOWAYOUT_YES : WIRE_NOWAYOUT_NO;
    }
    return read_attribute(name, "identity", text, sizeof text)
               ? check_identity(text, conf->identity, why, size)
               : 0;
}

/* ---- The device ------------------------------------------------------- */

static void
tell_open_error(int error, char why[], size_t size)
{
    if (error == -EBUSY) {
        snprintf(why, size,
                 "another process has it: systemd (RuntimeWatchdogSec), sbd, "
                 "or a watchdog daemon");
    } else if (error == -ENOENT || error == -ENODEV || error == -ENXIO) {
        snprintf(why, size, "it is not there: load its driver");
    } else {
        snprintf(why, size, "it cannot be opened: %s", strerror(-error));
    }
}

/* An earlier owner may have left another one, which would act before the
 * timeout. */
static int
set_pretimeout(struct wdt *d, bool can, int wanted_s, char why[], size_t size)
{
    if (!can) {
        if (wanted_s) {
            snprintf(why, size, "it knows no pretimeout");
        }
        return wanted_s ? -EINVAL : 0;
    }
    if (ioctl(d->fd, WDIOC_SETPRETIMEOUT, &wanted_s)) {
        snprintf(why, size, "it does not take a pretimeout of %d s: %s",
                 wanted_s, strerror(errno));
        return -EINVAL;
    }
    d->pretimeout_ms = wanted_s * 1000;
    return 0;
}

/* It may round what it is told, or have but one timeout. */
static int
set_timeout(struct wdt *d, const struct wire_watchdog *conf, bool can,
            char why[], size_t size)
{
    int wanted_s = conf->timeout_s;
    int is_s = 0;

    if (can && ioctl(d->fd, WDIOC_SETTIMEOUT, &wanted_s)) {
        snprintf(why, size, "it does not take a timeout of %d s: %s", wanted_s,
                 strerror(errno));
        return -EINVAL;
    }
    if (ioctl(d->fd, WDIOC_GETTIMEOUT, &is_s) || is_s <= 0) {
        snprintf(why, size, "it does not tell its timeout");
        return -EINVAL;
    }
    d->timeout_ms = is_s * 1000;
    if (d->timeout_ms > conf->max_ms) {
        snprintf(why, size,
                 "its timeout is %u ms, but must not be longer than lease-ms "
                 "- 2 * beat-ms - %d: %u ms",
                 d->timeout_ms, WATCHDOG_SLACK_MS, conf->max_ms);
        return -EINVAL;
    }
    return 0;
}

/* Makes the open device what is wanted. */
static int
set_up(struct wdt *d, const struct wire_watchdog *conf, char why[],
       size_t size)
{
    struct watchdog_info info;
    int error;

    memset(&info, 0, sizeof info);
    if (ioctl(d->fd, WDIOC_GETSUPPORT, &info)) {
        snprintf(why, size, "it is no watchdog: %s", strerror(errno));
        close(d->fd); /* Nothing may be written to it. */
        d->fd = -1;
        return -ENODEV;
    }
    snprintf(d->identity, sizeof d->identity, "%.*s",
             (int) sizeof info.identity, (const char *) info.identity);
    error = check_identity(d->identity, conf->identity, why, size);
    if (!error) {
        error =
            set_timeout(d, conf, info.options & WDIOF_SETTIMEOUT, why, size);
    }
    return error ? error
                 : set_pretimeout(d, info.options & WDIOF_PRETIMEOUT,
                                  conf->pretimeout_s, why, size);
}

int
wdt_open(struct wdt *d, const struct wire_watchdog *conf, char why[],
         size_t size)
{
    int error;

    wdt_init(d);
    error = look(d, conf, why, size);
    if (error) {
        return error;
    }
    d->fd = open(d->path, O_WRONLY | O_CLOEXEC);
    if (d->fd < 0) {
        error = -errno;
        tell_open_error(error, why, size);
        return error;
    }
    error = set_up(d, conf, why, size);
    if (error && d->fd >= 0) {
        wdt_disarm(d);
    }
    return error;
}

int
wdt_feed(struct wdt *d)
{
    return write(d->fd, "", 1) == 1 ? 0 : -errno;
}

int
wdt_disarm(struct wdt *d)
{
    int off = WDIOS_DISABLECARD;

    if (d->nowayout == WIRE_NOWAYOUT_YES) {
        return -EBUSY;
    }
    ha_log(HA_LOG_INFO, "watchdog", "%s: disarming", d->path);
    /* Where nothing else tells, an attempt to stop it does. */
    if (d->nowayout == WIRE_NOWAYOUT_UNKNOWN
        && ioctl(d->fd, WDIOC_SETOPTIONS, &off) && errno == EBUSY) {
        d->nowayout = WIRE_NOWAYOUT_YES;
        return -EBUSY;
    }
    wdt_close(d);
    return 0;
}

void
wdt_close(struct wdt *d)
{
    if (d->fd < 0) {
        return;
    }
    /* Without this word the device goes on. */
    if (write(d->fd, "V", 1) != 1) {
        ha_log(HA_LOG_ERR, "watchdog", "%s cannot be disarmed: %s", d->path,
               strerror(errno));
    }
    close(d->fd);
    d->fd = -1;
}
