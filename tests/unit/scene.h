/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenes that tell a deliberate fault of the core (cluster/mutant.h): each is true of the core as it is, and
 * false of the core with that fault.
 */
#pragma once

#include "cluster/mutant.h"
#include "tests/unit/unit.h"

struct scene {
    enum cluster_mutant mutant;
    const char *name;
    bool (*scene)(void);
};

#define SCENE(mutant, scene)                                                                                 \
    {                                                                                                        \
        MUTANT_##mutant, #mutant ": " #scene, scene                                                          \
    }
#define SCENES_MAX 64u

static inline void scene_tells_the_fault(void **state)
{
    const struct scene *scene = *state;
    cluster_mutant = MUTANT_NONE;
    assert_true(scene->scene());
    cluster_mutant = scene->mutant;
    assert_false(scene->scene());
    cluster_mutant = MUTANT_NONE;
}

static inline int scenes_run(struct scene *scenes, size_t count)
{
    struct CMUnitTest tests[SCENES_MAX];
    if (count > SCENES_MAX)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){
            .name = scenes[i].name, .test_func = scene_tells_the_fault, .initial_state = &scenes[i]};
    return _cmocka_run_group_tests("scenes", tests, count, NULL, NULL);
}
