/* SPDX-License-Identifier: Apache-2.0
 *
 * The input `radius` as a node runs it: its configuration, the way of a record to the resolver and of the
 * answer back, what is said of it.
 */
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/input_world.h"
#include "tests/unit/radius_wire.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECRET   "testing123"
#define PATIENCE (120 * CLOCK_SECOND)

static char secret_path[] = "/tmp/picket-radius-XXXXXX";

static struct {
    struct input_world world;
    atomic_uint records;
} self;

static struct config *configure(const char *format, ...) __attribute__((format(printf, 1, 2)));

static struct config *configure(const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert_true(size > 0 && size < (int)sizeof(text));
    return input_world_configure(text, size);
}

static void check_is(const char *clients, const char *fault_has)
{
    struct fault fault;
    struct config *config = configure("radius\n    clients = %s\n", clients);
    assert_non_null(config);
    assert_true(event_service_wanted(config));
    assert_int_equal(event_service_check(config, &fault), fault_has == NULL);
    if (fault_has)
        assert_non_null(strstr(fault.text, fault_has));
    config_destroy(&config);
}

static void test_configuration(void **state)
{
    (void)state;
    struct config *config = configure("node\n    name = x\n");
    assert_false(event_service_wanted(config));
    config_destroy(&config);
    check_is("10.0.0.0/8 /a, 2001:db8::/32   /b", NULL);
    check_is("10.0.0.0/8", "PREFIX FILE");
    check_is("10.0.0.0/8 secret", "PREFIX FILE");
    check_is("vpn /a", "PREFIX FILE");
    check_is("10.0.0.1/8 /a", "PREFIX FILE");
    check_is("1000000000000000000000000000000000000000000000000000000000000000000000 /a", "PREFIX FILE");
    check_is("10.0.0.0/8 /a, 10.0.0.0/8 /b", "twice");
    struct fault fault;
    config =
        configure("radius\n    clients = 10.0.0.1 /a\n    listen = [::]:1, [::]:2, [::]:3, [::]:4, [::]:5\n");
    assert_false(event_service_check(config, &fault));
    assert_non_null(strstr(fault.text, "4 at most"));
    config_destroy(&config);
}

static void take(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    (void)record;
    atomic_fetch_add(&self.records, 1);
    if (tag)
        event_service_kept(self.world.service, tag);
}

static uint16_t free_port(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    socklen_t size = sizeof(in6);
    int s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&in6, sizeof(in6)), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&in6, &size), 0);
    close(s);
    return ntohs(in6.sin6_port);
}

static void open_service(uint16_t port)
{
    atomic_store(&self.records, 0);
    input_world_open(
        &self.world,
        configure("radius\n    clients = 127.0.0.0/8 %s\n    listen = [::]:%u\n", secret_path, port), take,
        0);
}

static void close_service(void)
{
    input_world_close(&self.world);
}

static int dial(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
    assert_int_equal(connect(s, (struct sockaddr *)&in, sizeof(in)), 0);
    return s;
}

static void make_request(struct radius_request *r, uint8_t identifier, const char *secret)
{
    request_begin(r, identifier, 1, "s-1");
    request_text(r, 1, "user01");
    request_sign(r, secret);
}

static void test_record_and_answer(void **state)
{
    (void)state;
    struct radius_request r;
    struct event_input_state input;
    struct event_health health;
    uint8_t reply[4096];
    uint16_t port = free_port();
    open_service(port);
    int s = dial(port);
    struct pollfd fd = {.fd = s, .events = POLLIN};
    make_request(&r, 1, SECRET);
    assert_int_equal(send(s, r.bytes, r.size, 0), r.size);
    assert_int_equal(poll(&fd, 1, (int)(PATIENCE / CLOCK_MILLISECOND)), 1);
    ssize_t size = recv(s, reply, sizeof(reply), 0);
    assert_true(response_fits(reply, (size_t)size, &r, SECRET));
    assert_int_equal(atomic_load(&self.records), 1);
    assert_false(event_service_health(self.world.service, 0, &health));

    make_request(&r, 2, "wrong");
    assert_int_equal(send(s, r.bytes, r.size, 0), r.size);
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    while (!event_service_health(self.world.service, 0, &health) && clock_monotonic(clock_system()) < until)
        poll(NULL, 0, 10);
    assert_true(event_service_health(self.world.service, 0, &health));
    assert_string_equal(health.issue, "radius_ingestion_failures");
    assert_int_equal(health.number, 1108);
    assert_string_equal(health.subject, "input radius");
    assert_string_equal(health.text,
                        "RADIUS accounting ingestion failures: client 127.0.0.0/8: wrong shared secret");
    assert_true(event_service_input(self.world.service, 0, &input));
    assert_string_equal(input.name, "radius");
    assert_true(input.running);
    assert_int_equal(input.counters.understood, 1);
    char wanted[128];
    snprintf(wanted, sizeof(wanted), "udp port %u, 1 client, 1 kept, 1 with a wrong secret", port);
    assert_string_equal(input.text, wanted);
    struct input_source source;
    assert_true(event_service_source(self.world.service, 0, 0, &source));
    assert_string_equal(source.name, "127.0.0.0/8");
    assert_int_equal(source.events, 1);
    assert_int_equal(source.refused, 1);
    assert_true(source.event > 0 && source.heard >= source.event);
    assert_int_equal(source.count_count, 8);
    assert_string_equal(source.counts[0].name, "records");
    assert_string_equal(source.counts[4].name, "wrong_secret");
    assert_int_equal(source.refused, source.counts[1].count + source.counts[4].count +
                                         source.counts[5].count + source.counts[6].count +
                                         source.counts[7].count);
    assert_false(event_service_source(self.world.service, 0, 1, &source));
    close(s);
    close_service();
}

static void test_cannot_listen(void **state)
{
    (void)state;
    struct event_input_state input;
    struct event_health health;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    socklen_t size = sizeof(in6);
    int taken = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&in6, sizeof(in6)), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&in6, &size), 0);
    open_service(ntohs(in6.sin6_port));
    assert_true(event_service_health(self.world.service, 0, &health));
    assert_int_equal(health.number, 1020);
    assert_string_equal(health.issue, "radius_not_processed");
    assert_non_null(strstr(health.text, "in use"));
    assert_false(event_service_health(self.world.service, 1, &health));
    assert_true(event_service_input(self.world.service, 0, &input));
    assert_false(input.running);
    close(taken);
    close_service();
}

static int prepare(void **state)
{
    (void)state;
    log_set_output(-1); /* its warnings are no failures */
    int f = mkstemp(secret_path);
    assert_int_equal(write(f, SECRET, strlen(SECRET)), strlen(SECRET));
    return close(f);
}

static int finish(void **state)
{
    (void)state;
    return unlink(secret_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_record_and_answer),
        cmocka_unit_test(test_cannot_listen),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
