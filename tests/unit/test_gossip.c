/* SPDX-License-Identifier: Apache-2.0
 *
 * How news spreads, and how what was lost is repaired. The wire's messages, byte for byte.
 */
#include "cluster/core.h"
#include "tests/unit/memory_fleet.h"
#include "tests/unit/unit.h"

/* --- messages --- */

static struct msgpack_writer begin(void *buffer, size_t capacity, enum wire_type type, uint32_t pairs)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, capacity);
    msgpack_put_map(&w, 2 + pairs);
    msgpack_put_uint(&w, WIRE_KEY_VERSION);
    msgpack_put_uint(&w, WIRE_VERSION);
    msgpack_put_uint(&w, WIRE_KEY_TYPE);
    msgpack_put_uint(&w, type);
    return w;
}

static void unknown_keys_are_skipped(void **state)
{
    (void)state;
    uint8_t buffer[256];
    struct msgpack_writer w = begin(buffer, sizeof buffer, WIRE_SYNC, 3);
    msgpack_put_uint(&w, 777);
    msgpack_put_array(&w, 2);
    msgpack_put_text(&w, "later");
    msgpack_put_map(&w, 1);
    msgpack_put_uint(&w, 1);
    msgpack_put_nil(&w);
    msgpack_put_uint(&w, WIRE_KEY_STAMP);
    msgpack_put_uint(&w, 42);
    msgpack_put_uint(&w, 40);
    msgpack_put_double(&w, 1.5);
    struct wire wire;
    assert_true(wire_read(&wire, (struct bytes){w.data, w.size}));
    assert_int_equal(wire.stamp, 42);
    assert_true(wire_has(&wire, WIRE_KEY_STAMP));
    assert_false(wire_has(&wire, WIRE_KEY_ECHO));
    for (size_t cut = 0; cut < w.size; cut++)
        assert_false(wire_read(&wire, (struct bytes){w.data, cut}));
    w.data[w.size] = 0xc0;
    assert_false(wire_read(&wire, (struct bytes){w.data, w.size + 1})); /* something behind the end */
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum wire_key key;
        size_t size;
    } bad[] = {
        {WIRE_KEY_HEARTBEATS, 27}, {WIRE_KEY_DIGEST, 8},   {WIRE_KEY_BUCKETS, 511}, {WIRE_KEY_ITEMS, 4},
        {WIRE_KEY_ITEMS, 9},       {WIRE_KEY_WANTED, 9},   {WIRE_KEY_OVERDUE, 8},   {WIRE_KEY_NODE, 15},
        {WIRE_KEY_RECORDS, 1},     {WIRE_KEY_SEQUENCE, 4}, {WIRE_KEY_DOMAIN, 4},    {WIRE_KEY_STAMP, 1},
        {WIRE_KEY_VERSION, 1},
    };
    uint8_t buffer[1024];
    static const uint8_t zeros[600];
    struct wire wire;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct msgpack_writer w = begin(buffer, sizeof buffer, WIRE_SYNC, 1);
        msgpack_put_uint(&w, bad[i].key);
        msgpack_put_binary(&w, zeros, bad[i].size);
        assert_false(wire_read(&wire, (struct bytes){w.data, w.size}));
    }
    struct msgpack_writer w = begin(buffer, sizeof buffer, WIRE_SYNC, 1);
    msgpack_put_uint(&w, WIRE_KEY_SEQUENCE);
    msgpack_put_uint(&w, UINT64_C(1) << 32);
    assert_false(wire_read(&wire, (struct bytes){w.data, w.size}));
    w = begin(buffer, sizeof buffer, WIRE_SYNC, 1);
    msgpack_put_text(&w, "no number");
    msgpack_put_nil(&w);
    assert_false(wire_read(&wire, (struct bytes){w.data, w.size}));
    w = begin(buffer, sizeof buffer, WIRE_SYNC, 1);
    msgpack_put_uint(&w, WIRE_KEY_CLAIMS);
    msgpack_put_array(&w, 1);
    msgpack_put_uint(&w, 3);
    assert_false(wire_read(&wire, (struct bytes){w.data, w.size}));
    assert_false(wire_read(&wire, (struct bytes){(const uint8_t *)"\x81\x00\x01", 3})); /* no type */
}

