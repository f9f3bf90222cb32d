/* SPDX-License-Identifier: Apache-2.0 */
#include "center/entities_store.h"

#include "base/clock.h"
#include "center/entities_words.h"
#include "tests/unit/entity_batches.h"

#include <jansson.h>

struct world {
    char folder[64], path[80];
    struct store *store;
    struct entities_store *kept;
    struct batches batches;
    int64_t now;
};

static void open_store(struct world *w)
{
    struct fault fault = {.text = ""};
    w->store = store_open(w->path, STORE_PIPELINE, &fault);
    if (!w->store)
        fail_msg("%s", fault.text);
    w->kept = entities_store_new(1);
    assert_non_null(w->kept);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    strcpy(w->folder, "/tmp/picket-entities-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/store", w->folder);
    w->now = WORLD_NOW;
    open_store(w);
    batches_begin(&w->batches);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    entities_store_destroy(&w->kept);
    entities_store_destroy(&w->kept);
    store_close(&w->store);
    batches_destroy(&w->batches);
    world_remove_folder(w->folder);
    free(w);
    return 0;
}

static void write_kept(struct world *w)
{
    struct fault fault = {.text = ""};
    assert_true(store_begin(w->store, &fault));
    entities_store_write(w->kept, w->store, UINT64_MAX);
    bool committed = store_commit(w->store, &fault);
    if (!committed)
        fail_msg("%s", fault.text);
    entities_store_ended(w->kept, committed);
    assert_int_equal(entities_store_waiting(w->kept), 0);
}

static void take(struct world *w)
{
    assert_true(entities_store_take(w->kept, batches_end(&w->batches), 1, w->now));
    write_kept(w);
    batches_begin(&w->batches);
    w->now += 2 * CLOCK_HOUR;
}

static void add_user(struct world *w, uint32_t number, const char *account, const char *display)
{
    batches_user(&w->batches, number);
    batches_text(&w->batches, ENTITY_SAM_ACCOUNT_NAME, account);
    batches_text(&w->batches, ENTITY_DISPLAY_NAME, display);
    batches_add(&w->batches);
}

struct list {
    unsigned count, limit;
    struct stored_entity found[64];
    char history[64][128];
};

static void see(void *context, const struct stored_entity *entity)
{
    struct list *list = context;
    assert_true(list->count < 64);
    list->found[list->count++] = *entity;
}

static bool see_until(void *context, const struct stored_entity *entity)
{
    struct list *list = context;
    see(list, entity);
    return list->count != list->limit;
}

static void see_past(void *context, const struct entity_past *past)
{
    struct list *list = context;
    assert_true(list->count < 64);
    snprintf(list->history[list->count++], 128, "%s: %s -> %s", past->attribute, past->before, past->after);
}

static unsigned found(struct world *w, const char *text, struct list *list)
{
    *list = (struct list){0};
    size_t count = entities_store_search(w->store, 1, world_bytes(text), ENTITY_KINDS, 20, see, list);
    assert_int_equal(count, list->count);
    return list->count;
}

static void test_search(void **state)
{
    struct world *w = *state;
    struct list list;
    add_user(w, 1, "bsmith", "Bob Smith");
    add_user(w, 2, "asmith", "Alice Smithers");
    add_user(w, 3, "svc_sql", "Database");
    add_user(w, 4, "jgross", "Jürgen GROSSMANN");
    batches_group(&w->batches, 5, "Smiths", 1500);
    batches_add(&w->batches);
    take(w);
    assert_int_equal(found(w, "smi", &list), 3);
    assert_int_equal(found(w, "bob", &list), 1);
    assert_string_equal(list.found[0].name, "bsmith");
    assert_int_equal(found(w, "Smith b", &list), 1);
    assert_int_equal(found(w, "al smithers", &list), 1);
    assert_int_equal(found(w, "sql", &list), 1);
    assert_int_equal(found(w, "svc_s", &list), 1);
    assert_int_equal(found(w, "JÜRG", &list), 1);
    assert_int_equal(found(w, "mail2@corp", &list), 1);
    assert_int_equal(found(w, "smiths", &list), 1);
    assert_int_equal(found(w, "nobody", &list), 0);
    assert_int_equal(found(w, "  ", &list), 0);
    assert_int_equal(found(w, "", &list), 0);
    list = (struct list){0};
    assert_int_equal(entities_store_search(w->store, 1, world_bytes("smith"), ENTITY_GROUP, 9, see, &list),
                     1);
    assert_int_equal(entities_store_search(w->store, 2, world_bytes("smith"), ENTITY_KINDS, 9, see, &list),
                     0);
    /* Whoever bears the word itself comes first, however many begin so. */
    assert_true(found(w, "smith", &list) > 1);
    assert_string_equal(list.found[0].name, "bsmith");
    /* A name that was given up finds nobody any more. */
    add_user(w, 1, "bjones", "Bob Jones");
    take(w);
    assert_int_equal(found(w, "bsm", &list), 0);
    assert_int_equal(found(w, "bjo", &list), 1);
}

