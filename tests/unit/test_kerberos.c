/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos messages by themselves: those of real exchanges (the seeds of the fuzzer), at every length, and
 * ones made here for what no capture at hand has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/kerberos.h"
#include "capture/protocols.h"
#include "tests/unit/der.h"
#include "tests/unit/lone_dissect.h"

static struct lone lone;

/* -- helpers ------------------------------------------------------------------------------------ */

static struct lone_block seed(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/../fuzz/corpus/kerberos/%s", PICKET_TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static uint8_t bytes[65536];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return lone_copy(bytes, size);
}

static void send_bytes(struct dissect *d, enum direction direction, const void *data, size_t size)
{
    struct lone_block block = lone_copy(data, size);
    d->direction = direction;
    d->protocol->message(d, cursor_of(block.memory, size));
    free(block.memory);
}

static void send_seed(struct dissect *d, enum direction direction, const char *name)
{
    struct lone_block block = seed(name);
    send_bytes(d, direction, block.memory, block.size);
    free(block.memory);
}

/* A field of the n-th record as text; "" when it has none. */
static const char *text_of(size_t n, enum activity_field field)
{
    assert_true(n < lone.emitted && n < LONE_RECORDS);
    return lone_text(lone_record(&lone, n), field);
}

static const char *kind_of_record(size_t n)
{
    assert_true(n < lone.emitted && n < LONE_RECORDS);
    return activity_kind_info(lone.records[n].kind)->name;
}

static void assert_principal(const struct krb_principal *principal, const char *expected)
{
    char text[256];
    assert_true(principal->present);
    size_t size = krb_principal_text(principal, text, sizeof text - 1);
    text[size] = '\0';
    assert_string_equal(text, expected);
}

static void assert_bytes(struct bytes bytes, const char *expected)
{
    assert_int_equal(bytes.size, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.size);
}

/* -- real messages ------------------------------------------------------------------------------ */

static void test_as_req(void **state)
{
    (void)state;
    struct lone_block block = seed("as_req");
    struct cursor c = cursor_of(block.memory, block.size);
    struct krb_message m;
    assert_true(krb_parse(&c, &m));
    assert_true(cursor_done(&c));
    assert_int_equal(m.type, KRB_AS_REQ);
    assert_int_equal(m.version, 5);
    assert_true(m.complete);
    assert_false(m.damaged);
    assert_principal(&m.request.client, "user01");
    assert_principal(&m.request.service, "krbtgt/CORP.EXAMPLE");
    assert_int_equal(m.request.service.type, 2);
    assert_bytes(m.request.realm, "CORP.EXAMPLE");
    assert_int_equal(m.request.options, 0x10);
    static const int32_t etypes[] = {18, 17, 20, 19, 16, 23, 25, 26};
    int32_t etype;
    for (size_t i = 0; i < sizeof etypes / sizeof *etypes; i++) {
        assert_true(krb_next_int(&m.request.etypes, &etype));
        assert_int_equal(etype, etypes[i]);
    }
    assert_false(krb_next_int(&m.request.etypes, &etype));
    struct krb_padata padata;
    assert_true(krb_next_padata(&m.request.padata, &padata));
    assert_int_equal(padata.type, PA_ENC_TIMESTAMP);
    struct krb_encrypted encrypted;
    assert_true(krb_read_encrypted(padata.value, &encrypted));
    assert_int_equal(encrypted.etype, 18);
    assert_true(encrypted.cipher.size > 0);
    free(block.memory);
}

static void test_error(void **state)
{
    (void)state;
    struct lone_block block = seed("error_preauth");
    struct cursor c = cursor_of(block.memory, block.size);
    struct krb_message m;
    assert_true(krb_parse(&c, &m));
    assert_int_equal(m.type, KRB_ERROR);
    assert_true(m.error.has_code);
    assert_int_equal(m.error.code, 25);
    assert_principal(&m.error.service, "krbtgt/CORP.EXAMPLE");
    assert_int_equal(m.error.server_time, INT64_C(1795314558241006000));
    assert_bytes(m.error.text, "Need to use PA-ENC-TIMESTAMP/PA-PK-AS-REQ");
    struct krb_error_data data;
    krb_read_error_data(m.error.data, &data);
    assert_false(data.has_status);
    static const int32_t types[] = {16, 15, 147, 2, 136, 655, 19};
    struct krb_padata padata;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_true(krb_next_padata(&data.padata, &padata));
        assert_int_equal(padata.type, types[i]);
    }
    struct cursor entries = krb_enter_sequence(padata.value);
    struct krb_etype_info info;
    assert_true(krb_next_etype_info(&entries, &info));
    assert_int_equal(info.etype, 18);
    assert_bytes(info.salt, "CORP.EXAMPLEuser01");
    assert_false(krb_next_etype_info(&entries, &info));
    free(block.memory);
}

