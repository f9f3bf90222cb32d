/* SPDX-License-Identifier: Apache-2.0
 *
 * Replication against a directory in memory: whatever happens on the way - changes, other domain controllers,
 * databases restored, rights that come and go, the process killed between two commits - once it is quiet the
 * copy is the directory.
 */
#include "sync/replication.h"

#include "base/clock.h"
#include "tests/unit/model_directory.h"
#include "tests/unit/unit.h"

/* -- a store in memory ------------------------------------------------------------------------------ */

struct copy {
    bool there, deleted, placed;
    uint32_t pass;
    char dn[1200];
    int32_t account, description; /* -1: none */
    uint64_t members;
};

struct copies {
    struct copy objects[MODEL_OBJECTS];
    uint8_t state[REPLICATION_STATE_MAX];
    size_t state_size;
    uint32_t pass;
};

enum fault_kind { NO_FAULT, FAULT_LOSE, FAULT_KILL, FAULT_STORE };

struct world {
    struct model model;
    struct copies committed, working;
    struct replication *core;
    struct replication_limits limits;
    unsigned controller; /* bound to */
    bool bound;
    int64_t now;
    uint64_t random;
    unsigned failovers, commits, asked, raised, aborted;
    enum fault_kind fault; /* the next, after so many objects */
    unsigned fault_in;
    bool stop_giving;
    bool above_rights; /* the copy is to have what searches do not show */
    unsigned dirsync_asked, changed_asked;
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random % below;
}

static int index_of(const struct guid *guid)
{
    for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
        struct guid have = model_guid(i);
        if (memcmp(&have, guid, sizeof have) == 0)
            return (int)i;
    }
    return -1;
}

static bool store_known(void *to, const struct guid *guid)
{
    struct world *world = to;
    int i = index_of(guid);
    return i >= 0 && world->committed.objects[i].there && !world->committed.objects[i].deleted;
}

/* As the store does: who lies below a container goes with it. */
static void place(struct copies *copies, struct copy *copy, struct bytes dn)
{
    char before[1200];
    snprintf(before, sizeof before, "%s", copy->dn);
    snprintf(copy->dn, sizeof copy->dn, "%.*s", (int)dn.size, (const char *)dn.data);
    if (!copy->placed || strcmp(before, copy->dn) == 0) {
        copy->placed = true;
        return;
    }
    for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
        struct copy *other = &copies->objects[i];
        size_t size = strlen(other->dn), above = strlen(before);
        if (!other->there || other == copy || size <= above + 1 ||
            strcmp(other->dn + size - above, before) != 0)
            continue;
        char moved[2400];
        snprintf(moved, sizeof moved, "%.*s%s", (int)(size - above), other->dn, copy->dn);
        snprintf(other->dn, sizeof other->dn, "%.1199s", moved);
    }
}

static void take_number(const struct entity_change *change, enum entity_attribute attribute, int32_t *value)
{
    if (!entity_change_has(change, attribute)) {
        *value = change->whole ? -1 : *value;
        return;
    }
    *value = -1;
    if (!change->attributes[attribute].count)
        return;
    struct bytes text = change->attributes[attribute].values[0].bytes;
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)text.size, (const char *)text.data);
    *value = atoi(copy + strcspn(copy, "0123456789"));
}

static void bury(struct copies *copies, unsigned i)
{
    copies->objects[i].deleted = true;
    copies->objects[i].members = 0;
    for (unsigned j = 0; j < MODEL_OBJECTS; j++)
        copies->objects[j].members &= ~(UINT64_C(1) << i);
}

static void copy_change(struct copies *copies, unsigned i, const struct entity_change *change, uint32_t pass)
{
    struct copy *copy = &copies->objects[i];
    copy->there = true;
    copy->pass = pass ? pass : copies->pass;
    if (change->dn.size)
        place(copies, copy, change->dn);
    take_number(change, ENTITY_SAM_ACCOUNT_NAME, &copy->account);
    take_number(change, ENTITY_DESCRIPTION, &copy->description);
    if (change->whole_links >> LINK_MEMBER & 1)
        copy->members = 0;
    for (uint32_t e = 0; e < change->edge_count; e++) {
        int target = index_of(&change->edges[e].target);
        assert_true(target >= 0);
        uint64_t bit = UINT64_C(1) << target;
        copy->members = change->edges[e].removed ? copy->members & ~bit : copy->members | bit;
    }
    copy->deleted = false;
    if (change->deleted)
        bury(copies, i);
}

