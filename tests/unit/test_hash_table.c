/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/hash_table.h"
#include "tests/unit/unit.h"

enum {
    KEYS = 300,
    CAPACITY = 200,
    OPERATIONS = 300000,
};

/* The model: whether each key is there, and its value. */
struct model {
    bool there[KEYS];
    uint64_t value[KEYS];
    uint32_t count;
};

/* A key of an odd size. */
struct key {
    uint8_t bytes[5];
};

static struct key key_of(uint32_t number)
{
    struct key key = {{(uint8_t)number, 0, (uint8_t)(number >> 8), 0xff, 7}};
    return key;
}

static uint32_t number_of(const struct key *key)
{
    return key->bytes[0] | (uint32_t)key->bytes[2] << 8;
}

static void compare(const struct hash_table *table, const struct model *model)
{
    bool seen[KEYS] = {false};
    uint32_t at = 0;
    const void *key;
    void *value;
    uint32_t count = 0;
    while (hash_table_next(table, &at, &key, &value)) {
        uint32_t number = number_of(key);
        assert_true(model->there[number] && !seen[number]);
        assert_true(*(uint64_t *)value == model->value[number]);
        seen[number] = true;
        count++;
    }
    assert_int_equal(count, model->count);
    assert_int_equal(hash_table_count(table), model->count);
}

static void insert_both(struct hash_table *table, struct model *model, uint32_t number)
{
    struct key key = key_of(number);
    bool added = true;
    uint64_t *value = hash_table_insert(table, &key, &added);
    if (model->there[number]) {
        assert_non_null(value);
        assert_false(added);
        assert_true(*value == model->value[number]);
    } else if (model->count == CAPACITY) {
        assert_null(value);
        assert_false(added);
        return;
    } else {
        assert_non_null(value);
        assert_true(added);
        assert_true(*value == 0);
        model->count++;
    }
    assert_int_equal((uintptr_t)value % 8, 0);
    *value = model->value[number] = (uint64_t)random();
    model->there[number] = true;
}

static void remove_both(struct hash_table *table, struct model *model, uint32_t number)
{
    struct key key = key_of(number);
    assert_int_equal(hash_table_remove(table, &key), model->there[number]);
    model->count -= model->there[number];
    model->there[number] = false;
}

static void find_both(const struct hash_table *table, const struct model *model, uint32_t number)
{
    struct key key = key_of(number);
    const uint64_t *value = hash_table_find(table, &key);
    assert_int_equal(value != NULL, model->there[number]);
    assert_true(!value || *value == model->value[number]);
}

static void behaves_like_the_model(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 4; seed++) {
        struct hash_table *table = hash_table_new(CAPACITY, sizeof(struct key), sizeof(uint64_t), seed);
        struct model *model = calloc(1, sizeof *model);
        srandom(seed);
        for (int i = 0; i < OPERATIONS; i++) {
            uint32_t number = (uint32_t)random() % KEYS;
            /* Long phases in which the table fills, or empties. */
            long kind = random() % 10;
            bool filling = i / 5000 % 2 == 0;
            if (kind < (filling ? 5 : 2))
                insert_both(table, model, number);
            else if (kind < 7)
                remove_both(table, model, number);
            else
                find_both(table, model, number);
            if (i % 1000 == 0)
                compare(table, model);
        }
        compare(table, model);
        free(model);
        hash_table_destroy(&table);
        assert_null(table);
    }
}

static bool keep_even(void *context, const void *key, void *value)
{
    (void)value;
    ++*(uint32_t *)context;
    return number_of(key) % 2 == 0;
}

static void retains_what_it_is_told(void **state)
{
    (void)state;
    struct hash_table *table = hash_table_new(CAPACITY, sizeof(struct key), 0, 1);
    for (uint32_t number = 0; number < CAPACITY; number++) {
        struct key key = key_of(number);
        assert_non_null(hash_table_insert(table, &key, NULL));
    }
    uint32_t asked = 0;
    assert_int_equal(hash_table_retain(table, keep_even, &asked), CAPACITY / 2);
    assert_int_equal(asked, CAPACITY);
    for (uint32_t number = 0; number < CAPACITY; number++) {
        struct key key = key_of(number);
        assert_int_equal(hash_table_find(table, &key) != NULL, number % 2 == 0);
    }
    hash_table_clear(table);
    assert_int_equal(hash_table_count(table), 0);
    assert_int_equal(hash_table_capacity(table), CAPACITY);
    struct key key = key_of(0);
    assert_null(hash_table_find(table, &key));
    hash_table_destroy(&table);
}

static void grows_when_it_is_told(void **state)
{
    (void)state;
    struct hash_table *table = hash_table_new(2, sizeof(struct key), sizeof(uint32_t), 1);
    for (uint32_t number = 0; number < KEYS; number++) {
        struct key key = key_of(number);
        if (number == hash_table_capacity(table)) {
            assert_null(hash_table_insert(table, &key, NULL));
            assert_true(hash_table_grow(table, number + number / 2));
        }
        uint32_t *value = hash_table_insert(table, &key, NULL);
        assert_non_null(value);
        *value = number;
    }
    assert_true(hash_table_grow(table, 1)); /* it has more */
    assert_false(hash_table_grow(table, UINT32_MAX));
    assert_in_range(hash_table_capacity(table), KEYS, KEYS + KEYS / 2);
    const void *key;
    void *value;
    uint32_t at = 0;
    for (uint32_t number = 0; number < KEYS; number++) {
        struct key wanted = key_of(number);
        const uint32_t *found = hash_table_find(table, &wanted);
        assert_non_null(found);
        assert_int_equal(*found, number);
        assert_true(hash_table_next(table, &at, &key, &value)); /* as they came */
        assert_int_equal(number_of(key), number);
    }
    assert_false(hash_table_next(table, &at, &key, &value));
    hash_table_destroy(&table);
}

static void refuses_impossible_sizes(void **state)
{
    (void)state;
    assert_null(hash_table_new(0, 4, 4, 0));
    assert_null(hash_table_new(UINT32_MAX, 4, 4, 0));
    assert_null(hash_table_new(4, 0, 4, 0));
    struct hash_table *none = NULL;
    hash_table_destroy(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_like_the_model),
        cmocka_unit_test(retains_what_it_is_told),
        cmocka_unit_test(grows_when_it_is_told),
        cmocka_unit_test(refuses_impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
