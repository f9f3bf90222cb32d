/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts for Prometheus: the text, the requests, and the listener on loopback.
 */
#include "node/metrics.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void the_text(void **state)
{
    (void)state;
    char out[1024];
    struct text t = text_to(out, sizeof(out));
    metric_family(&t, "a_total", METRIC_COUNTER, "What it is.");
    metric_uint(&t, "a_total", NULL, NULL, UINT64_MAX);
    metric_uint(&t, "a_total", "of", "x\"y\\z\n", 7);
    metric_family(&t, "b", METRIC_GAUGE, "Another.");
    metric_micro(&t, "b", NULL, NULL, 450000);
    metric_micro(&t, "b", NULL, NULL, -1500001);
    metric_micro(&t, "b", NULL, NULL, INT64_MIN);
    text_end(&t);
    assert_string_equal(out, "# HELP a_total What it is.\n# TYPE a_total counter\n"
                             "a_total 18446744073709551615\n"
                             "a_total{of=\"x\\\"y\\\\z\\n\"} 7\n"
                             "# HELP b Another.\n# TYPE b gauge\nb 0.450000\nb -1.500001\n"
                             "b -9223372036854.775807\n");
}

static enum metrics_request read_text(const char *text)
{
    return metrics_request_read((struct bytes){(const uint8_t *)text, strlen(text)});
}

static void requests(void **state)
{
    (void)state;
    static const char whole[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(read_text(whole), METRICS_WANTED);
    for (size_t size = 0; size + 1 < sizeof(whole); size++)
        assert_int_equal(metrics_request_read((struct bytes){(const uint8_t *)whole, size}), METRICS_MORE);
    assert_int_equal(read_text("GET /metrics?x=1 HTTP/1.0\n\n"), METRICS_WANTED);
    assert_int_equal(read_text("GET / HTTP/1.0\r\n\r\n"), METRICS_NOTHING);
    assert_int_equal(read_text("GET /metricsx HTTP/1.0\r\n\r\n"), METRICS_NOTHING);
    assert_int_equal(read_text("POST /metrics HTTP/1.0\r\n\r\n"), METRICS_METHOD);
    assert_int_equal(read_text("nonsense\r\n\r\n"), METRICS_BROKEN);
    assert_int_equal(read_text("GET /metrics\r\n\r\n"), METRICS_BROKEN);
    assert_int_equal(read_text("GET /metrics GOPHER/1\r\n\r\n"), METRICS_BROKEN);
    char *large = malloc(METRICS_REQUEST_MAX);
    memset(large, 'a', METRICS_REQUEST_MAX);
    assert_int_equal(metrics_request_read((struct bytes){(uint8_t *)large, METRICS_REQUEST_MAX}),
                     METRICS_BROKEN);
    memcpy(large, whole, 23);
    assert_int_equal(metrics_request_read((struct bytes){(uint8_t *)large, METRICS_REQUEST_MAX}),
                     METRICS_BROKEN);
    free(large);
}

/* --- the listener --- */

static enum { AT_ONCE, ENDING, CLOSED } behaviour;

static bool post(void *context, struct mail *mail)
{
    if (behaviour == CLOSED)
        return false;
    mail->run(mail, behaviour == ENDING ? NULL : context);
    return true;
}

static void write_counts(void *context, struct text *t)
{
    metric_uint(t, (const char *)context, NULL, NULL, 42);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    close(descriptor);
    return ntohs(address.sin_port);
}

/* The answer to what was sent; the caller frees it. */
static char *ask(uint16_t port, const char *request)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(descriptor, request, strlen(request)), strlen(request));
    if (!*request)
        shutdown(descriptor, SHUT_WR);
    char *answer = calloc(1, 8192);
    size_t size = 0;
    ssize_t n;
    while (size < 8191 && (n = read(descriptor, answer + size, 8191 - size)) > 0)
        size += (size_t)n;
    close(descriptor);
    return answer;
}

static void expect(uint16_t port, const char *request, const char *status, const char *body)
{
    char *answer = ask(port, request);
    if (strncmp(answer, status, strlen(status)) != 0 || !strstr(answer, body))
        fail_msg("%s gave %s", request, answer);
    free(answer);
}

static void the_listener(void **state)
{
    (void)state;
    struct fault fault = {0};
    static char name[] = "picket_answer";
    struct metrics_config config = {
        .listen = {.address = {.family = 4, .bytes = {127, 0, 0, 1}}, .port = free_port()},
        .post = post,
        .write = write_counts,
        .context = name};
    struct metrics *metrics = metrics_start(&config, &fault);
    assert_non_null(metrics);
    uint16_t port = config.listen.port;
    expect(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.0 200 OK\r\n",
           "\r\n\r\npicket_answer 42\n");
    expect(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.0 200", "version=0.0.4");
    expect(port, "GET /x HTTP/1.1\r\n\r\n", "HTTP/1.0 404", "");
    expect(port, "PUT /metrics HTTP/1.1\r\n\r\n", "HTTP/1.0 405", "");
    expect(port, "\x16\x03\x01\n\n", "HTTP/1.0 400", "");
    expect(port, "", "", "");
    behaviour = ENDING;
    expect(port, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.0 503", "");
    behaviour = CLOSED;
    expect(port, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.0 503", "");
    behaviour = AT_ONCE;
    /* The port is taken. */
    assert_null(metrics_start(&config, &fault));
    assert_non_null(strstr(fault.text, "metrics/listen"));
    metrics_stop(&metrics);
    metrics_stop(&metrics);
    config.listen = (struct endpoint){.address = {.family = 6, .bytes = {[15] = 1}}, .port = port};
    metrics = metrics_start(&config, &fault);
    if (metrics) /* a host without IPv6 */
        metrics_stop(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text),
        cmocka_unit_test(requests),
        cmocka_unit_test(the_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
