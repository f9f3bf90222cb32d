/* SPDX-License-Identifier: Apache-2.0
 *
 * Exactly once: a shard over a log of real captures is killed again and again, at moments of chance and in
 * the midst of what SQLite writes, and begun anew until it is through. The alerts in the store are those of a
 * run that nobody disturbed: none is missing, none is there twice, none counts an activity twice.
 *
 * PICKET_CRASHES says how many runs (12); PICKET_CRASH_SEED repeats one.
 */
#include "tests/unit/unit.h"

#include "base/batch.h"
#include "base/clock.h"
#include "center/alerts.h"
#include "center/replay_source.h"
#include "center/shard.h"
#include "center/store_settings.h"
#include "center/store_states.h"
#include "cluster/disk.h"
#include "tests/unit/entity_batches.h"
#include "tests/unit/store_faults.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CAPTURES_MAX 600u
#define RECORDS_EACH 400u /* of a capture */
#define SHARDS_MAX   3u
#define NAMES_MAX    40u
#define BATCH        12u /* records: many entries, many places to stop at */

/* -- detectors that remember much and raise often -------------------------------------------------------- */

struct tally {
    uint64_t seen, last;
};

static enum activity_kind every_kind[ACTIVITY_KINDS + 1];
static const struct state_form tallies[] = {
    {.name = "tallies", .version = 1, .value_size = sizeof(struct tally), .capacity = 100000},
    {.name = "pairs", .version = 1, .value_size = 8, .capacity = 100000, .lifetime = CLOCK_DAY},
    {0}};

static struct subject key_origin(const struct detection *d, const struct observation *o)
{
    (void)d;
    return o->origin;
}

static struct subject key_account(const struct detection *d, const struct observation *o)
{
    (void)d;
    return o->account.subject;
}

/* Any activity that is lost or looked at twice changes what is raised from then on. */
static void raise_each_third(struct detection *d, const struct observation *o)
{
    bool added;
    struct tally *tally = detection_use(d, 0, detection_key(d), NULL);
    uint64_t before = tally->last;
    tally->seen++;
    tally->last = (uint64_t)o->time;
    uint64_t seen = tally->seen;
    struct subject both = subject_of_pair(detection_seed(d), detection_key(d), o->destination.subject);
    uint64_t *pair = detection_use(d, 1, both, &added);
    ++*pair;
    if (*pair % 50 == 0) {
        detection_forget(d, 1, both);
        return;
    }
    if (seen % 3 != 0)
        return;
    /* The directory as it was told until then. */
    char name[32];
    snprintf(name, sizeof(name), "user%u", (unsigned)(1 + seen * 7 % 300));
    enum known known = detection_account_known(d, (struct bytes){(const uint8_t *)name, strlen(name)},
                                               (struct bytes){(const uint8_t *)"corp.example", 12});
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_number(alert, "known", (double)known);
    alert_put_number(alert, "seen", (double)seen);
    alert_put_number(alert, "pair", (double)*pair);
    alert_put_time(alert, "before", (int64_t)before);
    detection_raise(d);
}

static const struct detector by_origin = {.external_id = 9001,
                                          .name = "ByOrigin",
                                          .title = "By origin",
                                          .word = "by_origin",
                                          .severity = SEVERITY_LOW,
                                          .tables = tallies,
                                          .kinds = every_kind,
                                          .key = key_origin,
                                          .observe = raise_each_third};
static const struct detector by_account = {.external_id = 9002,
                                           .name = "ByAccount",
                                           .title = "By account",
                                           .word = "by_account",
                                           .severity = SEVERITY_HIGH,
                                           .tables = tallies,
                                           .kinds = every_kind,
                                           .key = key_account,
                                           .observe = raise_each_third};

/* Its alerts are about the server: whoever asks there adds to the same one, in whatever shard. */
static void raise_for_all(struct detection *d, const struct observation *o)
{
    struct tally *tally = detection_use(d, 0, detection_key(d), NULL);
    if (!tally || ++tally->seen % 2 || !party_is(&o->destination))
        return;
    struct alert *alert = detection_alert(d, o, o->destination.subject);
    alert_put_number(alert, "seen", (double)tally->seen);
    alert_explain(alert, "It asked %u times.", (unsigned)tally->seen);
    detection_raise(d);
}

