/* SPDX-License-Identifier: Apache-2.0
 *
 * Random changes, applied to the store and to a naive model of it, must give the same answers: by every name,
 * by links, in counts and digests. The model keeps plain arrays and looks through all of them.
 */
#include "tests/unit/entity_world.h"

#define ENTITIES 60u /* few, so that everything happens to each of them */
#define PARENTS  6u
#define ACCOUNTS 40u

struct model_entity {
    bool known, dead;
    enum entity_kind kind;
    uint32_t account, upn, rid, spn; /* 0: none */
    uint32_t control, pass;
    int parent; /* entity that it stands below; -1: the domain */
    uint32_t rdn;
    bool links[2][ENTITIES];
    int64_t died;
};

static const enum entity_link model_links[2] = {LINK_MEMBER, LINK_MANAGED_BY};

struct model {
    struct model_entity entities[ENTITIES];
    uint32_t pass;
};

static uint64_t random_state;

static uint32_t dice(uint32_t sides)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (random_state ^ random_state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % sides);
}

static struct world_change w;
static struct entity entity;

/* -- the same change to both --------------------------------------------------------------------------------
 */

/* Parents are entities 0 to PARENTS-1, each below the domain; they are renamed, never removed. */
static struct bytes dn_of(const struct model *model, uint32_t number)
{
    const struct model_entity *e = &model->entities[number];
    if (e->dead)
        return world_text(&w, "CN=x%u\\0ADEL,CN=Deleted Objects,DC=d", number);
    if (e->parent < 0)
        return world_text(&w, "OU=p%u,DC=d", e->rdn);
    return world_text(&w, "CN=%u,OU=p%u,DC=d", e->rdn, model->entities[e->parent].rdn);
}

static void put_number(enum entity_attribute attribute, const char *format, uint32_t value)
{
    if (value)
        world_put_bytes(&w, attribute, world_text(&w, format, value));
    else
        entity_change_mark(&w.change, attribute);
}

static void put_attributes(const struct model_entity *e, bool all)
{
    if (all || dice(2))
        put_number(ENTITY_SAM_ACCOUNT_NAME, "Acc%u", e->account);
    if (all || dice(2))
        put_number(ENTITY_USER_PRINCIPAL_NAME, "u%u@d", e->upn);
    if (all || dice(2))
        put_number(ENTITY_SERVICE_PRINCIPAL_NAMES, "HTTP/h%u", e->spn);
    if (all || dice(2))
        world_put_uint(&w, ENTITY_USER_ACCOUNT_CONTROL, e->control);
    if (all || dice(2)) {
        if (e->rid)
            world_put_sid(&w, ENTITY_OBJECT_SID, 1, e->rid);
        else
            entity_change_mark(&w.change, ENTITY_OBJECT_SID);
    }
}

/* New values for some attributes; the change tells of those, or of all. */
static void vary(struct model_entity *e)
{
    e->account = dice(4) ? dice(ACCOUNTS) : e->account;
    e->upn = dice(3) ? e->upn : dice(ACCOUNTS);
    e->spn = dice(3) ? e->spn : dice(ACCOUNTS);
    e->rid = dice(5) ? e->rid : dice(ACCOUNTS);
    e->control = dice(3) ? e->control : dice(4);
}

static void drop_links(struct model *model, uint32_t number)
{
    for (unsigned l = 0; l < 2; l++) {
        memset(model->entities[number].links[l], 0, sizeof model->entities[number].links[l]);
        for (uint32_t i = 0; i < ENTITIES; i++)
            model->entities[i].links[l][number] = false;
    }
}

static void vary_links(struct model_entity *e)
{
    for (unsigned l = 0; l < 2; l++) {
        bool whole = dice(4) == 0;
        bool now[ENTITIES];
        memcpy(now, e->links[l], sizeof now);
        if (whole)
            memset(now, 0, sizeof now);
        for (unsigned i = dice(5); i > 0; i--) {
            uint32_t target = dice(ENTITIES);
            bool removed = !whole && dice(3) == 0;
            now[target] = !removed;
            world_edge(&w, model_links[l], target, removed);
        }
        if (whole)
            w.change.whole_links |= UINT64_C(1) << model_links[l];
        memcpy(e->links[l], now, sizeof now);
    }
}

static enum entity_applied send(struct model *model, struct entity_store_write *write, uint32_t number,
                                bool full)
{
    struct model_entity *e = &model->entities[number];
    e->pass = full ? model->pass : model->pass > e->pass ? model->pass : e->pass;
    return entity_store_apply(write, &w.change, ENTITY_REPLICATED, world_context(write),
                              full ? model->pass : 0, WORLD_NOW);
}

