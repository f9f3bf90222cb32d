/* SPDX-License-Identifier: Apache-2.0
 *
 * Following logs, with real files: whatever is done to them, each line comes once.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "events/log_tail.h"

#define PATIENCE (60 * CLOCK_SECOND) /* for what must happen */
#define SEEN_MAX 20000

static struct {
    char directory[64], log[96], positions[96];
    struct log_tail *tail;
    unsigned written;
    /* behind the lock */
    pthread_mutex_t lock;
    enum log_line_verdict verdict;
    unsigned busy; /* times that a line is refused first */
    unsigned total;
    uint8_t seen[SEEN_MAX]; /* how often line N came */
    unsigned others;
    size_t longest;
    uint64_t tags[64];
    char last[128];
} self = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum log_line_verdict take(void *context, struct bytes line, uint64_t tag)
{
    (void)context;
    pthread_mutex_lock(&self.lock);
    enum log_line_verdict verdict = self.verdict;
    if (self.busy) {
        self.busy--;
        verdict = LOG_LINE_BUSY;
    }
    if (verdict != LOG_LINE_BUSY) {
        unsigned number = SEEN_MAX;
        if (line.size < sizeof self.last) {
            memcpy(self.last, line.data, line.size);
            self.last[line.size] = '\0';
            if (sscanf(self.last, "line %u of", &number) != 1)
                number = SEEN_MAX;
        }
        self.tags[self.total++ % 64] = tag;
        if (number < SEEN_MAX)
            self.seen[number]++;
        else
            self.others++;
        if (line.size > self.longest)
            self.longest = line.size;
    }
    pthread_mutex_unlock(&self.lock);
    return verdict;
}

static unsigned total(void)
{
    pthread_mutex_lock(&self.lock);
    unsigned n = self.total;
    pthread_mutex_unlock(&self.lock);
    return n;
}

static void answer(enum log_line_verdict verdict, unsigned busy)
{
    pthread_mutex_lock(&self.lock);
    self.verdict = verdict;
    self.busy = busy;
    pthread_mutex_unlock(&self.lock);
}

static bool wait_total(unsigned wanted)
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (total() < wanted && clock_monotonic(clock_system()) < until)
        poll(NULL, 0, 5);
    return total() == wanted;
}

/* Nothing more comes. */
static bool stays(unsigned wanted)
{
    poll(NULL, 0, 150);
    return total() == wanted;
}

static void start_as(bool from_beginning, int64_t patience)
{
    struct fault fault;
    const char *paths[] = {self.log};
    const struct log_tail_config config = {.paths = paths,
                                           .path_count = 1,
                                           .positions = self.positions,
                                           .from_beginning = from_beginning,
                                           .line = take,
                                           .period = 10 * CLOCK_MILLISECOND,
                                           .patience = patience,
                                           .quiet = 3 * CLOCK_SECOND};
    self.tail = log_tail_start(&config, &fault);
    assert_non_null(self.tail);
}

static void start(void)
{
    start_as(false, 0);
}

static void stop(void)
{
    log_tail_stop(&self.tail);
    log_tail_stop(&self.tail);
}

static void write_to(const char *path, unsigned lines)
{
    FILE *f = fopen(path, "ae");
    assert_non_null(f);
    for (unsigned i = 0; i < lines; i++)
        fprintf(f, "line %u of the log, which says something of some length\n", self.written++);
    assert_int_equal(fclose(f), 0);
}

static void write_lines(unsigned lines)
{
    write_to(self.log, lines);
}

static void put(const char *text)
{
    int f = open(self.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(f, text, strlen(text)), strlen(text));
    close(f);
}

static void each_came_once(unsigned from)
{
    for (unsigned i = 0; i < self.written; i++)
        if (self.seen[i] != (i >= from))
            fail_msg("line %u of %u came %u times", i, self.written, self.seen[i]);
}

static const char *beside(const char *end)
{
    static char path[4][128];
    static unsigned turn;
    char *to = path[turn++ % 4];
    snprintf(to, sizeof path[0], "%s%s", self.log, end);
    return to;
}