static void test_history_and_deletion(void **state)
{
    struct world *w = *state;
    struct guid guid = world_guid(1);
    struct stored_entity entity;
    struct list list = {0};
    add_user(w, 1, "bob", "Bob");
    take(w);
    assert_true(entities_store_find(w->store, 1, &guid, &entity));
    assert_int_equal(entity.told, WORLD_NOW);
    assert_int_equal(entity.changed, WORLD_NOW);
    add_user(w, 1, "bob", "Bob");
    take(w); /* told again: no news */
    assert_int_equal(entities_store_history(w->store, 1, &guid, 9, see_past, &list), 0);
    assert_true(entities_store_find(w->store, 1, &guid, &entity));
    assert_int_equal(entity.changed, WORLD_NOW);
    batches_user(&w->batches, 1);
    batches_text(&w->batches, ENTITY_SAM_ACCOUNT_NAME, "dc1");
    batches_uint(&w->batches, ENTITY_USER_ACCOUNT_CONTROL, 4194816);
    batches_add(&w->batches);
    take(w);
    entity_batch_remove(w->batches.writer, &guid);
    take(w);
    assert_int_equal(entities_store_history(w->store, 1, &guid, 9, see_past, &list), 3);
    assert_string_equal(list.history[0], "deleted: false -> true");
    assert_string_equal(list.history[1], "user_account_control: 512 -> 4194816");
    assert_string_equal(list.history[2], "account: \"bob\" -> \"dc1\"");
    assert_true(entities_store_find(w->store, 1, &guid, &entity));
    assert_int_equal(entity.deleted, WORLD_NOW + 6 * CLOCK_HOUR);
    assert_int_equal(found(w, "dc1", &list), 1); /* it is found, and says so */
    assert_true(list.found[0].deleted);
    char json[4096];
    assert_true(entities_store_json(w->store, 1, &guid, json, sizeof json) > 0);
    json_t *root = json_loads(json, 0, NULL);
    assert_non_null(root);
    assert_true(json_is_true(json_object_get(root, "deleted")));
    assert_string_equal(json_string_value(json_object_get(root, "account")), "dc1");
    json_decref(root);
    add_user(w, 1, "bob", "Bob");
    take(w);
    assert_true(entities_store_find(w->store, 1, &guid, &entity));
    assert_int_equal(entity.deleted, 0);
    struct guid nobody = world_guid(99);
    assert_false(entities_store_find(w->store, 1, &nobody, &entity));
    assert_int_equal(entities_store_json(w->store, 1, &nobody, json, sizeof json), 0);
    assert_int_equal(entities_store_history(w->store, 1, &nobody, 9, see_past, &list), 0);
}

static unsigned links(struct world *w, uint32_t from, bool back, unsigned limit, uint64_t after)
{
    struct guid guid = world_guid(from);
    struct list list = {.limit = limit};
    return (unsigned)entities_store_links(w->store, 1, &guid, LINK_MEMBER, back, after, see_until, &list);
}

static void test_links(void **state)
{
    struct world *w = *state;
    batches_group(&w->batches, 50, "Admins", 512);
    batches_add(&w->batches);
    for (uint32_t i = 1; i <= 3; i++)
        add_user(w, i, i == 1 ? "a" : i == 2 ? "b" : "c", "x");
    batches_members(&w->batches, 50, ENTITY_BATCH_ADDED, (uint32_t[]){1, 2, 9}, 3);
    take(w);
    assert_int_equal(links(w, 50, false, 0, 0), 3);
    assert_int_equal(links(w, 50, false, 2, 0), 2);
    assert_int_equal(links(w, 50, false, 0, 2), 1);
    assert_int_equal(links(w, 1, true, 0, 0), 1);
    struct list list = {0};
    struct guid group = world_guid(50);
    /* Who was in it from the beginning is no news. */
    assert_int_equal(entities_store_history(w->store, 1, &group, 9, see_past, &list), 0);
    batches_members(&w->batches, 50, ENTITY_BATCH_DROPPED, (uint32_t[]){1, 77}, 2);
    batches_members(&w->batches, 50, ENTITY_BATCH_ADDED, (uint32_t[]){3}, 1);
    take(w);
    assert_int_equal(links(w, 1, true, 0, 0), 0);
    assert_int_equal(entities_store_history(w->store, 1, &group, 9, see_past, &list), 2);
    batches_members(&w->batches, 50, ENTITY_BATCH_ALL, (uint32_t[]){2}, 1);
    take(w);
    assert_int_equal(links(w, 50, false, 0, 0), 1);
    assert_int_equal(entities_store_history(w->store, 1, &group, 9, see_past, &(struct list){0}), 4);
    struct guid member = world_guid(2);
    entity_batch_remove(w->batches.writer, &member);
    take(w);
    assert_int_equal(links(w, 50, false, 0, 0), 0);
}