static const struct detector of_all = {.external_id = 9003,
                                       .name = "OfAll",
                                       .title = "Of all",
                                       .word = "of_all",
                                       .severity = SEVERITY_MEDIUM,
                                       .tables = tallies,
                                       .kinds = every_kind,
                                       .key = key_origin,
                                       .observe = raise_for_all};

static const struct detector *all_of_them[256];

static void gather_detectors(void)
{
    unsigned count = 0, kinds = 0;
    for (unsigned kind = ACTIVITY_NONE + 1; kind < ACTIVITY_KINDS; kind++)
        every_kind[kinds++] = (enum activity_kind)kind;
    every_kind[kinds] = ACTIVITY_NONE;
    all_of_them[count++] = &by_origin;
    all_of_them[count++] = &by_account;
    all_of_them[count++] = &of_all;
    for (unsigned i = 0; detectors[i] && count < 255; i++)
        all_of_them[count++] = detectors[i];
}

/* -- the log --------------------------------------------------------------------------------------------- */

struct world {
    char directory[64], log[96];
    struct received_log *received;
    struct batch_writer *writer;
    struct log_origin origin;
    uint64_t entries, records;
    unsigned of_capture, in_batch;
    char names[NAMES_MAX][32]; /* of accounts that were seen; half of them are found out later */
    unsigned name_count, found_count;
    int64_t time;
    struct alert *expected;
    size_t expected_count;
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
    struct world *w = context;
    struct fault fault = {0};
    w->origin.sequence++;
    bool fine = received_log_append(w->received, clock_wall(clock_system()), LOG_ACTIVITIES, &w->origin,
                                    frame, &fault);
    assert_string_equal(fault.text, "");
    assert_true(fine);
    w->entries++;
}

static void note_account(struct world *w, struct bytes record)
{
    static struct activity activity;
    struct cursor c = cursor_of_bytes(record);
    assert_true(activity_decode(&c, &activity));
    w->time = activity.time;
    const struct activity_value *name = activity_get(&activity, FIELD_ACCOUNT);
    if (!name || name->bytes.size == 0 || name->bytes.size >= sizeof(w->names[0]) ||
        w->name_count == NAMES_MAX || memchr(name->bytes.data, '@', name->bytes.size))
        return;
    char *to = w->names[w->name_count];
    snprintf(to, sizeof(w->names[0]), "%.*s", (int)name->bytes.size, (const char *)name->bytes.data);
    for (unsigned i = 0; i < w->name_count; i++)
        if (strcasecmp(w->names[i], to) == 0)
            return;
    w->name_count++;
}

/* A sensor learns late who some of those are: what was remembered of the names is theirs from then on. */
static void resolve_accounts(struct world *w)
{
    static struct activity_writer writer;
    for (; w->found_count + 4 < w->name_count; w->found_count += 2) {
        const struct guid guid = world_guid(5000 + w->found_count);
        activity_begin(&writer, ACTIVITY_RESOLUTION, w->time);
        activity_put_text(&writer, FIELD_ACCOUNT_NAME, w->names[w->found_count]);
        activity_put_text(&writer, FIELD_ACCOUNT_DNS_DOMAIN, "picket.lab");
        activity_put_uuid(&writer, FIELD_ACCOUNT_GUID, guid.bytes);
        batch_writer_add(w->writer, activity_finish(&writer));
    }
}

static void take_record(void *context, struct bytes record)
{
    struct world *w = context;
    if (w->of_capture++ >= RECORDS_EACH)
        return;
    w->records++;
    note_account(w, record);
    batch_writer_add(w->writer, record);
    if (++w->in_batch % BATCH == 0)
        batch_writer_flush(w->writer);
}

/* The directory grows and shrinks meanwhile. */
static void add_entities(struct world *w, uint32_t turn)
{
    struct batches batches = {0};
    struct fault fault;
    struct guid gone = world_guid(turn);
    batches_begin(&batches);
    for (uint32_t i = 1; i <= 4; i++) {
        batches_user(&batches, 4 * turn + i);
        batches_add(&batches);
    }
    if (turn > 10)
        entity_batch_remove(batches.writer, &gone);
    entity_batch_whole(batches.writer);
    struct bytes frame = batches_end(&batches);
    w->origin.sequence++;
    assert_true(received_log_append(w->received, clock_wall(clock_system()), LOG_ENTITIES, &w->origin, frame,
                                    &fault));
    w->entries++;
    batches_destroy(&batches);
}

static int is_capture(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && (strcmp(dot, ".pcap") == 0 || strcmp(dot, ".pcapng") == 0);
}

