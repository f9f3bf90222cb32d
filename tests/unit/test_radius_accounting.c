/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "capture/pcap_file.h"
#include "events/radius_accounting.h"
#include "tests/unit/exchange.h"
#include "tests/unit/radius_wire.h"

#define SECRET "xyzzy5461"

/* RFC 5997 6.2 */
#define STATUS_QUERY  "0cb30026925f6b66dd5fed571fcb1db7ad3882605012e8d6eabda910875cd91fdade26367858"
#define STATUS_ANSWER "05b300140f6f92145f107e2f504e860a4860669c"

static struct radius_accounting *server;
static struct activity_writer writer;
static struct radius_outcome outcome;
static struct activity activity;
static char json[8192];
static int64_t now;

static struct radius_client clients[] = {
    {{4, {10, 0, 0, 0}}, 8, "other"},
    {{4, {10, 77, 0, 0}}, 19, SECRET},
    {{4, {10, 77, 0, 9}}, 32, "of one"},
    {{6, {0x20, 1, 0x0d, 0xb8}}, 33, "sixth"},
};

static struct radius_accounting *make(uint32_t rate, uint32_t repeats)
{
    const struct radius_accounting_config config = {
        .clients = clients,
        .client_count = sizeof clients / sizeof *clients,
        .rate = rate,
        .repeats = repeats,
        .repeat_time = CLOCK_MINUTE,
        .seed = 7,
    };
    server = radius_accounting_new(&config);
    assert_non_null(server);
    return server;
}

static int end(void **state)
{
    (void)state;
    radius_accounting_destroy(&server);
    radius_accounting_destroy(&server);
    return 0;
}

static enum radius_verdict take_from(const char *from, uint16_t port, const void *bytes, size_t size)
{
    struct radius_datagram datagram = {.bytes = {bytes, size}, .wall = CLOCK_DAY, .monotonic = now};
    assert_true(ip_address_parse(from, &datagram.from.address));
    datagram.from.port = port;
    datagram.to = (struct endpoint){{4, {10, 77, 0, 200}}, 1813};
    radius_accounting_take(server, &datagram, &writer, &outcome);
    json[0] = '\0';
    if (outcome.verdict == RADIUS_RECORD) {
        struct cursor c = cursor_of_bytes(activity_finish(&writer));
        assert_true(activity_decode(&c, &activity));
        activity_to_json(&activity, json, sizeof json);
    }
    return outcome.verdict;
}

static enum radius_verdict take(const struct radius_request *r)
{
    return take_from("10.77.0.50", 50000, r->bytes, r->size);
}

static void test_record(void **state)
{
    (void)state;
    struct radius_request r;
    make(1000, 16);
    request_begin(&r, 9, 1, "s-1");
    request_text(&r, 1, "CORP\\user02");
    request_put(&r, 8, (const uint8_t[]){10, 77, 9, 12}, 4);
    request_put(&r, 33, "proxy a", 7);
    request_text(&r, 31, "203.0.113.8");
    request_put(&r, 33, "\0\xff", 2);
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_RECORD);
    assert_int_equal(outcome.client, 1);
    assert_string_equal(json,
                        "{\"v\":1,\"kind\":\"radius_accounting\",\"time\":\"1970-01-02T00:00:00.000000000Z\","
                        "\"source\":\"10.77.0.50\",\"source_port\":50000,\"destination\":\"10.77.0.200\","
                        "\"destination_port\":1813,\"transport\":\"udp\",\"radius_session\":\"s-1\","
                        "\"account\":\"CORP\\\\user02\",\"calling_station\":\"203.0.113.8\","
                        "\"framed_addresses\":[\"10.77.9.12\"],\"radius_status\":\"start\","
                        "\"authenticator_valid\":true,\"radius_code\":\"response\",\"answered\":true}");
    assert_true(response_fits(outcome.reply, outcome.reply_size, &r, SECRET));
    static const uint8_t proxies[] = "\x21\x09proxy a\x21\x04\0\xff";
    assert_int_equal(outcome.reply_size, 20 + sizeof proxies - 1);
    assert_memory_equal(outcome.reply + 20, proxies, sizeof proxies - 1);
}

