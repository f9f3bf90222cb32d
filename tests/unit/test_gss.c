/* SPDX-License-Identifier: Apache-2.0
 *
 * GSS-API, SPNEGO and NTLMSSP tokens: the samples of [MS-NLMP] 4.2, those of real exchanges (the seeds of the
 * fuzzer), and ones made here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/msgpack.h"
#include "capture/gss.h"
#include "capture/ntlmssp.h"
#include "capture/unseal.h"
#include "tests/unit/der.h"
#include "tests/unit/lone_dissect.h"

static struct lone lone;
static struct gss_exchange exchange;

/* -- helpers ------------------------------------------------------------------------------------ */

static struct dissect *open_exchange(void)
{
    memset(&exchange, 0, sizeof exchange);
    return lone_open(&lone, NULL, TRANSPORT_TCP);
}

static void send_token(struct dissect *d, enum direction direction, const void *data, size_t size)
{
    struct lone_block block = lone_copy(data, size);
    d->direction = direction;
    gss_token(d, &exchange, cursor_of(block.memory, size), "smb", 77);
    free(block.memory);
}

static const char *text_of(size_t n, enum activity_field field)
{
    assert_true(n < lone.emitted && n < LONE_RECORDS);
    return lone_text(lone_record(&lone, n), field);
}

/* Hexadecimal digits, blanks between them ignored. */
static size_t unhex(const char *hex, uint8_t *to)
{
    size_t size = 0;
    for (; *hex; hex++) {
        if (*hex == ' ')
            continue;
        char pair[3] = {hex[0], hex[1], 0};
        to[size++] = (uint8_t)strtoul(pair, NULL, 16);
        hex++;
    }
    return size;
}

/* -- [MS-NLMP] 4.2 ------------------------------------------------------------------------------ */

/* 4.2.4.3 CHALLENGE_MESSAGE */
static const char challenge_v2[] =
    "4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000 2400 2400 "
    "44000000"
    "0600 7017 0000000f "
    "53006500720076006500720002000c0044006f006d00610069006e0001000c00530065007200760065007200"
    "00000000";

/* 4.2.4.3 AUTHENTICATE_MESSAGE */
static const char authenticate_v2[] =
    "4e544c4d53535000 03000000 18001800 6c000000 54005400 84000000 0c000c00 48000000 08000800 54000000"
    "10001000 5c000000 10001000 d8000000 358288e2 0501280a 0000000f 44006f006d00610069006e00 5500730065007200"
    "43004f004d0050005500540045005200 86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
    "68cd0ab851e51c96aabc927bebef6a1c 0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000"
    "02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000"
    "c5dad2544fc9799094ce1ce90bc9d03e";

/* 4.2.2.4 AUTHENTICATE_MESSAGE: NTLMv1 */
static const char authenticate_v1[] =
    "4e544c4d53535000 03000000 18001800 6c000000 18001800 84000000 0c000c00 48000000 08000800 54000000"
    "10001000 5c000000 10001000 9c000000 358280e2 0501280a 0000000f 44006f006d00610069006e00 5500730065007200"
    "43004f004d0050005500540045005200 98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13"
    "67c43011f30298a2ad35ece64f16331c44bdbed927841f94 518822b1b3f350c8958682ecbb3e3cb7";

/* 4.2.3.3 AUTHENTICATE_MESSAGE: NTLMv1 with client challenge */
static const char authenticate_ess[] =
    "4e544c4d53535000 03000000 18001800 6c000000 18001800 84000000 0c000c00 48000000 08000800 54000000"
    "10001000 5c000000 10001000 9c000000 35820882 0501280a 0000000f 44006f006d00610069006e00 5500730065007200"
    "43004f004d0050005500540045005200 aaaaaaaaaaaaaaaa00000000000000000000000000000000"
    "7537f803ae367128ca458204bde7caf81e97ed2683267232 518822b1b3f350c8958682ecbb3e3cb7";

