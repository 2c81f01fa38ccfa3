/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/version.h"

#include <ctype.h>
#include <stdlib.h>

#define PARTS 3

/* The number at '*s', and steps behind it and the dot that follows. */
static unsigned long int
take_part(const char **s)
{
    char *end = (char *) *s;
    unsigned long int n =
        isdigit((unsigned char) **s) ? strtoul(*s, &end, 10) : 0;

    *s = *end == '.' ? end + 1 : end;
    return n;
}

int
version_cmp(const char *a, const char *b)
{
    for (int i = 0; i < PARTS; i++) {
        unsigned long int x = take_part(&a);
        unsigned long int y = take_part(&b);

        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return 0;
}
