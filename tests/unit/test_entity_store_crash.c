/* SPDX-License-Identifier: Apache-2.0
 *
 * A child writes to a store and is killed at any moment, again and again. What is found afterwards must be
 * one of its commits, whole: the state ("cookie") says how far it had got, and exactly those entities and
 * links are there.
 */
#include "tests/unit/entity_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS   12u
#define PER_STEP 40u /* users of a step, which is one commit; and a group that has them all */

static struct world_change w;
static struct entity entity;

static uint32_t step_of(struct bytes value)
{
    uint32_t step;
    assert_int_equal(value.size, sizeof step);
    memcpy(&step, value.data, sizeof step);
    return step;
}

/* One commit; false when it could not be. Users of the step before the last go as those of this one come. */
static bool write_step(struct entity_store *store, uint32_t step)
{
    struct fault fault;
    struct entity_store_write *write = entity_store_begin(store, &fault);
    if (!write)
        return false;
    uint32_t context = world_context(write), base = step * 100;
    for (uint32_t i = 0; i < PER_STEP; i++) {
        world_user(&w, base + i);
        entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, WORLD_NOW);
        if (step < 2)
            continue;
        world_begin(&w, base - 200 + i, ENTITY_USER);
        w.change.deleted = true;
        entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, WORLD_NOW);
    }
    world_group(&w, base + 99, "group", 5000 + step);
    for (uint32_t i = 0; i < PER_STEP; i++)
        world_edge(&w, LINK_MEMBER, base + i, false);
    entity_store_apply(write, &w.change, ENTITY_REPLICATED, context, 0, WORLD_NOW);
    entity_store_put_state(write, "cookie", (struct bytes){(const uint8_t *)&step, sizeof step});
    return entity_store_commit(&write, step % 5 == 0, &fault);
}

static void write_on(const struct entity_store_config *config)
{
    struct fault fault;
    struct entity_store *store = entity_store_open(config, &fault);
    struct entity_store_read *read = store ? entity_store_read_open(store, &fault) : NULL;
    struct bytes value;
    if (!read)
        _exit(1);
    uint32_t step = entity_store_state(read, "cookie", &value) ? step_of(value) + 1 : 0;
    entity_store_read_rest(read);
    for (; step < 1000000; step++) {
        if (!write_step(store, step))
            _exit(2);
    }
    _exit(3);
}

static bool ignore_guid(void *to, const struct guid *guid)
{
    (void)to;
    (void)guid;
    return true;
}

static void check_store(struct world_store *store, uint32_t *last)
{
    struct entity_store_read *read = world_read(store);
    struct bytes value;
    struct entity_counts counts;
    if (!entity_store_state(read, "cookie", &value)) {
        entity_store_counts(read, world_bytes(""), &counts);
        assert_int_equal(counts.kinds[ENTITY_USER], 0);
        entity_store_read_close(&read);
        return;
    }
    uint32_t step = step_of(value), live = step ? 2 : 1;
    assert_true(step >= *last); /* a killed process takes nothing back */
    *last = step;
    entity_store_counts(read, world_bytes(""), &counts);
    assert_int_equal(counts.kinds[ENTITY_USER], live * PER_STEP);
    assert_int_equal(counts.kinds[ENTITY_GROUP], step + 1);
    assert_int_equal(counts.deleted, (step + 1 - live) * PER_STEP);
    assert_int_equal(counts.links, live * PER_STEP);
    for (uint32_t s = step > 4 ? step - 4 : 0; s <= step + 1; s++) {
        for (uint32_t i = 0; i < PER_STEP; i++) {
            struct guid guid = world_guid(s * 100 + i);
            assert_int_equal(entity_store_get(read, &guid, &entity), s <= step);
            if (s > step)
                continue;
            bool dead = s + live <= step;
            assert_int_equal(entity.deleted, dead);
            assert_int_equal(entity_store_backlinks(read, &guid, LINK_MEMBER, ignore_guid, NULL), !dead);
        }
        struct guid group = world_guid(s * 100 + 99);
        assert_int_equal(entity_store_link_count(read, &group, LINK_MEMBER),
                         s <= step && s + live > step ? PER_STEP : 0);
    }
    entity_store_read_close(&read);
}

static void a_killed_writer_leaves_a_commit(void **state)
{
    (void)state;
    struct world_store store;
    uint32_t last = 0;
    world_store_make(&store);
    entity_store_close(&store.store);
    for (unsigned round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_on(&store.config);
        /* Anywhere within the first commits, and later. */
        struct timespec wait = {.tv_nsec = (long)(round * round * 2 + round) * 1000000 + 500000};
        nanosleep(&wait, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        world_open(&store);
        check_store(&store, &last);
        entity_store_close(&store.store);
    }
    world_open(&store);
    assert_true(write_step(store.store, last ? last + 1 : 0));
    entity_store_close(&store.store);
    world_store_end(&store);
}

/* A disk that is full: the commit says so, nothing of it is kept, and the store goes on. */
static void a_full_disk_is_a_fault(void **state)
{
    (void)state;
    struct world_store store;
    world_store_make(&store);
    for (uint32_t step = 0; step < 3; step++)
        assert_true(write_step(store.store, step));
    entity_store_close(&store.store);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fault fault;
        struct entity_store *full = entity_store_open(&store.config, &fault);
        struct entity_store_usage usage;
        entity_store_usage(full, &usage);
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {usage.used + 32768, usage.used + 32768};
        setrlimit(RLIMIT_FSIZE, &limit);
        uint32_t step = 3;
        while (step < 5000 && write_step(full, step))
            step++;
        _exit(step == 5000 ? 1 : 42);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    uint32_t last = 2;
    world_open(&store);
    check_store(&store, &last);
    assert_true(write_step(store.store, last + 1));
    check_store(&store, &last);
    world_store_end(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_writer_leaves_a_commit),
        cmocka_unit_test(a_full_disk_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
