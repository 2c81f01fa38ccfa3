/* SPDX-License-Identifier: Apache-2.0 */

#ifndef HA_LIB_OVNUNITS_H
#define HA_LIB_OVNUNITS_H 1

/* The units by which systemd would run what ovn-ha runs, and whether it may.
 *
 * ovn-had masks them; 'ovn-hactl check' looks whether they are.  Changes
 * nothing. */

#include <stdbool.h>
#include <stddef.h>

#define OVNUNITS_N 4
extern const char *const ovnunits[OVNUNITS_N];

/* What an operator can type. */
#define OVNUNITS_MASK                                 \
    "systemctl mask ovn-central ovn-ovsdb-server-nb " \
    "ovn-ovsdb-server-sb ovn-northd"

bool ovnunits_systemd_runs(void);
bool ovnunits_is_masked(const char *unit);

#endif /* HA_LIB_OVNUNITS_H */
