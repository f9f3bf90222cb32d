/* SPDX-License-Identifier: Apache-2.0
 *
<<<<<<< HEAD
 * A world for one detector: the pipeline with it alone, activities made by hand, a directory of a few lines,
 * what was raised.
=======
 * Detectors with hand-made activities: a pipeline with all of them, a directory of a few names, and the
 * alerts that come out.
>>>>>>> 736bccd (Detections: tests of those of the directory and its controllers)
 */
#pragma once

#include "tests/unit/unit.h"

#include "base/clock.h"
<<<<<<< HEAD
=======
#include "base/sid.h"
>>>>>>> 736bccd (Detections: tests of those of the directory and its controllers)
#include "center/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

<<<<<<< HEAD
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
    bool whole;          /* the directory knows all accounts */
    int64_t ticket_life; /* its policy; 0: not known */
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

static bool world_domain(void *context, struct bytes name, int64_t *ticket_life, int64_t *renew_life)
{
    (void)name;
    const struct world *world = context;
    *ticket_life = world->ticket_life;
    *renew_life = 7 * CLOCK_DAY;
    return world->ticket_life > 0;
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
=======
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
>>>>>>> 736bccd (Detections: tests of those of the directory and its controllers)
    world->pipeline = pipeline_new(&config);
    assert_non_null(world->pipeline);
    return world;
}

<<<<<<< HEAD
static inline void world_free(struct world *world)
{
    pipeline_destroy(&world->pipeline);
    free(world);
}

/* An activity of 10.0.0.`source` to 10.0.0.1 a second after the one before; source 0: none. */
static inline struct activity_writer *world_begin(struct world *world, enum activity_kind kind, unsigned source)
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
=======
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
>>>>>>> 736bccd (Detections: tests of those of the directory and its controllers)
}
