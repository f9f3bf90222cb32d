/* SPDX-License-Identifier: Apache-2.0
 *
 * Syslog messages out of streams, and their headers off them.
 */
#include "events/senders.h"
#include "events/syslog.h"
#include "events/syslog_listener.h"

#include "base/clock.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static bool equal(struct bytes bytes, const char *string)
{
    return bytes.size == strlen(string) && (bytes.size == 0 || memcmp(bytes.data, string, bytes.size) == 0);
}

/* --- framing --- */

/* The stream in pieces of `step` bytes, ended; its messages, each with a '~' behind it. */
static void take_apart(const char *stream, size_t step, char *to, size_t capacity)
{
    struct syslog_stream state = {0};
    size_t size = strlen(stream), at = 0, came = 0, n = 0;
    while (at < size) {
        struct bytes message;
        size_t used = 0;
        bool ended = came == size;
        struct bytes rest = {(const uint8_t *)stream + at, came - at};
        enum syslog_frame frame = syslog_stream_next(&state, rest, ended, &message, &used);
        if (frame == SYSLOG_FRAME_MORE) {
            if (ended)
                break;
            came = came + step < size ? came + step : size;
            continue;
        }
        assert_true(used > 0 && used <= rest.size);
        if (frame == SYSLOG_FRAME_WHOLE)
            n += (size_t)snprintf(to + n, capacity - n, "%.*s~", (int)message.size,
                                  (const char *)message.data);
        at += used;
    }
    to[n] = '\0';
}

#define RSA "RsaSA\n2015-May-19 09:07:09\n4776\nP\nSecurity\ndc1\nalice\nWS\n0x0"
#define SPLUNK                                                                                               \
    "EventCode=4776\r\nLogfile=Security\r\nMessage=\r\nText.\r\n\r\nLogon Account: a\r\n\r\nError Code: 0x0"

static const struct {
    const char *stream, *messages;
} streams[] = {
    {"<13>one\n<14>two\r\n<15>three", "<13>one~<14>two\r~<15>three~"},
    {"7 <13>one8 <13>two\n9 <13>three", "<13>one~<13>two\n~<13>three~"},
    {"7 <13>one<13>two\n9 <13>fours\n\n<13>five\n", "<13>one~<13>two~<13>fours~<13>five~"},
    {"6 CEF:0|3 {} ", "CEF:0|~{} ~"},
    {"12 monkeys\n1 2018-12-12T16:53:22Z host app\n", "12 monkeys~1 2018-12-12T16:53:22Z host app~"},
    {"0 <13>x\n00 y\n", "0 <13>x~00 y~"},
    {"123456789 <13>x\n", "123456789 <13>x~"},
    {"20 <13>cut", ""},
    {"\n\n \r\n", ""},
    {RSA "\n" RSA "\n<13>x\n", RSA "~" RSA "~<13>x~"},
    {"<13>Feb 11 00:00:00 h " RSA "\nCEF:0|\n", "<13>Feb 11 00:00:00 h " RSA "~CEF:0|~"},
    {"RsaSA\n1\n<13>x\n", "RsaSA\n1~<13>x~"},
    {SPLUNK "\r\n" SPLUNK "\r\n<13>x", SPLUNK "\r~" SPLUNK "\r~<13>x~"},
    {"<13>Feb 11 00:00:00 h ComputerName=b\r\n" SPLUNK "\r\n<13>x\n",
     "<13>Feb 11 00:00:00 h ComputerName=b\r\n" SPLUNK "\r~<13>x~"},
    {"01/23/2019 05:06:07 PM\nLogName=Security\nEventCode=1\nMessage=a\n01/23/2019 05:06:07 PM\n",
     "01/23/2019 05:06:07 PM\nLogName=Security\nEventCode=1\nMessage=a~01/23/2019 05:06:07 PM~"},
    {"at 05:06:07 PM\nnext\n", "at 05:06:07 PM~next~"},
};

