/* SPDX-License-Identifier: Apache-2.0
 *
 * The input `syslog` as a node runs it, and what is said of inputs: its section of the configuration, the way
 * of an event to the resolver, counts, health and quarantine, and the table of `picket inputs`.
 */
#include "tests/unit/drawing.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/event_service.h"
#include "node/schema.h"
#include "node/view_inputs.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE (60 * CLOCK_SECOND)
#define EVENT    "RsaSA\n2015-May-19 09:07:09\n4776\nP\nSecurity\ndc1\nalice\nWS1\n0x0"

static struct {
    struct capture_group group;
    struct config *config;
    struct resolution *resolution;
    struct event_service *service;
    atomic_uint records;
} self = {.group = {.wake_descriptor = -1}};

static void ignore_fault(void *context, const char *fault)
{
    (void)context;
    (void)fault;
}

static struct config *configure(const char *text)
{
    return config_parse(&node_schema, "test", text, strlen(text), ignore_fault, NULL);
}

static void take(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    (void)tag;
    if (record.size > 0)
        atomic_fetch_add(&self.records, 1);
}

/* --- the configuration --- */

static void the_section_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault; /* NULL: it is right */
    } samples[] = {
        {"syslog\n    listen = udp:0.0.0.0:514, tcp:[::]:514\n    allow = 10.0.0.0/8, ::1\n", NULL},
        {"syslog\n    listen = tls:[::]:6514\n    certificate = /c\n    key = /k\n    client-ca = /a\n",
         NULL},
        {"syslog\n    listen = udp:514\n", "syslog/listen: udp:514: "},
        {"syslog\n    listen = tls:[::]:6514\n    certificate = /c\n", "syslog/key"},
        {"syslog\n    listen = udp:0.0.0.0:514\n    allow = 10.0.0.0/99\n", "syslog/allow: 10.0.0.0/99: "},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct fault fault = {{0}};
        struct config *config = configure(samples[i].text);
        assert_non_null(config);
        assert_true(event_service_wanted(config));
        assert_int_equal(event_service_check(config, &fault), samples[i].fault == NULL);
        if (samples[i].fault)
            assert_non_null(strstr(fault.text, samples[i].fault));
        config_destroy(&config);
    }
    char many[1024] = "syslog\n    listen = ";
    for (unsigned i = 0; i < 17; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%sudp:127.0.0.1:%u", i ? ", " : "",
                 5140 + i);
    struct config *config = configure(many);
    struct fault fault = {{0}};
    assert_false(event_service_check(config, &fault));
    config_destroy(&config);
    config = configure("");
    assert_false(event_service_wanted(config));
    config_destroy(&config);
}

/* --- a service --- */

/* A port of loopback that nobody has now. */
static uint16_t free_port(int *held)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(own);
    *held = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(*held, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(getsockname(*held, (struct sockaddr *)&own, &size), 0);
    return ntohs(own.sin_port);
}

static void start_with(const char *text)
{
    struct fault fault;
    self.config = configure(text);
    assert_non_null(self.config);
    struct resolution_config config = {.capture = &self.group, .record = take, .seed = 1};
    self.resolution = resolution_start(&config, &fault);
    assert_non_null(self.resolution);
    self.service = event_service_new(self.config, self.resolution, NULL, &fault);
    assert_non_null(self.service);
    assert_true(event_service_start(self.service, &fault));
}

static void start(uint16_t port)
{
    char text[128];
    snprintf(text, sizeof(text), "syslog\n    listen = udp:127.0.0.1:%u\n", port);
    start_with(text);
}

static void end(void)
{
    event_service_stop(self.service);
    resolution_stop(&self.resolution);
    event_service_destroy(&self.service);
    event_service_destroy(&self.service);
    config_destroy(&self.config);
    atomic_store(&self.records, 0);
}

static void send_text(uint16_t port, const char *text)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(sendto(s, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)), strlen(text));
    close(s);
}

static struct event_input_state state_of(unsigned i)
{
    struct event_input_state state;
    assert_true(event_service_input(self.service, i, &state));
    return state;
}