static const char *const datagrams[] = {"as_req", "error_preauth", "as_rep_des", "tgs_req", "tgs_rep"};

/* At every length: nothing is read beyond it, and only the whole is complete. */
static void test_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof datagrams / sizeof *datagrams; i++) {
        struct lone_block whole = seed(datagrams[i]);
        for (size_t size = 0; size <= whole.size; size++) {
            struct lone_block block = lone_copy(whole.memory, size);
            struct cursor c = cursor_of(block.memory, size);
            struct krb_message m;
            bool parsed = krb_parse(&c, &m);
            assert_int_equal(parsed, size > 4);
            if (parsed) {
                assert_int_equal(m.complete, size == whole.size);
                assert_int_equal(m.damaged, size < whole.size);
            }
            struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
            d->truncated = size < whole.size;
            d->protocol->message(d, cursor_of(block.memory, size));
            assert_int_equal(lone.malformed[PROTOCOL_KERBEROS], 0);
            lone_close(&lone);
            free(block.memory);
        }
        free(whole.memory);
    }
}

static void test_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof datagrams / sizeof *datagrams; i++) {
        struct lone_block whole = seed(datagrams[i]);
        size_t size = 0;
        bool sure = false;
        for (size_t n = 0; n <= whole.size; n++) {
            enum krb_signature s = krb_signature((struct bytes){whole.memory, n}, &size);
            assert_int_not_equal(s, KRB_SIGNATURE_NO);
            assert_false(sure && s != KRB_SIGNATURE_YES);
            sure = s == KRB_SIGNATURE_YES;
        }
        assert_true(sure);
        assert_int_equal(size, whole.size);
        free(whole.memory);
    }
    static const struct bytes no[] = {
        {(const uint8_t *)"GET / HTTP/1.1", 14},
        {(const uint8_t *)"\x6a\x80\x30\x80\xa0\x03\x02\x01\x05", 9},
        {(const uint8_t *)"\x6a\x09\x31\x07\xa1\x03\x02\x01\x05", 9},
        {(const uint8_t *)"\x6a\x09\x30\x80\xa1\x03\x02\x01\x05\x00\x00", 11},
        {(const uint8_t *)"\x6a\x09\x30\x47\xa1\x03\x02\x01\x05", 9},
        {(const uint8_t *)"\x6a\x09\x30\x07\xa3\x03\x02\x01\x05", 9},
        {(const uint8_t *)"\x6a\x09\x30\x07\xa1\x03\x02\x01\x04", 9},
    };
    size_t size;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_int_equal(krb_signature(no[i], &size), KRB_SIGNATURE_NO);
}

static void test_detection(void **state)
{
    (void)state;
    struct lone_block block = seed("as_req");
    uint8_t stream[512] = {0, 0, (uint8_t)(block.size >> 8), (uint8_t)block.size};
    memcpy(stream + 4, block.memory, block.size);
    struct bytes datagram = {block.memory, block.size}, whole = {stream, block.size + 4};
    const struct protocol *p = &protocol_kerberos;
    assert_int_equal(p->detect(datagram, TRANSPORT_UDP, TO_SERVER, false), DETECT_YES);
    assert_int_equal(p->detect(datagram, TRANSPORT_UDP, TO_SERVER, true), DETECT_YES);
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, false), DETECT_YES);
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, true), DETECT_YES);
    whole.size = 4;
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, true), DETECT_MORE);
    whole.size = 8;
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, false), DETECT_MORE);
    assert_int_equal(p->detect(whole, TRANSPORT_UDP, TO_SERVER, false), DETECT_NO);
    whole.size = block.size + 4;
    stream[3]++; /* a length that is not the message's */
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, false), DETECT_NO);
    stream[0] = 0x7f;
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, true), DETECT_NO);
    struct bytes other = {(const uint8_t *)"GET / HTTP/1.1\r\n", 16};
    assert_int_equal(p->detect(other, TRANSPORT_UDP, TO_SERVER, true), DETECT_NO);
    assert_int_equal(p->detect(other, TRANSPORT_UDP, TO_SERVER, false), DETECT_NO);
    free(block.memory);
}

