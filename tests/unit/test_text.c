/* SPDX-License-Identifier: Apache-2.0
 *
 * Text, UTF-8, UTF-16, SIDs and UUIDs.
 */
#include <stdlib.h>

#include "base/sid.h"
#include "base/text.h"
#include "base/utf8.h"
#include "tests/unit/unit.h"

#define BYTES(literal) ((struct bytes){.data = (const uint8_t *)(literal), .size = sizeof(literal) - 1})
#define FFFD           "\xef\xbf\xbd"

static void counts_what_does_not_fit(void **state)
{
    (void)state;
    char buffer[8] = "xxxxxxx";
    struct text t = text_to(buffer, 5);
    text_string(&t, "abc");
    text_uint(&t, 4567);
    text_char(&t, '!');
    assert_int_equal(text_end(&t), 8);
    assert_string_equal(buffer, "abc4");
    assert_int_equal(buffer[5], 'x');
    t = text_to(NULL, 0);
    text_string(&t, "abc");
    assert_int_equal(text_end(&t), 3);
}

static void writes_numbers(void **state)
{
    (void)state;
    char buffer[200];
    struct text t = text_to(buffer, sizeof buffer);
    text_uint(&t, 0);
    text_char(&t, ' ');
    text_uint(&t, UINT64_MAX);
    text_char(&t, ' ');
    text_int(&t, INT64_MIN);
    text_char(&t, ' ');
    text_int(&t, 12);
    text_char(&t, ' ');
    text_padded(&t, 7, 3);
    text_char(&t, ' ');
    text_padded(&t, 12345, 3);
    text_char(&t, ' ');
    text_hex(&t, BYTES("\x00\xaf"));
    text_end(&t);
    assert_string_equal(buffer, "0 18446744073709551615 -9223372036854775808 12 007 12345 00af");
}

static const char *json(struct bytes bytes)
{
    static char buffer[200];
    struct text t = text_to(buffer, sizeof buffer);
    text_json_string(&t, bytes);
    text_end(&t);
    return buffer;
}

static const char *display(struct bytes bytes)
{
    static char buffer[200];
    struct text t = text_to(buffer, sizeof buffer);
    text_display(&t, bytes);
    text_end(&t);
    return buffer;
}

static void escapes_json(void **state)
{
    (void)state;
    assert_string_equal(json(BYTES("")), "\"\"");
    assert_string_equal(json(BYTES("a\"b\\c/d")), "\"a\\\"b\\\\c/d\"");
    assert_string_equal(json(BYTES("\n\r\t\x01\x1f\x7f")), "\"\\n\\r\\t\\u0001\\u001f\x7f\"");
    assert_string_equal(json(BYTES("a\0b")), "\"a\\u0000b\"");
    assert_string_equal(json(BYTES("gr\xc3\xbc\xc3\x9f\xff!")), "\"gr\xc3\xbc\xc3\x9f" FFFD "!\"");
}

static void disarms_text_for_terminals(void **state)
{
    (void)state;
    assert_string_equal(display(BYTES("\x1b[2J\"\\")), "\\u001b[2J\"\\");
    assert_string_equal(display(BYTES("\xc2\x9b"
                                      "2J\x7f")),
                        "\\u009b2J\\u007f");
    assert_string_equal(display(BYTES("a\xe2\x80\xae"
                                      "b\xe2\x81\xa9")),
                        "a\\u202eb\\u2069");
    assert_string_equal(display(BYTES("\xe2\x82\xac\xf0\x9f\x90\xbe")), "\xe2\x82\xac\xf0\x9f\x90\xbe");
}

/* Unicode 15, section 3.9, tables 3-8 to 3-11: one U+FFFD for each maximal subpart. */
static const struct {
    struct bytes given;
    const char *repaired;
} repairs[] = {
    {BYTES("\xc0\xaf"), FFFD FFFD},
    {BYTES("\xe0\x80\xaf"), FFFD FFFD FFFD},
    {BYTES("\xf0\x81\x82\x41"), FFFD FFFD FFFD "A"},
    {BYTES("\xed\xa0\x80\x41"), FFFD FFFD FFFD "A"},
    {BYTES("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"},
    {BYTES("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), FFFD FFFD FFFD FFFD "A"},
    {BYTES("ab\xe2\x82"), "ab" FFFD},
    {BYTES("\xf4\x8f\xbf\xbf\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80"),
     "\xf4\x8f\xbf\xbf\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80"},
};

static void repairs_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof repairs / sizeof repairs[0]; i++) {
        uint8_t to[64];
        bool cut = false;
        size_t size = utf8_copy(to, sizeof to, repairs[i].given.data, repairs[i].given.size, &cut);
        assert_int_equal(size, strlen(repairs[i].repaired));
        assert_bytes_equal(to, repairs[i].repaired, size);
        assert_false(cut);
    }
}

static void cuts_between_characters(void **state)
{
    (void)state;
    static const char text[] = "abcdefghi\xe2\x82\xacz";
    for (size_t capacity = 0; capacity <= sizeof text; capacity++) {
        uint8_t to[sizeof text + 1];
        bool cut = false;
        size_t size = utf8_copy(to, capacity, (const uint8_t *)text, sizeof text - 1, &cut);
        assert_int_equal(size, capacity < 9 ? capacity : capacity < 12 ? 9 : capacity < 13 ? 12 : 13);
        assert_int_equal(cut, capacity < 13);
        assert_bytes_equal(to, text, size);
    }
}

/* Every character there is, there and back. */
static void encodes_what_it_decodes(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        uint8_t form[UTF8_BYTES_MAX];
        uint32_t again;
        bool valid;
        size_t size = utf8_encode(code, form);
        bool surrogate = code >= 0xd800 && code <= 0xdfff;
        assert_int_equal(utf8_decode(form, size, &again, &valid), size);
        assert_true(valid && again == (surrogate ? UTF8_REPLACEMENT : code));
    }
    uint8_t form[UTF8_BYTES_MAX];
    assert_int_equal(utf8_encode(0x110000, form), 3);
}