static enum entity_applied store_apply(void *to, unsigned context, const struct entity_change *change,
                                       uint32_t pass)
{
    struct world *world = to;
    int i = index_of(&change->guid);
    assert_int_equal(context, 0);
    assert_true(i >= 0);
    struct copy before = world->working.objects[i];
    copy_change(&world->working, (unsigned)i, change, pass);
    struct copy *after = &world->working.objects[i];
    uint32_t after_pass = after->pass;
    after->pass = before.pass;
    bool same = memcmp(&before, after, sizeof before) == 0;
    after->pass = after_pass;
    if (same)
        return ENTITY_UNCHANGED;
    if (after->deleted)
        return before.there && !before.deleted ? ENTITY_REMOVED : ENTITY_UNCHANGED;
    return before.there ? ENTITY_CHANGED : ENTITY_ADDED;
}

static bool store_same(void *to, unsigned context, const struct entity_change *change)
{
    struct world *world = to;
    int i = index_of(&change->guid);
    assert_int_equal(context, 0);
    assert_true(change->whole);
    struct copies scratch = world->committed;
    copy_change(&scratch, (unsigned)i, change, 0);
    scratch.objects[i].pass = world->committed.objects[i].pass;
    return memcmp(&scratch.objects[i], &world->committed.objects[i], sizeof scratch.objects[i]) == 0;
}

static bool store_state(void *to, const char *name, struct bytes *value)
{
    struct world *world = to;
    assert_string_equal(name, "replication/0/corp.example");
    *value = (struct bytes){world->committed.state, world->committed.state_size};
    return value->size > 0;
}

static uint32_t store_new_pass(void *to)
{
    struct world *world = to;
    uint32_t above =
        world->working.pass > world->committed.pass ? world->working.pass : world->committed.pass;
    world->working.pass = above + 1;
    world->committed.pass = above + 1;
    return above + 1;
}

static uint32_t store_sweep(struct world *world, uint32_t pass, uint32_t limit)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < MODEL_OBJECTS && count < limit; i++) {
        struct copy *copy = &world->working.objects[i];
        if (!copy->there || copy->deleted || copy->pass >= pass)
            continue;
        bury(&world->working, i);
        count++;
    }
    return count;
}

/* -- the world -------------------------------------------------------------------------------------- */

static void start_core(struct world *world)
{
    static const struct replication_store interface = {.known = store_known,
                                                       .same = store_same,
                                                       .apply = store_apply,
                                                       .state = store_state,
                                                       .new_pass = store_new_pass};
    struct replication_store store = interface;
    store.to = world;
    world->core = replication_new("corp.example", &world->limits, &store);
    assert_non_null(world->core);
}

static void world_open(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->random = seed * 0x9e3779b97f4a7c15u + 1;
    for (unsigned i = 0; i < MODEL_OBJECTS; i++)
        world->committed.objects[i].account = world->committed.objects[i].description = -1;
    world->working = world->committed;
    world->now = CLOCK_SECOND;
    replication_limits_init(&world->limits);
    world->limits.configuration = false;
    world->limits.page_size = 7;
    world->limits.chunk = 5;
    struct model *model = &world->model;
    model->dirsync = model->right = model->deletions_visible = model->recycle_bin = true;
    model->server = MODEL_WINDOWS;
    model->page_objects = 4;
    model->values_most = 3;
    model->databases = MODEL_CONTROLLERS;
    for (unsigned d = 0; d < MODEL_CONTROLLERS; d++) {
        model->controllers[d].database = (uint8_t)d;
        model->controllers[d].usn = 100 * (d + 1);
    }
    for (unsigned i = 0; i < MODEL_CONTAINERS + 14; i++)
        model_create(&model->controllers[0], i, (int32_t)i, i < 4 ? 0 : (int32_t)draw(world, 4));
    for (unsigned d = 1; d < MODEL_CONTROLLERS; d++)
        model_replicate(&model->controllers[d], &model->controllers[0]);
    start_core(world);
}

static void world_close(struct world *world)
{
    replication_destroy(&world->core);
}

static void bind_to(struct world *world, unsigned controller)
{
    const struct model_controller *dc = &world->model.controllers[controller];
    struct ldap_peer peer = {.highest_usn = dc->usn, .dirsync = true, .paged = true, .extended_dn = true};
    snprintf(peer.dns_host_name, sizeof peer.dns_host_name, "dc%u.corp.example", controller);
    snprintf(peer.default_context, sizeof peer.default_context, "%s", MODEL_CONTEXT);
    snprintf(peer.configuration_context, sizeof peer.configuration_context, "CN=Configuration,%s",
             MODEL_CONTEXT);
    model_database_id(dc->database, peer.invocation_id);
    world->controller = controller;
    world->bound = true;
    replication_bound(world->core, &peer, world->now);
}

static void lose(struct world *world)
{
    world->bound = false;
    replication_lost(world->core, world->now);
}

