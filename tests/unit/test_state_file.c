/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/state_file.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "cluster/crypto_sodium.h"
#include "tests/unit/crash_disk.h"
#include "tests/unit/golden.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

/* -- a directory of its own ------------------------------------------------------------------------- */

static int open_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    place_open(place);
    assert_true(crypto_sodium_start());
    *state = place;
    return 0;
}

static int close_place(void **state)
{
    place_close(*state);
    free(*state);
    return 0;
}

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void save(struct state_file *file, const char *text)
{
    struct fault fault;
    assert_true(state_file_save(file, text_bytes(text), &fault));
}

static struct state_file *reopen(struct state_file *file, const char *directory, enum state_verdict expected)
{
    struct fault fault;
    enum state_verdict verdict;
    state_file_close(&file);
    file = state_file_open(disk_system(), directory, &verdict, &fault);
    assert_non_null(file);
    assert_int_equal(verdict, expected);
    return file;
}

static void assert_payload(const struct state_file *file, const char *text)
{
    struct bytes payload = state_file_payload(file);
    assert_int_equal(payload.size, strlen(text));
    assert_bytes_equal(payload.data, text, payload.size);
}

/* -- slots ---------------------------------------------------------------------------------------- */

static void test_saved_is_loaded(void **state)
{
    struct place *place = *state;
    struct state_file *file = reopen(NULL, place->path, STATE_FRESH);
    assert_int_equal(state_file_payload(file).size, 0);
    file = reopen(file, place->path, STATE_FRESH);
    static const char *const texts[] = {"one", "a longer one, two", "3", "", "five five five"};
    for (size_t i = 0; i < 5; i++) {
        save(file, texts[i]);
        file = reopen(file, place->path, STATE_GOOD);
        assert_payload(file, texts[i]);
        assert_int_equal(state_file_version(file), i + 1);
    }
    save(file, "six");
    save(file, "seven");
    file = reopen(file, place->path, STATE_GOOD);
    assert_payload(file, "seven");
    static uint8_t big[STATE_PAYLOAD_MAX + 1];
    struct fault fault;
    assert_false(state_file_save(file, (struct bytes){big, sizeof big}, &fault));
    assert_true(state_file_save(file, (struct bytes){big, STATE_PAYLOAD_MAX}, &fault));
    file = reopen(file, place->path, STATE_GOOD);
    assert_int_equal(state_file_payload(file).size, STATE_PAYLOAD_MAX);
    save(file, "short again");
    save(file, "and again");
    file = reopen(file, place->path, STATE_GOOD);
    assert_payload(file, "and again");
    state_file_close(&file);
    state_file_close(&file);
}

static void test_golden_slot(void **state)
{
    (void)state;
    uint8_t slot[STATE_SLOT_MAX];
    char hex[512];
    struct text t = text_to(hex, sizeof hex);
    size_t size = state_slot_write(slot, 7, text_bytes("payload"));
    text_hex(&t, (struct bytes){slot, size});
    text_char(&t, '\n');
    text_end(&t);
    golden_file("state_slot", "hex", hex);
}

/* The newer slot torn at every byte, and with every bit flipped: the older one is taken. */
static void test_torn_and_flipped(void **state)
{
    struct place *place = *state;
    uint8_t good[256], bad[256];
    struct state_file *file = NULL;
    size_t size = state_slot_write(good, 8, text_bytes("newer"));
    uint8_t older[256];
    size_t older_size = state_slot_write(older, 7, text_bytes("older"));
    place_put(place, "state.0", older, older_size);
    for (size_t cut = 0; cut < size; cut++) {
        place_put(place, "state.1", good, cut);
        file = reopen(file, place->path, STATE_GOOD);
        assert_payload(file, "older");
        assert_int_equal(state_file_version(file), 7);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(bad, good, size);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        place_put(place, "state.1", bad, size);
        file = reopen(file, place->path, STATE_GOOD);
        assert_payload(file, "older");
    }
    good[size] = 0; /* longer than it says */
    place_put(place, "state.1", good, size + 1);
    file = reopen(file, place->path, STATE_GOOD);
    assert_payload(file, "older");
    save(file, "next");
    file = reopen(file, place->path, STATE_GOOD);
    assert_payload(file, "next");
    assert_int_equal(state_file_version(file), 8);
    state_file_close(&file);
}

