/* SPDX-License-Identifier: Apache-2.0
 *
 * TDS log-ins with NTLM: a real one (the seed of the fuzzer), and what can differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/protocols.h"
#include "tests/unit/lone_dissect.h"

static struct lone lone;

static const char *text_of(size_t n, enum activity_field field)
{
    assert_true(n < lone.emitted && n < LONE_RECORDS);
    return lone_text(lone_record(&lone, n), field);
}

/* The messages of the stream, each sent in packets of at most `piece` bytes of payload. */
static void replay(struct dissect *d, size_t piece)
{
    FILE *file = fopen(PICKET_TEST_DATA "/../fuzz/corpus/tds/login", "rb");
    assert_non_null(file);
    uint8_t bytes[4096], message[8192];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 0; at < size;) {
        size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        assert_true(length >= 8 && at + length <= size);
        size_t done = 8, out = 0;
        do {
            size_t part = length - done < piece ? length - done : piece;
            memcpy(message + out, bytes + at, 8);
            message[out + 1] = done + part == length;
            message[out + 2] = (uint8_t)((part + 8) >> 8);
            message[out + 3] = (uint8_t)(part + 8);
            memcpy(message + out + 8, bytes + at + done, part);
            out += part + 8;
            done += part;
        } while (done < length);
        d->direction = bytes[at] == 4 ? TO_CLIENT : TO_SERVER;
        for (size_t from = 0; from < out;) {
            struct frame frame = d->protocol->frame(d, (struct bytes){message + from, out - from});
            assert_int_equal(frame.verdict, FRAME_OK);
            assert_true(from + frame.total <= out);
            struct lone_block block = lone_copy(message + from, frame.want);
            d->protocol->message(d, cursor_of(block.memory, block.size));
            free(block.memory);
            from += frame.total;
        }
        at += length;
    }
}

static void check_login(void)
{
    assert_int_equal(lone.emitted, 1);
    assert_string_equal(text_of(0, FIELD_CARRIER), "tds");
    assert_string_equal(text_of(0, FIELD_ACCOUNT), "mona");
    assert_string_equal(text_of(0, FIELD_ACCOUNT_DOMAIN), "TDSDOM");
    assert_string_equal(text_of(0, FIELD_WORKSTATION), "TDSHOST");
    assert_string_equal(text_of(0, FIELD_NTLM_TARGET), "TDSTGT");
}

static void test_login(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_tds, TRANSPORT_TCP);
    replay(d, 4088);
    d->protocol->close(d);
    check_login();
    lone_close(&lone);
}

static void test_many_packets(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_tds, TRANSPORT_TCP);
    replay(d, 20);
    d->protocol->close(d);
    check_login();
    lone_close(&lone);
}

static void test_refusal(void **state)
{
    (void)state;
    struct dissect *d = lone_open(&lone, &protocol_tds, TRANSPORT_TCP);
    replay(d, 4088);
    bool waiting = lone.emitted == 0;
    static const uint8_t refusal[] = {4,    1,    0, 21, 0,    0,    0, 0, 0xab, 1, 0,
                                      0x7f, 0xaa, 6, 0,  0x14, 0x48, 0, 0, 1,    14};
    d->direction = TO_CLIENT;
    d->protocol->message(d, cursor_of(refusal, sizeof refusal));
    if (waiting)
        assert_string_equal(text_of(0, FIELD_STATUS), "18452");
    assert_int_equal(lone.emitted, 1);
    lone_close(&lone);
}

static void test_frames(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        enum frame_verdict verdict;
        uint64_t total;
        uint32_t want;
    } cases[] = {
        {"\1\1\x10\0\0\0\0\0", 8, FRAME_OK, 4096, 8},
        {"\1\1\x10\0\0\0\0", 7, FRAME_MORE, 0, 8},
        {"\x10\0\0\x09\0\0\1\0a\x10\1\0\x0a\0\0\2\0bc", 19, FRAME_OK, 19, 19},
        {"\x10\0\0\x09\0\0\1\0a\x10\1\0", 12, FRAME_MORE, 0, 17},
        {"\x10\0\0\x20\0\0\1\0a", 9, FRAME_MORE, 0, 40},
        {"\x10\0\0\x09\0\0\1\0aGET / HTTP", 19, FRAME_OK, 9, 9},
        {"\x10\1\0\3\0\0\1\0", 8, FRAME_BAD, 0, 0},
        {"\x63\1\0\x20\0\0\1\0", 8, FRAME_BAD, 0, 0},
        {"\x17\3\3\1\0", 5, FRAME_OK, 261, 1},
        {"\x17\3\3\1", 4, FRAME_MORE, 0, 5},
        {"\x17\2\3\1\0", 5, FRAME_BAD, 0, 0},
    };
    struct dissect *d = lone_open(&lone, &protocol_tds, TRANSPORT_TCP);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct frame f =
            d->protocol->frame(d, (struct bytes){(const uint8_t *)cases[i].bytes, cases[i].size});
        assert_int_equal(f.verdict, cases[i].verdict);
        assert_int_equal(f.total, cases[i].total);
        assert_int_equal(f.want, cases[i].want);
    }
    d->protocol->message(d, cursor_of("\x17", 1));
    assert_int_equal(lone.sealed[PROTOCOL_TDS], 1);
    lone_close(&lone);
}

static void test_detection(void **state)
{
    (void)state;
    const struct protocol *p = &protocol_tds;
    struct bytes prelogin = {(const uint8_t *)"\x12\1\0\x2f\0\0\1\0\0\0\x1a\0\6\1\0\x20", 16};
    assert_int_equal(p->detect(prelogin, TRANSPORT_TCP, TO_SERVER, false), DETECT_YES);
    assert_int_equal(p->detect(prelogin, TRANSPORT_UDP, TO_SERVER, true), DETECT_NO);
    prelogin.size = 6;
    assert_int_equal(p->detect(prelogin, TRANSPORT_TCP, TO_SERVER, true), DETECT_MORE);
    struct bytes batch = {(const uint8_t *)"\1\1\0\x2f\0\0\1\0S\0E\0L\0", 14};
    assert_int_equal(p->detect(batch, TRANSPORT_TCP, TO_SERVER, true), DETECT_YES);
    assert_int_equal(p->detect(batch, TRANSPORT_TCP, TO_SERVER, false), DETECT_NO);
    struct bytes http = {(const uint8_t *)"GET / HTTP/1.1", 14};
    assert_int_equal(p->detect(http, TRANSPORT_TCP, TO_SERVER, true), DETECT_NO);
    struct bytes tls = {(const uint8_t *)"\x17\3\3\0\x20", 5};
    assert_int_equal(p->detect(tls, TRANSPORT_TCP, TO_SERVER, true), DETECT_YES);
    assert_int_equal(p->detect(tls, TRANSPORT_TCP, TO_SERVER, false), DETECT_NO);
    struct bytes bad = {(const uint8_t *)"\1\xff\0\x2f\0\0\1\0", 8};
    assert_int_equal(p->detect(bad, TRANSPORT_TCP, TO_SERVER, true), DETECT_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),  cmocka_unit_test(test_many_packets), cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_frames), cmocka_unit_test(test_detection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