/* As a process that is killed: what was not committed never was. */
static void kill_core(struct world *world)
{
    replication_destroy(&world->core);
    world->working = world->committed;
    world->bound = false;
    start_core(world);
}

static bool give(void *to, const struct directory_object *object)
{
    struct world *world = to;
    if (world->fault_in && --world->fault_in == 0) {
        world->stop_giving = true;
        return false;
    }
    replication_object(world->core, object, world->now);
    return true;
}

static void answer(struct world *world, const struct ldap_query *query)
{
    static uint8_t cookie[4096];
    struct ldap_result result;
    world->asked++;
    world->dirsync_asked += query->dirsync;
    world->changed_asked += strstr(query->filter, "uSNChanged>=") != NULL;
    model_ask(&world->model, &world->model.controllers[world->controller], query, give, world, &result,
              cookie, sizeof cookie);
    if (world->stop_giving) {
        world->stop_giving = false;
        if (world->fault == FAULT_KILL)
            kill_core(world);
        else
            lose(world);
        return;
    }
    replication_result(world->core, &result, world->now);
}

static void commit(struct world *world, const struct replication_order *order)
{
    if (world->fault == FAULT_STORE && world->fault_in && --world->fault_in == 0) {
        world->working = world->committed;
        replication_committed(world->core, false, world->now);
        return;
    }
    if (order->state.size) {
        memcpy(world->working.state, order->state.data, order->state.size);
        world->working.state_size = order->state.size;
    }
    world->committed = world->working;
    world->commits++;
    if (world->fault == FAULT_KILL && world->fault_in && --world->fault_in == 0) {
        kill_core(world);
        return;
    }
    replication_committed(world->core, true, world->now);
}

static void list(struct world *world, const struct replication_order *order)
{
    int from = -1;
    static const struct guid zero;
    if (memcmp(&order->after, &zero, sizeof zero) != 0)
        from = index_of(&order->after);
    for (unsigned i = (unsigned)(from + 1); i < MODEL_OBJECTS; i++) {
        struct guid guid = model_guid(i);
        if (world->committed.objects[i].there && !world->committed.objects[i].deleted)
            replication_held(world->core, &guid);
    }
    replication_listed(world->core, false, world->now);
}

/* Does what is ordered until it is to wait. The question that was asked last is answered when the core has
 * nothing else to do: so commits happen while an answer is under way. */
static void run(struct world *world)
{
    struct replication_order order;
    struct ldap_query query = {0};
    static char filter[8192], base[2048], attribute[256];
    static uint8_t cookie[REPLICATION_STATE_MAX];
    const char *one[2] = {attribute, NULL};
    bool pending = false;
    for (unsigned steps = 0; world->bound; steps++) {
        assert_true(steps < 20000);
        struct replication *core = world->core;
        replication_next(world->core, world->now, &order);
        switch (order.act) {
        case REPLICATION_WAIT:
            if (!pending)
                return;
            pending = false;
            answer(world, &query);
            break;
        case REPLICATION_ASK:
            assert_false(pending);
            query = order.query;
            snprintf(filter, sizeof filter, "%s", query.filter);
            snprintf(base, sizeof base, "%s", query.base);
            assert_true(query.cookie.size < sizeof cookie);
            if (query.cookie.size)
                memcpy(cookie, query.cookie.data, query.cookie.size);
            query.filter = filter;
            query.base = base;
            query.cookie.data = cookie;
            if (query.attributes && !query.attributes[1]) {
                snprintf(attribute, sizeof attribute, "%s", query.attributes[0]);
                query.attributes = one;
            }
            pending = true;
            replication_asked(world->core, true, world->now);
            break;
        case REPLICATION_ABANDON:
            pending = false;
            break;
        case REPLICATION_COMMIT:
            commit(world, &order);
            if (world->core != core)
                return;
            break;
        case REPLICATION_SWEEP:
            replication_swept(world->core, store_sweep(world, order.pass, order.limit), world->now);
            break;
        case REPLICATION_LIST:
            list(world, &order);
            break;
        case REPLICATION_FAIL_OVER:
            world->failovers++;
            lose(world);
            break;
        case REPLICATION_RAISE:
            world->raised |= 1u << order.issue;
            break;
        case REPLICATION_CLEAR:
            world->raised &= ~(1u << order.issue);
            break;
        }
    }
}

static void pass_time(struct world *world, int64_t time)
{
    world->now += time;
    if (!world->bound)
        bind_to(world, (unsigned)draw(world, MODEL_CONTROLLERS));
    run(world);
}