static uint32_t bits(struct entities *entities, const char *name)
{
    struct directory_view view = entities_view(entities);
    struct party party = {.kind = SUBJECT_ACCOUNT, .name = world_bytes(name)};
    struct facts facts;
    return view.facts(view.context, &party, &facts) ? facts.bits : 0;
}

/* The next start knows what this one knew. */
static void test_restore(void **state)
{
    struct world *w = *state;
    struct fault fault = {.text = ""};
    struct guid gone = world_guid(2);
    batches_group(&w->batches, 50, "Admins", 512);
    batches_add(&w->batches);
    add_user(w, 1, "a", "x");
    add_user(w, 2, "b", "x");
    batches_members(&w->batches, 50, ENTITY_BATCH_ADDED, (uint32_t[]){1, 2}, 2);
    entity_batch_remove(w->batches.writer, &gone);
    entity_batch_whole(w->batches.writer);
    take(w);
    entities_store_destroy(&w->kept);
    store_close(&w->store);
    open_store(w);
    struct entities *entities = entities_new(1);
    assert_non_null(entities);
    assert_true(entities_store_restore(w->kept, w->store, entities, &fault));
    assert_int_equal(bits(entities, "a"), FACT_USER | FACT_SENSITIVE);
    assert_int_equal(bits(entities, "b"), 0);
    struct entities_status status;
    entities_status(entities, &status);
    assert_int_equal(status.entities, 2);
    assert_int_equal(status.deleted, 1);
    assert_int_equal(status.memberships, 1);
    assert_int_equal(status.whole_domains, 1);
    entities_destroy(&entities);
}

/* What could not be committed is written again; what is damaged spoils nothing else. */
static void test_written_again(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct list list;
    add_user(w, 1, "a", "x");
    assert_true(entities_store_take(w->kept, batches_end(&w->batches), 1, w->now));
    assert_true(entities_store_take(w->kept, world_bytes("no batch at all"), 1, w->now));
    assert_true(entities_store_take(w->kept, (struct bytes){0}, 1, w->now));
    batches_begin(&w->batches);
    add_user(w, 2, "b", "x");
    assert_true(entities_store_take(w->kept, batches_end(&w->batches), 1, w->now));
    assert_true(store_begin(w->store, &fault));
    assert_true(entities_store_write(w->kept, w->store, UINT64_MAX));
    store_fail(w->store, "a full disk");
    assert_false(store_commit(w->store, &fault));
    entities_store_ended(w->kept, false);
    assert_int_equal(found(w, "x", &list), 0);
    assert_true(store_begin(w->store, &fault));
    assert_true(entities_store_write(w->kept, w->store, UINT64_MAX));
    /* What comes meanwhile waits for the next. */
    batches_begin(&w->batches);
    add_user(w, 3, "c", "x");
    assert_true(entities_store_take(w->kept, batches_end(&w->batches), 1, w->now));
    assert_true(store_commit(w->store, &fault));
    entities_store_ended(w->kept, true);
    assert_int_equal(found(w, "x", &list), 2);
    assert_true(entities_store_waiting(w->kept) > 0);
    write_kept(w);
    assert_int_equal(found(w, "x", &list), 3);
}

static void test_words(void **state)
{
    (void)state;
    struct entities_words words;
    char text[ENTITIES_WORDS_TEXT], little[8];
    char many[4096];
    entities_words_typed(world_bytes("  One\ttwo ONE "), &words);
    entities_words_join(&words, text, sizeof text);
    assert_string_equal(text, " one two");
    entities_words_join(&words, little, sizeof little);
    assert_string_equal(little, " one");
    size_t size = 0;
    for (int i = 0; i < 100; i++)
        size += (size_t)snprintf(many + size, sizeof many - size, "w%d ", i);
    entities_words_typed((struct bytes){(uint8_t *)many, size}, &words);
    assert_int_equal(words.count, ENTITIES_WORDS_MAX);
    memset(many, 'x', 200);
    entities_words_typed((struct bytes){(uint8_t *)many, 200}, &words);
    assert_int_equal(strlen(words.words[0]), ENTITIES_WORD_MAX);
    for (int i = 0; i < 100; i++)
        memcpy(many + 2 * i + 1, "ü", 2);
    entities_words_typed((struct bytes){(uint8_t *)many, 200}, &words);
    assert_int_equal(strlen(words.words[0]), ENTITIES_WORD_MAX - 1); /* no half a letter */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_search),  TEST(test_history_and_deletion), TEST(test_links),
        TEST(test_restore), TEST(test_written_again),        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