#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        int64_t began_ = clock_monotonic(clock_system());                                                    \
        while (!(condition)) {                                                                               \
            assert_true(clock_monotonic(clock_system()) - began_ < PATIENCE);                                \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

static void events_reach_the_resolver(void **state)
{
    (void)state;
    int held;
    struct event_health health;
    struct event_input_state input;
    uint16_t port = free_port(&held);
    close(held);
    start(port);
    send_text(port, EVENT);
    UNTIL(atomic_load(&self.records) == 1);
    send_text(port, "not \x01 what \"Picket\" reads");
    UNTIL(state_of(0).counters.invalid == 1);
    assert_int_equal(state_of(0).counters.understood, 1);
    assert_true(state_of(0).running);
    assert_string_equal(state_of(0).name, "syslog");
    assert_non_null(strstr(state_of(0).text, "udp:127.0.0.1:"));
    assert_false(event_service_input(self.service, 1, &input));
    assert_false(event_service_health(self.service, 0, &health));
    event_service_kept(self.service, 0);
    event_service_kept(self.service, UINT64_MAX);
    event_service_kept(self.service, UINT64_C(1) << 56 | 5); /* syslog waits for nothing */
    /* what the control socket answers */
    struct json_writer w;
    struct bytes json;
    json_writer_init(&w, 1 << 20);
    view_inputs(&w, self.service, 10);
    assert_true(json_writer_done(&w, &json));
    json_t *answer = json_loadb((const char *)json.data, json.size, 0, NULL);
    assert_non_null(answer);
    const json_t *entry = json_array_get(json_object_get(answer, "quarantine"), 0);
    assert_string_equal(show_text(entry, "message"), "not \x01 what \"Picket\" reads");
    assert_string_equal(show_text(entry, "address"), "127.0.0.1");
    assert_int_equal(show_number(entry, "size", 0), 25);
    assert_int_equal(json_array_size(json_object_get(answer, "not_understood")), 1);
    json_decref(answer);
    json_writer_free(&w);
    end();
}

static void write_text(const char *path, const gnutls_datum_t *text)
{
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(text->data, 1, text->size, to), text->size);
    assert_int_equal(fclose(to), 0);
}

