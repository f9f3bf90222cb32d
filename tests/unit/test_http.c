/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/exchange.h"

/* NTLMSSP NEGOTIATE, CHALLENGE and AUTHENTICATE (alice of CORP at WS1) */
#define NEGOTIATE "TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKALpHAAAADw=="
#define CHALLENGE                                                                                            \
    "TlRMTVNTUAACAAAACAAIADgAAAAFgomiAAECAwQFBgcAAAAAAAAAABAAEABAAAAACgC6RwAAAA9DAE8AUgBQAAIACABDAE8AUgBQAA" \
    "AA"                                                                                                     \
    "AAA="
#define AUTHENTICATE                                                                                         \
    "TlRMTVNTUAADAAAAGAAYAEgAAABAAEAAYAAAAAgACACgAAAACgAKAKgAAAAGAAYAsgAAAAAAAAC4AAAABYKIogoAukcAAAAPAAAAAA" \
    "AA"                                                                                                     \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAECAwQFBgcICQoLDA0ODwEBAAAAAAAAAAAAAAAAAAAxMjM0NTY3OAAAAAACAAgAQwBPAFIAUAAAAA" \
    "AA"                                                                                                     \
    "AAAAAEMATwBSAFAAYQBsAGkAYwBlAFcAUwAxAA=="

#define REQUEST(authorization)                                                                               \
    "POST /wsman?PSVersion=5.1 HTTP/1.1\r\nHost: srv1:5985\r\nUser-Agent: Microsoft WinRM Client\r\n"        \
    "Content-Length: 0\r\n" authorization "\r\n"

static void begin(struct exchange *x, unsigned port)
{
    exchange_open(x, 50000, port, NULL);
    exchange_connect(x);
}

static void test_ntlm_success(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 5985);
    exchange_text(&x, TO_SERVER, REQUEST(""));
    exchange_text(&x, TO_CLIENT,
                  "HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: Kerberos\r\n"
                  "Content-Length: 0\r\n\r\n");
    exchange_text(&x, TO_SERVER, REQUEST("Authorization: Negotiate " NEGOTIATE "\r\n"));
    exchange_text(&x, TO_CLIENT,
                  "HTTP/1.1 401 \r\nwww-authenticate: Negotiate " CHALLENGE "\r\nContent-Length: 0\r\n\r\n");
    exchange_text(&x, TO_SERVER, REQUEST("AUTHORIZATION:Negotiate " AUTHENTICATE "\r\n"));
    assert_int_equal(harness_count(&x.h, ACTIVITY_NTLM_AUTHENTICATE), 0);
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(x.h.counts->ntlmssp[1], 1);
    assert_int_equal(x.h.counts->ntlmssp[2], 1);
    assert_int_equal(x.h.counts->ntlmssp[3], 1);
    assert_int_equal(harness_count(&x.h, ACTIVITY_HTTP_REQUEST), 3);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_NTLM_AUTHENTICATE, 0);
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "alice");
    assert_string_equal(harness_text(r, FIELD_CARRIER), "http");
    assert_true(harness_has(r, FIELD_STATUS));
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    r = harness_find(&x.h, ACTIVITY_HTTP_REQUEST, 0);
    assert_string_equal(harness_text(r, FIELD_HTTP_METHOD), "POST");
    assert_string_equal(harness_text(r, FIELD_HTTP_HOST), "srv1:5985");
    assert_string_equal(harness_text(r, FIELD_HTTP_PATH), "/wsman");
    assert_string_equal(harness_text(r, FIELD_HTTP_SERVICE), "winrm");
    assert_string_equal(harness_text(r, FIELD_HTTP_USER_AGENT), "Microsoft WinRM Client");
    assert_false(harness_has(r, FIELD_HTTP_AUTHENTICATION));
    assert_int_equal(harness_uint(r, FIELD_STATUS), 401);
    assert_non_null(strstr(r->json, "\"http_offered\":[\"Negotiate\",\"Kerberos\"]"));
    r = harness_find(&x.h, ACTIVITY_HTTP_REQUEST, 2);
    assert_string_equal(harness_text(r, FIELD_HTTP_AUTHENTICATION), "Negotiate");
    assert_int_equal(harness_uint(r, FIELD_HTTP_RESPONSE_LENGTH), 5);
    for (size_t i = 0; i < x.h.size; i++)
        assert_null(strstr(x.h.records[i]->json, "TlRM"));
    exchange_close(&x);
}

