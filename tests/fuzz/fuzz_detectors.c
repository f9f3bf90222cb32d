/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities of any kind and any values through all detectors, as JSON, one a line: whatever stands in them,
 * nobody reads past it, and an alert can be written and read again. The same twice raises the same.
 */
#include "center/activity_json.h"
#include "center/pipeline.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct workspace_settings settings;
static struct activity_writer writer;
static char json[ALERT_JSON_MAX];

/* Everybody is everything: no detector is left out for what it knows. */
static bool facts(void *context, const struct party *party, struct facts *to)
{
    (void)context;
    *to = (struct facts){.bits = FACT_HONEYTOKEN | FACT_SENSITIVE_GROUP};
    return party->subject.low % 2;
}

static void take(void *context, const struct alert *alert)
{
    *(uint64_t *)context = *(uint64_t *)context * 31 + alert->external_id + alert->evidence_count;
    alert_to_json(alert, json, sizeof(json));
}

static uint64_t run(const uint8_t *data, size_t size)
{
    uint64_t seen = 0;
    struct pipeline_config config = {.settings = &settings,
                                     .directory = directory_view_none,
                                     .shards = 1,
                                     .alert = take,
                                     .context = &seen};
    config.directory.facts = facts;
    struct pipeline *pipeline = pipeline_new(&config);
    struct activity_place place = {1, 0};
    while (pipeline && size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end ? (size_t)(end - data) : size;
        struct fault fault;
        if (activity_from_json((struct bytes){data, line}, &writer, &fault))
            pipeline_activity(pipeline, activity_finish(&writer), place, INT64_MAX, (const uint8_t[16]){0});
        place.index++;
        data += line + (end != NULL);
        size -= line + (end != NULL);
    }
    pipeline_destroy(&pipeline);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    workspace_settings_init(&settings);
    settings.learned = true;
    settings.sensitivity = SENSITIVITY_HIGH;
    if (run(data, size) != run(data, size))
        abort();
    return 0;
}