static void test_ntlmv2(void **state)
{
    (void)state;
    uint8_t token[512];
    struct dissect *d = open_exchange();
    send_token(d, TO_CLIENT, token, unhex(challenge_v2, token));
    send_token(d, TO_SERVER, token, unhex(authenticate_v2, token));
    assert_true(exchange.pending);
    assert_string_equal(exchange.account, "User");
    assert_string_equal(exchange.domain, "Domain");
    assert_null(exchange.target);
    assert_int_equal(lone.emitted, 0);
    gss_outcome(d, &exchange, 0xc000006d);
    assert_false(exchange.pending);
    gss_outcome(d, &exchange, 0); /* only the first word counts */
    assert_int_equal(lone.emitted, 1);
    static const struct {
        enum activity_field field;
        const char *text;
    } expected[] = {
        {FIELD_CARRIER, "smb"},
        {FIELD_ACCOUNT, "User"},
        {FIELD_ACCOUNT_DOMAIN, "Domain"},
        {FIELD_WORKSTATION, "COMPUTER"},
        {FIELD_STATUS, "3221225581"},
        {FIELD_NTLM_VARIANT, "ntlmv2"},
        {FIELD_NTLM_FLAGS, "3800597045"},
        {FIELD_NTLM_MIC, "false"},
        {FIELD_NTLM_CLIENT_VERSION, "5.1.2600"},
        {FIELD_NTLM_SERVER_VERSION, "6.0.6000"},
        {FIELD_NTLM_LM_LENGTH, "24"},
        {FIELD_NTLM_NT_LENGTH, "84"},
        {FIELD_NTLM_SERVER_CHALLENGE, "0123456789abcdef"},
        {FIELD_NTLM_CLIENT_CHALLENGE, "aaaaaaaaaaaaaaaa"},
        {FIELD_NTLM_TARGET, "Server"},
        {FIELD_NTLM_SERVER_NB_DOMAIN, "Domain"},
        {FIELD_NTLM_SERVER_NB_COMPUTER, "Server"},
        {FIELD_NTLM_CLIENT_TIME, ""},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_string_equal(text_of(0, expected[i].field), expected[i].text);
    assert_string_not_equal(text_of(0, FIELD_NTLM_RESPONSE_FINGERPRINT), "");
    assert_int_equal(d->counts->ntlmssp[NTLM_CHALLENGE], 1);
    assert_int_equal(d->counts->ntlmssp[NTLM_AUTHENTICATE], 1);
    assert_int_equal(lone.malformed[PROTOCOL_NTLM], 0);
    lone_close(&lone);
}

static const char *variant_of(const char *hex)
{
    uint8_t token[512];
    struct ntlm_message m;
    assert_true(ntlm_parse(cursor_of(token, unhex(hex, token)), 0, &m));
    return ntlm_variant_name(m.variant);
}

static void test_variants(void **state)
{
    (void)state;
    assert_string_equal(variant_of(authenticate_v2), "ntlmv2");
    assert_string_equal(variant_of(authenticate_v1), "ntlmv1");
    assert_string_equal(variant_of(authenticate_ess), "ntlmv1_ess");
    assert_string_equal(variant_of("4e544c4d53535000 03000000 01000100 40000000 0000 0000 00000000"
                                   "0000000000000000 0000000000000000 0000000000000000 0000000000000000"
                                   "05020000 00"),
                        "anonymous");
    assert_string_equal(variant_of("4e544c4d53535000 03000000 18001800 40000000 0000 0000 00000000"
                                   "0000000000000000 0000000000000000 0000000000000000 0000000000000000"
                                   "05020000 112233445566778899aabbccddeeff001122334455667788"),
                        "lm");
}

/* An old client's header ends before the session key: names are in the character set of the challenge. */
static void test_short_header(void **state)
{
    (void)state;
    uint8_t token[512];
    struct dissect *d = open_exchange();
    send_token(
        d, TO_CLIENT, token,
        unhex("4e544c4d53535000 02000000 0400 0400 20000000 02820000 0123456789abcdef 444f4d31", token));
    send_token(d, TO_SERVER, token,
               unhex("4e544c4d53535000 03000000 0000 0000 34000000 0000 0000 34000000 0300 0300 34000000"
                     "0400 0400 37000000 0200 0200 3b000000 444f4d 75736572 7773",
                     token));
    gss_outcome_unknown(d, &exchange);
    assert_string_equal(text_of(0, FIELD_ACCOUNT), "user");
    assert_string_equal(text_of(0, FIELD_ACCOUNT_DOMAIN), "DOM");
    assert_string_equal(text_of(0, FIELD_WORKSTATION), "ws");
    assert_string_equal(text_of(0, FIELD_NTLM_TARGET), "DOM1");
    assert_string_equal(text_of(0, FIELD_NTLM_FLAGS), "");
    assert_string_equal(text_of(0, FIELD_STATUS), "");
    assert_string_equal(exchange.account, "user");
    lone_close(&lone);
}

/* At every length; what is beyond it makes no difference to what is before. */
static void test_ntlm_truncation(void **state)
{
    (void)state;
    static const char *const messages[] = {challenge_v2, authenticate_v2, authenticate_v1};
    uint8_t token[512];
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        size_t whole = unhex(messages[i], token);
        for (size_t size = 0; size <= whole; size++) {
            struct dissect *d = open_exchange();
            d->truncated = size < whole;
            send_token(d, TO_SERVER, token, size);
            gss_outcome(d, &exchange, 0);
            uint64_t counted = d->counts->ntlmssp[2] + d->counts->ntlmssp[3];
            assert_int_equal(counted, size >= 12);
            assert_int_equal(lone.malformed[PROTOCOL_NTLM], 0);
            lone_close(&lone);
        }
    }
}