static void test_ntlm_failure(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 8088); /* by signature */
    exchange_text(&x, TO_SERVER, "GET / HTTP/1.1\r\nAuthorization: NTLM " NEGOTIATE "\r\n\r\n");
    exchange_text(&x, TO_CLIENT,
                  "HTTP/1.1 401 no\r\nWWW-Authenticate: NTLM " CHALLENGE "\r\nContent-Length: 0\r\n\r\n");
    exchange_text(&x, TO_SERVER, "GET / HTTP/1.1\r\nAuthorization: NTLM " AUTHENTICATE "\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 401 no\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
    struct harness_record *r = harness_find(&x.h, ACTIVITY_NTLM_AUTHENTICATE, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 401);
    exchange_close(&x);
    begin(&x, 3128); /* a proxy; the outcome is not seen */
    exchange_text(&x, TO_SERVER,
                  "GET http://intranet/certsrv/?a=b HTTP/1.1\r\nProxy-Authorization: NTLM " NEGOTIATE
                  "\r\n\r\n");
    exchange_text(&x, TO_CLIENT,
                  "HTTP/1.1 407 no\r\nProxy-Authenticate: NTLM " CHALLENGE "\r\nContent-Length: 0\r\n\r\n");
    exchange_text(&x, TO_SERVER,
                  "GET http://intranet/certsrv/?a=b HTTP/1.1\r\nProxy-Authorization: NTLM " AUTHENTICATE
                  "\r\n\r\n");
    exchange_finish(&x);
    r = harness_find(&x.h, ACTIVITY_NTLM_AUTHENTICATE, 0);
    assert_false(harness_has(r, FIELD_STATUS));
    r = harness_find(&x.h, ACTIVITY_HTTP_REQUEST, 0);
    assert_true(harness_bool(r, FIELD_HTTP_PROXY));
    assert_string_equal(harness_text(r, FIELD_HTTP_PATH), "/certsrv/");
    assert_string_equal(harness_text(r, FIELD_HTTP_SERVICE), "certsrv");
    exchange_close(&x);
}

static void test_basic_keeps_no_password(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 80);
    /* corp\bob:secret */
    exchange_text(&x, TO_SERVER, "GET /x HTTP/1.1\r\nAuthorization: Basic Y29ycFxib2I6c2VjcmV0\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 204 No Content\r\n\r\n");
    struct harness_record *r = harness_find(&x.h, ACTIVITY_HTTP_REQUEST, 0);
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "corp\\bob");
    assert_string_equal(harness_text(r, FIELD_HTTP_AUTHENTICATION), "Basic");
    assert_null(strstr(r->json, "secret"));
    assert_null(strstr(r->json, "Y29y"));
    exchange_close(&x);
}

static void test_services(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *service;
    } paths[] = {
        {"/wsman/SubscriptionManager/WEC", "wef"},
        {"/wsman/subscriptions/1", "wef"},
        {"/WSMAN", "winrm"},
        {"/certsrv/certfnsh.asp", "certsrv"},
        {"/ADPolicyProvider_CEP_Kerberos/service.svc/CEP", "cep"},
        {"/CORP-CA_CES_Kerberos/service.svc/CES", "ces"},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct exchange x;
        char text[200];
        begin(&x, 80);
        snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n\r\n", paths[i].path);
        exchange_text(&x, TO_SERVER, text);
        exchange_finish(&x);
        struct harness_record *r = harness_find(&x.h, ACTIVITY_HTTP_REQUEST, 0);
        assert_string_equal(harness_text(r, FIELD_HTTP_SERVICE), paths[i].service);
        exchange_close(&x);
    }
}

