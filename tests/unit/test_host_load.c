/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's texts about a host: as machines wrote them, damaged, and of the machine that this runs on.
 */
#include "node/host_load.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TICK (10 * CLOCK_MILLISECOND)

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

/* Debian 12 on four processors; the guest's time stands within user's. */
static const char stat_text[] = "cpu  1157 100 343 94180 200 0 20 1000 500 0\n"
                                "cpu0 289 25 85 23545 50 0 5 250 125 0\n"
                                "intr 123456 0 0 0\nctxt 1\nbtime 1763800000\n";
static const char meminfo_text[] = "MemTotal:        8039452 kB\nMemFree:          274520 kB\n"
                                   "MemAvailable:    6789012 kB\nBuffers:          123456 kB\n";
static const char process_text[] =
    "4711 (a) b ) S 1 4711 4711 0 -1 4194560 5000 0 3 0 250 50 7 3 20 0 9 0 99 "
    "1000000 2500 18446744073709551615 1 1\n";
static const char status_text[] = "Name:\tpicketd\nVmRSS:\t   90000 kB\nRssAnon:\t   40000 kB\n"
                                  "RssFile:\t   49000 kB\nRssShmem:\t    1000 kB\n";

static void what_machines_wrote(void **state)
{
    (void)state;
    struct host_cpu cpu;
    struct host_memory memory;
    int64_t value;
    char path[HOST_PATH_MAX];
    assert_true(host_cpu_parse(&cpu, text(stat_text), TICK));
    assert_int_equal(cpu.total, 97000 * TICK);
    assert_int_equal(cpu.busy, (1157 + 100 + 343 + 20 + 1000) * TICK);
    assert_true(host_memory_parse(&memory, text(meminfo_text)));
    assert_int_equal(memory.total, INT64_C(8039452) * 1024);
    assert_int_equal(memory.available, INT64_C(6789012) * 1024);
    assert_true(host_process_cpu_parse(&value, text(process_text), TICK));
    assert_int_equal(value, 310 * TICK);
    assert_true(host_process_memory_parse(&value, text(status_text)));
    assert_int_equal(value, INT64_C(41000) * 1024);
    assert_true(host_group_parse(path, text("1:name=systemd:/x\n0::/system.slice/picketd.service\n")));
    assert_string_equal(path, "/system.slice/picketd.service");
    assert_true(host_group_parse(path, text("9:cpu:/\n")));
    assert_string_equal(path, "");
    assert_true(host_group_cpu_max_parse(&value, text("max 100000\n")));
    assert_int_equal(value, 0);
    assert_true(host_group_cpu_max_parse(&value, text("150000 100000\n")));
    assert_int_equal(value, CLOCK_SECOND * 3 / 2);
    assert_true(host_group_bytes_parse(&value, text("max\n")));
    assert_int_equal(value, 0);
    assert_true(host_group_bytes_parse(&value, text("2147483648\n")));
    assert_int_equal(value, INT64_C(1) << 31);
    assert_true(host_group_row_parse(&value, text("usage_usec 123\nuser_usec 4\n"), "usage_usec"));
    assert_int_equal(value, 123);
    assert_true(host_group_row_parse(&value, text("a 1\ninactive_file 77\n"), "inactive_file"));
    assert_int_equal(value, 77);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    struct host_cpu cpu;
    struct host_memory memory;
    int64_t value;
    char path[HOST_PATH_MAX];
    static const char *const stats[] = {"",
                                        "cpu",
                                        "cpu ",
                                        "cpu 1 2 3 4 5 6 7",
                                        "cpux 1 2 3 4 5 6 7 8",
                                        "cpu 1 2 3 4 -5 6 7 8",
                                        "cpu 99999999999999999999 2 3 4 5 6 7 8",
                                        "cpu 9007199254740991 9007199254740991 1 1 1 1 1 1"};
    for (size_t i = 0; i < sizeof(stats) / sizeof(stats[0]); i++)
        assert_false(host_cpu_parse(&cpu, text(stats[i]), TICK));
    static const char *const memories[] = {"", "MemTotal: 1 kB\n", "MemTotal: x kB\nMemAvailable: 1 kB\n",
                                           "MemTotal: 1 kB\nMemAvailable: 2 kB\n",
                                           "MemTotal: 99999999999999999999 kB\nMemAvailable: 2 kB\n"};
    for (size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++)
        assert_false(host_memory_parse(&memory, text(memories[i])));
    assert_false(host_process_cpu_parse(&value, text("no name"), TICK));
    assert_false(host_process_cpu_parse(&value, text("1 (a) S 1 2 3"), TICK));
    assert_false(host_process_memory_parse(&value, text("RssAnon: 1 kB\n")));
    assert_false(host_group_parse(path, text("0::relative\n")));
    assert_false(host_group_parse(path, text("0::\n")));
    assert_false(host_group_cpu_max_parse(&value, text("100000 0\n")));
    assert_false(host_group_cpu_max_parse(&value, text("100000\n")));
    assert_false(host_group_cpu_max_parse(&value, text("")));
    assert_false(host_group_bytes_parse(&value, text("much")));
    assert_false(host_group_row_parse(&value, text("usage_usecs 1\n"), "usage_usec"));
}

/* Each text cut at each byte: never read past, and a number that is cut is at least a number. */
static void cut_anywhere(void **state)
{
    (void)state;
    static const char *const texts[] = {stat_text, meminfo_text, process_text, status_text};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t size = 0; size < strlen(texts[i]); size++) {
            uint8_t *copy = malloc(size ? size : 1);
            memcpy(copy, texts[i], size);
            struct bytes cut = {copy, size};
            struct host_cpu cpu;
            struct host_memory memory;
            int64_t value;
            host_cpu_parse(&cpu, cut, TICK);
            if (host_memory_parse(&memory, cut))
                assert_true(memory.available <= memory.total);
            host_process_cpu_parse(&value, cut, TICK);
            host_process_memory_parse(&value, cut);
            free(copy);
        }
    }
}