static void test_damaged_ntlm(void **state)
{
    (void)state;
    uint8_t token[512];
    size_t size = unhex(authenticate_v2, token);
    for (size_t i = 8; i < size; i++) {
        struct dissect *d = open_exchange();
        token[i] ^= 0xff;
        send_token(d, TO_SERVER, token, size);
        token[i] ^= 0xff;
        gss_outcome(d, &exchange, 0);
        lone_close(&lone);
    }
    struct dissect *d = open_exchange();
    token[8] = 9; /* no such message */
    send_token(d, TO_SERVER, token, size);
    assert_int_equal(lone.malformed[PROTOCOL_NTLM], 1);
    token[8] = 3;
    token[0x10] = 0xff; /* the LM response lies beyond the end */
    token[0x11] = 0xff;
    send_token(d, TO_SERVER, token, size);
    assert_int_equal(lone.malformed[PROTOCOL_NTLM], 2);
    lone_close(&lone);
}

static void put16le(struct der *b, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    der_raw(b, bytes, 2);
}

static void put_av(struct der *b, unsigned id, const void *data, size_t size)
{
    put16le(b, id);
    put16le(b, (unsigned)size);
    der_raw(b, data, size);
}

static void test_target_info(void **state)
{
    (void)state;
    struct der b = {.size = 0};
    uint64_t ticks = UINT64_C(116444736010000000); /* one second after 1970 began */
    uint8_t filetime[8];
    for (size_t i = 0; i < sizeof filetime; i++)
        filetime[i] = (uint8_t)(ticks >> (8 * i));
    uint8_t host[48] = {48};
    memset(host + 16, 0x5a, 32);
    put_av(&b, 3, "d\0", 2);
    put_av(&b, 4, "e\0", 2);
    put_av(&b, 5, "f\0", 2);
    put_av(&b, 6, "\2\0\0\0", 4);
    put_av(&b, 7, filetime, 8);
    put_av(&b, 8, host, sizeof host);
    put_av(&b, 9, "c\0i\0", 4);
    put_av(&b, 10, host + 16, 16);
    put_av(&b, 11, "?", 1);
    put_av(&b, 0, NULL, 0);
    put_av(&b, 1, "x\0", 2); /* after the end */
    struct ntlm_target_info info;
    ntlm_read_target_info((struct bytes){b.data, b.size}, &info);
    assert_int_equal(info.dns_computer.size, 2);
    assert_int_equal(info.dns_domain.data[0], 'e');
    assert_int_equal(info.dns_forest.data[0], 'f');
    assert_true(info.has_flags);
    assert_int_equal(info.flags, 2);
    assert_int_equal(info.time, 1000000000);
    assert_int_equal(info.machine.size, 32);
    assert_int_equal(info.machine.data[0], 0x5a);
    assert_int_equal(info.target_spn.size, 4);
    assert_int_equal(info.channel_bindings.size, 16);
    assert_int_equal(info.nb_computer.size, 0);
    ntlm_read_target_info((struct bytes){b.data, 5}, &info); /* cut in the first */
    assert_int_equal(info.dns_computer.size, 0);
}