static void tell(struct model *model, struct entity_store_write *write, uint32_t number, bool full)
{
    struct model_entity *e = &model->entities[number], before = *e;
    bool whole = full || !e->known || dice(4) == 0;
    if (!e->known)
        *e = (struct model_entity){.parent = number < PARENTS ? -1 : (int)dice(PARENTS), .rdn = dice(20) + 1};
    e->known = true;
    e->dead = false;
    e->kind = number < PARENTS ? ENTITY_ORGANIZATIONAL_UNIT : dice(2) ? ENTITY_USER : ENTITY_GROUP;
    world_begin(&w, number, e->kind);
    bool moves = !before.known || before.dead || dice(6) == 0;
    if (moves && number >= PARENTS)
        e->parent = (int)dice(PARENTS);
    if (moves)
        e->rdn = number < PARENTS ? dice(1000000) + 1 : dice(20) + 1;
    if (moves || whole)
        w.change.dn = dn_of(model, number);
    w.change.whole = whole;
    struct model_entity asked = *e;
    vary(&asked);
    put_attributes(&asked, whole);
#define TAKE(field, attribute)                                                                               \
    if (entity_change_has(&w.change, attribute))                                                             \
    e->field = asked.field
    TAKE(account, ENTITY_SAM_ACCOUNT_NAME);
    TAKE(upn, ENTITY_USER_PRINCIPAL_NAME);
    TAKE(spn, ENTITY_SERVICE_PRINCIPAL_NAMES);
    TAKE(control, ENTITY_USER_ACCOUNT_CONTROL);
    TAKE(rid, ENTITY_OBJECT_SID);
#undef TAKE
    vary_links(e);
    enum entity_applied applied = send(model, write, number, full);
    assert_int_not_equal(applied, ENTITY_REFUSED);
    assert_int_not_equal(applied, ENTITY_REMOVED);
    assert_int_equal(applied == ENTITY_ADDED, !before.known || before.dead);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_REPLICATED, world_context(write),
                                        full ? model->pass : 0, WORLD_NOW),
                     ENTITY_UNCHANGED); /* told again */
}

static void remove_one(struct model *model, struct entity_store_write *write, uint32_t number)
{
    struct model_entity *e = &model->entities[number];
    if (!e->known || e->dead || number < PARENTS)
        return;
    e->dead = true;
    world_begin(&w, number, e->kind);
    w.change.deleted = true;
    w.change.whole = dice(2);
    w.change.dn = dn_of(model, number);
    assert_int_equal(send(model, write, number, false), ENTITY_REMOVED);
    drop_links(model, number);
}

static void pass_over_all(struct model *model, struct entity_store_write *write)
{
    model->pass++;
    bool swept[ENTITIES] = {false};
    uint32_t expected = 0;
    for (uint32_t i = 0; i < ENTITIES; i++) {
        struct model_entity *e = &model->entities[i];
        if (i < PARENTS || (e->known && !e->dead && dice(6)))
            tell(model, write, i, true);
        else if (e->known && !e->dead) {
            e->dead = swept[i] = true;
            expected++;
        }
    }
    for (uint32_t i = 0; i < ENTITIES; i++) {
        if (swept[i])
            drop_links(model, i);
    }
    assert_int_equal(
        entity_store_sweep(write, world_context(write), model->pass, 1000, WORLD_NOW, NULL, NULL), expected);
}

/* -- the same questions to both
 * ------------------------------------------------------------------------------ */

static uint32_t number_of(const struct guid *guid)
{
    uint32_t number;
    memcpy(&number, guid->bytes + 8, 4);
    return number;
}

typedef bool (*matcher)(const struct model *model, uint32_t number, uint32_t value);

static bool has_account(const struct model *model, uint32_t number, uint32_t value)
{
    return !model->entities[number].dead && model->entities[number].account == value;
}

static bool has_upn(const struct model *model, uint32_t number, uint32_t value)
{
    return !model->entities[number].dead && model->entities[number].upn == value;
}

static bool has_spn(const struct model *model, uint32_t number, uint32_t value)
{
    return !model->entities[number].dead && model->entities[number].spn == value;
}

static bool has_rid(const struct model *model, uint32_t number, uint32_t value)
{
    return model->entities[number].rid == value;
}

static void check_name(const struct model *model, struct entity_store_read *read, enum entity_index index,
                       struct bytes name, matcher matches, uint32_t value)
{
    struct guid found[ENTITIES];
    bool in_store[ENTITIES] = {false};
    uint32_t count = entity_store_find(read, index, name, world_bytes(""), found, ENTITIES);
    assert_true(count <= ENTITIES);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = number_of(&found[i]);
        assert_true(number < ENTITIES && !in_store[number]);
        in_store[number] = true;
    }
    for (uint32_t i = 0; i < ENTITIES; i++)
        assert_int_equal(in_store[i], model->entities[i].known && matches(model, i, value));
}

