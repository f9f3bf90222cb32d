/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory's part of a node as it ships - threads, TLS, LDAP, the store on disk - against domain
 * controllers in memory.
 */
#include "base/yielding.h"
#include "sync/directory.h"
#include "sync/entity_batch.h"

#include "base/clock.h"
#include "tests/unit/directory_server.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#include <signal.h>

enum { SERVERS = 2 };

#define ENDS_WITHIN (30 * CLOCK_SECOND) /* what waits for no time-out of a connection */

struct stage {
    struct place place;
    struct model model;
    pthread_mutex_t lock; /* of the model and of what is below */
    struct directory_server servers[SERVERS];
    gnutls_certificate_credentials_t credentials;
    char hosts[SERVERS][32], authority[128], password[128], store[128];
    struct directory_config config;
    struct directory *directory;
    uint64_t random;

    bool refuse_batches;
    unsigned batches, wrong_batches, points, progresses, wholes;
    uint64_t last_term;
    unsigned raised;
    unsigned found, missing;
    struct guid last_found;
};

static struct stage *stage;

/* Whether it is one batch with the fence that it is told with, and nothing but records. */
static bool is_batch(const struct sync_token *token, uint64_t sequence, struct bytes batch, bool *whole)
{
    struct entity_batch_record *record = calloc(1, sizeof *record);
    struct entity_batch_reader *reader = entity_batch_reader_new();
    bool damaged = true;
    if (record && reader && entity_batch_reader_feed(reader, &batch) == BATCH_READY) {
        const struct entity_batch_header *header = entity_batch_reader_header(reader);
        while (entity_batch_reader_next(reader, record, &damaged)) {
            *whole |= record->kind == ENTITY_BATCH_WHOLE;
            damaged = true;
        }
        damaged = damaged || header->sequence != sequence || header->token.term != token->term ||
                  strcmp(header->token.domain, token->domain) != 0;
    }
    entity_batch_reader_destroy(&reader);
    free(record);
    return !damaged;
}

static bool keep_batch(void *context, const struct sync_token *token, uint64_t sequence, struct bytes batch)
{
    (void)context;
    bool whole = false, right = is_batch(token, sequence, batch, &whole);
    pthread_mutex_lock(&stage->lock);
    bool keep = !stage->refuse_batches;
    stage->batches++;
    stage->wrong_batches += !right;
    stage->wholes += whole && keep;
    stage->last_term = token->term;
    pthread_mutex_unlock(&stage->lock);
    return keep;
}

static void see_progress(void *context, const struct directory_progress *progress)
{
    (void)context;
    (void)progress;
    pthread_mutex_lock(&stage->lock);
    stage->progresses++;
    pthread_mutex_unlock(&stage->lock);
}

static void see_point(void *context, const char *domain, struct bytes point)
{
    (void)context;
    (void)domain;
    pthread_mutex_lock(&stage->lock);
    stage->points += point.size > 0 && point.size <= 1024;
    pthread_mutex_unlock(&stage->lock);
}

static void see_health(void *context, const char *domain, enum directory_issue issue, bool raised,
                       const char *text)
{
    (void)context;
    (void)domain;
    pthread_mutex_lock(&stage->lock);
    stage->raised = raised ? stage->raised | 1u << issue : stage->raised & ~(1u << issue);
    pthread_mutex_unlock(&stage->lock);
    assert_non_null(text);
}

static void see_lookup(void *context, const struct lookup_key *key, const struct guid *found)
{
    (void)context;
    (void)key;
    pthread_mutex_lock(&stage->lock);
    stage->found += found != NULL;
    stage->missing += found == NULL;
    if (found)
        stage->last_found = *found;
    pthread_mutex_unlock(&stage->lock);
}