/* A modern client's message: MIC, target name, machine, channel. */
static void test_modern_client(void **state)
{
    (void)state;
    struct der blob = {.size = 0};
    uint8_t host[48] = {48};
    memset(host + 16, 0x5a, 32);
    der_raw(&blob, "0123456789abcdef", 16);
    der_raw(&blob, "\1\1\0\0\0\0\0\0", 8);
    der_raw(&blob, "\x80\x3e\xd5\xde\xb1\x9d\xdb\x01", 8);
    der_raw(&blob, "CHALLENG\0\0\0\0", 12);
    put_av(&blob, 6, "\2\0\0\0", 4);
    put_av(&blob, 8, host, sizeof host);
    put_av(&blob, 9, "c\0i\0f\0s\0", 8);
    put_av(&blob, 10, host + 16, 16);
    put_av(&blob, 0, NULL, 0);
    struct der b = {.size = 0};
    der_raw(&b, "NTLMSSP\0\3\0\0\0", 12);
    const unsigned fields[6][2] = {{0, 88}, {(unsigned)blob.size, 90}, {0, 88}, {2, 88}, {0, 88}, {0, 88}};
    for (int i = 0; i < 6; i++) {
        put16le(&b, fields[i][0]);
        put16le(&b, fields[i][0]);
        put16le(&b, fields[i][1]);
        put16le(&b, 0);
    }
    der_raw(&b, "\x15\x82\x88\xe2", 4);
    der_raw(&b, "\x0a\0\x61\x4a\0\0\0\x0f", 8);
    der_raw(&b, "mic mic mic mic ", 16);
    der_raw(&b, "u\0", 2);
    der_raw(&b, blob.data, blob.size);
    struct dissect *d = open_exchange();
    send_token(d, TO_SERVER, b.data, b.size);
    gss_outcome(d, &exchange, 0);
    assert_string_equal(text_of(0, FIELD_ACCOUNT), "u");
    assert_string_equal(text_of(0, FIELD_NTLM_MIC), "true");
    assert_string_equal(text_of(0, FIELD_NTLM_CLIENT_VERSION), "10.0.19041");
    assert_string_equal(text_of(0, FIELD_NTLM_TARGET_SPN), "cifs");
    assert_string_equal(text_of(0, FIELD_NTLM_AV_FLAGS), "2");
    assert_string_equal(text_of(0, FIELD_NTLM_CHANNEL_BOUND), "true");
    assert_int_equal(strlen(text_of(0, FIELD_NTLM_MACHINE_ID)), 64);
    assert_string_not_equal(text_of(0, FIELD_NTLM_CLIENT_TIME), "");
    assert_string_equal(text_of(0, FIELD_NTLM_SERVER_CHALLENGE), "");
    lone_close(&lone);
}

/* Without memory the challenge's names are not kept; the rest is there. */
static void test_no_memory(void **state)
{
    (void)state;
    uint8_t token[512];
    struct dissect *d = open_exchange();
    lone.blocks_left = 0;
    send_token(d, TO_CLIENT, token, unhex(challenge_v2, token));
    send_token(d, TO_SERVER, token, unhex(authenticate_v1, token));
    gss_outcome(d, &exchange, 0);
    lone.blocks_left = SIZE_MAX;
    assert_string_equal(text_of(0, FIELD_ACCOUNT), "User");
    assert_string_equal(text_of(0, FIELD_NTLM_TARGET), "");
    assert_string_equal(text_of(0, FIELD_NTLM_SERVER_CHALLENGE), "0123456789abcdef");
    lone_close(&lone);
}

/* -- real exchanges ----------------------------------------------------------------------------- */

/* The seeds hold tokens after two bytes each: the highest bit is the direction, the rest the length. */
static void replay(struct dissect *d, const char *name, size_t cut)
{
    char path[512];
    snprintf(path, sizeof path, "%s/../fuzz/corpus/gss/%s", PICKET_TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static uint8_t bytes[65536];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct cursor c = cursor_of(bytes, size);
    while (!cursor_done(&c)) {
        uint16_t head = cursor_be16(&c);
        struct bytes token = cursor_take(&c, head & 0x3fff);
        size_t length = token.size > cut ? token.size - cut : 0;
        d->truncated = cut > 0;
        send_token(d, head & 0x8000 ? TO_CLIENT : TO_SERVER, token.data, length);
    }
}

static void test_smb_ntlm(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    replay(d, "smb_ntlm", 0);
    assert_int_equal(d->counts->ntlmssp[NTLM_NEGOTIATE], 1);
    assert_int_equal(d->counts->ntlmssp[NTLM_CHALLENGE], 1);
    assert_int_equal(exchange.mechanism, GSS_NTLM);
    lone_close(&lone);
}

static void test_smb_kerberos(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    replay(d, "smb_krb", 0);
    gss_outcome(d, &exchange, 0);
    assert_int_equal(exchange.mechanism, GSS_KERBEROS);
    assert_int_equal(d->counts->kerberos_gss[14], 1);
    assert_int_equal(d->counts->kerberos_gss[15], 1);
    assert_int_equal(lone.emitted, 1);
    assert_string_equal(text_of(0, FIELD_CARRIER), "smb");
    assert_string_equal(text_of(0, FIELD_TICKET_SERVICE), "cifs/dc1.corp.example");
    assert_string_equal(text_of(0, FIELD_TICKET_REALM), "CORP.EXAMPLE");
    assert_string_equal(text_of(0, FIELD_OFFERED_MECHANISMS), "kerberos");
    assert_string_equal(text_of(0, FIELD_STATUS), "0");
    assert_string_not_equal(text_of(0, FIELD_TICKET_FINGERPRINT), "");
    assert_string_not_equal(text_of(0, FIELD_REPLY_ETYPE), "");
    lone_close(&lone);
}

/* Tokens cut inside SPNEGO's OCTET STRING are read, and not counted. */
static void test_cut_tokens(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    replay(d, "smb_krb", 10);
    gss_outcome(d, &exchange, 0);
    assert_int_equal(d->counts->kerberos_gss[14], 0);
    assert_int_equal(lone.emitted, 1);
    assert_string_equal(text_of(0, FIELD_TICKET_SERVICE), "cifs/dc1.corp.example");
    assert_int_equal(lone.malformed[PROTOCOL_KERBEROS], 0);
    lone_close(&lone);
    for (size_t cut = 1; cut < 1600; cut += 3) {
        d = open_exchange();
        replay(d, cut & 1 ? "smb_krb" : "smb_ntlm", cut);
        lone_close(&lone);
    }
}

static void test_ldap(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    replay(d, "ldap_gssapi", 0);
    gss_outcome(d, &exchange, 0);
    assert_int_equal(d->counts->kerberos_gss[14], 1);
    assert_int_equal(d->counts->kerberos_gss[15], 1);
    assert_string_equal(text_of(0, FIELD_OFFERED_MECHANISMS), "");
    lone_close(&lone);
    d = open_exchange();
    replay(d, "ldap_ntlm", 0);
    gss_outcome(d, &exchange, 49);
    assert_string_equal(text_of(0, FIELD_STATUS), "49");
    lone_close(&lone);
}

/* -- made tokens -------------------------------------------------------------------------------- */

static const uint8_t oid_kerberos[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02};
static const uint8_t oid_iakerb[] = {0x2b, 0x06, 0x01, 0x05, 0x02, 0x05};
static const uint8_t oid_ntlm[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a};
static const uint8_t oid_spnego[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x02};

static void put_ap_req(struct der *b)
{
    size_t start = b->size;
    der_member_integer(b, 0, 5);
    size_t ticket = b->size;
    der_member_text(b, 1, BER_GENERAL_STRING, "EXAMPLE");
    der_close(b, ticket, BER_SEQUENCE);
    der_close(b, ticket, BER_APPLICATION(1));
    der_close(b, ticket, BER_CONTEXT_CONS(3));
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, BER_APPLICATION(14));
}