/* RFC 6911, RFC 3162, RFC 4818, RFC 2868, [MS-RNAP] */
static void test_more_attributes(void **state)
{
    (void)state;
    struct radius_request r;
    make(1000, 16);
    request_begin(&r, 1, 2, "s-2");
    request_put(&r, 97, "\0\x40\x20\x01\x0d\xb8\0\1\0\2", 10);
    request_put(&r, 96, "\2\0\0\0\0\0\0\7", 8);
    request_put(&r, 123, "\0\x38\x20\x01\x0d\xb8\0\1\3", 9);
    request_put(&r, 123, "\0\x39\x20\x01", 4); /* shorter than its length */
    request_put(&r, 97,
                "\0\x81"
                "0123456789abcdef",
                18);                                             /* longer than an address */
    request_uint(&r, 64, 0x01000003);                            /* L2TP, tag 1 */
    request_put(&r, 26, "\0\0\1\x37\x22\x0fMSRAS-0-WS07\0", 19); /* Microsoft's MS-RAS-Client-Name */
    request_put(&r, 26, "\0\0\0\x09\x01\x06name", 10);           /* Cisco's */
    request_put(&r, 26, "\0\0", 2);
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_RECORD);
    assert_non_null(strstr(json, "\"framed_addresses\":[\"2001:db8:1:2:200::7\"]"));
    assert_non_null(strstr(json, "\"framed_prefixes\":[\"2001:db8:1:2::/64\",\"2001:db8:1:300::/56\"]"));
    assert_non_null(strstr(json, "\"tunnel_type\":3"));
    assert_non_null(strstr(json, "\"workstation\":\"WS07\""));
}

static void test_status_server(void **state)
{
    (void)state;
    make(1000, 16);
    struct run *query = bytes_of(STATUS_QUERY), *wanted = bytes_of(STATUS_ANSWER);
    assert_int_equal(take_from("10.77.0.50", 1, query->data, query->size), RADIUS_STATUS);
    assert_int_equal(outcome.reply_size, wanted->size);
    assert_memory_equal(outcome.reply, wanted->data, wanted->size);
    query->data[30] ^= 1;
    assert_int_equal(take_from("10.77.0.50", 1, query->data, query->size), RADIUS_WRONG_SECRET);
    assert_int_equal(outcome.reply_size, 0);
    query->data[3] = 20; /* without a Message-Authenticator */
    assert_int_equal(take_from("10.77.0.50", 1, query->data, query->size), RADIUS_MALFORMED);
    free(query);
    free(wanted);
}

static void test_clients(void **state)
{
    (void)state;
    struct radius_request r;
    static const struct {
        const char *from, *secret;
        int client; /* -1: a stranger */
    } cases[] = {
        {"10.77.31.255", SECRET, 1}, {"10.77.32.0", "other", 0},       {"10.77.0.9", "of one", 2},
        {"11.0.0.1", "other", -1},   {"2001:db8:7fff::1", "sixth", 3}, {"2001:db8:8000::1", "sixth", -1},
        {"::1", "sixth", -1},
    };
    make(1000, 16);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        request_begin(&r, (uint8_t)i, 1, "s");
        request_sign(&r, cases[i].secret);
        assert_int_equal(take_from(cases[i].from, 1, r.bytes, r.size),
                         cases[i].client < 0 ? RADIUS_STRANGER : RADIUS_RECORD);
        if (cases[i].client >= 0)
            assert_int_equal(outcome.client, cases[i].client);
        request_sign(&r, "guessed");
        assert_int_equal(take_from(cases[i].from, 1, r.bytes, r.size),
                         cases[i].client < 0 ? RADIUS_STRANGER : RADIUS_WRONG_SECRET);
        assert_int_equal(outcome.reply_size, 0);
    }
}