/* --- a tree that looks like a machine --- */

static char root[64];

static void put(const char *path, const char *content)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s%s", root, path);
    for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void machine_begin(void)
{
    strcpy(root, "/tmp/picket-host-XXXXXX");
    assert_non_null(mkdtemp(root));
    put("/proc/stat", stat_text);
    put("/proc/meminfo", meminfo_text);
    put("/proc/self/stat", process_text);
    put("/proc/self/status", status_text);
    put("/proc/self/cgroup", "0::/system.slice/picketd.service\n");
}

static void machine_end(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void groups_of_a_machine(void **state)
{
    (void)state;
    struct host_sample before, now;
    struct governor_reading reading;
    machine_begin();
    assert_true(host_sample_files(root, &before));
    assert_int_equal(before.group_count, 0);
    put("/sys/fs/cgroup/system.slice/picketd.service/cpu.max", "50000 100000\n");
    put("/sys/fs/cgroup/system.slice/picketd.service/cpu.stat", "usage_usec 1000000\n");
    put("/sys/fs/cgroup/system.slice/picketd.service/memory.max", "1073741824\n");
    put("/sys/fs/cgroup/system.slice/picketd.service/memory.current", "300000000\n");
    put("/sys/fs/cgroup/system.slice/picketd.service/memory.stat", "anon 1\ninactive_file 100000000\n");
    put("/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/system.slice/memory.max", "max\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    put("/sys/fs/cgroup/cpu.stat", "usage_usec 5000000\n");
    assert_true(host_sample_files(root, &before));
    assert_int_equal(before.group_count, 2);
    assert_int_equal(before.groups[0].cpu_limit, CLOCK_SECOND / 2);
    assert_int_equal(before.groups[0].memory_total, 1073741824);
    assert_int_equal(before.groups[0].memory_used, 200000000);
    assert_int_equal(before.groups[1].cpu_limit, 2 * CLOCK_SECOND);
    assert_int_equal(before.groups[1].memory_total, 0);
    put("/sys/fs/cgroup/system.slice/picketd.service/cpu.stat", "usage_usec 3000000\n");
    put("/proc/stat", "cpu  2157 100 343 98180 200 0 20 1000 500 0\n");
    put("/proc/self/stat", "1 (p) S 1 1 1 0 -1 1 1 0 3 0 350 50 7 3 20 0 9 0 99\n");
    assert_true(host_sample_files(root, &now));
    now.time = before.time + 10 * CLOCK_SECOND;
    host_reading(&reading, &before, &now, CLOCK_SECOND / 2, 1000, 2000, false);
    assert_int_equal(reading.span, 10 * CLOCK_SECOND);
    assert_int_equal(reading.cpu_ours, CLOCK_SECOND);
    assert_int_equal(reading.cpu_capture, CLOCK_SECOND / 2);
    assert_int_equal(reading.memory_ours, INT64_C(41000) * 1024 + 2000);
    assert_int_equal(reading.count, 3);
    assert_int_equal(reading.places[0].cpu_total, 50 * CLOCK_SECOND);
    assert_int_equal(reading.places[0].cpu_used, 10 * CLOCK_SECOND);
    assert_int_equal(reading.places[1].cpu_total, 5 * CLOCK_SECOND);
    assert_int_equal(reading.places[1].cpu_used, 2 * CLOCK_SECOND);
    host_reading(&reading, &before, &now, 0, 0, 2000, true);
    assert_int_equal(reading.memory_ours, INT64_C(41000) * 1024);
    assert_int_equal(reading.memory_rings, 2000);
    /* A limit that has just come has no figure for the period yet. */
    before.groups[0].cpu_limit = 0;
    host_reading(&reading, &before, &now, 0, 0, 0, false);
    assert_int_equal(reading.places[1].cpu_total, 0);
    /* One whose use cannot be read limits nothing. */
    put("/sys/fs/cgroup/cpu.stat", "nonsense\n");
    put("/sys/fs/cgroup/system.slice/picketd.service/memory.current", "nonsense\n");
    assert_true(host_sample_files(root, &now));
    assert_int_equal(now.group_count, 1);
    assert_int_equal(now.groups[0].memory_total, 0);
    put("/proc/self/cgroup", "0::/\n");
    assert_true(host_sample_files(root, &now));
    assert_int_equal(now.group_count, 0);
    put("/proc/meminfo", "");
    assert_false(host_sample_files(root, &now));
    machine_end();
}

static void this_machine(void **state)
{
    (void)state;
    struct host_sample before, now;
    const struct host_source *source = host_system();
    assert_true(source->sample(source->context, &before));
    assert_true(before.memory.total > 0 && before.memory.available <= before.memory.total);
    assert_true(before.process_memory > 0);
    volatile uint64_t work = 1;
    do {
        for (int i = 0; i < 1000000; i++)
            work = work * 3 + 1;
        assert_true(source->sample(source->context, &now));
    } while (now.process_cpu - before.process_cpu < 50 * CLOCK_MILLISECOND);
    assert_true(now.cpu.total > before.cpu.total && now.cpu.busy > before.cpu.busy);
    assert_true(now.time > before.time);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_machines_wrote), cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(cut_anywhere),        cmocka_unit_test(groups_of_a_machine),
        cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