/* Each capture is what one node saw. */
static void add_captures(struct world *w, const char *directory)
{
    static const struct replay_options options;
    struct dirent **names;
    char path[512];
    struct fault fault, damage;
    int count = scandir(directory, &names, is_capture, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]->d_name);
        w->of_capture = 0;
        add_entities(w, (uint32_t)i);
        w->origin.node.bytes[0] = (uint8_t)i;
        w->origin.node.bytes[1] = 1;
        replay_file(path, &options, take_record, w, &fault, &damage);
        resolve_accounts(w);
        batch_writer_flush(w->writer);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

static void make_log(struct world *w)
{
    struct fault fault = {0};
    const struct received_log_config config = {.disk = disk_system(),
                                               .directory = w->log,
                                               .segment_bytes = 8u << 20,
                                               .state = no_state,
                                               .recover = ignore_entry};
    assert_int_equal(mkdir(w->log, 0700), 0);
    w->received = received_log_open(&config, &fault);
    assert_string_equal(fault.text, "");
    w->writer = batch_writer_new(1, append, w);
    assert_non_null(w->writer);
    add_captures(w, PICKET_TEST_DATA);
    add_captures(w, PICKET_SHARED_DATA "/lab");
    assert_true(received_log_sync(w->received, &fault));
    batch_writer_destroy(&w->writer);
    received_log_close(&w->received);
    assert_true(w->entries > 50);
    assert_true(w->found_count >= 4);
}

/* -- runs ------------------------------------------------------------------------------------------------ */

static struct alerts keepers[SHARDS_MAX];

static bool keep_alert(void *context, struct store *store, const struct alert *alert)
{
    struct alerts *alerts = context;
    alerts->store = store;
    return alerts_keep(alerts, WORKSPACE_DEFAULT, alert, NULL);
}

static void alerts_were_kept(void *context, bool committed)
{
    alerts_kept(context, committed);
}

static struct health *health;

/* Whether the store's trouble is told. */
static bool is_told(void)
{
    struct health_issue issue;
    return health_at(health, 0, &issue) && issue.kind->number == 1005;
}

static struct shard *open_shard_of(const struct world *w, const char *store, uint32_t number, uint32_t shards)
{
    struct fault fault = {0};
    const struct shard_config config = {.log = w->log,
                                        .store = store,
                                        .workspace = WORKSPACE_DEFAULT,
                                        .number = number,
                                        .shards = shards,
                                        .seed = {42},
                                        .checkpoint_every = 1,
                                        .alerts_within = 1,
                                        .detectors = all_of_them,
                                        .health = health,
                                        .keep = keep_alert,
                                        .kept = alerts_were_kept,
                                        .context = &keepers[number]};
    keepers[number] = (struct alerts){.clock = clock_system(), .raiser = {number, shards}};
    struct shard *shard = shard_new(&config, &fault);
    if (!shard)
        fprintf(stderr, "%s\n", fault.text);
    return shard;
}

static struct shard *open_shard(const struct world *w, const char *store)
{
    return open_shard_of(w, store, 0, 1);
}

static uint64_t number(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Each takes some entries, and then another, by chance. */
static bool run_shards(struct shard *shards[SHARDS_MAX], uint32_t count, useconds_t pause, uint64_t chance)
{
    enum shard_step steps[SHARDS_MAX] = {SHARD_BUSY, SHARD_BUSY, SHARD_BUSY};
    struct fault fault;
    uint32_t busy = count;
    while (busy) {
        const uint32_t at = (uint32_t)(number(&chance) % count);
        for (uint64_t turns = number(&chance) % 40; turns > 0 && steps[at] == SHARD_BUSY; turns--) {
            steps[at] = shard_step(shards[at]);
            busy -= steps[at] != SHARD_BUSY;
            if (pause)
                usleep(pause);
        }
    }
    for (uint32_t i = 0; i < count; i++)
        if (steps[i] != SHARD_IDLE || !shard_finish(shards[i], &fault))
            return false;
    return true;
}

/* Until the log's end: true. */
static bool run_through_in(const struct world *w, const char *store, uint32_t count, useconds_t pause,
                           uint64_t chance)
{
    struct shard *shards[SHARDS_MAX] = {0};
    bool fine = true;
    for (uint32_t i = 0; i < count; i++)
        fine = (shards[i] = open_shard_of(w, store, i, count)) != NULL && fine;
    fine = fine && run_shards(shards, count, pause, chance);
    for (uint32_t i = 0; i < count; i++)
        shard_destroy(&shards[i]);
    return fine;
}

static bool run_through(const struct world *w, const char *store, useconds_t pause)
{
    return run_through_in(w, store, 1, pause, 1);
}

struct listing {
    struct alert *alerts;
    size_t count, capacity;
    int64_t last; /* number */
};

static bool list_one(void *context, const struct stored_alert *stored)
{
    struct listing *list = context;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->alerts = realloc(list->alerts, list->capacity * sizeof(*list->alerts));
        assert_non_null(list->alerts);
    }
    list->alerts[list->count++] = stored->alert;
    list->last = stored->number;
    return true;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct alert *)a)->id, ((const struct alert *)b)->id, 16);
}

