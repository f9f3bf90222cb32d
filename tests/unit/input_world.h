/* SPDX-License-Identifier: Apache-2.0
 *
 * An input of events as a node runs it: its configuration, the service that starts it, and the resolver that
 * its activities reach. Nothing is captured.
 */
#pragma once

#include "node/event_service.h"
#include "node/schema.h"
#include "tests/unit/unit.h"

struct input_world {
    struct capture_group group;
    struct resolution *resolution;
    struct event_service *service;
    struct config *config;
};

static inline void input_world_ignore_fault(void *context, const char *fault)
{
    (void)context;
    (void)fault;
}

/* NULL: the text has faults. */
static inline struct config *input_world_configure(const char *text, int size)
{
    return config_parse(&node_schema, "test", text, (size_t)size, input_world_ignore_fault, NULL);
}

/* `wait`: how long an activity may wait for look-ups; 0: as usual. */
static inline void input_world_open(struct input_world *world, struct config *settings,
                                    void (*take)(void *context, struct bytes record, uint64_t tag),
                                    int64_t wait)
{
    struct fault fault;
    *world = (struct input_world){.group = {.wake_descriptor = -1}, .config = settings};
    const struct resolution_config config = {
        .capture = &world->group, .record = take, .seed = 1, .wait = wait};
    assert_non_null(settings);
    assert_true(event_service_wanted(settings));
    assert_true(event_service_check(settings, &fault));
    world->resolution = resolution_start(&config, &fault);
    assert_non_null(world->resolution);
    world->service = event_service_new(settings, world->resolution, NULL, &fault);
    assert_non_null(world->service);
    assert_true(event_service_start(world->service, &fault));
}

static inline void input_world_close(struct input_world *world)
{
    event_service_stop(world->service);
    resolution_stop(&world->resolution);
    event_service_destroy(&world->service);
    config_destroy(&world->config);
}