static void the_short_way_reads_what_the_long_one_does(void **state)
{
    (void)state;
    static uint8_t buffer[16384], entries[500 * HEARTBEAT_SIZE];
    for (size_t count = 1; count < 500; count += count < 12 ? 1 : 61) {
        struct msgpack_writer w = begin(buffer, sizeof buffer, WIRE_GOSSIP, 1);
        msgpack_put_uint(&w, WIRE_KEY_HEARTBEATS);
        msgpack_put_binary(&w, entries, count * HEARTBEAT_SIZE);
        struct bytes heartbeats = wire_heartbeats((struct bytes){w.data, w.size});
        struct wire wire;
        assert_true(wire_read(&wire, (struct bytes){w.data, w.size}));
        assert_ptr_equal(heartbeats.data, wire.heartbeats.data);
        assert_int_equal(heartbeats.size, count * HEARTBEAT_SIZE);
        assert_int_equal(wire_heartbeats((struct bytes){w.data, w.size - 1}).size, 0);
        assert_int_equal(wire_heartbeats((struct bytes){w.data, w.size + 1}).size, 0);
    }
    assert_int_equal(wire_heartbeats((struct bytes){(const uint8_t *)"\x83", 1}).size, 0);
    assert_int_equal(wire_heartbeats((struct bytes){(const uint8_t *)"\x83\0\1\1\0\2\xc4\0", 8}).size, 0);
    assert_int_equal(wire_heartbeats((struct bytes){(const uint8_t *)"\x83\0\1\1\0\2\xc6\0", 8}).size, 0);
}

/* One message of each kind, as a small fleet said it: read, and written again from what was read, each is the
 * same byte for byte; and what a fleet says now has the same keys. PICKET_GOLDEN_UPDATE=1 writes them anew.
 */
#define KINDS 12u

static const char *const kind_names[KINDS] = {
    "gossip-heartbeats", "gossip-records", "gossip-claims", "gossip-policy", "sync-request", "sync-answer",
    "sync-items",        "sync-records",   "link-request",  "link-accept",   "link-close",   "link-ping",
};

struct golden {
    uint8_t *messages[KINDS];
    size_t sizes[KINDS];
};

static int kind_of(const struct wire *wire)
{
    switch (wire->type) {
    case WIRE_GOSSIP:
        return wire_has(wire, WIRE_KEY_POLICY)    ? 3
               : wire_has(wire, WIRE_KEY_CLAIMS)  ? 2
               : wire_has(wire, WIRE_KEY_RECORDS) ? 1
                                                  : 0;
    case WIRE_SYNC:
        return wire_has(wire, WIRE_KEY_STAMP)     ? 4
               : wire_has(wire, WIRE_KEY_ECHO)    ? 5
               : wire_has(wire, WIRE_KEY_ITEMS)   ? 6
               : wire_has(wire, WIRE_KEY_RECORDS) ? 7
                                                  : -1;
    case WIRE_LINK:
        return wire->link == 1 ? 8 : wire->link == 2 ? 9 : wire->link == 4 ? 10 : wire->link == 5 ? 11 : -1;
    default:
        return -1;
    }
}

static void keep_first(struct fleet *f, unsigned from, unsigned to, struct bytes message)
{
    (void)from;
    (void)to;
    struct golden *golden = f->context;
    struct wire wire;
    assert_true(wire_read(&wire, message));
    assert_int_equal(wire.version, WIRE_VERSION);
    assert_true(message.size <= CLUSTER_MESSAGE_MAX);
    int kind = kind_of(&wire);
    if (kind < 0 || golden->messages[kind])
        return;
    golden->messages[kind] = malloc(message.size);
    memcpy(golden->messages[kind], message.data, message.size);
    golden->sizes[kind] = message.size;
}

static bool only_others(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    return from != 2 && to != 2;
}

static void put_number(struct msgpack_writer *w, const struct wire *wire, enum wire_key key, uint64_t value)
{
    if (!wire_has(wire, key))
        return;
    msgpack_put_uint(w, key);
    msgpack_put_uint(w, value);
}

static void put_run(struct msgpack_writer *w, const struct wire *wire, enum wire_key key, struct bytes run)
{
    if (!wire_has(wire, key))
        return;
    msgpack_put_uint(w, key);
    msgpack_put_binary(w, run.data, run.size);
}

static void put_runs(struct msgpack_writer *w, const struct wire *wire, enum wire_key key,
                     struct cursor items, uint32_t count)
{
    if (!wire_has(wire, key))
        return;
    msgpack_put_uint(w, key);
    msgpack_put_array(w, count);
    while (count) {
        struct bytes item = wire_next(&items, &count);
        msgpack_put_binary(w, item.data, item.size);
    }
}