/* As logrotate's copytruncate. */
static void copy_and_truncate(const char *to)
{
    static char bytes[1 << 20];
    int from = open(self.log, O_RDONLY | O_CLOEXEC),
        copy = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = read(from, bytes, sizeof bytes);
    assert_int_equal(write(copy, bytes, (size_t)n), n);
    close(copy);
    close(from);
    assert_int_equal(truncate(self.log, 0), 0);
}

static int begin(void **state)
{
    (void)state;
    log_set_output(-1);
    self.written = self.total = self.others = 0;
    self.longest = 0;
    memset(self.seen, 0, sizeof self.seen);
    answer(LOG_LINE_DONE, 0);
    snprintf(self.directory, sizeof self.directory, "/tmp/picket-tail-XXXXXX");
    if (!mkdtemp(self.directory))
        return -1;
    snprintf(self.log, sizeof self.log, "%s/auth.json", self.directory);
    snprintf(self.positions, sizeof self.positions, "%s/positions", self.directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stop();
    DIR *directory = opendir(self.directory);
    for (struct dirent *e; directory && (e = readdir(directory));)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(directory), e->d_name, 0);
    if (directory)
        closedir(directory);
    return rmdir(self.directory);
}

/* What was there before is old, once; what comes is new; a restart goes on. */
static void test_lines_and_restarts(void **state)
{
    (void)state;
    struct log_tail_status status;
    write_lines(10);
    start();
    write_lines(5);
    assert_true(wait_total(5));
    stop();
    write_lines(5);
    start();
    assert_true(wait_total(10));
    write_lines(5);
    assert_true(wait_total(15));
    assert_true(log_tail_status(self.tail, 0, &status));
    assert_true(status.reading);
    assert_string_equal(status.path, self.log);
    assert_string_equal(status.fault, "");
    assert_false(log_tail_status(self.tail, 1, &status));
    stop();
    start();
    assert_true(stays(15));
    each_came_once(10);
}

static void test_from_the_beginning(void **state)
{
    (void)state;
    write_lines(10);
    start_as(true, 0);
    assert_true(wait_total(10));
    stop();
    start_as(true, 0);
    assert_true(stays(10));
    each_came_once(0);
}

static void test_a_log_that_is_not_there_yet(void **state)
{
    (void)state;
    struct log_tail_status status;
    start();
    assert_true(log_tail_status(self.tail, 0, &status));
    assert_false(status.reading);
    assert_non_null(strstr(status.fault, "No such file"));
    write_lines(3);
    assert_true(wait_total(3));
    each_came_once(0);
    stop();
    assert_int_equal(unlink(self.log), 0);
    assert_int_equal(mkfifo(self.log, 0600), 0); /* does not block */
    start();
    assert_true(log_tail_status(self.tail, 0, &status));
    assert_false(status.reading);
}

static void test_partial_lines(void **state)
{
    (void)state;
    start();
    put("line 0 of");
    assert_true(stays(0));
    put(" it\r\n\nline 1 of it\nline 2");
    assert_true(wait_total(2));
    stop();
    start();
    assert_true(stays(2));
    put(" of it\n");
    assert_true(wait_total(3));
    assert_string_equal(self.last, "line 2 of it");
    self.written = 3;
    each_came_once(0);
    /* Rotated in the middle of a line: it will not be ended. */
    put("line 3 of");
    assert_true(stays(3));
    assert_int_equal(rename(self.log, beside(".1")), 0);
    put("line 4 of it\n");
    assert_true(wait_total(5));
    self.written = 5;
    each_came_once(0);
}

static void test_long_line(void **state)
{
    (void)state;
    start();
    char *big = malloc(3 * LOG_LINE_MAX);
    memset(big, 'x', 3 * LOG_LINE_MAX - 1);
    big[3 * LOG_LINE_MAX - 1] = '\0';
    put("line 0 of it\n");
    put(big);
    put("\nline 1 of it\n");
    free(big);
    assert_true(wait_total(3));
    self.written = 2;
    each_came_once(0);
    assert_int_equal(self.others, 1);
    assert_int_equal(self.longest, LOG_LINE_MAX + 1);
}

