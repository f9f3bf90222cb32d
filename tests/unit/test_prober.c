/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "naming/prober.h"

static struct ip_address address_of(const char *text)
{
    struct ip_address address;
    assert_true(ip_address_parse(text, &address));
    return address;
}

static struct prober *open_prober(uint32_t rate, uint32_t waiting_max, uint32_t addresses_max)
{
    static struct prober_network networks[2];
    struct prober_config config;
    prober_config_init(&config);
    assert_true(ip_prefix_parse("10.0.0.0/8", &networks[0].network, &networks[0].bits));
    assert_true(ip_prefix_parse("fd00::/8", &networks[1].network, &networks[1].bits));
    config.networks = networks;
    config.network_count = 2;
    config.methods[NAME_BY_NTLM] = config.methods[NAME_BY_DNS] = true;
    config.rate = rate;
    config.waiting_max = waiting_max;
    config.addresses_max = addresses_max;
    struct prober *prober = prober_new(&config);
    assert_non_null(prober);
    return prober;
}

static void end_all(struct prober *prober, const struct ip_address *address, bool named)
{
    assert_false(prober_end(prober, address, NAME_BY_NTLM, named));
    assert_false(prober_end(prober, address, NAME_BY_NTLM, named)); /* twice counts once */
    assert_true(prober_end(prober, address, NAME_BY_DNS, false));
}

/* Whatever comes of it, an address is asked once in ten minutes. */
static void once_in_ten_minutes(void **state)
{
    (void)state;
    struct prober *prober = open_prober(10, 8, 64);
    struct ip_address address = address_of("10.1.2.3"), next;
    int64_t now = 5 * CLOCK_SECOND;
    assert_int_equal(prober_ask(prober, &address, now), PROBER_QUEUED);
    assert_int_equal(prober_ask(prober, &address, now), PROBER_JOINED);
    assert_true(prober_next(prober, now, &next));
    assert_true(ip_address_equal(&next, &address));
    assert_false(prober_next(prober, now + CLOCK_SECOND, &next));
    assert_int_equal(prober_ask(prober, &address, now), PROBER_JOINED);
    end_all(prober, &address, true);
    assert_int_equal(prober_ask(prober, &address, now + 10 * CLOCK_MINUTE - 1), PROBER_RECENT);
    assert_int_equal(prober_ask(prober, &address, now + 10 * CLOCK_MINUTE), PROBER_QUEUED);
    struct prober_counters counters;
    prober_counters(prober, &counters);
    assert_int_equal(counters.addresses, 1);
    assert_int_equal(counters.methods[NAME_BY_NTLM].named, 1);
    assert_int_equal(counters.methods[NAME_BY_DNS].named, 0);
    assert_int_equal(counters.methods[NAME_BY_RDP].asked, 0);
    prober_destroy(&prober);
}

static void strangers_are_left_alone(void **state)
{
    (void)state;
    static const char *const strangers[] = {"192.0.2.1",       "8.8.8.8", "224.0.0.1",
                                            "255.255.255.255", "0.0.0.0", "2001:db8::1",
                                            "ff02::1",         "::",      "11.0.0.0"};
    struct prober *prober = open_prober(10, 8, 64);
    for (unsigned i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        struct ip_address address = address_of(strangers[i]);
        assert_int_equal(prober_ask(prober, &address, 0), PROBER_OUTSIDE);
    }
    struct ip_address nobody = {0}, ours = address_of("fd12::1");
    assert_int_equal(prober_ask(prober, &nobody, 0), PROBER_OUTSIDE);
    assert_int_equal(prober_ask(prober, &ours, 0), PROBER_QUEUED);
    prober_destroy(&prober);
}

/* Ten thousand addresses arrive in a second: no more than the rate leave, no more than PROBER_AT_ONCE at a
 * time, and no table grows. */
