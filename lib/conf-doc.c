/* SPDX-License-Identifier: Apache-2.0 */

/* Writes what is generated from the option table, for the build only. */

#include <stdio.h>
#include <string.h>

#include "lib/conf.h"

int
main(int argc, char *argv[])
{
    if (argc == 2 && !strcmp(argv[1], "example")) {
        conf_print_example(stdout);
    } else if (argc == 2 && !strcmp(argv[1], "man")) {
        conf_print_man(stdout);
    } else {
        fprintf(stderr, "usage: conf-doc example|man\n");
        return 2;
    }
    return fflush(stdout) ? 1 : 0;
}
