/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "tests/unit/entity_world.h"

#include <fcntl.h>

static struct world_change w;
static struct entity entity;

static int make(void **state)
{
    struct world_store *store = malloc(sizeof *store);
    world_store_make(store);
    *state = store;
    return 0;
}

static int end(void **state)
{
    world_store_end(*state);
    free(*state);
    return 0;
}

static enum entity_applied apply(struct entity_store_write *write)
{
    return entity_store_apply(write, &w.change, ENTITY_REPLICATED, world_context(write), 0, WORLD_NOW);
}

static void assert_text(struct bytes have, const char *want)
{
    assert_int_equal(have.size, strlen(want));
    assert_bytes_equal(have.data, want, have.size);
}

/* The numbers of the entities that have a name, in the order in which they were found; "-" for none. */
static const char *found(struct entity_store_read *read, enum entity_index index, struct bytes name,
                         const char *domain)
{
    static char list[256];
    struct guid guids[8];
    uint32_t count = entity_store_find(read, index, name, world_bytes(domain), guids, 8);
    strcpy(list, count ? "" : "-");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number;
        memcpy(&number, guids[i].bytes + 8, 4);
        snprintf(list + strlen(list), sizeof list - strlen(list), i ? " %u" : "%u", number);
    }
    uint32_t first = entity_store_find_first(read, index, name, world_bytes(domain), &entity);
    assert_int_equal(first, count);
    if (count)
        assert_bytes_equal(entity.guid.bytes, guids[0].bytes, GUID_SIZE);
    return list;
}

#define assert_found(read, index, name, want)                                                                \
    assert_string_equal(found(read, index, world_bytes(name), ""), want)

static void an_entity_is_found_by_every_name(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    world_user(&w, 1);
    assert_int_equal(apply(write), ENTITY_ADDED);
    world_begin(&w, 2, ENTITY_COMPUTER);
    w.change.whole = true;
    w.change.dn = world_text(&w, "CN=WS02,OU=Büro,DC=corp,DC=example");
    world_put_bytes(&w, ENTITY_SAM_ACCOUNT_NAME, world_bytes("WS02$"));
    world_put_bytes(&w, ENTITY_DNS_HOST_NAME, world_bytes("ws02.corp.example"));
    world_put_bytes(&w, ENTITY_ADDITIONAL_DNS_NAMES, world_bytes("other.corp.example"));
    world_put_bytes(&w, ENTITY_SERVICE_PRINCIPAL_NAMES, world_bytes("HOST/ws02"));
    world_put_bytes(&w, ENTITY_SERVICE_PRINCIPAL_NAMES, world_bytes("HOST/WS02.corp.example"));
    world_put_bytes(&w, ENTITY_SERVICE_PRINCIPAL_NAMES, world_bytes("TERMSRV/ws02"));
    assert_int_equal(apply(write), ENTITY_ADDED);
    world_commit(&write);

    struct entity_store_read *read = world_read(store);
    uint8_t sid[WORLD_SID_SIZE];
    world_sid(sid, 1, 1001);
    assert_string_equal(found(read, INDEX_SID, (struct bytes){sid, sizeof sid}, ""), "1");
    world_sid(sid, 2, 1001);
    assert_string_equal(found(read, INDEX_SID, (struct bytes){sid, sizeof sid}, ""), "-");
    assert_string_equal(found(read, INDEX_SID, (struct bytes){sid, 2}, ""), "-");
    assert_found(read, INDEX_ACCOUNT, "USER1", "1");
    assert_found(read, INDEX_ACCOUNT, "user", "-");
    assert_found(read, INDEX_ACCOUNT, "ws02", "2");
    assert_found(read, INDEX_ACCOUNT, "ws02$", "2");
    assert_found(read, INDEX_UPN, "user1@CORP.example", "1");
    assert_found(read, INDEX_UPN, "ws02$@corp.example", "2"); /* implicit */
    assert_found(read, INDEX_UPN, "ws02@corp.example", "2");
    assert_found(read, INDEX_UPN, "ws02@other.example", "-");
    assert_found(read, INDEX_UPN, "ws02@", "-");
    assert_found(read, INDEX_SPN, "host/ws02", "2");
    assert_found(read, INDEX_SPN, "cifs/ws02.CORP.example", "2");
    assert_found(read, INDEX_SPN, "termsrv/ws02", "2");
    assert_found(read, INDEX_SPN, "termsrv/ws02.corp.example", "-"); /* no service of HOST */
    assert_found(read, INDEX_SPN, "cifs", "-");
    assert_found(read, INDEX_DNS_NAME, "WS02.corp.example", "2");
    assert_found(read, INDEX_DNS_NAME, "other.corp.example", "2");
    assert_found(read, INDEX_DN, "cn=ws02,ou=BÜRO,dc=corp,dc=example", "2");
    assert_found(read, INDEX_DN, "cn=ws02,dc=corp,dc=example", "-");
    assert_found(read, INDEX_DN, "cn=ws02", "-");
    assert_found(read, INDEX_ACCOUNT, "", "-");
    assert_string_equal(found(read, INDEX_ACCOUNT, world_bytes("user1"), "corp.Example"), "1");
    assert_string_equal(found(read, INDEX_ACCOUNT, world_bytes("user1"), "other.example"), "-");

    struct guid guid = world_guid(2);
    assert_true(entity_store_get(read, &guid, &entity));
    char dn[128];
    entity_dn(&entity, dn, sizeof dn);
    assert_string_equal(dn, "CN=WS02,OU=Büro,DC=corp,DC=example");
    assert_text(entity.domain, "corp.example");
    assert_int_equal(entity.seen, WORLD_NOW);
    assert_int_equal(entity.changed, WORLD_NOW);
    assert_int_equal(entity.kind, ENTITY_COMPUTER);
    guid = world_guid(3);
    assert_false(entity_store_get(read, &guid, &entity));

    struct bytes context_dn, domain;
    assert_true(entity_store_context_info(read, 1, &context_dn, &domain));
    assert_text(context_dn, "DC=corp,DC=example");
    assert_text(domain, "corp.example");
    assert_false(entity_store_context_info(read, 2, &context_dn, &domain));
    entity_store_read_close(&read);
    entity_store_read_close(&read);
}

