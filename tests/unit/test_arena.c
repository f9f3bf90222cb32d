/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "tests/unit/unit.h"

static void hands_out_aligned_pieces_that_do_not_overlap(void **state)
{
    (void)state;
    struct arena *arena = arena_new(4096);
    uint8_t *last = NULL;
    size_t last_size = 0;
    for (size_t size = 1; size < 60; size += 7) {
        uint8_t *piece = arena_alloc(arena, size);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
        assert_true(!last || piece >= last + last_size);
        memset(piece, 0xff, size);
        last = piece;
        last_size = size;
    }
    arena_destroy(&arena);
    assert_null(arena);
    arena_destroy(&arena);
}

static void is_bounded_and_recovers(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1000);
    assert_null(arena_alloc(arena, 1001));
    assert_null(arena_zalloc(arena, SIZE_MAX));
    assert_int_equal(arena_used(arena), 0);
    size_t pieces = 0;
    while (arena_alloc(arena, 100))
        pieces++;
    assert_in_range(pieces, 7, 10);
    assert_in_range(arena_used(arena), 700, 1000);
    assert_true(arena_peak(arena) == arena_used(arena));
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_in_range(arena_peak(arena), 700, 1000);
    assert_non_null(arena_alloc(arena, 1000)); /* all of it, of an odd capacity */
    assert_int_equal(arena_used(arena), 1000);
    assert_null(arena_alloc(arena, 1));
    arena_destroy(&arena);
}

static void zeroes_what_was_used_before(void **state)
{
    (void)state;
    struct arena *arena = arena_new(256);
    memset(arena_alloc(arena, 128), 0xff, 128);
    arena_reset(arena);
    const uint8_t *piece = arena_zalloc(arena, 128);
    for (size_t i = 0; i < 128; i++)
        assert_int_equal(piece[i], 0);
    arena_destroy(&arena);
    assert_null(arena_new(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_aligned_pieces_that_do_not_overlap),
        cmocka_unit_test(is_bounded_and_recovers),
        cmocka_unit_test(zeroes_what_was_used_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
