/* SPDX-License-Identifier: Apache-2.0
 *
 * What the processor costs, and the whole pipeline: activities of captures, resolved with their directory,
 * over and over with addresses, accounts, tickets and times of their own, as from many clients.
 *
 *     bench_processor DIRECTORY.ndjson SECONDS CAPTURE...
 */
#include "center/processor.h"
#include "base/clock.h"
#include "center/entities_file.h"
#include "center/pipeline.h"
#include "center/replay_resolve.h"
#include "center/replay_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORDS_MAX 20000u

struct record {
    uint8_t *bytes;
    size_t size;
    size_t source_at; /* of the source's IPv4 address, 0: none */
    size_t time_at;   /* of the eight bytes of the time, 0: none */
};

static struct record records[RECORDS_MAX];
static unsigned count;
static struct activity activity;

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void keep(void *context, struct bytes bytes)
{
    (void)context;
    if (count == RECORDS_MAX)
        return;
    struct record *r = &records[count];
    r->bytes = malloc(bytes.size);
    if (!r->bytes)
        return;
    memcpy(r->bytes, bytes.data, bytes.size);
    r->size = bytes.size;
    struct cursor c = cursor_of(r->bytes, r->size);
    if (!activity_decode(&c, &activity))
        return;
    const struct activity_value *source = activity_get(&activity, FIELD_SOURCE);
    if (source && source->bytes.size == 4)
        r->source_at = (size_t)(source->bytes.data - r->bytes);
    uint8_t time[8];
    for (int i = 0; i < 8; i++)
        time[i] = (uint8_t)((uint64_t)activity.time >> (56 - 8 * i));
    uint8_t *at = memmem(r->bytes, r->size, time, sizeof(time));
    r->time_at = at ? (size_t)(at - r->bytes) : 0;
    count++;
}

static void resolve(void *context, struct bytes record)
{
    replay_resolve_record(context, record);
}

/* The n-th round has a client and a time of its own. */
static void vary(struct record *r, unsigned round, int64_t time)
{
    if (r->source_at) {
        r->bytes[r->source_at + 1] = (uint8_t)(round >> 16);
        r->bytes[r->source_at + 2] = (uint8_t)(round >> 8);
        r->bytes[r->source_at + 3] = (uint8_t)round;
    }
    for (int i = 0; r->time_at && i < 8; i++)
        r->bytes[r->time_at + (size_t)i] = (uint8_t)((uint64_t)time >> (56 - 8 * i));
}

static void no_alert(void *context, const struct alert *alert)
{
    (void)alert;
    ++*(uint64_t *)context;
}

static const struct detector *const no_detectors[] = {NULL};

static void measure(const char *name, struct entities *entities, const struct detector *const *which,
                    double seconds)
{
    static struct workspace_settings settings;
    uint64_t alerts = 0, done = 0;
    uint8_t node[16] = {1};
    struct pipeline_counters counters;
    workspace_settings_init(&settings);
    const struct pipeline_config config = {.settings = &settings,
                                           .directory = entities_view(entities),
                                           .seed = {7},
                                           .shards = 1,
                                           .detectors = which,
                                           .alert = no_alert,
                                           .context = &alerts};
    struct pipeline *pipeline = pipeline_new(&config);
    if (!pipeline)
        return;
    double begin = cpu(), used = 0;
    int64_t time = INT64_C(1795314558) * CLOCK_SECOND;
    for (unsigned round = 0; used < seconds; round++) {
        for (unsigned i = 0; i < count; i++, done++) {
            time += 50 * CLOCK_MICROSECOND;
            vary(&records[i], round % 50000, time);
            pipeline_activity(pipeline, (struct bytes){records[i].bytes, records[i].size},
                              (struct activity_place){round + 1, i}, INT64_MAX, node);
        }
        used = cpu() - begin;
    }
    pipeline_counters(pipeline, &counters);
    printf("%-34s %9.0f activities per CPU second, %6.0f ns each; %llu states, %.0f MB, %llu alerts\n", name,
           (double)done / used, used / (double)done * 1e9, (unsigned long long)counters.subjects,
           (double)counters.bytes / 1e6, (unsigned long long)alerts);
    pipeline_destroy(&pipeline);
}

int main(int argc, char **argv)
{
    struct fault fault, damage;
    static const struct replay_options options;
    struct entities *entities = entities_new(7);
    if (argc < 4 || !entities || !entities_read_file(entities, argv[1], &fault)) {
        fputs("bench_processor DIRECTORY.ndjson SECONDS CAPTURE...\n", stderr);
        return 2;
    }
    struct resolver_directory directory = entities_resolver_directory(entities);
    struct replay_resolve *resolver = replay_resolve_new(&directory, keep, NULL);
    for (int i = 3; resolver && i < argc; i++) {
        if (!replay_file(argv[i], &options, resolve, resolver, &fault, &damage))
            fprintf(stderr, "%s\n", fault.text);
        replay_resolve_flush(resolver);
    }
    replay_resolve_destroy(&resolver);
    printf("%u activities of %d captures\n", count, argc - 3);
    if (count == 0)
        return 1;
    measure("processor alone", entities, no_detectors, strtod(argv[2], NULL));
    measure("the whole pipeline", entities, NULL, strtod(argv[2], NULL));
    entities_destroy(&entities);
    return 0;
}