/* That a name is nobody's is remembered as long as the snapshot. */
static void a_name_becomes_known(void **state)
{
    struct world_store *store = *state;
    struct entity_store_read *read = world_read(store);
    assert_found(read, INDEX_ACCOUNT, "user9", "-");
    struct entity_store_write *write = world_write(store);
    world_user(&w, 9);
    assert_int_equal(apply(write), ENTITY_ADDED);
    world_commit(&write);
    assert_found(read, INDEX_ACCOUNT, "user9", "-");
    assert_true(entity_store_read_renew(read));
    assert_found(read, INDEX_ACCOUNT, "user9", "9");
    entity_store_read_close(&read);
}

static void flat_names_are_known(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    world_begin(&w, 1, ENTITY_PARTITION);
    world_put_bytes(&w, ENTITY_NETBIOS_NAME, world_bytes("CORP"));
    world_put_bytes(&w, ENTITY_DNS_ROOT, world_bytes("corp.Example"));
    apply(write);
    world_begin(&w, 2, ENTITY_TRUST);
    world_put_bytes(&w, ENTITY_FLAT_NAME, world_bytes("Partner"));
    world_put_bytes(&w, ENTITY_TRUST_PARTNER, world_bytes("partner.example"));
    apply(write);
    world_user(&w, 3);
    apply(write);
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    struct bytes domain;
    assert_true(entity_store_flat_name(read, world_bytes("corp"), &domain));
    assert_text(domain, "corp.example");
    assert_true(entity_store_flat_name(read, world_bytes("PARTNER"), &domain));
    assert_text(domain, "partner.example");
    assert_false(entity_store_flat_name(read, world_bytes("none"), &domain));
    assert_false(entity_store_flat_name(read, world_bytes(""), &domain));
    assert_string_equal(found(read, INDEX_ACCOUNT, world_bytes("user3"), "Corp"), "3");
    assert_string_equal(found(read, INDEX_ACCOUNT, world_bytes("user3"), "partner"), "-");
    assert_found(read, INDEX_UPN, "user3@CORP", "3");
    entity_store_read_close(&read);
}

static void what_is_told_again_is_no_change(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    uint32_t context = world_context(write);
    const int64_t later = WORLD_NOW + 100 * CLOCK_SECOND;
    world_user(&w, 1);
    world_edge(&w, LINK_MANAGER, 2, false);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_LOOKED_UP, context, 0, WORLD_NOW),
                     ENTITY_ADDED);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_LOOKED_UP, context, 0, later),
                     ENTITY_UNCHANGED);
    world_commit(&write);
    write = world_write(store);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_LOOKED_UP, context, 0, later),
                     ENTITY_UNCHANGED);
    world_commit(&write);

    struct guid guid = world_guid(1);
    struct entity_store_read *read = world_read(store);
    assert_true(entity_store_get(read, &guid, &entity));
    assert_int_equal(entity.seen, later);
    assert_int_equal(entity.changed, WORLD_NOW);
    assert_int_equal(entity.origin, ENTITY_LOOKED_UP);

    /* Replication knows it as well now, which is no change of it; a look-up does not take that back. */
    write = world_write(store);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, later),
                     ENTITY_UNCHANGED);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_LOOKED_UP, context, 0, later),
                     ENTITY_UNCHANGED);
    world_commit(&write);
    assert_true(entity_store_get(read, &guid, &entity)); /* of the snapshot */
    assert_int_equal(entity.origin, ENTITY_LOOKED_UP);
    assert_true(entity_store_read_renew(read));
    assert_true(entity_store_get(read, &guid, &entity));
    assert_int_equal(entity.origin, ENTITY_REPLICATED);
    assert_int_equal(entity.changed, WORLD_NOW);

    /* Another link alone is a change. */
    write = world_write(store);
    world_begin(&w, 1, ENTITY_USER);
    world_edge(&w, LINK_MANAGER, 3, false);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, later),
                     ENTITY_CHANGED);
    world_commit(&write);
    entity_store_read_renew(read);
    assert_true(entity_store_get(read, &guid, &entity));
    assert_int_equal(entity.changed, later);
    entity_store_read_close(&read);
}