/* However the bytes come. */
static void streams_come_apart(void **state)
{
    (void)state;
    char is[4096];
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        for (size_t step = 1; step <= strlen(streams[i].stream); step++) {
            take_apart(streams[i].stream, step, is, sizeof(is));
            if (strcmp(is, streams[i].messages) != 0)
                fail_msg("step %zu: %s\nis    %s\nnot   %s", step, streams[i].stream, is,
                         streams[i].messages);
        }
    }
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    static uint8_t data[3 * SYSLOG_MESSAGE_MAX];
    struct syslog_stream stream = {0};
    struct bytes message;
    size_t used;
    memset(data, 'x', sizeof(data));
    /* a line: cut, its rest passed over, up to the next one */
    assert_int_equal(
        syslog_stream_next(&stream, (struct bytes){data, SYSLOG_MESSAGE_MAX - 1}, false, &message, &used),
        SYSLOG_FRAME_MORE);
    assert_int_equal(
        syslog_stream_next(&stream, (struct bytes){data, SYSLOG_MESSAGE_MAX}, false, &message, &used),
        SYSLOG_FRAME_WHOLE);
    assert_int_equal(message.size, SYSLOG_MESSAGE_MAX);
    assert_int_equal(used, SYSLOG_MESSAGE_MAX);
    assert_int_equal(syslog_stream_next(&stream, (struct bytes){data, 100}, false, &message, &used),
                     SYSLOG_FRAME_SKIP);
    assert_int_equal(used, 100);
    data[50] = '\n';
    assert_int_equal(syslog_stream_next(&stream, (struct bytes){data, 100}, false, &message, &used),
                     SYSLOG_FRAME_SKIP);
    assert_int_equal(used, 51);
    assert_int_equal(syslog_stream_next(&stream, text("<13>x\n"), false, &message, &used),
                     SYSLOG_FRAME_WHOLE);
    /* a counted one likewise */
    memcpy(data, "100000 <13>", 11);
    assert_int_equal(
        syslog_stream_next(&stream, (struct bytes){data, SYSLOG_MESSAGE_MAX}, true, &message, &used),
        SYSLOG_FRAME_MORE);
    assert_int_equal(
        syslog_stream_next(&stream, (struct bytes){data, SYSLOG_MESSAGE_MAX + 7}, false, &message, &used),
        SYSLOG_FRAME_WHOLE);
    assert_int_equal(message.size, SYSLOG_MESSAGE_MAX);
    assert_int_equal(syslog_stream_next(&stream, (struct bytes){data, sizeof(data)}, false, &message, &used),
                     SYSLOG_FRAME_SKIP);
    assert_int_equal(used, 100000 - SYSLOG_MESSAGE_MAX);
    assert_int_equal(syslog_stream_next(&stream, (struct bytes){0}, true, &message, &used),
                     SYSLOG_FRAME_MORE);
}

/* --- headers --- */

static const struct {
    const char *message;
    int priority;
    bool modern;
    const char *stamp, *host, *app, *data, *body;
} headers[] = {
    {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed", 34,
     true, "2003-10-11T22:14:15.003Z", "mymachine.example.com", "su", "", "'su root' failed"},
    {"<165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 [a@1 b=\"\\\"]\" c=\"d\"][e@1 f=\"g\"] An event",
     165, true, "2003-10-11T22:14:15.003Z", "host", "app", "[a@1 b=\"\\\"]\" c=\"d\"][e@1 f=\"g\"]",
     "An event"},
    {"<165>1 - - - - - [a@1]", 165, true, "", "", "", "[a@1]", ""},
    {"<165>1 - - - - - [a@1 b=\"", 165, true, "", "", "", "", "[a@1 b=\""},
    {"<111>1 2019-01-18T11:07:53.520Z myhostname LEEF:1.0|V|", 111, true, "2019-01-18T11:07:53.520Z",
     "myhostname", "", "", "LEEF:1.0|V|"},
    {"1 2018-12-12T16:53:22.925757+00:00 CENTER ATA 4688 Abnormal CEF:0|M", -1, true,
     "2018-12-12T16:53:22.925757+00:00", "CENTER", "ATA", "", "CEF:0|M"},
    {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", 34, false, "Oct 11 22:14:15", "mymachine", "su",
     "", "'su root' failed"},
    {"<34>Oct  1 22:14:15 mymachine su[12]: x", 34, false, "Oct  1 22:14:15", "mymachine", "su[12]", "", "x"},
    {"<13>Oct 11 2026 22:14:15.123 10.0.0.1 x y", 13, false, "Oct 11 2026 22:14:15.123", "10.0.0.1", "", "",
     "x y"},
    {"<13>Oct 11 22:14:15 su: x", 13, false, "Oct 11 22:14:15", "", "su", "", "x"},
    {"<13>Oct 11 22:14:15 (x) y", 13, false, "Oct 11 22:14:15", "", "", "", "(x) y"},
    {"<13>2026-11-22T12:00:00.5+01:00 host app: x", 13, false, "2026-11-22T12:00:00.5+01:00", "host", "app",
     "", "x"},
    {"<13>Oct 11 22:14:15 host CEF:0|x", 13, false, "Oct 11 22:14:15", "host", "", "", "CEF:0|x"},
    {"<13>Oct 11 22:14:15 %IPADDRESS% AgentDevice=W", 13, false, "Oct 11 22:14:15", "%IPADDRESS%", "", "",
     "AgentDevice=W"},
    {"<13> Jan  1 01:01:00 myhostname LEEF:1.0|", 13, false, "Jan  1 01:01:00", "myhostname", "", "",
     "LEEF:1.0|"},
    {"<13>{\"a\":1}\n", 13, false, "", "", "", "", "{\"a\":1}"},
    {"<>x", -1, false, "", "", "", "", "<>x"},
    {"<1234>x", -1, false, "", "", "", "", "<1234>x"},
    {"<13", -1, false, "", "", "", "", "<13"},
    {"\xef\xbb\xbfRsaSA\n", -1, false, "", "", "", "", "RsaSA"},
    {"", -1, false, "", "", "", "", ""},
    {"Foo 11 22:14:15 host x", -1, false, "", "", "", "", "Foo 11 22:14:15 host x"},
    {"Oct-11 22:14:15 host x", -1, false, "", "", "", "", "Oct-11 22:14:15 host x"},
    {"Oct 11 and more and more", -1, false, "", "", "", "", "Oct 11 and more and more"},
};

