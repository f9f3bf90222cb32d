/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "events/radius_listener.h"
#include "tests/unit/radius_wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "testing123"
#define LONG   20000 /* ms: longer than any of this takes */
#define SHORT  200   /* ms in which what is not to come does not come */

static char secret_path[] = "/tmp/picket-radius-XXXXXX";

/* What the intake was given, and what is done with it. */
static struct {
    pthread_mutex_t mutex;
    bool full, hold; /* refuse; take, and say later that it is kept */
    unsigned records;
    uint64_t tags[64];
    char last[4096];
} store = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct quarantine *quarantine;
static struct intake *intake;
static struct radius_listener *listener;

static bool take(void *context, struct bytes record, uint64_t tag)
{
    static struct activity activity;
    struct cursor c = cursor_of_bytes(record);
    (void)context;
    pthread_mutex_lock(&store.mutex);
    bool taken = !store.full, hold = store.hold;
    if (taken) {
        assert_true(activity_decode(&c, &activity));
        activity_to_json(&activity, store.last, sizeof store.last);
        store.tags[store.records++ % 64] = tag;
    }
    pthread_mutex_unlock(&store.mutex);
    if (taken && !hold)
        radius_listener_kept(listener, tag);
    return taken;
}

static void behave(bool full, bool hold)
{
    pthread_mutex_lock(&store.mutex);
    store.full = full;
    store.hold = hold;
    pthread_mutex_unlock(&store.mutex);
}

static unsigned records(void)
{
    pthread_mutex_lock(&store.mutex);
    unsigned n = store.records;
    pthread_mutex_unlock(&store.mutex);
    return n;
}

static const struct endpoint everywhere = {{6, {0}}, 0}, loopback = {{4, {127, 0, 0, 1}}, 0};

static struct radius_listener *start(const struct endpoint *listen, int64_t patience, struct fault *fault)
{
    static const char *const prefixes[] = {"127.0.0.0/8", "::1"};
    struct radius_client_file clients[2];
    const struct intake_config to = {.input = "radius", .record = take, .quarantine = quarantine};
    struct radius_listener_config config = {
        .listen = listen,
        .listen_count = 1,
        .clients = clients,
        .client_count = 2,
        .rate = 100000,
        .patience = patience,
    };
    for (unsigned i = 0; i < 2; i++) {
        assert_true(ip_prefix_parse(prefixes[i], &clients[i].network, &clients[i].bits));
        clients[i].secret = secret_path;
    }
    config.intake = intake = intake_new(&to);
    store.records = 0;
    behave(false, false);
    listener = radius_listener_start(&config, fault);
    return listener;
}

static void stop(void)
{
    radius_listener_stop(&listener);
    radius_listener_stop(&listener);
    intake_destroy(&intake);
}

/* A socket that is connected to the listener. */
static int dial(const char *address)
{
    struct radius_listener_status status;
    radius_listener_status(listener, &status);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(status.port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(status.port)};
    int s = -1;
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
        s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(s, (struct sockaddr *)&in, sizeof in), 0);
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
        s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(s, (struct sockaddr *)&in6, sizeof in6), 0);
    }
    return s;
}

static void send_to(int s, const struct radius_request *r)
{
    assert_int_equal(send(s, r->bytes, r->size, 0), r->size);
}

static bool answered(int s, const struct radius_request *r, int milliseconds)
{
    uint8_t reply[4096];
    struct pollfd fd = {.fd = s, .events = POLLIN};
    if (poll(&fd, 1, milliseconds) != 1)
        return false;
    ssize_t size = recv(s, reply, sizeof reply, 0);
    return size > 0 && response_fits(reply, (size_t)size, r, SECRET);
}

static void make_request(struct radius_request *r, uint8_t identifier, const char *secret)
{
    char session[16];
    snprintf(session, sizeof session, "s-%u", identifier);
    request_begin(r, identifier, 1, session);
    request_text(r, 1, "user01");
    request_sign(r, secret);
}

/* From each family, and the answer comes from where the request went to (the socket is connected). */
static void test_answers(void **state)
{
    (void)state;
    struct fault fault;
    struct radius_request r;
    static const char *const addresses[] = {"127.0.0.1", "127.1.2.3", "::1"};
    assert_non_null(start(&everywhere, 0, &fault));
    for (unsigned i = 0; i < 3; i++) {
        char wanted[80];
        int s = dial(addresses[i]);
        make_request(&r, (uint8_t)i, SECRET);
        send_to(s, &r);
        assert_true(answered(s, &r, LONG));
        assert_int_equal(records(), i + 1);
        snprintf(wanted, sizeof wanted, "\"destination\":\"%s\"", addresses[i]);
        assert_non_null(strstr(store.last, wanted));
        send_to(s, &r);
        assert_true(answered(s, &r, LONG));
        assert_int_equal(records(), i + 1);
        close(s);
    }
    struct radius_client_status client;
    assert_true(radius_listener_client(listener, 0, &client));
    assert_string_equal(client.text, "127.0.0.0/8");
    assert_int_equal(client.kept, 2);
    assert_int_equal(client.verdicts[RADIUS_REPEAT], 2);
    assert_true(client.last > 0);
    assert_true(radius_listener_client(listener, 1, &client));
    assert_string_equal(client.text, "::1");
    assert_int_equal(client.kept, 1);
    assert_false(radius_listener_client(listener, 2, &client));
    stop();
}

