/* SPDX-License-Identifier: Apache-2.0
 *
 * SLDC: a message that Windows sent, round trips, and damage of each kind.
 */
#include <stdio.h>
#include <stdlib.h>

#include "events/sldc.h"
#include "tests/unit/sldc_encode.h"
#include "tests/unit/unit.h"

static struct bytes whole_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return (struct bytes){0};
    uint8_t *data = malloc(1 << 20);
    assert_non_null(data);
    size_t size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return (struct bytes){.data = data, .size = size};
}

/* What is in memory of just that size, so that a sanitizer sees a byte too many. */
static bool decodes(struct bytes message, const void *expected, size_t size)
{
    uint8_t *exact = malloc(message.size ? message.size : 1);
    uint8_t *to = malloc(size ? size : 1);
    assert_non_null(exact);
    assert_non_null(to);
    if (message.size)
        memcpy(exact, message.data, message.size);
    bool fine = sldc_decode((struct bytes){.data = exact, .size = message.size}, to, size);
    if (fine && expected)
        assert_bytes_equal(to, expected, size);
    free(exact);
    free(to);
    return fine;
}

static void test_recorded(void **state)
{
    (void)state;
    struct bytes message = whole_file(PICKET_SHARED_DATA "/events/wef/04-heartbeat.sldc.bin");
    struct bytes text = whole_file(PICKET_SHARED_DATA "/events/wef/04-heartbeat.decompressed.xml");
    if (!message.data || !text.data) {
        print_message("skipped: no recorded exchange in ../shared/data\n");
        skip();
    }
    assert_true(sldc_is_message(message));
    size_t size = sldc_size(message);
    assert_int_equal(size, 3042);
    uint8_t *to = malloc(size);
    assert_non_null(to);
    assert_true(sldc_decode(message, to, size));
    /* The file is the text alone; the message has it in UTF-16, with a byte order mark. */
    assert_int_equal(size, 2 + 2 * text.size);
    assert_bytes_equal(to, "\xff\xfe", 2);
    for (size_t i = 0; i < text.size; i++) {
        assert_int_equal(to[2 + 2 * i], text.data[i]);
        assert_int_equal(to[3 + 2 * i], 0);
    }
    for (size_t cut = 0; cut < message.size - 1; cut++) /* its padding has a byte to spare */
        assert_false(decodes((struct bytes){.data = message.data, .size = cut}, NULL, size));
    assert_false(sldc_decode(message, to, size - 1));
    free(to);
    free((void *)(uintptr_t)message.data);
    free((void *)(uintptr_t)text.data);
}

static void test_published(void **state)
{
    (void)state;
    /* Scheme 2, of another encoder; with its length. */
    static const uint8_t message[] = {0xff, 0xb3, 0xa3, 0x2b, 0x9b, 0xa1, 0x03, 0x9b, 0xa3, 0x93,
                                      0x4b, 0x73, 0x3f, 0xfd, 0x00, 0x00, 11,   0,    0,    0};
    assert_true(decodes((struct bytes){.data = message, .size = sizeof message}, "test string", 11));
}

static void round_trip(const uint8_t *data, size_t size, bool scheme_2)
{
    size_t capacity = size * 9 / 8 + 32;
    uint8_t *message = malloc(capacity);
    assert_non_null(message);
    size_t length = sldc_encode(data, size, scheme_2, message, capacity);
    struct bytes b = {.data = message, .size = length};
    assert_true(sldc_is_message(b));
    assert_int_equal(sldc_size(b), size);
    assert_true(decodes(b, data, size));
    assert_false(decodes(b, NULL, size + 1));
    if (size)
        assert_false(decodes(b, NULL, size - 1));
    free(message);
}

static void test_round_trips(void **state)
{
    (void)state;
    static uint8_t data[8192];
    uint64_t seed = 1;
    for (unsigned kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < sizeof data; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint8_t random = (uint8_t)(seed >> 56);
            data[i] = kind == 0   ? random
                      : kind == 1 ? 'a' + random % 3
                      : kind == 2 ? 0xff
                                  : (i % 2 ? 0 : random % 64);
        }
        for (unsigned scheme_2 = 0; scheme_2 < 2; scheme_2++) {
            for (size_t size = 0; size < 40; size++)
                round_trip(data, size, scheme_2);
            for (size_t size = 1000; size < 1050; size++)
                round_trip(data, size, scheme_2);
            round_trip(data, sizeof data, scheme_2);
        }
    }
}

static struct bytes built(struct sldc_bits *b)
{
    while (b->count % 8)
        sldc_put(b, 0, 1);
    for (unsigned i = 0; i < 4; i++)
        sldc_put(b, 0, 8);
    return (struct bytes){.data = b->to, .size = b->count / 8};
}

static void test_schemes_change(void **state)
{
    (void)state;
    uint8_t to[64];
    struct sldc_bits b = {.to = to, .capacity = sizeof to};
    sldc_control(&b, 5);
    sldc_put(&b, 'a', 9);
    sldc_put(&b, 'b', 9);
    sldc_control(&b, 2);
    sldc_put(&b, 'c', 8);
    sldc_put(&b, 0xff << 1, 9);
    sldc_control(&b, 0);
    sldc_control(&b, 3);
    sldc_control(&b, 1);
    sldc_match(&b, 4, 0);
    sldc_control(&b, 5);
    sldc_put(&b, 'd', 9);
    sldc_match(&b, 3, 0); /* the history began anew */
    sldc_control(&b, 4);
    assert_true(decodes(built(&b),
                        "abc\xff"
                        "abc\xff"
                        "dddd",
                        12));
}

static void test_damage(void **state)
{
    (void)state;
    static const unsigned reserved[] = {7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        uint8_t to[32];
        struct sldc_bits b = {.to = to, .capacity = sizeof to};
        sldc_control(&b, 5);
        sldc_control(&b, reserved[i]);
        sldc_control(&b, 4);
        assert_false(decodes(built(&b), NULL, 0));
    }
    uint8_t to[32];
    struct sldc_bits b = {.to = to, .capacity = sizeof to};
    sldc_control(&b, 5);
    sldc_put(&b, 'a', 9);
    assert_false(decodes(built(&b), NULL, 1)); /* no end */
    static const struct bytes not_messages[] = {
        {.data = (const uint8_t *)"", .size = 0},
        {.data = (const uint8_t *)"\xff\xab\0\0", .size = 4},
        {.data = (const uint8_t *)"\xff\xfe<\0s\0:\0", .size = 8},
        {.data = (const uint8_t *)"<s:Envelope", .size = 11},
        {.data = (const uint8_t *)"\xff\xa3\0\0\0\0\0", .size = 7},
    };
    for (size_t i = 0; i < sizeof not_messages / sizeof *not_messages; i++) {
        assert_false(sldc_is_message(not_messages[i]));
        assert_false(decodes(not_messages[i], NULL, 0));
    }
    assert_int_equal(sldc_size(not_messages[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),    cmocka_unit_test(test_published),
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_schemes_change),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