static struct listing alerts_of(const char *path)
{
    struct fault fault = {0};
    struct listing list = {0};
    struct alert_filter filter = {.limit = 1000};
    bool full;
    struct store *store = store_open(path, STORE_READER, &fault);
    assert_non_null(store);
    do
        full = store_alerts_list(store, WORKSPACE_DEFAULT, &filter, list_one, &list) == filter.limit;
    while ((filter.before = list.last) && full);
    assert_false(store_failed(store));
    store_close(&store);
    if (list.count)
        qsort(list.alerts, list.count, sizeof(*list.alerts), by_id);
    return list;
}

static void check_same(const struct world *w, const char *path)
{
    struct listing got = alerts_of(path);
    char *expected = malloc(ALERT_JSON_MAX), *found = malloc(ALERT_JSON_MAX);
    assert_non_null(expected);
    assert_non_null(found);
    assert_int_equal(got.count, w->expected_count);
    for (size_t i = 0; i < got.count; i++) {
        alert_to_json(&w->expected[i], expected, ALERT_JSON_MAX);
        alert_to_json(&got.alerts[i], found, ALERT_JSON_MAX);
        assert_string_equal(found, expected);
        assert_bytes_equal(&got.alerts[i].last, &w->expected[i].last, sizeof(got.alerts[i].last));
    }
    free(expected);
    free(found);
    free(got.alerts);
}

