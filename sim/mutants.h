/* SPDX-License-Identifier: Apache-2.0
 *
 * The deliberate faults of cluster/mutant.h by name. Only the build that knows them (picket-sim-mutants)
 * finds any.
 */
#pragma once

#include "cluster/mutant.h"

/* MUTANT_NONE: there is none of that name in this build. */
enum cluster_mutant sim_mutant_find(const char *name);
const char *sim_mutant_name(enum cluster_mutant mutant);
const char *sim_mutant_doc(enum cluster_mutant mutant);
/* What --mutant takes here, for an error. */
const char *sim_mutant_expected(void);
void sim_mutant_set(enum cluster_mutant mutant);
