/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HA_PAGE_H
#define HA_PAGE_H 1

/* The page for people that ha/web.c serves at '/': ha/page.html, which the
 * build turns into ha/page.c. */

#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_len;

#endif /* ha/page.h */