static void test_framing(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_TCP);
    static const struct {
        const char *bytes;
        size_t size;
        enum frame_verdict verdict;
        uint64_t total;
    } cases[] = {
        {"\0\0\1", 3, FRAME_MORE, 0},         {"\0\0\1\x0a", 4, FRAME_MORE, 0},
        {"\0\0\1\x0a\x6a", 5, FRAME_OK, 270}, {"\x80\0\1\x0a\x6a", 5, FRAME_OK, 270}, /* the reserved bit */
        {"\0\0\0\0\x6a", 5, FRAME_OK, 4},     {"\0\0\1\x0a\x30", 5, FRAME_BAD, 0},
        {"\1\0\0\0\x6a", 5, FRAME_BAD, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame f =
            d->protocol->frame(d, (struct bytes){(const uint8_t *)cases[i].bytes, cases[i].size});
        assert_int_equal(f.verdict, cases[i].verdict);
        assert_int_equal(f.total, cases[i].total);
    }
    send_bytes(d, TO_SERVER, "\0\0\0\0", 4);
    send_bytes(d, TO_SERVER, "\0\0\0\3abc", 7);
    assert_int_equal(lone.malformed[PROTOCOL_KERBEROS], 1);
    lone_close(&lone);
}

/* -- exchanges ---------------------------------------------------------------------------------- */

static void test_exchange(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    send_seed(d, TO_SERVER, "as_req");
    assert_int_equal(lone.emitted, 0);
    send_seed(d, TO_CLIENT, "error_preauth");
    assert_int_equal(lone.emitted, 1);
    assert_string_equal(kind_of_record(0), "kerberos_as");
    assert_string_equal(text_of(0, FIELD_ACCOUNT), "user01");
    assert_string_equal(text_of(0, FIELD_ACCOUNT_DOMAIN), "CORP.EXAMPLE");
    assert_string_equal(text_of(0, FIELD_STATUS), "25");
    assert_string_equal(text_of(0, FIELD_PREAUTH_ETYPE), "18");
    assert_string_equal(text_of(0, FIELD_OFFERED_ETYPES), "18, 17, 20, 19, 16, 23, 25, 26");
    assert_string_equal(text_of(0, FIELD_SALTS), "CORP.EXAMPLEuser01");
    send_seed(d, TO_SERVER, "tgs_req");
    send_seed(d, TO_CLIENT, "tgs_rep");
    assert_string_equal(kind_of_record(1), "kerberos_tgs");
    assert_string_equal(text_of(1, FIELD_STATUS), "0");
    assert_string_not_equal(text_of(1, FIELD_ACCOUNT), "");
    assert_string_not_equal(text_of(1, FIELD_TICKET_FINGERPRINT), "");
    assert_string_not_equal(text_of(1, FIELD_ISSUED_TICKET_FINGERPRINT), "");
    assert_int_equal(lone.counted[PROTOCOL_KERBEROS], 4);
    lone_close(&lone);
}

/* Replies are told apart by type, errors by order. */
static void test_order(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    send_seed(d, TO_SERVER, "as_req");
    send_seed(d, TO_SERVER, "tgs_req");
    send_seed(d, TO_CLIENT, "tgs_rep");
    assert_string_equal(kind_of_record(0), "kerberos_tgs");
    assert_string_not_equal(text_of(0, FIELD_SERVICE_REALM), "");
    send_seed(d, TO_CLIENT, "error_preauth");
    assert_string_equal(kind_of_record(1), "kerberos_as");
    lone_close(&lone);
}

/* A datagram that is sent again, and answered twice, is one exchange. */
static void test_repetition(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    send_seed(d, TO_SERVER, "as_req");
    send_seed(d, TO_SERVER, "as_req");
    send_seed(d, TO_CLIENT, "error_preauth");
    send_seed(d, TO_CLIENT, "error_preauth");
    assert_int_equal(lone.emitted, 1);
    send_seed(d, TO_CLIENT, "error_preauth");
    assert_int_equal(lone.emitted, 2);
    assert_string_equal(kind_of_record(1), "kerberos_error");
    lone_close(&lone);
}

static void test_reply_alone(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    send_seed(d, TO_CLIENT, "as_rep_des");
    assert_string_equal(kind_of_record(0), "kerberos_as");
    assert_string_not_equal(text_of(0, FIELD_ACCOUNT), "");
    assert_string_equal(text_of(0, FIELD_STATUS), "0");
    assert_string_equal(text_of(0, FIELD_REPLY_ACCOUNT), "");
    for (int i = 0; i < 12; i++) { /* more than are kept: the oldest are given up */
        send_seed(d, TO_SERVER, "tgs_req");
        d->protocol->gap(d);
    }
    send_seed(d, TO_CLIENT, "tgs_rep");
    assert_string_equal(text_of(1, FIELD_SERVICE_REALM), "");
    lone_close(&lone);
}