static void level(struct world *world)
{
    struct model *model = &world->model;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned a = 0; a < MODEL_CONTROLLERS; a++) {
            for (unsigned b = 0; b < MODEL_CONTROLLERS; b++) {
                if (a != b)
                    model_replicate(&model->controllers[a], &model->controllers[b]);
            }
        }
    }
}

/* Everything that the directory shows is in the copy, and nothing else. */
static bool is_level(const struct world *world, bool say)
{
    const struct model_controller *dc = &world->model.controllers[world->controller];
    for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
        const struct copy *copy = &world->committed.objects[i];
        bool alive = model_alive(dc, i) && (!world->model.hidden[i] || world->above_rights);
        bool have = copy->there && !copy->deleted;
        char dn[1200] = "";
        uint64_t members = 0;
        for (unsigned j = 0; alive && j < MODEL_OBJECTS; j++)
            members |= (uint64_t)(model_has_member(dc, i, j)) << j;
        if (alive)
            model_dn(dc, i, dn, sizeof dn);
        bool right = alive == have &&
                     (!alive || (strcmp(dn, copy->dn) == 0 && members == copy->members &&
                                 copy->account == dc->objects[i].attributes[MODEL_ACCOUNT].value &&
                                 copy->description == dc->objects[i].attributes[MODEL_DESCRIPTION].value));
        if (right)
            continue;
        if (say)
            printf("object %u at dc%u: alive %d, have %d, '%s' and '%s', members %llx and %llx, account %d "
                   "and %d, "
                   "description %d and %d\n",
                   i, world->controller, alive, have, dn, copy->dn, (unsigned long long)members,
                   (unsigned long long)copy->members, dc->objects[i].attributes[MODEL_ACCOUNT].value,
                   copy->account, dc->objects[i].attributes[MODEL_DESCRIPTION].value, copy->description);
        return false;
    }
    return true;
}

static void calm(struct world *world, unsigned seconds)
{
    world->fault_in = 0;
    for (unsigned i = 0; i < seconds; i++)
        pass_time(world, CLOCK_SECOND);
}

/* -- single stories --------------------------------------------------------------------------------- */

static void full_pass_and_increments(void **state)
{
    (void)state;
    for (unsigned server = 0; server < 2; server++) {
        struct world world;
        world_open(&world, 1);
        world.model.server = (enum model_server)server;
        calm(&world, 2);
        assert_true(is_level(&world, true));
        struct model_controller *dc = &world.model.controllers[world.controller];
        unsigned asked = world.asked;
        model_link(dc, 9, 7, true);
        model_link(dc, 9, 8, true);
        model_set(dc, 7, MODEL_DESCRIPTION, 5);
        model_create(dc, 30, 3, 1);
        model_set(dc, 1, MODEL_NAME, 77); /* all below are renamed with it, without a word */
        calm(&world, 1);
        assert_true(is_level(&world, true));
        assert_true(world.asked - asked < 12);
        model_link(dc, 9, 7, false);
        model_delete(&world.model, dc, 8);
        calm(&world, 1);
        assert_true(is_level(&world, true));
        struct replication_status status;
        replication_status(world.core, &status);
        assert_true(status.complete && !status.passing);
        assert_int_equal(status.passes, 1);
        world_close(&world);
    }
}

/* Links of what rises come back at both ends, without a word. */
static void undeletion(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 2);
    struct model_controller *dc = &world.model.controllers[0];
    bind_to(&world, 0);
    model_link(dc, 9, 7, true);
    model_link(dc, 12, 7, true);
    model_link(dc, 9, 10, true);
    calm(&world, 2);
    model_delete(&world.model, dc, 7);
    model_delete(&world.model, dc, 12);
    calm(&world, 2);
    assert_true(is_level(&world, true));
    model_undelete(dc, 7, 4, 1);
    model_undelete(dc, 12, 4, 2);
    calm(&world, 2);
    assert_true(is_level(&world, true));
    world_close(&world);
}

/* Deleted and undeleted again between two increments: only the second is told, and the links that went with
 * the first are not. */
static void undeletion_unseen(void **state)
{
    (void)state;
    for (unsigned recycle_bin = 0; recycle_bin < 2; recycle_bin++) {
        struct world world;
        world_open(&world, 2);
        world.model.recycle_bin = recycle_bin;
        struct model_controller *dc = &world.model.controllers[0];
        bind_to(&world, 0);
        model_link(dc, 9, 7, true);
        model_link(dc, 12, 7, true);
        model_link(dc, 12, 10, true);
        calm(&world, 2);
        assert_true(is_level(&world, true));
        model_delete(&world.model, dc, 7);
        model_delete(&world.model, dc, 12);
        model_undelete(dc, 7, 4, 1);
        model_undelete(dc, 12, 4, 2);
        calm(&world, 2);
        assert_true(is_level(&world, true));
        struct replication_status status;
        replication_status(world.core, &status);
        assert_int_equal(status.reconciliations, 0);
        world_close(&world);
    }
}