static void test_what_is_no_request(void **state)
{
    (void)state;
    struct radius_request r;
    make(1000, 16);
    request_begin(&r, 1, 1, "session");
    request_sign(&r, SECRET);
    for (size_t size = 0; size < r.size; size++) {
        uint8_t *exact = malloc(size + 1);
        memcpy(exact, r.bytes, size);
        assert_int_equal(take_from("10.77.0.50", 1, exact, size), RADIUS_MALFORMED);
        assert_int_equal(outcome.reply_size, 0);
        free(exact);
    }
    r.bytes[r.size] = 'x'; /* padding behind its length is nothing (RFC 2866 3) */
    assert_int_equal(take_from("10.77.0.50", 1, r.bytes, r.size + 1), RADIUS_RECORD);
    r.bytes[21] = 1; /* an attribute of one byte */
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_MALFORMED);
    request_begin(&r, 1, 1, "session");
    r.bytes[0] = 1; /* Access-Request */
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_UNSUPPORTED);
    r.bytes[0] = 5;
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_UNSUPPORTED);
}

static void test_repetition(void **state)
{
    (void)state;
    struct radius_request r;
    uint8_t first[20];
    make(1000, 16);
    request_begin(&r, 1, 1, "s-1");
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_RECORD);
    uint64_t ticket = outcome.ticket;
    memcpy(first, outcome.reply, sizeof first);
    assert_int_equal(take(&r), RADIUS_PENDING);
    assert_int_equal(outcome.reply_size, 0);
    radius_accounting_settle(server, ticket, true);
    assert_int_equal(take(&r), RADIUS_REPEAT);
    assert_int_equal(outcome.reply_size, sizeof first);
    assert_memory_equal(outcome.reply, first, sizeof first);
    /* From another port, or of another client, it is another. */
    assert_int_equal(take_from("10.77.0.50", 50001, r.bytes, r.size), RADIUS_RECORD);
    assert_int_equal(take_from("10.77.0.51", 50000, r.bytes, r.size), RADIUS_RECORD);
    /* The same things said again without a delay are new. */
    request_begin(&r, 2, 1, "s-1");
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_RECORD);
    /* Not after the time for which it is remembered. */
    request_begin(&r, 1, 1, "s-1");
    request_sign(&r, SECRET);
    now += CLOCK_MINUTE - 1;
    assert_int_equal(take(&r), RADIUS_REPEAT);
    now += 1;
    assert_int_equal(take(&r), RADIUS_RECORD);
}

static void test_not_kept(void **state)
{
    (void)state;
    struct radius_request r;
    make(1000, 16);
    request_begin(&r, 1, 1, "s-1");
    request_sign(&r, SECRET);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(take(&r), RADIUS_RECORD);
        radius_accounting_settle(server, outcome.ticket, false);
    }
    assert_int_equal(take(&r), RADIUS_RECORD);
    radius_accounting_settle(server, outcome.ticket, true);
    assert_int_equal(take(&r), RADIUS_REPEAT);
    radius_accounting_settle(server, 0, true); /* forgotten long ago */
    radius_accounting_settle(server, 1000000, true);
}

/* RFC 2866 5.2: who tries again with another delay makes another request. */
static void test_made_anew(void **state)
{
    (void)state;
    struct radius_request r;
    make(1000, 16);
    for (uint32_t i = 0; i < 3; i++) {
        request_begin(&r, (uint8_t)(10 + i), 2, "s-1");
        request_uint(&r, 41, i * 5);
        request_text(&r, 33, i ? "again" : "proxy"); /* what differs too */
        request_sign(&r, SECRET);
        assert_int_equal(take(&r), i ? RADIUS_REPEAT : RADIUS_RECORD);
        assert_true(response_fits(outcome.reply, outcome.reply_size, &r, SECRET));
        if (!i)
            radius_accounting_settle(server, outcome.ticket, true);
    }
    request_begin(&r, 20, 2, "s-2"); /* delayed, and never heard of */
    request_uint(&r, 41, 60);
    request_sign(&r, SECRET);
    assert_int_equal(take(&r), RADIUS_RECORD);
}