/* Another user is named in the reply than in the request. */
static void test_corrected_name(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    send_seed(d, TO_SERVER, "as_req");
    send_seed(d, TO_CLIENT, "as_rep_des");
    assert_string_equal(text_of(0, FIELD_ACCOUNT), "user01");
    assert_string_not_equal(text_of(0, FIELD_REPLY_ACCOUNT), "");
    assert_string_not_equal(text_of(0, FIELD_REPLY_ACCOUNT_DOMAIN), "");
    lone_close(&lone);
}

static void test_many_waiting(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_TCP);
    struct lone_block block = seed("tgs_req");
    uint8_t stream[2048] = {0};
    memcpy(stream + 4, block.memory, block.size);
    for (int i = 0; i < 20; i++)
        send_bytes(d, TO_SERVER, stream, block.size + 4);
    assert_int_equal(lone.emitted, 0);
    free(block.memory);
    lone_close(&lone);
}

static void test_fast(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_TCP);
    send_seed(d, TO_SERVER, "as_req_fast_tcp");
    send_seed(d, TO_CLIENT, "error_fast_tcp");
    assert_string_equal(text_of(0, FIELD_FAST), "true");
    assert_string_not_equal(text_of(0, FIELD_FAST_ARMOR_ETYPE), "");
    assert_string_not_equal(text_of(0, FIELD_FAST_ARMOR_FINGERPRINT), "");
    lone_close(&lone);
}

/* -- made messages ------------------------------------------------------------------------------ */

static void put_principal(struct der *b, unsigned n, int type, const char *one, const char *two)
{
    size_t member = b->size, sequence = b->size;
    der_member_integer(b, 0, type);
    size_t names = b->size, list = b->size;
    der_element(b, BER_GENERAL_STRING, one, strlen(one));
    if (two)
        der_element(b, BER_GENERAL_STRING, two, strlen(two));
    der_close(b, list, BER_SEQUENCE);
    der_close(b, names, BER_CONTEXT_CONS(1));
    der_close(b, sequence, BER_SEQUENCE);
    der_close(b, member, (uint8_t)BER_CONTEXT_CONS(n));
}

static void put_encrypted(struct der *b, int etype, const char *cipher)
{
    size_t start = b->size;
    der_member_integer(b, 0, etype);
    der_member_integer(b, 1, 7);
    der_member_text(b, 2, BER_OCTET_STRING, cipher);
    der_close(b, start, BER_SEQUENCE);
}

static void put_ticket(struct der *b, const char *service, int etype, const char *cipher)
{
    size_t start = b->size;
    der_member_integer(b, 0, 5);
    der_member_text(b, 1, BER_GENERAL_STRING, "EXAMPLE");
    put_principal(b, 2, 2, service, "host");
    size_t member = b->size;
    put_encrypted(b, etype, cipher);
    der_close(b, member, BER_CONTEXT_CONS(3));
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, BER_APPLICATION(KRB_TICKET));
}

/* PA-DATA whose value is what was put since `start`. */
static void close_padata(struct der *b, size_t start, int type)
{
    der_close(b, start, BER_OCTET_STRING);
    der_close(b, start, BER_CONTEXT_CONS(2));
    struct der head = {.size = 0};
    der_member_integer(&head, 1, type);
    memmove(b->data + start + head.size, b->data + start, b->size - start);
    memcpy(b->data + start, head.data, head.size);
    b->size += head.size;
    der_close(b, start, BER_SEQUENCE);
}

static void put_flags(struct der *b, unsigned n, uint32_t flags)
{
    const uint8_t bits[] = {0, (uint8_t)(flags >> 24), (uint8_t)(flags >> 16), (uint8_t)(flags >> 8),
                            (uint8_t)flags};
    der_member_bytes(b, n, BER_BIT_STRING, bits, sizeof bits);
}

static void put_s4u_padata(struct der *b)
{
    size_t start = b->size; /* PA-FOR-USER */
    put_principal(b, 0, 10, "victim@example", NULL);
    der_member_text(b, 1, BER_GENERAL_STRING, "EXAMPLE");
    der_close(b, start, BER_SEQUENCE);
    close_padata(b, start, PA_FOR_USER);

    start = b->size; /* PA-S4U-X509-USER */
    der_member_integer(b, 0, 1);
    der_member_text(b, 2, BER_GENERAL_STRING, "EXAMPLE");
    der_member_text(b, 3, BER_OCTET_STRING, "certificate");
    put_flags(b, 4, 0x20000000);
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, BER_CONTEXT_CONS(0));
    der_close(b, start, BER_SEQUENCE);
    close_padata(b, start, PA_S4U_X509_USER);

    start = b->size;
    put_flags(b, 0, 0x10000000);
    der_close(b, start, BER_SEQUENCE);
    close_padata(b, start, PA_PAC_OPTIONS);

    start = b->size;
    der_raw(b, "\x1f\0\0\0", 4);
    close_padata(b, start, PA_SUPPORTED_ENCTYPES);

    start = b->size;
    der_integer(b, 23);
    der_integer(b, -135);
    der_close(b, start, BER_SEQUENCE);
    close_padata(b, start, PA_KEY_LIST_REQ);

    start = b->size;
    der_member_bytes(b, 0, BER_BOOLEAN, "\0", 1);
    der_close(b, start, BER_SEQUENCE);
    close_padata(b, start, PA_PAC_REQUEST);

    start = b->size;
    close_padata(b, start, PA_PK_AS_REQ);
}