static void idle_increments_commit_nothing(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 3);
    calm(&world, 3);
    unsigned commits = world.commits, asked = world.asked;
    calm(&world, 30);
    assert_int_equal(world.commits, commits);
    assert_int_equal(world.asked, asked + 30);
    calm(&world, 40);
    assert_int_equal(world.commits, commits + 1);
    /* What others wrote, in other contexts, is no lag. */
    struct model_controller *dc = &world.model.controllers[world.controller];
    dc->usn += 1000;
    calm(&world, 2);
    struct replication_status status;
    replication_status(world.core, &status);
    assert_int_equal(status.directory_usn, dc->usn);
    assert_int_equal(status.applied_usn, dc->usn);
    world_close(&world);
}

static uint64_t passes(struct world *world)
{
    struct replication_status status;
    replication_status(world->core, &status);
    return status.passes;
}

/* A disk copied back: the same database with lower numbers. Nobody tells but the numbers. */
static void restored_copy(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 4);
    bind_to(&world, 0);
    calm(&world, 2);
    struct model_controller *dc = &world.model.controllers[0], before = *dc;
    model_create(dc, 31, 1, 1);
    model_delete(&world.model, dc, 8);
    model_link(dc, 9, 7, true);
    calm(&world, 2);
    assert_true(is_level(&world, true));
    *dc = before;
    lose(&world);
    bind_to(&world, 0);
    calm(&world, 2);
    assert_int_equal(passes(&world), 2);
    calm(&world, 700); /* what is left over of links, the comparison finds */
    assert_true(is_level(&world, true));
    world_close(&world);
}

static void restored_with_a_new_database(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 5);
    bind_to(&world, 0);
    calm(&world, 2);
    struct model_controller *dc = &world.model.controllers[0], before = *dc;
    model_create(dc, 31, 1, 1);
    model_set(dc, 7, MODEL_DESCRIPTION, 9);
    calm(&world, 2);
    *dc = before;
    dc->database = world.model.databases++;
    lose(&world);
    bind_to(&world, 0);
    calm(&world, 2);
    assert_int_equal(passes(&world), 2);
    assert_true(is_level(&world, true));
    world_close(&world);
}

/* Another domain controller goes on with the cookie, and gives what it does not cover. */
static void another_controller(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 6);
    bind_to(&world, 0);
    calm(&world, 2);
    model_set(&world.model.controllers[1], 7, MODEL_DESCRIPTION, 9);
    model_create(&world.model.controllers[0], 31, 1, 1);
    lose(&world);
    bind_to(&world, 1);
    calm(&world, 2);
    assert_int_equal(passes(&world), 1);
    assert_true(is_level(&world, true));
    level(&world);
    calm(&world, 2);
    assert_true(is_level(&world, true));
    assert_int_equal(passes(&world), 1);
    world_close(&world);
}

static void damaged_cookie(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 7);
    calm(&world, 2);
    kill_core(&world);
    world.committed.state_size -= 3; /* the state itself */
    world.working = world.committed;
    calm(&world, 3);
    assert_true(is_level(&world, true));
    world_close(&world);
}

static void without_the_right(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 8);
    world.model.right = false;
    world.model.hidden[10] = true;
    calm(&world, 3);
    assert_true(world.raised & 1u << DIRECTORY_NO_RIGHT);
    assert_true(is_level(&world, true));
    struct replication_status status;
    replication_status(world.core, &status);
    assert_int_equal(status.method, DIRECTORY_DIRSYNC);
    world.model.right = true; /* granted: seen at the next connection */
    world.model.hidden[10] = false;
    lose(&world);
    calm(&world, 3);
    assert_false(world.raised & 1u << DIRECTORY_NO_RIGHT);
    assert_true(is_level(&world, true));
    world_close(&world);
}

static void polling(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 9);
    world.model.dirsync = false;
    bind_to(&world, 1);
    calm(&world, 3);
    assert_true(is_level(&world, true));
    struct model_controller *dc = &world.model.controllers[1];
    model_link(dc, 9, 7, true);
    for (unsigned i = 6; i < 18; i++)
        model_link(dc, 12, i, i != 12);
    model_delete(&world.model, dc, 8);
    calm(&world, 2);
    assert_true(is_level(&world, true));
    assert_true(world.changed_asked > 0);
    assert_int_equal(passes(&world), 1);
    lose(&world);
    bind_to(&world, 2); /* its numbers say nothing of the other's */
    level(&world);
    calm(&world, 3);
    assert_true(is_level(&world, true));
    assert_int_equal(passes(&world), 2);
    world_close(&world);
}

