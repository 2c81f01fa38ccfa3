/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "replica/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/manifest.h"
#include "replica/restore.h"
#include "tests/unit/dbfile.h"

static const char schema[] =
    "{\"name\":\"test\",\"version\":\"1.0.0\",\"tables\":{\"t\":{"
    "\"isRoot\":true,\"columns\":{\"name\":{\"type\":\"string\"}}}}}";
static const char row[] =
    "{\"t\":{\"11111111-1111-1111-1111-111111111111\":{\"name\":\"x\"}}}";

/* Two databases and a place for a backup of them. */
struct place {
    char dir[64], folder[80], nb[80], sb[80];
    struct backup_config cfg;
    struct dbfile db[HA_N_DBS];
};

static void
place_open(struct place *p)
{
    strcpy(p->dir, "/tmp/ovn-ha-backup-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->folder, sizeof p->folder, "%s/b", p->dir);
    snprintf(p->nb, sizeof p->nb, "%s/nb", p->dir);
    snprintf(p->sb, sizeof p->sb, "%s/sb", p->dir);
    p->cfg = (struct backup_config){ .folder = p->folder,
                                     .state_dir = p->dir,
                                     .file = { p->nb, p->sb },
                                     .tell_fd = -1 };
    for (int db = 0; db < HA_N_DBS; db++) {
        p->db[db].fd = open(p->cfg.file[db], O_RDWR | O_CREAT, 0640);
        assert_true(p->db[db].fd >= 0);
        assert_int_equal(fchmod(p->db[db].fd, 0640), 0);
        p->db[db].n = 0;
        dbfile_add(&p->db[db], schema);
        dbfile_add(&p->db[db], row);
    }
}

static void
remove_copies(struct place *p)
{
    for (int db = 0; db < HA_N_DBS; db++) {
        char *path = manifest_path(p->folder, db);

        unlink(path);
        free(path);
    }
}

static void
remove_manifest(struct place *p)
{
    char path[96];

    snprintf(path, sizeof path, "%s/backup.json", p->folder);
    unlink(path);
    rmdir(p->folder);
}

static void
place_close(struct place *p)
{
    remove_copies(p);
    remove_manifest(p);
    assert_int_not_equal(access(p->folder, F_OK), 0);
    for (int db = 0; db < HA_N_DBS; db++) {
        close(p->db[db].fd);
        unlink(p->cfg.file[db]);
    }
    assert_int_equal(rmdir(p->dir), 0); /* Nothing else was left. */
}

static uint64_t
copied(const struct place *p, enum ha_db db, mode_t *ret_mode)
{
    char *path = manifest_path(p->folder, db);
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    *ret_mode = st.st_mode & 0777;
    free(path);
    return st.st_size;
}

/* What is being written at that moment is not part of it. */
static void
test_torn_tail(void **state)
{
    struct manifest m;
    struct place p;
    uint64_t whole;
    mode_t mode;

    (void) state;
    place_open(&p);
    whole = p.db[HA_SB].n;
    for (uint64_t cut = 1; cut < 60; cut += 29) {
        dbfile_add(&p.db[HA_SB], row);
        p.db[HA_SB].n = whole;
        assert_int_equal(ftruncate(p.db[HA_SB].fd, whole + cut), 0);
        assert_int_equal(backup_main(&p.cfg), 0);
        assert_int_equal(copied(&p, HA_SB, &mode), whole);
        assert_int_equal(mode, 0640);
        assert_int_equal(copied(&p, HA_NB, &mode), p.db[HA_NB].n);
        assert_true(manifest_read(&m, p.folder));
        assert_int_equal(m.db[HA_SB].bytes, whole);
        assert_int_equal(m.db[HA_SB].pos.lineage, 0);
        /* It exists already. */
        assert_int_equal(backup_main(&p.cfg), 1);
        assert_true(manifest_read(&m, p.folder));
        remove_copies(&p);
        assert_false(manifest_read(&m, p.folder));
        remove_manifest(&p);
    }
    place_close(&p);
}

/* Records behind one that is damaged would be missing. */
static void
test_damaged(void **state)
{
    struct place p;
    uint64_t off;

    (void) state;
    place_open(&p);
    off = p.db[HA_NB].n - 4;
    dbfile_add(&p.db[HA_NB], row);
    assert_int_equal(pwrite(p.db[HA_NB].fd, "?", 1, off), 1);
    assert_int_equal(backup_main(&p.cfg), 1);
    assert_int_not_equal(access(p.folder, F_OK), 0);
    place_close(&p);
}

/* One bit, or the end, of either file. */
static void
test_changed(void **state)
{
    struct manifest m;
    struct place p;

    (void) state;
    place_open(&p);
    assert_int_equal(backup_main(&p.cfg), 0);
    for (int db = 0; db < HA_N_DBS; db++) {
        char *path = manifest_path(p.folder, db);
        int fd = open(path, O_RDWR);
        char was;

        assert_int_equal(pread(fd, &was, 1, 200), 1);
        was ^= 1;
        assert_int_equal(pwrite(fd, &was, 1, 200), 1);
        assert_false(manifest_read(&m, p.folder));
        was ^= 1;
        assert_int_equal(pwrite(fd, &was, 1, 200), 1);
        assert_true(manifest_read(&m, p.folder));
        assert_int_equal(pwrite(fd, "\n", 1, p.db[db].n), 1);
        assert_false(manifest_read(&m, p.folder));
        assert_int_equal(ftruncate(fd, p.db[db].n), 0);
        assert_true(manifest_read(&m, p.folder));
        close(fd);
        free(path);
    }
    place_close(&p);
}

static void
put_file(const struct place *p, const char *name)
{
    char path[96];

    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    close(open(path, O_WRONLY | O_CREAT, 0600));
}

static bool
remove_file(const struct place *p, const char *name)
{
    char path[96];

    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    return !unlink(path);
}

/* A backup says how fresh it was. */
static void
test_freshness(void **state)
{
    struct manifest m;
    struct place p;

    (void) state;
    place_open(&p);
    for (int i = -1; i < 2; i++) {
        p.cfg.in_sync = i;
        p.cfg.lag[HA_NB] = i < 0 ? -1 : 0;
        p.cfg.lag[HA_SB] = i < 0 ? -1 : 5;
        assert_int_equal(backup_main(&p.cfg), 0);
        assert_true(manifest_read(&m, p.folder));
        assert_int_equal(m.in_sync, i);
        assert_int_equal(m.db[HA_NB].lag, p.cfg.lag[HA_NB]);
        assert_int_equal(m.db[HA_SB].lag, p.cfg.lag[HA_SB]);
        remove_copies(&p);
        remove_manifest(&p);
    }
    place_close(&p);
}

/* The databases' own disk is not filled so far that the node cannot go on;
 * another one is not theirs. */
static void
test_room(void **state)
{
    char elsewhere[] = "/dev/shm/ovn-ha-backup-XXXXXX";
    char folder[sizeof elsewhere + 2];
    struct stat ours, other;
    struct place p;

    (void) state;
    place_open(&p);
    p.cfg.spare_bytes = 1ULL << 60;
    assert_int_equal(backup_main(&p.cfg), 1);
    assert_int_not_equal(access(p.folder, F_OK), 0);
    if (mkdtemp(elsewhere) && !stat(elsewhere, &other) && !stat(p.dir, &ours)
        && other.st_dev != ours.st_dev) {
        snprintf(folder, sizeof folder, "%s/b", elsewhere);
        p.cfg.folder = folder;
        assert_int_equal(backup_main(&p.cfg), 0);
        strcpy(p.folder, folder);
        remove_copies(&p);
        remove_manifest(&p);
        snprintf(p.folder, sizeof p.folder, "%s/b", p.dir);
        p.cfg.folder = p.folder;
    }
    rmdir(elsewhere);
    p.cfg.spare_bytes = 0;
    assert_int_equal(backup_main(&p.cfg), 0);
    p.cfg.spare_bytes = 1ULL << 60;
    p.cfg.dry_run = true;
    assert_int_equal(restore_main(&p.cfg), 1);
    p.cfg.spare_bytes = 0;
    assert_int_equal(restore_main(&p.cfg), 0);
    assert_true(remove_file(&p, "restore.lock"));
    place_close(&p);
}

/* What fsync() was told last, and what it is to fail for. */
static char synced[256];
static const char *bad_folder;

int
fsync(int fd)
{
    char link[32];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, synced, sizeof synced - 1);
    synced[n > 0 ? n : 0] = '\0';
    if (bad_folder && !strcmp(bad_folder, synced)) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_fsync, fd);
}

