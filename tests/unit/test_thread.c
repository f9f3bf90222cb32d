/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <signal.h>

#include "tests/unit/unit.h"

struct seen {
    bool blocked;
    pthread_mutex_t named;
    char name[THREAD_NAME_MAX];
};

static void *look(void *context)
{
    struct seen *seen = context;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT) && sigismember(&mask, SIGUSR1);
    pthread_mutex_lock(&seen->named);
    pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
    pthread_mutex_unlock(&seen->named);
    return NULL;
}

static struct seen start(const char *name)
{
    struct seen seen = {.blocked = false};
    pthread_t thread;
    pthread_mutex_init(&seen.named, NULL);
    pthread_mutex_lock(&seen.named);
    assert_true(thread_start(&thread, name, look, &seen));
    pthread_mutex_unlock(&seen.named);
    pthread_join(thread, NULL);
    pthread_mutex_destroy(&seen.named);
    return seen;
}

static void test_named_and_without_signals(void **state)
{
    (void)state;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    struct seen seen = start("outbox");
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(seen.blocked);
    assert_string_equal(seen.name, "outbox");
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void test_long_names_are_cut(void **state)
{
    (void)state;
    assert_string_equal(start("a name that is too long").name, "a name that is ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_and_without_signals),
        cmocka_unit_test(test_long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