static void put_tgs_padata(struct der *b)
{
    size_t start = b->size;
    der_member_integer(b, 0, 5);
    put_flags(b, 2, 0x60000000);
    size_t member = b->size;
    put_ticket(b, "krbtgt", 18, "tgt's cipher");
    der_close(b, member, BER_CONTEXT_CONS(3));
    member = b->size;
    put_encrypted(b, 17, "authenticator");
    der_close(b, member, BER_CONTEXT_CONS(4));
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, BER_APPLICATION(KRB_AP_REQ));
    close_padata(b, start, PA_TGS_REQ);
}

static void put_address(struct der *b, int type, const void *data, size_t size)
{
    size_t start = b->size;
    der_member_integer(b, 0, type);
    der_member_bytes(b, 1, BER_OCTET_STRING, data, size);
    der_close(b, start, BER_SEQUENCE);
}

static void make_tgs_req(struct der *b)
{
    b->size = 0;
    der_member_integer(b, 1, 5);
    der_member_integer(b, 2, 12);
    size_t member = b->size;
    put_tgs_padata(b);
    put_s4u_padata(b);
    der_close(b, member, BER_SEQUENCE);
    der_close(b, member, BER_CONTEXT_CONS(3));
    size_t body = b->size;
    put_flags(b, 0, 0x40020000);
    der_member_text(b, 2, BER_GENERAL_STRING, "EXAMPLE");
    put_principal(b, 3, 2, "cifs", "fs1");
    der_member_text(b, 4, BER_GENERALIZED_TIME, "20200229120000Z");
    der_member_text(b, 5, BER_GENERALIZED_TIME, "20370913024805Z");
    der_member_text(b, 6, BER_GENERALIZED_TIME, "99991231235959Z");
    der_member_integer(b, 7, 0x9fffffff);
    size_t list = b->size;
    der_integer(b, 23);
    der_integer(b, -128);
    der_close(b, list, BER_SEQUENCE);
    der_close(b, list, BER_CONTEXT_CONS(8));
    list = b->size;
    put_address(b, 20, "WS01            ", 16);
    put_address(b, 2, "\x0a\x4d\0\x32", 4);
    put_address(b, 24, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    put_address(b, 99, "?", 1);
    der_close(b, list, BER_SEQUENCE);
    der_close(b, list, BER_CONTEXT_CONS(9));
    list = b->size;
    put_ticket(b, "evidence", 23, "evidence's cipher");
    put_ticket(b, "second", 17, "another");
    der_close(b, list, BER_SEQUENCE);
    der_close(b, list, BER_CONTEXT_CONS(11));
    der_close(b, body, BER_SEQUENCE);
    der_close(b, body, BER_CONTEXT_CONS(4));
    der_close(b, 0, BER_SEQUENCE);
    der_close(b, 0, BER_APPLICATION(KRB_TGS_REQ));
}

static void begin_error(struct der *b, int code)
{
    b->size = 0;
    der_member_integer(b, 0, 5);
    der_member_integer(b, 1, 30);
    der_member_text(b, 2, BER_GENERALIZED_TIME, "20260101000000Z");
    der_member_integer(b, 3, 5);
    der_member_text(b, 4, BER_GENERALIZED_TIME, "20260101000001Z");
    der_member_integer(b, 5, 999999);
    der_member_integer(b, 6, code);
    der_member_text(b, 7, BER_UTF8_STRING, "CLIENT.REALM");
    put_principal(b, 8, 1, "someone", NULL);
    der_member_text(b, 9, BER_GENERAL_STRING, "EXAMPLE");
    put_principal(b, 10, 2, "kadmin", "changepw");
}

static void end_error(struct der *b)
{
    der_close(b, 0, BER_SEQUENCE);
    der_close(b, 0, BER_APPLICATION(KRB_ERROR));
}

static void put_extended_error(struct der *b)
{
    size_t start = b->size;
    der_member_integer(b, 1, 3);
    der_member_bytes(b, 2, BER_OCTET_STRING, "\x34\0\0\xc0\0\0\0\0\1\0\0\0", 12);
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, BER_OCTET_STRING);
    der_close(b, start, BER_CONTEXT_CONS(12));
}

