/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors with hand-made activities: a pipeline with all of them, a directory of a few names, and the
 * alerts that come out.
 */
#pragma once

#include "tests/unit/unit.h"

#include "base/clock.h"
#include "base/sid.h"
#include "center/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#define WORLD_START      (INT64_C(1795314558) * CLOCK_SECOND)
#define WORLD_ALERTS_MAX 512u

struct world_fact {
    const char *name; /* without $ */
    uint32_t bits;
    int64_t created;
};

struct world {
    struct pipeline *pipeline;
    struct workspace_settings settings;
    const struct world_fact *facts; /* ended by one without a name; NULL: no directory */
    int64_t time;
    struct activity_place place;
    uint32_t alert_count;
    struct alert *alerts; /* WORLD_ALERTS_MAX */
    struct activity_writer writer;
};

static inline bool world_facts(void *context, const struct party *party, struct facts *to)
{
    const struct world *world = context;
    struct bytes name = party->name;
    if (name.size && name.data[name.size - 1] == '$')
        name.size--;
    *to = (struct facts){0};
    for (const struct world_fact *fact = world->facts; fact && fact->name; fact++)
        if (text_is(name, fact->name)) {
            to->bits = fact->bits;
            to->created = fact->created;
            return true;
        }
    return false;
}

static inline void world_take(void *context, const struct alert *alert)
{
    struct world *world = context;
    if (world->alert_count < WORLD_ALERTS_MAX)
        world->alerts[world->alert_count++] = *alert;
}

/* `learned`: learning counts as over from the beginning. */
static inline struct world *world_new(bool learned, const struct world_fact *facts)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->alerts = calloc(WORLD_ALERTS_MAX, sizeof(*world->alerts));
    assert_non_null(world->alerts);
    workspace_settings_init(&world->settings);
    world->settings.learned = learned;
    world->facts = facts;
    world->time = WORLD_START;
    struct pipeline_config config = {.settings = &world->settings,
                                     .directory = directory_view_none,
                                     .seed = {7},
                                     .shards = 1,
                                     .alert = world_take,
                                     .context = world};
    if (facts) {
        config.directory.facts = world_facts;
        config.directory.context = world;
    }
    world->pipeline = pipeline_new(&config);
    assert_non_null(world->pipeline);
    return world;
}

static inline void world_destroy(struct world *world)
{
    pipeline_destroy(&world->pipeline);
    free(world->alerts);
    free(world);
}

/* -- activities: begin, put fields, send ------------------------------------------------------------------
 */

static inline void begin(struct world *world, enum activity_kind kind)
{
    activity_begin(&world->writer, kind, world->time);
}

static inline void put_text(struct world *world, enum activity_field field, const char *text)
{
    activity_put_text(&world->writer, field, text);
}

static inline void put_uint(struct world *world, enum activity_field field, uint64_t value)
{
    activity_put_uint(&world->writer, field, value);
}

static inline void put_bool(struct world *world, enum activity_field field, bool value)
{
    activity_put_bool(&world->writer, field, value);
}

static inline void put_list(struct world *world, enum activity_field field, const char *const *texts)
{
    if (!activity_list_begin(&world->writer, field))
        return;
    for (; *texts; texts++)
        activity_list_string(&world->writer, *texts, strlen(*texts));
    activity_list_end(&world->writer);
}
#define PUT_LIST(world, field, ...) put_list(world, field, (const char *const[]){__VA_ARGS__, NULL})

static inline void put_sid(struct world *world, enum activity_field field, const char *text)
{
    uint8_t sid[SID_BYTES_MAX];
    size_t size = sid_parse(text, strlen(text), sid);
    assert_int_not_equal(size, 0);
    activity_put_sid(&world->writer, field, sid, size);
}

static inline struct ip_address world_address(uint8_t host)
{
    return (struct ip_address){.family = 4, .bytes = {10, 0, 0, host}};
}

/* From 10.0.0.`source` to 10.0.0.`destination`. */
static inline void put_ends(struct world *world, uint8_t source, uint8_t destination)
{
    struct ip_address from = world_address(source), to = world_address(destination);
    activity_put_address(&world->writer, FIELD_SOURCE, &from);
    activity_put_address(&world->writer, FIELD_DESTINATION, &to);
}

/* Who is behind the ends, as a resolver would have it. */
static inline void put_source_computer(struct world *world, const char *name, bool controller)
{
    put_text(world, FIELD_SOURCE_COMPUTER, name);
    put_uint(world, FIELD_SOURCE_CONFIDENCE, 95);
    if (controller)
        put_bool(world, FIELD_SOURCE_IS_CONTROLLER, true);
}

static inline void put_destination_computer(struct world *world, const char *name, bool controller)
{
    put_text(world, FIELD_DESTINATION_COMPUTER, name);
    put_uint(world, FIELD_DESTINATION_CONFIDENCE, 95);
    if (controller)
        put_bool(world, FIELD_DESTINATION_IS_CONTROLLER, true);
}

static inline void put_account(struct world *world, const char *name)
{
    put_text(world, FIELD_ACCOUNT, name);
    put_text(world, FIELD_ACCOUNT_DOMAIN, "CORP");
}

/* An event of a computer's log. */
static inline void put_event(struct world *world, uint64_t id, const char *computer)
{
    put_uint(world, FIELD_EVENT_ID, id);
    put_text(world, FIELD_EVENT_COMPUTER, computer);
}

/* Sends it, and lets a second pass. The alerts of earlier ones are forgotten first. */
static inline void send(struct world *world)
{
    world->alert_count = 0;
    struct bytes record = activity_finish(&world->writer);
    assert_true(pipeline_activity(world->pipeline, record, world->place, INT64_MAX, (const uint8_t[16]){0}));
    world->place.index++;
    world->time += CLOCK_SECOND;
}

/* The alert of that id which the last activity raised; NULL: none. */
static inline const struct alert *raised(const struct world *world, uint32_t id)
{
    for (uint32_t i = 0; i < world->alert_count; i++)
        if (world->alerts[i].external_id == id)
            return &world->alerts[i];
    return NULL;
}

static inline void assert_raised(const struct world *world, uint32_t id, enum severity severity)
{
    const struct alert *alert = raised(world, id);
    assert_non_null(alert);
    assert_int_equal(alert->severity, severity);
    assert_true(alert->explanation[0] && alert->party_count);
}

/* Nothing of that id. */
static inline void assert_quiet(const struct world *world, uint32_t id)
{
    assert_null(raised(world, id));
}

static inline const struct alert_evidence *evidence_of(const struct alert *alert, const char *name)
{
    for (uint32_t i = 0; i < alert->evidence_count; i++)
        if (strcmp(alert->evidence[i].name, name) == 0)
            return &alert->evidence[i];
    return NULL;
}