static void test_renamed(void **state)
{
    (void)state;
    struct log_tail_status status;
    start();
    write_lines(1); /* it has to be there at one look */
    assert_true(wait_total(1));
    for (unsigned i = 0; i < 3; i++) {
        char end_of[8];
        write_lines(100);
        snprintf(end_of, sizeof end_of, ".%u", i);
        assert_int_equal(rename(self.log, beside(end_of)), 0);
        write_to(beside(end_of), 10); /* who writes has it open still */
        write_lines(10);
        poll(NULL, 0, 30);
        write_to(beside(end_of), 10);
        assert_true(wait_total(self.written));
    }
    each_came_once(0);
    assert_true(log_tail_status(self.tail, 0, &status));
    assert_int_equal(status.lost, 0);
    assert_int_equal(status.rotations, 3);
}

static void test_renamed_while_away(void **state)
{
    (void)state;
    start();
    write_lines(50);
    assert_true(wait_total(50));
    stop();
    write_lines(20);
    assert_int_equal(rename(self.log, beside(".2")), 0);
    poll(NULL, 0, 20); /* times of files are told apart */
    write_lines(20);
    assert_int_equal(rename(self.log, beside(".1")), 0);
    write_lines(20);
    start();
    assert_true(wait_total(110));
    assert_true(stays(110));
    each_came_once(0);
    stop();
    start();
    assert_true(stays(110));
}

static void test_copied_and_truncated(void **state)
{
    (void)state;
    start();
    write_lines(1); /* it has to be there at one look */
    assert_true(wait_total(1));
    for (unsigned i = 0; i < 3; i++) {
        char end_of[8];
        write_lines(100);
        snprintf(end_of, sizeof end_of, ".%u", i);
        copy_and_truncate(beside(end_of)); /* what was not read yet is in the copy only */
        write_lines(i == 1 ? 300 : 10);    /* beyond where it was before */
        assert_true(wait_total(self.written));
    }
    assert_true(stays(self.written));
    each_came_once(0);
}

static void test_copied_and_truncated_while_away(void **state)
{
    (void)state;
    start();
    write_lines(50);
    assert_true(wait_total(50));
    stop();
    write_lines(20);
    copy_and_truncate(beside(".1"));
    write_lines(200);
    start();
    assert_true(wait_total(270));
    assert_true(stays(270));
    each_came_once(0);
}

static void test_truncated(void **state)
{
    (void)state;
    struct log_tail_status status;
    start();
    write_lines(50);
    assert_true(wait_total(50));
    assert_int_equal(truncate(self.log, 0), 0);
    write_lines(5);
    assert_true(wait_total(55));
    stop();
    assert_int_equal(truncate(self.log, 0), 0);
    write_lines(2);
    start();
    assert_true(wait_total(57));
    each_came_once(0);
    assert_true(log_tail_status(self.tail, 0, &status));
    assert_int_equal(status.lost, 1); /* who knows what it held */
}

/* A place moves on with what is kept only. */
static void test_kept(void **state)
{
    (void)state;
    start();
    answer(LOG_LINE_WAITS, 0);
    write_lines(5);
    assert_true(wait_total(5));
    /* The first and the third are kept, in another order. */
    log_tail_kept(self.tail, self.tags[2]);
    log_tail_kept(self.tail, self.tags[0]);
    log_tail_kept(self.tail, 4711);
    poll(NULL, 0, 50);
    stop();
    start();
    assert_true(wait_total(9)); /* from the second on */
    assert_int_equal(self.seen[0], 1);
    for (unsigned i = 1; i < 5; i++)
        assert_int_equal(self.seen[i], 2);
    for (unsigned i = 5; i < 9; i++)
        log_tail_kept(self.tail, self.tags[i]);
    poll(NULL, 0, 50);
    stop();
    start();
    assert_true(stays(9));
}

