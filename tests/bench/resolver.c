/* SPDX-License-Identifier: Apache-2.0
 *
 * What resolving costs for each activity, once the directory's answers are at hand: bench_resolver CAPTURE...
 * plays the activities of the captures over and over.
 */
#include "base/clock.h"
#include "capture/engine.h"
#include "capture/source.h"
#include "tests/unit/lab_directory.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 200, RECORDS_MAX = 20000 };

static struct bytes records[RECORDS_MAX];
static size_t count, bytes_in_all;

static void take(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    uint8_t *copy = count < RECORDS_MAX ? malloc(record.size) : NULL;
    (void)context;
    (void)kind;
    (void)time;
    if (!copy)
        return;
    memcpy(copy, record.data, record.size);
    records[count++] = (struct bytes){copy, record.size};
    bytes_in_all += record.size;
}

static bool read_capture(const char *path)
{
    const char *error;
    struct packet packets[16];
    size_t n;
    struct engine_options options = {0};
    struct file_source *source = file_source_open(path, &error);
    if (!source) {
        fprintf(stderr, "%s: %s\n", path, error);
        return false;
    }
    struct engine *engine = engine_new(&options, take, NULL);
    while (engine && file_source_batch(source, packets, 16, &n) == SOURCE_PACKET)
        engine_packets(engine, packets, n);
    if (engine) {
        engine_finish(engine);
        engine_destroy(&engine);
    }
    file_source_close(&source);
    return true;
}

/* Of the processor, so that other work on the machine does not count. */
static int64_t used(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * CLOCK_SECOND + time.tv_nsec;
}

static double per_activity(int64_t began, unsigned rounds)
{
    return (double)(used() - began) / ((double)count * rounds);
}

int main(int argc, char **argv)
{
    static struct lab_directory lab;
    static struct activity activity;
    static struct activity_writer writer;
    lab_fill(&lab);
    struct resolver *resolver = lab_resolver(&lab, NULL);
    for (int i = 1; i < argc; i++)
        if (!read_capture(argv[i]))
            return 1;
    if (!resolver || count == 0)
        return 1;
    double decoded = 0, learned = 0, whole = 0;
    for (unsigned what = 0; what < 3; what++) {
        int64_t began = used();
        for (unsigned round = 0; round < ROUNDS; round++) {
            for (size_t i = 0; i < count; i++) {
                struct cursor c = cursor_of_bytes(records[i]);
                if (!activity_decode(&c, &activity))
                    return 1;
                if (what >= 1)
                    resolver_observe(resolver, &activity);
                if (what >= 2 && activity_extend(&writer, records[i], &activity)) {
                    resolver_complete(resolver, &activity, &writer, NULL, 1);
                    activity_finish(&writer);
                }
            }
        }
        double cost = per_activity(began, ROUNDS);
        *(what == 0 ? &decoded : what == 1 ? &learned : &whole) = cost;
    }
    struct resolver_counters counters;
    resolver_counters(resolver, &counters);
    printf("%zu activities of %zu bytes on average, %u times\n", count, bytes_in_all / count, ROUNDS);
    printf("decoding:   %6.0f ns\n", decoded);
    printf("learning:   %6.0f ns\n", learned - decoded);
    printf("completing: %6.0f ns\n", whole - learned);
    printf("in all:     %6.0f ns\n", whole);
    printf("tables:     %6.1f MiB at their bounds\n", (double)counters.memory / (1 << 20));
    resolver_destroy(&resolver);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)records[i].data);
    return 0;
}
