/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/unit.h"

static FILE *file;
static int output;
static struct clock_manual manual;
static char lines[1 << 20];

/* What was written since the last call. */
static const char *written(void)
{
    size_t size = fread(lines, 1, sizeof lines - 1, file);
    lines[size] = '\0';
    clearerr(file);
    return lines;
}

static int start(void **state)
{
    (void)state;
    file = tmpfile();
    setvbuf(file, NULL, _IONBF, 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
    output = open(path, O_WRONLY | O_APPEND); /* a position of its own */
    assert_true(output >= 0);
    clock_manual_init(&manual, 0);
    log_set_clock(&manual.clock);
    log_set_output(output);
    log_set_level(LOG_LEVEL_NOTICE);
    log_set_form(LOG_FORM_PLAIN);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    log_set_clock(NULL);
    log_set_output(STDERR_FILENO);
    close(output);
    fclose(file);
    return 0;
}

static void writes_lines_of_wanted_levels(void **state)
{
    (void)state;
    log_error("no %s", "disk");
    log_info("not wanted");
    assert_string_equal(written(), "1970-01-01T00:00:00.000000000Z error: no disk\n");
    log_set_level(LOG_LEVEL_DEBUG);
    log_warning("1");
    log_notice("2");
    log_info("3");
    log_debug("4");
    assert_string_equal(written(), "1970-01-01T00:00:00.000000000Z warning: 1\n"
                                   "1970-01-01T00:00:00.000000000Z notice: 2\n"
                                   "1970-01-01T00:00:00.000000000Z info: 3\n"
                                   "1970-01-01T00:00:00.000000000Z debug: 4\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("not wanted");
    assert_string_equal(written(), "");
}

static void escapes_what_others_put_in(void **state)
{
    (void)state;
    log_error("user %s", "x\nerror: forged \x1b[2J\xff");
    assert_string_equal(
        written(), "1970-01-01T00:00:00.000000000Z error: user x\\nerror: forged \\u001b[2J\xef\xbf\xbd\n");
    errno = ENOENT;
    log_error("%m");
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(written(), "No such file"));
}

static void writes_for_the_journal(void **state)
{
    (void)state;
    log_set_form(LOG_FORM_JOURNAL);
    log_warning("w");
    assert_string_equal(written(), "<4>w\n");

    struct stat status;
    char stream[64];
    fstat(fileno(file), &status);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_set_form(LOG_FORM_AUTO);
    log_error("e");
    assert_string_equal(written(), "<3>e\n");

    setenv("JOURNAL_STREAM", "1:1", 1); /* inherited, but redirected since */
    log_set_form(LOG_FORM_AUTO);
    log_error("e");
    assert_string_equal(written(), "1970-01-01T00:00:00.000000000Z error: e\n");
    unsetenv("JOURNAL_STREAM");
    log_set_form(LOG_FORM_AUTO);
    log_error("e");
    assert_string_equal(written(), "1970-01-01T00:00:00.000000000Z error: e\n");
}

static void writes_json_lines(void **state)
{
    (void)state;
    log_set_form(LOG_FORM_JSON);
    clock_manual_advance(&manual, 5);
    log_error("a \"%s\"\t", "b\\");
    json_t *json = json_loads(written(), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "time")), "1970-01-01T00:00:00.000000005Z");
    assert_string_equal(json_string_value(json_object_get(json, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(json, "message")), "a \"b\\\"\t");
    const char *site = json_string_value(json_object_get(json, "site"));
    assert_int_equal(strncmp(site, "test_log.c:", 11), 0);
    json_decref(json);
}

static void cuts_long_messages(void **state)
{
    (void)state;
    static char text[3 * LOG_MESSAGE_MAX];
    memset(text, 1, sizeof text - 1); /* six characters each */
    log_error("%s", text);
    assert_int_equal(strlen(written()),
                     strlen("1970-01-01T00:00:00.000000000Z error: \n") + 6 * (LOG_MESSAGE_MAX - 1));
}

static unsigned count_lines(const char *text)
{
    unsigned count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void complain(void)
{
    log_error("again");
}

static void holds_back_a_site_that_repeats_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++)
        complain();
    assert_int_equal(count_lines(written()), LOG_BURST);
    log_error("another site"); /* is not held back */
    assert_int_equal(count_lines(written()), 1);
    clock_manual_advance(&manual, LOG_PERIOD - 1);
    complain();
    assert_string_equal(written(), "");
    clock_manual_advance(&manual, 1);
    complain();
    assert_string_equal(written(), "1970-01-01T00:00:10.000000000Z error: 16 similar messages suppressed\n"
                                   "1970-01-01T00:00:10.000000000Z error: again\n");
    clock_manual_advance(&manual, LOG_PERIOD);
    complain();
    assert_string_equal(written(), "1970-01-01T00:00:20.000000000Z error: again\n");
}

static void *complain_often(void *context)
{
    (void)context;
    for (int i = 0; i < 1000; i++)
        log_error("from a thread");
    return NULL;
}

static void threads_share_the_bound(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, complain_often, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count_lines(written()), LOG_BURST);
}

static void nobody_listens(void **state)
{
    (void)state;
    log_set_output(-1);
    log_error("into the void");
    log_set_output(STDERR_FILENO);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_ERROR;
    assert_true(log_level_by_name("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_false(log_level_by_name("loud", &level));
    assert_string_equal(log_level_name(LOG_LEVEL_NOTICE), "notice");
    assert_string_equal(log_level_name((enum log_level)0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_lines_of_wanted_levels, start, stop),
        cmocka_unit_test_setup_teardown(escapes_what_others_put_in, start, stop),
        cmocka_unit_test_setup_teardown(writes_for_the_journal, start, stop),
        cmocka_unit_test_setup_teardown(writes_json_lines, start, stop),
        cmocka_unit_test_setup_teardown(cuts_long_messages, start, stop),
        cmocka_unit_test_setup_teardown(holds_back_a_site_that_repeats_itself, start, stop),
        cmocka_unit_test_setup_teardown(threads_share_the_bound, start, stop),
        cmocka_unit_test_setup_teardown(nobody_listens, start, stop),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