/* The directory does not tell of what stands below an object that is renamed. */
static void renaming_a_parent_renames_what_is_below(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    const char *const dns[] = {"OU=A,DC=c", "OU=B,OU=A,DC=c", "CN=u,OU=B,OU=A,DC=c", "CN=v,OU=BA,DC=c",
                               "CN=deep,OU=unknown,OU=A,DC=c"};
    for (uint32_t i = 0; i < 5; i++) {
        world_begin(&w, i, ENTITY_ORGANIZATIONAL_UNIT);
        w.change.dn = world_bytes(dns[i]);
        apply(write);
    }
    world_begin(&w, 0, ENTITY_ORGANIZATIONAL_UNIT);
    w.change.dn = world_bytes("OU=Neu,OU=Top,DC=c");
    assert_int_equal(apply(write), ENTITY_CHANGED);
    world_commit(&write);

    struct entity_store_read *read = world_read(store);
    const char *const now[] = {"OU=Neu,OU=Top,DC=c", "OU=B,OU=Neu,OU=Top,DC=c",
                               "CN=u,OU=B,OU=Neu,OU=Top,DC=c", "CN=v,OU=BA,DC=c",
                               "CN=deep,OU=unknown,OU=Neu,OU=Top,DC=c"};
    for (uint32_t i = 0; i < 5; i++) {
        char dn[64], number[8];
        struct guid guid = world_guid(i);
        assert_true(entity_store_get(read, &guid, &entity));
        entity_dn(&entity, dn, sizeof dn);
        assert_string_equal(dn, now[i]);
        snprintf(number, sizeof number, "%u", i);
        assert_found(read, INDEX_DN, now[i], number);
        if (strcmp(dns[i], now[i]) != 0)
            assert_found(read, INDEX_DN, dns[i], "-");
    }

    /* Another object may take the old name, and have others below it. */
    write = world_write(store);
    world_begin(&w, 10, ENTITY_ORGANIZATIONAL_UNIT);
    w.change.dn = world_bytes("OU=A,DC=c");
    apply(write);
    world_begin(&w, 11, ENTITY_USER);
    w.change.dn = world_bytes("CN=u,OU=A,DC=c");
    apply(write);
    /* And what is below may be told of before its parent is. */
    world_begin(&w, 12, ENTITY_USER);
    w.change.dn = world_bytes("CN=early,OU=Soon,DC=c");
    apply(write);
    world_begin(&w, 10, ENTITY_ORGANIZATIONAL_UNIT);
    w.change.dn = world_bytes("OU=Soon,DC=c");
    apply(write);
    world_commit(&write);
    assert_true(entity_store_read_renew(read));
    assert_found(read, INDEX_DN, "CN=u,OU=Soon,DC=c", "11");
    assert_found(read, INDEX_DN, "CN=early,OU=Soon,DC=c", "12");
    assert_found(read, INDEX_DN, "OU=Soon,DC=c", "10");
    assert_found(read, INDEX_DN, "CN=u,OU=B,OU=Neu,OU=Top,DC=c", "2");
    entity_store_read_close(&read);
}

/* -- links and groups
 * ---------------------------------------------------------------------------------------- */

static bool list_guid(void *to, const struct guid *guid)
{
    char *list = to;
    uint32_t number;
    memcpy(&number, guid->bytes + 8, 4);
    snprintf(list + strlen(list), 200 - strlen(list), "%u ", number);
    return strlen(list) < 190;
}

static const char *links(struct entity_store_read *read, uint32_t from, enum entity_link link, bool back)
{
    static char list[200];
    struct guid guid = world_guid(from);
    list[0] = '\0';
    if (back) {
        entity_store_backlinks(read, &guid, link, list_guid, list);
        return list;
    }
    uint64_t count = entity_store_links(read, &guid, link, list_guid, list);
    assert_int_equal(entity_store_link_count(read, &guid, link), count);
    return list;
}

static void links_come_and_go(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    world_group(&w, 1, "g", 2000);
    world_edge(&w, LINK_MEMBER, 5, false);
    world_edge(&w, LINK_MEMBER, 6, false);
    world_edge(&w, LINK_MEMBER, 6, false);
    world_edge(&w, LINK_MEMBER, 7, false);
    world_edge(&w, LINK_MEMBER, 7, true); /* the last word counts */
    w.edges[0].target_dn = world_bytes("CN=five,DC=far");
    apply(write);
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    assert_string_equal(links(read, 1, LINK_MEMBER, false), "5 6 ");
    assert_string_equal(links(read, 6, LINK_MEMBER, true), "1 ");
    assert_string_equal(links(read, 6, LINK_MANAGER, true), "");
    assert_string_equal(links(read, 7, LINK_MEMBER, true), "");
    struct entity_counts counts;
    entity_store_counts(read, world_bytes(""), &counts);
    assert_int_equal(counts.links, 2);
    assert_int_equal(counts.kinds[ENTITY_GROUP], 1);
    struct guid five = world_guid(5), six = world_guid(6);
    char dn[64];
    assert_false(entity_store_get(read, &five, &entity)); /* an end, no entity */
    assert_true(entity_store_unknown_dn(read, &five, dn, sizeof dn));
    assert_string_equal(dn, "CN=five,DC=far");
    assert_false(entity_store_unknown_dn(read, &six, dn, sizeof dn));

    /* It becomes an entity; one goes; then the whole list comes. */
    write = world_write(store);
    world_user(&w, 5);
    assert_int_equal(apply(write), ENTITY_ADDED);
    world_begin(&w, 1, ENTITY_GROUP);
    world_edge(&w, LINK_MEMBER, 6, true);
    assert_int_equal(apply(write), ENTITY_CHANGED);
    assert_int_equal(apply(write), ENTITY_UNCHANGED);
    world_begin(&w, 1, ENTITY_GROUP);
    world_edge(&w, LINK_MEMBER, 8, false);
    world_edge(&w, LINK_MEMBER, 9, false);
    w.change.whole_links = 1u << LINK_MEMBER;
    assert_int_equal(apply(write), ENTITY_CHANGED);
    assert_int_equal(apply(write), ENTITY_UNCHANGED);
    world_begin(&w, 1, ENTITY_GROUP);
    world_edge(&w, LINK_MANAGED_BY, 5, false);
    assert_int_equal(apply(write), ENTITY_CHANGED);
    world_commit(&write);
    entity_store_read_renew(read);
    assert_string_equal(links(read, 1, LINK_MEMBER, false), "8 9 ");
    assert_string_equal(links(read, 1, LINK_MANAGED_BY, false), "5 ");
    assert_string_equal(links(read, 5, LINK_MEMBER, true), "");
    entity_store_counts(read, world_bytes("CORP.example"), &counts);
    assert_int_equal(counts.links, 3);
    entity_store_counts(read, world_bytes("other.example"), &counts);
    assert_int_equal(counts.links, 0);

    /* With the entity its links go, from both ends. */
    write = world_write(store);
    world_begin(&w, 5, ENTITY_USER);
    w.change.deleted = true;
    assert_int_equal(apply(write), ENTITY_REMOVED);
    world_begin(&w, 1, ENTITY_GROUP);
    w.change.deleted = true;
    assert_int_equal(apply(write), ENTITY_REMOVED);
    assert_int_equal(apply(write), ENTITY_UNCHANGED);
    world_commit(&write);
    entity_store_read_renew(read);
    assert_string_equal(links(read, 1, LINK_MEMBER, false), "");
    assert_string_equal(links(read, 8, LINK_MEMBER, true), "");
    entity_store_counts(read, world_bytes(""), &counts);
    assert_int_equal(counts.links, 0);
    assert_int_equal(counts.deleted, 2);
    entity_store_read_close(&read);
}

