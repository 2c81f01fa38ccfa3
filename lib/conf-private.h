/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_CONF_PRIVATE_H
#define HA_LIB_CONF_PRIVATE_H 1

/* What the files of the configuration share among themselves.  Nobody else
 * includes it. */

#include "lib/conf.h"

/* Parses 'text' and sets the option's member of 'base'.  Returns NULL or the
 * reason why it is wrong, which the caller frees. */
char *conf_set_value(void *base, const struct conf_option *, const char *text);
void conf_set_defaults(void *base, const struct conf_option *, size_t n);
void conf_free_values(void *base, const struct conf_option *, size_t n);

/* Writes "NAME = VALUE ; origin". */
void conf_print_option(const struct conf *, const void *base,
                       const struct conf_option *, int line, FILE *);

/* conf-fence.c: sections that an operator names, [device X], [fence X]. */

/* True if 'section' is one of them. */
bool conf_fence_owns(const char *section);

/* Takes one line of such a section.  Returns NULL or the reason. */
char *conf_fence_set(struct conf *, const char *section, const char *name,
                     const char *value, int line);

/* Checks what belongs together; 'open_to_others' says that others than its
 * owner may read the file.  Returns NULL or the reason and its line. */
char *conf_fence_check(const struct conf *, bool open_to_others,
                       int *ret_line);

void conf_fence_print(const struct conf *, FILE *);
void conf_fence_destroy(struct conf *);

#endif /* HA_LIB_CONF_PRIVATE_H */