static void headers_are_taken_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct syslog_header h;
        syslog_header_read(text(headers[i].message), &h);
        if (h.priority != headers[i].priority || h.modern != headers[i].modern ||
            !equal(h.stamp, headers[i].stamp) || !equal(h.host, headers[i].host) ||
            !equal(h.app, headers[i].app) || !equal(h.data, headers[i].data) ||
            !equal(h.body, headers[i].body))
            fail_msg("%s: %d %d \"%.*s\" \"%.*s\" \"%.*s\" \"%.*s\" \"%.*s\"", headers[i].message, h.priority,
                     h.modern, (int)h.stamp.size, (const char *)h.stamp.data, (int)h.host.size,
                     (const char *)h.host.data, (int)h.app.size, (const char *)h.app.data, (int)h.data.size,
                     (const char *)h.data.data, (int)h.body.size, (const char *)h.body.data);
    }
}

static void headers_tell_the_time(void **state)
{
    (void)state;
    struct syslog_header h;
    int64_t now, time;
    assert_true(clock_rfc3339_parse("2026-11-22T12:00:00Z", 20, &now));
    assert_true(clock_rfc3339_parse("2026-10-11T22:14:15Z", 20, &time));
    syslog_header_read(text("<34>Oct 11 22:14:15 mymachine su: x"), &h);
    assert_true(syslog_header_time(&h, false, now) == time);
    syslog_header_read(text("<34>1 2026-10-11T23:14:15+01:00 a b c d e"), &h);
    assert_true(syslog_header_time(&h, false, now) == time);
    syslog_header_read(text("<34>x"), &h);
    assert_true(syslog_header_time(&h, false, now) == 0);
}

/* --- addresses --- */

static void addresses_are_read(void **state)
{
    (void)state;
    struct syslog_address a;
    assert_true(syslog_address_parse("udp:0.0.0.0:514", &a));
    assert_true(a.transport == SYSLOG_UDP && a.endpoint.port == 514 && a.endpoint.address.family == 4);
    assert_true(syslog_address_parse("tls:[2001:db8::1]:6514", &a));
    assert_true(a.transport == SYSLOG_TLS && a.endpoint.port == 6514 && a.endpoint.address.family == 6);
    assert_true(syslog_address_parse("tcp:[::]:0", &a));
    const char *const wrong[] = {"",
                                 "udp",
                                 "sctp:1.2.3.4:5",
                                 "udp:1.2.3.4",
                                 "udp:1.2.3.4:",
                                 "udp::1:5",
                                 "udp:[::1]",
                                 "udp:[::1:5",
                                 "udp:[1.2.3.4]:5",
                                 "udp:host:5",
                                 "udp:1.2.3.4:65536",
                                 "udp:1.2.3.4:5x",
                                 "udp:111111111111111111111111111111111111111111111111:5"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(syslog_address_parse(wrong[i], &a));
}

static void senders_are_known_by_prefix(void **state)
{
    (void)state;
    static const char *const allowed[] = {"192.0.2.17", "10.0.0.0/9", "2001:db8::/33", "198.51.100.0/24"};
    static const struct {
        const char *address;
        bool is;
    } samples[] = {{"192.0.2.17", true},      {"192.0.2.18", false},
                   {"10.127.255.255", true},  {"10.128.0.0", false},
                   {"2001:db8:7fff::", true}, {"2001:db8:8000::", false},
                   {"198.51.100.255", true},  {"::1", false},
                   {"0.0.0.0", false}};
    static struct senders senders;
    struct ip_address address;
    assert_true(ip_address_parse("::1", &address));
    assert_true(senders_have(&senders, &address)); /* none are listed */
    for (size_t i = 0; i < 4; i++)
        assert_true(sender_parse(allowed[i], &senders.of[senders.count++]));
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        assert_true(ip_address_parse(samples[i].address, &address));
        assert_int_equal(senders_have(&senders, &address), samples[i].is);
    }
    const char *const wrong[] = {"",
                                 "x",
                                 "10.0.0.0/",
                                 "10.0.0.0/33",
                                 "::/129",
                                 "10.0.0.0/8x",
                                 "10.0.0.0/999999999999",
                                 "1111111111111111111111111111111111111111111111111111/8"};
    struct sender sender;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(sender_parse(wrong[i], &sender));
    assert_true(sender_parse("::/0", &sender));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_come_apart),    cmocka_unit_test(what_is_too_long_is_cut),
        cmocka_unit_test(headers_are_taken_off), cmocka_unit_test(headers_tell_the_time),
        cmocka_unit_test(addresses_are_read),    cmocka_unit_test(senders_are_known_by_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
