/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "tests/unit/name_replies.h"

static const struct ip_address host = {4, {10, 1, 2, 3}};
static struct name_answer answer;

static enum name_verdict read_reply(enum name_method method, const struct name_reply *reply)
{
    return name_reply_read(method, &host, 0x1234, (struct bytes){reply->bytes, reply->size}, &answer);
}

static struct bytes request_of(enum name_method method, uint8_t to[NAME_REQUEST_MAX])
{
    return (struct bytes){to, name_query_write(method, &host, 0x1234, to)};
}

/* RFC 1035 3.5, 4.1; RFC 3596 2.5. */
static void questions_are_by_the_book(void **state)
{
    (void)state;
    static const uint8_t v4[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                "\x01"
                                "3"
                                "\x01"
                                "2"
                                "\x01"
                                "1"
                                "\x02"
                                "10"
                                "\x07"
                                "in-addr"
                                "\x04"
                                "arpa"
                                "\x00\x00\x0c\x00\x01";
    static const uint8_t status[] = "\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                    "\x20"
                                    "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                    "\x00\x00\x21\x00\x01";
    uint8_t bytes[NAME_REQUEST_MAX];
    struct bytes request = request_of(NAME_BY_DNS, bytes);
    assert_int_equal(request.size, sizeof v4 - 1);
    assert_memory_equal(request.data, v4, request.size);
    request = request_of(NAME_BY_NETBIOS, bytes);
    assert_int_equal(request.size, sizeof status - 1);
    assert_memory_equal(request.data, status, request.size);
    struct ip_address six;
    assert_true(ip_address_parse("2001:db8::567:89ab", &six));
    size_t size = name_query_write(NAME_BY_DNS, &six, 1, bytes);
    static const char nibbles[] = "b a 9 8 7 6 5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 8 b d 0 1 0 0 2";
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(bytes[12 + 2 * i + 1], nibbles[2 * i]);
    assert_int_equal(size, 12 + 64 + 4 + 5 + 1 + 4);
    for (unsigned i = 0; i < NAME_METHODS; i++) {
        assert_in_range(name_query_write((enum name_method)i, &host, 1, bytes), 12, NAME_REQUEST_MAX);
        assert_int_not_equal(name_method_port((enum name_method)i), 0);
        assert_non_null(name_method_name((enum name_method)i));
    }
}

static void ntlm_names_the_server(void **state)
{
    (void)state;
    struct name_reply reply = ntlm_reply_of("srv1.corp.example", "corp.example", "SRV1", "CORP");
    assert_int_equal(read_reply(NAME_BY_NTLM, &reply), NAME_TOLD);
    assert_string_equal(answer.host, "srv1.corp.example");
    assert_string_equal(answer.domain, "corp.example");
    for (size_t size = reply.size; size-- > 0;) { /* as it comes over TCP */
        reply.size = size;
        assert_int_equal(read_reply(NAME_BY_NTLM, &reply), NAME_MORE);
    }
    reply = ntlm_reply_of(NULL, NULL, "SRV1", "CORP");
    assert_int_equal(read_reply(NAME_BY_NTLM, &reply), NAME_TOLD);
    assert_string_equal(answer.host, "SRV1");
    assert_string_equal(answer.domain, "CORP");
    reply = ntlm_reply_of(NULL, NULL, NULL, "CORP");
    assert_int_equal(read_reply(NAME_BY_NTLM, &reply), NAME_NOTHING);
    reply = ntlm_reply_of("10.1.2.3", NULL, NULL, NULL); /* an address is no name */
    assert_int_equal(read_reply(NAME_BY_NTLM, &reply), NAME_NOTHING);
    reply = ntlm_reply_of("srv1.corp.example", "corp.example", "SRV1", "CORP");
    reply.bytes[2] = 13; /* bind_nak */
    assert_int_equal(read_reply(NAME_BY_NTLM, &reply), NAME_NOTHING);
    reply.bytes[2] = 12;
    reply.bytes[10] = 0xff; /* longer than the whole */
    reply.bytes[11] = 0xff;
    assert_int_equal(read_reply(NAME_BY_NTLM, &reply), NAME_NOTHING);
}

static void netbios_names_computer_and_domain(void **state)
{
    (void)state;
    uint8_t bytes[NAME_REQUEST_MAX];
    struct bytes request = request_of(NAME_BY_NETBIOS, bytes);
    struct name_reply reply = netbios_reply_of(request, "WS1", "CORP");
    assert_int_equal(read_reply(NAME_BY_NETBIOS, &reply), NAME_TOLD);
    assert_string_equal(answer.host, "WS1");
    assert_string_equal(answer.domain, "CORP");
    for (size_t size = reply.size - 60; size-- > 0;) { /* cut: never more than what is there */
        struct name_reply cut = reply;
        cut.size = size;
        read_reply(NAME_BY_NETBIOS, &cut);
    }
    reply.bytes[0] ^= 1; /* to another question */
    assert_int_equal(read_reply(NAME_BY_NETBIOS, &reply), NAME_NOTHING);
    reply = netbios_reply_of(request, "WS\x1b[1", "CORP");
    assert_int_equal(read_reply(NAME_BY_NETBIOS, &reply), NAME_TOLD);
    assert_string_equal(answer.host, "OTHER");
}

static void pointers_are_followed(void **state)
{
    (void)state;
    uint8_t bytes[NAME_REQUEST_MAX];
    struct bytes request = request_of(NAME_BY_DNS, bytes);
    struct name_reply reply = dns_reply_of(request, "\3ws1\4corp\7example", 18);
    assert_int_equal(read_reply(NAME_BY_DNS, &reply), NAME_TOLD);
    assert_string_equal(answer.host, "ws1.corp.example");
    assert_string_equal(answer.domain, "corp.example");
    reply.bytes[13] = '4'; /* the pointer of another address */
    assert_int_equal(read_reply(NAME_BY_DNS, &reply), NAME_NOTHING);
    reply = dns_reply_of(request, "\3ws1\4corp\7example", 18);
    reply.bytes[3] |= 3; /* NXDOMAIN */
    assert_int_equal(read_reply(NAME_BY_DNS, &reply), NAME_NONE);
    reply = dns_reply_of(request, "\xc0\x0c", 2); /* at the question's own name: in-addr.arpa */
    read_reply(NAME_BY_DNS, &reply);
    reply = dns_reply_of(request, "\1*\4corp\7example", 16);
    assert_int_equal(read_reply(NAME_BY_DNS, &reply), NAME_NONE);
    assert_int_equal(name_reply_read(NAME_BY_DNS, &host, 0x1234, request, &answer), NAME_NOTHING);
}

static void rdp_goes_on_with_tls(void **state)
{
    (void)state;
    struct name_reply reply = {19, {RDP_CONFIRM_BYTES}};
    assert_int_equal(read_reply(NAME_BY_RDP, &reply), NAME_GO_ON);
    reply.bytes[15] = 0; /* standard RDP security: no TLS */
    assert_int_equal(read_reply(NAME_BY_RDP, &reply), NAME_NOTHING);
    reply = (struct name_reply){18, {RDP_CONFIRM_BYTES}};
    assert_int_equal(read_reply(NAME_BY_RDP, &reply), NAME_MORE);
    assert_true(name_from_certificate((struct bytes){(const uint8_t *)"WS1.corp.example", 16}, &answer));
    assert_string_equal(answer.host, "WS1.corp.example");
    assert_string_equal(answer.domain, "corp.example");
    assert_true(name_from_certificate((struct bytes){(const uint8_t *)"WS1", 3}, &answer));
    assert_string_equal(answer.domain, "");
    assert_false(name_from_certificate((struct bytes){(const uint8_t *)"*.corp.example", 14}, &answer));
    assert_false(name_from_certificate((struct bytes){(const uint8_t *)"Some Vendor", 11}, &answer));
    assert_false(name_from_certificate((struct bytes){(const uint8_t *)"", 0}, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_are_by_the_book),
        cmocka_unit_test(ntlm_names_the_server),
        cmocka_unit_test(netbios_names_computer_and_domain),
        cmocka_unit_test(pointers_are_followed),
        cmocka_unit_test(rdp_goes_on_with_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