static void test_what_is_lost(void **state)
{
    struct place *place = *state;
    uint8_t a[256], b[256];
    static uint8_t zeros[STATE_SLOT_MAX + 10];
    size_t a_size = state_slot_write(a, 7, text_bytes("one"));
    size_t b_size = state_slot_write(b, 7, text_bytes("two"));
    /* Equal versions: neither. */
    place_put(place, "state.0", a, a_size);
    place_put(place, "state.1", b, b_size);
    struct state_file *file = reopen(NULL, place->path, STATE_LOST);
    assert_int_equal(state_file_payload(file).size, 0);
    save(file, "after");
    file = reopen(file, place->path, STATE_GOOD);
    assert_payload(file, "after");
    assert_int_equal(state_file_version(file), 8);
    /* One slot lost: the other is all there is; it may be the older one, nobody can tell. */
    assert_int_equal(remove(place_file(place, "state.0")), 0);
    file = reopen(file, place->path, STATE_GOOD);
    assert_payload(file, "two");
    /* Both damaged. */
    place_put(place, "state.0", zeros, 100);
    place_put(place, "state.1", zeros, sizeof zeros);
    file = reopen(file, place->path, STATE_LOST);
    save(file, "new life");
    file = reopen(file, place->path, STATE_GOOD);
    assert_payload(file, "new life");
    /* A size that cannot be. */
    memset(a + 16, 0xff, 4);
    place_put(place, "state.0", a, a_size);
    place_put(place, "state.1", zeros, 0);
    file = reopen(file, place->path, STATE_LOST);
    /* The first save of all, cut: nothing was acknowledged, nothing is lost. */
    place_put(place, "state.0", b, b_size - 1);
    file = reopen(file, place->path, STATE_FRESH);
    state_file_close(&file);
    /* Old: both valid, the version decides. */
    state_slot_write(a, 3, text_bytes("old"));
    place_put(place, "state.0", b, b_size);
    place_put(place, "state.1", a, a_size);
    file = reopen(NULL, place->path, STATE_GOOD);
    assert_payload(file, "two");
    state_file_close(&file);
}

static void test_unusable_places(void **state)
{
    struct place *place = *state;
    enum state_verdict verdict;
    struct fault fault;
    assert_null(state_file_open(disk_system(), "/nonexistent/place", &verdict, &fault));
    assert_non_null(strstr(fault.text, "No such file"));
    char deep[PATH_SIZE + 10];
    memset(deep, 'x', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_null(state_file_open(disk_system(), deep, &verdict, &fault));
    assert_int_equal(mkfifo(place_file(place, "state.0"), 0600), 0);
    assert_null(state_file_open(disk_system(), place->path, &verdict, &fault));
    assert_non_null(strstr(fault.text, "not a regular file"));
}

/* A disk that is full: the save fails, what was there is still there, and saving goes on afterwards. */
static void full_disk(const char *directory)
{
    enum state_verdict verdict;
    struct fault fault;
    static uint8_t payload[3000];
    struct state_file *file = state_file_open(disk_system(), directory, &verdict, &fault);
    signal(SIGXFSZ, SIG_IGN);
    bool fine = file && state_file_save(file, text_bytes("before"), &fault);
    struct rlimit limit = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
    fine = fine && setrlimit(RLIMIT_FSIZE, &limit) == 0;
    fine = fine && !state_file_save(file, (struct bytes){payload, sizeof payload}, &fault);
    fine = fine && !state_file_save(file, (struct bytes){payload, sizeof payload}, &fault);
    state_file_close(&file);
    file = state_file_open(disk_system(), directory, &verdict, &fault);
    fine = fine && file && verdict == STATE_GOOD && state_file_payload(file).size == 6;
    fine = fine && state_file_save(file, text_bytes("fits"), &fault);
    struct peers_writer *writer = peers_writer_new();
    peers_writer_add(writer, (struct bytes){payload, sizeof payload});
    fine = fine && !peers_writer_save(&writer, disk_system(), directory, &fault);
    state_file_close(&file);
    _exit(fine ? 0 : 1);
}

static void test_full_disk(void **state)
{
    struct place *place = *state;
    pid_t child = fork();
    if (child == 0)
        full_disk(place->path);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct state_file *file = reopen(NULL, place->path, STATE_GOOD);
    assert_payload(file, "fits");
    state_file_close(&file);
    assert_int_not_equal(access(place_file(place, "peers.new"), F_OK), 0);
}

/* -- crashes -------------------------------------------------------------------------------------- */

static uint32_t payload_number(struct bytes payload)
{
    uint32_t number;
    assert_true(payload.size >= sizeof number);
    memcpy(&number, payload.data, sizeof number);
    for (size_t i = sizeof number; i < payload.size; i++)
        assert_int_equal(payload.data[i], (uint8_t)number);
    return number;
}

/* Sizes go up and down, so that slots are cut and grow. */
static struct bytes numbered(uint8_t *to, uint32_t number)
{
    size_t size = 4 + (number * 37) % 400;
    memset(to, (int)(uint8_t)number, size);
    memcpy(to, &number, sizeof number);
    return (struct bytes){to, size};
}

/* Saves until the disk crashes at its n-th call, reboots, and looks; again and again on the same disk.
 * Returns false when the n-th call did not come. */
static bool crash_once(struct crash_disk *d, unsigned at, uint32_t *acknowledged)
{
    uint8_t buffer[512];
    enum state_verdict verdict;
    struct fault fault;
    uint32_t attempted = *acknowledged;
    d->crash_at = at;
    d->calls = 0;
    struct state_file *file = state_file_open(&d->disk, "d", &verdict, &fault);
    for (int i = 0; file && i < 6 && !d->crashed; i++) {
        attempted = *acknowledged + 1;
        if (state_file_save(file, numbered(buffer, attempted), &fault))
            *acknowledged = attempted;
    }
    bool crashed = d->crashed;
    state_file_close(&file);
    crash_disk_reboot(d);

    file = state_file_open(&d->disk, "d", &verdict, &fault);
    assert_non_null(file);
    if (*acknowledged > 0)
        assert_int_equal(verdict, STATE_GOOD);
    if (verdict == STATE_GOOD) {
        uint32_t loaded = payload_number(state_file_payload(file));
        assert_true(loaded == *acknowledged || loaded == attempted);
        *acknowledged = loaded;
    }
    state_file_close(&file);
    return crashed;
}

static void test_crash_between_any_two_calls(void **state)
{
    (void)state;
    assert_true(crypto_sodium_start());
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct crash_disk *d = crash_disk_new(seed);
        uint32_t acknowledged = 0;
        unsigned at = 1;
        while (crash_once(d, at, &acknowledged))
            at++;
        assert_true(at > 20);
        assert_true(acknowledged > 20);
        crash_disk_free(d);
    }
}

