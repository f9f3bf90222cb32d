/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline: any activities, in any order, from two sensors, again and again, from the future and the
 * past; with and without a directory. Only bounded cost may come of it, and alerts that can be read.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "center/entities_file.h"
#include "center/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 256u

/* The last byte of an input. */
enum { WITH_DIRECTORY = 1, LEARNED = 2, BACKWARDS = 4, TWICE = 8, OTHER_NODE = 16, RECEIVED_EARLY = 32 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void take_alert(void *context, const struct alert *alert)
{
    static uint8_t bytes[ALERT_BYTES_MAX];
    static struct alert back;
    struct msgpack_writer w;
    (void)context;
    require(alert->party_count <= ALERT_PARTIES_MAX && alert->evidence_count <= ALERT_EVIDENCE_MAX);
    msgpack_writer_init(&w, bytes, sizeof(bytes));
    alert_encode(&w, alert);
    require(!w.full);
    struct cursor c = cursor_of(bytes, w.size);
    require(alert_decode(&c, &back) && back.external_id == alert->external_id);
}

static struct entities *directory(void)
{
    static const char *const lines[] = {
        "{\"kind\":\"partition\",\"guid\":\"00000000-0000-0000-0000-000000000001\",\"domain\":\"corp."
        "example\","
        "\"dns_root\":\"corp.example\",\"netbios_name\":\"CORP\"}",
        "{\"kind\":\"user\",\"guid\":\"00000000-0000-0000-0000-000000000002\",\"domain\":\"corp.example\","
        "\"account\":\"user01\",\"sid\":\"S-1-5-21-1-2-3-1000\",\"dn\":\"CN=user01,DC=corp,DC=example\"}",
        "{\"kind\":\"computer\",\"guid\":\"00000000-0000-0000-0000-000000000003\",\"domain\":\"corp."
        "example\","
        "\"account\":\"DC1$\",\"user_account_control\":532480,\"dns_host_name\":\"dc1.corp.example\"}",
        "{\"kind\":\"group\",\"guid\":\"00000000-0000-0000-0000-000000000004\",\"domain\":\"corp.example\","
        "\"account\":\"Domain Admins\",\"sid\":\"S-1-5-21-1-2-3-512\"}",
        "{\"links\":{\"source\":\"00000000-0000-0000-0000-000000000004\",\"link\":\"member\","
        "\"all\":[\"00000000-0000-0000-0000-000000000002\"]}}",
        "{\"tag\":{\"name\":\"honey\",\"facts\":[\"honeytoken\"]}}",
        "{\"whole\":\"corp.example\"}",
    };
    struct entities *entities = entities_new(1);
    for (size_t i = 0; entities && i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct fault fault;
        require(entities_take_json(entities, (struct bytes){(const uint8_t *)lines[i], strlen(lines[i])},
                                   &fault));
    }
    return entities;
}

/* The input cut into what may be records; whatever is left over is one more, and none. */
static unsigned cut(const uint8_t *input, size_t size, struct bytes records[RECORDS_MAX])
{
    static struct activity activity;
    struct cursor c = cursor_of(input, size);
    unsigned count = 0;
    while (!cursor_done(&c) && count < RECORDS_MAX) {
        const uint8_t *start = c.at;
        struct cursor one = c;
        if (!activity_decode(&one, &activity))
            one = cursor_of(input + size, 0);
        records[count++] = (struct bytes){start, (size_t)(one.at - start)};
        c.at = one.at;
    }
    return count;
}

static void run(struct pipeline *pipeline, const struct bytes *records, unsigned count, unsigned how)
{
    uint8_t node[16] = {1};
    for (unsigned i = 0; i < count; i++) {
        struct bytes record = records[how & BACKWARDS ? count - 1 - i : i];
        int64_t received = how & RECEIVED_EARLY ? CLOCK_SECOND : INT64_MAX;
        node[0] = how & OTHER_NODE ? (uint8_t)(1 + i % 2) : 1;
        pipeline_activity(pipeline, record, (struct activity_place){1, i}, received, node);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct workspace_settings settings;
    static struct bytes records[RECORDS_MAX];
    unsigned how = size ? data[size - 1] : 0;
    workspace_settings_init(&settings);
    settings.learned = how & LEARNED;
    struct entities *entities = how & WITH_DIRECTORY ? directory() : NULL;
    const struct pipeline_config config = {.settings = &settings,
                                           .directory =
                                               entities ? entities_view(entities) : directory_view_none,
                                           .shards = 1,
                                           .alert = take_alert};
    struct pipeline *pipeline = pipeline_new(&config);
    uint8_t *input = malloc(size ? size : 1);
    if (pipeline && input && size > 1) {
        struct pipeline_counters counters;
        memcpy(input, data, size - 1);
        unsigned count = cut(input, size - 1, records);
        run(pipeline, records, count, how);
        if (how & TWICE)
            run(pipeline, records, count, how);
        pipeline_counters(pipeline, &counters);
        require(counters.activities + counters.malformed == (how & TWICE ? 2 : 1) * (uint64_t)count);
    }
    free(input);
    pipeline_destroy(&pipeline);
    entities_destroy(&entities);
    return 0;
}
