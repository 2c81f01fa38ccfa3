/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_NFT_H
#define FENCE_NFT_H 1

/* libnftables: runs commands of nft(8) in the kernel, each as one transaction.
 *
 * The only place that knows the library, and that it may be missing from the
 * build.  Used by fence/kernel-child alone, because every call waits: for the
 * kernel, and there for whoever else is changing rules.  Never looks at what
 * a command does. */

#include <stddef.h>

struct nft;

/* Returns 0; or a negative errno, with a reason in 'why'. */
int nft_create(struct nft **, char why[], size_t size);
void nft_destroy(struct nft *);

/* Runs 'commands', one a line: all of them or none.  Returns 0; or -EIO, with
 * what the library says in 'why'. */
int nft_run(struct nft *, const char *commands, char why[], size_t size);

#endif /* fence/nft.h */