/* A certificate that vouches for itself, and its key. */
static void write_certificate(const char *certificate, const char *key)
{
    gnutls_x509_privkey_t private;
    gnutls_x509_crt_t own;
    gnutls_datum_t text;
    assert_true(gnutls_x509_privkey_init(&private) >= 0);
    assert_true(gnutls_x509_crt_init(&own) >= 0);
    assert_true(gnutls_x509_privkey_generate(private, GNUTLS_PK_ECDSA,
                                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0);
    gnutls_x509_crt_set_version(own, 3);
    gnutls_x509_crt_set_serial(own, "1", 1);
    gnutls_x509_crt_set_activation_time(own, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(own, time(NULL) + 3600);
    gnutls_x509_crt_set_key(own, private);
    assert_true(gnutls_x509_crt_sign2(own, own, private, GNUTLS_DIG_SHA256, 0) >= 0);
    assert_true(gnutls_x509_crt_export2(own, GNUTLS_X509_FMT_PEM, &text) >= 0);
    write_text(certificate, &text);
    gnutls_free(text.data);
    assert_true(gnutls_x509_privkey_export2(private, GNUTLS_X509_FMT_PEM, &text) >= 0);
    write_text(key, &text);
    gnutls_free(text.data);
    gnutls_x509_crt_deinit(own);
    gnutls_x509_privkey_deinit(private);
}

/* A key that does not fit yet leaves what was there in use, and says so. */
static void certificates_are_read_again(void **state)
{
    (void)state;
    static const char wrong[] = "with earlier certificates and keys";
    char place[] = "/tmp/picket-syslog-XXXXXX", certificate[64], key[64], other[64], settings[512];
    assert_non_null(mkdtemp(place));
    snprintf(certificate, sizeof(certificate), "%s/c.pem", place);
    snprintf(key, sizeof(key), "%s/k.pem", place);
    snprintf(other, sizeof(other), "%s/o.pem", place);
    write_certificate(certificate, key);
    snprintf(settings, sizeof(settings),
             "syslog\n    listen = tls:127.0.0.1:0\n    certificate = %s\n    key = %s\n", certificate, key);
    start_with(settings);
    assert_true(state_of(0).running);
    event_service_renew(self.service);
    write_certificate(other, key);
    event_service_renew(self.service);
    UNTIL(strstr(state_of(0).text, wrong));
    assert_true(state_of(0).running);
    write_certificate(certificate, key);
    event_service_renew(self.service);
    UNTIL(!strstr(state_of(0).text, wrong));
    assert_true(state_of(0).running);
    end();
    unlink(certificate);
    unlink(key);
    unlink(other);
    rmdir(place);
}

static void a_port_that_is_taken_is_told(void **state)
{
    (void)state;
    int held;
    struct event_health health;
    start(free_port(&held));
    assert_false(state_of(0).running);
    assert_true(event_service_health(self.service, 0, &health));
    assert_int_equal(health.number, 1021);
    assert_string_equal(health.issue, "syslog_not_processed");
    assert_string_equal(health.subject, "input syslog");
    assert_non_null(strstr(health.text, "udp:127.0.0.1:"));
    assert_false(event_service_health(self.service, 1, &health));
    end();
    close(held);
}

/* --- the table --- */

#define INPUTS                                                                                               \
    "{" VIEW "\"time\":\"2026-11-22T07:00:00.000Z\",\"inputs\":["                                            \
    "{\"input\":\"syslog\",\"running\":true,\"where\":\"udp:0.0.0.0:514; 2 connected\",\"reason\":null,"     \
    "\"received\":10,\"understood\":4,\"ignored\":3,\"invalid\":2,\"dropped\":1,"                            \
    "\"last\":\"2026-11-22T06:59:57.000Z\"},"                                                                \
    "{\"input\":\"radius\",\"running\":false,\"where\":null,\"reason\":\"taken\",\"received\":0,"            \
    "\"understood\":0,\"ignored\":0,\"invalid\":0,\"dropped\":0,\"last\":null}],"                            \
    "\"not_understood\":[{\"input\":\"syslog\",\"format\":\"cef\",\"address\":\"192.0.2.1\",\"count\":2,"    \
    "\"last\":\"2026-11-22T06:59:00.000Z\"}],\"not_understood_others\":0,"                                   \
    "\"quarantine\":[{\"number\":7,\"time\":\"2026-11-22T06:59:00.000Z\",\"input\":\"syslog\","              \
    "\"format\":\"cef\",\"address\":\"192.0.2.1\",\"reason\":\"CEF: no rt\",\"size\":9,"                     \
    "\"message\":\"CEF:0\\u001b|\"}]}"

static void inputs_are_drawn(void **state)
{
    (void)state;
    char *out = draw(show_inputs, INPUTS, &no_options, plain);
    squeeze(out);
    assert_string_equal(out, "INPUT WHERE RECEIVED UNDERSTOOD IGNORED INVALID DROPPED LAST\n"
                             "syslog udp:0.0.0.0:514; 2 connected 10 4 3 2 1 3s\n"
                             "radius taken 0 0 0 0 0 -\n"
                             "\n"
                             "NOT UNDERSTOOD FROM FORMAT COUNT LAST\n"
                             "syslog 192.0.2.1 cef 2 1m00s\n"
                             "2026-11-22T06:59:00 syslog from 192.0.2.1, cef: CEF: no rt\n"
                             "CEF:0\\u001b|\n");
    free(out);
    out = draw(show_inputs, "{" VIEW "\"inputs\":[]}", &no_options, plain);
    assert_non_null(strstr(out, "hears no events"));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_section_is_checked),
        cmocka_unit_test(events_reach_the_resolver),
        cmocka_unit_test(certificates_are_read_again),
        cmocka_unit_test(a_port_that_is_taken_is_told),
        cmocka_unit_test(inputs_are_drawn),
    };
    log_set_level(LOG_LEVEL_ERROR - 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