static void finds_the_ascii_run(void **state)
{
    (void)state;
    uint8_t text[40];
    memset(text, 'a', sizeof text);
    assert_int_equal(utf8_ascii_run(text, sizeof text), sizeof text);
    for (size_t at = 0; at < sizeof text; at++) {
        text[at] = 0x80;
        assert_int_equal(utf8_ascii_run(text, sizeof text), at);
        text[at] = 'a';
    }
}

static void utf16_ends_at_zero(void **state)
{
    (void)state;
    uint8_t text[40];
    bool ascii;
    for (size_t i = 0; i < sizeof text; i += 2) {
        text[i] = 'a';
        text[i + 1] = 0;
    }
    assert_int_equal(utf16_units(text, sizeof text, &ascii), 20);
    assert_true(ascii);
    assert_int_equal(utf16_units(text, 7, &ascii), 3); /* half a unit is none */
    for (size_t at = 0; at < 20; at++) {
        text[2 * at] = 0;
        assert_int_equal(utf16_units(text, sizeof text, &ascii), at);
        assert_true(ascii);
        text[2 * at] = 'a';
        text[2 * at + 1] = 1;
        assert_int_equal(utf16_units(text, sizeof text, &ascii), 20);
        assert_false(ascii);
        text[2 * at + 1] = 0;
        text[2 * at] = 0x80;
        assert_int_equal(utf16_units(text, sizeof text, &ascii), 20);
        assert_false(ascii);
        text[2 * at] = 'a';
    }
}

static void converts_utf16(void **state)
{
    (void)state;
    /* a, u umlaut, the euro sign, U+1F43E, a lone low and a lone high surrogate, a high one before a letter
     */
    static const uint8_t text[] = {'a',  0,    0xfc, 0,    0xac, 0x20, 0x3d, 0xd8, 0x3e,
                                   0xdc, 0x3e, 0xdc, 0x3d, 0xd8, 'b',  0,    0x3d, 0xd8};
    static const char expected[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xbe" FFFD FFFD "b" FFFD;
    uint8_t to[64];
    bool cut = false;
    size_t size = utf8_from_utf16(to, sizeof to, text, sizeof text / 2, &cut);
    assert_int_equal(size, sizeof expected - 1);
    assert_bytes_equal(to, expected, size);
    assert_false(cut);
    size = utf8_from_utf16(to, 9, text, sizeof text / 2, &cut);
    assert_int_equal(size, 6); /* the four bytes of U+1F43E do not fit */
    assert_true(cut);
}

static const char *sid(struct bytes bytes)
{
    static char buffer[SID_TEXT_MAX + 1];
    struct text t = text_to(buffer, sizeof buffer);
    sid_text(&t, bytes);
    assert_true(text_end(&t) < sizeof buffer);
    return buffer;
}

static void writes_sids(void **state)
{
    (void)state;
    assert_string_equal(sid(BYTES("\x01\x00\0\0\0\0\0\x05")), "S-1-5");
    assert_string_equal(sid(BYTES("\x01\x02\0\0\0\0\0\x05\x20\0\0\0\x20\x02\0\0")), "S-1-5-32-544");
    assert_string_equal(sid(BYTES("\x01\x01\x01\x02\x03\x04\x05\x06\xff\xff\xff\xff")),
                        "S-1-0x010203040506-4294967295");
    assert_string_equal(sid(BYTES("\x01\x02\0\0\0\0\0\x05\x20\0\0\0\x20\x02\0")), "");
    assert_string_equal(sid(BYTES("\x02\x00\0\0\0\0\0\x05")), "");
    assert_string_equal(sid(BYTES("\x01\x10\0\0\0\0\0\x05")), "");
    uint8_t longest[SID_BYTES_MAX];
    memset(longest, 0xff, sizeof longest);
    longest[0] = 1;
    longest[1] = 15;
    assert_int_equal(strlen(sid((struct bytes){.data = longest, .size = sizeof longest})), 18 + 15 * 11);
    assert_int_equal(sid_size("\x01\x00\0\0\0\0\0\x05more", 12), 8);
}

static void writes_uuids(void **state)
{
    (void)state;
    static const uint8_t drsuapi[16] = {0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11,
                                        0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2};
    char buffer[40];
    struct text t = text_to(buffer, sizeof buffer);
    uuid_text(&t, drsuapi);
    text_end(&t);
    assert_string_equal(buffer, "e3514235-4b06-11d1-ab04-00c04fc2dcd2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_does_not_fit),
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(escapes_json),
        cmocka_unit_test(disarms_text_for_terminals),
        cmocka_unit_test(repairs_utf8),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(encodes_what_it_decodes),
        cmocka_unit_test(finds_the_ascii_run),
        cmocka_unit_test(utf16_ends_at_zero),
        cmocka_unit_test(converts_utf16),
        cmocka_unit_test(writes_sids),
        cmocka_unit_test(writes_uuids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