/* One life: killed by a fault of the disk, by us, or it comes through. */
static bool live(const struct world *w, const char *store, uint32_t shards, uint64_t *chance)
{
    int status;
    uint64_t draw = number(chance);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (draw % 2 == 0)
            store_faults_install(STORE_FAULT_KILL, 1 + draw / 2 % 600);
        _exit(run_through_in(w, store, shards, draw % 2 ? 200 : 0, draw | 1) ? 0 : 1);
    }
    if (draw % 2) {
        usleep((useconds_t)(1000 + draw / 2 % 150000));
        kill(child, SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static int by_key(const void *a, const void *b)
{
    const struct alert *x = a, *y = b;
    if (x->external_id != y->external_id)
        return x->external_id < y->external_id ? -1 : 1;
    return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int by_name(const void *a, const void *b)
{
    const struct alert_party *x = a, *y = b;
    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    int subjects = memcmp(&x->subject, &y->subject, sizeof(x->subject));
    return subjects ? subjects : strcmp(x->name, y->name);
}

/* What hangs on which shard told of it first: its id, and the order of who is in it. Who is equally well
 * known by two names goes by either. */
static void forget_order(struct alert *alert)
{
    memset(alert->id, 0, sizeof(alert->id));
    for (uint32_t i = 0; i < alert->party_count; i++)
        if (!subject_is_none(alert->parties[i].subject))
            alert->parties[i].name[0] = '\0';
    qsort(alert->parties, alert->party_count, sizeof(alert->parties[0]), by_name);
}

/* Of several shards, what is keyed as they are is the same byte for byte. An alert that more than one of them
 * raises is there once, and the same but for what hangs on their order. */
static void check_same_of_shards(const struct world *w, const char *path)
{
    struct listing got = alerts_of(path);
    char *expected = malloc(ALERT_JSON_MAX), *found = malloc(ALERT_JSON_MAX);
    struct alert *all = malloc(w->expected_count * sizeof(*all));
    assert_true(expected && found && all);
    memcpy(all, w->expected, w->expected_count * sizeof(*all));
    qsort(all, w->expected_count, sizeof(*all), by_key);
    qsort(got.alerts, got.count, sizeof(*got.alerts), by_key);
    assert_int_equal(got.count, w->expected_count);
    for (size_t i = 0; i < got.count; i++) {
        assert_int_equal(by_key(&got.alerts[i], &all[i]), 0);
        if (all[i].external_id != by_origin.external_id && all[i].external_id != by_account.external_id) {
            forget_order(&got.alerts[i]);
            forget_order(&all[i]);
        }
        alert_to_json(&all[i], expected, ALERT_JSON_MAX);
        alert_to_json(&got.alerts[i], found, ALERT_JSON_MAX);
        assert_string_equal(found, expected);
        assert_bytes_equal(&got.alerts[i].last, &all[i].last, sizeof(all[i].last));
    }
    free(expected);
    free(found);
    free(all);
    free(got.alerts);
}

static void remove_store(const char *path)
{
    char name[160];
    static const char *const tails[] = {"", "-wal", "-shm"};
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        unlink(name);
    }
}

/* In turn one, two and three shards, of which any may be ahead of the others when they are killed. */
static void test_killed_at_any_moment(void **state)
{
    struct world *w = *state;
    char path[128];
    const char *text = getenv("PICKET_CRASHES"), *seed = getenv("PICKET_CRASH_SEED");
    unsigned long runs = text ? strtoul(text, NULL, 10) : 12, lives = 0;
    snprintf(path, sizeof(path), "%s/crashed.db", w->directory);
    for (unsigned long i = 0; i < runs; i++) {
        uint64_t chance = (seed ? strtoull(seed, NULL, 10) : i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        unsigned deaths = 0;
        uint32_t shards = 1 + (uint32_t)(i % SHARDS_MAX);
        /* Who has died often may run. */
        while (deaths < 30 && !live(w, path, shards, &chance))
            deaths++;
        if (deaths == 30)
            assert_true(run_through_in(w, path, shards, 0, chance));
        if (shards == 1)
            check_same(w, path);
        else
            check_same_of_shards(w, path);
        remove_store(path);
        lives += deaths;
    }
    print_message("%lu runs over %llu activities in %llu entries, %zu alerts: killed %lu times\n", runs,
                  (unsigned long long)w->records, (unsigned long long)w->entries, w->expected_count, lives);
    assert_true(lives > runs / 2);
}

static void test_same_again(void **state)
{
    struct world *w = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/again.db", w->directory);
    assert_true(run_through(w, path, 0));
    check_same(w, path);
    /* What is finished is finished. */
    assert_true(run_through(w, path, 0));
    check_same(w, path);
    /* All of it once more, with the alerts there already: the same. */
    struct fault fault;
    struct store *store = store_open(path, STORE_PIPELINE, &fault);
    assert_non_null(store);
    assert_true(store_do(store, "DELETE FROM state_tables"));
    assert_true(store_position_put(store, WORKSPACE_DEFAULT, 0, 0, 0));
    store_close(&store);
    assert_true(run_through(w, path, 0));
    check_same(w, path);
    remove_store(path);
}

/* So many steps, but not beyond an entry of the log; `*position`: the one that it would go on behind. */
static enum shard_step run_on(const struct world *w, const char *store, uint32_t number, unsigned steps,
                              uint64_t until, uint64_t *position)
{
    struct fault fault;
    struct shard_status status = {0};
    enum shard_step step = SHARD_BUSY;
    struct shard *shard = open_shard_of(w, store, number, 2);
    assert_non_null(shard);
    shard_status(shard, &status);
    for (unsigned i = 0; i < steps && step == SHARD_BUSY && status.position < until; i++) {
        step = shard_step(shard);
        shard_status(shard, &status);
    }
    *position = status.committed;
    if (step == SHARD_IDLE)
        assert_true(shard_finish(shard, &fault));
    shard_destroy(&shard);
    return step;
}

/* What one does two do together, each begun anew again and again. One of them is always ahead: the first,
 * which writes the directory, or the other. */
static void two_shards(const struct world *w, uint32_t ahead)
{
    char path[128];
    enum shard_step before, behind;
    uint64_t at, came_to;
    snprintf(path, sizeof(path), "%s/two.db", w->directory);
    do {
        before = run_on(w, path, ahead, 60, UINT64_MAX, &at);
        behind = run_on(w, path, 1 - ahead, 40, before == SHARD_IDLE ? UINT64_MAX : at, &came_to);
    } while (before == SHARD_BUSY || behind == SHARD_BUSY);
    check_same(w, path);
    remove_store(path);
}

static void test_two_shards(void **state)
{
    two_shards(*state, 1);
    two_shards(*state, 0);
}

/* A disk that fails, or has no room: nothing is lost, it goes on when it can. */
static void stand_still(struct world *w, enum store_fault_kind kind)
{
    char path[128];
    struct fault fault;
    enum shard_step step = SHARD_BUSY;
    snprintf(path, sizeof(path), "%s/faulty.db", w->directory);
    store_faults_install(STORE_FAULT_NONE, 0);
    struct shard *shard = open_shard(w, path);
    assert_non_null(shard);
    store_faults_install(kind, 20);
    struct shard_status status;
    while (step == SHARD_BUSY)
        step = shard_step(shard);
    assert_int_equal(step, SHARD_STUCK);
    shard_status(shard, &status);
    assert_true(status.stuck && is_told());
    uint64_t position = status.position;
    assert_int_equal(shard_step(shard), SHARD_STUCK);
    shard_status(shard, &status);
    assert_int_equal(status.position, position);
    store_faults_install(STORE_FAULT_NONE, 0);
    for (int i = 0; i < 600 && step != SHARD_IDLE; i++) {
        step = shard_step(shard);
        if (step == SHARD_STUCK)
            usleep(100000);
        else
            i = 0;
    }
    assert_int_equal(step, SHARD_IDLE);
    assert_true(shard_finish(shard, &fault));
    shard_status(shard, &status);
    assert_false(status.stuck || is_told());
    assert_int_equal(status.committed, status.position);
    shard_destroy(&shard);
    check_same(w, path);
    remove_store(path);
}

static void test_full_disk(void **state)
{
    stand_still(*state, STORE_FAULT_FULL);
}

static void test_failing_disk(void **state)
{
    stand_still(*state, STORE_FAULT_IO);
}

/* Somebody else holds the store: nothing is lost, it goes on when it can. */
static void test_locked_store(void **state)
{
    struct world *w = *state;
    char path[128];
    struct fault fault;
    enum shard_step step = SHARD_BUSY;
    snprintf(path, sizeof(path), "%s/locked.db", w->directory);
    struct shard *shard = open_shard(w, path);
    struct store *other = store_open(path, STORE_PEOPLE, &fault);
    assert_non_null(shard);
    assert_non_null(other);
    for (int i = 0; i < 20; i++)
        assert_int_equal(shard_step(shard), SHARD_BUSY);
    assert_true(store_begin(other, &fault));
    while (step == SHARD_BUSY)
        step = shard_step(shard);
    assert_int_equal(step, SHARD_STUCK);
    assert_true(is_told());
    store_abandon(other);
    store_close(&other);
    while (step != SHARD_IDLE) {
        step = shard_step(shard);
        if (step == SHARD_STUCK)
            usleep(50000);
    }
    assert_true(shard_finish(shard, &fault));
    shard_destroy(&shard);
    check_same(w, path);
    remove_store(path);
}

static void test_slow_disk(void **state)
{
    struct world *w = *state;
    char path[128];
    snprintf(path, sizeof(path), "%s/slow.db", w->directory);
    store_faults_install(STORE_FAULT_SLOW, 0);
    store_faults.delay = 20000;
    assert_true(run_through(w, path, 0));
    store_faults_install(STORE_FAULT_NONE, 0);
    check_same(w, path);
    remove_store(path);
}

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char path[128];
    assert_non_null(w);
    strcpy(w->directory, "/tmp/picket-crash-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    snprintf(w->log, sizeof(w->log), "%s/log", w->directory);
    health = health_new();
    assert_non_null(health);
    gather_detectors();
    make_log(w);
    snprintf(path, sizeof(path), "%s/undisturbed.db", w->directory);
    assert_true(run_through(w, path, 0));
    struct listing expected = alerts_of(path);
    w->expected = expected.alerts;
    w->expected_count = expected.count;
    assert_true(w->expected_count > 10);
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int end(void **state)
{
    struct world *w = *state;
    nftw(w->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    health_destroy(&health);
    free(w->expected);
    free(w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_again),   cmocka_unit_test(test_killed_at_any_moment),
        cmocka_unit_test(test_two_shards),   cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failing_disk), cmocka_unit_test(test_locked_store),
        cmocka_unit_test(test_slow_disk),
    };
    return cmocka_run_group_tests_name("crash", tests, begin, end);
}