/* A pass by polling that is interrupted goes on where it was. */
static void polling_goes_on(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 9);
    world.model.dirsync = false;
    world.limits.slice_usns = 20;
    kill_core(&world);
    bind_to(&world, 1);
    world.fault = FAULT_KILL;
    world.fault_in = 30; /* objects, of 20, and commits */
    run(&world);
    assert_int_equal(world.fault_in, 0);
    assert_false(world.bound);
    bind_to(&world, 1);
    calm(&world, 3);
    assert_true(is_level(&world, true));
    struct replication_status status;
    replication_status(world.core, &status);
    assert_int_equal(status.passes, 1);
    assert_in_range(status.pass_objects, 1, 15);
    world_close(&world);
}

/* Samba's DirSync tells what no search does: the heads of other naming contexts. */
static void other_heads_are_left_out(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 2);
    bind_to(&world, 0);
    world.model.dns_zone = true;
    calm(&world, 2);
    assert_true(is_level(&world, true));
    replication_reconcile(world.core, world.now);
    calm(&world, 2);
    struct replication_status status;
    replication_status(world.core, &status);
    assert_int_equal(status.reconciliations, 1);
    assert_int_equal(status.last_mismatches, 0);
    assert_true(is_level(&world, true));
    world_close(&world);
}

static void deletions_unseen(void **state)
{
    (void)state;
    for (unsigned dirsync = 0; dirsync < 2; dirsync++) {
        struct world world;
        world_open(&world, 10);
        world.model.deletions_visible = false;
        world.model.dirsync = dirsync == 1;
        calm(&world, 3);
        assert_true(world.raised & 1u << DIRECTORY_DELETIONS_UNSEEN);
        for (unsigned d = 0; d < MODEL_CONTROLLERS; d++)
            level(&world);
        model_delete(&world.model, &world.model.controllers[world.controller], 8);
        calm(&world, 3);
        assert_false(is_level(&world, false));
        calm(&world, 610);
        assert_true(is_level(&world, true));
        struct replication_status status;
        replication_status(world.core, &status);
        assert_int_equal(status.mismatches, 0);
        world_close(&world);
    }
}

/* 4 sizeLimitExceeded: by parts, and right in the end. */
static void too_large_for_one_answer(void **state)
{
    (void)state;
    for (unsigned server = 0; server < 2; server++) {
        for (unsigned most = 1; most < 8; most += 3) {
            struct world world;
            world_open(&world, 11);
            world.model.server = (enum model_server)server;
            world.model.answer_most = most;
            bind_to(&world, 0);
            for (unsigned i = 0; i < 40; i++)
                calm(&world, 1);
            assert_true(is_level(&world, true));
            model_set(&world.model.controllers[0], 9, MODEL_DESCRIPTION, 3);
            calm(&world, 2);
            assert_true(is_level(&world, true));
            assert_int_equal(passes(&world), 1);
            world_close(&world);
        }
    }
}

static void comparing_finds_and_mends(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 12);
    for (unsigned i = 6; i < 18; i++)
        model_link(&world.model.controllers[0], 12, i, i != 12);
    bind_to(&world, 0);
    calm(&world, 2);
    struct copies *copies = &world.committed;
    copies->objects[7].description = 99;      /* stale */
    copies->objects[8].there = false;         /* missing */
    copies->objects[40] = copies->objects[9]; /* left over */
    copies->objects[12].members ^= 1u << 7;   /* lacks a member */
    copies->objects[9].members |= 1u << 10;   /* has one too many */
    world.working = *copies;
    replication_reconcile(world.core, world.now);
    calm(&world, 3);
    assert_true(is_level(&world, true));
    struct replication_status status;
    replication_status(world.core, &status);
    assert_int_equal(status.reconciliations, 1);
    assert_int_equal(status.last_mismatches, 5);
    replication_reconcile(world.core, world.now);
    calm(&world, 3);
    replication_status(world.core, &status);
    assert_int_equal(status.reconciliations, 2);
    assert_int_equal(status.last_mismatches, 0);
    world_close(&world);
}

