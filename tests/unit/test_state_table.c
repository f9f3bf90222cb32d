/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "center/state_table.h"

#include <stdlib.h>

#define SUBJECTS 64u
#define STEPS    20000u

struct value {
    uint64_t a;
    uint32_t b;
    uint32_t rest;
};

static const struct state_form form = {
    .name = "t", .version = 1, .value_size = sizeof(struct value), .capacity = 1000};
static const struct state_form short_lived = {
    .name = "s", .version = 1, .value_size = sizeof(struct value), .capacity = 100, .lifetime = 50};

static struct subject subject(uint64_t n)
{
    return (struct subject){n + 1, ~n};
}

static struct value *use(struct state_table *table, uint64_t n, int64_t now, bool *added)
{
    return state_table_use(table, subject(n), now, added);
}

static void remembers_and_forgets(void **state)
{
    (void)state;
    bool added;
    struct state_table *table = state_table_new(&form, 1);
    assert_null(state_table_look(table, subject(1), 0));
    struct value *v = use(table, 1, 5, &added);
    assert_true(added);
    assert_int_equal(v->a, 0);
    v->a = 42;
    v = use(table, 1, 6, &added);
    assert_false(added);
    assert_int_equal(v->a, 42);
    const struct value *look = state_table_look(table, subject(1), 1000000);
    assert_int_equal(look->a, 42);
    state_table_forget(table, subject(1));
    assert_null(state_table_look(table, subject(1), 7));
    state_table_destroy(&table);
    assert_null(table);
}

static void what_is_too_old_is_new_again(void **state)
{
    (void)state;
    bool added;
    struct state_table *table = state_table_new(&short_lived, 1);
    use(table, 1, 100, NULL)->a = 1;
    assert_non_null(state_table_look(table, subject(1), 150));
    assert_null(state_table_look(table, subject(1), 151));
    assert_int_equal(use(table, 1, 151, &added)->a, 0);
    assert_true(added);
    use(table, 2, 200, NULL);
    state_table_expire(table, 202);
    struct state_table_status status;
    state_table_status(table, &status);
    assert_int_equal(status.count, 1);
    state_table_destroy(&table);
}

static void what_was_looked_at_is_renewed(void **state)
{
    (void)state;
    struct state_table *table = state_table_new(&short_lived, 1);
    use(table, 1, 100, NULL)->a = 7;
    state_table_prefetch(table, subject(1)); /* changes nothing */
    const struct value *known = state_table_look(table, subject(1), 140);
    assert_ptr_equal(state_table_renew(table, known, 140), known);
    assert_ptr_equal(state_table_renew(table, known, 120), known); /* a late one */
    known = state_table_look(table, subject(1), 190);
    assert_non_null(known);
    assert_int_equal(known->a, 7);
    assert_null(state_table_look(table, subject(1), 191));
    state_table_destroy(&table);
}

static void a_late_activity_does_not_make_younger(void **state)
{
    (void)state;
    struct state_table *table = state_table_new(&short_lived, 1);
    use(table, 1, 100, NULL);
    use(table, 1, 60, NULL);
    assert_non_null(state_table_look(table, subject(1), 150));
    state_table_destroy(&table);
}

static void count_gone(void *context, struct subject key, int64_t touched, const void *value)
{
    (void)key, (void)touched;
    *(unsigned *)context += value == NULL;
}

static void a_full_table_pushes_out_the_oldest(void **state)
{
    (void)state;
    struct state_table *table = state_table_new(&short_lived, 1);
    for (unsigned i = 0; i < 100; i++)
        use(table, i, i / 4, NULL)->a = i;
    assert_non_null(use(table, 1000, 26, NULL));
    struct state_table_status status;
    state_table_status(table, &status);
    assert_in_range(status.pushed_out, 20, 35);
    assert_null(state_table_look(table, subject(0), 26));
    assert_non_null(state_table_look(table, subject(99), 26));
    assert_non_null(state_table_look(table, subject(1000), 26));
    for (unsigned i = 0; i < 100000; i++)
        assert_non_null(use(table, 5000 + i, 27, NULL)); /* all of one time: somebody goes all the same */
    state_table_status(table, &status);
    assert_in_range(status.count, 1, 100);
    /* Put back where there is less room: a part of them, the others are counted. */
    static const struct state_form smaller = {"smaller", 1, sizeof(struct value), 10, 100};
    struct value value = {0};
    state_table_destroy(&table);
    table = state_table_new(&smaller, 1);
    for (unsigned i = 0; i < 100; i++)
        assert_true(state_table_restore(table, subject(i), i, &value));
    state_table_status(table, &status);
    assert_int_equal(status.count + status.pushed_out, 100);
    assert_in_range(status.count, 5, 10);
    assert_non_null(state_table_look(table, subject(99), 99));
    unsigned gone = 0;
    state_table_changes(table, count_gone, &gone); /* what keeps them is told */
    assert_true(gone > 0);
    state_table_destroy(&table);
}