static void test_bounds(void **state)
{
    (void)state;
    struct radius_request r;
    make(100, 8);
    unsigned limited = 0;
    for (unsigned i = 0; i < 150; i++) {
        char session[16];
        snprintf(session, sizeof session, "s-%u", i);
        request_begin(&r, (uint8_t)i, 1, session);
        request_sign(&r, SECRET);
        limited += take(&r) == RADIUS_LIMITED;
        if (outcome.verdict == RADIUS_RECORD)
            radius_accounting_settle(server, outcome.ticket, true);
    }
    assert_int_equal(limited, 50);
    /* Another client's share is its own; a wrong secret uses up none. */
    request_sign(&r, "of one");
    assert_int_equal(take_from("10.77.0.9", 1, r.bytes, r.size), RADIUS_RECORD);
    assert_int_equal(take(&r), RADIUS_WRONG_SECRET);
    /* A tenth of a second later ten more: of the eight that are remembered, and of those that are not. */
    now += CLOCK_SECOND / 10;
    for (unsigned i = 0; i < 11; i++) {
        char session[16];
        unsigned which = i < 4 ? 99 - i : 10 + i;
        snprintf(session, sizeof session, "s-%u", which);
        request_begin(&r, (uint8_t)which, 1, session);
        request_sign(&r, SECRET);
        assert_int_equal(take(&r), i < 4 ? RADIUS_REPEAT : i < 10 ? RADIUS_RECORD : RADIUS_LIMITED);
    }
}

static void test_long_secret_and_largest(void **state)
{
    (void)state;
    struct radius_request r;
    static char secret[400];
    memset(secret, 'k', sizeof secret - 1);
    clients[1].secret = secret;
    make(10, 4);
    clients[1].secret = SECRET;
    request_begin(&r, 1, 3, "s");
    while (r.size + 255 <= sizeof r.bytes)
        request_put(&r, 33, secret, 253);
    request_put(&r, 33, secret, sizeof r.bytes - r.size - 2);
    assert_int_equal(r.size, 4096);
    request_sign(&r, secret);
    assert_int_equal(take(&r), RADIUS_RECORD);
    assert_true(outcome.reply_size < r.size);
    assert_true(response_fits(outcome.reply, outcome.reply_size, &r, secret));
}

/* What the lab's VPN server sent (tests/data): the listener says what the capture says. */
struct capture_seen {
    unsigned records;
};

static void compare(void *context, struct bytes payload, const char *status, const char *account)
{
    struct capture_seen *seen = context;
    assert_int_equal(take_from("10.77.0.50", 40000, payload.data, payload.size), RADIUS_RECORD);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"radius_status\":\"%s\"", status);
    assert_non_null(strstr(json, wanted));
    assert_non_null(strstr(json, account));
    assert_non_null(strstr(json, "\"nas_name\":\"vpn-gw1\""));
    seen->records++;
}

static void test_capture(void **state)
{
    (void)state;
    static const char *const status[] = {"start", "start", "interim_update", "stop", "start"};
    static const char *const account[] = {"user01", "user02", "user01", "user01", "user03@corp.example"};
    struct capture_seen seen = {0};
    static uint8_t file[65536];
    FILE *f = fopen(PICKET_TEST_DATA "/r01_radius_acct.pcap", "rb");
    assert_non_null(f);
    size_t size = fread(file, 1, sizeof file, f);
    fclose(f);
    clients[1].secret = "testing123";
    make(1000, 16);
    clients[1].secret = SECRET;
    /* Frames of Ethernet and IPv4 without options; the file's own header is 24 bytes. */
    for (size_t at = 24; at + 16 + 42 < size;) {
        uint32_t length;
        memcpy(&length, file + at + 8, sizeof length);
        const uint8_t *frame = file + at + 16;
        at += 16 + length;
        if (frame[12] != 8 || frame[13] != 0 || frame[23] != 17 || frame[36] != 0x07 || frame[37] != 0x15)
            continue;
        struct bytes payload = {frame + 42, length - 42};
        if (seen.records < 5 && payload.data[0] == 4)
            compare(&seen, payload, status[seen.records], account[seen.records]);
    }
    assert_int_equal(seen.records, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_record, end),
        cmocka_unit_test_teardown(test_more_attributes, end),
        cmocka_unit_test_teardown(test_status_server, end),
        cmocka_unit_test_teardown(test_clients, end),
        cmocka_unit_test_teardown(test_what_is_no_request, end),
        cmocka_unit_test_teardown(test_repetition, end),
        cmocka_unit_test_teardown(test_not_kept, end),
        cmocka_unit_test_teardown(test_made_anew, end),
        cmocka_unit_test_teardown(test_bounds, end),
        cmocka_unit_test_teardown(test_long_secret_and_largest, end),
        cmocka_unit_test_teardown(test_capture, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