static void open_directory(void)
{
    static const struct directory_callbacks callbacks = {.batch = keep_batch,
                                                         .progress = see_progress,
                                                         .resume_point = see_point,
                                                         .health = see_health,
                                                         .looked_up = see_lookup};
    struct fault fault = {0};
    stage->directory = directory_new(&stage->config, &callbacks, &fault);
    if (!stage->directory || !directory_start(stage->directory, &fault))
        fail_msg("%s", fault.text);
}

static void elect(uint64_t term)
{
    struct sync_token token = {.term = term};
    strcpy(token.domain, "CORP.example");
    directory_synchronize(stage->directory, &token, (struct bytes){0});
}

static int open_stage(void **state)
{
    (void)state;
    stage = calloc(1, sizeof *stage);
    stage->random = 88172645463325252u;
    pthread_mutex_init(&stage->lock, NULL);
    place_open(&stage->place);
    snprintf(stage->authority, sizeof stage->authority, "%s", place_file(&stage->place, "ca.pem"));
    snprintf(stage->password, sizeof stage->password, "%s", place_file(&stage->place, "password"));
    snprintf(stage->store, sizeof stage->store, "%s", place_file(&stage->place, "store"));
    umask(077);
    FILE *file = fopen(stage->password, "w");
    fputs("secret\n", file);
    fclose(file);
    stage->credentials = certificate_self_signed("localhost", stage->authority);
    struct model *model = &stage->model;
    model->server = MODEL_WINDOWS;
    model->dirsync = model->right = model->deletions_visible = model->recycle_bin = true;
    model->page_objects = 5;
    model->values_most = 4;
    model->databases = MODEL_CONTROLLERS;
    for (unsigned d = 0; d < MODEL_CONTROLLERS; d++) {
        model->controllers[d].database = (uint8_t)d;
        model->controllers[d].usn = 100 * (d + 1);
    }
    for (unsigned i = 0; i < MODEL_CONTAINERS + 20; i++)
        model_create(&model->controllers[0], i, (int32_t)i, i < 4 ? 0 : (int32_t)(i % 4));
    for (unsigned i = 6; i < 20; i++)
        model_link(&model->controllers[0], 12, i, i != 12);
    model_replicate(&model->controllers[1], &model->controllers[0]);
    struct ldap_client_config *domain = &stage->config.domains[0];
    for (unsigned s = 0; s < SERVERS; s++) {
        server_open(&stage->servers[s], model, &stage->lock, s, stage->credentials);
        snprintf(stage->hosts[s], sizeof stage->hosts[s], "localhost:%u", stage->servers[s].port);
        domain->controllers[domain->controller_count++] = stage->hosts[s];
    }
    stage->config.domain_count = 1;
    stage->config.store.path = stage->store;
    stage->config.increment_period = 50 * CLOCK_MILLISECOND;
    lookup_limits_init(&stage->config.lookup);
    domain->domain = "Corp.Example";
    domain->ca_file = stage->authority;
    domain->connect_timeout = domain->bind_timeout = domain->operation_timeout = 2 * ENDS_WITHIN;
    domain->account_count = 1;
    domain->accounts[0] = (struct ldap_account){.domain = "corp.example",
                                                .principal = "cn=reader",
                                                .password_file = stage->password,
                                                .method = LDAP_BIND_SIMPLE,
                                                .security = LDAP_SECURITY_LDAPS};
    open_directory();
    return 0;
}

static int close_stage(void **state)
{
    (void)state;
    directory_destroy(&stage->directory);
    assert_int_equal(stage->wrong_batches, 0);
    for (unsigned s = 0; s < SERVERS; s++)
        server_close(&stage->servers[s]);
    gnutls_certificate_free_credentials(stage->credentials);
    char path[256];
    static const char *const names[] = {"data.mdb", "lock.mdb", ""};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", stage->store, names[i]);
        remove(path);
    }
    place_close(&stage->place);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
    return 0;
}

/* -- comparing -------------------------------------------------------------------------------------- */

struct compared {
    struct entity_store_read *read;
    const struct model_controller *dc;
    uint64_t seen;
    bool right;
    bool say;
};

