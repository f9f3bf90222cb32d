/* SPDX-License-Identifier: Apache-2.0
 *
 * The input `samba` as a node runs it: lines of the audit log become activities of the resolver, each once,
 * also across a restart; what is no audit line is quarantined; a log that cannot be read is a health issue.
 */
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/input_world.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE (60 * CLOCK_SECOND)

static struct {
    char directory[64], log[96], positions[96];
    struct input_world world;
    atomic_uint records;
} self;

static struct config *configure(const char *more)
{
    char text[512];
    int size = snprintf(text, sizeof(text), "node\n    state = %s\nsamba\n    logs = %s\n%s", self.directory,
                        self.log, more);
    return input_world_configure(text, size);
}

static void take(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    (void)record;
    assert_true(tag != 0);
    atomic_fetch_add(&self.records, 1);
    event_service_kept(self.world.service, tag);
}

static void open_service(void)
{
    input_world_open(&self.world, configure("    from-beginning = yes\n"), take, CLOCK_MILLISECOND);
}

static void close_service(void)
{
    input_world_close(&self.world);
}

static void append(const char *text, size_t size)
{
    int f = open(self.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(f, text, size), size);
    close(f);
}

static unsigned counted(void)
{
    struct event_input_state input;
    assert_true(event_service_input(self.world.service, 0, &input));
    return (unsigned)(input.counters.received);
}

static void wait_for(unsigned received, unsigned records)
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while ((counted() < received || atomic_load(&self.records) < records) &&
           clock_monotonic(clock_system()) < until)
        poll(NULL, 0, 10);
    assert_int_equal(counted(), received);
    assert_int_equal(atomic_load(&self.records), records);
}

static void test_samples(void **state)
{
    (void)state;
    static char text[131072];
    struct event_input_state input;
    struct event_health health;
    FILE *f = fopen(PICKET_TEST_DATA "/samba-audit.jsonl", "r");
    size_t size = fread(text, 1, sizeof(text), f);
    fclose(f);
    open_service();
    assert_true(event_service_health(self.world.service, 0, &health));
    assert_string_equal(health.issue, "samba_log_not_read");
    assert_non_null(strstr(health.text, "No such file"));
    append(text, size);
    append("{ no audit line\n", 16);
    wait_for(84, 80);
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    struct input_source source;
    /* What is told of it is told after it was done. */
    while ((event_service_health(self.world.service, 0, &health) ||
            !event_service_source(self.world.service, 0, 0, &source) || source.events < 84) &&
           clock_monotonic(clock_system()) < until)
        poll(NULL, 0, 10);
    assert_false(event_service_health(self.world.service, 0, &health));
    assert_true(event_service_input(self.world.service, 0, &input));
    assert_string_equal(input.name, "samba");
    assert_true(input.running);
    assert_int_equal(input.counters.understood, 80);
    assert_int_equal(input.counters.ignored, 3);
    assert_int_equal(input.counters.invalid, 1);
    assert_non_null(strstr(input.text, "auth.json: 84 lines"));
    assert_true(event_service_source(self.world.service, 0, 0, &source));
    assert_string_equal(source.name, self.log);
    assert_int_equal(source.events, 84);
    assert_string_equal(source.position, "0 bytes behind");
    assert_false(event_service_source(self.world.service, 0, 1, &source));
    static struct quarantine_entry entry;
    assert_true(quarantine_before(event_service_quarantine(self.world.service), UINT64_MAX, &entry));
    assert_string_equal(entry.origin.format, "samba");
    assert_int_equal(entry.whole, 15);
    close_service();
    append(text, (size_t)(strchr(text, '\n') - text) + 1);
    open_service();
    wait_for(1, 81);
    poll(NULL, 0, 300);
    wait_for(1, 81);
    close_service();
}

static void test_configuration(void **state)
{
    (void)state;
    struct fault fault;
    char more[512] = "    logs = /a";
    struct config *config = configure("");
    assert_true(event_service_check(config, &fault));
    config_destroy(&config);
    for (unsigned i = 0; i < 16; i++)
        strcat(more, ", /b");
    strcat(more, "\n");
    config = configure(more);
    assert_false(event_service_check(config, &fault));
    assert_non_null(strstr(fault.text, "16 at most"));
    config_destroy(&config);
}

static int begin(void **state)
{
    (void)state;
    log_set_output(-1);
    snprintf(self.directory, sizeof(self.directory), "/tmp/picket-samba-XXXXXX");
    if (!mkdtemp(self.directory))
        return -1;
    snprintf(self.log, sizeof(self.log), "%s/auth.json", self.directory);
    snprintf(self.positions, sizeof(self.positions), "%s/samba-positions", self.directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(self.log);
    unlink(self.positions);
    return rmdir(self.directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_configuration),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