/* Each call fails once: a save that failed left what was there, and the next one works. */
static void test_any_call_fails(void **state)
{
    (void)state;
    uint8_t buffer[512];
    for (unsigned at = 1; at < 40; at++) {
        struct crash_disk *d = crash_disk_new(at);
        enum state_verdict verdict;
        struct fault fault;
        uint32_t acknowledged = 0, number = 0;
        d->fail_at = at;
        struct state_file *file = state_file_open(&d->disk, "d", &verdict, &fault);
        if (!file) {
            file = state_file_open(&d->disk, "d", &verdict, &fault);
            assert_non_null(file);
        }
        while (number < 3 || d->calls <= at || acknowledged < number)
            if (state_file_save(file, numbered(buffer, ++number), &fault))
                acknowledged = number;
        state_file_close(&file);
        crash_disk_reboot(d);
        file = state_file_open(&d->disk, "d", &verdict, &fault);
        assert_int_equal(payload_number(state_file_payload(file)), acknowledged);
        state_file_close(&file);
        crash_disk_free(d);
    }
}

static void test_interrupted_calls_are_repeated(void **state)
{
    (void)state;
    uint8_t buffer[512];
    for (unsigned at = 1; at < 20; at++) {
        struct crash_disk *d = crash_disk_new(at);
        enum state_verdict verdict;
        struct fault fault;
        d->error = EINTR;
        struct state_file *file = state_file_open(&d->disk, "d", &verdict, &fault);
        unsigned before = d->calls;
        d->fail_at = before + 1; /* the write */
        assert_true(state_file_save(file, numbered(buffer, 1), &fault));
        state_file_close(&file);
        d->fail_at = d->calls + 6; /* a read */
        file = state_file_open(&d->disk, "d", &verdict, &fault);
        assert_non_null(file);
        state_file_close(&file);
        crash_disk_free(d);
    }
}

/* -- files that are replaced ---------------------------------------------------------------------- */

