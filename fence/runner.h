/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENCE_RUNNER_H
#define FENCE_RUNNER_H 1

/* The life of the process that runs fence agents (fence/agents.h): takes the
 * configuration and requests from the supervisor, runs what fence/fencing
 * asks for, and tells what came of it. */

/* Listens on 'path' until a signal ends it, with all agents.  Returns an exit
 * status. */
int runner_main(const char *path);

#endif /* fence/runner.h */