static void put_error(struct der *b)
{
    size_t start = b->size;
    der_member_integer(b, 0, 5);
    der_member_integer(b, 6, 37);
    der_member_text(b, 11, BER_GENERAL_STRING, "skew");
    size_t data = b->size;
    der_member_integer(b, 1, 3);
    der_member_bytes(b, 2, BER_OCTET_STRING, "\x33\1\0\xc0\0\0\0\0\1\0\0\0", 12);
    der_close(b, data, BER_SEQUENCE);
    der_close(b, data, BER_OCTET_STRING);
    der_close(b, data, BER_CONTEXT_CONS(12));
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, BER_APPLICATION(30));
}

/* OID, then what was put since `start`, in a GSS-API frame. */
static void close_gss(struct der *b, size_t start, const uint8_t *oid, size_t oid_size)
{
    struct der head = {.size = 0};
    der_element(&head, BER_OID, oid, oid_size);
    memmove(b->data + start + head.size, b->data + start, b->size - start);
    memcpy(b->data + start, head.data, head.size);
    b->size += head.size;
    der_close(b, start, BER_APPLICATION(0));
}

/* The service answers with an error, the client tries again. */
static void test_kerberos_error(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    struct der b = {.size = 0};
    der_raw(&b, "\1\0", 2);
    put_ap_req(&b);
    close_gss(&b, 0, oid_kerberos, sizeof oid_kerberos);
    send_token(d, TO_SERVER, b.data, b.size);
    b.size = 0;
    der_raw(&b, "\3\0", 2);
    put_error(&b);
    send_token(d, TO_CLIENT, b.data, b.size);
    b.size = 0;
    put_ap_req(&b); /* DCE style: bare */
    send_token(d, TO_SERVER, b.data, b.size);
    assert_int_equal(lone.emitted, 1);
    assert_string_equal(text_of(0, FIELD_KERBEROS_ERROR_CODE), "37");
    assert_string_equal(text_of(0, FIELD_KERBEROS_ERROR_TEXT), "skew");
    assert_string_equal(text_of(0, FIELD_KERBEROS_ERROR_STATUS), "3221225779");
    assert_string_equal(text_of(0, FIELD_TICKET_REALM), "EXAMPLE");
    assert_string_equal(text_of(0, FIELD_STATUS), "");
    gss_outcome(d, &exchange, 5);
    assert_int_equal(lone.emitted, 2);
    assert_int_equal(d->counts->kerberos_gss[14], 2);
    assert_int_equal(d->counts->kerberos_gss[30], 1);
    send_token(d, TO_CLIENT, "\x7e\4\x30\2\5\0", 6); /* nobody waits */
    send_token(d, TO_CLIENT, "\x6f\4\x30\2\5\0", 6);
    assert_int_equal(lone.emitted, 2);
    lone_close(&lone);
}

