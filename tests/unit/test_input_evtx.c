/* SPDX-License-Identifier: Apache-2.0
 *
 * The input `evtx` as a node runs it: a log that is put into the folder, a folder that is not there.
 */
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/input_world.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAMPLE   PICKET_TEST_DATA "/group-add-remove-4732-4733.evtx"
#define PATIENCE (60 * CLOCK_SECOND)

static char place[] = "/tmp/picket-input-XXXXXX";

static struct {
    struct input_world world;
    atomic_uint records;
} self;

static void take(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    (void)record;
    (void)tag;
    atomic_fetch_add(&self.records, 1);
}

static struct config *configure(const char *folder)
{
    char text[512];
    int size = snprintf(text, sizeof(text),
                        "node\n    state = %s\nevent-logs\n    folder = %s/%s\n    period = 1s\n", place,
                        place, folder);
    return input_world_configure(text, size);
}

static void open_service(const char *folder)
{
    atomic_store(&self.records, 0);
    input_world_open(&self.world, configure(folder), take, 0);
}

static void close_service(void)
{
    input_world_close(&self.world);
}

static void copy_sample(void)
{
    static uint8_t bytes[69632];
    char path[128];
    FILE *from = fopen(SAMPLE, "rb");
    assert_non_null(from);
    assert_int_equal(fread(bytes, 1, sizeof(bytes), from), sizeof(bytes));
    fclose(from);
    snprintf(path, sizeof(path), "%s/logs/a.evtx", place);
    FILE *to = fopen(path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes), to), sizeof(bytes));
    fclose(to);
}

static bool wait_for(bool (*is_so)(void))
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (!is_so() && clock_monotonic(clock_system()) < until)
        poll(NULL, 0, 10);
    return is_so();
}

static bool has_five(void)
{
    return atomic_load(&self.records) == 5;
}

static bool has_trouble(void)
{
    struct event_health health;
    return event_service_health(self.world.service, 0, &health);
}

static void a_log_is_read_once(void **state)
{
    (void)state;
    struct event_input_state input;
    open_service("logs");
    copy_sample();
    assert_true(wait_for(has_five));
    assert_true(event_service_input(self.world.service, 0, &input));
    assert_string_equal(input.name, "evtx");
    assert_true(input.running);
    assert_int_equal(input.counters.understood, 5);
    assert_false(has_trouble());
    close_service();
    /* Not again. */
    open_service("logs");
    assert_true(event_service_input(self.world.service, 0, &input));
    char wanted[128];
    snprintf(wanted, sizeof(wanted), "%s/logs, 1 log", place);
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (strcmp(input.text, wanted) != 0 && clock_monotonic(clock_system()) < until) {
        poll(NULL, 0, 10);
        assert_true(event_service_input(self.world.service, 0, &input));
    }
    assert_string_equal(input.text, wanted);
    assert_int_equal(atomic_load(&self.records), 0);
    close_service();
}

static void a_folder_that_is_not_there(void **state)
{
    (void)state;
    struct event_health health;
    open_service("nowhere");
    assert_true(wait_for(has_trouble));
    assert_true(event_service_health(self.world.service, 0, &health));
    assert_string_equal(health.issue, "event_logs_unreadable");
    assert_string_equal(health.subject, "input evtx");
    assert_non_null(strstr(health.text, "/nowhere"));
    close_service();
}

static void a_state_that_is_none(void **state)
{
    (void)state;
    struct event_health health;
    char path[128];
    snprintf(path, sizeof(path), "%s/event-logs", place);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("x", file);
    fclose(file);
    open_service("logs");
    assert_true(event_service_health(self.world.service, 0, &health));
    assert_string_equal(health.issue, "event_logs_not_processed");
    close_service();
    unlink(path);
}

static int set_up(void **state)
{
    (void)state;
    char path[128];
    log_set_level(LOG_LEVEL_ERROR);
    if (!mkdtemp(place))
        return -1;
    snprintf(path, sizeof(path), "%s/logs", place);
    return mkdir(path, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_is_read_once),
        cmocka_unit_test(a_folder_that_is_not_there),
        cmocka_unit_test(a_state_that_is_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