/* Ends that are not known have numbers, but no marks until they are entities: those come out of order then.
 */
static void many_unknown_ends_become_entities(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    for (uint32_t group = 0; group < 10; group++) {
        world_group(&w, 1000 + group, "g", 3000 + group);
        for (uint32_t i = 0; i < 50; i++)
            world_edge(&w, LINK_MEMBER, group * 50 + i, false);
        apply(write);
    }
    world_user(&w, 2000);
    apply(write);
    for (uint32_t i = 0; i < 500; i++) {
        world_user(&w, (i * 7 + 200) % 500);
        assert_int_equal(apply(write), ENTITY_ADDED);
    }
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    struct entity_counts counts;
    entity_store_counts(read, world_bytes(""), &counts);
    assert_int_equal(counts.kinds[ENTITY_USER], 501);
    for (uint32_t i = 0; i < 500; i++) {
        struct guid guid = world_guid(i);
        assert_true(entity_store_get(read, &guid, &entity));
        assert_int_equal(entity.seen, WORLD_NOW);
    }
    entity_store_read_close(&read);
}

static const char *groups(struct entity_store_read *read, uint32_t number)
{
    static char list[200];
    struct entity_membership found_groups[32];
    struct guid guid = world_guid(number);
    uint32_t count = entity_store_memberships(read, &guid, found_groups, 32);
    list[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        uint32_t group;
        memcpy(&group, found_groups[i].group.bytes + 8, 4);
        snprintf(list + strlen(list), sizeof list - strlen(list), "%u/%u ", group, found_groups[i].depth);
        assert_true(entity_store_is_member(read, &guid, &found_groups[i].group));
    }
    return list;
}

static void group_of(struct entity_store_write *write, uint32_t number, const char *account, uint32_t rid,
                     uint32_t member, uint32_t other)
{
    world_group(&w, number, account, rid);
    if (member)
        world_edge(&w, LINK_MEMBER, member, false);
    if (other)
        world_edge(&w, LINK_MEMBER, other, false);
    apply(write);
}

static void foreign(struct entity_store_write *write, uint32_t number, struct bytes sid)
{
    world_begin(&w, number, ENTITY_FOREIGN_PRINCIPAL);
    world_put_bytes(&w, ENTITY_OBJECT_SID, sid);
    apply(write);
}

/* Names of the bits, in their order. */
static const char *sensitive(struct entity_store_read *read, uint32_t number)
{
    static char list[512];
    struct guid guid = world_guid(number);
    uint64_t bits = entity_store_sensitivity(read, &guid);
    list[0] = '\0';
    for (unsigned bit = 0; entity_sensitivity_name(bit); bit++) {
        if (bits >> bit & 1)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s ", entity_sensitivity_name(bit));
    }
    return list;
}

static void groups_are_walked_through(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    static const uint8_t authenticated[] = {1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0};
    static const uint8_t controllers[] = {1, 1, 0, 0, 0, 0, 0, 5, 9, 0, 0, 0};
    world_user(&w, 1);
    apply(write);
    group_of(write, 20, "direct", 2001, 1, 0);
    group_of(write, 21, "outer", 2002, 20, 0);
    group_of(write, 22, "loop", 2003, 21, 0);
    world_begin(&w, 20, ENTITY_GROUP); /* a cycle, and a group in itself */
    world_edge(&w, LINK_MEMBER, 22, false);
    world_edge(&w, LINK_MEMBER, 20, false);
    apply(write);
    group_of(write, 30, "Domain Users", 513, 0, 0);
    group_of(write, 31, "Users", 2010, 30, 40);
    foreign(write, 40, (struct bytes){authenticated, sizeof authenticated});
    foreign(write, 41, (struct bytes){controllers, sizeof controllers});
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    assert_string_equal(groups(read, 1), "20/1 30/1 40/1 21/2 31/2 22/3 ");
    assert_string_equal(groups(read, 20), "21/1 22/2 ");
    assert_string_equal(groups(read, 99), "");
    struct guid one = world_guid(1), none = world_guid(99);
    assert_false(entity_store_is_member(read, &one, &none));
    assert_false(entity_store_is_member(read, &none, &one));
    assert_string_equal(sensitive(read, 1), "");
    assert_string_equal(sensitive(read, 99), "");

    /* Through a foreign principal of its SID, and through a SID of its history. */
    write = world_write(store);
    uint8_t sid[WORLD_SID_SIZE];
    world_sid(sid, 1, 1001);
    foreign(write, 50, (struct bytes){sid, sizeof sid});
    group_of(write, 51, "elsewhere", 2020, 50, 0);
    group_of(write, 52, "Domain Admins", 512, 0, 0);
    world_begin(&w, 1, ENTITY_USER);
    world_put_sid(&w, ENTITY_SID_HISTORY, 1, 512);
    apply(write);
    world_user(&w, 2);
    world_put_sid(&w, ENTITY_SID_HISTORY, 1, 1001); /* of a user: as that user */
    apply(write);
    world_commit(&write);
    entity_store_read_renew(read);
    assert_string_equal(groups(read, 1), "20/1 30/1 40/1 52/1 51/1 21/2 31/2 22/3 ");
    assert_string_equal(groups(read, 2), "30/1 40/1 20/1 51/1 31/2 21/2 22/3 ");
    assert_string_equal(sensitive(read, 1), "domain_admins ");
    entity_store_read_close(&read);
}

