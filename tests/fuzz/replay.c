/* SPDX-License-Identifier: Apache-2.0 */

/* Gives a fuzz target the inputs of its corpus, one TAP test in all: the main
 * program of each target that is not linked with libFuzzer.
 *
 * Usage: fuzz-NAME [FILE...]
 *
 * Without arguments, the files in tests/fuzz/corpus/NAME of $srcdir. */

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/xalloc.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1u << 20)

/* Copies the input to memory of exactly its size, so that a sanitizer sees who
 * reads behind it. */
static bool
replay_file(const char *path)
{
    static uint8_t buf[INPUT_MAX];
    FILE *f = fopen(path, "re");
    uint8_t *data;
    size_t n;

    if (!f) {
        printf("# %s: %s\n", path, strerror(errno));
        return false;
    }
    n = fread(buf, 1, sizeof buf, f);
    fclose(f);
    /* Whatever it dies of, the last line says which input it was. */
    printf("# %s\n", path);
    fflush(stdout);
    data = malloc(n);
    assert(data || !n);
    if (n) {
        memcpy(data, buf, n);
    }
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return true;
}

/* Returns how many files of the folder were replayed, or -1. */
static int
replay_folder(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    int done = 0;

    for (int i = 0; i < n; i++) {
        char *path;

        if (entries[i]->d_name[0] != '.') {
            path = ha_asprintf("%s/%s", folder, entries[i]->d_name);
            done = done < 0 || !replay_file(path) ? -1 : done + 1;
            free(path);
        }
        free(entries[i]);
    }
    if (n >= 0) {
        free(entries);
    }
    return done;
}

int
main(int argc, char *argv[])
{
    const char *name = basename(argv[0]) + strlen("fuzz-");
    const char *srcdir = getenv("srcdir");
    char folder[PATH_MAX];
    int done = 0;

    printf("1..1\n");
    for (int i = 1; i < argc; i++) {
        done = done < 0 || !replay_file(argv[i]) ? -1 : done + 1;
    }
    if (argc == 1) {
        snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s",
                 srcdir ? srcdir : ".", name);
        done = replay_folder(folder);
    }
    printf("%s 1 - %s: %d inputs\n", done > 0 ? "ok" : "not ok", name, done);
    return done > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