/* The keys ascend. */
static size_t write_again(const struct wire *wire, void *buffer, size_t capacity)
{
    struct msgpack_writer w =
        begin(buffer, capacity, (enum wire_type)wire->type, (uint32_t)__builtin_popcount(wire->present) - 2);
    put_run(&w, wire, WIRE_KEY_HEARTBEATS, wire->heartbeats);
    put_runs(&w, wire, WIRE_KEY_RECORDS, wire->records, wire->record_count);
    put_runs(&w, wire, WIRE_KEY_CLAIMS, wire->claims, wire->claim_count);
    put_run(&w, wire, WIRE_KEY_POLICY, wire->policy);
    put_run(&w, wire, WIRE_KEY_DIGEST, wire->digest);
    put_run(&w, wire, WIRE_KEY_BUCKETS, wire->buckets);
    put_run(&w, wire, WIRE_KEY_ITEMS, wire->items);
    put_run(&w, wire, WIRE_KEY_WANTED, wire->wanted);
    put_run(&w, wire, WIRE_KEY_OVERDUE, wire->overdue);
    put_number(&w, wire, WIRE_KEY_SEQUENCE, wire->sequence);
    put_number(&w, wire, WIRE_KEY_STAMP, wire->stamp);
    put_number(&w, wire, WIRE_KEY_ECHO, wire->echo);
    put_number(&w, wire, WIRE_KEY_LINK, wire->link);
    put_number(&w, wire, WIRE_KEY_DEGREE, wire->degree);
    put_number(&w, wire, WIRE_KEY_MORE, wire->more);
    put_run(&w, wire, WIRE_KEY_AGES, wire->ages);
    return w.full ? 0 : w.size;
}

static struct bytes golden_file(const char *name, const uint8_t *write, size_t size)
{
    static uint8_t bytes[CLUSTER_MESSAGE_MAX];
    char path[512];
    snprintf(path, sizeof path, "%s/cluster/%s.msgpack", PICKET_TEST_DATA, name);
    FILE *file = fopen(path, write ? "wb" : "rb");
    assert_non_null(file);
    if (write)
        assert_int_equal(fwrite(write, 1, size, file), size);
    else
        size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return (struct bytes){bytes, size};
}

static void golden_messages(void **state)
{
    (void)state;
    struct golden golden = {.sizes = {0}};
    struct fleet *f = fleet_new(
        &(struct fleet_options){.count = 4, .candidates = 3, .sites = 2, .seed = 23, .strangers = true});
    f->observe = keep_first;
    f->context = &golden;
    fleet_start_all(f);
    fleet_event(f, 0,
                (struct cluster_event){.type = CLUSTER_DIRECTORY,
                                       .directory = {.domain = FLEET_DOMAIN, .reachable = true}});
    fleet_run(f, 400000);
    fleet_revoke(f, 1, (unsigned[]){3}, 1);
    f->passes = only_others; /* its neighbours ask */
    fleet_run(f, 100000);
    fleet_leave(f, 0);
    for (unsigned i = 0; i < KINDS; i++) {
        if (!golden.messages[i])
            fail_msg("no %s was sent", kind_names[i]);
        if (getenv("PICKET_GOLDEN_UPDATE"))
            golden_file(kind_names[i], golden.messages[i], golden.sizes[i]);
        struct bytes stored = golden_file(kind_names[i], NULL, 0);
        struct wire then, now;
        assert_true(wire_read(&then, stored));
        assert_int_equal(kind_of(&then), i);
        static uint8_t again[CLUSTER_MESSAGE_MAX];
        assert_int_equal(write_again(&then, again, sizeof again), stored.size);
        assert_bytes_equal(again, stored.data, stored.size);
        assert_true(wire_read(&now, (struct bytes){golden.messages[i], golden.sizes[i]}));
        assert_int_equal(write_again(&now, again, sizeof again), golden.sizes[i]);
        assert_bytes_equal(again, golden.messages[i], golden.sizes[i]);
        free(golden.messages[i]);
    }
    fleet_destroy(&f);
}

/* --- merging --- */