static void put_spnego(struct der *b, bool kerberos, bool ntlm, const struct der *token)
{
    b->size = 0;
    size_t list = b->size;
    if (kerberos)
        der_element(b, BER_OID, oid_kerberos, sizeof oid_kerberos);
    der_element(b, BER_NULL, NULL, 0);
    if (ntlm)
        der_element(b, BER_OID, oid_ntlm, sizeof oid_ntlm);
    der_close(b, list, BER_SEQUENCE);
    der_close(b, list, BER_CONTEXT_CONS(0));
    if (token)
        der_member_bytes(b, 2, BER_OCTET_STRING, token->data, token->size);
    der_close(b, 0, BER_SEQUENCE);
    der_close(b, 0, BER_CONTEXT_CONS(0));
    close_gss(b, 0, oid_spnego, sizeof oid_spnego);
}

/* A service that answers NTLM with Kerberos: what waits is left alone. */
static void test_confusion(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    uint8_t token[512];
    send_token(d, TO_SERVER, token, unhex(authenticate_v1, token));
    struct der b = {.size = 0};
    put_error(&b);
    send_token(d, TO_CLIENT, b.data, b.size);
    send_token(d, TO_CLIENT, "\x6f\4\x30\2\5\0", 6);
    assert_true(exchange.pending);
    gss_outcome(d, &exchange, 7);
    assert_int_equal(lone.emitted, 1);
    assert_string_equal(text_of(0, FIELD_NTLM_VARIANT), "ntlmv1");
    assert_string_equal(text_of(0, FIELD_STATUS), "7");
    lone_close(&lone);
}

/* The client prefers Kerberos and shows a ticket at once; the server wants NTLM. */
static void test_fallback(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    struct der inner = {.size = 0}, b;
    der_raw(&inner, "\1\0", 2);
    put_ap_req(&inner);
    close_gss(&inner, 0, oid_kerberos, sizeof oid_kerberos);
    put_spnego(&b, true, true, &inner);
    send_token(d, TO_SERVER, b.data, b.size);
    assert_true(exchange.pending);
    b.size = 0;
    der_member_bytes(&b, 0, BER_ENUMERATED, "\3", 1); /* request-mic */
    der_member_bytes(&b, 1, BER_OID, oid_ntlm, sizeof oid_ntlm);
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_CONTEXT_CONS(1));
    send_token(d, TO_CLIENT, b.data, b.size);
    assert_int_equal(exchange.mechanism, GSS_NTLM);
    uint8_t token[512];
    send_token(d, TO_SERVER, token, unhex(authenticate_v1, token));
    gss_outcome(d, &exchange, 0);
    assert_int_equal(lone.emitted, 2);
    assert_string_equal(text_of(0, FIELD_TICKET_REALM), "EXAMPLE");
    assert_string_equal(text_of(1, FIELD_NTLM_VARIANT), "ntlmv1");
    assert_string_equal(text_of(1, FIELD_OFFERED_MECHANISMS), "kerberos, ntlm");
    lone_close(&lone);
}