static void test_delegation(void **state)
{
    (void)state;
    struct der b;
    make_tgs_req(&b);
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    send_bytes(d, TO_SERVER, b.data, b.size);
    begin_error(&b, 13);
    put_extended_error(&b);
    end_error(&b);
    send_bytes(d, TO_CLIENT, b.data, b.size);
    assert_int_equal(lone.malformed[PROTOCOL_KERBEROS], 0);
    static const struct {
        enum activity_field field;
        const char *text;
    } expected[] = {
        {FIELD_SERVICE, "cifs/fs1"},
        {FIELD_SERVICE_REALM, "EXAMPLE"},
        {FIELD_REQUESTED_FROM, "2020-02-29T12:00:00.000000000Z"},
        {FIELD_REQUESTED_TILL, "2037-09-13T02:48:05.000000000Z"},
        {FIELD_REQUESTED_RENEW_TILL, "2262-04-11T23:47:16.854775807Z"},
        {FIELD_KERBEROS_NONCE, "2684354559"},
        {FIELD_OFFERED_ETYPES, "23, -128"},
        {FIELD_HOST_ADDRESSES, "WS01, 10.77.0.50, 2001:db8::1"},
        {FIELD_PADATA_TYPES, "1, 129, 130, 167, 165, 161, 128, 16"},
        {FIELD_PKINIT, "true"},
        {FIELD_PAC_REQUEST, "false"},
        {FIELD_S4U2SELF_ACCOUNT, "victim@example"},
        {FIELD_S4U2SELF_DOMAIN, "EXAMPLE"},
        {FIELD_S4U2SELF_CERTIFICATE, "true"},
        {FIELD_S4U2SELF_OPTIONS, "536870912"},
        {FIELD_PAC_OPTIONS, "268435456"},
        {FIELD_SUPPORTED_ETYPES, "31"},
        {FIELD_KEY_LIST_ETYPES, "23, -135"},
        {FIELD_S4U2PROXY, "true"},
        {FIELD_ADDITIONAL_TICKET_SERVICES, "evidence/host, second/host"},
        {FIELD_ADDITIONAL_TICKET_ETYPES, "23, 17"},
        {FIELD_TICKET_SERVICE, "krbtgt/host"},
        {FIELD_TICKET_REALM, "EXAMPLE"},
        {FIELD_TICKET_ETYPE, "18"},
        {FIELD_TICKET_KVNO, "7"},
        {FIELD_AUTHENTICATOR_ETYPE, "17"},
        {FIELD_AP_OPTIONS, "1610612736"},
        {FIELD_STATUS, "13"},
        {FIELD_ACCOUNT, "someone"},
        {FIELD_ACCOUNT_DOMAIN, "CLIENT.REALM"},
        {FIELD_KERBEROS_ERROR_STATUS, "3221225524"},
        {FIELD_KERBEROS_CLIENT_TIME, "2026-01-01T00:00:00.000005000Z"},
        {FIELD_KERBEROS_SERVER_TIME, "2026-01-01T00:00:01.999999000Z"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_string_equal(text_of(0, expected[i].field), expected[i].text);
    lone_close(&lone);
}

/* Every byte of it turned, one after the other, at every length of a few: nothing but records that read. */
static void test_damage(void **state)
{
    (void)state;
    struct der b;
    make_tgs_req(&b);
    for (size_t i = 0; i < b.size; i++) {
        static const uint8_t turns[] = {0x01, 0x80, 0xff};
        for (size_t t = 0; t < sizeof turns; t++) {
            b.data[i] ^= turns[t];
            struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
            send_bytes(d, TO_SERVER, b.data, b.size);
            send_bytes(d, TO_SERVER, b.data, b.size / 2);
            send_seed(d, TO_CLIENT, "tgs_rep");
            lone_close(&lone);
            b.data[i] ^= turns[t];
        }
    }
}

static int64_t time_of(const char *text)
{
    struct der b = {.size = 0};
    der_member_text(&b, 4, BER_GENERALIZED_TIME, text);
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(KRB_ERROR));
    struct cursor c = cursor_of(b.data, b.size);
    struct krb_message m;
    assert_true(krb_parse(&c, &m));
    return m.error.server_time;
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(time_of("19700101000001Z"), 1000000000);
    assert_int_equal(time_of("20000301000000Z"), INT64_C(951868800000000000));
    assert_int_equal(time_of("20000229235959Z"), INT64_C(951868799000000000));
    assert_int_equal(time_of("19691231235959Z"), -1000000000);
    assert_int_equal(time_of("22620411234717Z"), INT64_MAX);
    assert_int_equal(time_of("00010101000000Z"), 0);
    assert_int_equal(time_of("20001301000000Z"), 0);
    assert_int_equal(time_of("20000001000000Z"), 0);
    assert_int_equal(time_of("20000100000000Z"), 0);
    assert_int_equal(time_of("20000132000000Z"), 0);
    assert_int_equal(time_of("20000101240000Z"), 0);
    assert_int_equal(time_of("20000101006000Z"), 0);
    assert_int_equal(time_of("20000101000061Z"), 0);
    assert_int_equal(time_of("2000010100000xZ"), 0);
    assert_int_equal(time_of("2000"), 0);
}

static void test_error_without_code(void **state)
{
    (void)state;
    struct der b = {.size = 0};
    der_member_integer(&b, 0, 5);
    end_error(&b);
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    uint64_t before = lone.counts.kerberos_kdc[KRB_ERROR];
    send_bytes(d, TO_CLIENT, b.data, b.size);
    assert_int_equal(lone.counts.kerberos_kdc[KRB_ERROR], before + 1);
    assert_string_equal(kind_of_record(0), "kerberos_error");
    assert_string_equal(text_of(0, FIELD_STATUS), "");
    lone_close(&lone);
}

static void test_typed_data(void **state)
{
    (void)state;
    struct der b = {.size = 0};
    der_member_integer(&b, 0, 104);
    der_member_text(&b, 1, BER_OCTET_STRING, "value");
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_SEQUENCE);
    struct krb_error_data data;
    krb_read_error_data(cursor_of(b.data, b.size), &data);
    struct krb_padata padata;
    assert_true(krb_next_padata(&data.padata, &padata));
    assert_int_equal(padata.type, 104);
    assert_int_equal(cursor_left(&padata.value), 5);
    assert_false(krb_next_padata(&data.padata, &padata));
    krb_read_error_data(cursor_of("text", 4), &data);
    assert_false(krb_next_padata(&data.padata, &padata));
}