static void test_ipv4_only(void **state)
{
    (void)state;
    struct fault fault;
    struct radius_request r;
    assert_non_null(start(&loopback, 0, &fault));
    int s = dial("127.0.0.1");
    make_request(&r, 1, SECRET);
    send_to(s, &r);
    assert_true(answered(s, &r, LONG));
    assert_non_null(strstr(store.last, "\"destination\":\"127.0.0.1\""));
    close(s);
    stop();
}

static void test_not_answered(void **state)
{
    (void)state;
    struct fault fault;
    struct radius_request r;
    struct radius_client_status client;
    struct intake_counters counters;
    assert_non_null(start(&everywhere, 0, &fault));
    int s = dial("127.0.0.1");
    make_request(&r, 1, "wrong");
    send_to(s, &r);
    assert_int_equal(send(s, "nothing", 7, 0), 7);
    r.bytes[0] = 1;
    send_to(s, &r);
    assert_false(answered(s, &r, SHORT));
    make_request(&r, 2, SECRET); /* the server goes on */
    send_to(s, &r);
    assert_true(answered(s, &r, LONG));
    assert_true(radius_listener_client(listener, 0, &client));
    assert_int_equal(client.verdicts[RADIUS_WRONG_SECRET], 1);
    assert_int_equal(client.verdicts[RADIUS_MALFORMED], 1);
    assert_int_equal(client.verdicts[RADIUS_UNSUPPORTED], 1);
    assert_true(client.wrong_secret > 0);
    intake_counters(intake, &counters);
    assert_int_equal(counters.invalid, 2);
    assert_int_equal(counters.understood, 1);
    close(s);
    stop();
}

/* What is not safe is not answered; the same request again is not a second activity while it waits. */
static void test_answer_waits(void **state)
{
    (void)state;
    struct fault fault;
    struct radius_request r, other;
    struct radius_listener_status status;
    assert_non_null(start(&everywhere, 0, &fault));
    behave(false, true);
    int s = dial("127.0.0.1");
    make_request(&r, 1, SECRET);
    send_to(s, &r);
    assert_false(answered(s, &r, SHORT));
    send_to(s, &r);
    assert_false(answered(s, &r, SHORT));
    assert_int_equal(records(), 1);
    radius_listener_status(listener, &status);
    assert_int_equal(status.waiting, 1);
    assert_int_equal(status.datagrams, 2);
    behave(false, false); /* others are not held up */
    make_request(&other, 2, SECRET);
    send_to(s, &other);
    assert_true(answered(s, &other, LONG));
    radius_listener_kept(listener, store.tags[0]);
    assert_true(answered(s, &r, LONG));
    radius_listener_kept(listener, store.tags[0]); /* twice, or of nothing */
    radius_listener_kept(listener, 4711);
    send_to(s, &r);
    assert_true(answered(s, &r, LONG));
    assert_int_equal(records(), 2);
    radius_listener_status(listener, &status);
    assert_int_equal(status.waiting, 0);
    close(s);
    stop();
}

/* No room: the sender tries again, and when there is room it is kept. */
static void test_no_room(void **state)
{
    (void)state;
    struct fault fault;
    struct radius_request r;
    struct radius_client_status client;
    assert_non_null(start(&everywhere, 0, &fault));
    behave(true, false);
    int s = dial("127.0.0.1");
    make_request(&r, 1, SECRET);
    send_to(s, &r);
    assert_false(answered(s, &r, SHORT));
    assert_true(radius_listener_client(listener, 0, &client));
    assert_int_equal(client.not_kept, 1);
    assert_true(client.lost > 0);
    behave(false, false);
    send_to(s, &r);
    assert_true(answered(s, &r, LONG));
    assert_int_equal(records(), 1);
    close(s);
    stop();
}

