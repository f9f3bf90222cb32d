/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/mutants.h"

#include <string.h>

static const struct {
    const char *name, *doc;
} mutants[MUTANTS] = {{"NONE", "the core as it is"},
#define MUTANT_TEXT(name, doc) {#name, doc},
                      CLUSTER_MUTANTS(MUTANT_TEXT)
#undef MUTANT_TEXT
};

const char *sim_mutant_name(enum cluster_mutant mutant)
{
    return mutants[mutant].name;
}

const char *sim_mutant_doc(enum cluster_mutant mutant)
{
    return mutants[mutant].doc;
}

#ifdef PICKET_MUTANTS
enum cluster_mutant cluster_mutant;

enum cluster_mutant sim_mutant_find(const char *name)
{
    for (unsigned i = 1; i < MUTANTS; i++)
        if (strcmp(name, mutants[i].name) == 0)
            return (enum cluster_mutant)i;
    return MUTANT_NONE;
}

const char *sim_mutant_expected(void)
{
    return "a name of cluster/mutant.h";
}

void sim_mutant_set(enum cluster_mutant mutant)
{
    cluster_mutant = mutant;
}
#else
enum cluster_mutant sim_mutant_find(const char *name)
{
    (void)name;
    return MUTANT_NONE;
}

const char *sim_mutant_expected(void)
{
    return "nothing in this build: picket-sim-mutants has the deliberate faults";
}

void sim_mutant_set(enum cluster_mutant mutant)
{
    (void)mutant;
}
#endif
