/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sim/sim.h"

/* Shrinks a plan that violates the invariant, in place, with at most `runs_max` runs. Returns how many runs
 * it took. */
unsigned sim_plan_shrink(struct sim_plan *plan, unsigned invariant, unsigned runs_max);
