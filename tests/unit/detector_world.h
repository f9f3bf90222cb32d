/* SPDX-License-Identifier: Apache-2.0
 *
 * A world for one detector: the pipeline with it alone, activities made by hand, a directory of a few lines,
 * what was raised.
 */
#pragma once

#include "tests/unit/unit.h"

#include "base/clock.h"
#include "center/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#define WORLD_START (INT64_C(1795314558) * CLOCK_SECOND)

/* Of the directory: a name (without domain), with what is known of it. */
struct world_entry {
    const char *name;
    struct facts facts;
};

struct world {
    struct workspace_settings settings;
    struct pipeline *pipeline;
    const struct detector *table[2];
    struct alert last; /* what was raised last */
    unsigned count;    /* how often */
    int64_t now;
    uint64_t position;
    struct world_entry entries[8];
    unsigned entry_count;
    bool whole; /* the directory knows all accounts */
    struct activity_writer w;
};

static inline void world_keep(void *context, const struct alert *alert)
{
    struct world *world = context;
    world->last = *alert;
    world->count++;
    static char json[ALERT_JSON_MAX];
    assert_in_range(alert_to_json(alert, json, sizeof(json)), 2, sizeof(json) - 1);
}

static const struct world_entry *world_find(const struct world *world, struct bytes name)
{
    char text[128];
    size_t size = name.size < sizeof(text) - 1 ? name.size : sizeof(text) - 1;
    memcpy(text, name.data ? (const void *)name.data : "", size);
    text[size] = '\0';
    for (unsigned i = 0; i < world->entry_count; i++)
        if (text_is((struct bytes){(const uint8_t *)world->entries[i].name, strlen(world->entries[i].name)},
                    text))
            return &world->entries[i];
    return NULL;
}

static bool world_facts(void *context, const struct party *party, struct facts *to)
{
    const struct world_entry *entry = world_find(context, party->name);
    if (entry)
        *to = entry->facts;
    return entry != NULL;
}

static enum known world_account(void *context, struct bytes name, struct bytes domain)
{
    (void)domain;
    const struct world *world = context;
    return world_find(world, name) ? KNOWN_YES : world->whole ? KNOWN_NO : KNOWN_NOT;
}

static bool world_domain(void *context, struct bytes name)
{
    (void)context;
    (void)name;
    return false;
}

static enum known world_member(void *context, const struct party *member, const struct party *group)
{
    (void)context;
    (void)member;
    (void)group;
    return KNOWN_NOT;
}

static inline struct world *world_new(const struct detector *detector)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    workspace_settings_init(&world->settings);
    world->settings.learned = true;
    world->table[0] = detector;
    world->now = WORLD_START;
    const struct pipeline_config config = {.settings = &world->settings,
                                           .directory = {.facts = world_facts,
                                                         .account = world_account,
                                                         .domain = world_domain,
                                                         .member = world_member,
                                                         .context = world},
                                           .seed = {77},
                                           .shards = 1,
                                           .detectors = world->table,
                                           .alert = world_keep,
                                           .context = world};
    world->pipeline = pipeline_new(&config);
    assert_non_null(world->pipeline);
    return world;
}

static inline void world_free(struct world *world)
{
    pipeline_destroy(&world->pipeline);
    free(world);
}

/* An activity of 10.0.0.`source` to 10.0.0.1 a second after the one before; source 0: none. */
static inline struct activity_writer *world_begin(struct world *world, enum activity_kind kind,
                                                  unsigned source)
{
    world->now += CLOCK_SECOND;
    activity_begin(&world->w, kind, world->now);
    const struct ip_address from = {.family = 4, .bytes = {10, 0, (uint8_t)(source >> 8), (uint8_t)source}};
    const struct ip_address to = {.family = 4, .bytes = {10, 0, 0, 1}};
    if (source) {
        activity_put_address(&world->w, FIELD_SOURCE, &from);
        activity_put_address(&world->w, FIELD_DESTINATION, &to);
    }
    return &world->w;
}

static inline void world_send(struct world *world)
{
    static const uint8_t node[16];
    struct bytes record = activity_finish(&world->w);
    assert_true(pipeline_activity(world->pipeline, record, (struct activity_place){++world->position, 0},
                                  INT64_MAX, node));
}

static inline void world_ints(struct activity_writer *w, enum activity_field field, const int *values)
{
    assert_true(activity_list_begin(w, field));
    for (; *values != 9999; values++)
        activity_list_int(w, *values);
    activity_list_end(w);
}
#define INTS(w, field, ...) world_ints(w, field, (const int[]){__VA_ARGS__, 9999})

/* A number among the evidence of what was raised last; fails when it is not there. */
static inline double world_number(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->last.evidence_count; i++)
        if (strcmp(world->last.evidence[i].name, name) == 0)
            return world->last.evidence[i].number;
    fail_msg("no evidence %s", name);
    return 0;
}

static inline const char *world_text(const struct world *world, const char *name)
{
    for (uint32_t i = 0; i < world->last.evidence_count; i++)
        if (strcmp(world->last.evidence[i].name, name) == 0)
            return world->last.evidence[i].text;
    fail_msg("no evidence %s", name);
    return "";
}

static inline bool world_names(const struct world *world, enum alert_role role, const char *name)
{
    for (uint32_t i = 0; i < world->last.party_count; i++)
        if (world->last.parties[i].role == role && strcmp(world->last.parties[i].name, name) == 0)
            return true;
    return false;
}

static inline void world_exclude(struct world *world, const char *text)
{
    struct fault fault;
    assert_true(
        exclusion_parse(text, &world->settings.exclusions[world->settings.exclusion_count++], &fault));
}
