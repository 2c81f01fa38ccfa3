/* SPDX-License-Identifier: Apache-2.0 */

#include "fence/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/log.h"

#define RT_PRIORITY 50 /* Below corosync's own 99. */

void
harden(void)
{
    struct sched_param param = { .sched_priority = RT_PRIORITY };
    int fd;

#ifndef __SANITIZE_ADDRESS__ /* Whose shadow memory is too large. */
    if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
        ha_log(HA_LOG_WARN, "worker", "cannot lock memory: %s",
               strerror(errno));
    }
#endif
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param)) {
        ha_log(HA_LOG_WARN, "worker", "no real-time priority: %s",
               strerror(errno));
    }
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "-1000", 5) != 5) {
        ha_log(HA_LOG_WARN, "worker",
               "cannot be spared when memory runs "
               "out: %s",
               strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}
