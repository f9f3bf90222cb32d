/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/flow_table.h"
#include "capture/pending.h"
#include "tests/unit/packets.h"

static const uint64_t seed[4] = {0x1234567890abcdef, 0xfedcba0987654321, 0x55aa55aa12345671,
                                 0x9876543210fedcb1};

static struct slab *slab;

static struct flow_table *table_new(uint32_t flows_max)
{
    slab = slab_new((size_t)128 * 1024 * 1024);
    struct flow_table *table = flow_table_new(slab, flows_max, seed);
    assert_non_null(table);
    return table;
}

static void table_end(struct flow_table *table)
{
    flow_table_destroy(&table);
    assert_int_equal(slab_stats(slab)->used, 0);
    slab_destroy(&slab);
}

struct ends {
    uint8_t source[16], destination[16];
    struct flow_key key;
};

static struct ends *ends_of(uint32_t n, uint8_t family)
{
    static struct ends ends[2];
    static int turn;
    struct ends *e = &ends[turn ^= 1];
    *e = (struct ends){.source = {10}, .destination = {10, 0, 0, 1}};
    memcpy(e->source + (family == 6 ? 12 : 0), &n, family == 6 ? 4 : 3);
    e->key = (struct flow_key){e->source, e->destination, (uint16_t)(n * 7 + n / 65536),
                               445,       family,         TRANSPORT_TCP};
    return e;
}

static struct flow_key turned(const struct flow_key *key)
{
    return (struct flow_key){key->destination, key->source, key->destination_port,
                             key->source_port, key->family, key->transport};
}

static void found_in_both_directions(void **state)
{
    (void)state;
    struct flow_table *table = table_new(1000);
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct flow_key key = ends_of(77, family)->key;
        uint32_t hash = flow_table_hash(table, &key);
        enum direction direction = TO_CLIENT;
        assert_null(flow_table_find(table, &key, hash, &direction));
        struct flow *flow = flow_table_add(table, &key, hash, false, FLOW_TCP, 1);
        assert_ptr_equal(flow_table_find(table, &key, hash, &direction), flow);
        assert_int_equal(direction, TO_SERVER);
        struct flow_key back = turned(&key);
        assert_int_equal(flow_table_hash(table, &back), hash);
        assert_ptr_equal(flow_table_find(table, &back, hash, &direction), flow);
        assert_int_equal(direction, TO_CLIENT);
        assert_int_equal(flow->info.server.port, 445);
        key.transport = TRANSPORT_UDP;
        assert_true(flow_table_hash(table, &key) != hash);
        assert_null(flow_table_find(table, &key, hash, &direction));
    }
    table_end(table);
}

static void many_come_and_go(void **state)
{
    (void)state;
    struct flow_table *table = table_new(100000);
    enum direction direction;
    static struct flow *flows[60000];
    for (uint32_t i = 0; i < 60000; i++) {
        struct flow_key key = ends_of(i, i % 2 ? 4 : 6)->key;
        flows[i] = flow_table_add(table, &key, flow_table_hash(table, &key), i % 3 == 0, FLOW_TCP, i);
        assert_non_null(flows[i]);
        flows[i]->info.number = i + 1;
    }
    assert_int_equal(flow_table_count(table), 60000);
    assert_true(slab_stats(slab)->used < 60000 * 250);
    for (uint32_t i = 0; i < 60000; i += 2)
        flow_table_remove(table, flows[i]);
    for (uint32_t i = 0; i < 60000; i++) {
        struct flow_key key = ends_of(i, i % 2 ? 4 : 6)->key;
        struct flow *flow = flow_table_find(table, &key, flow_table_hash(table, &key), &direction);
        if (i % 2 == 0) {
            assert_null(flow);
            continue;
        }
        assert_ptr_equal(flow, flows[i]);
        assert_int_equal(flow->info.number, i + 1);
        assert_int_equal(direction, i % 3 == 0 ? TO_CLIENT : TO_SERVER);
    }
    table_end(table);
}

/* Addresses and ports in a row, as a scan has them, do not pile up: a chain stays short. */
static void hashes_are_spread(void **state)
{
    (void)state;
    struct flow_table *table = table_new(1);
    static uint16_t buckets[65536];
    uint16_t most = 0;
    memset(buckets, 0, sizeof buckets);
    for (uint32_t i = 0; i < 65536; i++) {
        struct flow_key key = ends_of(5, 4)->key;
        key.source_port = (uint16_t)i;
        uint16_t *bucket = &buckets[flow_table_hash(table, &key) & 0xffff];
        if (++*bucket > most)
            most = *bucket;
    }
    assert_true(most <= 12); /* 65,536 balls in as many bins: 8 or 9 is usual */
    table_end(table);
}

static void full_tables_refuse(void **state)
{
    (void)state;
    struct flow_table *table = table_new(10);
    for (uint32_t i = 0; i < 12; i++) {
        struct flow_key key = ends_of(i, 4)->key;
        struct flow *flow = flow_table_add(table, &key, flow_table_hash(table, &key), false, FLOW_UDP, 0);
        assert_true((flow != NULL) == (i < 10));
    }
    table_end(table);
    slab = slab_new(40000);
    table = flow_table_new(slab, 1000, seed);
    assert_non_null(table);
    struct flow_key key = ends_of(1, 4)->key;
    assert_null(flow_table_add(table, &key, 1, false, FLOW_UDP, 0));
    table_end(table);
    slab = slab_new(100);
    assert_null(flow_table_new(slab, 1000, seed));
    slab_destroy(&slab);
}