/* What is not kept in time is given again, with its tag. */
static void test_given_again(void **state)
{
    (void)state;
    start_as(false, 200 * CLOCK_MILLISECOND);
    answer(LOG_LINE_WAITS, 0);
    write_lines(2);
    assert_true(wait_total(2));
    log_tail_kept(self.tail, self.tags[1]);
    assert_true(wait_total(3) || total() > 3);
    assert_int_equal(self.tags[2], self.tags[0]);
    answer(LOG_LINE_DONE, 0);
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    unsigned before;
    do {
        before = total();
        poll(NULL, 0, 500);
    } while (total() != before && clock_monotonic(clock_system()) < until);
    assert_int_equal(self.seen[1], 1);
}

static void test_busy(void **state)
{
    (void)state;
    start();
    answer(LOG_LINE_DONE, 5);
    write_lines(3);
    assert_true(wait_total(3));
    each_came_once(0);
}

/* More may not wait: it is read when there is room. */
static void test_many_wait(void **state)
{
    (void)state;
    struct log_tail_status status;
    start();
    answer(LOG_LINE_WAITS, 0);
    write_lines(LOG_WAITING + 500);
    assert_true(wait_total(LOG_WAITING));
    assert_true(stays(LOG_WAITING));
    assert_true(log_tail_status(self.tail, 0, &status));
    assert_true(status.behind > 0);
    answer(LOG_LINE_DONE, 0);
    for (uint64_t tag = 1; tag <= LOG_WAITING; tag++)
        log_tail_kept(self.tail, tag);
    assert_true(wait_total(LOG_WAITING + 500));
    each_came_once(0);
}

static void test_damaged_positions(void **state)
{
    (void)state;
    static const char damaged[] = "picket-log-positions 1 0\n\n1 2\nx\n1 2 3 99999 0 0 /nowhere\n"
                                  "1 2 3 4 0 0 /nowhere\n";
    static const char *const texts[] = {"", "something else\n", damaged};
    write_lines(3);
    for (unsigned i = 0; i < 3; i++) {
        int f = open(self.positions, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(f, texts[i], strlen(texts[i])), strlen(texts[i]));
        close(f);
        start();
        assert_true(stays(0));
        stop();
    }
    assert_int_equal(unlink(self.positions), 0);
    struct log_tail_status status;
    assert_int_equal(mkdir(self.positions, 0700), 0); /* they cannot be written */
    start();
    write_lines(1);
    assert_true(wait_total(1));
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    do {
        poll(NULL, 0, 10);
        assert_true(log_tail_status(self.tail, 0, &status));
    } while (!strstr(status.fault, "cannot be written") && clock_monotonic(clock_system()) < until);
    assert_non_null(strstr(status.fault, "cannot be written"));
    stop();
    assert_int_equal(rmdir(self.positions), 0);
}

static void test_wrong_use(void **state)
{
    (void)state;
    struct fault fault;
    const char *paths[] = {"auth.json"};
    struct log_tail_config config = {
        .paths = paths, .path_count = 1, .positions = self.positions, .line = take};
    assert_null(log_tail_start(&config, &fault));
    assert_non_null(strstr(fault.text, "no absolute path"));
    config.positions = "positions";
    assert_null(log_tail_start(&config, &fault));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_lines_and_restarts),
        TEST(test_from_the_beginning),
        TEST(test_a_log_that_is_not_there_yet),
        TEST(test_partial_lines),
        TEST(test_long_line),
        TEST(test_renamed),
        TEST(test_renamed_while_away),
        TEST(test_copied_and_truncated),
        TEST(test_copied_and_truncated_while_away),
        TEST(test_truncated),
        TEST(test_kept),
        TEST(test_given_again),
        TEST(test_busy),
        TEST(test_many_wait),
        TEST(test_damaged_positions),
        TEST(test_wrong_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
