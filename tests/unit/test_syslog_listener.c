/* SPDX-License-Identifier: Apache-2.0
 *
 * The syslog listener on loopback: datagrams, both framings, TLS with and without certificates of clients,
 * who may send, and what it refuses.
 */
#include "events/syslog_listener.h"

#include "base/clock.h"

#include "place.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#define PATIENCE (60 * CLOCK_SECOND)

#define RSA(account) "RsaSA\n2015-May-19 09:07:09\n4776\nP\nSecurity\ndc1\n" account "\nWS\n0x0"
#define UNKNOWN      "<34>Oct 11 22:14:15 mymachine su: 'su root' failed"

static struct {
    struct place place;
    struct quarantine *quarantine;
    struct intake *intake;
    struct syslog_listener *listener;
} self;

static bool take(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    (void)tag;
    return record.size > 0;
}

static struct syslog_listener_config config_of(const char *const *addresses)
{
    struct syslog_listener_config config = {.intake = self.intake};
    for (; *addresses; addresses++)
        assert_true(syslog_address_parse(*addresses, &config.addresses[config.address_count++]));
    return config;
}

static void start(const struct syslog_listener_config *config)
{
    struct fault fault = {{0}};
    self.listener = syslog_listener_start(config, &fault);
    if (!self.listener)
        fail_msg("%s", fault.text);
}

/* --- a sender --- */

static struct sockaddr_in6 target(const char *address, unsigned place)
{
    struct sockaddr_in6 to = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&to;
    uint16_t port = htons(syslog_listener_port(self.listener, place));
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
    } else {
        to.sin6_family = AF_INET6;
        to.sin6_port = port;
        assert_int_equal(inet_pton(AF_INET6, address, &to.sin6_addr), 1);
    }
    return to;
}

static int dial(const char *address, unsigned place, int type)
{
    struct sockaddr_in6 to = target(address, place);
    int s = socket(to.sin6_family, type, 0);
    assert_true(s >= 0);
    assert_int_equal(connect(s, (struct sockaddr *)&to, sizeof(to)), 0);
    return s;
}