static void sensitivity_is_told(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    static const uint8_t administrators[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
    static const uint8_t controllers[] = {1, 1, 0, 0, 0, 0, 0, 5, 9, 0, 0, 0};
    for (uint32_t i = 1; i < 8; i++) {
        world_user(&w, i);
        if (i == 2)
            world_put_uint(&w, ENTITY_ADMIN_COUNT, 1);
        w.values[ENTITY_USER_ACCOUNT_CONTROL][0].uint = i == 3   ? 0x81000 /* workstation, delegation */
                                                        : i == 4 ? 0x82000 /* domain controller, delegation */
                                                        : i == 5 ? 0x4001000 /* read-only one */
                                                        : i == 6 ? 0x1000200 /* protocol transition */
                                                                 : 512;
        w.change.kind = i >= 3 && i <= 5 ? ENTITY_COMPUTER : ENTITY_USER;
        apply(write);
    }
    group_of(write, 20, "inner", 2001, 1, 0);
    world_begin(&w, 21, ENTITY_GROUP);
    world_put_bytes(&w, ENTITY_OBJECT_SID, (struct bytes){administrators, sizeof administrators});
    world_edge(&w, LINK_MEMBER, 20, false);
    apply(write);
    group_of(write, 22, "DNSAdmins", 1101, 7, 0);
    foreign(write, 23, (struct bytes){controllers, sizeof controllers});
    group_of(write, 24, "Backup Operators", 2050, 23, 0);
    world_user(&w, 30);
    w.values[ENTITY_SAM_ACCOUNT_NAME][0].bytes = world_bytes("DnsAdmins"); /* a user who is called so */
    apply(write);
    world_user(&w, 31);
    w.values[ENTITY_SAM_ACCOUNT_NAME][0].bytes = world_bytes("krbtgt_123");
    apply(write);
    world_user(&w, 32);
    world_sid((uint8_t *)(uintptr_t)w.values[ENTITY_OBJECT_SID][0].bytes.data, 1, 500);
    apply(write);
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    assert_string_equal(sensitive(read, 1), "administrators ");
    assert_string_equal(sensitive(read, 2), "admin_count ");
    assert_string_equal(sensitive(read, 3), "unconstrained_delegation ");
    assert_string_equal(sensitive(read, 4), "domain_controller ");
    assert_string_equal(groups(read, 4), "23/1 24/2 ");
    assert_string_equal(sensitive(read, 5), "read_only_domain_controller ");
    assert_string_equal(sensitive(read, 6), "protocol_transition ");
    assert_string_equal(sensitive(read, 7), "dns_admins ");
    assert_string_equal(sensitive(read, 21), "administrators ");
    assert_string_equal(sensitive(read, 30), "");
    assert_string_equal(sensitive(read, 31), "krbtgt ");
    assert_string_equal(sensitive(read, 32), "builtin_administrator ");
    assert_null(entity_sensitivity_doc(64));
    entity_store_read_close(&read);
}

/* -- the dead
 * -------------------------------------------------------------------------------------------------- */

static void tombstones_are_kept_for_a_while(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    uint32_t context = world_context(write);
    world_user(&w, 1);
    apply(write);
    world_begin(&w, 1, ENTITY_USER);
    w.change.whole = true; /* all that a tombstone has */
    w.change.deleted = true;
    w.change.dn = world_bytes("CN=User 1\\0ADEL:x,CN=Deleted Objects,DC=corp,DC=example");
    world_put(&w, ENTITY_IS_DELETED, (struct entity_value){.boolean = true});
    assert_int_equal(apply(write), ENTITY_REMOVED);
    world_user(&w, 2); /* the name is free again */
    w.values[ENTITY_SAM_ACCOUNT_NAME][0].bytes = world_bytes("user1");
    apply(write);
    world_begin(&w, 3, ENTITY_USER); /* never known alive */
    w.change.deleted = true;
    world_put_sid(&w, ENTITY_OBJECT_SID, 1, 1001); /* not that it could be */
    assert_int_equal(apply(write), ENTITY_ADDED);
    world_commit(&write);

    struct entity_store_read *read = world_read(store);
    struct guid one = world_guid(1);
    uint8_t sid[WORLD_SID_SIZE];
    world_sid(sid, 1, 1001);
    assert_string_equal(found(read, INDEX_SID, (struct bytes){sid, sizeof sid}, ""), "1 3");
    assert_found(read, INDEX_ACCOUNT, "user1", "2");
    assert_found(read, INDEX_DN, "CN=User 1,OU=Staff,DC=corp,DC=example", "-");
    assert_true(entity_store_get(read, &one, &entity));
    assert_true(entity.deleted);
    assert_text(entity_name(&entity), "user1"); /* what was known is kept */
    assert_text(entity.rdn, "CN=User 1\\0ADEL:x");
    struct entity_counts counts;
    entity_store_counts(read, world_bytes(""), &counts);
    assert_int_equal(counts.kinds[ENTITY_USER], 1);
    assert_int_equal(counts.deleted, 2);

    /* Restored: found by its names. */
    write = world_write(store);
    world_begin(&w, 1, ENTITY_USER);
    w.change.dn = world_bytes("CN=User 1,OU=Staff,DC=corp,DC=example");
    entity_change_mark(&w.change, ENTITY_IS_DELETED);
    assert_int_equal(apply(write), ENTITY_ADDED);
    world_commit(&write);
    entity_store_read_renew(read);
    assert_string_equal(found(read, INDEX_SID, (struct bytes){sid, sizeof sid}, ""), "1 3");
    assert_found(read, INDEX_ACCOUNT, "user1", "1 2");
    assert_found(read, INDEX_DN, "CN=User 1,OU=Staff,DC=corp,DC=example", "1");

    /* 3 goes after its time; 1, deleted again later, after its own. */
    int64_t later = WORLD_NOW + 100 * CLOCK_DAY;
    write = world_write(store);
    world_begin(&w, 1, ENTITY_USER);
    w.change.deleted = true;
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, later),
                     ENTITY_REMOVED);
    assert_int_equal(entity_store_expire(write, WORLD_NOW + 179 * CLOCK_DAY, 100), 0);
    assert_int_equal(entity_store_expire(write, WORLD_NOW + 182 * CLOCK_DAY, 100), 1);
    assert_int_equal(entity_store_expire(write, WORLD_NOW + 182 * CLOCK_DAY, 100), 0);
    world_commit(&write);
    entity_store_read_renew(read);
    assert_string_equal(found(read, INDEX_SID, (struct bytes){sid, sizeof sid}, ""), "1");
    write = world_write(store);
    group_of(write, 9, "g", 2001, 1, 0); /* links to it all the same */
    assert_int_equal(entity_store_expire(write, WORLD_NOW + 282 * CLOCK_DAY, 100), 1);
    assert_int_equal(entity_store_expire(write, WORLD_NOW + 282 * CLOCK_DAY, 100), 0);
    world_commit(&write);
    entity_store_read_renew(read);
    assert_false(entity_store_get(read, &one, &entity));
    assert_string_equal(links(read, 9, LINK_MEMBER, false), "1 ");
    entity_store_counts(read, world_bytes(""), &counts);
    assert_int_equal(counts.deleted, 0);
    entity_store_read_close(&read);
}