static void test_others_are_only_counted(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 80);
    exchange_text(&x, TO_SERVER, "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    exchange_finish(&x);
    assert_int_equal(x.h.size, 0);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].messages, 2);
    assert_int_equal(x.h.stats->skipped_bytes, 2);
    exchange_close(&x);
}

/* What came with the end of a split head is a body, which is stepped over, and further messages. */
static void test_split_heads(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 80);
    exchange_text(&x, TO_SERVER, "GET / HTTP/1.1\r\nHo");
    exchange_text(&x, TO_SERVER, "st: a\r\nContent-Length: 5\r\n\r\nbo");
    exchange_text(&x, TO_SERVER, "dy.GET /x HTTP/1.1\r\n");
    exchange_text(&x, TO_SERVER, "Content-Length: 2\r\n\r\nokGET /y HTTP/1.1\r\n\r\nGET");
    exchange_text(&x, TO_SERVER, " /z HTTP/1.1\r\n\r\n");
    exchange_finish(&x);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].messages, 4);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].malformed, 0);
    assert_int_equal(x.h.stats->skipped_bytes, 7);
    exchange_close(&x);
}

/* All forms of bodies, then one more message that is only found when every body was measured right. */
static void test_bodies(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 80);
    exchange_text(&x, TO_SERVER,
                  "POST /a HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
                  "5;x=y\r\nGET /\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
                  "\r\nPUT /b HTTP/1.1\r\nContent-Length: 11\r\n\r\nGET / HTTP/"
                  "HEAD /c HTTP/1.1\r\n\r\n"
                  "GET /d HTTP/1.0\r\n\r\n"
                  "GET /wsman HTTP/1.1\r\n\r\n");
    exchange_text(&x, TO_CLIENT,
                  "HTTP/1.1 100 Continue\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n000\r\n\r\n"
                  "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
                  "HTTP/1.1 200 OK\nContent-Length: 1\n\nx"
                  "HTTP/1.1 503 Busy\r\n\r\nuntil the end HTTP/1.1 200 OK\r\n\r\n");
    exchange_finish(&x);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_HTTP_REQUEST, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 503);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].messages, 11);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].malformed, 0);
    exchange_close(&x);
}

static void test_sealed(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 5985);
    exchange_text(&x, TO_SERVER,
                  "POST /wsman HTTP/1.1\r\nContent-Type: multipart/encrypted;protocol=\"x\"\r\n"
                  "Content-Length: 4\r\n\r\nxxxx");
    exchange_text(&x, TO_CLIENT,
                  "HTTP/1.1 200 \r\nContent-Type: multipart/encrypted;protocol=\"x\"\r\n"
                  "Content-Length: 4\r\n\r\nxxxx");
    struct harness_record *r = harness_find(&x.h, ACTIVITY_HTTP_REQUEST, 0);
    assert_true(harness_bool(r, FIELD_SEALED));
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].sealed, 2);
    exchange_close(&x);
}

static void test_tunnels(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 3128);
    exchange_text(&x, TO_SERVER, "CONNECT srv:443 HTTP/1.1\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 200 Established\r\n\r\n");
    exchange_tcp(&x, TO_SERVER,
                 "16 0301 002f 01 00002b 0303"
                 "0000000000000000000000000000000000000000000000000000000000000000"
                 "00 0002 1301 01 00 0000");
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_TLS_SESSION), 1);
    exchange_close(&x);
    begin(&x, 3128); /* refused, then another request on the same connection */
    exchange_text(&x, TO_SERVER, "CONNECT srv:22 HTTP/1.1\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    exchange_text(&x, TO_SERVER, "GET /wsman HTTP/1.1\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(harness_count(&x.h, ACTIVITY_HTTP_REQUEST), 1);
    exchange_close(&x);
    begin(&x, 80);
    exchange_text(&x, TO_SERVER, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello");
    exchange_text(&x, TO_SERVER, "\x81\x05hello");
    exchange_finish(&x);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].malformed, 0);
    exchange_close(&x);
}

