/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of connections that came to nothing.
 */
#include "capture/attempts.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

struct told {
    unsigned count;
    struct attempts last;
};

static void note(void *context, const struct attempts *attempts)
{
    struct told *told = context;
    told->count++;
    told->last = *attempts;
}

static struct ip_address host(uint32_t number)
{
    struct ip_address address = {.family = 4};
    memcpy(address.bytes, &number, sizeof number);
    return address;
}

struct scene {
    struct attempts_table *table;
    struct told told;
};

static struct scene open_scene(void)
{
    struct scene s = {.table = calloc(1, sizeof *s.table)};
    assert_non_null(s.table);
    attempts_init(s.table, 7);
    return s;
}

static void attempt(struct scene *s, uint32_t from, uint32_t to, uint16_t port, bool refused, int64_t time)
{
    struct ip_address source = host(from), destination = host(to);
    attempts_add(s->table, &source, &destination, port, refused, time, note, &s->told);
}

static void test_scan(void **state)
{
    (void)state;
    struct scene s = open_scene();
    for (uint16_t port = 1; port <= 12; port++)
        attempt(&s, 1, 2, port, port != 5, 100 * SECOND + port);
    assert_int_equal(s.told.count, 0);
    attempts_expire(s.table, 100 * SECOND, note, &s.told);
    assert_int_equal(s.told.count, 0);
    attempts_expire(s.table, 200 * SECOND, note, &s.told);
    assert_int_equal(s.told.count, 1);
    assert_int_equal(s.told.last.refused, 11);
    assert_int_equal(s.told.last.unanswered, 1);
    assert_int_equal(s.told.last.ports_count, 12);
    assert_int_equal(s.told.last.ports[4], 5);
    assert_int_equal(s.told.last.last - s.told.last.first, 11);
    /* It is told once. */
    attempts_expire(s.table, INT64_MAX, note, &s.told);
    assert_int_equal(s.told.count, 1);
    free(s.table);
}

/* A service that is down is asked again and again, at the same port. */
static void test_same_port(void **state)
{
    (void)state;
    struct scene s = open_scene();
    for (int i = 0; i < 1000; i++)
        attempt(&s, 1, 2, 445, true, SECOND + i);
    for (uint16_t port = 1; port <= ATTEMPTS_PORTS_SCAN; port++)
        attempt(&s, port, 2, port, true, SECOND);
    attempts_expire(s.table, INT64_MAX, note, &s.told);
    assert_int_equal(s.told.count, 0);
    free(s.table);
}

static void test_many_ports(void **state)
{
    (void)state;
    struct scene s = open_scene();
    for (unsigned port = 1; port <= 5000; port++)
        attempt(&s, 1, 2, (uint16_t)port, false, SECOND);
    attempts_expire(s.table, INT64_MAX, note, &s.told);
    assert_int_equal(s.told.count, 1);
    assert_int_equal(s.told.last.unanswered, 5000);
    assert_int_equal(s.told.last.ports_count, ATTEMPTS_PORTS);
    free(s.table);
}

/* A flood of made-up sources pushes sums out of the table: scans are told then, and no sum is told of the
 * rest. */
static void test_flood(void **state)
{
    (void)state;
    struct scene s = open_scene();
    for (uint16_t port = 1; port <= 20; port++)
        attempt(&s, 1, 2, port, true, SECOND);
    for (uint32_t source = 1000; source < 101000; source++)
        attempt(&s, source, 2, 445, true, 2 * SECOND + source);
    attempts_expire(s.table, INT64_MAX, note, &s.told);
    assert_int_equal(s.told.count, 1);
    assert_int_equal(s.told.last.refused, 20);
    struct ip_address scanner = host(1);
    assert_true(ip_address_equal(&s.told.last.source, &scanner));
    free(s.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_same_port),
        cmocka_unit_test(test_many_ports),
        cmocka_unit_test(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
