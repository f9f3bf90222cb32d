/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline's memory in the store: what is had back is what was remembered when it was committed last,
 * whatever was appended or written anew meanwhile, and the store does not grow by what changes again and
 * again.
 */
#include "tests/unit/place.h"

#include "base/clock.h"
#include "center/checkpoint.h"
#include "center/state_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START  (INT64_C(1795314558) * CLOCK_SECOND)
#define ROUNDS 120u

struct tally {
    uint64_t seen;
    uint8_t zeros[24];
    uint64_t last[6];
};

static const struct state_form tallies[] = {
    {.name = "tallies", .version = 1, .value_size = sizeof(struct tally), .capacity = 20000},
    {.name = "single", .version = 1, .value_size = 8, .capacity = 10},
    {0}};
static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_NONE};

static struct subject key_of_source(const struct detection *d, const struct observation *o)
{
    (void)d;
    return o->origin;
}

/* One of eight is forgotten. */
static void count(struct detection *d, const struct observation *o)
{
    struct tally *tally = detection_use(d, 0, detection_key(d), NULL);
    const uint64_t status = observation_uint(o, FIELD_STATUS, 0);
    tally->seen++;
    for (unsigned i = 0; i < 6; i++)
        tally->last[i] = (status + i) * UINT64_C(0x9e3779b97f4a7c15);
    if (status % 8 == 0)
        detection_forget(d, 0, detection_key(d));
}

static const struct detector counting = {.external_id = 9001,
                                         .name = "Counting",
                                         .word = "counting",
                                         .severity = SEVERITY_HIGH,
                                         .tables = tallies,
                                         .kinds = kinds,
                                         .key = key_of_source,
                                         .observe = count};
static const struct detector *const ours[] = {&counting, NULL};

struct world {
    struct place place;
    char path[96];
    struct store *store;
    struct workspace_settings settings;
    struct pipeline *pipeline;
    struct checkpoint *checkpoint;
    uint64_t random, position;
};

static void no_alert(void *context, const struct alert *alert)
{
    (void)context;
    (void)alert;
}

static void begin_anew(struct world *w, uint64_t position)
{
    const struct pipeline_config config = {.settings = &w->settings,
                                           .directory = directory_view_none,
                                           .seed = {77},
                                           .shards = 1,
                                           .detectors = ours,
                                           .alert = no_alert,
                                           .context = w};
    struct fault fault = {0};
    uint64_t at = 0;
    pipeline_destroy(&w->pipeline);
    checkpoint_destroy(&w->checkpoint);
    w->pipeline = pipeline_new(&config);
    w->checkpoint = checkpoint_new(1, 0);
    assert_true(checkpoint_restore(w->checkpoint, w->store, w->pipeline, &at, &fault));
    assert_int_equal(at, position);
}

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct fault fault = {0};
    place_open(&w->place);
    snprintf(w->path, sizeof(w->path), "%s/center.db", w->place.path);
    w->store = store_open(w->path, STORE_PIPELINE, &fault);
    assert_string_equal(fault.text, "");
    workspace_settings_init(&w->settings);
    w->random = 7;
    begin_anew(w, 0);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    pipeline_destroy(&w->pipeline);
    checkpoint_destroy(&w->checkpoint);
    store_close(&w->store);
    place_close(&w->place);
    free(w);
    return 0;
}

static uint64_t next(struct world *w)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return w->random >> 33;
}