static void note_removed(void *to, const struct guid *guid)
{
    list_guid(to, guid);
}

static void a_pass_sweeps_what_it_did_not_see(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    uint32_t context = world_context(write);
    uint32_t other = entity_store_context(write, world_bytes("CN=Configuration,DC=corp,DC=example"),
                                          world_bytes("corp.example"));
    assert_int_equal(other, 2);
    assert_int_equal(entity_store_context(write, world_bytes("cn=configuration,dc=CORP,DC=example"),
                                          world_bytes("corp.EXAMPLE")),
                     2);
    for (uint32_t i = 0; i < 400; i++) {
        world_user(&w, i);
        entity_store_apply(write, &w.change, ENTITY_REPLICATED, i == 7 ? other : context, 1, WORLD_NOW);
    }
    world_commit(&write);
    write = world_write(store);
    for (uint32_t i = 0; i < 400; i++) {
        world_user(&w, i);
        if (i % 100 != 7)
            entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 2, WORLD_NOW);
    }
    world_user(&w, 107); /* looked up while the pass went on */
    entity_store_apply(write, &w.change, ENTITY_LOOKED_UP, context, 0, WORLD_NOW);
    world_commit(&write);
    write = world_write(store);
    char list[200] = "";
    assert_int_equal(entity_store_sweep(write, context, 2, 1, WORLD_NOW, note_removed, list), 1);
    assert_int_equal(entity_store_sweep(write, context, 2, 100, WORLD_NOW, note_removed, list), 1);
    assert_int_equal(entity_store_sweep(write, context, 2, 100, WORLD_NOW, NULL, NULL), 0);
    assert_string_equal(list, "207 307 ");
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    struct guid guid = world_guid(207);
    assert_true(entity_store_get(read, &guid, &entity));
    assert_true(entity.deleted);
    guid = world_guid(7);
    assert_true(entity_store_get(read, &guid, &entity));
    assert_false(entity.deleted);
    entity_store_read_close(&read);
}

/* -- whole lists --------------------------------------------------------------------------------------------
 */

static bool list_entity(void *to, const struct entity *one)
{
    return list_guid(to, &one->guid);
}

static void all_are_visited_and_searched(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    world_group(&w, 1, "Straße", 2001);
    world_edge(&w, LINK_MEMBER, 40, false);
    apply(write);
    world_user(&w, 2);
    world_put_bytes(&w, ENTITY_SERVICE_PRINCIPAL_NAMES, world_bytes("http/Intranet"));
    apply(write);
    world_user(&w, 3);
    world_put_bytes(&w, ENTITY_MAIL, world_bytes("someone@INTRANET.example"));
    uint32_t second = entity_store_context(write, world_bytes("DC=b"), world_bytes("b"));
    entity_store_apply(write, &w.change, ENTITY_REPLICATED, second, 0, WORLD_NOW);
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    char list[200] = "";
    entity_store_search(read, world_bytes("iNTRAnet"), list_entity, list);
    assert_string_equal(list, "2 3 ");
    list[0] = '\0';
    entity_store_search(read, world_bytes("STRA"), list_entity, list);
    assert_string_equal(list, "1 ");
    list[0] = '\0';
    entity_store_search(read, world_bytes(""), list_entity, list);
    entity_store_search(read, world_bytes("nowhere"), list_entity, list);
    assert_string_equal(list, "");
    entity_store_each(read, world_bytes("B"), NULL, list_entity, list);
    assert_string_equal(list, "3 ");
    list[0] = '\0';
    entity_store_each(read, world_bytes(""), NULL, list_entity, list);
    assert_int_equal(strlen(list), 6);
    /* On from any of them. */
    struct guid first;
    uint32_t number;
    char rest[200] = "";
    sscanf(list, "%u", &number);
    first = world_guid(number);
    entity_store_each(read, world_bytes(""), &first, list_entity, rest);
    assert_string_equal(rest, list + 2);

    /* A snapshot that rests shows nothing, and holds nothing back. */
    entity_store_read_rest(read);
    list[0] = '\0';
    entity_store_each(read, world_bytes(""), NULL, list_entity, list);
    entity_store_search(read, world_bytes("user"), list_entity, list);
    assert_string_equal(list, "");
    assert_false(entity_store_get(read, &first, &entity));
    assert_true(entity_store_read_renew(read));
    assert_true(entity_store_get(read, &first, &entity));
    entity_store_read_close(&read);
}

