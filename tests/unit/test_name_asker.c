/* SPDX-License-Identifier: Apache-2.0
 *
 * The asker on real sockets of the loopback, against servers that answer as computers do.
 */
#include "unit.h"

#include "base/clock.h"
#include "naming/name_asker.h"
#include "tests/unit/certificate.h"
#include "tests/unit/name_replies.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A server for one method: it answers each request until it is told to end. */
struct server {
    enum name_method method;
    int socket;
    uint16_t port;
    pthread_t thread;
    atomic_bool ending;
    atomic_uint requests;
    bool garbage; /* answers what nobody can read */
    gnutls_certificate_credentials_t credentials;
};

static void serve_tls(struct server *server, int link)
{
    gnutls_session_t tls;
    gnutls_init(&tls, GNUTLS_SERVER);
    gnutls_set_default_priority(tls);
    gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, server->credentials);
    gnutls_transport_set_int(tls, link);
    gnutls_handshake_set_timeout(tls, 60000);
    gnutls_handshake(tls); /* fails: the other side has seen enough */
    gnutls_deinit(tls);
}

static void answer_stream(struct server *server)
{
    static const struct name_reply confirm = {19, {RDP_CONFIRM_BYTES}};
    uint8_t request[NAME_REQUEST_MAX];
    int link = accept(server->socket, NULL, NULL);
    if (link < 0)
        return;
    struct name_reply reply = ntlm_reply_of("srv1.corp.example", "corp.example", "SRV1", "CORP");
    if (server->method == NAME_BY_RDP)
        reply = confirm;
    if (server->garbage)
        memset(reply.bytes, 0xff, reply.size);
    if (recv(link, request, sizeof request, 0) > 0) {
        server->requests++;
        send(link, reply.bytes, reply.size / 2, MSG_NOSIGNAL);
        send(link, reply.bytes + reply.size / 2, reply.size - reply.size / 2, MSG_NOSIGNAL);
        if (server->method == NAME_BY_RDP && !server->garbage)
            serve_tls(server, link);
        recv(link, request, sizeof request, 0);
    }
    close(link);
}

static void answer_datagram(struct server *server)
{
    uint8_t request[NAME_REQUEST_MAX];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(server->socket, request, sizeof request, 0, (struct sockaddr *)&from, &size);
    if (n <= 12)
        return;
    server->requests++;
    struct bytes whole = {request, (size_t)n};
    struct name_reply reply = server->method == NAME_BY_DNS ? dns_reply_of(whole, "\3ws1\4corp\7example", 18)
                                                            : netbios_reply_of(whole, "WS1", "CORP");
    struct name_reply stray = reply;
    stray.bytes[0] ^= 0xff; /* an answer to another question comes first */
    sendto(server->socket, stray.bytes, stray.size, 0, (struct sockaddr *)&from, size);
    if (!server->garbage)
        sendto(server->socket, reply.bytes, reply.size, 0, (struct sockaddr *)&from, size);
}

static void *serve(void *context)
{
    struct server *server = context;
    while (!server->ending) {
        struct pollfd fd = {.fd = server->socket, .events = POLLIN};
        if (poll(&fd, 1, 50) <= 0)
            continue;
        if (name_method_is_tcp(server->method))
            answer_stream(server);
        else
            answer_datagram(server);
    }
    return NULL;
}

