/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/confirm.h"

#include <stdio.h>
#include <string.h>

bool
confirm_typed(const char *meaning, const char *word)
{
    char line[256];

    printf("%s\nType \"%s\" to go on: ", meaning, word);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (!strcmp(line, word)) {
            return true;
        }
    }
    fprintf(stderr, "ovn-hactl: not confirmed; nothing was done\n");
    return false;
}