static void a_flood_is_bounded(void **state)
{
    (void)state;
    struct prober *prober = open_prober(10, 100, 1000);
    unsigned queued = 0, later = 0, asked = 0, open = 0;
    struct ip_address address = address_of("10.0.0.0"), next, opened[PROBER_AT_ONCE];
    for (unsigned i = 1; i <= 10000; i++) {
        address.bytes[2] = (uint8_t)(i >> 8);
        address.bytes[3] = (uint8_t)i;
        enum prober_admitted admitted = prober_ask(prober, &address, 0);
        queued += admitted == PROBER_QUEUED;
        later += admitted == PROBER_LATER;
    }
    assert_int_equal(queued, 1 + 3 * 10); /* whose turn comes within 3 s */
    assert_int_equal(queued + later, 100);
    for (int64_t now = 0; now < 20 * CLOCK_SECOND; now += CLOCK_SECOND / 100) {
        if (now > 9 * CLOCK_SECOND && open > 0)
            end_all(prober, &opened[--open], false);
        if (!prober_next(prober, now, &next))
            continue;
        asked++;
        opened[open++] = next;
        assert_in_range(asked, 1, now / CLOCK_SECOND * 10 + 11);
        assert_true(now > 9 * CLOCK_SECOND || asked <= PROBER_AT_ONCE);
    }
    assert_int_equal(asked, 100);
    while (open > 0)
        end_all(prober, &opened[--open], false);
    assert_true(prober_due(prober, 20 * CLOCK_SECOND) == INT64_MAX);
    prober_destroy(&prober);
}

/* Nobody waits for an answer that comes too late; once its turn is near, it is waited for. */
static void the_last_of_many_is_not_waited_for(void **state)
{
    (void)state;
    struct prober *prober = open_prober(10, 100, 1000);
    struct ip_address address = address_of("10.0.0.0"), next;
    for (unsigned i = 1; i <= 50; i++) {
        address.bytes[3] = (uint8_t)i;
        prober_ask(prober, &address, 0);
    }
    assert_int_equal(prober_ask(prober, &address, 0), PROBER_LATER);
    for (int64_t now = 0; now <= 2 * CLOCK_SECOND; now += CLOCK_SECOND / 10) {
        assert_true(prober_next(prober, now, &next));
        end_all(prober, &next, false);
    }
    assert_int_equal(prober_ask(prober, &address, 2 * CLOCK_SECOND), PROBER_JOINED);
    prober_destroy(&prober);
}

/* A full memory makes room of those whose ten minutes are over, of no others. */
static void memory_is_used_again(void **state)
{
    (void)state;
    struct prober *prober = open_prober(1000, 100, 4);
    struct ip_address address = address_of("10.0.0.0"), next;
    for (unsigned i = 1; i <= 4; i++) {
        address.bytes[3] = (uint8_t)i;
        assert_int_equal(prober_ask(prober, &address, 0), PROBER_QUEUED);
    }
    address.bytes[3] = 5;
    assert_int_equal(prober_ask(prober, &address, 0), PROBER_FULL);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(prober_next(prober, i * CLOCK_SECOND, &next));
        end_all(prober, &next, false);
    }
    assert_int_equal(prober_ask(prober, &address, CLOCK_MINUTE), PROBER_FULL);
    assert_int_equal(prober_ask(prober, &address, 11 * CLOCK_MINUTE), PROBER_QUEUED);
    prober_destroy(&prober);
}

/* A method that hardly anybody answers is told of; what was hours ago does not count. */
static void success_is_told_of_lately(void **state)
{
    (void)state;
    struct prober *prober = open_prober(1000, 100, 1000);
    struct prober_counters counters;
    struct ip_address address = address_of("10.0.0.0"), next;
    int64_t now = 0;
    for (unsigned i = 1; i <= 40; i++, now += CLOCK_SECOND) {
        address.bytes[3] = (uint8_t)i;
        prober_ask(prober, &address, now);
        assert_true(prober_next(prober, now, &next));
        end_all(prober, &next, i % 5 == 0);
    }
    prober_counters(prober, &counters);
    assert_false(prober_method_fails(&counters.methods[NAME_BY_NTLM]));
    assert_true(prober_method_fails(&counters.methods[NAME_BY_DNS]));
    assert_false(prober_method_fails(&counters.methods[NAME_BY_RDP]));
    now += 4 * CLOCK_HOUR;
    address.bytes[3] = 200;
    prober_ask(prober, &address, now);
    assert_true(prober_next(prober, now, &next));
    prober_counters(prober, &counters);
    assert_int_equal(counters.methods[NAME_BY_DNS].lately_asked, 1);
    assert_int_equal(counters.methods[NAME_BY_DNS].asked, 41);
    assert_false(prober_method_fails(&counters.methods[NAME_BY_DNS]));
    prober_destroy(&prober);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_in_ten_minutes),  cmocka_unit_test(strangers_are_left_alone),
        cmocka_unit_test(a_flood_is_bounded),   cmocka_unit_test(the_last_of_many_is_not_waited_for),
        cmocka_unit_test(memory_is_used_again), cmocka_unit_test(success_is_told_of_lately),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