static bool count_member(void *to, const struct guid *guid)
{
    uint64_t *members = to;
    for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
        struct guid have = model_guid(i);
        if (memcmp(&have, guid, sizeof have) == 0)
            *members |= UINT64_C(1) << i;
    }
    return true;
}

static bool has_text(const struct entity *entity, enum entity_attribute attribute, const char *prefix,
                     int32_t number)
{
    const struct activity_value *value = entity_get(entity, attribute);
    char text[64];
    if (number < 0)
        return value == NULL;
    int size = snprintf(text, sizeof text, "%s%d", prefix, number);
    return value && value->bytes.size == (size_t)size && memcmp(value->bytes.data, text, (size_t)size) == 0;
}

static bool compare_one(void *to, const struct entity *entity)
{
    struct compared *compared = to;
    char dn[1200], is[1200];
    unsigned i = 0;
    for (; i < MODEL_OBJECTS; i++) {
        struct guid have = model_guid(i);
        if (memcmp(&have, &entity->guid, sizeof have) == 0)
            break;
    }
    if (entity->deleted || i == MODEL_OBJECTS) /* the configuration's object */
        return true;
    entity_dn(entity, is, sizeof is);
    uint64_t members = 0, wanted = 0;
    bool right = model_alive(compared->dc, i);
    if (right) {
        model_dn(compared->dc, i, dn, sizeof dn);
        for (unsigned j = 0; j < MODEL_OBJECTS; j++)
            wanted |= (uint64_t)model_has_member(compared->dc, i, j) << j;
        entity_store_links(compared->read, &entity->guid, LINK_MEMBER, count_member, &members);
        right = strcmp(dn, is) == 0 && members == wanted &&
                has_text(entity, ENTITY_SAM_ACCOUNT_NAME, "account",
                         compared->dc->objects[i].attributes[MODEL_ACCOUNT].value) &&
                has_text(entity, ENTITY_DESCRIPTION, "text",
                         compared->dc->objects[i].attributes[MODEL_DESCRIPTION].value);
    }
    if (!right && compared->say)
        printf("%s is not %s, members %llx and %llx\n", is, dn, (unsigned long long)members,
               (unsigned long long)wanted);
    compared->right &= right;
    compared->seen |= UINT64_C(1) << i;
    return true;
}

static bool is_copy(bool say)
{
    struct fault fault;
    struct directory_progress progress;
    directory_progress(stage->directory, 0, &progress);
    unsigned controller = progress.controller[0] ? (unsigned)(progress.controller[2] - '0') : 0;
    struct entity_store_read *read = entity_store_read_open(directory_store(stage->directory), &fault);
    assert_non_null(read);
    pthread_mutex_lock(&stage->lock);
    struct compared compared = {
        .read = read, .dc = &stage->model.controllers[controller], .right = true, .say = say};
    static const char domain[] = "corp.example";
    entity_store_each(read, (struct bytes){(const uint8_t *)domain, strlen(domain)}, NULL, compare_one,
                      &compared);
    for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
        bool missing = model_alive(compared.dc, i) && !(compared.seen >> i & 1);
        if (missing && say)
            printf("%u is missing\n", i);
        compared.right &= !missing;
    }
    pthread_mutex_unlock(&stage->lock);
    entity_store_read_close(&read);
    return compared.right && compared.seen;
}