static void test_other_messages(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kerberos, TRANSPORT_UDP);
    struct der b = {.size = 0}; /* KRB-CRED */
    der_member_integer(&b, 0, 5);
    size_t list = b.size;
    put_ticket(&b, "krbtgt", 18, "forwarded");
    der_close(&b, list, BER_SEQUENCE);
    der_close(&b, list, BER_CONTEXT_CONS(2));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(KRB_CRED));
    send_bytes(d, TO_SERVER, b.data, b.size);
    assert_string_equal(kind_of_record(0), "kerberos_cred");
    assert_string_equal(text_of(0, FIELD_TICKET_SERVICES), "krbtgt/host");
    assert_string_equal(text_of(0, FIELD_TICKET_ETYPES), "18");
    b.size = 0; /* KRB-SAFE */
    der_member_integer(&b, 0, 5);
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(KRB_SAFE));
    uint64_t before = lone.counts.kerberos_kdc[KRB_SAFE];
    send_bytes(d, TO_SERVER, b.data, b.size);
    assert_int_equal(lone.counts.kerberos_kdc[KRB_SAFE], before + 1);
    assert_int_equal(lone.emitted, 1);
    lone_close(&lone);
}

/* A name longer than there is room for. */
static void test_long_name(void **state)
{
    (void)state;
    struct der b = {.size = 0};
    der_element(&b, BER_GENERAL_STRING, "abc", 3);
    der_element(&b, BER_INTEGER, "\1", 1);
    der_element(&b, BER_UTF8_STRING, "", 0);
    der_element(&b, BER_GENERAL_STRING, "defghi", 6);
    struct krb_principal p = {.present = true, .names = cursor_of(b.data, b.size)};
    char text[16];
    assert_int_equal(krb_principal_text(&p, text, sizeof text), 11);
    assert_memory_equal(text, "abc//defghi", 11);
    assert_int_equal(krb_principal_text(&p, text, 7), 7);
    assert_memory_equal(text, "abc//de", 7);
    assert_int_equal(krb_principal_text(&p, text, 4), 4);
    assert_int_equal(krb_principal_text(&p, text, 0), 0);
}

/* -- change password ---------------------------------------------------------------------------- */

