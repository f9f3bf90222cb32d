/* SPDX-License-Identifier: Apache-2.0
 *
 * What it costs to keep things: commits of alerts, checkpoints of states, the index, a start from them; and a
 * shard over a log of logons, with all detectors, durable.
 *
 *     bench_center_store DIRECTORY
 */
#include "base/batch.h"
#include "base/clock.h"
#include "center/shard.h"
#include "center/state_run.h"
#include "center/store_alerts.h"
#include "center/store_index.h"
#include "center/store_states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define STATES   200000u
#define CHANGED  20000u
#define COMMITS  2000u
#define MARKS    200000u
#define RECORDS  400000u
#define ACCOUNTS 2000u
#define START    (INT64_C(1795314558) * CLOCK_SECOND)

static double at(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(bool fine, const struct fault *fault)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n", fault->text);
    exit(1);
}

/* -- the store ------------------------------------------------------------------------------------------- */

static void put_states(struct store *store, int64_t table, uint64_t first, uint64_t count, const char *name)
{
    enum { RUN = 256 };
    static uint8_t run[RUN * (STATE_RUN_HEAD + 96)];
    uint8_t value[96];
    memset(value, 1, sizeof(value));
    struct fault fault;
    double begin = at(CLOCK_MONOTONIC), cpu = at(CLOCK_PROCESS_CPUTIME_ID);
    check(store_begin(store, &fault), &fault);
    for (uint64_t i = first; i < first + count;) {
        size_t size = 0;
        for (unsigned k = 0; k < RUN && i < first + count; k++, i++)
            size += state_run_put(run + size, (struct subject){i * UINT64_C(0x9e3779b97f4a7c15), i}, START,
                                  value, sizeof(value));
        store_states_put(store, table, false, (struct bytes){run, size});
    }
    check(store_commit(store, &fault), &fault);
    printf("%-42s %9.0f states/s (%.0f per CPU second)\n", name,
           (double)count / (at(CLOCK_MONOTONIC) - begin),
           (double)count / (at(CLOCK_PROCESS_CPUTIME_ID) - cpu));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void put_alerts(const char *path, enum store_use use, const char *name)
{
    static double times[COMMITS];
    static struct stored_alert alert = {.workspace = 1, .detector = "bench", .title = "Bench"};
    struct fault fault;
    struct store *store = store_open(path, use, &fault);
    check(store != NULL, &fault);
    double begin = at(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < COMMITS; i++) {
        double one = at(CLOCK_MONOTONIC);
        alert.alert.id[0] = (uint8_t)i;
        alert.alert.id[1] = (uint8_t)(i >> 8);
        alert.alert.id[2] = (uint8_t)use;
        check(store_begin(store, &fault), &fault);
        store_alert_put(store, &alert, NULL);
        check(store_commit(store, &fault), &fault);
        times[i] = at(CLOCK_MONOTONIC) - one;
    }
    double rate = COMMITS / (at(CLOCK_MONOTONIC) - begin);
    qsort(times, COMMITS, sizeof(*times), compare);
    printf("%-42s %9.0f commits/s, p50 %.2f ms, p99 %.2f ms\n", name, rate, times[COMMITS / 2] * 1e3,
           times[COMMITS * 99 / 100] * 1e3);
    store_close(&store);
}

static bool count_position(void *context, int64_t hour, uint64_t position)
{
    (void)hour;
    (void)position;
    ++*(uint64_t *)context;
    return true;
}

static void put_index(struct store *store)
{
    struct fault fault;
    uint64_t positions[4], found = 0;
    double begin = at(CLOCK_MONOTONIC);
    check(store_begin(store, &fault), &fault);
    for (uint64_t i = 0; i < MARKS; i++) {
        for (uint64_t k = 0; k < 4; k++)
            positions[k] = i + 10 * k;
        store_index_add(store, 1, (struct subject){i % 20000 * UINT64_C(0x9e3779b97f4a7c15), 1},
                        (int64_t)(i / 20000), positions, 4);
    }
    check(store_commit(store, &fault), &fault);
    printf("%-42s %9.0f rows/s\n", "index: a subject's hour, four positions",
           MARKS / (at(CLOCK_MONOTONIC) - begin));
    begin = at(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < 1000; i++)
        store_index_each(store, 1, (struct subject){i * UINT64_C(0x9e3779b97f4a7c15), 1}, 0, 100,
                         count_position, &found);
    printf("%-42s %9.3f ms each\n", "index: where an account was, all hours", at(CLOCK_MONOTONIC) - begin);
}

/* -- a shard --------------------------------------------------------------------------------------------- */

struct filling {
    struct received_log *log;
    struct log_origin origin;
};

static struct bytes no_state(void *context)
{
    (void)context;
    return (struct bytes){(const uint8_t *)"", 1};
}

static void ignore_entry(void *context, const struct log_entry *entry)
{
    (void)context;
    (void)entry;
}

static void append(void *context, struct bytes frame)
{
    struct filling *f = context;
    struct fault fault;
    f->origin.sequence++;
    check(received_log_append(f->log, clock_wall(clock_system()), LOG_ACTIVITIES, &f->origin, frame, &fault),
          &fault);
}

/* Logons, one in fifty of them with a wrong password, of accounts that each have a computer. */
static struct bytes logon(struct activity_writer *w, uint32_t i)
{
    char name[24];
    uint32_t account = i * 2654435761u % ACCOUNTS;
    struct ip_address address = {
        .family = 4, .bytes = {10, (uint8_t)(account >> 16), (uint8_t)(account >> 8), (uint8_t)account}};
    snprintf(name, sizeof(name), "user%u", account);
    activity_begin(w, ACTIVITY_KERBEROS_AS, START - 12 * CLOCK_HOUR + (int64_t)i * 100 * CLOCK_MILLISECOND);
    activity_put_address(w, FIELD_SOURCE, &address);
    activity_put_text(w, FIELD_ACCOUNT, name);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    activity_put_uint(w, FIELD_STATUS, i % 50 == 0 ? 24 : 0);
    return activity_finish(w);
}

static void make_log(const char *directory)
{
    static struct activity_writer w;
    struct fault fault = {0};
    struct filling f = {0};
    const struct received_log_config config = {.disk = disk_system(),
                                               .directory = directory,
                                               .segment_bytes = 64u << 20,
                                               .state = no_state,
                                               .recover = ignore_entry};
    mkdir(directory, 0700);
    f.log = received_log_open(&config, &fault);
    check(f.log != NULL, &fault);
    struct batch_writer *writer = batch_writer_new(1, append, &f);
    for (uint32_t i = 0; writer && i < RECORDS; i++)
        batch_writer_add(writer, logon(&w, i));
    batch_writer_flush(writer);
    batch_writer_destroy(&writer);
    received_log_close(&f.log);
}

static bool keep_alert(void *context, struct store *store, const struct alert *alert)
{
    static struct stored_alert stored;
    (void)context;
    stored = (struct stored_alert){.workspace = 1, .detector = "bench", .alert = *alert};
    return store_alert_put(store, &stored, NULL);
}

static void run_shard(const char *log, const char *path)
{
    struct fault fault;
    struct shard_status status;
    const struct shard_config config = {
        .log = log, .store = path, .workspace = 1, .shards = 1, .seed = {7}, .keep = keep_alert};
    double begin = at(CLOCK_MONOTONIC), cpu = at(CLOCK_PROCESS_CPUTIME_ID);
    struct shard *shard = shard_new(&config, &fault);
    check(shard != NULL, &fault);
    while (shard_step(shard) == SHARD_BUSY)
        ;
    check(shard_finish(shard, &fault), &fault);
    double used = at(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    shard_status(shard, &status);
    printf("%-42s %9.0f activities per CPU second, %.0f/s; %llu commits, the longest %.0f ms, %llu states, "
           "%llu alerts\n",
           "shard: log, all detectors, store", (double)status.activities / used,
           (double)status.activities / (at(CLOCK_MONOTONIC) - begin), (unsigned long long)status.commits,
           (double)status.commit_time / 1e6, (unsigned long long)status.states,
           (unsigned long long)status.alerts);
    shard_destroy(&shard);
    begin = at(CLOCK_MONOTONIC);
    shard = shard_new(&config, &fault);
    check(shard != NULL, &fault);
    printf("%-42s %9.0f ms\n", "shard: begun anew from the store", (at(CLOCK_MONOTONIC) - begin) * 1e3);
    shard_destroy(&shard);
}

int main(int argc, char **argv)
{
    char path[512], log[512];
    struct fault fault;
    if (argc != 2) {
        fputs("bench_center_store DIRECTORY (empty)\n", stderr);
        return 2;
    }
    snprintf(path, sizeof(path), "%s/bench.db", argv[1]);
    struct store *store = store_open(path, STORE_PIPELINE, &fault);
    check(store != NULL, &fault);
    int64_t table = store_state_table(store, 1, 0, "bench", "bench", 1);
    put_states(store, table, 0, STATES, "checkpoint: new states of 96 bytes");
    put_states(store, table, 1000, CHANGED, "checkpoint: changed ones");
    put_index(store);
    store_close(&store);
    put_alerts(path, STORE_PIPELINE, "alerts, one a commit, as pipelines do");
    put_alerts(path, STORE_PEOPLE, "the same, on the disk each time");
    snprintf(log, sizeof(log), "%s/log", argv[1]);
    snprintf(path, sizeof(path), "%s/shard.db", argv[1]);
    make_log(log);
    run_shard(log, path);
    return 0;
}
