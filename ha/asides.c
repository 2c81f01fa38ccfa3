/* SPDX-License-Identifier: Apache-2.0 */
#include "ha/asides.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/xalloc.h"

void
asides_count(const char *state_dir, uint32_t *ret_files, uint64_t *ret_bytes)
{
    char *path = ha_asprintf("%s/diverged", state_dir);
    DIR *dir = opendir(path);
    struct dirent *e;
    struct stat st;

    free(path);
    *ret_files = 0;
    *ret_bytes = 0;
    while (dir && (e = readdir(dir))) {
        const char *ending = strrchr(e->d_name, '.');

        if (!fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW)
            && S_ISREG(st.st_mode)) {
            *ret_files += ending && !strcmp(ending, ".db");
            *ret_bytes += st.st_size;
        }
    }
    if (dir) {
        closedir(dir);
    }
}