/* Nobody takes the changes while subjects come and go: what is noted stays in proportion, and is right; of
 * those that came and went meanwhile nothing is told. */
static void count_change(void *context, struct subject key, int64_t touched, const void *value)
{
    (void)key, (void)touched, (void)value;
    ++*(unsigned *)context;
}

static void changes_that_nobody_takes(void **state)
{
    (void)state;
    struct state_table *table = state_table_new(&short_lived, 1);
    for (unsigned i = 0; i < 200000; i++)
        assert_non_null(use(table, i % 5000, i, NULL));
    struct state_table_status status;
    state_table_status(table, &status);
    unsigned changed = 0;
    state_table_changes(table, count_change, &changed);
    assert_int_equal(changed, status.count);
    assert_in_range(status.bytes, 1, 64 * 1024);
    state_table_destroy(&table);
}

/* -- a copy made of changes is the table -------------------------------------------------------------------
 */

struct model {
    bool there;
    int64_t touched;
    struct value value;
};

struct copy {
    struct model models[SUBJECTS];
    unsigned changes;
};

static void take_change(void *context, struct subject key, int64_t touched, const void *value)
{
    struct copy *copy = context;
    struct model *m = &copy->models[key.high - 1];
    copy->changes++;
    m->there = value != NULL;
    m->touched = touched;
    if (value)
        memcpy(&m->value, value, sizeof(m->value));
}

static void compare(void *context, struct subject key, int64_t touched, const void *value)
{
    const struct copy *copy = context;
    const struct model *m = &copy->models[key.high - 1];
    assert_true(m->there);
    assert_int_equal(m->touched, touched);
    assert_memory_equal(&m->value, value, sizeof(m->value));
}

static void changes_make_a_copy(void **state)
{
    (void)state;
    struct copy *copy = calloc(1, sizeof(*copy));
    struct state_table *table = state_table_new(&short_lived, 1);
    uint64_t random = 7;
    for (unsigned i = 0; i < STEPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned n = (unsigned)(random >> 33) % SUBJECTS, what = (unsigned)(random >> 20) % 16;
        int64_t now = i / 4;
        const struct value *known = state_table_look(table, subject(n), now);
        if (what < 12 && known && random >> 63)
            ((struct value *)state_table_renew(table, known, now))->a += i;
        else if (what < 12)
            use(table, n, now, NULL)->a += i;
        else if (what < 14)
            state_table_forget(table, subject(n));
        else if (what == 14)
            state_table_expire(table, now);
        else
            state_table_changes(table, take_change, copy);
    }
    state_table_changes(table, take_change, copy);
    state_table_each(table, compare, copy);
    struct state_table_status status;
    state_table_status(table, &status);
    unsigned there = 0;
    struct state_table *restored = state_table_new(&short_lived, 2);
    for (unsigned i = 0; i < SUBJECTS; i++) {
        if (!copy->models[i].there)
            continue;
        there++;
        assert_true(
            state_table_restore(restored, subject(i), copy->models[i].touched, &copy->models[i].value));
    }
    assert_int_equal(there, status.count);
    assert_int_equal(status.changed, 0);
    state_table_each(restored, compare, copy);
    assert_true(state_table_restore(restored, subject(SUBJECTS), 1, &copy->models[0].value));
    assert_true(state_table_restore(restored, subject(SUBJECTS), 0, NULL)); /* it was gone */
    use(table, 0, STEPS / 4, NULL);
    use(table, 1, STEPS / 4, NULL);
    state_table_forget(table, subject(1));
    state_table_status(table, &status);
    assert_true(status.changed >= 2);
    memset(copy, 0, sizeof(*copy));
    state_table_whole(table, take_change, copy);
    assert_int_equal(copy->changes, status.count);
    state_table_each(table, compare, copy);
    copy->changes = 0;
    state_table_changes(table, take_change, copy);
    state_table_changes(restored, take_change, copy);
    assert_int_equal(copy->changes, 0);
    state_table_destroy(&table);
    state_table_destroy(&restored);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remembers_and_forgets),
        cmocka_unit_test(what_is_too_old_is_new_again),
        cmocka_unit_test(what_was_looked_at_is_renewed),
        cmocka_unit_test(a_late_activity_does_not_make_younger),
        cmocka_unit_test(a_full_table_pushes_out_the_oldest),
        cmocka_unit_test(changes_that_nobody_takes),
        cmocka_unit_test(changes_make_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