static void test_other_frames(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    struct der b = {.size = 0};
    uint8_t token[512];
    size_t size = unhex(authenticate_v1, token);
    der_raw(&b, token, size);
    close_gss(&b, 0, oid_ntlm, sizeof oid_ntlm);
    send_token(d, TO_SERVER, b.data, b.size);
    assert_int_equal(d->counts->ntlmssp[NTLM_AUTHENTICATE], 1);
    b.size = 0; /* IAKERB: header, then an AS-REQ */
    der_raw(&b, "\5\1\x30\0\x6a\4\x30\2\5\0", 10);
    close_gss(&b, 0, oid_iakerb, sizeof oid_iakerb);
    send_token(d, TO_SERVER, b.data, b.size);
    assert_int_equal(d->counts->kerberos_gss[10], 1);
    b.size = 0;
    der_raw(&b, "\5\1\x30\0", 4);
    close_gss(&b, 0, oid_iakerb, sizeof oid_iakerb);
    send_token(d, TO_SERVER, b.data, b.size);
    b.size = 0; /* KRB-CRED */
    der_raw(&b, "\1\0\x76\2\x30\0", 6);
    close_gss(&b, 0, oid_kerberos, sizeof oid_kerberos);
    send_token(d, TO_SERVER, b.data, b.size);
    assert_int_equal(d->counts->kerberos_gss[22], 1);
    b.size = 0; /* another mechanism */
    close_gss(&b, 0, (const uint8_t *)"\1", 1);
    send_token(d, TO_SERVER, b.data, b.size);
    static const struct bytes others[] = {
        {(const uint8_t *)"\4\4\5\xff\xff\xff\xff\xff", 8}, /* a signature */
        {(const uint8_t *)"\1\1\0\0", 4},                   /* a MIC token of RFC 1964 */
        {(const uint8_t *)"NEGOEXTS", 8},
        {(const uint8_t *)"\x60\2\5\0", 4},
        {(const uint8_t *)"\xa0\2\5\0", 4},
        {(const uint8_t *)"\xa1\2\5\0", 4},
        {(const uint8_t *)"", 0},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        send_token(d, TO_SERVER, others[i].data, others[i].size);
    assert_int_equal(lone.malformed[PROTOCOL_KERBEROS] + lone.malformed[PROTOCOL_NTLM], 0);
    send_token(d, TO_SERVER, "\1\0garbage", 9);
    assert_int_equal(lone.malformed[PROTOCOL_KERBEROS], 1);
    lone_close(&lone);
}

/* SPNEGO in SPNEGO in SPNEGO ...: given up, and nothing of it counted. */
static void test_nesting(void **state)
{
    (void)state;
    struct dissect *d = open_exchange();
    struct der inner = {.size = 0}, b;
    uint8_t token[512];
    der_raw(&inner, token, unhex(authenticate_v1, token));
    for (int i = 0; i < 40; i++) {
        put_spnego(&b, true, true, &inner);
        inner = b;
    }
    send_token(d, TO_SERVER, b.data, b.size);
    assert_int_equal(d->counts->ntlmssp[NTLM_AUTHENTICATE], 0);
    assert_false(exchange.pending);
    lone_close(&lone);
}

/* Where the beginning was not captured the counts leave out what names no mechanism; the activity is there.
 */
static void test_midstream(void **state)
{
    (void)state;
    struct der b = {.size = 0};
    uint8_t token[512];
    size_t size = unhex(authenticate_v1, token);
    der_member_bytes(&b, 2, BER_OCTET_STRING, token, size);
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_CONTEXT_CONS(1));
    static const uint8_t chosen[] = {0xa1, 0x10, 0x30, 0x0e, 0xa1, 0x0c, 0x06, 0x0a, 0x2b,
                                     0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a};
    for (int seen = 0; seen < 3; seen++) {
        struct dissect *d = open_exchange();
        if (seen > 0)
            send_token(d, TO_SERVER, "\x60\x08\x06\x06\x2b\x06\x01\x05\x05\x02", 10);
        if (seen > 1)
            send_token(d, TO_CLIENT, chosen, sizeof chosen);
        send_token(d, TO_SERVER, b.data, b.size);
        gss_outcome(d, &exchange, 0);
        assert_int_equal(d->counts->ntlmssp[NTLM_AUTHENTICATE], seen == 2);
        assert_int_equal(lone.emitted, 1);
        lone_close(&lone);
    }
    struct dissect *d = open_exchange();
    exchange.uncounted = true;
    send_token(d, TO_SERVER, token, size);
    assert_int_equal(d->counts->ntlmssp[NTLM_AUTHENTICATE], 0);
    assert_true(exchange.pending);
    lone_close(&lone);
}

/* -- with keys ------------------------------------------------------------------------------------ */

/* Who holds the keys: says what it is asked, and gives one answer to all. */
static struct {
    uint8_t operations[16];
    size_t count;
    uint64_t contexts[16]; /* the first number behind the operation, of those that are told */
    uint8_t answer[128];
    size_t answer_size;
} keys;

static void note_request(struct bytes request)
{
    struct cursor c = cursor_of_bytes(request);
    assert_int_equal(msgpack_next(&c).type, MSGPACK_ARRAY);
    assert_true(keys.count < 16);
    keys.operations[keys.count] = (uint8_t)msgpack_next(&c).uint;
    struct msgpack_item item = msgpack_next(&c);
    if (keys.operations[keys.count] == UNSEAL_NAMED || keys.operations[keys.count] == UNSEAL_POST) {
        msgpack_next(&c);
        keys.operations[keys.count] = (uint8_t)msgpack_next(&c).uint;
    }
    keys.contexts[keys.count++] = item.type == MSGPACK_UINT ? item.uint : 0;
}

static bool ask_keys(void *context, struct bytes request, struct bytes *answer)
{
    (void)context;
    note_request(request);
    *answer = (struct bytes){keys.answer, keys.answer_size};
    return true;
}

static void tell_keys(void *context, struct bytes request)
{
    (void)context;
    note_request(request);
}

static const struct unsealer unsealer = {.ask = ask_keys, .tell = tell_keys};

