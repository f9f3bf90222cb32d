/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed messages of event forwarding in HTTP, and what a connection accepts before and after its proof.
 */
#include <stdio.h>
#include <stdlib.h>

#include "events/translate_table.h"
#include "events/wef_channel.h"
#include "events/wef_sealed.h"
#include "tests/unit/sldc_encode.h"
#include "tests/unit/unit.h"

#define TYPE                                                                                                 \
    "multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\";boundary=\"Encrypted "       \
    "Boundary\""

static struct bytes of(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t token[600], to[2048];
    for (size_t i = 0; i < sizeof token; i++)
        token[i] = (uint8_t)(i * 7);
    memcpy(token + 100, "\r\n--Encrypted Boundary--\r\n", 26); /* what is sealed may look like anything */
    for (size_t header = 1; header < 300; header += 37) {
        for (enum wef_protection p = WEF_KERBEROS; p <= WEF_SPNEGO; p++) {
            struct wef_sealed sealed;
            size_t size = wef_sealed_write(to, sizeof to, p, header % 2, 540, (struct bytes){token, header},
                                           (struct bytes){token + header, sizeof token - header});
            assert_true(size < sizeof token + WEF_SEALED_MORE);
            struct bytes body = {to, size};
            assert_true(wef_sealed_read(wef_sealed_content_type(p), body, p, &sealed));
            assert_int_equal(sealed.length, 540);
            assert_int_equal(sealed.token.size, sizeof token);
            assert_bytes_equal(sealed.token.data, token, sizeof token);
            assert_false(wef_sealed_read(wef_sealed_content_type(p), body,
                                         p == WEF_SPNEGO ? WEF_KERBEROS : WEF_SPNEGO, &sealed));
            body.size -= 2; /* without the last line's end */
            assert_true(wef_sealed_read(wef_sealed_content_type(p), body, p, &sealed));
            for (size_t cut = 0; cut < body.size; cut++) {
                uint8_t *exact = malloc(cut ? cut : 1);
                memcpy(exact, to, cut);
                bool read =
                    wef_sealed_read(wef_sealed_content_type(p), (struct bytes){exact, cut}, p, &sealed);
                free(exact);
                /* The token itself has what looks like the end: there it ends too, and the seal tells. */
                if (read)
                    assert_in_range(cut, size - sizeof token, size - sizeof token + 126);
            }
        }
    }
}

#define HEAD                                                                                                 \
    "--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"                  \
    "\tOriginalContent: type=application/soap+xml;charset=UTF-16;Length=10\r\n"
#define DATA "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
#define END  "--Encrypted Boundary--\r\n"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *type, *head, *token;
        size_t size;
        bool right;
    } cases[] = {
        {TYPE, HEAD DATA, "\4\0\0\0abcdefgh", 12, true},
        {"MULTIPART/ENCRYPTED; protocol=application/http-spnego-session-encrypted; boundary=\"Encrypted "
         "Boundary\"",
         HEAD DATA, "\4\0\0\0abcdefgh", 12, true},
        {TYPE, HEAD DATA, "\0\0\0\0abcdefgh", 12, false},     /* no header of a token */
        {TYPE, HEAD DATA, "\xff\xff\0\0abcdefgh", 12, false}, /* more than there is */
        {TYPE, HEAD DATA,
         "\xff\xff\xff\xff"
         "abcdefgh",
         12, false},
        {TYPE, HEAD DATA, "\4\0", 2, false},
        {TYPE, HEAD, "\4\0\0\0abcdefgh", 12, false},
        {TYPE, DATA, "\4\0\0\0abcdefgh", 12, false},
        {TYPE, "", "", 0, false},
        {NULL, HEAD DATA, "\4\0\0\0abcdefgh", 12, false},
        {"application/soap+xml", HEAD DATA, "\4\0\0\0abcdefgh", 12, false},
        {"multipart/encrypted", HEAD DATA, "\4\0\0\0abcdefgh", 12, false},
        {"multipart/encrypted;boundary=\"Encrypted Boundary\"", HEAD DATA, "\4\0\0\0abcdefgh", 12, false},
        {"multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted\"", HEAD DATA,
         "\4\0\0\0ab", 6, false},
        {"multipart/encrypted;protocol=\"application/HTTP-SPNEGO-session-encrypted;boundary=\"x", HEAD DATA,
         "\4\0\0\0ab", 6, false},
        {"multipart/encrypted;protocol", HEAD DATA, "\4\0\0\0abcdefgh", 12, false},
        {TYPE,
         "--Encrypted Boundary\r\nContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
         "OriginalContent: type=application/soap+xml;charset=UTF-16\r\n" DATA,
         "\4\0\0\0abcdefgh", 12, false},
        {TYPE,
         "--Encrypted Boundary\r\nContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
         "OriginalContent: type=application/soap+xml;charset=UTF-16;Length=99999999999\r\n" DATA,
         "\4\0\0\0abcdefgh", 12, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[1024];
        struct wef_sealed sealed;
        size_t size = strlen(cases[i].head);
        memcpy(body, cases[i].head, size);
        memcpy(body + size, cases[i].token, cases[i].size);
        size += cases[i].size;
        memcpy(body + size, END, sizeof END - 1);
        size += sizeof END - 1;
        print_message("%zu\n", i);
        assert_int_equal(
            wef_sealed_read(cases[i].type, (struct bytes){(uint8_t *)body, size}, WEF_SPNEGO, &sealed),
            cases[i].right);
        if (cases[i].right) {
            assert_int_equal(sealed.token.size, 8);
            assert_int_equal(sealed.length, 10);
        }
    }
}

