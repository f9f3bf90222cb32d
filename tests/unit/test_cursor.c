/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/endian.h"
#include "tests/unit/unit.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static void reads_both_byte_orders(void **state)
{
    (void)state;
    struct cursor c = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_u8(&c), 1);
    c = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_be16(&c), 0x0102);
    assert_int_equal(cursor_le16(&c), 0x0403);
    c = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_be24(&c), 0x010203);
    assert_int_equal(cursor_be32(&c), 0x04050607);
    c = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_le32(&c), 0x04030201);
    c = cursor_of(bytes, sizeof bytes);
    assert_true(cursor_be64(&c) == UINT64_C(0x0102030405060708));
    c = cursor_of(bytes, sizeof bytes);
    assert_true(cursor_le64(&c) == UINT64_C(0x0807060504030201));
    assert_false(c.failed);
    assert_int_equal(cursor_left(&c), 1);
}

static void what_is_put_is_read(void **state)
{
    (void)state;
    uint8_t room[28], *at = room;
    at = endian_put_be16(at, 0x0102);
    at = endian_put_be32(at, 0x03040506);
    at = endian_put_be64(at, UINT64_C(0x0708090a0b0c0d0e));
    at = endian_put_le16(at, 0x100f);
    at = endian_put_le32(at, 0x14131211);
    at = endian_put_le64(at, UINT64_C(0x1c1b1a1918171615));
    assert_ptr_equal(at, room + sizeof room);
    for (unsigned i = 0; i < sizeof room; i++)
        assert_int_equal(room[i], i + 1);
    struct cursor c = cursor_of(room, sizeof room);
    assert_int_equal(cursor_be16(&c), 0x0102);
    assert_int_equal(cursor_be32(&c), 0x03040506);
    assert_true(cursor_be64(&c) == UINT64_C(0x0708090a0b0c0d0e));
    assert_int_equal(cursor_le16(&c), 0x100f);
    assert_int_equal(cursor_le32(&c), 0x14131211);
    assert_true(cursor_le64(&c) == UINT64_C(0x1c1b1a1918171615));
}

/* Each reader, with one byte too few: zero, at the end, failed; and it stays so. */
static void failure_is_sticky(void **state)
{
    (void)state;
    for (size_t size = 0; size < 8; size++) {
        struct cursor c = cursor_of(bytes, size);
        assert_true(cursor_be64(&c) == 0);
        assert_true(c.failed && cursor_done(&c));
        c = cursor_of(bytes, size);
        assert_true(cursor_le64(&c) == 0);
        assert_true(c.failed && cursor_done(&c));
    }
    struct cursor c = cursor_of(bytes, 3);
    assert_true(cursor_be32(&c) == 0);
    assert_int_equal(cursor_u8(&c), 0);
    assert_true(c.failed);
    c = cursor_of(bytes, 3);
    assert_int_equal(cursor_le32(&c), 0);
    c = cursor_of(bytes, 2);
    assert_int_equal(cursor_be24(&c), 0);
    c = cursor_of(bytes, 1);
    assert_int_equal(cursor_be16(&c), 0);
    c = cursor_of(bytes, 1);
    assert_int_equal(cursor_le16(&c), 0);
    assert_true(c.failed);
    c = cursor_of(NULL, 0);
    assert_true(cursor_done(&c));
    assert_int_equal(cursor_u8(&c), 0);
    assert_true(c.failed);
}

static void sub_cursor_is_bounded(void **state)
{
    (void)state;
    struct cursor c = cursor_of(bytes, sizeof bytes);
    struct cursor sub = cursor_sub(&c, 3);
    assert_int_equal(cursor_left(&sub), 3);
    assert_int_equal(cursor_left(&c), 6);
    assert_int_equal(cursor_be32(&sub), 0);
    assert_true(sub.failed);
    assert_false(c.failed); /* what is nested cannot harm what it is nested in */
    assert_int_equal(cursor_u8(&c), 4);

    sub = cursor_sub(&c, 6);
    assert_true(sub.failed && c.failed);

    c = cursor_of(bytes, sizeof bytes);
    cursor_skip(&c, 4);
    sub = cursor_rest(&c);
    assert_true(cursor_done(&c) && !c.failed);
    assert_int_equal(cursor_left(&sub), 5);
}

static void takes_copies_and_matches(void **state)
{
    (void)state;
    uint8_t copy[4] = {9, 9, 9, 9};
    struct cursor c = cursor_of_bytes((struct bytes){.data = bytes, .size = sizeof bytes});
    assert_true(cursor_match(&c, "\1\2", 2));
    assert_false(cursor_match(&c, "\1\2", 2));
    assert_false(c.failed);
    struct bytes run = cursor_take(&c, 2);
    assert_ptr_equal(run.data, bytes + 2);
    assert_int_equal(run.size, 2);
    cursor_copy(&c, copy, 4);
    assert_bytes_equal(copy, bytes + 4, 4);
    assert_false(cursor_match(&c, "\x09\x0a", 2)); /* longer than what is left */
    run = cursor_take(&c, 2);
    assert_int_equal(run.size, 0);
    assert_true(c.failed);
    cursor_copy(&c, copy, 4);
    assert_bytes_equal(copy, "\0\0\0\0", 4);
    cursor_skip(&c, 1);
    assert_true(c.failed);
    /* A length near SIZE_MAX does not wrap around. */
    c = cursor_of(bytes, sizeof bytes);
    assert_false(cursor_need(&c, SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_byte_orders),   cmocka_unit_test(what_is_put_is_read),
        cmocka_unit_test(failure_is_sticky),        cmocka_unit_test(sub_cursor_is_bounded),
        cmocka_unit_test(takes_copies_and_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