static bool replace_once(struct crash_disk *d, unsigned at, uint32_t *acknowledged)
{
    uint8_t buffer[512];
    struct fault fault;
    struct disk_content content;
    uint32_t attempted = *acknowledged;
    d->crash_at = at;
    d->calls = 0;
    for (int i = 0; i < 3 && !d->crashed; i++) {
        attempted = *acknowledged + 1;
        if (disk_replace_checked(&d->disk, "d", "x", "picketX1", numbered(buffer, attempted), &fault))
            *acknowledged = attempted;
    }
    bool crashed = d->crashed;
    crash_disk_reboot(d);
    enum disk_found found = disk_read_checked(&d->disk, "d/x", "picketX1", 1000, &content, &fault);
    assert_int_not_equal(found, DISK_FAILED);
    if (*acknowledged > 0)
        assert_int_equal(found, DISK_FOUND);
    if (found == DISK_FOUND) {
        uint32_t loaded = payload_number((struct bytes){content.data, content.size});
        assert_true(loaded == *acknowledged || loaded == attempted);
        *acknowledged = loaded;
        disk_content_free(&content);
    }
    return crashed;
}

static void test_replace_survives_crashes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct crash_disk *d = crash_disk_new(seed);
        uint32_t acknowledged = 0;
        unsigned at = 1;
        while (replace_once(d, at, &acknowledged))
            at++;
        assert_true(at > 12);
        crash_disk_free(d);
    }
}

static void test_replace_fails_cleanly(void **state)
{
    (void)state;
    uint8_t buffer[512];
    struct fault fault;
    struct disk_content content;
    for (unsigned at = 1; at < 12; at++) {
        struct crash_disk *d = crash_disk_new(at);
        assert_true(disk_replace_checked(&d->disk, "d", "x", "picketX1", numbered(buffer, 1), &fault));
        d->fail_at = d->calls + at;
        bool fine = disk_replace_checked(&d->disk, "d", "x", "picketX1", numbered(buffer, 2), &fault);
        d->fail_at = 0;
        assert_int_equal(disk_read_checked(&d->disk, "d/x", "picketX1", 1000, &content, &fault), DISK_FOUND);
        uint32_t loaded = payload_number((struct bytes){content.data, content.size});
        assert_true(loaded == 2 || !fine);
        disk_content_free(&content);
        d->fail_at = d->calls + at;
        if (disk_read_checked(&d->disk, "d/x", "picketX1", 1000, &content, &fault) == DISK_FOUND)
            disk_content_free(&content);
        crash_disk_free(d);
    }
}

/* -- rights --------------------------------------------------------------------------------------- */

static void test_private_files(void **state)
{
    struct place *place = *state;
    struct fault fault;
    struct disk_content content;
    const struct disk *disk = disk_system();
    assert_int_equal(disk_read(disk, place_file(place, "x"), 10, &content, &fault), DISK_ABSENT);
    assert_true(disk_replace(disk, place->path, "x", text_bytes("secret"), &fault));
    struct stat status;
    assert_int_equal(stat(place_file(place, "x"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(disk_read(disk, place_file(place, "x"), 6, &content, &fault), DISK_FOUND);
    assert_int_equal(content.size, 6);
    assert_bytes_equal(content.data, "secret", 6);
    disk_content_free(&content);
    assert_int_equal(disk_read(disk, place_file(place, "x"), 5, &content, &fault), DISK_FAILED);
    assert_non_null(strstr(fault.text, "too long"));
    static const mode_t wide[] = {0640, 0604, 0620, 0602, 0610, 0601};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        assert_int_equal(chmod(place_file(place, "x"), wide[i]), 0);
        assert_int_equal(disk_read(disk, place_file(place, "x"), 10, &content, &fault), DISK_FAILED);
        assert_non_null(strstr(fault.text, "chmod 600"));
    }
    char target[128];
    snprintf(target, sizeof target, "%s", place_file(place, "x"));
    assert_int_equal(chmod(target, 0600), 0);
    assert_int_equal(symlink(target, place_file(place, "link")), 0);
    assert_int_equal(disk_read(disk, place_file(place, "link"), 10, &content, &fault), DISK_FAILED);
    assert_int_equal(disk_read(disk, place->path, 10, &content, &fault), DISK_FAILED);
    assert_non_null(strstr(fault.text, "not a regular file"));
    if (geteuid() == 0) {
        assert_int_equal(chown(target, 1, 1), 0);
        assert_int_equal(disk_read(disk, target, 10, &content, &fault), DISK_FAILED);
        assert_non_null(strstr(fault.text, "belongs to user 1"));
    }
    assert_int_equal(disk_read_checked(disk, place_file(place, "none"), "picketX1", 9, &content, &fault),
                     DISK_ABSENT);
}

static void test_directories(void **state)
{
    struct place *place = *state;
    struct fault fault;
    char path[128];
    snprintf(path, sizeof path, "%s", place_file(place, "d"));
    assert_true(directory_prepare(path, &fault));
    assert_true(directory_prepare(path, &fault));
    assert_int_equal(chmod(path, 0770), 0);
    assert_false(directory_prepare(path, &fault));
    assert_non_null(strstr(fault.text, "others may write"));
    assert_int_equal(chmod(path, 0755), 0);
    assert_true(directory_prepare(path, &fault));
    int first = directory_lock(path, &fault);
    assert_true(first >= 0);
    assert_int_equal(directory_lock(path, &fault), -1);
    assert_non_null(strstr(fault.text, "in use"));
    close(first);
    first = directory_lock(path, &fault);
    assert_true(first >= 0);
    close(first);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1, 1), 0);
        assert_false(directory_prepare(path, &fault));
        assert_int_equal(chown(path, 0, 0), 0);
    }
    place_put(place, "x", "", 0);
    assert_false(directory_prepare(place_file(place, "x"), &fault));
    assert_false(directory_prepare("/nonexistent/place", &fault));
    assert_int_equal(directory_lock("/nonexistent/place", &fault), -1);
    first = file_lock(place_file(place, "x"), &fault);
    assert_true(first >= 0);
    assert_int_equal(file_lock(place_file(place, "x"), &fault), -1);
    assert_non_null(strstr(fault.text, "in use"));
    assert_true(disk_replace(disk_system(), place->path, "x", text_bytes("new"), &fault));
    int second = file_lock(place_file(place, "x"), &fault);
    assert_true(second >= 0);
    close(first);
    close(second);
    assert_int_equal(file_lock(place_file(place, "none"), &fault), -1);
    assert_false(fault_say(NULL, "nobody listens"));
}