/* --- channels --- */

static void test_by_certificate(void **state)
{
    (void)state;
    struct wef_channel c = {.proved = true, .identity = {.name = "dc01.corp.example", .thumbprint = "AB"}};
    struct wef_peer peer = wef_channel_peer(&c);
    assert_false(peer.kerberos);
    assert_int_equal(peer.name.size, 17);
    assert_int_equal(peer.thumbprint.size, 2);

    struct bytes soap;
    struct fault fault;
    uint8_t message[64];
    size_t size = sldc_encode((const uint8_t *)"hello hello", 11, false, message, sizeof message);
    assert_true(wef_channel_open(&c, NULL, "SLDC", (struct bytes){message, size}, &soap, &fault));
    assert_int_equal(soap.size, 11);
    assert_true(wef_channel_open(&c, NULL, "sldc", of("<plain/>"), &soap, &fault)); /* said, and not done */
    assert_int_equal(soap.size, 8);
    assert_true(wef_channel_open(&c, NULL, NULL, of("<plain/>"), &soap, &fault));
    assert_false(wef_channel_open(&c, NULL, "gzip", of("<plain/>"), &soap, &fault));
    message[size - 2] = 0xff; /* 16 MiB */
    assert_false(wef_channel_open(&c, NULL, "SLDC", (struct bytes){message, size}, &soap, &fault));
    message[size - 2] = 0;
    message[size - 4] = 12;
    assert_false(wef_channel_open(&c, NULL, "SLDC", (struct bytes){message, size}, &soap, &fault));

    const struct wef_answer answer = {.status = 200, .utf16 = true, .soap = of("<a/>")};
    const char *type;
    uint8_t *body = wef_channel_seal(&c, &answer, &size, &type);
    assert_non_null(body);
    assert_int_equal(size, 10);
    assert_string_equal(type, "application/soap+xml;charset=UTF-16");
    free(body);
    wef_channel_end(&c);
}

static void test_without_ticket(void **state)
{
    (void)state;
    struct fault fault;
    char *header;
    assert_null(wef_acceptor_new("/nonexistent/keytab", &fault));
    assert_true(strlen(fault.text) > 0);
    struct wef_channel c = {0};
    assert_int_equal(wef_channel_authorize(&c, NULL, &header, &fault), WEF_PROOF_MISSING);
    assert_int_equal(wef_channel_authorize(&c, "Basic YTpi", &header, &fault), WEF_PROOF_MISSING);
    assert_int_equal(wef_channel_authorize(&c, "Negotiate !", &header, &fault), WEF_PROOF_REFUSED);
    assert_null(header);
    assert_null(wef_trust_new("/nonexistent/ca.pem", NULL, &fault));
    wef_channel_end(&c);
}

/* --- what is asked for is what is read --- */

static bool asked_for(uint32_t id)
{
    for (const char *at = strstr(wef_subscription_query(), "EventID"); at; at = strstr(at + 1, "EventID")) {
        unsigned first, last;
        if (sscanf(at, "EventID=%u", &first) == 1) {
            if (first == id)
                return true;
        } else if (sscanf(at, "EventID &gt;= %u and EventID &lt;= %u", &first, &last) == 2) {
            if (id >= first && id <= last)
                return true;
        }
    }
    return false;
}

static void test_all_that_is_read_is_asked_for(void **state)
{
    (void)state;
    unsigned count = 0, wrong = 0;
    for (uint32_t id = 0; id < 65536; id++) {
        bool read = event_row(id) != NULL;
        if (read != asked_for(id))
            print_error("event %u: %s\n", (unsigned)id, read ? "read, not asked for" : "asked for, not read");
        wrong += read != asked_for(id);
        count += read;
    }
    assert_int_equal(wrong, 0);
    assert_true(count > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_by_certificate),
        cmocka_unit_test(test_without_ticket),
        cmocka_unit_test(test_all_that_is_read_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
