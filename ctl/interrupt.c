/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A handler can reach nothing else. */
static volatile sig_atomic_t n_caught;

static void
on_signal(int sig)
{
    (void) sig;
    n_caught++;
}

void
interrupt_catch(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int
interrupt_count(void)
{
    return n_caught;
}
