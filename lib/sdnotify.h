/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_SDNOTIFY_H
#define HA_LIB_SDNOTIFY_H 1

/* Tells systemd how the service is doing, as sd_notify(3) does, without its
 * library.  ovn-had uses it; without systemd it does nothing.  Never waits. */

/* Sends 'text', such as "READY=1" or "STATUS=Standby in epoch 5", to the
 * socket that the environment names.  Returns 0, also if it names none, or a
 * negative errno. */
int sdnotify_send(const char *text);

#endif /* HA_LIB_SDNOTIFY_H */