static void the_oldest_of_a_class(void **state)
{
    (void)state;
    struct flow_table *table = table_new(100);
    struct flow *flows[5];
    for (uint32_t i = 0; i < 5; i++) {
        struct flow_key key = ends_of(i, 4)->key;
        flows[i] = flow_table_add(table, &key, flow_table_hash(table, &key), false, FLOW_TCP, 10 + i);
    }
    assert_ptr_equal(flow_table_oldest(table, FLOW_TCP), flows[0]);
    assert_null(flow_table_oldest(table, FLOW_UDP));
    flow_table_touch(table, flows[0], 20);
    assert_ptr_equal(flow_table_oldest(table, FLOW_TCP), flows[1]);
    flow_table_classify(table, flows[1], FLOW_CLOSED, 21);
    assert_ptr_equal(flow_table_oldest(table, FLOW_CLOSED), flows[1]);
    assert_ptr_equal(flow_table_oldest(table, FLOW_TCP), flows[2]);
    flow_table_remove(table, flows[3]); /* from the middle */
    flow_table_remove(table, flows[2]);
    assert_ptr_equal(flow_table_oldest(table, FLOW_TCP), flows[4]);
    flow_table_remove(table, flows[4]);
    flow_table_remove(table, flows[0]);
    assert_null(flow_table_oldest(table, FLOW_TCP));
    table_end(table);
}

static void requests_wait(void **state)
{
    (void)state;
    struct flow_table *table = table_new(100);
    struct pendings *pendings = pendings_new(slab, 7);
    struct flow_key key = ends_of(1, 4)->key;
    struct flow *one = flow_table_add(table, &key, flow_table_hash(table, &key), false, FLOW_TCP, 0);
    key = ends_of(2, 4)->key;
    struct flow *two = flow_table_add(table, &key, flow_table_hash(table, &key), false, FLOW_TCP, 0);
    one->info.number = 1;
    two->info.number = 2;
    for (uint64_t i = 0; i < PENDINGS_PER_FLOW; i++)
        assert_non_null(pendings_add(pendings, one, PROTOCOL_LDAP, i, 10, (int64_t)i));
    assert_null(pendings_add(pendings, one, PROTOCOL_LDAP, 9999, 10, 0));
    assert_non_null(pendings_add(pendings, two, PROTOCOL_LDAP, 5, 100, 300));
    struct pending *five = pendings_find(pendings, one, PROTOCOL_LDAP, 5);
    assert_int_equal(five->since, 5);
    assert_int_equal(pendings_find(pendings, two, PROTOCOL_LDAP, 5)->since, 300);
    assert_null(pendings_find(pendings, two, PROTOCOL_SMB, 5));
    assert_null(pendings_find(pendings, two, PROTOCOL_LDAP, 6));
    pendings_take(pendings, five);
    pendings_free(pendings, five);
    assert_null(pendings_find(pendings, one, PROTOCOL_LDAP, 5));
    struct pending *oldest;
    int64_t before = -1;
    while ((oldest = pendings_oldest(pendings))) {
        assert_true(oldest->since > before);
        before = oldest->since;
        pendings_take(pendings, oldest);
        pendings_free(pendings, oldest);
    }
    assert_null(one->pending);
    assert_int_equal(two->pending_count, 0);
    pendings_destroy(&pendings);
    table_end(table);
}

static void the_slab_counts_and_bounds(void **state)
{
    (void)state;
    slab = slab_new((size_t)4 * 1024 * 1024);
    static void *blocks[20000];
    static uint32_t sizes[20000];
    uint64_t random = 99;
    for (int round = 0; round < 20; round++) {
        size_t count = 0;
        for (; count < 20000; count++) {
            sizes[count] = 1 + random_next(&random) % (random_next(&random) % 50 ? 1000 : 300000);
            blocks[count] = slab_alloc(slab, sizes[count]);
            if (!blocks[count])
                break;
            assert_int_equal((uintptr_t)blocks[count] % _Alignof(max_align_t), 0);
            memset(blocks[count], round, sizes[count]);
            assert_true(slab_usable(sizes[count]) >= sizes[count]);
        }
        assert_true(slab_stats(slab)->held <= (size_t)4 * 1024 * 1024);
        assert_true(slab_stats(slab)->refused > (uint64_t)round);
        for (size_t i = 0; i < count; i++)
            slab_free(slab, blocks[i], sizes[i]);
        assert_int_equal(slab_stats(slab)->used, 0);
    }
    assert_null(slab_alloc(slab, SLAB_BLOCK_MAX + 1));
    uint8_t *zeroed = slab_zalloc(slab, 0);
    assert_non_null(zeroed);
    slab_free(slab, zeroed, 0);
    slab_free(slab, NULL, 7);
    slab_destroy(&slab);
    assert_null(slab);
    slab_destroy(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_in_both_directions),   cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(hashes_are_spread),          cmocka_unit_test(full_tables_refuse),
        cmocka_unit_test(the_oldest_of_a_class),      cmocka_unit_test(requests_wait),
        cmocka_unit_test(the_slab_counts_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