static void check_names(const struct model *model, struct entity_store_read *read)
{
    for (uint32_t value = 1; value < ACCOUNTS; value++) {
        uint8_t sid[WORLD_SID_SIZE];
        w.text_size = 0;
        world_sid(sid, 1, value);
        check_name(model, read, INDEX_SID, (struct bytes){sid, sizeof sid}, has_rid, value);
        check_name(model, read, INDEX_ACCOUNT, world_text(&w, "aCC%u", value), has_account, value);
        check_name(model, read, INDEX_UPN, world_text(&w, "U%u@D", value), has_upn, value);
        check_name(model, read, INDEX_SPN, world_text(&w, "http/H%u", value), has_spn, value);
    }
}

struct ends {
    bool there[ENTITIES];
    uint32_t count;
};

static bool note_end(void *to, const struct guid *guid)
{
    struct ends *ends = to;
    uint32_t number = number_of(guid);
    assert_true(number < ENTITIES && !ends->there[number]);
    ends->there[number] = true;
    ends->count++;
    return true;
}

static uint64_t check_links(const struct model *model, struct entity_store_read *read, uint32_t number)
{
    struct guid guid = world_guid(number);
    uint64_t count = 0;
    for (unsigned l = 0; l < 2; l++) {
        struct ends forward = {.count = 0}, backward = {.count = 0};
        uint64_t visited = entity_store_links(read, &guid, model_links[l], note_end, &forward);
        assert_int_equal(visited, forward.count);
        assert_int_equal(entity_store_link_count(read, &guid, model_links[l]), forward.count);
        visited = entity_store_backlinks(read, &guid, model_links[l], note_end, &backward);
        assert_int_equal(visited, backward.count);
        count += forward.count;
        for (uint32_t i = 0; i < ENTITIES; i++) {
            assert_int_equal(forward.there[i], model->entities[number].links[l][i]);
            assert_int_equal(backward.there[i], model->entities[i].links[l][number]);
        }
    }
    return count;
}

static void check_membership(const struct model *model, struct entity_store_read *read, uint32_t number)
{
    uint32_t depth[ENTITIES] = {0};
    bool grown = true;
    for (uint32_t d = 1; grown; d++) {
        grown = false;
        for (uint32_t g = 0; g < ENTITIES; g++) {
            bool direct = model->entities[g].links[0][number];
            for (uint32_t i = 0; i < ENTITIES && !direct; i++)
                direct = depth[i] && depth[i] < d && model->entities[g].links[0][i];
            if (!direct || depth[g] || g == number)
                continue;
            depth[g] = d;
            grown = true;
        }
    }
    struct entity_membership found[ENTITIES];
    struct guid guid = world_guid(number);
    uint32_t count = entity_store_memberships(read, &guid, found, ENTITIES), expected = 0;
    for (uint32_t i = 0; i < ENTITIES; i++)
        expected += depth[i] != 0;
    assert_int_equal(count, expected);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(depth[number_of(&found[i].group)], found[i].depth);
}

static void check_entity(const struct model *model, struct entity_store_read *read, uint32_t number)
{
    const struct model_entity *e = &model->entities[number];
    struct guid guid = world_guid(number);
    char have[256];
    assert_int_equal(entity_store_get(read, &guid, &entity), e->known);
    if (!e->known)
        return;
    w.text_size = 0;
    struct bytes dn = dn_of(model, number);
    bool swept = e->dead && entity.rdn.size && memmem(entity.rdn.data, entity.rdn.size, "DEL", 3) == NULL;
    if (!swept) {
        assert_int_equal(entity_dn(&entity, have, sizeof have), dn.size);
        assert_string_equal(have, (const char *)dn.data);
    }
    assert_int_equal(entity.deleted, e->dead);
    assert_int_equal(entity.kind, e->kind);
    const struct activity_value *control = entity_get(&entity, ENTITY_USER_ACCOUNT_CONTROL);
    assert_int_equal(control ? control->uint : 0, e->control);
    struct guid found[ENTITIES];
    uint32_t count = entity_store_find(read, INDEX_DN, dn, world_bytes(""), found, ENTITIES), hits = 0;
    for (uint32_t i = 0; i < count; i++)
        hits += number_of(&found[i]) == number;
    assert_int_equal(hits, !e->dead);
}

