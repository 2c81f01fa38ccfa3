/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/dblock.h"
#include "lib/log.h"
#include "lib/seq.h"
#include "lib/xalloc.h"

#define END_MS 500 /* Patience with SIGTERM, and with SIGKILL. */

bool
foreign_runs_with(pid_t pid, const char *word)
{
    char buf[CHILD_CMDLINE_MAX];

    return child_read_cmdline(pid, buf, sizeof buf) > 0 && strstr(buf, word);
}

/* Names process 'pid' in 'text'. */
static void
describe(pid_t pid, const char *what, char text[FOREIGN_TEXT_LEN])
{
    char buf[CHILD_CMDLINE_MAX];

    if (!pid || child_read_cmdline(pid, buf, sizeof buf) <= 0) {
        snprintf(text, FOREIGN_TEXT_LEN, "%s: a process out of sight", what);
        return;
    }
    snprintf(text, FOREIGN_TEXT_LEN, "%s: process %d (%.120s%s)", what,
             (int) pid, buf, strlen(buf) > 120 ? "..." : "");
}

pid_t
foreign_own_server(const struct settings_db *db)
{
    pid_t pid;

    return dblock_holder(db->file, &pid) && pid
                   && foreign_runs_with(pid, db->private_sock)
               ? pid
               : 0;
}

bool
foreign_server(const struct settings_db *db, pid_t *ret_pid,
               char text[FOREIGN_TEXT_LEN])
{
    char what[FOREIGN_TEXT_LEN / 2];
    pid_t pid;

    if (!dblock_holder(db->file, &pid)
        || (pid && foreign_runs_with(pid, db->private_sock))) {
        return false;
    }
    snprintf(what, sizeof what, "%.150s is in use", db->file);
    describe(pid, what, text);
    *ret_pid = pid;
    return true;
}

/* A lock of the open file, not of the process: looking at the lock file, which
 * closes it, would end the latter. */
int
foreign_keep_out(const struct settings_db *db)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = dblock_open(db->file, O_CREAT);
    int error;

    if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock)) {
        error = errno == EACCES ? EAGAIN : errno;
        close(fd);
        return -error;
    }
    return fd >= 0 ? fd : -errno;
}

bool
foreign_northd(const struct settings *s, pid_t *ret_pid,
               char text[FOREIGN_TEXT_LEN])
{
    struct child child;
    bool foreign;

    if (child_adopt_pidfile(s->northd_pidfile, "ovn-northd", &child)) {
        return false;
    }
    foreign = !foreign_runs_with(child.pid, s->db[HA_NB].private_sock);
    if (foreign) {
        *ret_pid = child.pid;
        describe(child.pid, "ovn-northd runs already", text);
    }
    child_close(&child);
    return foreign;
}

bool
foreign_clustered(const char *file)
{
    static const char magic[] = "OVSDB CLUSTER ";
    char buf[sizeof magic - 1];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool clustered = false;

    if (fd >= 0) {
        clustered = read(fd, buf, sizeof buf) == sizeof buf
                    && !memcmp(buf, magic, sizeof buf);
        close(fd);
    }
    return clustered;
}

static void
end_process(pid_t pid, const char *comm)
{
    static const int signals[] = { SIGTERM, SIGKILL };
    struct child child;
    int status;

    /* Politely first: a kill would make systemd start it again. */
    for (int i = 0; i < 2 && !child_adopt(pid, comm, 0, &child); i++) {
        child_signal(&child, signals[i]);
        child_wait(&child, mono_add_ms(mono_now(), END_MS), &status);
        child_close(&child);
    }
}

void
foreign_end(const struct settings *s)
{
    char text[FOREIGN_TEXT_LEN];
    pid_t pid;

    for (int db = 0; db < HA_N_DBS; db++) {
        if (foreign_server(&s->db[db], &pid, text) && pid) {
            ha_log(HA_LOG_ERR, "foreign", "%s; ended", text);
            end_process(pid, "ovsdb-server");
        }
    }
}

void
foreign_end_orphans(const struct settings *s)
{
    int fd = seq_connect(s->fence_sock);
    struct child northd;

    if (fd >= 0) {
        close(fd);
        return;
    }
    for (int db = 0; db < HA_N_DBS; db++) {
        pid_t pid = foreign_own_server(&s->db[db]);

        if (pid) {
            ha_log(HA_LOG_ERR, "foreign",
                   "%s: ovsdb-server, process %d, has "
                   "nobody to close it; ended",
                   ha_db_name(db), (int) pid);
            end_process(pid, "ovsdb-server");
        }
    }
    if (!child_adopt_pidfile(s->northd_pidfile, "ovn-northd", &northd)) {
        end_process(northd.pid, "ovn-northd");
        child_close(&northd);
    }
}

bool
foreign_owner(const struct settings *s, char text[FOREIGN_TEXT_LEN])
{
    static const char way_out[] =
        "; end it first, for example: systemctl disable --now ovn-central, "
        "or unmanage the pacemaker resource";
    pid_t pid;

    for (int db = 0; db < HA_N_DBS; db++) {
        if (foreign_clustered(s->db[db].file)) {
            snprintf(text, FOREIGN_TEXT_LEN, "%s " FOREIGN_CLUSTERED,
                     s->db[db].file);
            return true;
        }
    }
    if (!foreign_server(&s->db[HA_NB], &pid, text)
        && !foreign_server(&s->db[HA_SB], &pid, text)
        && !foreign_northd(s, &pid, text)) {
        return false;
    }
    strncat(text, way_out, FOREIGN_TEXT_LEN - strlen(text) - 1);
    return true;
}