static void test_damaged(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "GET\r\n\r\n",
        "GET /x\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n11111111111111111111111111111111111111111111111111"
        "111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 OK\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct exchange x;
        begin(&x, 80);
        exchange_text(&x, TO_SERVER, "GET / HTTP/1.1\r\n\r\n");
        exchange_text(&x, TO_SERVER, bad[i]);
        exchange_finish(&x);
        assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].malformed, 1);
        exchange_close(&x);
    }
    struct exchange x; /* a head without end */
    static char line[40000];
    memset(line, 'x', sizeof line - 1);
    begin(&x, 80);
    exchange_text(&x, TO_SERVER, "GET / HTTP/1.1\r\nX: ");
    exchange_text(&x, TO_SERVER, line);
    exchange_finish(&x);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].malformed, 1);
    exchange_close(&x);
    begin(&x, 8089); /* nothing of HTTP */
    exchange_text(&x, TO_SERVER, "HELLO there\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP is not this\r\n");
    exchange_finish(&x);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].flows, 0);
    exchange_close(&x);
}

static void test_gap(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 80);
    exchange_text(&x, TO_SERVER, "GET /wsman HTTP/1.1\r\nAuthorization: NTLM " AUTHENTICATE "\r\n\r\n");
    x.next[TO_CLIENT] += 300; /* lost for good */
    exchange_text(&x, TO_SERVER, "GET /wsman/2 HTTP/1.1\r\n\r\n");
    exchange_text(&x, TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (int i = 0; i < 40; i++) {
        exchange_text(&x, TO_SERVER, "GET /wsman/3 HTTP/1.1\r\n\r\n");
        exchange_text(&x, TO_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_HTTP_REQUEST), 42);
    assert_int_equal(harness_count(&x.h, ACTIVITY_NTLM_AUTHENTICATE), 1);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_HTTP].malformed, 0);
    exchange_close(&x);
}

static void test_many_unanswered(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 80);
    for (int i = 0; i < 100; i++)
        exchange_text(&x, TO_SERVER, "GET /wsman HTTP/1.1\r\n\r\n");
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_HTTP_REQUEST), 100);
    exchange_close(&x);
}

static void test_split(void **state)
{
    (void)state;
    static char request[8000], response[8000];
    const char *texts[2] = {REQUEST("Authorization: Basic YTpi\r\n"),
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"};
    char *to[2] = {request, response};
    for (int i = 0; i < 2; i++)
        for (const char *at = texts[i]; *at; at++)
            to[i] += sprintf(to[i], "%02x", (unsigned char)*at);
    exchange_split(80, request, response, ACTIVITY_HTTP_REQUEST, 1);
    exchange_split(8089, request, response, ACTIVITY_HTTP_REQUEST, 1);
}

static void test_captures(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/ntlm--http-ntlm.pcap")) {
        assert_true(h.counts->ntlmssp[3] > 0);
        assert_int_equal(h.broken, 0);
    }
    harness_close(&h);
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/kerberos--krb-udp-http.pcap")) {
        struct harness_record *r = harness_find(&h, ACTIVITY_KERBEROS_AP, 0);
        assert_string_equal(harness_text(r, FIELD_CARRIER), "http");
    }
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ntlm_success),
        cmocka_unit_test(test_ntlm_failure),
        cmocka_unit_test(test_basic_keeps_no_password),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_others_are_only_counted),
        cmocka_unit_test(test_split_heads),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_tunnels),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_many_unanswered),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