static void state_goes_with_the_entities(void **state)
{
    struct world_store *store = *state;
    struct entity_store_write *write = world_write(store);
    struct bytes value;
    entity_store_put_state(write, "cookie", world_bytes("abc"));
    assert_true(entity_store_write_state(write, "cookie", &value));
    world_commit(&write);
    struct entity_store_read *read = world_read(store);
    assert_true(entity_store_state(read, "cookie", &value));
    assert_text(value, "abc");
    assert_false(entity_store_state(read, "other", &value));
    assert_false(entity_store_state(read, "", &value));

    /* Nothing of what is given up stays. */
    write = world_write(store);
    world_user(&w, 1);
    apply(write);
    entity_store_put_state(write, "cookie", (struct bytes){NULL, 0});
    assert_false(entity_store_write_state(write, "cookie", &value));
    entity_store_abort(&write);
    entity_store_abort(&write);
    entity_store_read_renew(read);
    assert_true(entity_store_state(read, "cookie", &value));
    assert_found(read, INDEX_ACCOUNT, "user1", "-");
    struct bytes dn, domain;
    assert_false(entity_store_context_info(read, 1, &dn, &domain));

    /* A name that cannot be fails the transaction, as a context that is not there does. */
    char longer[ENTITY_STORE_NAME_MAX + 2];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct fault fault;
    write = world_write(store);
    entity_store_put_state(write, longer, world_bytes("x"));
    entity_store_put_state(write, "cookie", world_bytes("x"));
    assert_false(entity_store_write_state(write, "cookie", &value));
    assert_int_equal(entity_store_context(write, world_bytes("DC=x"), world_bytes("x")), 0);
    assert_false(entity_store_commit(&write, false, &fault));
    assert_non_null(strstr(fault.text, "name"));
    write = world_write(store);
    assert_int_equal(entity_store_apply(write, &w.change, ENTITY_REPLICATED, 5, 0, WORLD_NOW),
                     ENTITY_REFUSED);
    assert_int_equal(entity_store_sweep(write, 1, 1, 1, WORLD_NOW, NULL, NULL), 0);
    assert_int_equal(entity_store_expire(write, INT64_MAX, 1), 0);
    assert_false(entity_store_commit(&write, true, &fault));
    assert_non_null(strstr(fault.text, "context"));

    write = world_write(store);
    entity_store_put_state(write, "cookie", (struct bytes){NULL, 0});
    assert_true(entity_store_commit(&write, true, &fault));
    entity_store_read_renew(read);
    assert_false(entity_store_state(read, "cookie", &value));
    entity_store_read_close(&read);
}

/* -- the place on disk
 * --------------------------------------------------------------------------------------- */

static void put_users(struct world_store *store, uint32_t count, bool sync)
{
    struct entity_store_write *write = world_write(store);
    struct fault fault;
    for (uint32_t i = 0; i < count; i++) {
        world_user(&w, i);
        apply(write);
    }
    assert_true(entity_store_commit(&write, sync, &fault));
}

static bool has_users(struct world_store *store, uint32_t count)
{
    struct entity_store_read *read = world_read(store);
    struct entity_counts counts;
    entity_store_counts(read, world_bytes(""), &counts);
    entity_store_read_close(&read);
    return counts.kinds[ENTITY_USER] == count;
}

static bool has_file(struct world_store *store, const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "%s%s", store->path, name);
    return access(file, F_OK) == 0;
}

static void write_at(struct world_store *store, const char *name, off_t at, const void *data, size_t size)
{
    char file[256];
    snprintf(file, sizeof file, "%s%s", store->path, name);
    int descriptor = open(file, O_WRONLY | O_CREAT, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(pwrite(descriptor, data, size, at), size);
    close(descriptor);
}

static void a_store_is_there_again(void **state)
{
    struct world_store *store = *state;
    put_users(store, 100, false);
    assert_true(has_file(store, "/unsynced"));
    put_users(store, 100, true);
    assert_false(has_file(store, "/unsynced"));
    put_users(store, 101, false);
    entity_store_close(&store->store);
    entity_store_close(&store->store);
    assert_false(has_file(store, "/unsynced")); /* closing syncs */
    world_open(store);
    assert_true(has_users(store, 101));
    struct entity_store_usage usage;
    entity_store_usage(store->store, &usage);
    assert_true(usage.used > 40000 && usage.used < usage.map && usage.map == UINT64_C(1) << 30);
    struct stat folder;
    assert_int_equal(stat(store->path, &folder), 0);
    assert_int_equal(folder.st_mode & 0777, 0700);
}

static void a_damaged_store_is_moved_aside(void **state)
{
    struct world_store *store = *state;
    const char zeros[64] = {0};
    log_set_level(LOG_LEVEL_ERROR);

    /* The machine failed between a commit and its sync: another boot's mark. */
    put_users(store, 10, true);
    entity_store_close(&store->store);
    write_at(store, "/unsynced", 0, "00000000-0000-0000-0000-000000000000", 36);
    world_open(store);
    assert_true(has_users(store, 0));
    assert_true(has_file(store, ".damaged-1/data.mdb"));

    /* This boot's: only the process ended, the kernel has everything. */
    put_users(store, 10, false);
    char boot[36];
    int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY);
    assert_int_equal(read(descriptor, boot, sizeof boot), sizeof boot);
    close(descriptor);
    entity_store_close(&store->store);
    write_at(store, "/unsynced", 0, boot, sizeof boot);
    world_open(store);
    assert_true(has_users(store, 10));

    /* Cut off. */
    put_users(store, 1000, true);
    entity_store_close(&store->store);
    char file[256];
    snprintf(file, sizeof file, "%s/data.mdb", store->path);
    assert_int_equal(truncate(file, 40960), 0);
    world_open(store);
    assert_true(has_users(store, 0));
    assert_true(has_file(store, ".damaged-2"));

    /* No store's head. */
    entity_store_close(&store->store);
    write_at(store, "/data.mdb", 0, zeros, sizeof zeros);
    write_at(store, "/data.mdb", 4096, zeros, sizeof zeros);
    world_open(store);
    assert_true(has_users(store, 0));
    assert_true(has_file(store, ".damaged-3"));
    assert_true(has_file(store, ".damaged-2"));
    assert_false(has_file(store, ".damaged-1")); /* the last two are kept */

    /* Found damaged while it was in use. */
    put_users(store, 5, true);
    entity_store_close(&store->store);
    write_at(store, "/damaged", 0, "x", 1);
    world_open(store);
    assert_true(has_users(store, 0));
    assert_false(has_file(store, "/damaged"));

    /* It cannot be opened at all: that is no damage. */
    struct fault fault;
    struct entity_store_config config = store->config;
    config.path = "/proc/self/nowhere";
    assert_null(entity_store_open(&config, &fault));
    assert_non_null(strstr(fault.text, "/proc/self/nowhere"));
    log_set_level(LOG_LEVEL_NOTICE);
}