/* Records of three members in many revisions, told in any order, doubled: the end is the same. */
static void merging_commutes(void **state)
{
    (void)state;
    enum { MEMBERS = 5, LIVES = 4, ALL = MEMBERS * LIVES * 2 };
    struct fleet *f = fleet_new(&(struct fleet_options){.count = MEMBERS + 1, .candidates = 2, .seed = 24});
    static uint8_t records[ALL][RECORD_MAX_SIZE];
    size_t sizes[ALL], count = 0;
    for (unsigned life = 0; life < LIVES; life++) {
        for (unsigned i = 0; i < MEMBERS; i++) {
            if (life == 2)
                f->nodes[i].disk_size = 0; /* a second record of the same incarnation */
            fleet_start(f, i);
            struct cluster_member_view view;
            for (unsigned revision = 0; revision < 2; revision++) {
                assert_true(cluster_member_at(f->nodes[i].core, 0, &view));
                memcpy(records[count], view.encoded.data, view.encoded.size);
                sizes[count++] = view.encoded.size;
                fleet_event(f, i,
                            (struct cluster_event){.type = CLUSTER_CANDIDATE,
                                                   .command = {.domain = FLEET_DOMAIN, .on = life % 2}});
            }
            fleet_kill(f, i);
        }
    }
    assert_int_equal(count, ALL);
    uint64_t digest = 0;
    for (unsigned order = 0; order < 60; order++) {
        cluster_destroy(&f->nodes[MEMBERS].core);
        fleet_make(f, MEMBERS);
        /* Some are known before the start, the rest comes over the wire; all at least once. */
        size_t sequence[3 * ALL], n = 0;
        for (size_t i = 0; i < ALL; i++)
            sequence[n++] = i;
        while (n < 2 * ALL)
            sequence[n++] = fleet_random(f) % ALL;
        for (size_t i = n - 1; i > 0; i--) {
            size_t j = fleet_random(f) % (i + 1), swap = sequence[i];
            sequence[i] = sequence[j];
            sequence[j] = swap;
        }
        size_t before = fleet_random(f) % n;
        for (size_t i = 0; i < n; i++) {
            size_t r = sequence[i];
            if (i < before) {
                cluster_learn(f->nodes[MEMBERS].core, (struct bytes){records[r], sizes[r]});
                continue;
            }
            if (i == before)
                fleet_start(f, MEMBERS);
            static uint8_t buffer[8192];
            struct msgpack_writer w = begin(buffer, sizeof buffer, WIRE_GOSSIP, 1);
            msgpack_put_uint(&w, WIRE_KEY_RECORDS);
            msgpack_put_array(&w, 1);
            msgpack_put_binary(&w, records[r], sizes[r]);
            fleet_receive(f, MEMBERS, 0, (struct bytes){w.data, w.size});
            fleet_run(f, 1100); /* time for the budget of changes, of nothing else */
            if (i % 10 == 9)
                fleet_run(f, 60000);
        }
        /* Its own record differs with each start: what the others say is compared. */
        uint64_t others = cluster_digest(f->nodes[MEMBERS].core);
        struct cluster *core = f->nodes[MEMBERS].core;
        others = 0;
        for (uint32_t i = 1; i < core->members.count; i++)
            others ^= core->members.table[i].record->hash;
        assert_int_equal(core->members.count, MEMBERS + 1);
        if (order == 0)
            digest = others;
        assert_true(others == digest);
        fleet_kill(f, MEMBERS);
    }
    fleet_destroy(&f);
}

/* --- spreading --- */

static unsigned knowing(const struct fleet *f, uint64_t version)
{
    unsigned count = 0;
    for (unsigned i = 0; i < f->options.count; i++)
        count += fleet_status(f, i).policy_version == version;
    return count;
}

static int64_t time_to_tell(struct fleet *f, unsigned count)
{
    int64_t start = f->now;
    fleet_revoke(f, 1, NULL, 0);
    while (knowing(f, f->policy_version) < count && f->now < start + 120000)
        fleet_run(f, 20);
    return f->now - start;
}

static void news_is_fast(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){
        .count = 300, .candidates = 10, .seed = 25, .sensors_silent = true, .latency = 10, .jitter = 20});
    fleet_start_all(f);
    fleet_run(f, 120000);
    assert_true(fleet_converged(f));
    assert_true(time_to_tell(f, 297) <= 2000);
    fleet_run(f, 30000);
    f->options.loss = 30;
    assert_true(time_to_tell(f, 297) <= 5000);
    fleet_run(f, 60000);
    assert_int_equal(knowing(f, f->policy_version), 300);
    fleet_destroy(&f);
}

static bool first_half(const struct fleet *f, unsigned from, unsigned to)
{
    return (from < f->options.count / 2) == (to < f->options.count / 2);
}