#define WAIT_FOR(condition)                                                                                  \
    do {                                                                                                     \
        unsigned tries_ = 0;                                                                                 \
        while (!(condition)) {                                                                               \
            if (++tries_ == 12000)                                                                           \
                fail_msg("in vain: %s", #condition);                                                         \
            usleep(10000);                                                                                   \
        }                                                                                                    \
    } while (0)

static bool becomes_copy(int64_t within)
{
    for (int64_t end = clock_monotonic(clock_system()) + within; clock_monotonic(clock_system()) < end;) {
        if (is_copy(false))
            return true;
        usleep(10000);
    }
    return is_copy(true);
}

static void wait_for_copy(void)
{
    if (becomes_copy(2 * CLOCK_MINUTE))
        return;
    struct directory_progress progress;
    directory_progress(stage->directory, 0, &progress);
    fail_msg("no copy: %s, %s", progress.reason, progress.last_error);
}

static unsigned counter(const unsigned *of)
{
    pthread_mutex_lock(&stage->lock);
    unsigned value = *of;
    pthread_mutex_unlock(&stage->lock);
    return value;
}

static struct directory_progress progress_now(void)
{
    struct directory_progress progress;
    assert_true(directory_progress(stage->directory, 0, &progress));
    return progress;
}

/* That it replicates from. */
static struct model_controller *bound_controller(void)
{
    WAIT_FOR(progress_now().controller[0]);
    return &stage->model.controllers[progress_now().controller[2] - '0'];
}

#define WITH_MODEL(what)                                                                                     \
    do {                                                                                                     \
        pthread_mutex_lock(&stage->lock);                                                                    \
        what;                                                                                                \
        pthread_mutex_unlock(&stage->lock);                                                                  \
    } while (0)

/* -- stories ---------------------------------------------------------------------------------------- */

static void replicates_and_follows(void **state)
{
    (void)state;
    WAIT_FOR(directory_reachable(stage->directory, "corp.example"));
    assert_false(directory_reachable(stage->directory, "other.example"));
    elect(7);
    wait_for_copy();
    WAIT_FOR(progress_now().full_pass_ended > 0);
    assert_int_equal(stage->last_term, 7);
    assert_int_equal(progress_now().mode, DIRECTORY_PROACTIVE);
    struct model_controller *dc = bound_controller();
    WITH_MODEL(model_set(dc, 1, MODEL_NAME, 500)); /* all below go with it */
    WITH_MODEL(model_link(dc, 9, 7, true));
    WITH_MODEL(model_delete(&stage->model, dc, 8));
    WITH_MODEL(model_create(dc, 40, 1, 2));
    wait_for_copy();
    WITH_MODEL(model_undelete(dc, 8, 3, 1));
    wait_for_copy();
    WAIT_FOR(counter(&stage->points) > 0);
    WAIT_FOR(counter(&stage->progresses) > 1);
    directory_reconcile(stage->directory, "corp.example");
    WAIT_FOR(progress_now().last_reconciled > 0);
    assert_int_equal(progress_now().mismatches, 0);
    assert_int_equal(progress_now().refused, 0);
}

/* A host in need: replication rests most of the time, and becomes a copy all the same; look-ups do not rest.
 */
static void stands_back_when_told(void **state)
{
    (void)state;
    static struct yielding yielding;
    yielding_init(&yielding);
    atomic_store(&yielding.share, 50);
    directory_destroy(&stage->directory);
    stage->config.yielding = &yielding;
    open_directory();
    WAIT_FOR(directory_reachable(stage->directory, "corp.example"));
    assert_int_equal(atomic_load(&yielding.rested), 0); /* look-ups alone */
    elect(7);
    wait_for_copy();
    assert_true(atomic_load(&yielding.rested) > 0);
    atomic_store(&yielding.share, YIELDING_ALL);
    struct model_controller *dc = bound_controller();
    WITH_MODEL(model_create(dc, 41, 1, 2));
    wait_for_copy();
}

static void nothing_bears_the_token_after_desisting(void **state)
{
    (void)state;
    elect(1);
    wait_for_copy();
    struct model_controller *dc = bound_controller();
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 7; i < 20; i++)
            WITH_MODEL(model_set(dc, i, MODEL_DESCRIPTION, (int32_t)(100 * round + i)));
        usleep(20000);
        directory_desist(stage->directory, "corp.example");
        unsigned batches = counter(&stage->batches);
        usleep(30000);
        assert_int_equal(counter(&stage->batches), batches);
        elect(round + 2);
    }
    wait_for_copy();
    directory_desist(stage->directory, "corp.example");
    WAIT_FOR(progress_now().mode == DIRECTORY_REACTIVE);
}

