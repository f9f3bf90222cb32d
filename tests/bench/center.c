/* SPDX-License-Identifier: Apache-2.0
 *
 * What the center's pipeline costs (target `bench-center`): activities for each CPU second through processor,
 * profiler and all detectors, of the simulated company (tests/company) and of captures; and the memory that
 * profiles take at a million accounts.
 */
#include "tests/company/company.h"

#include "base/clock.h"
#include "center/pipeline.h"
#include "center/replay_source.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_DAYS  3u
#define ROUNDS     3u
#define ACCOUNTS   1000000u
#define HABITS_FOR 12u /* different servers of an account */

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t memory_taken(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* -- activities ------------------------------------------------------------------------------------ */

struct records {
    uint8_t *bytes;
    size_t used, room;
    uint32_t *sizes;
    uint32_t count, capacity;
};

static void keep(void *context, struct bytes record)
{
    struct records *r = context;
    if (r->used + record.size > r->room) {
        r->room = (r->room + record.size) * 2;
        r->bytes = realloc(r->bytes, r->room);
    }
    if (r->count == r->capacity) {
        r->capacity = r->capacity * 2 + 65536;
        r->sizes = realloc(r->sizes, r->capacity * sizeof(*r->sizes));
    }
    if (!r->bytes || !r->sizes)
        abort();
    memcpy(r->bytes + r->used, record.data, record.size);
    r->used += record.size;
    r->sizes[r->count++] = (uint32_t)record.size;
}

static void nothing(void *context, const struct alert *alert)
{
    (void)alert;
    ++*(uint64_t *)context;
}

static const struct detector *const no_detectors[] = {NULL};

struct subject_run {
    struct workspace_settings settings;
    struct pipeline *pipeline;
    struct activity_place place;
    uint64_t alerts;
};

static void run_start(struct subject_run *run, const struct directory_view *directory, bool all)
{
    workspace_settings_init(&run->settings);
    const struct pipeline_config config = {.settings = &run->settings,
                                           .directory = *directory,
                                           .seed = {99},
                                           .shards = 1,
                                           .detectors = all ? NULL : no_detectors,
                                           .alert = nothing,
                                           .context = &run->alerts};
    run->pipeline = pipeline_new(&config);
    if (!run->pipeline)
        abort();
}

static double feed(struct subject_run *run, const struct records *r)
{
    static const uint8_t node[16] = {1};
    size_t at = 0;
    double before = cpu_seconds();
    for (uint32_t i = 0; i < r->count; i++) {
        run->place.position++;
        pipeline_activity(run->pipeline, (struct bytes){r->bytes + at, r->sizes[i]}, run->place, INT64_MAX,
                          node);
        at += r->sizes[i];
    }
    return cpu_seconds() - before;
}

/* Decoding alone: what cannot be spared. */
static double decode(const struct records *r)
{
    static struct activity activity;
    size_t at = 0;
    double before = cpu_seconds();
    for (uint32_t i = 0; i < r->count; i++) {
        struct cursor c = cursor_of(r->bytes + at, r->sizes[i]);
        if (!activity_decode(&c, &activity))
            abort();
        at += r->sizes[i];
    }
    return cpu_seconds() - before;
}

static void tell(const char *what, uint32_t count, double seconds)
{
    printf("| %s | %.2f us | %.0f |\n", what, seconds / count * 1e6, count / seconds);
}

static void bench_company(void)
{
    struct company_options o;
    company_options_init(&o);
    o.days = WARM_DAYS + 1;
    struct company *company = company_new(&o);
    struct records warm = {0}, measured = {0};
    if (!company)
        abort();
    for (uint32_t hour = 0; hour < o.days * 24; hour++)
        company_hour(company, hour, keep, hour < WARM_DAYS * 24 ? &warm : &measured);
    printf("| the company's mix: %u activities of %.0f bytes | each | activities per CPU second "
           "|\n|---|---|---|\n",
           measured.count, (double)measured.used / measured.count);
    tell("decoding", measured.count, decode(&measured));
    const struct directory_view view = company_directory(company);
    for (int all = 0; all < 2; all++) {
        struct subject_run *run = calloc(1, sizeof(*run));
        if (!run)
            abort();
        run_start(run, &view, all);
        feed(run, &warm);
        tell(all ? "decoding, processor, profiler, all detectors" : "decoding, processor, profiler",
             measured.count, feed(run, &measured));
        pipeline_destroy(&run->pipeline);
        free(run);
    }
    company_destroy(&company);
    free(warm.bytes);
    free(warm.sizes);
    free(measured.bytes);
    free(measured.sizes);
}

static void bench_captures(int count, char **paths)
{
    struct records r = {0};
    const struct replay_options options = {.fingerprint_seed = 3};
    for (int i = 0; i < count; i++) {
        struct fault fault, damage;
        if (!replay_file(paths[i], &options, keep, &r, &fault, &damage))
            fprintf(stderr, "%s: %s\n", paths[i], fault.text);
    }
    if (r.count == 0)
        return;
    printf(
        "\n| %d captures: %u activities of %.0f bytes | each | activities per CPU second |\n|---|---|---|\n",
        count, r.count, (double)r.used / r.count);
    tell("decoding", r.count, decode(&r));
    for (int all = 0; all < 2; all++) {
        struct subject_run *run = calloc(1, sizeof(*run));
        if (!run)
            abort();
        run_start(run, &directory_view_none, all);
        double best = 1e9;
        for (unsigned i = 0; i < ROUNDS; i++) {
            double seconds = feed(run, &r);
            best = seconds < best ? seconds : best;
        }
        tell(all ? "decoding, processor, profiler, all detectors" : "decoding, processor, profiler", r.count,
             best);
        pipeline_destroy(&run->pipeline);
        free(run);
    }
    free(r.bytes);
    free(r.sizes);
}

/* -- profiles -------------------------------------------------------------------------------------- */

/* A million accounts, each on a computer of its own, with a dozen servers of ten thousand. */
static void bench_profiles(void)
{
    const struct subject_seed seed = {5};
    size_t before = memory_taken();
    struct profiler *profiler = profiler_new(seed);
    struct activity_writer *w = malloc(sizeof(*w));
    struct activity *activity = malloc(sizeof(*activity));
    if (!profiler || !w || !activity)
        abort();
    activity_begin(w, ACTIVITY_KERBEROS_TGS, CLOCK_DAY * 20000);
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_text(w, FIELD_SERVICE, "cifs/server");
    struct bytes record = activity_finish(w);
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, activity))
        abort();
    double started = cpu_seconds();
    uint64_t learned = 0;
    for (uint32_t day = 0; day < HABITS_FOR; day++)
        for (uint32_t i = 0; i < ACCOUNTS; i++) {
            struct observation o = {.activity = activity,
                                    .kind = ACTIVITY_KERBEROS_TGS,
                                    .time = CLOCK_DAY * (20000 + day) + (int64_t)(i % 86400) * CLOCK_SECOND};
            const uint32_t server = (i * 2654435761u >> 8) % 997 * (day + 1) % 10007;
            o.account =
                (struct party){.kind = SUBJECT_ACCOUNT, .subject = {i + 1, 11}, .memory = {i + 1, 11}};
            o.source =
                (struct party){.kind = SUBJECT_COMPUTER, .subject = {i + 1, 22}, .memory = {i + 1, 22}};
            o.service = (struct party){
                .kind = SUBJECT_COMPUTER, .subject = {server + 1, 33}, .memory = {server + 1, 33}};
            profiler_look(profiler, &o);
            profiler_learn(profiler, &o);
            learned++;
        }
    double seconds = cpu_seconds() - started;
    size_t taken = memory_taken() - before;
    printf("\n| profiles of %u accounts, their computers, servers and peers | |\n|---|---|\n", ACCOUNTS);
    printf("| bytes for each account, all tables, as taken from the allocator | %.0f |\n",
           (double)taken / ACCOUNTS);
    for (unsigned i = 0; profiler_table(profiler, i); i++) {
        struct state_table_status status;
        state_table_status(profiler_table(profiler, i), &status);
        printf("| %s: values of %u bytes | %u |\n", state_table_form(profiler_table(profiler, i))->name,
               state_table_form(profiler_table(profiler, i))->value_size, status.count);
    }
    printf("| looking and learning, each | %.2f us |\n", seconds / (double)learned * 1e6);
    profiler_destroy(&profiler);
    free(w);
    free(activity);
}

int main(int count, char **arguments)
{
    bench_company();
    bench_captures(count - 1, arguments + 1);
    bench_profiles();
    return 0;
}