/* Where a text that only rows hold stands in the file, all of it; records are damaged there. */
static unsigned damage_text(struct world_store *store, const char *find, char with)
{
    char file[256];
    snprintf(file, sizeof file, "%s/data.mdb", store->path);
    int descriptor = open(file, O_RDWR);
    struct stat size;
    assert_int_equal(fstat(descriptor, &size), 0);
    char *all = malloc((size_t)size.st_size);
    assert_int_equal(pread(descriptor, all, (size_t)size.st_size, 0), size.st_size);
    unsigned count = 0;
    for (char *at = all; (at = memmem(at, (size_t)(all + size.st_size - at), find, strlen(find))); at++) {
        assert_int_equal(pwrite(descriptor, &with, 1, at - all - 1), 1); /* the text's length before it */
        count++;
    }
    close(descriptor);
    free(all);
    return count;
}

static void a_damaged_row_is_noticed(void **state)
{
    struct world_store *store = *state;
    log_set_level((enum log_level)0);
    put_users(store, 10, true);
    entity_store_close(&store->store);
    assert_true(damage_text(store, "user7", '\xc1') > 0); /* no msgpack */
    world_open(store);
    struct entity_store_read *read = world_read(store);
    struct guid guid = world_guid(7);
    assert_false(entity_store_get(read, &guid, &entity));
    guid = world_guid(6);
    assert_true(entity_store_get(read, &guid, &entity));
    assert_true(has_file(store, "/damaged"));
    entity_store_read_close(&read);

    struct entity_store_write *write = world_write(store);
    struct fault fault;
    world_user(&w, 7);
    assert_int_equal(apply(write), ENTITY_REFUSED);
    assert_false(entity_store_commit(&write, true, &fault));
    entity_store_close(&store->store);
    world_open(store);
    assert_true(has_users(store, 0));
    assert_true(has_file(store, ".damaged-1"));
    log_set_level(LOG_LEVEL_NOTICE);
}

static void a_full_map_is_a_fault(void **state)
{
    struct world_store *store = *state;
    entity_store_close(&store->store);
    store->config.map_size = 1 << 20;
    world_open(store);
    put_users(store, 100, true);
    struct entity_store_write *write = world_write(store);
    struct fault fault;
    enum entity_applied applied = ENTITY_ADDED;
    for (uint32_t i = 100; i < 20000 && applied != ENTITY_REFUSED; i++) {
        world_user(&w, i);
        applied = apply(write);
    }
    assert_int_equal(applied, ENTITY_REFUSED);
    assert_int_equal(apply(write), ENTITY_REFUSED);
    assert_false(entity_store_commit(&write, true, &fault));
    assert_non_null(strstr(fault.text, "full"));
    assert_true(has_users(store, 100));
    put_users(store, 101, true); /* what fits still goes */
    assert_true(has_users(store, 101));
}

static void readers_are_bounded(void **state)
{
    struct world_store *store = *state;
    entity_store_close(&store->store);
    store->config.readers_max = 2;
    char lock[256];
    snprintf(lock, sizeof lock, "%s/lock.mdb", store->path); /* it does not shrink */
    unlink(lock);
    world_open(store);
    struct entity_store_read *a = world_read(store), *b = world_read(store);
    struct fault fault;
    assert_null(entity_store_read_open(store->store, &fault));
    assert_non_null(strstr(fault.text, "MDB_READERS_FULL"));
    entity_store_read_close(&b);
    b = world_read(store);
    entity_store_read_close(&a);
    entity_store_read_close(&b);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)
    const struct CMUnitTest tests[] = {
        STORE_TEST(an_entity_is_found_by_every_name),
        STORE_TEST(a_name_becomes_known),
        STORE_TEST(flat_names_are_known),
        STORE_TEST(what_is_told_again_is_no_change),
        STORE_TEST(renaming_a_parent_renames_what_is_below),
        STORE_TEST(links_come_and_go),
        STORE_TEST(many_unknown_ends_become_entities),
        STORE_TEST(groups_are_walked_through),
        STORE_TEST(sensitivity_is_told),
        STORE_TEST(tombstones_are_kept_for_a_while),
        STORE_TEST(a_pass_sweeps_what_it_did_not_see),
        STORE_TEST(all_are_visited_and_searched),
        STORE_TEST(state_goes_with_the_entities),
        STORE_TEST(a_store_is_there_again),
        STORE_TEST(a_damaged_store_is_moved_aside),
        STORE_TEST(a_damaged_row_is_noticed),
        STORE_TEST(a_full_map_is_a_fault),
        STORE_TEST(readers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
