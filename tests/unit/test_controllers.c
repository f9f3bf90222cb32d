/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "sync/controllers.h"

#include <stdio.h>

#define SECOND INT64_C(1000000000)

static struct controller make(const char *host, unsigned tier, unsigned priority, unsigned weight)
{
    struct controller c;
    assert_true(controller_parse(host, &c));
    c.tier = (uint8_t)tier;
    c.priority = (uint16_t)priority;
    c.weight = (uint16_t)weight;
    return c;
}

static void names_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        unsigned port;
    } good[] = {
        {"dc1", "dc1", 0},
        {"DC1.Corp.Example.", "dc1.corp.example", 0},
        {"dc1:3890", "dc1", 3890},
        {"10.1.2.3", "10.1.2.3", 0},
        {"10.1.2.3:636", "10.1.2.3", 636},
        {"::1", "::1", 0},
        {"fe80::1%eth0", "fe80::1%eth0", 0},
        {"[::1]", "::1", 0},
        {"[::1]:389", "::1", 389},
    };
    struct controller c;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(controller_parse(good[i].text, &c));
        assert_string_equal(c.host, good[i].host);
        assert_int_equal(c.port, good[i].port);
    }
    static const char *const bad[] = {"",          ".",    "a b",  "dc1:",   "dc1:x", "dc1:0",
                                      "dc1:70000", "[::1", "[]:1", "[::1]x", "a/b",   ":389"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (controller_parse(bad[i], &c))
            fail_msg("%s was read", bad[i]);
    char large[CONTROLLER_NAME_MAX + 1];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = 0;
    assert_false(controller_parse(large, &c));
}

/* --- DNS --- */

struct packet {
    uint8_t data[1024];
    size_t size;
};

static void put16(struct packet *p, unsigned value)
{
    p->data[p->size++] = (uint8_t)(value >> 8);
    p->data[p->size++] = (uint8_t)value;
}

static void put_name(struct packet *p, const char *name)
{
    while (*name) {
        size_t label = strcspn(name, ".");
        p->data[p->size++] = (uint8_t)label;
        memcpy(p->data + p->size, name, label);
        p->size += label;
        name += label + (name[label] == '.');
    }
    p->data[p->size++] = 0;
}

static void begin_answer(struct packet *p, unsigned records)
{
    *p = (struct packet){0};
    put16(p, 1);
    put16(p, 0x8180);
    put16(p, 1);
    put16(p, records);
    put16(p, 0);
    put16(p, 0);
    put_name(p, "_ldap._tcp.dc._msdcs.corp.example");
    put16(p, 33);
    put16(p, 1);
}

static void put_record(struct packet *p, unsigned type, unsigned priority, unsigned weight, unsigned port,
                       const char *target)
{
    put16(p, 0xc00c); /* the question's name */
    put16(p, type);
    put16(p, 1);
    put16(p, 0);
    put16(p, 600);
    size_t at = p->size;
    put16(p, 0);
    put16(p, priority);
    put16(p, weight);
    put16(p, port);
    put_name(p, target);
    p->data[at] = (uint8_t)((p->size - at - 2) >> 8);
    p->data[at + 1] = (uint8_t)(p->size - at - 2);
}

static void records_are_read(void **state)
{
    (void)state;
    struct packet p;
    begin_answer(&p, 6);
    put_record(&p, 33, 0, 100, 389, "DC1.corp.example");
    put_record(&p, 33, 5, 50, 3389, "dc2.corp.example");
    put_record(&p, 33, 0, 100, 389, "dc1.corp.example"); /* once more */
    put_record(&p, 16, 0, 0, 0, "no-srv");
    put_record(&p, 33, 0, 0, 389, ""); /* "not here", RFC 2782 */
    put_record(&p, 33, 0, 0, 389, "bad name");
    struct controller list[CONTROLLERS_MAX];
    unsigned count = 0;
    controllers_read_answer((struct bytes){p.data, p.size}, 1, list, &count);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].host, "dc1.corp.example");
    assert_int_equal(list[0].port, 0); /* the protocol's own, so that LDAPS takes its */
    assert_int_equal(list[0].weight, 100);
    assert_int_equal(list[0].tier, 1);
    assert_string_equal(list[1].host, "dc2.corp.example");
    assert_int_equal(list[1].port, 3389);
    assert_int_equal(list[1].priority, 5);
    /* Cut anywhere, it gives no more, and nothing outside is read (ASan). */
    for (size_t size = 0; size < p.size; size++) {
        uint8_t *copy = test_malloc(size ? size : 1);
        memcpy(copy, p.data, size);
        count = 0;
        controllers_read_answer((struct bytes){copy, size}, 0, list, &count);
        assert_true(count <= 2);
        test_free(copy);
    }
    /* No more than there is room for. */
    count = 0;
    for (unsigned i = 0; i < 20; i++) {
        begin_answer(&p, 8);
        for (unsigned j = 0; j < 8; j++) {
            char name[32];
            (void)snprintf(name, sizeof name, "dc%u.example", i * 8 + j);
            put_record(&p, 33, 0, 0, 389, name);
        }
        controllers_read_answer((struct bytes){p.data, p.size}, 0, list, &count);
    }
    assert_int_equal(count, CONTROLLERS_MAX);
}

/* --- choice --- */

