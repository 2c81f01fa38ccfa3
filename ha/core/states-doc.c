/* SPDX-License-Identifier: Apache-2.0 */

/* Writes doc/STATES.md from the one table of states and edges, and from the
 * table of reasons (ha/core/states.c). */

#include <stdio.h>

#include "ha/core/core.h"

static void
print_diagram(void)
{
    puts("```mermaid\nstateDiagram-v2\n    [*] --> starting");
    for (int i = 0; i < HA_N_STATES; i++) {
        for (int j = 0; j < HA_N_STATES; j++) {
            if (ha_states[i].next & (1u << j)) {
                printf("    %s --> %s\n", ha_states[i].name,
                       ha_states[j].name);
            }
        }
    }
    puts("```");
}

static void
print_states(void)
{
    puts("| state | what it means | may be followed by |\n"
         "| --- | --- | --- |");
    for (int i = 0; i < HA_N_STATES; i++) {
        const char *comma = "";

        printf("| `%s` | %s | ", ha_states[i].name, ha_states[i].sentence);
        for (int j = 0; j < HA_N_STATES; j++) {
            if (ha_states[i].next & (1u << j)) {
                printf("%s`%s`", comma, ha_states[j].name);
                comma = ", ";
            }
        }
        puts(" |");
    }
}

static void
print_whys(void)
{
    puts("| reason | what status and log say | it ends when |\n"
         "| --- | --- | --- |");
    for (int i = HA_WHY_NONE + 1; i < HA_N_WHYS; i++) {
        printf("| `%s` | %s | %s |\n", ha_why_code(i), ha_why_text(i),
               ha_why_ends(i));
    }
}

int
main(void)
{
    puts("# States of a node\n\n"
         "<!-- Written by ha/core/states-doc.c (make update-states). -->\n\n"
         "Each node is in one of these states. `ovn-hactl status` shows it,\n"
         "`ovn-hactl history` when it changed and why. Each change between\n"
         "two states is one of the edges below: `ovn-had` would rather end\n"
         "than take another one.\n");
    print_diagram();
    putchar('\n');
    print_states();
    puts("\n## Reasons\n\n"
         "What a state that is not well waits for, and why a node may not\n"
         "be promoted.\n");
    print_whys();
    return 0;
}
