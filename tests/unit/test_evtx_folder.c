/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of event logs: files that appear, grow, wrap, begin anew and are damaged; restarts; the thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "events/evtx_file.h"
#include "events/evtx_folder.h"
#include "tests/unit/unit.h"

#define SAMPLE PICKET_TEST_DATA "/group-add-remove-4732-4733.evtx" /* five records in one chunk */

static char place[64], folder_path[96], state_path[96];
static struct clock_manual hand;
static uint8_t sample[EVTX_HEADER_BYTES + EVTX_CHUNK_BYTES];

/* -- what was handed on -- */

static uint64_t seen[4096];
static atomic_uint seen_count;

static void see(void *context, const struct event *event)
{
    (void)context;
    unsigned n = atomic_load(&seen_count);
    assert_true(n < sizeof seen / sizeof seen[0]);
    assert_true(event->id == 4732 || event->id == 4733);
    seen[n] = event->record;
    atomic_store(&seen_count, n + 1);
}

/* -- files -- */

static int set_up(void **state)
{
    (void)state;
    FILE *file = fopen(SAMPLE, "rb");
    if (!file || fread(sample, 1, sizeof(sample), file) != sizeof(sample))
        return -1;
    fclose(file);
    snprintf(place, sizeof(place), "/tmp/picket-evtx-XXXXXX");
    if (!mkdtemp(place))
        return -1;
    snprintf(folder_path, sizeof(folder_path), "%s/logs", place);
    snprintf(state_path, sizeof(state_path), "%s/state", place);
    clock_manual_init(&hand, CLOCK_SECOND);
    return mkdir(folder_path, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command);
}