static void priority_before_weight(void **state)
{
    (void)state;
    struct controllers *c = controllers_new(1);
    struct controller list[] = {make("far", 1, 0, 100), make("late", 0, 9, 100), make("early", 0, 1, 0)};
    int64_t now = 100 * SECOND, again;
    assert_null(controllers_pick(c, now, &again));
    assert_int_equal(again, INT64_MAX);
    controllers_set(c, list, 3);
    assert_int_equal(controllers_count(c), 3);
    static const char *const order[] = {"early", "late", "far"};
    for (int i = 0; i < 3; i++) {
        const struct controller *is = controllers_pick(c, now, &again);
        assert_non_null(is);
        assert_string_equal(is->host, order[i]);
        controllers_failed(c, is, now);
    }
    assert_null(controllers_pick(c, now, &again));
    assert_true(again >= now + SECOND && again <= now + 2 * SECOND);
    controllers_destroy(&c);
    assert_null(c);
}

static void weights_share_the_load(void **state)
{
    (void)state;
    struct controllers *c = controllers_new(42);
    struct controller list[] = {make("none", 0, 0, 0), make("heavy", 0, 0, 300), make("light", 0, 0, 100)};
    controllers_set(c, list, 3);
    unsigned heavy = 0, light = 0, none = 0;
    int64_t now = 0, again;
    for (unsigned i = 0; i < 20000; i++, now += 2 * SECOND) {
        const struct controller *is = controllers_pick(c, now, &again);
        assert_non_null(is);
        heavy += is->host[0] == 'h';
        light += is->host[0] == 'l';
        none += is->host[0] == 'n';
    }
    assert_in_range(heavy, 14400, 15500); /* of 20,000: 3 to 1, and 1 in 401 for the one without a weight */
    assert_in_range(light, 4500, 5500);
    assert_in_range(none, 10, 200);
    /* All without weights: each has its turn. */
    struct controller equal[] = {make("a", 0, 0, 0), make("b", 0, 0, 0)};
    controllers_set(c, equal, 2);
    assert_non_null(controllers_pick(c, now, &again));
    assert_non_null(controllers_pick(c, now, &again));
    assert_null(controllers_pick(c, now, &again));
    controllers_destroy(&c);
}

static void never_twice_in_a_second(void **state)
{
    (void)state;
    struct controllers *c = controllers_new(7);
    struct controller one = make("one", 0, 0, 0);
    controllers_set(c, &one, 1);
    int64_t now = 5 * SECOND, again;
    assert_non_null(controllers_pick(c, now, &again));
    controllers_succeeded(c, &one);
    assert_null(controllers_pick(c, now + SECOND - 1, &again));
    assert_int_equal(again, now + SECOND);
    controllers_set(c, &one, 1); /* DNS says the same again */
    assert_null(controllers_pick(c, now + SECOND - 1, &again));
    assert_non_null(controllers_pick(c, now + SECOND, &again));
    controllers_destroy(&c);
}

static void failures_wait_longer_each_time(void **state)
{
    (void)state;
    struct controllers *c = controllers_new(3);
    struct controller one = make("one", 0, 0, 0), unknown = make("unknown", 0, 0, 0);
    controllers_set(c, &one, 1);
    int64_t now = 0, again, expected = SECOND;
    controllers_failed(c, &unknown, now);
    controllers_succeeded(c, &unknown);
    for (unsigned i = 0; i < 20; i++) {
        assert_non_null(controllers_pick(c, now, &again));
        controllers_failed(c, &one, now);
        assert_null(controllers_pick(c, now, &again));
        int64_t wait = again - now;
        assert_true(wait >= SECOND && wait >= expected - expected / 4 && wait <= expected + expected / 4);
        now = again;
        expected = 2 * expected < CONTROLLER_BACK_OFF_MAX ? 2 * expected : CONTROLLER_BACK_OFF_MAX;
    }
    assert_non_null(controllers_pick(c, now, &again));
    controllers_succeeded(c, &one);
    controllers_failed(c, &one, now);
    assert_null(controllers_pick(c, now, &again));
    assert_true(again - now <= 2 * SECOND); /* from the beginning */
    controllers_destroy(&c);
}

static void one_that_failed_comes_later_for_a_while(void **state)
{
    (void)state;
    struct controllers *c = controllers_new(9);
    struct controller list[] = {make("near", 0, 0, 0), make("far", 1, 0, 0)};
    controllers_set(c, list, 2);
    int64_t now = 0, again;
    assert_string_equal(controllers_pick(c, now, &again)->host, "near");
    controllers_failed(c, &list[0], now);
    now += 60 * SECOND;
    assert_string_equal(controllers_pick(c, now, &again)->host, "far");
    now += 60 * SECOND;
    controllers_set(c, list, 2); /* known as it was */
    assert_string_equal(controllers_pick(c, now, &again)->host, "far");
    now = CONTROLLER_SUSPECT_PERIOD;
    assert_string_equal(controllers_pick(c, now, &again)->host, "near");
    /* Far more than there is room for is cut. */
    struct controller many[CONTROLLERS_MAX + 5];
    for (unsigned i = 0; i < CONTROLLERS_MAX + 5; i++) {
        many[i] = list[0];
        many[i].port = (uint16_t)(i + 1);
    }
    controllers_set(c, many, CONTROLLERS_MAX + 5);
    assert_int_equal(controllers_count(c), CONTROLLERS_MAX);
    controllers_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read),
        cmocka_unit_test(records_are_read),
        cmocka_unit_test(priority_before_weight),
        cmocka_unit_test(weights_share_the_load),
        cmocka_unit_test(never_twice_in_a_second),
        cmocka_unit_test(failures_wait_longer_each_time),
        cmocka_unit_test(one_that_failed_comes_later_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