static void send_text(int s, const char *text)
{
    assert_int_equal(send(s, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static struct intake_counters counters(void)
{
    struct intake_counters c;
    intake_counters(self.intake, &c);
    return c;
}

static struct syslog_listener_counters own_counters(void)
{
    struct syslog_listener_counters c;
    syslog_listener_counters(self.listener, &c);
    return c;
}

#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        int64_t began_ = clock_monotonic(clock_system());                                                    \
        while (!(condition)) {                                                                               \
            assert_true(clock_monotonic(clock_system()) - began_ < PATIENCE);                                \
            usleep(1000);                                                                                    \
        }                                                                                                    \
    } while (0)

/* The other side has closed. */
static void expect_closed(int s)
{
    char byte;
    struct timeval patience = {.tv_sec = 60};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_true(recv(s, &byte, 1, 0) <= 0);
    close(s);
}

/* --- tests --- */

static void datagrams_are_heard(void **state)
{
    (void)state;
    const char *const addresses[] = {"udp:127.0.0.1:0", "udp:[::1]:0", NULL};
    struct syslog_listener_config config = config_of(addresses);
    start(&config);
    int v4 = dial("127.0.0.1", 0, SOCK_DGRAM), v6 = dial("::1", 1, SOCK_DGRAM);
    for (unsigned i = 0; i < 100; i++) {
        send_text(i % 2 ? v4 : v6, RSA("alice"));
        UNTIL(counters().received == i + 1);
    }
    send_text(v6, UNKNOWN);
    send_text(v4, "CEF:0|Microsoft|ATA|1.9.0.0|X|y|5|start=1");
    UNTIL(counters().received == 102);
    assert_int_equal(counters().understood, 100);
    assert_int_equal(counters().invalid, 1);
    assert_int_equal(counters().ignored, 1);
    struct quarantine_entry entry;
    struct ip_address from;
    assert_true(quarantine_before(self.quarantine, UINT64_MAX, &entry));
    assert_true(ip_address_parse("::1", &from));
    assert_true(ip_address_equal(&entry.origin.address, &from));
    assert_string_equal(entry.origin.format, "unknown");
    close(v4);
    close(v6);
}

static void streams_are_heard(void **state)
{
    (void)state;
    const char *const addresses[] = {"tcp:[::]:0", NULL};
    struct syslog_listener_config config = config_of(addresses);
    start(&config);
    int s = dial("127.0.0.1", 0, SOCK_STREAM);
    send_text(s, UNKNOWN "\n");
    send_text(s, "50 " UNKNOWN);
    UNTIL(counters().invalid == 2);
    /* no end: it is taken when nothing more comes */
    send_text(s, RSA("bob"));
    UNTIL(counters().understood == 1);
    for (const char *at = RSA("carol") "\n" RSA("dave"); *at; at++)
        send_text(s, (char[]){*at, '\0'});
    shutdown(s, SHUT_WR);
    UNTIL(counters().understood == 3);
    expect_closed(s);
    UNTIL(own_counters().connections == 0);
    assert_int_equal(own_counters().accepted, 1);
    assert_int_equal(own_counters().broken, 0);
    /* the sender is known by its IPv4 address */
    struct quarantine_entry entry;
    assert_true(quarantine_before(self.quarantine, UINT64_MAX, &entry));
    assert_int_equal(entry.origin.address.family, 4);
    /* one that ends within a message */
    s = dial("::1", 0, SOCK_STREAM);
    send_text(s, "500 <13>x");
    shutdown(s, SHUT_WR);
    UNTIL(own_counters().broken == 1);
    expect_closed(s);
    assert_int_equal(counters().received, 5);
    /* one of a format that is known, damaged */
    s = dial("::1", 0, SOCK_STREAM);
    send_text(s, "CEF:0|Microsoft|Microsoft Windows||4776|n|l|externalId=4776\n");
    UNTIL(counters().invalid == 3);
    assert_true(quarantine_before(self.quarantine, UINT64_MAX, &entry));
    assert_string_equal(entry.origin.format, "cef");
    close(s);
}

static void a_long_stream_is_heard_whole(void **state)
{
    (void)state;
    enum { MESSAGES = 20000 };
    const char *const addresses[] = {"tcp:127.0.0.1:0", NULL};
    struct syslog_listener_config config = config_of(addresses);
    start(&config);
    int s = dial("127.0.0.1", 0, SOCK_STREAM);
    char one[256];
    static char all[64 * 256];
    for (unsigned i = 0; i < MESSAGES; i += 64) {
        size_t n = 0;
        for (unsigned k = i; k < i + 64 && k < MESSAGES; k++) {
            int size = snprintf(one, sizeof(one), "<13>" RSA("user%u"), k);
            n += (size_t)(k % 2 ? snprintf(all + n, sizeof(all) - n, "%d %s", size, one)
                                : snprintf(all + n, sizeof(all) - n, "%s\n", one));
        }
        for (size_t at = 0; at < n;) {
            ssize_t sent = send(s, all + at, n - at, MSG_NOSIGNAL);
            assert_true(sent > 0);
            at += (size_t)sent;
        }
    }
    UNTIL(counters().understood == MESSAGES);
    close(s);
    UNTIL(own_counters().connections == 0);
    assert_int_equal(counters().received, MESSAGES);
}

static void only_the_allowed_are_heard(void **state)
{
    (void)state;
    const char *const addresses[] = {"udp:127.0.0.1:0", "tcp:127.0.0.1:0", NULL};
    struct syslog_listener_config config = config_of(addresses);
    assert_true(sender_parse("192.0.2.0/24", &config.allow.of[config.allow.count++]));
    start(&config);
    int s = dial("127.0.0.1", 0, SOCK_DGRAM);
    send_text(s, UNKNOWN);
    UNTIL(own_counters().refused == 1);
    close(s);
    s = dial("127.0.0.1", 1, SOCK_STREAM);
    expect_closed(s);
    UNTIL(own_counters().refused == 2);
    assert_int_equal(counters().received, 0);
}

static void connections_are_bounded(void **state)
{
    (void)state;
    const char *const addresses[] = {"tcp:127.0.0.1:0", NULL};
    struct syslog_listener_config config = config_of(addresses);
    config.connections_max = 4;
    config.connections_of_address_max = 3;
    config.idle = 2 * CLOCK_SECOND;
    start(&config);
    int s[4];
    for (unsigned i = 0; i < 3; i++)
        s[i] = dial("127.0.0.1", 0, SOCK_STREAM);
    UNTIL(own_counters().connections == 3);
    s[3] = dial("127.0.0.1", 0, SOCK_STREAM);
    UNTIL(own_counters().crowded == 1);
    expect_closed(s[3]);
    send_text(s[0], "500 <13>x");
    for (unsigned i = 0; i < 3; i++)
        expect_closed(s[i]); /* silent for too long */
    UNTIL(own_counters().connections == 0);
    assert_int_equal(own_counters().broken, 1);
}

static void what_cannot_be_listened_at_is_told(void **state)
{
    (void)state;
    const char *const addresses[] = {"udp:192.0.2.1:5140", NULL}, *const any[] = {"tcp:127.0.0.1:0", NULL},
                      *const tls[] = {"tls:127.0.0.1:0", NULL};
    struct fault fault;
    struct syslog_listener_config config = config_of(addresses);
    assert_null(syslog_listener_start(&config, &fault));
    assert_non_null(strstr(fault.text, "udp:192.0.2.1:5140: "));
    config = config_of(any);
    start(&config);
    config.addresses[0].endpoint.port = syslog_listener_port(self.listener, 0);
    assert_null(syslog_listener_start(&config, &fault));
    config = config_of(tls);
    assert_null(syslog_listener_start(&config, &fault));
    assert_non_null(strstr(fault.text, "certificate"));
    config.certificate = config.key = "/nonexistent";
    assert_null(syslog_listener_start(&config, &fault));
    assert_non_null(strstr(fault.text, "/nonexistent"));
}

static void it_says_where_it_listens(void **state)
{
    (void)state;
    const char *const addresses[] = {"udp:127.0.0.1:0", "tcp:[::1]:0", NULL};
    struct syslog_listener_config config = config_of(addresses);
    char text[256];
    start(&config);
    struct text t = text_to(text, sizeof(text));
    syslog_listener_describe(self.listener, &t);
    text_end(&t);
    assert_string_equal(text, "udp:127.0.0.1:0, tcp:[::1]:0");
}

/* --- TLS --- */

struct identity {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};

static struct identity certify(const char *name, const struct identity *issuer)
{
    struct identity own;
    static uint8_t serial;
    serial++;
    gnutls_x509_privkey_init(&own.key);
    gnutls_x509_privkey_generate(own.key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                 0);
    gnutls_x509_crt_init(&own.certificate);
    gnutls_x509_crt_set_version(own.certificate, 3);
    gnutls_x509_crt_set_serial(own.certificate, &serial, 1);
    gnutls_x509_crt_set_activation_time(own.certificate, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(own.certificate, time(NULL) + 86400);
    gnutls_x509_crt_set_dn_by_oid(own.certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                  (unsigned)strlen(name));
    gnutls_x509_crt_set_basic_constraints(own.certificate, issuer == NULL, -1);
    gnutls_x509_crt_set_key(own.certificate, own.key);
    const struct identity *by = issuer ? issuer : &own;
    assert_true(gnutls_x509_crt_sign2(own.certificate, by->certificate, by->key, GNUTLS_DIG_SHA256, 0) >= 0);
    return own;
}

static void forget(struct identity *identity)
{
    gnutls_x509_crt_deinit(identity->certificate);
    gnutls_x509_privkey_deinit(identity->key);
}

static void write_identity(const struct identity *identity, const char *certificate, const char *key)
{
    gnutls_datum_t text;
    assert_true(gnutls_x509_crt_export2(identity->certificate, GNUTLS_X509_FMT_PEM, &text) >= 0);
    place_put(&self.place, certificate, text.data, text.size);
    gnutls_free(text.data);
    assert_true(gnutls_x509_privkey_export2(identity->key, GNUTLS_X509_FMT_PEM, &text) >= 0);
    place_put(&self.place, key, text.data, text.size);
    gnutls_free(text.data);
}

/* Sends over TLS, with a certificate or without. False: it could not; a refusal that comes late (TLS 1.3) is
 * not always seen here. */
static bool send_sealed(const struct identity *identity, const char *text)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t session;
    int s = dial("127.0.0.1", 0, SOCK_STREAM), rc;
    gnutls_certificate_allocate_credentials(&credentials);
    if (identity) {
        gnutls_x509_crt_t chain[] = {identity->certificate};
        gnutls_certificate_set_x509_key(credentials, chain, 1, identity->key);
    }
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, s);
    do
        rc = gnutls_handshake(session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    bool fine = rc == 0 && gnutls_record_send(session, text, strlen(text)) == (ssize_t)strlen(text);
    if (fine)
        gnutls_bye(session, GNUTLS_SHUT_RDWR);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    close(s);
    return fine;
}

static void sealed_streams_are_heard(void **state)
{
    (void)state;
    const char *const addresses[] = {"tls:127.0.0.1:0", NULL};
    char certificate[400], key[400], ca[400];
    struct identity root = certify("root", NULL), server = certify("localhost", &root),
                    client = certify("relay", &root), stranger = certify("stranger", NULL);
    write_identity(&server, "server.pem", "server.key");
    write_identity(&root, "root.pem", "root.key");
    snprintf(certificate, sizeof(certificate), "%s", place_file(&self.place, "server.pem"));
    snprintf(key, sizeof(key), "%s", place_file(&self.place, "server.key"));
    snprintf(ca, sizeof(ca), "%s", place_file(&self.place, "root.pem"));
    struct syslog_listener_config config = config_of(addresses);
    config.certificate = certificate;
    config.key = key;
    start(&config);
    /* nobody is asked */
    assert_true(send_sealed(NULL, "62 <13>" RSA("aaaa")));
    UNTIL(counters().understood == 1);
    UNTIL(own_counters().connections == 0);
    int s = dial("127.0.0.1", 0, SOCK_STREAM);
    send_text(s, "this is no TLS, and long enough to be seen as none");
    expect_closed(s);
    UNTIL(own_counters().handshakes == 1);
    syslog_listener_stop(&self.listener);
    /* only with a certificate of the root */
    config.client_ca = ca;
    start(&config);
    assert_true(send_sealed(&client, "62 <13>" RSA("bbbb")));
    UNTIL(counters().understood == 2);
    send_sealed(NULL, "62 <13>" RSA("cccc"));
    UNTIL(own_counters().handshakes == 1);
    send_sealed(&stranger, "62 <13>" RSA("dddd"));
    UNTIL(own_counters().handshakes == 2);
    assert_int_equal(counters().received, 2);
    /* Another authority, while it runs: who had a certificate of the one before is not let in any more. */
    struct fault fault;
    write_identity(&stranger, "stranger.pem", "stranger.key");
    write_identity(&stranger, "root.pem", "root.key");
    assert_true(syslog_listener_renew(self.listener, &config, &fault));
    assert_true(syslog_listener_renew(self.listener, &config, &fault));
    assert_true(send_sealed(&stranger, "62 <13>" RSA("eeee")));
    UNTIL(counters().understood == 3);
    send_sealed(&client, "62 <13>" RSA("ffff"));
    UNTIL(own_counters().handshakes == 3);
    /* A key that does not fit: those of before stay. */
    config.key = place_file(&self.place, "stranger.key");
    assert_false(syslog_listener_renew(self.listener, &config, &fault));
    assert_true(send_sealed(&stranger, "62 <13>" RSA("gggg")));
    UNTIL(counters().understood == 4);
    assert_int_equal(counters().received, 4);
    config.key = key;
    assert_true(syslog_listener_renew(self.listener, &config, &fault)); /* nobody comes any more */
    syslog_listener_stop(&self.listener);
    config.client_ca = "/dev/null";
    assert_null(syslog_listener_start(&config, &fault));
    forget(&root);
    forget(&server);
    forget(&client);
    forget(&stranger);
}

static int setup(void **state)
{
    (void)state;
    memset(&self, 0, sizeof(self));
    place_open(&self.place);
    self.quarantine = quarantine_new(1);
    struct intake_config config = {
        .input = "syslog", .translate = event_translate, .record = take, .quarantine = self.quarantine};
    self.intake = intake_new(&config);
    return self.intake && self.quarantine ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    syslog_listener_stop(&self.listener);
    syslog_listener_stop(&self.listener);
    intake_destroy(&self.intake);
    quarantine_destroy(&self.quarantine);
    place_close(&self.place);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datagrams_are_heard),          TEST(streams_are_heard),
        TEST(a_long_stream_is_heard_whole), TEST(only_the_allowed_are_heard),
        TEST(connections_are_bounded),      TEST(what_cannot_be_listened_at_is_told),
        TEST(it_says_where_it_listens),     TEST(sealed_streams_are_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
