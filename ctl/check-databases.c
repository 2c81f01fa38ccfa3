/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check-collect.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ctl/ovsdb-ask.h"
#include "lib/dblock.h"
#include "lib/durable.h"
#include "lib/jsonget.h"
#include "lib/schemafile.h"
#include "lib/xalloc.h"

/* One of the two. */
struct database {
    const char *key, *name, *schema_name;
    const char *file, *schema_file, *public_sock;
};

/* ---- The file ------------------------------------------------------------ */

static void
collect_file(const struct database *d, json_t *o)
{
    char *folder = durable_folder_of(d->file);
    char installed[SCHEMAFILE_VERSION_LEN];
    struct statvfs fs;
    struct stat st;

    json_object_set_new(o, "folder", json_string(folder));
    if (!statvfs(folder, &fs)) {
        json_object_set_new(
            o, "free_bytes",
            json_integer((json_int_t) fs.f_bavail * fs.f_frsize));
    }
    if (!stat(d->file, &st)) {
        json_object_set_new(o, "file_bytes", json_integer(st.st_size));
    }
    if (!schemafile_version(d->schema_file, installed)) {
        json_object_set_new(o, "schema_installed", json_string(installed));
    }
    free(folder);
}

/* ---- The process --------------------------------------------------------- */

/* The soft limit of open files; 0 if it cannot be told. */
static long
descriptors_limit(pid_t pid)
{
    char path[64], line[256];
    long limit = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/limits", (int) pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "Max open files %ld", &limit) == 1) {
            break;
        }
    }
    if (f) {
        fclose(f);
    }
    return limit;
}

static long
descriptors_used(pid_t pid)
{
    char path[64];
    long n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int) pid);
    dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        n += e->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

static void
collect_server(const struct database *d, json_t *o)
{
    pid_t pid;

    if (dblock_holder(d->file, &pid) && pid) {
        json_object_set_new(
            o, "server",
            json_pack("{s:i, s:I, s:I}", "pid", (int) pid, "fds_used",
                      (json_int_t) descriptors_used(pid), "fds_limit",
                      (json_int_t) descriptors_limit(pid)));
    }
}

/* ---- The contents -------------------------------------------------------- */

/* Chassis with the addresses of their tunnels. */
static json_t *
chassis(const char *path)
{
    json_t *rows = ovsdb_ask_rows(path, "OVN_Southbound", "Chassis",
                                  "[\"name\", \"hostname\"]");
    json_t *encaps = ovsdb_ask_rows(path, "OVN_Southbound", "Encap",
                                    "[\"ip\", \"chassis_name\"]");
    json_t *by_name = json_object(), *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        json_object_set_new(row, "ips", json_array());
        json_object_set(by_name, jsonget_text(row, "name"), row);
    }
    json_array_foreach (encaps, i, row) {
        json_t *of =
            json_object_get(by_name, jsonget_text(row, "chassis_name"));

        json_array_append(json_object_get(of, "ips"),
                          json_object_get(row, "ip"));
    }
    json_decref(by_name);
    json_decref(encaps);
    return rows;
}

static void
collect_ssl(const struct database *d, const char *path, json_t *certificates)
{
    json_t *rows = ovsdb_ask_rows(path, d->schema_name, "SSL",
                                  "[\"certificate\", \"ca_cert\"]");
    const json_t *row = json_array_get(rows, 0);
    char *what = ha_asprintf("certificate in %s's SSL table", d->name);
    char *ca = ha_asprintf("ca_cert in %s's SSL table", d->name);

    check_collect_certificate(certificates, what,
                              jsonget_text(row, "certificate"), false);
    check_collect_certificate(certificates, ca, jsonget_text(row, "ca_cert"),
                              true);
    free(what);
    free(ca);
    json_decref(rows);
}

static void
collect_contents(const struct conf *conf, const struct database *d, json_t *o,
                 json_t *certificates)
{
    char *own = check_private_socket(conf, d->key);
    const char *path = access(own, F_OK) ? d->public_sock : own;
    json_t *schema =
        ovsdb_ask(path, "get_schema", json_pack("[s]", d->schema_name));

    if (json_is_object(schema)) {
        json_object_set(o, "schema", json_object_get(schema, "version"));
        json_object_set_new(
            o, "connections",
            ovsdb_ask_rows(path, d->schema_name, "Connection",
                           "[\"target\", \"inactivity_probe\"]"));
        if (!strcmp(d->key, "sb")) {
            json_object_set_new(o, "chassis", chassis(path));
        }
        collect_ssl(d, path, certificates);
    }
    json_decref(schema);
    free(own);
}

void
check_collect_databases(const struct conf *conf, json_t *facts,
                        json_t *certificates)
{
    const struct database databases[] = {
        { "nb", "NB", "OVN_Northbound", conf->nb_db, conf->nb_schema,
          conf->nb_sock },
        { "sb", "SB", "OVN_Southbound", conf->sb_db, conf->sb_schema,
          conf->sb_sock },
    };
    json_t *all = json_object();

    for (int db = 0; db < 2; db++) {
        json_t *o = json_object();

        collect_file(&databases[db], o);
        collect_server(&databases[db], o);
        collect_contents(conf, &databases[db], o, certificates);
        if (json_object_get(o, "server") && !json_object_get(o, "schema")) {
            char *what = ha_asprintf("%s: its server does not answer",
                                     databases[db].name);

            check_collect_unseen(facts, "database-unseen", what,
                                 "see the log folder, and run this as root");
            free(what);
        }
        json_object_set_new(all, databases[db].key, o);
    }
    json_object_set_new(facts, "databases", all);
}
