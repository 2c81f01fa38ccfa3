/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check-collect.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/dblock.h"
#include "lib/durable.h"
#include "lib/netaddr.h"
#include "lib/xalloc.h"

#define CIB_FILE "/var/lib/pacemaker/cib/cib.xml"
#define CIB_MAX (64 * 1024 * 1024)
#define TCP_LISTEN 0x0a
#define UDP_BOUND 0x07

/* True if the process is one of ovn-ha, or a server that it runs. */
static bool
is_ours(const struct conf *conf, pid_t pid, const char *comm)
{
    char *private_dir = ha_asprintf("%s/private/", conf->run_dir);
    char command[CHILD_CMDLINE_MAX] = "";
    bool ours = !strncmp(comm, "ovn-ha", 6)
                || (child_read_cmdline(pid, command, sizeof command) > 0
                    && strstr(command, private_dir));

    free(private_dir);
    return ours;
}

/* ---- Files --------------------------------------------------------------- */

static void
collect_holder(const struct conf *conf, const char *file, json_t *list)
{
    char command[CHILD_CMDLINE_MAX] = "(a process out of sight)";
    struct child_stat st = { .comm = "" };
    pid_t pid;

    if (!dblock_holder(file, &pid)) {
        return;
    }
    if (pid) {
        child_read_stat(pid, &st);
        child_read_cmdline(pid, command, sizeof command);
    }
    if (!pid || !is_ours(conf, pid, st.comm)) {
        json_t *text = json_string(command);

        json_array_append_new(
            list, json_pack("{s:s, s:i, s:o}", "file", file, "pid", (int) pid,
                            "command", text ? text : json_string(st.comm)));
    }
}

/* ---- Ports --------------------------------------------------------------- */

/* The inode of the socket that listens on 'port', by /proc/net/NAME; 0. */
static unsigned long
find_socket(const char *name, int port, unsigned int state)
{
    char path[32], line[512];
    unsigned long found = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/net/%s", name);
    f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        unsigned long inode;
        unsigned int at, is;

        if (sscanf(line,
                   "%*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x "
                   "%*x:%*x %*x %*u %*u %lu",
                   &at, &is, &inode)
                == 3
            && at == (unsigned int) port && is == state) {
            found = inode;
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

static bool
has_socket(const char *pid, unsigned long inode)
{
    char path[300], target[64], wanted[64];
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    dir = opendir(path);
    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target);

        found = n == (ssize_t) strlen(wanted) && !memcmp(target, wanted, n);
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

/* The process that has the socket; 0 if it is out of sight. */
static pid_t
find_owner(unsigned long inode)
{
    DIR *dir = opendir("/proc");
    pid_t pid = 0;

    for (struct dirent *e; dir && !pid && (e = readdir(dir));) {
        if (strspn(e->d_name, "0123456789") == strlen(e->d_name)
            && has_socket(e->d_name, inode)) {
            pid = atoi(e->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return pid;
}

static void
collect_port(const struct conf *conf, json_t *list, const char *what, int port,
             bool tcp)
{
    unsigned int state = tcp ? TCP_LISTEN : UDP_BOUND;
    unsigned long inode = find_socket(tcp ? "tcp" : "udp", port, state);
    struct child_stat st = { .comm = "out of sight" };
    pid_t pid;

    if (!inode) {
        inode = find_socket(tcp ? "tcp6" : "udp6", port, state);
    }
    if (!inode) {
        return;
    }
    pid = find_owner(inode);
    if (pid) {
        child_read_stat(pid, &st);
    }
    json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:s, s:b}", "what",
                                          what, "port", port, "pid", (int) pid,
                                          "comm", st.comm, "ours",
                                          pid && is_ours(conf, pid, st.comm)));
}

/* Each of "ptcp:PORT[:ADDRESS],..." . */
static void
collect_remotes(const struct conf *conf, json_t *list, const char *what,
                const char *remotes)
{
    const char *word = remotes;

    for (size_t n; (n = conf_word(&word)); word += n) {
        collect_port(conf, list, what, atoi(word + strlen("ptcp:")), true);
    }
}

static json_t *
listeners(const struct conf *conf)
{
    json_t *list = json_array();
    const char *colon = strrchr(conf->status_listen, ':');

    collect_remotes(conf, list, "[listen] nb", conf->listen_nb);
    collect_remotes(conf, list, "[listen] sb", conf->listen_sb);
    collect_port(conf, list, "[replication] port-nb", conf->port_nb, true);
    collect_port(conf, list, "[replication] port-sb", conf->port_sb, true);
    collect_port(conf, list, "[beat] port", conf->beat_port, false);
    if (colon) {
        collect_port(conf, list, "[status] listen", atoi(colon + 1), true);
    }
    return list;
}

/* ---- pacemaker ----------------------------------------------------------- */

static bool
program_runs(const char *comm)
{
    DIR *dir = opendir("/proc");
    bool runs = false;

    for (struct dirent *e; dir && !runs && (e = readdir(dir));) {
        struct child_stat st;
        pid_t pid = atoi(e->d_name);

        runs = pid > 0 && !child_read_stat(pid, &st) && st.state != CHILD_DEAD
               && !strcmp(st.comm, comm);
    }
    if (dir) {
        closedir(dir);
    }
    return runs;
}

static json_t *
pacemaker(void)
{
    bool configured = false;
    char *text;
    size_t n;

    if (!durable_read(CIB_FILE, CIB_MAX, &text, &n)) {
        configured = strstr(text, "\"ovndb-servers\"") != NULL;
        free(text);
    }
    return json_pack("{s:b, s:b}", "runs_databases", configured, "runs",
                     configured && program_runs("pacemakerd"));
}

void
check_collect_processes(const struct conf *conf, json_t *facts)
{
    json_t *holders = json_array();

    collect_holder(conf, conf->nb_db, holders);
    collect_holder(conf, conf->sb_db, holders);
    json_object_set_new(facts, "holders", holders);
    json_object_set_new(facts, "listeners", listeners(conf));
    json_object_set_new(facts, "pacemaker", pacemaker());
}