static void goes_on_after_a_restart(void **state)
{
    (void)state;
    elect(1);
    wait_for_copy();
    WAIT_FOR(progress_now().full_pass_ended > 0);
    WAIT_FOR(counter(&stage->wholes) == 1); /* the configuration's pass has ended too */
    int64_t began = clock_monotonic(clock_system());
    directory_stop(stage->directory);
    assert_true(clock_monotonic(clock_system()) - began < ENDS_WITHIN);
    directory_destroy(&stage->directory);
    for (unsigned d = 0; d < SERVERS; d++)
        WITH_MODEL(model_set(&stage->model.controllers[d], 10, MODEL_DESCRIPTION, 77));
    open_directory();
    assert_false(is_copy(false));
    WITH_MODEL(stage->wholes = 0);
    elect(2);
    wait_for_copy();
    WAIT_FOR(counter(&stage->wholes) == 1); /* all of it is told in the new term */
    WAIT_FOR(progress_now().last_increment > 0);
    assert_int_equal(progress_now().full_pass_began, 0);
    assert_int_equal(progress_now().pass_objects, 0);
}

static void refused_batches_are_told_again(void **state)
{
    (void)state;
    WITH_MODEL(stage->refuse_batches = true);
    elect(1);
    WAIT_FOR(counter(&stage->batches) > 0);
    WAIT_FOR(counter(&stage->raised) & 1u << DIRECTORY_STORE_FULL);
    assert_false(is_copy(false));
    WITH_MODEL(stage->refuse_batches = false);
    wait_for_copy();
    WAIT_FOR(counter(&stage->wholes) == 1);
    WAIT_FOR(!(counter(&stage->raised) & 1u << DIRECTORY_STORE_FULL));
}

static struct lookup_key key_of(enum lookup_kind kind, const char *text)
{
    struct lookup_key key;
    struct bytes bytes = {(const uint8_t *)text, strlen(text)};
    assert_true(lookup_key_text(&key, kind, bytes, (struct bytes){0}));
    return key;
}

static void looks_up_what_is_asked_for(void **state)
{
    (void)state;
    struct lookup_key known, unknown = key_of(LOOKUP_ACCOUNT, "nobody");
    struct guid guid = model_guid(11);
    assert_true(lookup_key_guid(&known, &guid));
    assert_true(directory_look_up(stage->directory, &known, LOOKUP_TRAFFIC));
    WAIT_FOR(counter(&stage->found) == 1);
    assert_memory_equal(&stage->last_found, &guid, sizeof guid);
    struct fault fault;
    struct entity_store_read *read = entity_store_read_open(directory_store(stage->directory), &fault);
    struct entity *entity = calloc(1, sizeof *entity);
    assert_true(entity_store_get(read, &guid, entity));
    assert_int_equal(entity->origin, ENTITY_LOOKED_UP);
    guid = model_guid(13); /* had no traffic */
    assert_false(entity_store_get(read, &guid, entity));
    entity_store_read_close(&read);
    free(entity);
    guid.bytes[15] = 99;
    assert_true(lookup_key_guid(&unknown, &guid));
    assert_true(directory_look_up(stage->directory, &unknown, LOOKUP_TRAFFIC));
    WAIT_FOR(counter(&stage->missing) == 1);
    assert_false(directory_look_up(stage->directory, &unknown, LOOKUP_TRAFFIC));
    assert_int_equal(counter(&stage->batches), 0);
}