/* Somebody of so many fails to log on. */
static void tell(struct world *w, unsigned sources)
{
    static struct activity_writer writer;
    static const uint8_t node[16];
    const uint64_t source = next(w) % sources;
    const struct ip_address address = {.family = 4,
                                       .bytes = {10, 0, (uint8_t)(source >> 8), (uint8_t)source}};
    w->position++;
    activity_begin(&writer, ACTIVITY_KERBEROS_AS, START + (int64_t)w->position * CLOCK_SECOND);
    activity_put_address(&writer, FIELD_SOURCE, &address);
    activity_put_text(&writer, FIELD_ACCOUNT, "bob");
    activity_put_text(&writer, FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    activity_put_uint(&writer, FIELD_STATUS, next(w) % 100);
    assert_true(pipeline_activity(w->pipeline, activity_finish(&writer),
                                  (struct activity_place){w->position, 0}, INT64_MAX, node));
}

static bool write_it(struct world *w, bool commit)
{
    struct fault fault;
    assert_true(store_begin(w->store, &fault));
    bool fine = checkpoint_write(w->checkpoint, w->store, 1);
    if (commit)
        fine = store_commit(w->store, &fault) && fine;
    else
        store_abandon(w->store);
    checkpoint_ended(w->checkpoint, commit && fine);
    return fine;
}

/* Some commits fail, and come again. */
static void keep(struct world *w)
{
    assert_true(checkpoint_gather(w->checkpoint, w->pipeline, w->position));
    while (next(w) % 4 == 0)
        write_it(w, false);
    assert_true(write_it(w, true));
}

/* -- what is remembered ---------------------------------------------------------------------------------- */

struct sum {
    const char *owner;
    const struct state_form *form;
    uint64_t states, hash, bytes;
};

static bool sum_table(void *context, const char *owner, const struct state_form *form,
                      const struct state_table_status *status)
{
    struct sum *sum = context;
    (void)status;
    sum->owner = owner;
    sum->form = form;
    return true;
}

static uint64_t hash_of(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* In any order. */
static void sum_state(void *context, struct subject key, int64_t touched, const void *value)
{
    struct sum *sum = context;
    static uint8_t run[STATE_RUN_HEAD + STATE_VALUE_MAX];
    uint64_t hash = hash_of(1, sum->owner, strlen(sum->owner));
    hash = hash_of(hash, sum->form->name, strlen(sum->form->name));
    hash = hash_of(hash, &key, sizeof(key));
    hash = hash_of(hash, &touched, sizeof(touched));
    sum->hash += hash_of(hash, value, sum->form->value_size);
    sum->bytes += state_run_put(run, key, touched, value, sum->form->value_size);
    sum->states++;
}

/* Only when all is kept: it counts as kept afterwards. */
static struct sum all_of(struct pipeline *pipeline)
{
    struct sum sum = {0};
    const struct pipeline_keeper keeper = {.table = sum_table, .state = sum_state, .context = &sum};
    pipeline_changes(pipeline, &keeper);
    return sum;
}

static uint64_t number_of(struct store *store, const char *sql)
{
    uint64_t number = 0;
    struct store_rows rows = store_query_all(store, sql);
    if (store_next(&rows))
        number = store_get_uint(&rows, 0);
    store_rows_end(&rows);
    return number;
}

/* -- tests ----------------------------------------------------------------------------------------------- */

static void test_what_was_kept_comes_back(void **state)
{
    struct world *w = *state;
    uint64_t states = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const unsigned sources = round % 3 ? 3000 : 40;
        for (unsigned i = 0; i < (round % 2 ? 2000u : 30u); i++)
            tell(w, sources);
        keep(w);
        const struct sum before = all_of(w->pipeline);
        assert_true(number_of(w->store, "SELECT sum(length(content)) FROM state_runs") <=
                    3 * before.bytes + 4096);
        if (next(w) % 3 != 0)
            continue;
        begin_anew(w, w->position);
        const struct sum after = all_of(w->pipeline);
        assert_int_equal(after.states, before.states);
        assert_true(after.hash == before.hash);
        states = after.states;
    }
    assert_true(states > 1000);
    assert_true(number_of(w->store, "SELECT count(*) FROM state_runs WHERE whole = 0") > 0);
    assert_true(number_of(w->store, "SELECT count(*) FROM state_runs WHERE whole = 1") > 0);
}

static void test_what_is_damaged_is_written_anew(void **state)
{
    struct world *w = *state;
    struct checkpoint_status status;
    for (unsigned i = 0; i < 500; i++)
        tell(w, 300);
    keep(w);
    assert_true(store_do(w->store, "UPDATE state_runs SET content = substr(content, 1, length(content) - 1)"
                                   " WHERE form = (SELECT id FROM state_tables WHERE name = 'tallies')"));
    begin_anew(w, w->position);
    checkpoint_status(w->checkpoint, &status);
    assert_int_equal(status.unknown, 1);
    for (unsigned i = 0; i < 10; i++)
        tell(w, 300);
    keep(w);
    const struct sum before = all_of(w->pipeline);
    begin_anew(w, w->position);
    checkpoint_status(w->checkpoint, &status);
    assert_int_equal(status.unknown, 0);
    assert_true(all_of(w->pipeline).hash == before.hash);
}

static void test_what_nobody_knows_is_forgotten(void **state)
{
    struct world *w = *state;
    struct checkpoint_status status;
    for (unsigned i = 0; i < 50; i++)
        tell(w, 300);
    keep(w);
    assert_true(store_do(w->store, "UPDATE state_tables SET version = 99 WHERE name = 'tallies'"));
    begin_anew(w, w->position);
    checkpoint_status(w->checkpoint, &status);
    assert_int_equal(status.unknown, 1);
    tell(w, 300);
    keep(w);
    assert_int_equal(number_of(w->store, "SELECT count(*) FROM state_tables WHERE version = 99"), 0);
    assert_int_equal(number_of(w->store, "SELECT count(*) FROM state_runs WHERE form NOT IN"
                                         " (SELECT id FROM state_tables)"),
                     0);
}

static void test_runs(void **state)
{
    uint8_t bytes[3 * (STATE_RUN_HEAD + 64)], value[64] = {1, 2, 3};
    const uint8_t full[4] = {9, 9, 9, 9};
    struct state_run_item item;
    (void)state;
    size_t size = state_run_put(bytes, (struct subject){1, 2}, -3, value, sizeof(value));
    assert_true(size < STATE_RUN_HEAD + sizeof(value));
    size += state_run_put(bytes + size, (struct subject){4, 5}, 6, NULL, sizeof(value));
    size += state_run_put(bytes + size, (struct subject){7, 8}, 9, full, sizeof(full));
    struct cursor c = cursor_of(bytes, size);
    assert_true(state_run_next(&c, &item));
    assert_false(item.gone);
    assert_true(item.key.high == 1 && item.key.low == 2 && item.touched == -3);
    assert_true(state_value_unpack(value, sizeof(value), item.packed));
    assert_int_equal(value[2], 3);
    assert_true(state_run_next(&c, &item));
    assert_true(item.gone && item.key.high == 4 && item.packed.size == 0);
    assert_true(state_run_next(&c, &item));
    assert_int_equal(item.packed.size, sizeof(full));
    assert_false(state_run_next(&c, &item));
    assert_false(c.failed);
    c = cursor_of(bytes, size - 1);
    for (unsigned i = 0; i < 2; i++)
        assert_true(state_run_next(&c, &item));
    assert_false(state_run_next(&c, &item));
    assert_true(c.failed);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
    const struct CMUnitTest tests[] = {
        T(what_was_kept_comes_back),
        T(what_is_damaged_is_written_anew),
        T(what_nobody_knows_is_forgotten),
        cmocka_unit_test(test_runs),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