/* Replication is above access rights, searches are not: what those do not show is not gone. */
static void searches_that_show_less(void **state)
{
    (void)state;
    for (unsigned attributes = 0; attributes < 2; attributes++) {
        struct world world;
        world_open(&world, 12);
        bind_to(&world, 0);
        world.above_rights = true;
        world.model.no_descriptions = attributes;
        for (unsigned i = 10; i < 14; i++) {
            world.model.hidden[i] = !attributes;
            model_set(&world.model.controllers[0], i, MODEL_DESCRIPTION, 5);
        }
        calm(&world, 2);
        assert_true(is_level(&world, true));
        struct copies before = world.committed;
        replication_reconcile(world.core, world.now);
        calm(&world, 3);
        assert_true(is_level(&world, true));
        assert_memory_equal(before.objects, world.committed.objects, sizeof before.objects);
        assert_true(world.raised >> DIRECTORY_NO_RIGHT & 1);
        struct replication_status status;
        replication_status(world.core, &status);
        assert_int_equal(status.reconciliations, 0);
        assert_int_equal(status.passes, 1);
        /* A full pass takes the comparison's place; changes are followed meanwhile. */
        model_set(&world.model.controllers[0], 11, MODEL_DESCRIPTION, 6);
        world.now += world.limits.reconciliation_period;
        calm(&world, 3);
        assert_true(is_level(&world, true));
        assert_int_equal(passes(&world), 2);
        calm(&world, 1000);
        assert_int_equal(passes(&world), 2);
        assert_true(world.raised >> DIRECTORY_NO_RIGHT & 1);
        /* The right to read was granted: seen once it is bound again. */
        world.model.no_descriptions = false;
        memset(world.model.hidden, 0, sizeof world.model.hidden);
        lose(&world);
        bind_to(&world, 0);
        calm(&world, 1000);
        assert_true(is_level(&world, true));
        assert_false(world.raised >> DIRECTORY_NO_RIGHT & 1);
        replication_status(world.core, &status);
        assert_int_equal(status.reconciliations, 1);
        assert_int_equal(status.mismatches, 0);
        world_close(&world);
    }
}

static void nothing_shown_sweeps_nothing(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 13);
    calm(&world, 3);
    world.model.right = false;
    for (unsigned i = 0; i < MODEL_OBJECTS; i++)
        world.model.hidden[i] = true;
    world.committed.state_size = 0;
    world.working = world.committed;
    kill_core(&world);
    calm(&world, 10);
    assert_true(world.raised & 1u << DIRECTORY_REFUSES);
    assert_true(world.committed.objects[7].there && !world.committed.objects[7].deleted);
    world_close(&world);
}

static void points(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 14);
    uint8_t bytes[REPLICATION_POINT_MAX];
    assert_int_equal(replication_point(world.core, bytes), 0);
    bind_to(&world, 1);
    calm(&world, 2);
    size_t size = replication_point(world.core, bytes);
    struct replication_point point;
    assert_true(size > 0 && replication_point_read((struct bytes){bytes, size}, &point));
    uint8_t id[16];
    model_database_id(1, id);
    assert_memory_equal(point.invocation_id, id, 16);
    assert_int_equal(point.usn, world.model.controllers[1].usn);
    assert_true(point.cookie.size > 0);
    for (size_t i = 0; i < size; i++)
        assert_false(replication_point_read((struct bytes){bytes, i}, &point));
    world_close(&world);
}

/* -- any story -------------------------------------------------------------------------------------- */

static void change_something(struct world *world)
{
    struct model *model = &world->model;
    struct model_controller *dc = &model->controllers[draw(world, MODEL_CONTROLLERS)];
    unsigned i = (unsigned)(MODEL_CONTAINERS + draw(world, MODEL_OBJECTS - MODEL_CONTAINERS));
    unsigned group = MODEL_CONTAINERS + 3 * (unsigned)draw(world, (MODEL_OBJECTS - MODEL_CONTAINERS) / 3);
    int32_t value = (int32_t)draw(world, 1000);
    switch (draw(world, 10)) {
    case 0:
    case 1:
        for (unsigned d = 0; d < MODEL_CONTROLLERS; d++) {
            if (model->controllers[d].objects[i].there)
                return;
        }
        model_create(dc, i, value, (int32_t)draw(world, MODEL_CONTAINERS));
        return;
    case 2:
        if (model_alive(dc, i))
            model_delete(model, dc, i);
        return;
    case 3:
        if (dc->objects[i].there && !model_alive(dc, i))
            model_undelete(dc, i, value, (int32_t)draw(world, MODEL_CONTAINERS));
        return;
    case 4:
        if (model_alive(dc, i))
            model_set(dc, i, MODEL_PARENT, (int32_t)draw(world, MODEL_CONTAINERS));
        return;
    case 5:
        model_set(dc, 1 + (unsigned)draw(world, MODEL_CONTAINERS - 1), MODEL_NAME, value);
        return;
    case 6:
        if (model_alive(dc, i))
            model_set(dc, i, MODEL_DESCRIPTION, value % 4 ? value : -1);
        return;
    default:
        if (model_alive(dc, group) && model_alive(dc, i))
            model_link(dc, group, i, value % 3 > 0);
    }
}

