/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/tcp_address.h"
#include "tests/unit/unit.h"

static void addresses_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
        uint8_t family;
        uint16_t port;
    } cases[] = {
        {"tcp://192.0.2.1:49200", "tcp://192.0.2.1:49200", 4, 49200},
        {"tcp://[2001:DB8:0::1]:1", "tcp://[2001:db8::1]:1", 6, 1},
        {"tcp://[::]:0", "tcp://[::]:0", 6, 0},
        {"tcp://0.0.0.0:65535", "tcp://0.0.0.0:65535", 4, 65535},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tcp_address address;
        struct sockaddr_storage at;
        char text[TCP_ADDRESS_MAX];
        assert_true(tcp_address_parse(&address, cases[i].text));
        assert_int_equal(address.at.address.family, cases[i].family);
        assert_int_equal(address.at.port, cases[i].port);
        assert_string_equal(address.host, "");
        assert_string_equal(tcp_address_text(&address.at, text), cases[i].canonical);
        tcp_address_to(&address.at, &at);
        struct endpoint back = tcp_address_from(&at);
        assert_true(ip_address_equal(&back.address, &address.at.address));
        assert_int_equal(back.port, address.at.port);
    }
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    assert_int_equal(tcp_address_from(&local).address.family, 0);
}

static void names_are_kept_to_be_resolved(void **state)
{
    (void)state;
    struct tcp_address address;
    assert_true(tcp_address_parse(&address, "tcp://Sensor-1.hq_a.example.com:443"));
    assert_string_equal(address.host, "Sensor-1.hq_a.example.com");
    assert_int_equal(address.at.address.family, 0);
    assert_int_equal(address.at.port, 443);
    assert_false(address.any);
    assert_true(tcp_address_parse(&address, "tcp://*:443"));
    assert_true(address.any);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "tcp://",
        "tcp://host",
        "tcp://host:",
        "tcp://:1",
        "tcp://host:65536",
        "tcp://host:99999999999999999999",
        "tcp://host:-1",
        "tcp://host:1 ",
        "tcp://2001:db8::1:1",
        "tcp://[192.0.2.1]:1",
        "tcp://[host]:1",
        "tcp://[]:1",
        "tcp://[*]:1",
        "tcp://ho st:1",
        "tcp://eth0;192.0.2.1:1",
        "tcp://h\xc3\xb6st:1",
        "ipc:///tmp/x:1",
        "TCP://host:1",
    };
    struct tcp_address address;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(tcp_address_parse(&address, wrong[i]));
    char name[400] = "tcp://";
    memset(name + 6, 'a', 254);
    strcpy(name + 6 + 254, ":1");
    assert_false(tcp_address_parse(&address, name));
    strcpy(name + 6 + 253, ":1");
    assert_true(tcp_address_parse(&address, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(names_are_kept_to_be_resolved),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