static void set_le(uint8_t *at, uint64_t value, unsigned size)
{
    while (size--) {
        *at++ = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get_le(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;
    while (size--)
        value = value << 8 | at[size];
    return value;
}

/* The sample's chunk with other record numbers, and only the first `records` of it. What the events say of
 * their own numbers stays: it is that of the computer that logged them. */
static void make_chunk(uint8_t chunk[EVTX_CHUNK_BYTES], uint64_t first, unsigned records)
{
    memcpy(chunk, sample + EVTX_HEADER_BYTES, EVTX_CHUNK_BYTES);
    set_le(chunk + 24, first, 8);
    set_le(chunk + 32, first + records - 1, 8);
    size_t at = 512;
    for (unsigned i = 0; i < records; i++) {
        set_le(chunk + at + 8, first + i, 8);
        at += get_le(chunk + at + 4, 4);
    }
    set_le(chunk + 48, at, 4);
    memset(chunk + at, 0, EVTX_CHUNK_BYTES - at);
}

static void path_of(const char *name, char to[256])
{
    snprintf(to, 256, "%s/%s", folder_path, name);
}

static void put(const char *name, size_t offset, const void *bytes, size_t size)
{
    char path[256];
    path_of(name, path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
    /* Times of files are coarse: two writes within one must be told apart. */
    struct timespec times[2] = {{0}, {0}};
    static long tick = 1000;
    times[0].tv_sec = times[1].tv_sec = tick++;
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static void put_header(const char *name, unsigned chunks, bool is_dirty)
{
    uint8_t header[EVTX_HEADER_BYTES];
    memcpy(header, sample, sizeof(header));
    set_le(header + 42, chunks, 2);
    set_le(header + 120, is_dirty ? 5 : 4, 4);
    put(name, 0, header, sizeof(header));
}

static void put_chunk(const char *name, unsigned number, uint64_t first, unsigned records)
{
    static uint8_t chunk[EVTX_CHUNK_BYTES];
    make_chunk(chunk, first, records);
    put(name, EVTX_HEADER_BYTES + (size_t)number * EVTX_CHUNK_BYTES, chunk, sizeof(chunk));
}

static void take_away(const char *name)
{
    char path[256];
    path_of(name, path);
    assert_int_equal(unlink(path), 0);
}

static struct evtx_folder *open_folder(void)
{
    struct fault fault;
    struct evtx_folder_config config = {.path = folder_path,
                                        .state = state_path,
                                        .period = 10 * CLOCK_MILLISECOND,
                                        .clock = &hand.clock,
                                        .sink = see};
    struct evtx_folder *folder = evtx_folder_new(&config, &fault);
    if (!folder)
        fail_msg("%s", fault.text);
    return folder;
}

/* How many records one more look gives. */
static unsigned look(struct evtx_folder *folder)
{
    atomic_store(&seen_count, 0);
    evtx_folder_look(folder);
    return atomic_load(&seen_count);
}

/* -- the tests -- */

static void files_that_appear_and_grow(void **state)
{
    (void)state;
    struct evtx_folder *folder = open_folder();
    struct evtx_folder_status status;
    assert_int_equal(look(folder), 0);
    put("note.txt", 0, "x", 1);
    put("x.evtx", 0, "not a log", 9);
    put("a.evtx", 0, sample, sizeof(sample));
    assert_int_equal(look(folder), 5);
    assert_int_equal(look(folder), 0);
    put_header("B.EVTX", 1, true);
    put_chunk("B.EVTX", 0, 100, 2);
    assert_int_equal(look(folder), 2);
    put_chunk("B.EVTX", 0, 100, 5);
    assert_int_equal(look(folder), 3);
    put_chunk("B.EVTX", 1, 105, 3);
    assert_int_equal(look(folder), 3);
    assert_int_equal(look(folder), 0);
    evtx_folder_status(folder, &status);
    assert_int_equal(status.files, 2);
    assert_int_equal(status.others, 1);
    assert_false(status.missing || status.unsaved);
    assert_int_equal(status.counters.records, 13);
    evtx_folder_destroy(&folder);
    evtx_folder_destroy(&folder);
}

static void restarts_go_on(void **state)
{
    (void)state;
    struct evtx_folder *folder = open_folder();
    assert_int_equal(look(folder), 0);
    put_chunk("B.EVTX", 1, 105, 5);
    evtx_folder_destroy(&folder);
    folder = open_folder();
    assert_int_equal(look(folder), 2);
    evtx_folder_destroy(&folder);
}

/* A full log writes over its oldest chunk. */
static void logs_that_wrap(void **state)
{
    (void)state;
    struct evtx_folder *folder = open_folder();
    put_header("wrap.evtx", 3, false);
    put_chunk("wrap.evtx", 0, 1, 5);
    put_chunk("wrap.evtx", 1, 6, 5);
    put_chunk("wrap.evtx", 2, 11, 5);
    assert_int_equal(look(folder), 15);
    put_chunk("wrap.evtx", 0, 16, 4);
    assert_int_equal(look(folder), 4);
    put_chunk("wrap.evtx", 0, 16, 5);
    put_chunk("wrap.evtx", 1, 21, 5);
    put_chunk("wrap.evtx", 2, 26, 1);
    assert_int_equal(look(folder), 7);
    /* It went round faster than it was looked at. */
    put_chunk("wrap.evtx", 0, 41, 5);
    put_chunk("wrap.evtx", 1, 46, 5);
    put_chunk("wrap.evtx", 2, 36, 5);
    assert_int_equal(look(folder), 15);
    evtx_folder_destroy(&folder);
}

static void logs_that_begin_anew(void **state)
{
    (void)state;
    struct evtx_folder *folder = open_folder();
    put_header("new.evtx", 1, false);
    put_chunk("new.evtx", 0, 1000, 5);
    assert_int_equal(look(folder), 5);
    /* Cleared: its numbers are lower. */
    put_chunk("new.evtx", 0, 1, 3);
    assert_int_equal(look(folder), 3);
    /* Another log in its place, which happens to have that number too. */
    static uint8_t chunk[EVTX_CHUNK_BYTES];
    make_chunk(chunk, 1, 5);
    for (size_t at = 512, i = 0; i < 5; i++) {
        set_le(chunk + at + 16, UINT64_C(132000000000000000) + i, 8);
        at += get_le(chunk + at + 4, 4);
    }
    put("new.evtx", EVTX_HEADER_BYTES, chunk, sizeof(chunk));
    assert_int_equal(look(folder), 5);
    evtx_folder_destroy(&folder);
}

/* What is not there in whole comes later; what is damaged does not keep the rest. */
static void files_that_are_incomplete(void **state)
{
    (void)state;
    struct evtx_folder *folder = open_folder();
    static uint8_t chunk[EVTX_CHUNK_BYTES];
    put_header("part.evtx", 2, true);
    put_chunk("part.evtx", 0, 1, 5);
    make_chunk(chunk, 6, 5);
    put("part.evtx", EVTX_HEADER_BYTES + EVTX_CHUNK_BYTES, chunk, 3000);
    assert_int_equal(look(folder), 5);
    put("part.evtx", EVTX_HEADER_BYTES + EVTX_CHUNK_BYTES, chunk, sizeof(chunk));
    assert_int_equal(look(folder), 5);
    /* A chunk without a header that is one, with the newest records. */
    make_chunk(chunk, 11, 5);
    memset(chunk, 'x', 100);
    put("part.evtx", EVTX_HEADER_BYTES + 2 * EVTX_CHUNK_BYTES, chunk, sizeof(chunk));
    assert_int_equal(look(folder), 5);
    /* A record that is being written: it comes when it is whole. */
    make_chunk(chunk, 16, 2);
    uint8_t whole = chunk[512 + 24];
    size_t second = 512 + get_le(chunk + 516, 4);
    chunk[second + 24] = 0xff;
    put("part.evtx", EVTX_HEADER_BYTES + 3 * EVTX_CHUNK_BYTES, chunk, sizeof(chunk));
    assert_int_equal(look(folder), 1);
    chunk[second + 24] = whole;
    put("part.evtx", EVTX_HEADER_BYTES + 3 * EVTX_CHUNK_BYTES, chunk, sizeof(chunk));
    assert_int_equal(look(folder), 1);
    evtx_folder_destroy(&folder);
}

static void links_and_pipes_are_left_alone(void **state)
{
    (void)state;
    struct evtx_folder *folder = open_folder();
    struct evtx_folder_status status;
    char path[256];
    path_of("link.evtx", path);
    assert_int_equal(symlink(SAMPLE, path), 0);
    path_of("pipe.evtx", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    path_of("folder.evtx", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(look(folder), 0);
    evtx_folder_status(folder, &status);
    assert_int_equal(status.others, 4); /* with x.evtx */
    rmdir(path);
    take_away("link.evtx");
    take_away("pipe.evtx");
    evtx_folder_destroy(&folder);
}

static void a_missing_folder_comes_back(void **state)
{
    (void)state;
    struct evtx_folder *folder = open_folder();
    struct evtx_folder_status status;
    char aside[128];
    snprintf(aside, sizeof(aside), "%s/aside", place);
    assert_int_equal(rename(folder_path, aside), 0);
    assert_int_equal(look(folder), 0);
    evtx_folder_status(folder, &status);
    assert_true(status.missing);
    assert_int_equal(status.files, 0);
    assert_int_equal(rename(aside, folder_path), 0);
    assert_int_equal(look(folder), 0); /* nothing comes twice */
    evtx_folder_status(folder, &status);
    assert_false(status.missing);
    evtx_folder_destroy(&folder);
}

static void a_state_that_is_none_is_refused(void **state)
{
    (void)state;
    char other[128];
    snprintf(other, sizeof(other), "%s/other", place);
    struct evtx_folder_config config = {
        .path = folder_path, .state = other, .clock = &hand.clock, .sink = see};
    static const char *const states[] = {
        "",
        "x",
        "\x81\xa1x\x01",
        "\x83\xa6picket\xa4"
        "evtx\xa7version\x02\xa5"
        "files\x90",
        "\x83\xa6picket\xa4"
        "evtx\xa7version\x01\xa5"
        "files\x80",
        "\x83\xa6picket\xa4"
        "evtx\xa7version\x01\xa5"
        "files\x91\x93\xa1"
        "a\x01",
        "\x83\xa6picket\xa4"
        "evtx\xa7version\x01\xa5"
        "files\x91\x93\xa1"
        "a\xa1"
        "b\x01",
    };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct fault fault;
        FILE *file = fopen(other, "wb");
        assert_non_null(file);
        fputs(states[i], file);
        fclose(file);
        assert_null(evtx_folder_new(&config, &fault));
        assert_non_null(strstr(fault.text, other));
    }
    unlink(other);
    /* One that cannot be written is told, and tried again. */
    struct evtx_folder_status status;
    assert_int_equal(mkdir(other, 0700), 0);
    snprintf(other, sizeof(other), "%s/other/gone", place);
    struct evtx_folder *folder = evtx_folder_new(&config, NULL);
    assert_non_null(folder);
    snprintf(other, sizeof(other), "%s/other", place);
    assert_int_equal(rmdir(other), 0);
    snprintf(other, sizeof(other), "%s/other/gone", place);
    assert_true(look(folder) > 0);
    evtx_folder_status(folder, &status);
    assert_true(status.unsaved);
    evtx_folder_destroy(&folder);
}

static void the_thread_looks_again_and_ends(void **state)
{
    (void)state;
    struct fault fault;
    struct evtx_folder_config config = {.path = folder_path,
                                        .state = state_path,
                                        .period = 10 * CLOCK_MILLISECOND,
                                        .clock = clock_system(),
                                        .sink = see};
    atomic_store(&seen_count, 0);
    struct evtx_folder *folder = evtx_folder_start(&config, &fault);
    assert_non_null(folder);
    put("late.evtx", 0, sample, sizeof(sample));
    for (unsigned i = 0; i < 3000 && atomic_load(&seen_count) < 5; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_int_equal(atomic_load(&seen_count), 5);
    evtx_folder_stop(&folder);
    assert_null(folder);
    evtx_folder_stop(&folder);
    /* What it handed on is known after it. */
    folder = open_folder();
    assert_int_equal(look(folder), 0);
    evtx_folder_destroy(&folder);
}

/* -- a file as a whole -- */

static void progress(void *context, uint64_t done)
{
    (void)context;
    assert_true(done >= EVTX_HEADER_BYTES);
}

static void whole_files(void **state)
{
    (void)state;
    struct evtx_file_config config = {.sink = see, .progress = progress};
    struct evtx_counters counters = {0};
    struct fault fault;
    char path[256];
    atomic_store(&seen_count, 0);
    int fd = open(SAMPLE, O_RDONLY);
    assert_true(evtx_file_read(fd, &config, &counters, &fault));
    close(fd);
    assert_int_equal(counters.records, 5);
    assert_int_equal(counters.bad_checksums, 0);
    /* What stands behind the chunks in use of a log that was closed was cleared. */
    put_header("cleared.evtx", 1, false);
    put_chunk("cleared.evtx", 0, 1, 2);
    put_chunk("cleared.evtx", 1, 3, 5);
    path_of("cleared.evtx", path);
    fd = open(path, O_RDONLY);
    counters = (struct evtx_counters){0};
    assert_true(evtx_file_read(fd, &config, &counters, &fault));
    assert_int_equal(counters.records, 2);
    put_header("cleared.evtx", 1, true);
    counters = (struct evtx_counters){0};
    assert_true(evtx_file_read(fd, &config, &counters, &fault));
    assert_int_equal(counters.records, 7);
    close(fd);
    fd = open(PICKET_TEST_DATA "/labels.tsv", O_RDONLY);
    assert_false(evtx_file_read(fd, &config, &counters, &fault));
    assert_non_null(strstr(fault.text, "event log"));
    close(fd);
    assert_false(evtx_file_read(-1, &config, &counters, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_appear_and_grow),
        cmocka_unit_test(restarts_go_on),
        cmocka_unit_test(logs_that_wrap),
        cmocka_unit_test(logs_that_begin_anew),
        cmocka_unit_test(files_that_are_incomplete),
        cmocka_unit_test(links_and_pipes_are_left_alone),
        cmocka_unit_test(a_missing_folder_comes_back),
        cmocka_unit_test(a_state_that_is_none_is_refused),
        cmocka_unit_test(the_thread_looks_again_and_ends),
        cmocka_unit_test(whole_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
