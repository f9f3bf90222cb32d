/* SPDX-License-Identifier: Apache-2.0
 *
 * A fleet and one node of it, a candidate with number 2, for each test anew: what most tests of signed things
 * want.
 */
#pragma once

#include <stdlib.h>

#include "tests/unit/fleet.h"

struct fleet_world {
    struct fleet fleet;
    struct fleet_node node;
};

static inline int fleet_world_open(void **state)
{
    struct fleet_world *w = calloc(1, sizeof *w);
    fleet_open(&w->fleet);
    fleet_node_open(&w->fleet, &w->node, 2, true);
    *state = w;
    return 0;
}

static inline int fleet_world_close(void **state)
{
    struct fleet_world *w = *state;
    fleet_node_close(&w->node);
    fleet_close(&w->fleet);
    free(w);
    return 0;
}
