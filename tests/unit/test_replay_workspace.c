/* SPDX-License-Identifier: Apache-2.0 */
#include "center/replay_workspace.h"

#include "center/entities_store.h"
#include "center/store_settings.h"
#include "center/store_states.h"
#include "tests/unit/entity_batches.h"

struct world {
    char folder[64];
    struct workspace_settings settings;
    struct entities *entities;
    struct replay_workspace workspace;
};

/* What a center leaves behind. */
static void make_center(struct world *w)
{
    struct fault fault = {.text = ""};
    struct batches batches = {0};
    char path[80];
    strcpy(w->folder, "/tmp/picket-replay-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(path, sizeof path, "%s/center.db", w->folder);
    struct store *store = store_open(path, STORE_PEOPLE, &fault);
    struct entities_store *kept = entities_store_new(WORKSPACE_DEFAULT);
    if (!store)
        fail_msg("%s", fault.text);
    assert_non_null(kept);
    batches_begin(&batches);
    batches_user(&batches, 1);
    batches_add(&batches);
    assert_true(entities_store_take(kept, batches_end(&batches), 1, WORLD_NOW));
    assert_true(store_begin(store, &fault));
    assert_true(entities_store_write(kept, store, UINT64_MAX));
    store_setting_put(store, 0, "subject-seed", "00000000000000ff");
    store_setting_put(store, WORKSPACE_DEFAULT, "sensitivity", "high");
    int64_t id;
    struct stored_tag tag = {.tag = "honeytoken", .kind = SUBJECT_ACCOUNT, .name = "user1"};
    store_tag_add(store, WORKSPACE_DEFAULT, &tag, &id);
    tag = (struct stored_tag){.tag = "of another kind", .kind = SUBJECT_ACCOUNT, .name = "user1"};
    store_tag_add(store, WORKSPACE_DEFAULT, &tag, &id);
    assert_true(store_commit(store, &fault));
    entities_store_destroy(&kept);
    store_close(&store);
    batches_destroy(&batches);
}

static void test_opens(void **state)
{
    (void)state;
    static struct world w;
    struct fault fault = {.text = ""};
    make_center(&w);
    workspace_settings_init(&w.settings);
    assert_true(replay_workspace_open(&w.workspace, w.folder, "default", &w.settings, &w.entities, &fault));
    assert_int_equal(w.workspace.seed.value, 255);
    assert_int_equal(w.settings.sensitivity, SENSITIVITY_HIGH);
    struct directory_view view = entities_view(w.entities);
    struct party party = {.kind = SUBJECT_ACCOUNT, .name = world_bytes("user1")};
    struct facts facts;
    assert_true(view.facts(view.context, &party, &facts));
    assert_int_equal(facts.bits, FACT_USER | FACT_HONEYTOKEN);
    const struct pipeline_config config = {
        .settings = &w.settings, .directory = view, .seed = w.workspace.seed, .shards = 1};
    struct pipeline *pipeline = pipeline_new(&config);
    assert_non_null(pipeline);
    assert_true(replay_workspace_remember(&w.workspace, pipeline, &fault));
    pipeline_destroy(&pipeline);
    replay_workspace_close(&w.workspace);
    replay_workspace_close(&w.workspace);
    entities_destroy(&w.entities);
    assert_false(replay_workspace_open(&w.workspace, w.folder, "another", &w.settings, &w.entities, &fault));
    assert_non_null(strstr(fault.text, "another"));
    world_remove_folder(w.folder);
    assert_false(replay_workspace_open(&w.workspace, w.folder, "default", &w.settings, &w.entities, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_opens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
