/* SPDX-License-Identifier: Apache-2.0 */

/* A library to preload where the kernel is to be slow to change its rules:
 * while the file /run/slow-nft is there, each change takes a while longer.
 * Test code only. */

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATE_US 300000

struct nft_ctx;

int
nft_run_cmd_from_buffer(struct nft_ctx *ctx, const char *buf)
{
    int (*next)(struct nft_ctx *, const char *) =
        (int (*)(struct nft_ctx *, const char *)) dlsym(
            RTLD_NEXT, "nft_run_cmd_from_buffer");

    int error;

    if (!access("/run/slow-nft", F_OK)) {
        usleep(LATE_US);
    }
    error = next(ctx, buf);
    if (getenv("SLOW_AFTER_PORTS") && strstr(buf, "add element")
        && strstr(buf, " ports ")) {
        usleep(LATE_US);
    }
    return error;
}
