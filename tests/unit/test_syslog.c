/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/exchange.h"

static void test_udp(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 514, NULL);
    exchange_udp(&x, TO_SERVER, "'<13>Oct 11 22:14:15 host su: failed'");
    exchange_udp(&x, TO_SERVER, "'no priority'");
    exchange_udp(&x, TO_SERVER, "");
    assert_int_equal(x.h.counts->syslog, 2);
    exchange_close(&x);
}

static uint64_t count_tcp(const char *text, size_t piece)
{
    struct exchange x;
    exchange_open(&x, 50000, 10514, NULL);
    harness_decode(&x.h, TRANSPORT_TCP, 10514, PROTOCOL_SYSLOG);
    exchange_connect(&x);
    for (size_t at = 0, size = strlen(text); at < size; at += piece)
        exchange_segment(&x, TO_SERVER, (const uint8_t *)text + at, at + piece < size ? piece : size - at,
                         FLAG_ACK);
    exchange_finish(&x);
    uint64_t count = x.h.counts->syslog;
    exchange_close(&x);
    return count;
}

static void test_tcp(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        assert_int_equal(count_tcp("7 <13>abc8 <14>def\n10 <15>a\nb\ncc", piece), 3);
        assert_int_equal(count_tcp("<13>abc\n<14>def\n", piece), 2);
        assert_int_equal(count_tcp("7 <13>abc<14>def\n7 <13>abc", piece), 3); /* both framings */
        assert_int_equal(count_tcp("12345678 is no length\n", piece), 1);
        assert_int_equal(count_tcp("7x\n0 y\n", piece), 2);
    }
}

static void test_tcp_only_by_rule(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 514, NULL);
    exchange_connect(&x);
    exchange_text(&x, TO_SERVER, "<13>abc\n"); /* TCP port 514 is rsh's */
    exchange_finish(&x);
    assert_int_equal(x.h.counts->syslog, 0);
    exchange_close(&x);
}

static void test_endless_line(void **state)
{
    (void)state;
    struct exchange x;
    static char line[60000];
    memset(line, 'x', sizeof line);
    exchange_open(&x, 50000, 10514, NULL);
    harness_decode(&x.h, TRANSPORT_TCP, 10514, PROTOCOL_SYSLOG);
    exchange_connect(&x);
    for (int i = 0; i < 3; i++)
        exchange_segment(&x, TO_SERVER, (const uint8_t *)line, sizeof line, FLAG_ACK);
    exchange_finish(&x);
    assert_int_equal(x.h.counts->syslog, 0);
    assert_true(x.h.stats->protocol[PROTOCOL_SYSLOG].malformed > 0);
    exchange_close(&x);
}

static void test_captures(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t messages;
    } captures[] = {
        {"syslog--syslog-eth-padding.pcap", 5},
        {"syslog--syslog-no-pri.pcap", 1},
        {"syslog--syslog-udp-tcp.pcap", 83},
        {"syslog--syslog-tcp-octet-counted.pcap", 4},
    };
    for (size_t i = 0; i < sizeof captures / sizeof *captures; i++) {
        struct harness h;
        char path[512];
        snprintf(path, sizeof path, PICKET_SHARED_DATA "/pcap/%s", captures[i].name);
        harness_open(&h, NULL);
        if (strstr(path, "octet"))
            harness_decode(&h, TRANSPORT_TCP, 514, PROTOCOL_SYSLOG);
        if (harness_shared(&h, path))
            assert_int_equal(h.counts->syslog, captures[i].messages);
        harness_close(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_only_by_rule),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
