/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory of the test's own on loopback, with certificates made for it: lawful where a test wants an
 * answer, hostile where it says so. One connection at a time, each served by the test's function on the
 * server's thread.
 */
#pragma once

#include "sync/ldap_protocol.h"
#include "sync/ldap_writer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* --- certificates --- */

struct authority {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    char path[64]; /* PEM of the certificate */
};

static inline gnutls_x509_privkey_t make_key(void)
{
    gnutls_x509_privkey_t key;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    return key;
}

static inline gnutls_x509_crt_t make_certificate(const char *dn, gnutls_x509_privkey_t key, time_t from,
                                                 time_t until)
{
    gnutls_x509_crt_t crt;
    static unsigned char serial;
    serial++;
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(crt, &serial, 1), 0);
    assert_int_equal(gnutls_x509_crt_set_dn(crt, dn, NULL), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(crt, from), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, until), 0);
    assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
    return crt;
}

static inline void authority_make(struct authority *a, const char *dn)
{
    a->key = make_key();
    a->crt = make_certificate(dn, a->key, time(NULL) - 86400, time(NULL) + 86400);
    assert_int_equal(gnutls_x509_crt_set_basic_constraints(a->crt, 1, -1), 0);
    assert_int_equal(gnutls_x509_crt_set_key_usage(a->crt, GNUTLS_KEY_KEY_CERT_SIGN), 0);
    assert_int_equal(gnutls_x509_crt_sign2(a->crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_crt_export2(a->crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    (void)snprintf(a->path, sizeof a->path, "/tmp/picket-ca-XXXXXX");
    int fd = mkstemp(a->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem.data, pem.size), (ssize_t)pem.size);
    close(fd);
    gnutls_free(pem.data);
}

static inline void authority_drop(struct authority *a)
{
    gnutls_x509_crt_deinit(a->crt);
    gnutls_x509_privkey_deinit(a->key);
    unlink(a->path);
}

/* A server's, valid from and until so many seconds from now. */
static inline gnutls_certificate_credentials_t authority_issue(const struct authority *a, const char *name,
                                                               long from, long until)
{
    char dn[128];
    (void)snprintf(dn, sizeof dn, "CN=%s", name);
    gnutls_x509_privkey_t key = make_key();
    gnutls_x509_crt_t crt = make_certificate(dn, key, time(NULL) + from, time(NULL) + until);
    assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
                                                          (unsigned)strlen(name), GNUTLS_FSAN_SET),
                     0);
    assert_int_equal(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0), 0);
    assert_int_equal(gnutls_x509_crt_sign2(crt, a->crt, a->key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_certificate_credentials_t credentials;
    assert_int_equal(gnutls_certificate_allocate_credentials(&credentials), 0);
    assert_int_equal(gnutls_certificate_set_x509_key(credentials, &crt, 1, key), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return credentials;
}

/* --- the server --- */

struct ldap_server;
struct ldap_caller {
    struct ldap_server *server;
    int fd;
    gnutls_session_t session;
    uint8_t in[65536];
    size_t in_size, in_taken;
    /* the request that was read last */
    struct ldap_reply request;
    struct bytes base; /* of a search */
    void *context;
};

struct ldap_server {
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* of the descriptor below */
    int caller_fd;
    gnutls_certificate_credentials_t credentials;
    bool start_tls;        /* else TLS from the first byte */
    bool silent;           /* accepts and says nothing, not even TLS */
    const char *bind_text; /* not NULL: binds are refused with code 49 and this */
    const char *domain_dn;
    uint8_t invocation[16];
    atomic_int connections, binds;
    /* Called for each search but those that identify; false ends the connection. */
    bool (*search)(struct ldap_caller *caller);
    void *context;
};

static inline bool caller_send(struct ldap_caller *c, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t n =
            c->session ? gnutls_record_send(c->session, at, size) : send(c->fd, at, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* The next request, whole. */
static inline bool caller_receive(struct ldap_caller *c)
{
    memmove(c->in, c->in + c->in_taken, c->in_size - c->in_taken);
    c->in_size -= c->in_taken;
    c->in_taken = 0;
    for (;;) {
        size_t size = ldap_reply_size((struct bytes){c->in, c->in_size}, sizeof c->in);
        if (size == SIZE_MAX)
            return false;
        if (size && size <= c->in_size) {
            c->in_taken = size;
            if (!ldap_reply_read((struct bytes){c->in, size}, &c->request))
                return false;
            struct cursor body = c->request.body;
            c->base = ber_bytes(ber_expect(&body, BER_OCTET_STRING));
            return true;
        }
        ssize_t n = c->session ? gnutls_record_recv(c->session, c->in + c->in_size, sizeof c->in - c->in_size)
                               : recv(c->fd, c->in + c->in_size, sizeof c->in - c->in_size, 0);
        if (n <= 0)
            return false;
        c->in_size += (size_t)n;
    }
}

static inline bool caller_asks_for(const struct ldap_caller *c, const char *base)
{
    return c->base.size == strlen(base) && memcmp(c->base.data, base, c->base.size) == 0;
}

/* An LDAPResult of that operation; `control` may be empty. */
static inline bool caller_result(struct ldap_caller *c, uint32_t id, uint8_t operation, int code,
                                 const char *text, const char *control_oid, struct bytes control)
{
    uint8_t buffer[4096];
    struct ldap_writer w = {.to = buffer, .capacity = sizeof buffer};
    ldap_writer_open(&w, BER_SEQUENCE);
    ldap_writer_int(&w, BER_INTEGER, id);
    ldap_writer_open(&w, operation);
    ldap_writer_int(&w, BER_ENUMERATED, code);
    ldap_writer_string(&w, BER_OCTET_STRING, "");
    ldap_writer_string(&w, BER_OCTET_STRING, text);
    ldap_writer_close(&w);
    if (control_oid) {
        ldap_writer_open(&w, BER_CONTEXT_CONS(0));
        ldap_writer_open(&w, BER_SEQUENCE);
        ldap_writer_string(&w, BER_OCTET_STRING, control_oid);
        ldap_writer_bytes(&w, BER_OCTET_STRING, control);
        ldap_writer_close(&w);
        ldap_writer_close(&w);
    }
    ldap_writer_close(&w);
    return caller_send(c, buffer, w.size);
}

static inline bool caller_done(struct ldap_caller *c, int code)
{
    return caller_result(c, c->request.id, LDAP_OP_SEARCH_DONE, code, code ? "no" : "", NULL,
                         (struct bytes){0});
}

static inline void entry_open(struct ldap_writer *w, uint8_t *buffer, size_t capacity, uint32_t id,
                              const char *dn)
{
    *w = (struct ldap_writer){.to = buffer, .capacity = capacity};
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_int(w, BER_INTEGER, id);
    ldap_writer_open(w, LDAP_OP_ENTRY);
    ldap_writer_string(w, BER_OCTET_STRING, dn);
    ldap_writer_open(w, BER_SEQUENCE);
}

static inline void entry_attribute(struct ldap_writer *w, const char *name, const char *const *values)
{
    ldap_writer_open(w, BER_SEQUENCE);
    ldap_writer_string(w, BER_OCTET_STRING, name);
    ldap_writer_open(w, BER_SET);
    for (; values && *values; values++)
        ldap_writer_string(w, BER_OCTET_STRING, *values);
    ldap_writer_close(w);
    ldap_writer_close(w);
}

static inline bool entry_send(struct ldap_caller *c, struct ldap_writer *w)
{
    ldap_writer_close(w);
    ldap_writer_close(w);
    ldap_writer_close(w);
    return !w->failed && caller_send(c, w->to, w->size);
}

static inline bool caller_entry(struct ldap_caller *c, uint32_t id, const char *dn, const char *name,
                                const char *value)
{
    uint8_t buffer[8192];
    struct ldap_writer w;
    entry_open(&w, buffer, sizeof buffer, id, dn);
    entry_attribute(&w, name, (const char *const[]){value, NULL});
    return entry_send(c, &w);
}

static inline bool send_root(struct ldap_caller *c)
{
    uint8_t buffer[8192];
    struct ldap_writer w;
    char now[32];
    time_t t = time(NULL);
    struct tm tm;
    strftime(now, sizeof now, "%Y%m%d%H%M%S.0Z", gmtime_r(&t, &tm));
    entry_open(&w, buffer, sizeof buffer, c->request.id, "");
    const char *const configuration = "CN=Configuration,DC=corp,DC=example";
    entry_attribute(&w, "dnsHostName", (const char *const[]){"dc1.corp.example", NULL});
    if (c->server->domain_dn)
        entry_attribute(&w, "defaultNamingContext", (const char *const[]){c->server->domain_dn, NULL});
    entry_attribute(&w, "configurationNamingContext", (const char *const[]){configuration, NULL});
    entry_attribute(&w, "dsServiceName", (const char *const[]){"CN=NTDS Settings,CN=DC1", NULL});
    entry_attribute(&w, "highestCommittedUSN", (const char *const[]){"4711", NULL});
    entry_attribute(&w, "domainControllerFunctionality", (const char *const[]){"7", NULL});
    entry_attribute(&w, "currentTime", (const char *const[]){now, NULL});
    entry_attribute(&w, "supportedControl",
                    (const char *const[]){LDAP_OID_DIRSYNC, LDAP_OID_PAGED, LDAP_OID_EXTENDED_DN, NULL});
    return entry_send(c, &w) && caller_done(c, 0);
}

static inline bool send_invocation(struct ldap_caller *c)
{
    uint8_t buffer[512];
    struct ldap_writer w;
    entry_open(&w, buffer, sizeof buffer, c->request.id, "CN=NTDS Settings,CN=DC1");
    ldap_writer_open(&w, BER_SEQUENCE);
    ldap_writer_string(&w, BER_OCTET_STRING, "invocationId");
    ldap_writer_open(&w, BER_SET);
    ldap_writer_bytes(&w, BER_OCTET_STRING, (struct bytes){c->server->invocation, 16});
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    return entry_send(c, &w) && caller_done(c, 0);
}

static inline bool caller_tls(struct ldap_caller *c)
{
    assert_int_equal(gnutls_init(&c->session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL), 0);
    assert_int_equal(gnutls_set_default_priority(c->session), 0);
    assert_int_equal(gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->server->credentials), 0);
    gnutls_transport_set_int(c->session, c->fd);
    int rc;
    do
        rc = gnutls_handshake(c->session);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    return rc == 0;
}

static inline bool serve_request(struct ldap_caller *c)
{
    struct ldap_server *s = c->server;
    switch (c->request.operation) {
    case LDAP_OP_BIND:
        atomic_fetch_add(&s->binds, 1);
        return caller_result(c, c->request.id, LDAP_OP_BOUND, s->bind_text ? 49 : 0,
                             s->bind_text ? s->bind_text : "", NULL, (struct bytes){0});
    case LDAP_OP_EXTENDED_REQUEST:
        return caller_result(c, c->request.id, LDAP_OP_EXTENDED, 0, "", NULL, (struct bytes){0}) &&
               caller_tls(c);
    case LDAP_OP_SEARCH:
        if (caller_asks_for(c, ""))
            return send_root(c);
        if (caller_asks_for(c, "CN=NTDS Settings,CN=DC1"))
            return send_invocation(c);
        return s->search ? s->search(c) : caller_done(c, 0);
    case LDAP_OP_ABANDON:
        return true;
    default:
        return false;
    }
}

static inline void serve_caller(struct ldap_server *s, int fd)
{
    struct ldap_caller *c = calloc(1, sizeof *c);
    c->server = s;
    c->fd = fd;
    c->context = s->context;
    if (s->silent) {
        uint8_t ignored[512];
        while (recv(fd, ignored, sizeof ignored, 0) > 0)
            ;
    } else if (s->start_tls || caller_tls(c)) {
        while (!atomic_load(&s->stop) && caller_receive(c) && serve_request(c))
            ;
    }
    if (c->session)
        gnutls_deinit(c->session);
    free(c);
}

static inline void server_set_caller(struct ldap_server *s, int fd)
{
    pthread_mutex_lock(&s->lock);
    s->caller_fd = fd;
    pthread_mutex_unlock(&s->lock);
}

static inline void *server_run(void *context)
{
    struct ldap_server *s = context;
    while (!atomic_load(&s->stop)) {
        struct pollfd wait = {.fd = s->listener, .events = POLLIN};
        if (poll(&wait, 1, 50) <= 0)
            continue;
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->connections, 1);
        server_set_caller(s, fd);
        serve_caller(s, fd);
        server_set_caller(s, -1);
        close(fd);
    }
    return NULL;
}

/* The fields that a test wants are set before. */
static inline void server_start(struct ldap_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    address.sin_port = htons(s->port); /* 0, or that of one that was stopped */
    int one = 1;
    (void)setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    atomic_store(&s->stop, false);
    s->caller_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

/* Ends the connection that is served too. */
static inline void server_stop(struct ldap_server *s)
{
    atomic_store(&s->stop, true);
    pthread_mutex_lock(&s->lock);
    if (s->caller_fd >= 0)
        shutdown(s->caller_fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    close(s->listener);
}