/* A record that is never said to be kept is given up; its repetition is a new one. */
static void test_given_up(void **state)
{
    (void)state;
    struct fault fault;
    struct radius_request r;
    struct radius_client_status client;
    struct radius_listener_status status;
    assert_non_null(start(&everywhere, 300 * CLOCK_MILLISECOND, &fault));
    behave(false, true);
    int s = dial("127.0.0.1");
    make_request(&r, 1, SECRET);
    send_to(s, &r);
    for (int64_t until = clock_monotonic(clock_system()) + 120 * CLOCK_SECOND;;) {
        assert_true(radius_listener_client(listener, 0, &client));
        if (client.not_kept == 1 || clock_monotonic(clock_system()) > until)
            break;
        poll(NULL, 0, 10);
    }
    assert_int_equal(client.not_kept, 1);
    radius_listener_status(listener, &status);
    assert_int_equal(status.waiting, 0);
    radius_listener_kept(listener, store.tags[0]); /* too late */
    assert_false(answered(s, &r, SHORT));
    behave(false, false);
    send_to(s, &r);
    assert_true(answered(s, &r, LONG));
    assert_int_equal(records(), 2);
    behave(false, true); /* ended while one waits */
    make_request(&r, 2, SECRET);
    send_to(s, &r);
    assert_false(answered(s, &r, SHORT));
    close(s);
    stop();
}

/* Many at once: each is answered once. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    struct fault fault;
    struct radius_request r;
    unsigned got = 0, sent = 0;
    static bool seen[256];
    assert_non_null(start(&everywhere, 0, &fault));
    int s = dial("::1");
    memset(seen, 0, sizeof seen);
    while (sent < MANY) {
        for (unsigned k = 0; k < 100; k++, sent++) {
            char session[16];
            snprintf(session, sizeof session, "t-%u", sent);
            request_begin(&r, (uint8_t)sent, 1, session);
            request_sign(&r, SECRET);
            send_to(s, &r);
        }
        for (unsigned k = 0; k < 100; k++, got++) {
            uint8_t reply[64];
            struct pollfd fd = {.fd = s, .events = POLLIN};
            assert_int_equal(poll(&fd, 1, LONG), 1);
            assert_int_equal(recv(s, reply, sizeof reply, 0), 20);
        }
    }
    assert_int_equal(got, MANY);
    assert_int_equal(records(), MANY);
    close(s);
    stop();
}

static void test_start_fails(void **state)
{
    (void)state;
    struct fault fault;
    struct radius_listener_status status;
    assert_non_null(start(&loopback, 0, &fault));
    radius_listener_status(listener, &status);
    struct radius_listener *first = listener;
    struct intake *first_intake = intake;
    struct endpoint taken = loopback;
    taken.port = status.port;
    assert_null(start(&taken, 0, &fault));
    assert_non_null(strstr(fault.text, "127.0.0.1 port "));
    assert_non_null(strstr(fault.text, "in use"));
    intake_destroy(&intake);
    assert_int_equal(chmod(secret_path, 0644), 0);
    assert_null(start(&loopback, 0, &fault));
    assert_non_null(strstr(fault.text, "chmod 600"));
    assert_null(strstr(fault.text, SECRET));
    intake_destroy(&intake);
    assert_int_equal(chmod(secret_path, 0600), 0);
    int f = open(secret_path, O_WRONLY);
    assert_int_equal(write(f, "a\0b", 3), 3);
    assert_null(start(&loopback, 0, &fault));
    assert_non_null(strstr(fault.text, "zero byte"));
    intake_destroy(&intake);
    assert_int_equal(pwrite(f, SECRET, strlen(SECRET), 0), strlen(SECRET));
    close(f);
    listener = first;
    intake = first_intake;
    stop();
}

static void test_prefixes(void **state)
{
    (void)state;
    struct ip_address network;
    uint8_t bits;
    static const char *const wrong[] = {"",
                                        "10",
                                        "10.0.0.0/33",
                                        "10.0.0.1/8",
                                        "10.0.0.0/",
                                        "10.0.0.0/x",
                                        "10.0.0.0/8 ",
                                        "::/129",
                                        "2001:db8::1/64",
                                        "10.0.0.0/1000",
                                        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1"};
    assert_true(ip_prefix_parse("10.77.0.50", &network, &bits));
    assert_int_equal(bits, 32);
    assert_true(ip_prefix_parse("10.128.0.0/9", &network, &bits));
    assert_int_equal(bits, 9);
    assert_true(ip_prefix_parse("0.0.0.0/0", &network, &bits));
    assert_int_equal(bits, 0);
    assert_true(ip_prefix_parse("2001:db8::/32", &network, &bits));
    assert_int_equal(network.family, 6);
    assert_int_equal(bits, 32);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(ip_prefix_parse(wrong[i], &network, &bits));
}

static int prepare(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    int f = mkstemp(secret_path);
    assert_true(f >= 0);
    assert_int_equal(write(f, SECRET "\n", strlen(SECRET) + 1), strlen(SECRET) + 1);
    close(f);
    quarantine = quarantine_new(1);
    return quarantine ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    quarantine_destroy(&quarantine);
    return unlink(secret_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),     cmocka_unit_test(test_answers),
        cmocka_unit_test(test_ipv4_only),    cmocka_unit_test(test_not_answered),
        cmocka_unit_test(test_answer_waits), cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_given_up),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_start_fails),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
