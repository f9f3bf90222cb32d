/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/address.h"
#include "tests/unit/unit.h"

/* Written as in the second column: RFC 5952 sections 1, 2 and 4, and the edges of the runs of zeros. */
static const struct {
    const char *given;
    const char *text;
} forms[] = {
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"10.1.200.30", "10.1.200.30"},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
    {"2001:DB8::aAaA", "2001:db8::aaaa"},
    {"fe80::0102:304:5:0", "fe80::102:304:5:0"},
    {"0:0:1:0:0:1:0:0", "::1:0:0:1:0:0"},
    {"1:0:0:0:0:0:0:0", "1::"},
    {"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
    {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

static void writes_the_canonical_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct ip_address address;
        char text[IP_ADDRESS_TEXT_MAX];
        assert_true(ip_address_parse(forms[i].given, &address));
        assert_string_equal(ip_address_text(&address, text), forms[i].text);
    }
    char text[IP_ADDRESS_TEXT_MAX] = "x";
    assert_string_equal(ip_address_text(&(struct ip_address){.family = 0}, text), "");
}

/* Reads back as itself, and glibc agrees on the bytes, for addresses with zeros in all places. */
static void round_trips(void **state)
{
    (void)state;
    srandom(1);
    for (int i = 0; i < 20000; i++) {
        struct ip_address address = {.family = i % 4 ? 6 : 4};
        struct ip_address again;
        char text[IP_ADDRESS_TEXT_MAX];
        uint8_t bytes[16];
        for (int b = 0; b < (address.family == 6 ? 16 : 4); b++)
            address.bytes[b] = random() % 3 ? 0 : (uint8_t)random();
        ip_address_text(&address, text);
        assert_true(ip_address_parse(text, &again));
        assert_true(ip_address_equal(&address, &again));
        assert_int_equal(inet_pton(address.family == 6 ? AF_INET6 : AF_INET, text, bytes), 1);
        assert_bytes_equal(bytes, address.bytes, address.family == 6 ? 16 : 4);
    }
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const none[] = {
        "", "1.2.3", "1.2.3.256", "1.2.3.4.5", ":::", "1::2::3", "fe80::1%eth0", "host", "1.2.3.4 "};
    struct ip_address address = {.family = 9};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(ip_address_parse(none[i], &address));
    assert_int_equal(address.family, 9);
    struct ip_address other = {.family = 4};
    struct ip_address same = {.family = 6};
    assert_false(ip_address_equal(&other, &same));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_canonical_form),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
