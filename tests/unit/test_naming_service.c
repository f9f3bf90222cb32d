/* SPDX-License-Identifier: Apache-2.0
 *
 * Active name resolution as a node runs it: the configuration, the resolver that asks, a DNS server of the
 * test's own that answers, and the activity that leaves with the name.
 */
#include "unit.h"

#include "base/clock.h"
#include "node/naming_service.h"
#include "node/schema.h"
#include "tests/unit/name_replies.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE (120 * CLOCK_SECOND)

static struct {
    int socket;
    pthread_t thread;
    atomic_bool ending, silent;
    atomic_uint requests, records;
    struct capture_group group; /* captures nothing */
    struct config *config;
    struct resolution *resolution;
    struct naming_service *service;
} self;

static void *serve(void *context)
{
    (void)context;
    while (!self.ending) {
        struct pollfd fd = {.fd = self.socket, .events = POLLIN};
        uint8_t request[NAME_REQUEST_MAX];
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        if (poll(&fd, 1, 20) <= 0)
            continue;
        ssize_t n = recvfrom(self.socket, request, sizeof request, 0, (struct sockaddr *)&from, &size);
        if (n <= 12)
            continue;
        self.requests++;
        struct name_reply reply =
            dns_reply_of((struct bytes){request, (size_t)n}, "\3ws7\4corp\7example", 18);
        if (self.silent)
            reply.bytes[3] |= 3; /* no such name */
        sendto(self.socket, reply.bytes, reply.size, 0, (struct sockaddr *)&from, size);
    }
    return NULL;
}

static void ignore_fault(void *context, const char *fault)
{
    (void)context;
    (void)fault;
}

static struct config *configure(const char *naming)
{
    char text[512];
    int size = snprintf(text, sizeof text, "naming\n%s", naming);
    return config_parse(&node_schema, "test", text, (size_t)size, ignore_fault, NULL);
}

static void take(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    (void)record;
    (void)tag;
    self.records++;
}

static void start(bool silent)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    struct fault fault;
    char naming[256];
    self.ending = false;
    self.silent = silent;
    self.requests = self.records = 0;
    self.group.wake_descriptor = -1;
    self.socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(self.socket, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(self.socket, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&self.thread, NULL, serve, NULL), 0);
    snprintf(naming, sizeof naming,
             "    methods = dns\n    networks = 10.0.0.0/8\n    rate = 1000\n    dns-server = 127.0.0.1:%u\n",
             ntohs(address.sin_port));
    self.config = configure(naming);
    assert_non_null(self.config);
    assert_true(naming_service_wanted(self.config));
    assert_true(naming_service_check(self.config, &fault));
    self.service = naming_service_new(self.config, &fault);
    assert_non_null(self.service);
    struct prober_counters counters;
    assert_false(naming_service_counters(self.service, &counters)); /* not started */
    const struct resolution_config config = {.capture = &self.group,
                                             .record = take,
                                             .ask_name = naming_service_ask,
                                             .ask_name_context = self.service,
                                             .wait = PATIENCE,
                                             .seed = 1};
    self.resolution = resolution_start(&config, &fault);
    assert_non_null(self.resolution);
    assert_true(naming_service_start(self.service, self.resolution, &fault));
}

static void stop(void)
{
    naming_service_stop(self.service);
    resolution_stop(&self.resolution);
    naming_service_destroy(&self.service);
    naming_service_destroy(&self.service);
    config_destroy(&self.config);
    self.ending = true;
    pthread_join(self.thread, NULL);
    close(self.socket);
}

static void post(uint8_t host)
{
    static struct activity_writer w;
    struct ip_address from = {4, {10, 0, 0, host}};
    activity_begin(&w, ACTIVITY_SMB_SESSION, 1);
    activity_put_address(&w, FIELD_SOURCE, &from);
    activity_put_text(&w, FIELD_ACCOUNT, "user01");
    assert_true(resolution_post(self.resolution, activity_finish(&w), 0));
}

static void wait_records(unsigned count)
{
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (self.records < count && clock_monotonic(clock_system()) < until)
        poll(NULL, 0, 5);
    assert_int_equal(self.records, count);
}

static void see(void *context, uint64_t number, const char *json, size_t size)
{
    (void)number;
    assert_true(size < 4096);
    memcpy(context, json, size + 1);
}

static void the_name_is_in_the_activity_that_asked(void **state)
{
    (void)state;
    char json[4096], text[256];
    struct prober_counters counters;
    start(false);
    post(7);
    wait_records(1);
    assert_int_equal(resolution_recent(self.resolution, 0, 1, see, json), 1);
    assert_non_null(strstr(json, "ws7"));
    assert_non_null(strstr(json, "asked_dns"));
    post(7); /* known now */
    wait_records(2);
    assert_int_equal(self.requests, 1);
    assert_true(naming_service_counters(self.service, &counters));
    assert_int_equal(counters.methods[NAME_BY_DNS].named, 1);
    assert_false(naming_service_health(self.service, 0, text, sizeof text));
    stop();
}

static void a_method_that_nobody_answers_is_told_of(void **state)
{
    (void)state;
    char text[256];
    start(true);
    for (unsigned i = 1; i <= PROBER_LEAST_ASKED; i++) {
        post((uint8_t)i);
        wait_records(i);
    }
    assert_true(naming_service_health(self.service, 0, text, sizeof text));
    assert_non_null(strstr(text, "dns"));
    assert_false(naming_service_health(self.service, 1, text, sizeof text));
    stop();
}

static void wrong_settings_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault;
    } wrong[] = {
        {"    methods = telepathy\n", "telepathy"},
        {"    methods = dns\n    networks = 10.0.0.0/33\n", "10.0.0.0/33"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fault fault;
        struct config *config = configure(wrong[i].text);
        assert_non_null(config);
        assert_false(naming_service_check(config, &fault));
        assert_non_null(strstr(fault.text, wrong[i].fault));
        assert_null(naming_service_new(config, &fault));
        config_destroy(&config);
    }
    struct config *config = configure("    rate = 5\n");
    assert_non_null(config);
    assert_false(naming_service_wanted(config));
    config_destroy(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_is_in_the_activity_that_asked),
        cmocka_unit_test(a_method_that_nobody_answers_is_told_of),
        cmocka_unit_test(wrong_settings_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
