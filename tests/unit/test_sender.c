/* SPDX-License-Identifier: Apache-2.0
 *
 * The sender's settings; what it does on a line is tested with real processes
 * (tests/integration/delivery.py).
 */
#include "base/clock.h"
#include "node/sender.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eFF"

static void a_server_is_an_address_and_a_key(void **state)
{
    (void)state;
    struct sender_server server;
    assert_true(sender_server_parse(&server, "center.example.com:49210 " KEY));
    assert_string_equal(server.endpoint, "tcp://center.example.com:49210");
    assert_int_equal(server.key[1], 1);
    assert_int_equal(server.key[31], 0xff);
    assert_true(sender_server_parse(&server, "[2001:db8::1]:49210 \t" KEY));
    static const char *const wrong[] = {
        "",
        "center:49210",
        "center " KEY,
        "center:0 " KEY,
        "*:49210 " KEY,
        ":5 " KEY,
        "center:49210 " KEY "0",
        "center:49210 0" KEY,
        "center:x " KEY,
        KEY,
        "a:1 0011",
        "center:49210 zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sender_server_parse(&server, wrong[i]))
            fail_msg("%s is taken", wrong[i]);
}

static void hours_may_pass_midnight(void **state)
{
    (void)state;
    struct sender_hours hours[2];
    assert_true(sender_hours_parse(&hours[0], "20:00-06:30"));
    assert_true(sender_hours_parse(&hours[1], "12:00-13:00"));
    static const struct {
        unsigned minute;
        bool allowed;
    } cases[] = {{0, true},       {6 * 60 + 29, true}, {6 * 60 + 30, false}, {11 * 60 + 59, false},
                 {12 * 60, true}, {13 * 60, false},    {19 * 60, false},     {20 * 60, true},
                 {23 * 60, true}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(sender_hours_allow(hours, 2, cases[i].minute), cases[i].allowed);
    assert_true(sender_hours_allow(NULL, 0, 5));
    assert_true(sender_hours_parse(&hours[0], "00:00-24:00"));
    assert_true(sender_hours_allow(hours, 1, 23 * 60 + 59));
    static const char *const wrong[] = {"",
                                        "20:00",
                                        "20:00-6:00",
                                        "24:00-01:00",
                                        "20:60-21:00",
                                        "20:00_21:00",
                                        "2a:00-21:00",
                                        "20:00-25:00",
                                        "20:00-21:000"};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sender_hours_parse(&hours[0], wrong[i]))
            fail_msg("%s is taken", wrong[i]);
}

/* Without an identity nothing can be sent: it says so, tries again, and ends at once when it is to. */
static void without_an_identity(void **state)
{
    (void)state;
    struct place place;
    place_open(&place);
    const struct spool_config spool_config = {
        .disk = disk_system(), .directory = place.path, .segments = 2, .segment_bytes = 4096};
    struct fault fault;
    struct spool *spool = spool_open(&spool_config, &fault);
    assert_non_null(spool);
    assert_int_equal(spool_append(spool, SPOOL_ACTIVITIES, 1, (struct bytes){NULL, 0}, true), SPOOL_KEPT);
    struct sender_config config = {
        .disk = disk_system(), .state = place.path, .spool = spool, .window = 1 << 20, .server_count = 2};
    assert_true(sender_server_parse(&config.servers[0], "127.0.0.1:9 " KEY));
    assert_true(sender_server_parse(&config.servers[1], "[::1]:9 " KEY));
    struct sender *sender = sender_start(&config, &fault);
    assert_non_null(sender);
    struct sender_status status;
    int i = 0;
    do {
        usleep(10000);
        sender_status(sender, &status);
    } while (status.failures < 4 && ++i < 6000);
    assert_true(status.failures >= 4);
    assert_true(strstr(status.fault, "identity") != NULL);
    assert_int_equal(status.acknowledged, 0);
    assert_true(status.undelivered > 0);
    assert_false(sender_is_stuck(&status));
    status.undelivered = 6 * CLOCK_MINUTE;
    assert_true(sender_is_stuck(&status));
    assert_string_equal(sender_state_name(SENDER_RESTING), "resting");
    sender_stop(&sender);
    spool_close(&spool);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_is_an_address_and_a_key),
        cmocka_unit_test(hours_may_pass_midnight),
        cmocka_unit_test(without_an_identity),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
