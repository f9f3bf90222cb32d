/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of the control socket about entities, from a store with some.
 */
#include "cluster/crypto_sodium.h"
#include "node/view_entity.h"
#include "sync/entity_batch.h"
#include "tests/unit/entity_world.h"
#include "tests/unit/place.h"

#include <jansson.h>

static struct spool *spool;

static int make(void **state)
{
    static struct world_change w;
    struct world_store *store = malloc(sizeof *store);
    world_store_make(store);
    struct entity_store_write *write = world_write(store);
    uint32_t context = world_context(write);
    for (uint32_t i = 1; i <= 3; i++) {
        world_user(&w, i);
        entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, WORLD_NOW);
    }
    world_begin(&w, 9, ENTITY_GROUP);
    w.change.whole = true;
    w.change.dn = world_text(&w, "CN=Sales,DC=corp,DC=example");
    world_put_bytes(&w, ENTITY_SAM_ACCOUNT_NAME, world_bytes("Sales"));
    world_edge(&w, LINK_MEMBER, 1, false);
    entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, WORLD_NOW);
    world_commit(&write);
    *state = store;
    return 0;
}

static int end(void **state)
{
    world_store_end(*state);
    free(*state);
    return 0;
}

static json_t *ask(struct world_store *store, enum control_verb verb, const char *name, unsigned limit)
{
    static const struct view_synchronizer nobody = {.domain = "corp.example"};
    struct control_request request = {.verb = verb, .limit = limit};
    struct entity_store_read *read = world_read(store);
    const struct view_entity_source source = {.node = "n1",
                                              .wall = 1700000000000,
                                              .read = read,
                                              .spool = spool,
                                              .synchronizers = &nobody,
                                              .synchronizer_count = 1};
    struct json_writer w;
    struct bytes text;
    snprintf(request.name, sizeof(request.name), "%s", name);
    json_writer_init(&w, 1 << 20);
    view_entity_answer(&w, &request, &source);
    assert_true(json_writer_done(&w, &text));
    json_t *answer = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(answer);
    json_writer_free(&w);
    entity_store_read_close(&read);
    return answer;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static void an_entity_with_its_groups(void **state)
{
    json_t *answer = ask(*state, CONTROL_ENTITY, "USER1", 0);
    const json_t *entities = json_object_get(answer, "entities");
    assert_int_equal(json_array_size(entities), 1);
    const json_t *item = json_array_get(entities, 0);
    assert_string_equal(text_of(item, "name"), "user1");
    assert_string_equal(text_of(json_object_get(item, "entity"), "kind"), "user");
    const json_t *groups = json_object_get(item, "groups");
    bool found = false;
    for (size_t i = 0; i < json_array_size(groups); i++)
        found |= strcmp(text_of(json_array_get(groups, i), "name"), "Sales") == 0;
    assert_true(found);
    json_decref(answer);
    answer = ask(*state, CONTROL_ENTITY, "CN=Sales,DC=corp,DC=example", 0);
    item = json_array_get(json_object_get(answer, "entities"), 0);
    const json_t *members = json_object_get(json_object_get(item, "links"), "member");
    assert_int_equal(json_array_size(members), 1);
    assert_string_equal(text_of(json_array_get(members, 0), "name"), "user1");
    json_decref(answer);
}

static void who_is_not_known(void **state)
{
    json_t *answer = ask(*state, CONTROL_ENTITY, "nobody", 0);
    assert_int_equal(json_array_size(json_object_get(answer, "entities")), 0);
    const json_t *scope = json_array_get(json_object_get(answer, "scope"), 0);
    assert_non_null(strstr(text_of(scope, "text"), "only entities seen in traffic"));
    json_decref(answer);
}

static void a_search(void **state)
{
    json_t *answer = ask(*state, CONTROL_SEARCH, "ser", 0);
    assert_int_equal(json_array_size(json_object_get(answer, "found")), 3);
    assert_false(json_is_true(json_object_get(answer, "cut")));
    json_decref(answer);
    answer = ask(*state, CONTROL_SEARCH, "USER", 2);
    const json_t *found = json_object_get(answer, "found");
    assert_int_equal(json_array_size(found), 2);
    assert_true(json_is_true(json_object_get(answer, "cut")));
    assert_string_equal(text_of(json_array_get(found, 0), "domain"), "corp.example");
    json_decref(answer);
}

/* --- the spool --- */

static uint8_t payload[4096];
static size_t payload_size;

static void keep_frame(void *context, uint64_t sequence, struct bytes frame)
{
    (void)context;
    assert_int_equal(sequence, 5);
    assert_true(frame.size <= sizeof(payload));
    memcpy(payload, frame.data, frame.size);
    payload_size = frame.size;
}

/* A user, one of its links, and somebody who is gone. */
static void write_payload(struct world_store *store)
{
    static const char text[] = "CN=a";
    static struct entity entity;
    const struct sync_token token = {.domain = "corp.example", .term = 7, .incarnation = 2};
    struct entity_batch_writer *writer = entity_batch_writer_new(1, keep_frame, NULL);
    (void)store;
    assert_non_null(writer);
    entity = (struct entity){.guid = {{1}}, .kind = ENTITY_USER};
    entity.rdn = (struct bytes){(const uint8_t *)text, sizeof(text) - 1};
    entity_batch_begin(writer, &token, 5);
    entity_batch_add(writer, &entity);
    entity_batch_add_links(writer, &entity.guid, (enum entity_link)0, ENTITY_BATCH_ALL, &entity.guid, 1);
    entity_batch_remove(writer, &entity.guid);
    assert_int_equal(entity_batch_end(writer), 6);
    entity_batch_writer_destroy(&writer);
}

static void the_spool_is_shown(void **state)
{
    struct world_store *store = *state;
    struct place place;
    place_open(&place);
    const struct spool_config config = {
        .disk = disk_system(), .directory = place.path, .segments = 2, .segment_bytes = 65536};
    struct fault fault;
    write_payload(store);
    spool = spool_open(&config, &fault);
    assert_non_null(spool);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(
            spool_append(spool, SPOOL_ENTITIES, WORLD_NOW, (struct bytes){payload, payload_size}, true),
            SPOOL_KEPT);
    json_t *answer = ask(store, CONTROL_SPOOL, "", 2);
    const json_t *batches = json_object_get(answer, "batches");
    assert_int_equal(json_array_size(batches), 2);
    const json_t *last = json_array_get(batches, 1);
    assert_int_equal(json_integer_value(json_object_get(last, "number")), 5);
    assert_int_equal(json_integer_value(json_object_get(last, "term")), 7);
    const json_t *entities = json_object_get(last, "entities");
    assert_int_equal(json_array_size(entities), 3);
    assert_string_equal(text_of(json_array_get(entities, 0), "name"), "CN=a");
    assert_string_equal(text_of(json_array_get(entities, 0), "kind"), "user");
    assert_string_equal(text_of(json_array_get(entities, 1), "what"), "links");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(entities, 1), "links")), 1);
    assert_string_equal(text_of(json_array_get(entities, 2), "what"), "removed");
    json_decref(answer);
    spool_close(&spool);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entity_with_its_groups, make, end),
        cmocka_unit_test_setup_teardown(who_is_not_known, make, end),
        cmocka_unit_test_setup_teardown(a_search, make, end),
        cmocka_unit_test_setup_teardown(the_spool_is_shown, make, end),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
