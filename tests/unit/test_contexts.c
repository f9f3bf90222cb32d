/* SPDX-License-Identifier: Apache-2.0
 *
 * Security contexts: found by number and line, the one used longest ago goes, whatever comes and goes
 * between.
 */
#include "tests/unit/unit.h"

#include <sodium.h>

#include "keys/context.h"

enum { ROOM = 1000, MADE = 5000 };

static uint64_t ids[MADE];

static struct security_context *make(struct contexts *all, uint32_t i)
{
    struct security_context *c = context_new(all, CONTEXT_SMB, i % 3);
    assert_non_null(c);
    assert_true(c->id);
    assert_int_equal(c->kind, CONTEXT_SMB);
    for (size_t b = 0; b < sizeof c->smb; b++)
        assert_int_equal(((const uint8_t *)&c->smb)[b], 0);
    c->smb.cipher = (uint16_t)i;
    ids[i] = c->id;
    return c;
}

static bool is_there(struct contexts *all, uint32_t i)
{
    struct security_context *c = context_find(all, ids[i], i % 3);
    assert_null(context_find(all, ids[i], i % 3 + 1));
    if (c)
        assert_int_equal(c->smb.cipher, i);
    return c;
}

static void test_bounds(void **state)
{
    (void)state;
    struct contexts *all = contexts_new(ROOM);
    assert_non_null(all);
    for (uint32_t i = 0; i < MADE; i++) {
        make(all, i);
        assert_int_equal(contexts_count(all), i < ROOM ? i + 1 : ROOM);
        assert_true(is_there(all, 0)); /* what is used stays */
    }
    uint32_t there = 0;
    for (uint32_t i = 0; i < MADE; i++)
        there += is_there(all, i);
    assert_int_equal(there, ROOM);
    for (uint32_t i = MADE - ROOM / 2; i < MADE; i++)
        assert_true(is_there(all, i));
    contexts_destroy(&all);
    assert_null(all);
    contexts_destroy(&all);
}

static void test_forgotten(void **state)
{
    (void)state;
    struct contexts *all = contexts_new(ROOM);
    for (uint32_t i = 0; i < ROOM; i++)
        make(all, i);
    for (uint32_t i = 0; i < ROOM; i += 2)
        context_forget(all, context_find(all, ids[i], i % 3));
    assert_int_equal(contexts_count(all), ROOM / 2);
    for (uint32_t i = 0; i < ROOM; i++)
        assert_int_equal(is_there(all, i), i % 2);
    for (uint32_t i = ROOM; i < ROOM + ROOM / 2; i++)
        make(all, i);
    for (uint32_t i = 1; i < ROOM; i += 2)
        assert_true(is_there(all, i));
    contexts_line_ended(all, 1);
    for (uint32_t i = ROOM; i < ROOM + ROOM / 2; i++)
        assert_int_equal(is_there(all, i), i % 3 != 1);
    contexts_destroy(&all);
}

static void test_renamed(void **state)
{
    (void)state;
    struct contexts *all = contexts_new(ROOM);
    struct security_context *one = make(all, 0), *two = make(all, 3);
    context_rename(all, one, 7);
    assert_ptr_equal(context_find(all, 7, 0), one);
    assert_null(context_find(all, ids[0], 0));
    context_rename(all, two, 7); /* the one that had it is forgotten */
    assert_ptr_equal(context_find(all, 7, 0), two);
    assert_int_equal(contexts_count(all), 1);
    context_rename(all, two, 7);
    context_rename(all, two, 0); /* no number */
    assert_ptr_equal(context_find(all, 7, 0), two);
    assert_null(context_find(all, 0, 0));
    contexts_destroy(&all);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_renamed),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
