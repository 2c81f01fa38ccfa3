/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/nft.h"

#include "ha-config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_NFTABLES
#include <nftables/libnftables.h>

/* The library's own object; struct nft is only a name for it here. */
static struct nft_ctx *
ctx_of(struct nft *nft)
{
    return (struct nft_ctx *) nft;
}

int
nft_create(struct nft **ret_nft, char why[], size_t size)
{
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

    if (!ctx || nft_ctx_buffer_error(ctx) || nft_ctx_buffer_output(ctx)) {
        snprintf(why, size, "libnftables cannot be used");
        nft_ctx_free(ctx);
        return -ENOMEM;
    }
    *ret_nft = (struct nft *) ctx;
    return 0;
}

void
nft_destroy(struct nft *nft)
{
    if (nft) {
        nft_ctx_free(ctx_of(nft));
    }
}

/* The first line of what the library says, without its own prefixes. */
static void
copy_error(const char *text, char why[], size_t size)
{
    const char *error = strstr(text, "Error: ");

    error = error ? error + strlen("Error: ") : text;
    snprintf(why, size, "nftables: %.*s", (int) strcspn(error, "\n"), error);
}

int
nft_run(struct nft *nft, const char *commands, char why[], size_t size)
{
    struct nft_ctx *ctx = ctx_of(nft);
    bool failed = nft_run_cmd_from_buffer(ctx, commands);

    if (failed) {
        copy_error(nft_ctx_get_error_buffer(ctx), why, size);
    }
    return failed ? -EIO : 0;
}

#else /* !HAVE_NFTABLES */

int
nft_create(struct nft **ret_nft, char why[], size_t size)
{
    *ret_nft = NULL;
    snprintf(why, size, "ovn-ha was built without libnftables");
    return -ENOSYS;
}

void
nft_destroy(struct nft *nft)
{
    (void) nft;
}

int
nft_run(struct nft *nft, const char *commands, char why[], size_t size)
{
    (void) nft;
    (void) commands;
    snprintf(why, size, "ovn-ha was built without libnftables");
    return -ENOSYS;
}
#endif
