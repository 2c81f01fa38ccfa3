/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTL_CONFIRM_H
#define CTL_CONFIRM_H 1

/* Asks before what cannot be undone: the operator has to type what it is
 * about, which a finger that is too quick cannot.  Used by the verbs. */

#include <stdbool.h>

/* Prints 'meaning' and waits for 'word' on standard input.  Returns false
 * after a line of error if something else came. */
bool confirm_typed(const char *meaning, const char *word);

#endif /* ctl/confirm.h */