/* -- peers ---------------------------------------------------------------------------------------- */

struct seen {
    unsigned count;
    size_t bytes;
};

static void see(void *context, struct bytes record)
{
    struct seen *seen = context;
    seen->count++;
    seen->bytes += record.size;
}

static void test_peers(void **state)
{
    struct place *place = *state;
    struct fault fault;
    struct seen seen = {0};
    static uint8_t record[400];
    assert_int_equal(peers_load(disk_system(), place->path, see, &seen, &fault), DISK_ABSENT);
    struct peers_writer *writer = peers_writer_new();
    for (unsigned i = 0; i < 1000; i++)
        peers_writer_add(writer, (struct bytes){record, sizeof record});
    assert_true(peers_writer_save(&writer, disk_system(), place->path, &fault));
    assert_null(writer);
    assert_int_equal(peers_load(disk_system(), place->path, see, &seen, &fault), DISK_FOUND);
    assert_int_equal(seen.count, 1000);
    assert_int_equal(seen.bytes, 1000 * sizeof record);
    /* None at all is a file as well. */
    writer = peers_writer_new();
    assert_true(peers_writer_save(&writer, disk_system(), place->path, &fault));
    seen = (struct seen){0};
    assert_int_equal(peers_load(disk_system(), place->path, see, &seen, &fault), DISK_FOUND);
    assert_int_equal(seen.count, 0);
    place_put(place, "peers", record, sizeof record);
    assert_int_equal(peers_load(disk_system(), place->path, see, &seen, &fault), DISK_FAILED);
    place_put(place, "peers", record, 3);
    assert_int_equal(peers_load(disk_system(), place->path, see, &seen, &fault), DISK_FAILED);
    writer = peers_writer_new();
    static uint8_t huge[32769];
    peers_writer_add(writer, (struct bytes){huge, sizeof huge});
    peers_writer_add(writer, (struct bytes){huge, 1});
    assert_false(peers_writer_save(&writer, disk_system(), place->path, &fault));
}

int main(void)
{
#define PLACED(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {
        PLACED(test_saved_is_loaded),
        PLACED(test_golden_slot),
        PLACED(test_torn_and_flipped),
        PLACED(test_what_is_lost),
        PLACED(test_unusable_places),
        PLACED(test_full_disk),
        cmocka_unit_test(test_crash_between_any_two_calls),
        cmocka_unit_test(test_any_call_fails),
        cmocka_unit_test(test_interrupted_calls_are_repeated),
        cmocka_unit_test(test_replace_survives_crashes),
        cmocka_unit_test(test_replace_fails_cleanly),
        PLACED(test_private_files),
        PLACED(test_directories),
        PLACED(test_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