/* A fleet that was in two parts comes together again: what either side learnt, the other has soon. */
static void parts_come_together(void **state)
{
    (void)state;
    for (unsigned sites = 1; sites <= 2; sites++) {
        struct fleet *f =
            fleet_new(&(struct fleet_options){.count = 40, .candidates = 12, .sites = 1, .seed = 26 + sites});
        fleet_start_all(f);
        fleet_run(f, 120000);
        f->passes = first_half;
        fleet_run(f, 600000);
        for (unsigned i = 0; i < 40; i++)
            assert_int_equal(fleet_status(f, i).offline, 20);
        fleet_kill(f, 3);
        fleet_start(f, 3);
        fleet_kill(f, 33);
        fleet_start(f, 33);
        fleet_revoke(f, 2, (unsigned[]){39}, 1);
        fleet_run(f, 60000);
        assert_false(fleet_converged(f));
        f->passes = NULL;
        fleet_kill(f, 39);
        fleet_run(f, 120000);
        assert_true(fleet_converged(f));
        for (unsigned i = 0; i < 39; i++)
            assert_int_equal(fleet_status(f, i).online, 39);
        fleet_destroy(&f);
    }
}

/* Thousands of records, more than a message holds, to one that knows nobody. */
static void a_newcomer_learns_all(void **state)
{
    (void)state;
    struct fleet *f =
        fleet_new(&(struct fleet_options){.count = 700, .candidates = 5, .seed = 29, .sensors_silent = true});
    for (unsigned i = 0; i + 1 < 700; i++)
        fleet_start(f, i);
    fleet_run(f, 60000);
    cluster_destroy(&f->nodes[699].core);
    fleet_make(f, 699);
    fleet_learn(f, 699, 7);
    fleet_start(f, 699);
    fleet_run(f, 15000);
    assert_int_equal(cluster_member_count(f->nodes[699].core), 700);
    assert_true(fleet_converged(f));
    fleet_destroy(&f);
}

/* One message in ten is lost for a day: nobody is called offline who is not. */
static void no_false_offline(void **state)
{
    (void)state;
    static const unsigned sizes[] = {2, 3, 8, 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fleet *f = fleet_new(
            &(struct fleet_options){.count = sizes[i], .candidates = 2, .seed = 30 + i, .loss = 10});
        fleet_start_all(f);
        fleet_run(f, 86400000);
        assert_int_equal(fleet_notices(f, NOTICE_MEMBER_OFFLINE), 0);
        assert_int_equal(fleet_notices(f, NOTICE_HOSTILE), 0);
        assert_true(fleet_converged(f));
        fleet_destroy(&f);
    }
}

/* The traffic at rest, with what a message costs below. */
static void traffic_at_rest(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 100, .candidates = 100, .seed = 40});
    fleet_start_all(f);
    fleet_run(f, 300000);
    uint64_t messages = f->messages, bytes = f->bytes;
    fleet_run(f, 300000);
    uint64_t rate = (f->bytes - bytes + 100 * (f->messages - messages)) / 300 / 100;
    assert_true(rate < 2000);
    fleet_destroy(&f);
}

/* Who cannot be heard does not claim the support of those whom it hears. */
static bool mute_three(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    (void)to;
    return from != 3;
}

static void the_mute_have_no_support(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 4, .candidates = 4, .seed = 41});
    fleet_start_all(f);
    fleet_run(f, 120000);
    assert_int_equal(fleet_status(f, 3).support, 3);
    f->passes = mute_three;
    fleet_run(f, 85000);
    assert_int_equal(fleet_status(f, 3).support, 0);
    assert_int_equal(fleet_status(f, 0).support, 2);
    fleet_destroy(&f);
}

/* What others heard long before this process lived is not younger than this process. */
static void the_dead_do_not_support_whoever_has_just_started(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 5, .candidates = 5, .seed = 48});
    fleet_start_all(f);
    fleet_run(f, 120000);
    for (unsigned i = 2; i < 5; i++)
        fleet_kill(f, i);
    fleet_run(f, 600000);
    fleet_kill(f, 0);
    fleet_run(f, 2000);
    fleet_start(f, 0);
    for (unsigned second = 0; second < 60; second++) {
        fleet_run(f, 1000);
        assert_true(fleet_status(f, 0).support <= 1);
    }
    assert_int_equal(fleet_status(f, 0).support, 1);
    fleet_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys_are_skipped),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(the_short_way_reads_what_the_long_one_does),
        cmocka_unit_test(golden_messages),
        cmocka_unit_test(merging_commutes),
        cmocka_unit_test(news_is_fast),
        cmocka_unit_test(parts_come_together),
        cmocka_unit_test(a_newcomer_learns_all),
        cmocka_unit_test(no_false_offline),
        cmocka_unit_test(traffic_at_rest),
        cmocka_unit_test(the_mute_have_no_support),
        cmocka_unit_test(the_dead_do_not_support_whoever_has_just_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