static void disturb(struct world *world, struct model_controller *old)
{
    struct model *model = &world->model;
    switch (draw(world, 30)) {
    case 0:
        kill_core(world);
        return;
    case 1:
        lose(world);
        return;
    case 2:
        world->fault = FAULT_LOSE;
        world->fault_in = 1 + (unsigned)draw(world, 20);
        return;
    case 3:
        world->fault = FAULT_KILL;
        world->fault_in = 1 + (unsigned)draw(world, 20);
        return;
    case 4:
        world->fault = FAULT_STORE;
        world->fault_in = 1 + (unsigned)draw(world, 4);
        return;
    case 5: /* as of some time ago: all others have since gone on */
        if (draw(world, 4) || model->databases == MODEL_DATABASES)
            return;
        model->controllers[2] = *old;
        model->controllers[2].database = model->databases++;
        if (world->controller == 2 && world->bound)
            lose(world);
        return;
    case 6:
        model_replicate(&model->controllers[draw(world, 2)], &model->controllers[2]);
        *old = model->controllers[2];
        return;
    default:
        model_replicate(&model->controllers[draw(world, MODEL_CONTROLLERS)],
                        &model->controllers[draw(world, MODEL_CONTROLLERS)]);
    }
}

static bool tell_story(uint64_t seed, bool say)
{
    struct world world;
    world_open(&world, seed);
    struct model *model = &world.model;
    model->server = (enum model_server)draw(&world, 2);
    model->recycle_bin = draw(&world, 2);
    model->dirsync = draw(&world, 4) > 0;
    model->right = draw(&world, 3) > 0;
    model->deletions_visible = draw(&world, 3) > 0;
    model->answer_most = draw(&world, 4) ? 0 : 1 + (uint32_t)draw(&world, 20);
    model->page_objects = 1 + (uint32_t)draw(&world, 9);
    world.limits.chunk = 1 + (uint32_t)draw(&world, 9);
    struct model_controller old = model->controllers[2];
    unsigned length = 20 + (unsigned)draw(&world, 200);
    for (unsigned i = 0; i < length; i++) {
        for (uint64_t changes = draw(&world, 4); changes--;)
            change_something(&world);
        disturb(&world, &old);
        pass_time(&world, (int64_t)draw(&world, 3) * CLOCK_SECOND);
    }
    level(&world);
    calm(&world, 1500);
    bool right = is_level(&world, say);
    if (say && !right) {
        struct replication_status status;
        replication_status(world.core, &status);
        printf("server %d, dirsync %d, right %d, deletions %d, recycle %d, most %u; bound %d method %d "
               "complete %d errors "
               "%llu '%s' mismatches %llu reconciliations %llu raised %x\n",
               model->server, model->dirsync, model->right, model->deletions_visible, model->recycle_bin,
               model->answer_most, world.bound, status.method, status.complete,
               (unsigned long long)status.errors, status.error, (unsigned long long)status.mismatches,
               (unsigned long long)status.reconciliations, world.raised);
    }
    world_close(&world);
    return right;
}

static void any_story_ends_right(void **state)
{
    (void)state;
    const char *only = getenv("PICKET_SEED");
    if (only) {
        assert_true(tell_story(strtoull(only, NULL, 10), true));
        return;
    }
    unsigned wrong = 0;
    /* The last ones: objects to be read again that fit into an answer only one by one. */
    static const uint64_t found_wrong_once[] = {369, 1400};
    for (uint64_t i = 1; i <= 300 + sizeof found_wrong_once / sizeof *found_wrong_once; i++) {
        uint64_t seed = i <= 300 ? i : found_wrong_once[i - 301];
        if (tell_story(seed, false))
            continue;
        printf("PICKET_SEED=%llu ends wrong\n", (unsigned long long)seed);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_pass_and_increments),
        cmocka_unit_test(undeletion),
        cmocka_unit_test(undeletion_unseen),
        cmocka_unit_test(idle_increments_commit_nothing),
        cmocka_unit_test(restored_copy),
        cmocka_unit_test(restored_with_a_new_database),
        cmocka_unit_test(another_controller),
        cmocka_unit_test(damaged_cookie),
        cmocka_unit_test(without_the_right),
        cmocka_unit_test(polling),
        cmocka_unit_test(polling_goes_on),
        cmocka_unit_test(other_heads_are_left_out),
        cmocka_unit_test(deletions_unseen),
        cmocka_unit_test(too_large_for_one_answer),
        cmocka_unit_test(comparing_finds_and_mends),
        cmocka_unit_test(searches_that_show_less),
        cmocka_unit_test(nothing_shown_sweeps_nothing),
        cmocka_unit_test(points),
        cmocka_unit_test(any_story_ends_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