static void server_start(struct server *server, enum name_method method, bool garbage)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    *server = (struct server){.method = method, .garbage = garbage};
    server->socket = socket(AF_INET, name_method_is_tcp(method) ? SOCK_STREAM : SOCK_DGRAM, 0);
    assert_int_equal(bind(server->socket, (struct sockaddr *)&address, size), 0);
    if (name_method_is_tcp(method))
        assert_int_equal(listen(server->socket, 8), 0);
    assert_int_equal(getsockname(server->socket, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    if (method == NAME_BY_RDP)
        server->credentials = certificate_self_signed("ws1.corp.example", NULL);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
    server->ending = true;
    pthread_join(server->thread, NULL);
    close(server->socket);
    if (server->credentials)
        gnutls_certificate_free_credentials(server->credentials);
}

/* What the asker told. */
static struct {
    pthread_mutex_t mutex;
    unsigned named[NAME_METHODS], done;
    struct name_answer answers[NAME_METHODS];
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void on_named(void *context, const struct ip_address *address, enum name_method method,
                     const struct name_answer *answer)
{
    (void)context;
    assert_int_equal(address->bytes[0], 127);
    pthread_mutex_lock(&told.mutex);
    told.named[method]++;
    told.answers[method] = *answer;
    pthread_mutex_unlock(&told.mutex);
}

static void on_done(void *context, const struct ip_address *address)
{
    (void)context;
    (void)address;
    pthread_mutex_lock(&told.mutex);
    told.done++;
    pthread_mutex_unlock(&told.mutex);
}

static unsigned done(void)
{
    pthread_mutex_lock(&told.mutex);
    unsigned count = told.done;
    pthread_mutex_unlock(&told.mutex);
    return count;
}

static void wait_done(unsigned count)
{
    struct timespec pause = {0, 10 * CLOCK_MILLISECOND};
    for (unsigned i = 0; i < 12000 && done() < count; i++)
        nanosleep(&pause, NULL);
    assert_int_equal(done(), count);
}

static struct server servers[NAME_METHODS];

static struct name_asker *ask_with(int64_t patience, bool garbage)
{
    struct fault fault = {0};
    static struct prober_network loopback;
    struct name_asker_config config = {.named = on_named, .done = on_done, .patience = patience};
    memset(told.named, 0, sizeof told.named);
    told.done = 0;
    prober_config_init(&config.prober);
    assert_true(ip_prefix_parse("127.0.0.0/8", &loopback.network, &loopback.bits));
    config.prober.networks = &loopback;
    config.prober.network_count = 1;
    for (unsigned i = 0; i < NAME_METHODS; i++) {
        server_start(&servers[i], (enum name_method)i, garbage);
        config.prober.methods[i] = true;
        config.ports[i] = servers[i].port;
    }
    assert_true(ip_address_parse("127.0.0.1", &config.dns_server.address));
    config.dns_server.port = servers[NAME_BY_DNS].port;
    struct name_asker *asker = name_asker_start(&config, &fault);
    assert_non_null(asker);
    return asker;
}

static void stop_all(struct name_asker **asker)
{
    name_asker_stop(asker);
    for (unsigned i = 0; i < NAME_METHODS; i++)
        server_stop(&servers[i]);
}

static void every_method_finds_a_name(void **state)
{
    (void)state;
    struct ip_address address;
    struct prober_counters counters;
    struct name_asker *asker = ask_with(CLOCK_MINUTE, false);
    assert_true(ip_address_parse("127.0.0.1", &address));
    assert_true(name_asker_ask(asker, &address));
    wait_done(1);
    assert_string_equal(told.answers[NAME_BY_NTLM].host, "srv1.corp.example");
    assert_string_equal(told.answers[NAME_BY_NETBIOS].host, "WS1");
    assert_string_equal(told.answers[NAME_BY_NETBIOS].domain, "CORP");
    assert_string_equal(told.answers[NAME_BY_RDP].host, "ws1.corp.example");
    assert_string_equal(told.answers[NAME_BY_DNS].host, "ws1.corp.example");
    name_asker_counters(asker, &counters);
    for (unsigned i = 0; i < NAME_METHODS; i++) {
        assert_true(name_asker_has(asker, (enum name_method)i));
        assert_int_equal(told.named[i], 1);
        assert_int_equal(counters.methods[i].named, 1);
    }
    assert_false(name_asker_ask(asker, &address)); /* not again so soon */
    assert_int_equal(servers[NAME_BY_NTLM].requests, 1);
    stop_all(&asker);
}

static void garbage_and_silence_end(void **state)
{
    (void)state;
    struct ip_address address;
    struct prober_counters counters;
    struct name_asker *asker = ask_with(500 * CLOCK_MILLISECOND, true);
    assert_true(ip_address_parse("127.0.0.1", &address));
    assert_true(name_asker_ask(asker, &address));
    wait_done(1);
    name_asker_counters(asker, &counters);
    for (unsigned i = 0; i < NAME_METHODS; i++)
        assert_int_equal(counters.methods[i].named, 0);
    assert_int_equal(counters.asking, 0);
    stop_all(&asker);
}

/* Nobody listens: each address is done all the same, many at a time. */
static void refusals_end_at_once(void **state)
{
    (void)state;
    struct ip_address address;
    struct name_asker *asker = ask_with(CLOCK_SECOND, false);
    for (unsigned i = 0; i < NAME_METHODS; i++)
        server_stop(&servers[i]);
    assert_true(ip_address_parse("127.0.1.0", &address));
    for (unsigned i = 1; i <= 30; i++) {
        address.bytes[3] = (uint8_t)i;
        assert_true(name_asker_ask(asker, &address));
    }
    wait_done(30);
    name_asker_stop(&asker);
}

/* Its end does not wait for answers. */
static void stops_in_the_midst(void **state)
{
    (void)state;
    struct ip_address address;
    struct name_asker *asker = ask_with(CLOCK_HOUR, true);
    assert_true(ip_address_parse("127.0.0.1", &address));
    assert_true(name_asker_ask(asker, &address));
    stop_all(&asker);
    assert_int_equal(told.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_finds_a_name),
        cmocka_unit_test(garbage_and_silence_end),
        cmocka_unit_test(refusals_end_at_once),
        cmocka_unit_test(stops_in_the_midst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