static void test_kpasswd(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_kpasswd, TRANSPORT_TCP);
    send_seed(d, TO_SERVER, "kpasswd_request");
    send_seed(d, TO_CLIENT, "kpasswd_reply");
    assert_int_equal(lone.emitted, 1);
    assert_string_equal(kind_of_record(0), "kerberos_password_change");
    assert_string_equal(text_of(0, FIELD_TICKET_SERVICE), "kadmin/changepw");
    assert_string_equal(text_of(0, FIELD_SEALED), "true");
    assert_string_equal(text_of(0, FIELD_PASSWORD_PROTOCOL), "1");
    assert_string_equal(text_of(0, FIELD_REPLY_ETYPE), "18");
    send_seed(d, TO_CLIENT, "kpasswd_reply");
    assert_int_equal(lone.emitted, 2);
    send_seed(d, TO_SERVER, "kpasswd_request");
    d->protocol->gap(d);
    send_bytes(d, TO_CLIENT, "\0\0\0\0", 4);
    assert_int_equal(lone.emitted, 2);
    lone_close(&lone);
}

/* A refusal: KRB-ERROR with result code and text in its e-data (RFC 3244 section 2). */
static void test_kpasswd_refusal(void **state)
{
    (void)state;
    struct der b;
    begin_error(&b, 60);
    size_t start = b.size;
    der_raw(&b, "\0\4Password too short", 20);
    der_close(&b, start, BER_OCTET_STRING);
    der_close(&b, start, BER_CONTEXT_CONS(12));
    end_error(&b);
    uint8_t message[1024] = {(uint8_t)((b.size + 6) >> 8), (uint8_t)(b.size + 6), 0, 1, 0, 0};
    memcpy(message + 6, b.data, b.size);
    struct bytes whole = {message, b.size + 6};
    const struct protocol *p = &protocol_kpasswd;
    assert_int_equal(p->detect(whole, TRANSPORT_UDP, TO_CLIENT, false), DETECT_YES);
    assert_int_equal(p->detect(whole, TRANSPORT_UDP, TO_CLIENT, true), DETECT_YES);
    struct dissect *d = lone_open(&lone, p, TRANSPORT_UDP);
    send_bytes(d, TO_CLIENT, message, b.size + 6);
    assert_string_equal(text_of(0, FIELD_STATUS), "4");
    assert_string_equal(text_of(0, FIELD_KERBEROS_ERROR_CODE), "60");
    assert_string_equal(text_of(0, FIELD_KERBEROS_ERROR_TEXT), "Password too short");
    assert_string_equal(text_of(0, FIELD_SERVICE), "kadmin/changepw");
    message[5] = 0xff; /* the token is longer than the message */
    message[4] = 0xff;
    assert_int_equal(p->detect(whole, TRANSPORT_UDP, TO_CLIENT, false), DETECT_NO);
    send_bytes(d, TO_CLIENT, message, b.size + 6);
    assert_int_equal(lone.malformed[PROTOCOL_KPASSWD], 1);
    send_bytes(d, TO_CLIENT, message, 5);
    assert_int_equal(lone.malformed[PROTOCOL_KPASSWD], 2);
    message[3] = 2; /* a version that nobody has */
    assert_int_equal(p->detect(whole, TRANSPORT_UDP, TO_CLIENT, true), DETECT_NO);
    lone_close(&lone);
}

static void test_kpasswd_detection(void **state)
{
    (void)state;
    struct lone_block block = seed("kpasswd_request");
    struct bytes whole = {block.memory, block.size};
    const struct protocol *p = &protocol_kpasswd;
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, false), DETECT_YES);
    assert_int_equal(p->detect(whole, TRANSPORT_TCP, TO_SERVER, true), DETECT_YES);
    assert_int_equal(p->detect(whole, TRANSPORT_UDP, TO_SERVER, true), DETECT_NO);
    assert_int_equal(p->detect((struct bytes){block.memory, 9}, TRANSPORT_TCP, TO_SERVER, true), DETECT_MORE);
    assert_int_equal(p->detect((struct bytes){block.memory, 5}, TRANSPORT_UDP, TO_SERVER, true), DETECT_NO);
    struct dissect *d = lone_open(&lone, p, TRANSPORT_TCP);
    struct frame f = p->frame(d, whole);
    assert_int_equal(f.verdict, FRAME_OK);
    assert_int_equal(f.total, block.size);
    assert_int_equal(p->frame(d, (struct bytes){(const uint8_t *)"\0\2\0\0\0\0", 6}).verdict, FRAME_BAD);
    lone_close(&lone);
    free(block.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_req),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_detection),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_reply_alone),
        cmocka_unit_test(test_corrected_name),
        cmocka_unit_test(test_many_waiting),
        cmocka_unit_test(test_fast),
        cmocka_unit_test(test_delegation),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_error_without_code),
        cmocka_unit_test(test_typed_data),
        cmocka_unit_test(test_other_messages),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_kpasswd),
        cmocka_unit_test(test_kpasswd_refusal),
        cmocka_unit_test(test_kpasswd_detection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
