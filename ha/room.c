/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/room.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/durable.h"
#include "lib/xalloc.h"

#define RECORD_BYTES 1000000 /* Many times over. */

void
room_close(struct room *room)
{
    for (size_t i = 0; i < room->n; i++) {
        free(room->folders[i].path);
    }
    room->n = 0;
}

/* What is free to this user: root may have more than others. */
static uint64_t
own_bytes(const struct statvfs *fs)
{
    bool closed = (fs->f_flag & ST_RDONLY) || (fs->f_files && !fs->f_ffree);

    return closed ? 0
                  : (uint64_t) (geteuid() ? fs->f_bavail : fs->f_bfree)
                        * fs->f_frsize;
}

/* Takes over 'path'. */
static void
look_at(struct room *room, char *path, bool record)
{
    bool known = false;
    struct statvfs fs;

    for (size_t i = 0; i < room->n; i++) {
        if (!strcmp(room->folders[i].path, path)) {
            room->folders[i].record |= record;
            known = true;
        }
    }
    if (known || statvfs(path, &fs)) {
        free(path);
        return;
    }
    room->folders[room->n++] = (struct room_folder){
        .path = path,
        .free_bytes = (uint64_t) fs.f_bavail * fs.f_frsize,
        .own_bytes = own_bytes(&fs),
        .record = record,
    };
}

const struct room_folder *
room_least(const struct room *room)
{
    const struct room_folder *least = NULL;

    for (size_t i = 0; i < room->n; i++) {
        if (!least || room->folders[i].free_bytes < least->free_bytes) {
            least = &room->folders[i];
        }
    }
    return least;
}

static bool
is_below(const struct room *room, bool was, int mb)
{
    const struct room_folder *least = room_least(room);

    return least
           && least->free_bytes < (uint64_t) mb * ROOM_MB * (was ? 2 : 1);
}

static bool
is_record_full(const struct room *room, bool was)
{
    for (size_t i = 0; i < room->n; i++) {
        const struct room_folder *f = &room->folders[i];

        if (f->record && f->own_bytes < RECORD_BYTES * (was ? 2U : 1U)) {
            return true;
        }
    }
    return false;
}

void
room_judge(struct room *room, const struct conf *conf)
{
    room->low = is_below(room, room->low, conf->low_mb);
    room->tight = is_below(room, room->tight, conf->warn_mb);
    room->record_full = is_record_full(room, room->record_full);
}

void
room_look(struct room *room, const struct conf *conf)
{
    room_close(room);
    if (!conf->witness) {
        look_at(room, durable_folder_of(conf->nb_db), false);
        look_at(room, durable_folder_of(conf->sb_db), false);
    }
    look_at(room, ha_strdup(conf->state_dir), true);
    room_judge(room, conf);
}