/* [fine, context, [[AUTHENTICATOR, result, 18, 0, "", ...]]] */
static void answer_context(uint64_t context, enum unseal_result part)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, keys.answer, sizeof keys.answer);
    msgpack_put_array(&w, 3);
    msgpack_put_uint(&w, UNSEAL_FINE);
    msgpack_put_uint(&w, context);
    msgpack_put_array(&w, 1);
    msgpack_put_array(&w, 10);
    const uint8_t numbers[] = {UNSEALED_AUTHENTICATOR, (uint8_t)part, 18, 0};
    for (size_t i = 0; i < sizeof numbers; i++)
        msgpack_put_uint(&w, numbers[i]);
    msgpack_put_binary(&w, "", 0);
    for (int i = 0; i < 5; i++)
        msgpack_put_uint(&w, 0);
    keys.answer_size = w.size;
    keys.count = 0;
}

static void test_ntlm_context(void **state)
{
    (void)state;
    uint8_t token[512];
    struct dissect *d = open_exchange();
    lone.unsealer = &unsealer;
    answer_context(5, UNSEAL_FINE);
    send_token(d, TO_CLIENT, token, unhex(challenge_v2, token));
    send_token(d, TO_SERVER, token, unhex(authenticate_v2, token));
    uint64_t first = exchange.context; /* our own number: nothing is asked */
    assert_int_not_equal(first, 0);
    assert_int_equal(keys.count, 1);
    assert_int_equal(keys.operations[0], UNSEAL_NTLM);
    assert_int_equal(keys.contexts[0], first);
    send_token(d, TO_SERVER, token, unhex(authenticate_v2, token)); /* anew: the one before is forgotten */
    assert_int_equal(keys.operations[1], UNSEAL_FORGET);
    assert_int_equal(keys.contexts[1], first);
    assert_int_not_equal(exchange.context, first);
    gss_end(d, &exchange);
    assert_int_equal(keys.operations[keys.count - 1], UNSEAL_FORGET);
    assert_int_equal(exchange.context, 0);
    lone_close(&lone);
}

/* An AP exchange with the client's third leg. */
static void test_kerberos_context(void **state)
{
    (void)state;
    static const uint8_t ap_req[] = {0x6e, 0x12, 0x30, 0x10, 0xa0, 0x03, 0x02, 0x01, 0x05, 0xa1,
                                     0x03, 0x02, 0x01, 0x0e, 0xa2, 0x04, 0x03, 0x02, 0x05, 0x00};
    static const uint8_t ap_rep[] = {0x6f, 0x0c, 0x30, 0x0a, 0xa0, 0x03, 0x02,
                                     0x01, 0x05, 0xa1, 0x03, 0x02, 0x01, 0x0f};
    for (int read = 0; read < 2; read++) {
        struct dissect *d = open_exchange();
        lone.unsealer = &unsealer;
        answer_context(7, read ? UNSEAL_FINE : UNSEAL_NO_KEY);
        send_token(d, TO_SERVER, ap_req, sizeof ap_req);
        uint64_t context = exchange.context; /* our own number, until the answer tells that there is none */
        assert_int_not_equal(context, 0);
        lone.go_on(d, lone.about, (struct bytes){keys.answer, keys.answer_size});
        assert_int_equal(exchange.context, context);
        send_token(d, TO_CLIENT, ap_rep, sizeof ap_rep);
        send_token(d, TO_SERVER, ap_rep, sizeof ap_rep);
        assert_int_equal(keys.count, 3);
        assert_int_equal(keys.operations[0], UNSEAL_AP_REQUEST);
        assert_int_equal(keys.operations[1], UNSEAL_AP_REPLY);
        assert_int_equal(keys.contexts[2], context);
        gss_outcome(d, &exchange, 0);
        assert_string_equal(text_of(0, FIELD_UNSEALED), read ? "true" : "");
        gss_end(d, &exchange);
        assert_int_equal(keys.operations[3], UNSEAL_FORGET);
        lone_close(&lone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ntlmv2),         cmocka_unit_test(test_variants),
        cmocka_unit_test(test_short_header),   cmocka_unit_test(test_ntlm_truncation),
        cmocka_unit_test(test_damaged_ntlm),   cmocka_unit_test(test_target_info),
        cmocka_unit_test(test_modern_client),  cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_smb_ntlm),       cmocka_unit_test(test_smb_kerberos),
        cmocka_unit_test(test_cut_tokens),     cmocka_unit_test(test_ldap),
        cmocka_unit_test(test_kerberos_error), cmocka_unit_test(test_fallback),
        cmocka_unit_test(test_confusion),      cmocka_unit_test(test_other_frames),
        cmocka_unit_test(test_nesting),        cmocka_unit_test(test_midstream),
        cmocka_unit_test(test_ntlm_context),   cmocka_unit_test(test_kerberos_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