static void says_what_is_unreachable(void **state)
{
    (void)state;
    for (unsigned s = 0; s < SERVERS; s++)
        server_cut_off(&stage->servers[s], true);
    WAIT_FOR(!directory_reachable(stage->directory, "corp.example"));
    WAIT_FOR(counter(&stage->raised) & 1u << DIRECTORY_UNREACHABLE);
    assert_true(progress_now().reason[0]);
    for (unsigned s = 0; s < SERVERS; s++)
        server_cut_off(&stage->servers[s], false);
    WAIT_FOR(directory_reachable(stage->directory, "corp.example"));
    WAIT_FOR(!(counter(&stage->raised) & 1u << DIRECTORY_UNREACHABLE));
    assert_string_equal(directory_issue_name(DIRECTORY_UNREACHABLE), "directory_unreachable");
    assert_null(directory_issue_name(DIRECTORY_ISSUES));
}

static uint64_t draw(uint64_t below)
{
    stage->random ^= stage->random << 13;
    stage->random ^= stage->random >> 7;
    stage->random ^= stage->random << 17;
    return stage->random % below;
}

static void change_something(void)
{
    struct model_controller *dc = &stage->model.controllers[draw(SERVERS)];
    unsigned i = (unsigned)(MODEL_CONTAINERS + draw(20)), group = MODEL_CONTAINERS + 3 * (unsigned)draw(6);
    int32_t value = (int32_t)draw(1000);
    switch (draw(6)) {
    case 0:
        if (model_alive(dc, i))
            model_delete(&stage->model, dc, i);
        else if (dc->objects[i].there)
            model_undelete(dc, i, value, (int32_t)draw(MODEL_CONTAINERS));
        return;
    case 1:
        model_set(dc, 1 + (unsigned)draw(MODEL_CONTAINERS - 1), MODEL_NAME, value);
        return;
    case 2:
        if (model_alive(dc, i))
            model_set(dc, i, MODEL_PARENT, (int32_t)draw(MODEL_CONTAINERS));
        return;
    case 3:
        if (model_alive(dc, i))
            model_set(dc, i, MODEL_DESCRIPTION, value % 4 ? value : -1);
        return;
    default:
        if (model_alive(dc, group) && model_alive(dc, i))
            model_link(dc, group, i, value % 3 > 0);
    }
}

static void a_storm_ends_in_a_copy(void **state)
{
    (void)state;
    struct model *model = &stage->model;
    elect(1);
    for (unsigned round = 0; round < 150; round++) {
        for (uint64_t changes = draw(8); changes--;)
            WITH_MODEL(change_something());
        WITH_MODEL(model_replicate(&model->controllers[draw(SERVERS)], &model->controllers[draw(SERVERS)]));
        usleep((useconds_t)draw(20000));
        if (draw(10) == 0) {
            unsigned server = (unsigned)draw(SERVERS);
            server_cut_off(&stage->servers[server], true);
            usleep((useconds_t)draw(50000));
            server_cut_off(&stage->servers[server], false);
        }
        if (draw(25) == 0) {
            directory_destroy(&stage->directory);
            open_directory();
            elect(round);
        }
    }
    for (unsigned i = 0; i < 4; i++)
        WITH_MODEL(model_replicate(&model->controllers[i % 2], &model->controllers[1 - i % 2]));
    /* What a change of controller left behind is found by comparing, ten minutes later by itself. */
    if (becomes_copy(10 * CLOCK_SECOND))
        return;
    directory_reconcile(stage->directory, "corp.example");
    wait_for_copy();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* of the servers */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replicates_and_follows, open_stage, close_stage),
        cmocka_unit_test_setup_teardown(stands_back_when_told, open_stage, close_stage),
        cmocka_unit_test_setup_teardown(nothing_bears_the_token_after_desisting, open_stage, close_stage),
        cmocka_unit_test_setup_teardown(goes_on_after_a_restart, open_stage, close_stage),
        cmocka_unit_test_setup_teardown(refused_batches_are_told_again, open_stage, close_stage),
        cmocka_unit_test_setup_teardown(looks_up_what_is_asked_for, open_stage, close_stage),
        cmocka_unit_test_setup_teardown(says_what_is_unreachable, open_stage, close_stage),
        cmocka_unit_test_setup_teardown(a_storm_ends_in_a_copy, open_stage, close_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
