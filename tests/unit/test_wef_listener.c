/* SPDX-License-Identifier: Apache-2.0
 *
 * The event collector on a real socket, by certificate: what is acknowledged when, and who is let in.
 */
#include "events/wef_listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "events/translate.h"
#include "tests/unit/place.h"

#include "tests/unit/ldap_server.h"

#define SECOND (1000 * 1000 * 1000LL)

/* --- certificates --- */

static void put_pem(struct place *place, const char *name, int (*export)(gnutls_datum_t *, void *),
                    void *from)
{
    gnutls_datum_t pem;
    assert_int_equal(export(&pem, from), 0);
    place_put(place, name, pem.data, pem.size);
    gnutls_free(pem.data);
}

static int export_crt(gnutls_datum_t *pem, void *crt)
{
    return gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, pem);
}

static int export_key(gnutls_datum_t *pem, void *key)
{
    return gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, pem);
}

static void issue(struct place *place, const struct authority *a, const char *name, const char *purpose,
                  const char *crt_file, const char *key_file)
{
    char dn[128];
    snprintf(dn, sizeof dn, "CN=%s", name);
    gnutls_x509_privkey_t key = make_key();
    gnutls_x509_crt_t crt = make_certificate(dn, key, time(NULL) - 3600, time(NULL) + 3600);
    assert_int_equal(gnutls_x509_crt_set_key_purpose_oid(crt, purpose, 0), 0);
    assert_int_equal(gnutls_x509_crt_sign2(crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0), 0);
    put_pem(place, crt_file, export_crt, crt);
    put_pem(place, key_file, export_key, key);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

/* --- the collector --- */

struct world {
    struct place place;
    struct authority authority;
    struct quarantine *quarantine;
    struct intake *intake;
    struct wef_listener *listener;
    pthread_mutex_t lock;
    unsigned records, room;
    uint64_t tags[64];
    uint8_t saved[4096];
    size_t saved_size;
    int64_t patience;
};

static bool take_record(void *context, struct bytes record, uint64_t tag)
{
    struct world *w = context;
    (void)record;
    pthread_mutex_lock(&w->lock);
    bool room = w->records < w->room;
    if (room)
        w->tags[w->records++] = tag;
    pthread_mutex_unlock(&w->lock);
    return room;
}

static bool save(void *context, struct bytes state)
{
    struct world *w = context;
    assert_true(state.size <= sizeof w->saved);
    pthread_mutex_lock(&w->lock);
    memcpy(w->saved, state.data, state.size);
    w->saved_size = state.size;
    pthread_mutex_unlock(&w->lock);
    return true;
}

static void collector_start(struct world *w)
{
    char certificate[400], key[400];
    struct fault fault = {0};
    const struct endpoint https = {.address = {.family = 4, .bytes = {127, 0, 0, 1}}};
    snprintf(certificate, sizeof certificate, "%s/server.pem", w->place.path);
    snprintf(key, sizeof key, "%s/server.key", w->place.path);
    const struct wef_listener_config config = {
        .https = &https,
        .https_count = 1,
        .certificate = certificate,
        .key = key,
        .authorities = w->authority.path,
        .terms = {.heartbeat = 60, .latency = 5},
        .seed = 3,
        .intake = w->intake,
        .patience = w->patience,
        .saved = {.data = w->saved, .size = w->saved_size},
        .save = save,
        .context = w,
    };
    w->listener = wef_listener_start(&config, &fault);
    if (!w->listener)
        print_error("%s\n", fault.text);
    assert_non_null(w->listener);
}

static void open_world(struct world *w)
{
    *w = (struct world){.room = 64};
    log_set_level(LOG_LEVEL_ERROR);
    pthread_mutex_init(&w->lock, NULL);
    place_open(&w->place);
    authority_make(&w->authority, "CN=Authority of the computers");
    issue(&w->place, &w->authority, "sensor.corp.example", GNUTLS_KP_TLS_WWW_SERVER, "server.pem",
          "server.key");
    issue(&w->place, &w->authority, "dc01.corp.example", GNUTLS_KP_TLS_WWW_CLIENT, "dc01.pem", "dc01.key");
    w->quarantine = quarantine_new(5);
    const struct intake_config config = {.input = "wef",
                                         .translate = event_translate,
                                         .record = take_record,
                                         .context = w,
                                         .quarantine = w->quarantine};
    w->intake = intake_new(&config);
    collector_start(w);
}

static void close_world(struct world *w)
{
    wef_listener_stop(&w->listener);
    wef_listener_stop(&w->listener);
    intake_destroy(&w->intake);
    quarantine_destroy(&w->quarantine);
    authority_drop(&w->authority);
    place_close(&w->place);
    pthread_mutex_destroy(&w->lock);
}

static unsigned records(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    unsigned count = w->records;
    pthread_mutex_unlock(&w->lock);
    return count;
}

/* --- a source --- */

struct source {
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    int fd;
    char answer[65536];
    size_t size;
};

static void source_open(struct source *s, struct world *w, bool certificate)
{
    struct wef_status status;
    char pem[400], key[400];
    *s = (struct source){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    wef_listener_status(w->listener, &status);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(status.https_port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(s->fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(gnutls_certificate_allocate_credentials(&s->credentials), 0);
    snprintf(pem, sizeof pem, "%s/dc01.pem", w->place.path);
    snprintf(key, sizeof key, "%s/dc01.key", w->place.path);
    if (certificate)
        assert_int_equal(gnutls_certificate_set_x509_key_file(s->credentials, pem, key, GNUTLS_X509_FMT_PEM),
                         0);
    assert_int_equal(gnutls_init(&s->session, GNUTLS_CLIENT), 0);
    assert_int_equal(gnutls_set_default_priority(s->session), 0);
    assert_int_equal(gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, s->credentials), 0);
    gnutls_transport_set_int(s->session, s->fd);
    gnutls_handshake_set_timeout(s->session, 60000);
    int rc;
    do
        rc = gnutls_handshake(s->session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    assert_int_equal(rc, 0);
}

static void source_close(struct source *s)
{
    gnutls_deinit(s->session);
    gnutls_certificate_free_credentials(s->credentials);
    close(s->fd);
}

static void source_send(struct source *s, const char *method, const char *path, const void *body, size_t size)
{
    char head[1024];
    int length =
        snprintf(head, sizeof head,
                 "%s %s HTTP/1.1\r\nHost: sensor\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 method, path, size);
    assert_int_equal(gnutls_record_send(s->session, head, (size_t)length), length);
    for (size_t at = 0; at < size;) {
        ssize_t sent = gnutls_record_send(s->session, (const char *)body + at, size - at);
        assert_true(sent > 0);
        at += (size_t)sent;
    }
}

/* The status of the answer, which then stands in `answer`; 0: none within that time; -1: the connection
 * ended. */
static int source_status(struct source *s, int milliseconds)
{
    s->size = 0;
    gnutls_record_set_timeout(s->session, (unsigned)milliseconds);
    for (;;) {
        ssize_t got = gnutls_record_recv(s->session, s->answer + s->size, sizeof s->answer - 1 - s->size);
        if (got == GNUTLS_E_TIMEDOUT)
            return 0;
        if (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_AGAIN)
            continue;
        if (got <= 0)
            return -1;
        s->size += (size_t)got;
        s->answer[s->size] = 0;
        const char *end = strstr(s->answer, "\r\n\r\n"), *length = strstr(s->answer, "Content-Length: ");
        if (end && (!length || s->size >= (size_t)(end + 4 - s->answer) + (size_t)atol(length + 16)))
            return atoi(s->answer + 9);
    }
}

static void source_send_file(struct source *s, const char *path, const char *name)
{
    char file[400], body[8192];
    snprintf(file, sizeof file, "%s/wef/%s", PICKET_TEST_DATA, name);
    FILE *f = fopen(file, "rb");
    assert_non_null(f);
    size_t size = fread(body, 1, sizeof body, f);
    fclose(f);
    source_send(s, "POST", path, body, size);
}

#define PATIENCE_MS 60000
#define NEVER_MS    300
#define MANAGER     "/wsman/SubscriptionManager/WEC"

static bool acknowledged(const struct source *s)
{
    return strstr(s->answer, "wsman/1/wsman/Ack</a:Action>") != NULL;
}

/* --- the tests --- */

static void test_acknowledges_what_is_safe(void **state)
{
    (void)state;
    struct world w;
    struct source s;
    open_world(&w);
    source_open(&s, &w, true);
    source_send_file(&s, MANAGER, "enumerate.xml");
    assert_int_equal(source_status(&s, PATIENCE_MS), 200);
    assert_non_null(strstr(s.answer, "EnumerateResponse"));
    source_send_file(&s, wef_subscription_path(), "heartbeat.xml");
    assert_int_equal(source_status(&s, PATIENCE_MS), 200);
    assert_true(acknowledged(&s));

    source_send_file(&s, wef_subscription_path(), "events.xml");
    assert_int_equal(source_status(&s, NEVER_MS), 0);
    while (records(&w) < 2)
        usleep(1000);
    wef_listener_kept(w.listener, w.tags[0]);
    wef_listener_kept(w.listener, w.tags[0] ^ (UINT64_C(1) << 20)); /* of no batch */
    assert_int_equal(source_status(&s, NEVER_MS), 0);
    wef_listener_kept(w.listener, w.tags[1]);
    assert_int_equal(source_status(&s, PATIENCE_MS), 200);
    assert_true(acknowledged(&s));
    wef_listener_kept(w.listener, w.tags[1]); /* late, and once more */

    struct wef_source source;
    struct wef_status status;
    wef_listener_status(w.listener, &status);
    assert_int_equal(status.counts.events, 2);
    assert_int_equal(status.connections, 1);
    char bookmark[512];
    assert_true(wef_listener_source(w.listener, 0, &source, bookmark, 5));
    assert_int_equal(source.bookmark.size, 5);
    assert_true(wef_listener_source(w.listener, 0, &source, bookmark, sizeof bookmark));
    assert_int_equal(source.bookmark.size, 92);
    assert_bytes_equal(bookmark, "<BookmarkList>", 14);
    assert_string_equal(source.name, "dc01.corp.example");
    assert_false(wef_listener_source(w.listener, 1, &source, NULL, 0));
    char text[256];
    struct text t = text_to(text, sizeof text);
    wef_listener_describe(w.listener, &t);
    text_end(&t);
    assert_non_null(strstr(text, "https 127.0.0.1:"));
    assert_non_null(strstr(text, "; 1 source"));
    source_close(&s);

    /* Its next life gives the bookmark back. */
    wef_listener_stop(&w.listener);
    assert_true(w.saved_size > 0);
    collector_start(&w);
    source_open(&s, &w, true);
    source_send_file(&s, MANAGER, "enumerate.xml");
    assert_int_equal(source_status(&s, PATIENCE_MS), 200);
    assert_non_null(strstr(s.answer, "RecordId=\"1002\""));
    source_close(&s);
    close_world(&w);
}

static void test_what_is_not_kept(void **state)
{
    (void)state;
    struct world w;
    struct source s;
    open_world(&w);
    wef_listener_stop(&w.listener);
    w.patience = SECOND / 5;
    collector_start(&w);
    source_open(&s, &w, true);
    source_send_file(&s, wef_subscription_path(), "events.xml");
    assert_int_equal(source_status(&s, PATIENCE_MS), 503);
    assert_false(acknowledged(&s));
    struct wef_status status;
    wef_listener_status(w.listener, &status);
    assert_int_equal(status.not_kept, 1);
    source_close(&s);

    /* No room at all: it shall come again. */
    pthread_mutex_lock(&w.lock);
    w.room = w.records;
    pthread_mutex_unlock(&w.lock);
    source_open(&s, &w, true);
    source_send_file(&s, wef_subscription_path(), "events.xml");
    assert_int_equal(source_status(&s, PATIENCE_MS), 500);
    assert_non_null(strstr(s.answer, "EndpointUnavailable"));
    source_close(&s);
    close_world(&w);
}

/* The end comes while a source waits. */
static void test_ends_with_one_waiting(void **state)
{
    (void)state;
    struct world w;
    struct source s;
    open_world(&w);
    source_open(&s, &w, true);
    source_send_file(&s, wef_subscription_path(), "events.xml");
    while (records(&w) < 2)
        usleep(1000);
    wef_listener_stop(&w.listener);
    assert_int_not_equal(source_status(&s, PATIENCE_MS), 200);
    source_close(&s);
    close_world(&w);
}

static void test_who_is_let_in(void **state)
{
    (void)state;
    struct world w;
    struct source s;
    open_world(&w);
    source_open(&s, &w, false);
    source_send_file(&s, MANAGER, "enumerate.xml");
    assert_int_equal(source_status(&s, PATIENCE_MS), 403);
    source_close(&s);

    static const struct {
        const char *method, *path, *body;
        int status;
    } cases[] = {
        {"POST", MANAGER, "<a/>", 500}, {"GET", MANAGER, "", 405},  {"POST", "/other", "x", 404},
        {"POST", "/other", "", 404},    {"POST", MANAGER, "", 200}, {"PUT", MANAGER, "x", 405},
        {"POST", MANAGER, "x", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%zu\n", i);
        source_open(&s, &w, true);
        source_send(&s, cases[i].method, cases[i].path, cases[i].body, strlen(cases[i].body));
        assert_int_equal(source_status(&s, PATIENCE_MS), cases[i].status);
        source_close(&s);
    }
    struct wef_status status;
    wef_listener_status(w.listener, &status);
    assert_int_equal(status.refused, 1);
    close_world(&w);
}

static void test_cannot_start(void **state)
{
    (void)state;
    struct world w;
    open_world(&w);
    struct wef_status status;
    wef_listener_status(w.listener, &status);
    struct fault fault;
    char certificate[400], key[400];
    snprintf(certificate, sizeof certificate, "%s/server.pem", w.place.path);
    snprintf(key, sizeof key, "%s/server.key", w.place.path);
    const struct endpoint taken = {.address = {.family = 4, .bytes = {127, 0, 0, 1}},
                                   .port = status.https_port};
    const struct endpoint v6 = {.address = {.family = 6, .bytes = {[15] = 1}}};
    struct wef_listener_config config = {.https = &taken,
                                         .https_count = 1,
                                         .certificate = certificate,
                                         .key = key,
                                         .authorities = w.authority.path,
                                         .terms = {60, 5, false},
                                         .intake = w.intake,
                                         .save = save,
                                         .context = &w};
    assert_null(wef_listener_start(&config, &fault));
    assert_non_null(strstr(fault.text, "127.0.0.1 port"));
    config.https = &v6;
    config.authorities = "/nonexistent";
    assert_null(wef_listener_start(&config, &fault));
    config.authorities = key;
    assert_null(wef_listener_start(&config, &fault));
    assert_false(wef_listener_check(&config, &fault));
    config.authorities = w.authority.path;
    assert_true(wef_listener_check(&config, &fault));
    config.key = certificate; /* no key in it */
    assert_null(wef_listener_start(&config, &fault));
    assert_false(wef_listener_check(&config, &fault));
    config.key = key;
    assert_int_equal(chmod(key, 0644), 0);
    assert_null(wef_listener_start(&config, &fault));
    assert_non_null(strstr(fault.text, "everyone"));
    assert_false(wef_listener_check(&config, &fault));
    assert_non_null(strstr(fault.text, "everyone"));
    config.https_count = 0;
    config.http = &v6;
    config.http_count = 1;
    config.keytab = "/nonexistent";
    assert_null(wef_listener_start(&config, &fault));
    assert_false(wef_listener_check(&config, &fault));
    assert_true(strlen(fault.text) > 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledges_what_is_safe),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_ends_with_one_waiting),
        cmocka_unit_test(test_who_is_let_in),
        cmocka_unit_test(test_cannot_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
