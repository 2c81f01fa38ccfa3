/* SPDX-License-Identifier: Apache-2.0 */

/* Who reaches whom. */

#include "tests/sim/sim.h"

#include <string.h>

bool
net_reaches(const struct world *w, const struct node *from,
            const struct node *to)
{
    return from->up && to->up && !w->cut[from->id - 1][to->id - 1];
}

/* Both ways, as TCP and corosync need it. */
bool
net_both(const struct world *w, const struct node *a, const struct node *b)
{
    return net_reaches(w, a, b) && net_reaches(w, b, a);
}

int64_t
net_delay(struct world *w)
{
    if (rnd_chance(w, 10)) {
        return rnd_in(w, 1, 80) * MS;
    }
    return rnd_in(w, 50, 900);
}

/* Cuts or joins every pair of one node of 'a' and one of 'b', both ways. */
void
net_cut(struct world *w, mask_t a, mask_t b, bool cut)
{
    for (uint32_t i = 1; i <= w->n; i++) {
        for (uint32_t j = 1; j <= w->n; j++) {
            if (i != j && (bit_of(i) & a) && (bit_of(j) & b)) {
                w->cut[i - 1][j - 1] = cut;
                w->cut[j - 1][i - 1] = cut;
            }
        }
    }
    group_changed(w);
}

void
net_heal(struct world *w)
{
    memset(w->cut, 0, sizeof w->cut);
    memset(w->beat_cut, 0, sizeof w->beat_cut);
    w->beat_loss = 0;
    group_changed(w);
}
