/* SPDX-License-Identifier: Apache-2.0
 *
 * The notifier with outputs of the test's own: order, repetition, giving up, what is told together, what
 * outlives it; URLs and settings that are refused; and the API's own certificate.
 */
#include "center/api_certificate.h"
#include "center/center_config.h"
#include "center/notify.h"

#include "place.h"

#include <pthread.h>
#include <time.h>

#define PATIENCE (60 * CLOCK_SECOND)

struct told {
    char trigger[24];
    uint64_t count;
    int64_t number;
    unsigned issue;
};

static struct {
    struct place place;
    struct store *store;
    struct notifier *notifier;
    struct alerts alerts;
    pthread_mutex_t lock;
    enum notify_result answer;
    unsigned told_count, tried;
    struct told told[64];
    unsigned troubles, over;
    bool destroyed;
} self = {.lock = PTHREAD_MUTEX_INITIALIZER};

static enum notify_result on_send(void *context, const struct notice *notice, struct fault *fault)
{
    (void)context;
    pthread_mutex_lock(&self.lock);
    enum notify_result answer = self.answer;
    self.tried++;
    if (answer == NOTIFY_SENT && self.told_count < 64) {
        struct told *told = &self.told[self.told_count++];
        snprintf(told->trigger, sizeof(told->trigger), "%s", notice->trigger);
        told->number = notice->number;
        told->count = notice->alert ? notice->alert->alert.count : 0;
        told->issue = notice->issue ? notice->issue->kind->number : 0;
    }
    pthread_mutex_unlock(&self.lock);
    fault_say(fault, "nobody is there");
    return answer;
}

static void on_destroy(void *context)
{
    (void)context;
    self.destroyed = true;
}

static void on_trouble(void *context, unsigned number, const char *object, const char *detail)
{
    (void)context;
    assert_int_equal(number, 1111);
    assert_string_equal(object, "test");
    pthread_mutex_lock(&self.lock);
    self.troubles += detail != NULL;
    self.over += detail == NULL;
    pthread_mutex_unlock(&self.lock);
}

static void start(int64_t update_every, enum severity least)
{
    struct fault fault = {{0}};
    const struct notifier_config config = {.store = place_file(&self.place, "store"),
                                           .trouble = on_trouble,
                                           .first_retry = CLOCK_MILLISECOND,
                                           .last_retry = 10 * CLOCK_MILLISECOND,
                                           .update_every = update_every};
    self.notifier = notifier_new(&config, &fault);
    assert_non_null(self.notifier);
    struct notify_output output = {.issue = 1111, .send = on_send, .destroy = on_destroy};
    self.destroyed = false;
    assert_true(notifier_add(self.notifier, "test", output, least, &fault));
    if (!notifier_start(self.notifier, &fault))
        fail_msg("%s", fault.text);
    self.alerts.listeners[0] = notifier_listener(self.notifier);
}

static int begin(void **state)
{
    (void)state;
    struct fault fault;
    place_open(&self.place);
    self.store = store_open(place_file(&self.place, "store"), STORE_PIPELINE, &fault);
    assert_non_null(self.store);
    self.alerts = (struct alerts){.store = self.store, .clock = clock_system(), .listener_count = 1};
    self.answer = NOTIFY_SENT;
    self.told_count = self.tried = self.troubles = self.over = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    notifier_destroy(&self.notifier);
    store_close(&self.store);
    place_close(&self.place);
    return 0;
}

static void set_answer(enum notify_result answer)
{
    pthread_mutex_lock(&self.lock);
    self.answer = answer;
    pthread_mutex_unlock(&self.lock);
}