/* What the directory would answer now, all of it. */
static void digest_of(const struct model *model, const struct guid *prefix, unsigned bits,
                      struct entity_digest *digest)
{
    memset(digest, 0, sizeof *digest);
    for (uint32_t i = 0; i < ENTITIES; i++) {
        const struct model_entity *e = &model->entities[i];
        struct guid guid = world_guid(i);
        bool in = true;
        for (unsigned bit = 0; bit < bits; bit++)
            in &= !((guid.bytes[bit / 8] ^ prefix->bytes[bit / 8]) >> (7 - bit % 8) & 1);
        if (!in || !e->known || e->dead)
            continue;
        world_begin(&w, i, e->kind);
        w.change.whole = true;
        w.change.dn = dn_of(model, i);
        put_attributes(e, true);
        for (unsigned l = 0; l < 2; l++) {
            for (uint32_t target = ENTITIES; target-- > 0;) {
                if (e->links[l][target])
                    world_edge(&w, model_links[l], target, false);
                if (w.change.edge_count == 60) { /* as many as the change has room for */
                    for (uint32_t k = 0; k < w.change.edge_count; k++)
                        entity_digest_add_link(digest, &guid, w.edges[k].link, &w.edges[k].target);
                    w.change.edge_count = 0;
                }
            }
        }
        assert_true(entity_digest_add_change(digest, &w.change));
    }
}

static void check_digests(const struct model *model, struct entity_store_read *read)
{
    struct entity_digest want, have;
    struct guid prefix = {{0}};
    digest_of(model, &prefix, 0, &want);
    entity_store_digest(read, 1, &prefix, 0, &have);
    assert_true(entity_digest_equal(&want, &have));
    for (unsigned bits = 1; bits <= 11; bits += 5) {
        for (unsigned i = 0; i < 4; i++) {
            prefix = world_guid(dice(ENTITIES));
            digest_of(model, &prefix, bits, &want);
            entity_store_digest(read, 1, &prefix, bits, &have);
            assert_true(have.count > 0 || want.count == 0);
            assert_true(entity_digest_equal(&want, &have));
        }
    }
    entity_store_digest(read, 2, &prefix, 0, &have);
    assert_int_equal(have.count, 0);
}

static bool count_one(void *to, const struct entity *one)
{
    (void)one;
    (*(uint32_t *)to)++;
    return true;
}

static void check(const struct model *model, struct entity_store_read *read)
{
    struct entity_counts want = {.links = 0}, have;
    uint32_t known = 0, visited = 0;
    for (uint32_t i = 0; i < ENTITIES; i++) {
        const struct model_entity *e = &model->entities[i];
        check_entity(model, read, i);
        want.links += check_links(model, read, i);
        if (e->known && !e->dead)
            check_membership(model, read, i);
        if (e->known && e->dead)
            want.deleted++;
        else if (e->known)
            want.kinds[e->kind]++;
        known += e->known;
    }
    entity_store_counts(read, world_bytes(""), &have);
    assert_bytes_equal(&want, &have, sizeof want);
    entity_store_each(read, world_bytes(""), NULL, count_one, &visited);
    assert_int_equal(visited, known);
    check_names(model, read);
    check_digests(model, read);
}

/* -- runs
 * ------------------------------------------------------------------------------------------------------ */

static void step(struct model *model, struct entity_store_write *write)
{
    uint32_t number = dice(ENTITIES);
    switch (dice(8)) {
    case 0:
        remove_one(model, write, number);
        break;
    case 1:
        if (dice(12) == 0)
            pass_over_all(model, write);
        break;
    default:
        tell(model, write, number, false);
        break;
    }
}

static void run(uint64_t seed, unsigned transactions)
{
    struct world_store store;
    static struct model model, before;
    random_state = seed;
    memset(&model, 0, sizeof model);
    world_store_make(&store);
    struct entity_store_write *write = world_write(&store);
    world_context(write);
    for (uint32_t i = 0; i < PARENTS; i++)
        tell(&model, write, i, false);
    world_commit(&write);
    struct entity_store_read *read = world_read(&store);
    for (unsigned t = 0; t < transactions; t++) {
        before = model;
        write = world_write(&store);
        for (unsigned i = dice(30); i > 0; i--)
            step(&model, write);
        if (dice(8) == 0) {
            entity_store_abort(&write);
            model = before;
        } else {
            world_commit(&write);
        }
        if (dice(12) == 0) {
            entity_store_read_close(&read);
            entity_store_close(&store.store);
            world_open(&store);
            read = world_read(&store);
        } else {
            check(&before, read); /* the snapshot is as it was */
        }
        assert_true(entity_store_read_renew(read));
        check(&model, read);
    }
    entity_store_read_close(&read);
    world_store_end(&store);
}

static void the_store_answers_as_the_model(void **state)
{
    (void)state;
    const char *rounds = getenv("PICKET_ENTITY_ROUNDS");
    unsigned count = rounds ? (unsigned)strtoul(rounds, NULL, 10) : 12;
    for (unsigned seed = 1; seed <= count; seed++) {
        print_message("seed %u\n", seed);
        run(seed, 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_store_answers_as_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