/* The folder is on the disk by its name, however that was given, or there is
 * none. */
static void
test_name_is_durable(void **state)
{
    char given[96];
    struct place p;

    (void) state;
    place_open(&p);
    snprintf(given, sizeof given, "%s//", p.folder);
    p.cfg.folder = given;
    assert_int_equal(backup_main(&p.cfg), 0);
    assert_string_equal(synced, p.dir);
    remove_copies(&p);
    remove_manifest(&p);
    bad_folder = p.dir;
    assert_int_equal(backup_main(&p.cfg), 1);
    bad_folder = NULL;
    assert_int_not_equal(access(p.folder, F_OK), 0);
    place_close(&p);
}

/* What a restore left that was killed is of another time, and goes. */
static void
test_left_over(void **state)
{
    struct place p;

    (void) state;
    place_open(&p);
    assert_int_equal(backup_main(&p.cfg), 0);
    put_file(&p, "restore-nb.db");
    put_file(&p, "restore-nb.db.pos");
    put_file(&p, "restore-sb.db.ovn-ha");
    p.cfg.dry_run = true;
    p.cfg.spare_bytes = 1ULL << 60; /* So it makes none itself. */
    assert_int_equal(restore_main(&p.cfg), 1);
    assert_true(remove_file(&p, "restore.lock"));
    place_close(&p);
}

/* Another one, which is in the midst of it, is not disturbed. */
static void
test_one_at_a_time(void **state)
{
    int up[2], down[2];
    struct place p;
    char c;

    (void) state;
    place_open(&p);
    assert_int_equal(backup_main(&p.cfg), 0);
    p.cfg.dry_run = true;
    assert_int_equal(pipe(up) | pipe(down), 0);
    if (!fork()) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int fd;

        close(down[1]); /* It ends with the test, whatever comes. */
        put_file(&p, "restore.lock");
        fd = open(p.dir, O_PATH);
        fd = openat(fd, "restore.lock", O_RDWR);
        c = fcntl(fd, F_SETLK, &lock) ? 'X' : '.';
        _exit(write(up[1], &c, 1) != 1 || read(down[0], &c, 1) != 1);
    }
    assert_int_equal(read(up[0], &c, 1), 1);
    assert_int_equal(c, '.');
    put_file(&p, "restore-nb.db");
    assert_int_equal(restore_main(&p.cfg), 1);
    assert_true(remove_file(&p, "restore-nb.db"));
    assert_int_equal(write(down[1], &c, 1), 1);
    wait(NULL);
    assert_int_equal(restore_main(&p.cfg), 0);
    assert_true(remove_file(&p, "restore.lock"));
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(down[i]);
    }
    place_close(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_name_is_durable),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_one_at_a_time),
    };

    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