static bool reached(const unsigned *value, unsigned least)
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    for (bool there = false;;) {
        pthread_mutex_lock(&self.lock);
        there = *value >= least;
        pthread_mutex_unlock(&self.lock);
        if (there || clock_monotonic(clock_system()) > until)
            return there;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void raise(uint64_t position, uint64_t key, enum severity severity)
{
    struct fault fault;
    static struct alert alert;
    alert = (struct alert){.external_id = 2006,
                           .severity = severity,
                           .key = {key, 1},
                           .start = (int64_t)position,
                           .end = (int64_t)position,
                           .count = 1,
                           .last = {position, 0}};
    memcpy(alert.id, &position, 8);
    strcpy(alert.name, "TestSecurityAlert");
    if (!alerts_raise(&self.alerts, 1, &alert, NULL, &fault))
        fail_msg("%s", fault.text);
}

static void backoff(void **state)
{
    (void)state;
    for (uint64_t random = 0; random < 1000; random++) {
        assert_in_range(notify_backoff(1, 100, 1000, random), 50, 100);
        assert_in_range(notify_backoff(3, 100, 1000, random), 200, 400);
        assert_in_range(notify_backoff(99, 100, 1000, random), 500, 1000);
        assert_in_range(notify_backoff(4000000000u, 1, INT64_MAX, random), INT64_MAX / 2, INT64_MAX);
    }
    assert_in_range(notify_backoff(1, 100, 10, 5), 5, 10);
}

static void in_order_and_once(void **state)
{
    (void)state;
    struct notify_status status;
    start(CLOCK_HOUR, SEVERITY_LOW);
    for (unsigned i = 1; i <= 20; i++)
        raise(i, i, i == 7 ? SEVERITY_INFORMATIONAL : SEVERITY_HIGH);
    assert_true(reached(&self.told_count, 19));
    for (unsigned i = 1; i < 19; i++)
        assert_true(self.told[i - 1].number < self.told[i].number);
    assert_true(notifier_status(self.notifier, 0, &status));
    assert_int_equal(status.sent, 19);
    assert_true(status.working);
    assert_false(notifier_status(self.notifier, 1, &status));
    notifier_destroy(&self.notifier);
    assert_true(self.destroyed);
    assert_int_equal(self.tried, 19);
}

static void repeats_are_told_together(void **state)
{
    (void)state;
    start(300 * CLOCK_MILLISECOND, SEVERITY_LOW);
    for (unsigned i = 1; i <= 50; i++)
        raise(i, 1, SEVERITY_HIGH);
    assert_true(reached(&self.told_count, 2));
    pthread_mutex_lock(&self.lock);
    struct told last = self.told[self.told_count - 1];
    unsigned count = self.told_count;
    pthread_mutex_unlock(&self.lock);
    assert_string_equal(self.told[0].trigger, "new");
    assert_string_equal(last.trigger, "updated");
    assert_true(count < 25);
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (last.count < 50 && clock_monotonic(clock_system()) < until) {
        assert_true(reached(&self.told_count, count));
        pthread_mutex_lock(&self.lock);
        last = self.told[self.told_count - 1];
        pthread_mutex_unlock(&self.lock);
    }
    assert_int_equal(last.count, 50); /* nothing is left untold */
}

static void repeated_until_it_is_taken(void **state)
{
    (void)state;
    self.answer = NOTIFY_FAILED;
    start(CLOCK_HOUR, SEVERITY_LOW);
    raise(1, 1, SEVERITY_HIGH);
    raise(2, 2, SEVERITY_HIGH);
    assert_true(reached(&self.tried, 6));
    assert_true(reached(&self.troubles, 3));
    notifier_destroy(&self.notifier); /* what waits is kept */
    set_answer(NOTIFY_SENT);
    start(CLOCK_HOUR, SEVERITY_LOW);
    assert_true(reached(&self.told_count, 2));
    set_answer(NOTIFY_FAILED);
    unsigned before = self.troubles;
    raise(3, 3, SEVERITY_HIGH);
    assert_true(reached(&self.troubles, before + 1));
    set_answer(NOTIFY_SENT);
    assert_true(reached(&self.over, 1));
    assert_true(reached(&self.told_count, 3));
}

static void refused_is_given_up(void **state)
{
    (void)state;
    struct notify_status status;
    self.answer = NOTIFY_REFUSED;
    start(CLOCK_HOUR, SEVERITY_LOW);
    raise(1, 1, SEVERITY_HIGH);
    assert_true(reached(&self.tried, 5));
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    do
        notifier_status(self.notifier, 0, &status);
    while (status.refused == 0 && clock_monotonic(clock_system()) < until);
    assert_int_equal(status.refused, 1);
    assert_int_equal(self.tried, 5);
    assert_int_equal(self.troubles, 0);
    set_answer(NOTIFY_SENT);
    raise(2, 2, SEVERITY_HIGH);
    assert_true(reached(&self.told_count, 1));
}

static void health_issues(void **state)
{
    (void)state;
    struct fault fault;
    struct health_issue issue = {
        .kind = health_kind(1003), .subject = "shard", .text = "slow", .since = 5, .severity = HEALTH_HIGH};
    start(CLOCK_HOUR, SEVERITY_LOW);
    assert_true(store_begin(self.store, &fault));
    notifier_health(self.notifier, self.store, &issue, true, 6);
    issue.kind = health_kind(1111);
    strcpy(issue.subject, "test");
    notifier_health(self.notifier, self.store, &issue, true, 6); /* its own */
    issue.kind = health_kind(1003);
    notifier_health(self.notifier, self.store, &issue, false, 7);
    assert_true(store_commit(self.store, &fault));
    notifier_wake(self.notifier);
    assert_true(reached(&self.told_count, 2));
    assert_string_equal(self.told[0].trigger, "new");
    assert_string_equal(self.told[1].trigger, "closed");
    assert_int_equal(self.told[0].issue, 1003);
    assert_int_equal(self.told[1].issue, 1003);
}

/* --- other outputs while it runs --- */

static size_t lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t lines = 0;
    for (int c; file && (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

static bool has_lines(const char *path, size_t count)
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (lines_of(path) < count && clock_monotonic(clock_system()) < until)
        usleep(10000);
    return lines_of(path) == count;
}

static void hear_fault(void *context, const char *fault)
{
    (void)context;
    (void)fault;
}

static struct config *parse(const char *lines)
{
    char text[1024];
    snprintf(text, sizeof(text), "center\n    authority = \"%064d\"\nnotify\n%s", 0, lines);
    struct config *config = config_parse(&center_schema, "test", text, strlen(text), hear_fault, NULL);
    assert_non_null(config);
    return config;
}

static void reload_file(const char *path, struct config **config)
{
    char line[160];
    struct fault fault;
    snprintf(line, sizeof(line), "    file = %s\n", path);
    struct config *fresh = parse(line);
    assert_true(notifier_reload(self.notifier, fresh, &fault));
    config_destroy(config); /* it is not needed any more */
    *config = fresh;
}

/* From the next alert on others are told; a faulty configuration changes nothing. */
static void others_are_told(void **state)
{
    (void)state;
    char first[120], second[120];
    struct fault fault;
    struct notify_status status;
    struct config *config = NULL;
    snprintf(first, sizeof(first), "%s/first", self.place.path);
    snprintf(second, sizeof(second), "%s/second", self.place.path);
    self.answer = NOTIFY_FAILED;
    start(CLOCK_HOUR, SEVERITY_LOW);
    raise(1, 1, SEVERITY_HIGH);
    assert_true(reached(&self.troubles, 1));
    reload_file(first, &config);
    assert_true(reached(&self.over, 1)); /* its issue ends with it */
    assert_true(self.destroyed);
    raise(2, 2, SEVERITY_HIGH);
    assert_true(has_lines(first, 1));
    struct config *wrong = parse("    webhook = http://elsewhere.example/\n");
    assert_false(notifier_reload(self.notifier, wrong, &fault));
    config_destroy(&wrong);
    raise(3, 3, SEVERITY_HIGH);
    assert_true(has_lines(first, 2));
    reload_file(first, &config); /* the same one: its counts go on */
    assert_true(notifier_status(self.notifier, 0, &status));
    assert_string_equal(status.name, first);
    assert_int_equal(status.sent, 2);
    assert_false(notifier_status(self.notifier, 1, &status));
    reload_file(second, &config);
    raise(4, 4, SEVERITY_HIGH);
    assert_true(has_lines(second, 1));
    assert_int_equal(lines_of(first), 2);
    notifier_destroy(&self.notifier);
    config_destroy(&config);
}

/* --- what is refused --- */

static bool configures(const char *lines)
{
    struct fault fault = {{0}};
    struct config *config = parse(lines);
    const struct notifier_config settings = {.store = "/nonexistent"};
    struct notifier *notifier = notifier_new(&settings, &fault);
    bool done = notifier_configure(notifier, config, &fault);
    assert_true(done || fault.text[0]);
    notifier_destroy(&notifier);
    config_destroy(&config);
    return done;
}

static const char plain_password[] = "    mail-server = smtp://mail\n    mail-from = a@b\n    mail-to = c@d\n"
                                     "    mail-user = x\n    mail-password = /x\n    mail-plain = yes\n";

static void settings(void **state)
{
    (void)state;
    static const char *const good[] = {
        "    syslog = udp://siem\n    portal = https://portal/\n",
        "    syslog = tcp://[::1]:99/?format=rfc3164&framing=lines\n",
        "    syslog = tls://siem.example:6514?format=rfc5424, udp://10.0.0.1:514\n",
        "    webhook = https://hooks.example/x\n",
        "    webhook = http://127.0.0.1:99/x\n    file = /tmp/x\n",
        "    mail-server = smtp://mail\n    mail-from = a@b\n    mail-to = c@d, e@f\n",
    };
    static const char *const bad[] = {
        "    syslog = ftp://siem\n",
        "    syslog = udp://\n",
        "    syslog = udp://siem:x\n",
        "    syslog = udp://siem:\n",
        "    syslog = udp://[::1\n",
        "    syslog = udp://[::1]x\n",
        "    syslog = udp://siem/path\n",
        "    syslog = udp://siem?format=odd\n",
        "    syslog = tls://siem?framing=lines\n",
        "    syslog = tls://siem\n    syslog-key = /x\n",
        "    webhook = http://hooks.example/x\n",
        "    webhook = http://127.0.0.1.example/x\n",
        "    mail-server = http://mail\n    mail-from = a@b\n    mail-to = c@d\n",
        "    mail-server = smtp://mail\n    mail-from = a\n    mail-to = c@d\n",
        "    mail-server = smtp://mail\n    mail-from = a@b\n",
        "    mail-server = smtp://mail\n    mail-from = a@b\n    mail-to = \"c@d>\"\n",
        "    mail-server = smtp://mail\n    mail-from = a@b\n    mail-to = c@d\n    mail-user = x\n",
        plain_password,
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!configures(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (configures(bad[i]))
            fail_msg("taken: %s", bad[i]);
}

/* --- the API's certificate --- */

static void a_certificate_is_made_and_kept(void **state)
{
    (void)state;
    struct api_certificate first, second;
    struct fault fault;
    struct stat is;
    int64_t now = clock_wall(clock_system());
    assert_true(api_certificate_own(self.place.path, now, &first, &fault));
    assert_int_equal(stat(place_file(&self.place, "api.key"), &is), 0);
    assert_int_equal(is.st_mode & 0777, 0600);
    assert_true(api_certificate_own(self.place.path, now + 100 * CLOCK_DAY, &second, &fault));
    assert_string_equal(first.certificate, second.certificate);
    api_certificate_free(&second);
    assert_true(api_certificate_own(self.place.path, now + 810 * CLOCK_DAY, &second, &fault));
    assert_string_not_equal(first.certificate, second.certificate);
    api_certificate_free(&second);
    api_certificate_free(&first);
    assert_false(api_certificate_own("/nonexistent", now, &first, &fault));
    assert_false(api_certificate_read("/nonexistent", "/nonexistent", &first, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff),
        cmocka_unit_test_setup_teardown(in_order_and_once, begin, end),
        cmocka_unit_test_setup_teardown(repeats_are_told_together, begin, end),
        cmocka_unit_test_setup_teardown(repeated_until_it_is_taken, begin, end),
        cmocka_unit_test_setup_teardown(refused_is_given_up, begin, end),
        cmocka_unit_test_setup_teardown(health_issues, begin, end),
        cmocka_unit_test_setup_teardown(others_are_told, begin, end),
        cmocka_unit_test(settings),
        cmocka_unit_test_setup_teardown(a_certificate_is_made_and_kept, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
