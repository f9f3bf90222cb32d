/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory in memory (model_directory.h) as LDAP servers on the loopback, behind TLS with a certificate
 * of their own: one for each domain controller. A server can be cut off and come back.
 */
#pragma once

#include "base/ber.h"
#include "sync/ldap_protocol.h"
#include "sync/ldap_writer.h"
#include "tests/unit/certificate.h"
#include "tests/unit/model_directory.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVER_LINKS = 16, SERVER_MESSAGE = 1 << 19 };

struct server_link {
    struct directory_server *server;
    pthread_t thread;
    atomic_int socket; /* -1: none */
    bool used;
};

struct directory_server {
    struct model *model;
    pthread_mutex_t *lock; /* of the model */
    unsigned controller;
    gnutls_certificate_credentials_t credentials;
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_bool cut_off, ending;
    atomic_uint searches;
    struct server_link links[SERVER_LINKS];
    unsigned link_count;
};

struct server_session {
    struct directory_server *server;
    gnutls_session_t tls;
    int64_t id;
    struct ldap_query query;
    uint8_t out[SERVER_MESSAGE];
    bool failed;
};

static void server_send(struct server_session *session, const struct ldap_writer *w)
{
    session->failed |= w->failed;
    for (size_t at = 0; at < w->size && !session->failed;) {
        ssize_t sent = gnutls_record_send(session->tls, session->out + at, w->size - at);
        if (sent > 0)
            at += (size_t)sent;
        else if (sent != GNUTLS_E_AGAIN && sent != GNUTLS_E_INTERRUPTED)
            session->failed = true;
    }
}

static struct ldap_writer server_message(struct server_session *session, uint8_t operation)
{
    struct ldap_writer w = {.to = session->out, .capacity = sizeof session->out};
    ldap_writer_open(&w, BER_SEQUENCE);
    ldap_writer_int(&w, BER_INTEGER, session->id);
    ldap_writer_open(&w, operation);
    return w;
}

static bool server_give(void *to, const struct directory_object *object)
{
    struct server_session *session = to;
    struct ldap_writer w = server_message(session, LDAP_OP_ENTRY);
    ldap_writer_bytes(&w, BER_OCTET_STRING, object->dn);
    ldap_writer_open(&w, BER_SEQUENCE);
    for (uint32_t i = 0; i < object->attribute_count; i++) {
        ldap_writer_open(&w, BER_SEQUENCE);
        ldap_writer_bytes(&w, BER_OCTET_STRING, object->attributes[i].name);
        ldap_writer_open(&w, BER_SET);
        for (uint32_t j = 0; j < object->attributes[i].value_count; j++)
            ldap_writer_bytes(&w, BER_OCTET_STRING, object->attributes[i].values[j]);
        ldap_writer_close(&w);
        ldap_writer_close(&w);
    }
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    ldap_writer_close(&w);
    server_send(session, &w);
    return !session->failed;
}

static void server_result(struct server_session *session, uint8_t operation, const struct ldap_result *result)
{
    struct ldap_writer w = server_message(session, operation);
    uint8_t value[4096];
    ldap_writer_int(&w, BER_ENUMERATED, result->code);
    ldap_writer_string(&w, BER_OCTET_STRING, "");
    ldap_writer_string(&w, BER_OCTET_STRING, result->code ? "refused" : "");
    ldap_writer_close(&w);
    bool paged = session->query.page_size > 0;
    if (!result->code && operation == LDAP_OP_SEARCH_DONE && (paged || session->query.dirsync)) {
        struct ldap_writer v = {.to = value, .capacity = sizeof value};
        ldap_writer_open(&v, BER_SEQUENCE);
        ldap_writer_int(&v, BER_INTEGER, paged ? 0 : result->more);
        if (!paged)
            ldap_writer_int(&v, BER_INTEGER, 0);
        ldap_writer_bytes(&v, BER_OCTET_STRING, result->cookie);
        ldap_writer_close(&v);
        ldap_writer_open(&w, BER_CONTEXT_CONS(0));
        ldap_writer_open(&w, BER_SEQUENCE);
        ldap_writer_string(&w, BER_OCTET_STRING, paged ? LDAP_OID_PAGED : LDAP_OID_DIRSYNC);
        ldap_writer_bytes(&w, BER_OCTET_STRING, (struct bytes){value, v.size});
        ldap_writer_close(&w);
        ldap_writer_close(&w);
    }
    ldap_writer_close(&w);
    server_send(session, &w);
}

static int64_t server_number(struct cursor value)
{
    int64_t number = 0;
    while (!cursor_done(&value))
        number = number << 8 | cursor_u8(&value);
    return number;
}

static bool server_is(struct cursor value, const char *text)
{
    return cursor_left(&value) == strlen(text) && memcmp(value.at, text, strlen(text)) == 0;
}

static void server_controls(struct cursor controls, struct ldap_query *query)
{
    while (!cursor_done(&controls)) {
        struct ber control = ber_next(&controls), oid = ber_next(&control.value);
        struct ber value = ber_next(&control.value);
        if (value.tag == BER_BOOLEAN)
            value = ber_next(&control.value);
        query->show_deleted |= server_is(oid.value, LDAP_OID_SHOW_DELETED);
        query->extended_dn |= server_is(oid.value, LDAP_OID_EXTENDED_DN);
        struct ber sequence = ber_next(&value.value), first = ber_next(&sequence.value);
        struct ber next = ber_next(&sequence.value);
        if (server_is(oid.value, LDAP_OID_PAGED)) {
            query->page_size = (uint32_t)server_number(first.value);
            query->cookie = cursor_take(&next.value, cursor_left(&next.value));
        } else if (server_is(oid.value, LDAP_OID_DIRSYNC)) {
            struct ber cookie = ber_next(&sequence.value);
            query->dirsync = true;
            query->dirsync_flags = (uint32_t)server_number(first.value);
            query->cookie = cursor_take(&cookie.value, cursor_left(&cookie.value));
        }
    }
}

/* What the model does not know of: who this is. */
static bool server_root(struct server_session *session)
{
    static const char *const controls[] = {LDAP_OID_DIRSYNC, LDAP_OID_PAGED, LDAP_OID_EXTENDED_DN,
                                           LDAP_OID_SHOW_DELETED};
    const struct ldap_query *query = &session->query;
    const struct model_controller *dc = &session->server->model->controllers[session->server->controller];
    struct bytes values[12], *oids = values + 8;
    char usn[32], host[64];
    uint8_t id[16];
    snprintf(usn, sizeof usn, "%llu", (unsigned long long)dc->usn);
    snprintf(host, sizeof host, "dc%u.corp.example", session->server->controller);
    model_database_id(dc->database, id);
    const char *const pairs[][2] = {{"defaultNamingContext", MODEL_CONTEXT},
                                    {"rootDomainNamingContext", MODEL_CONTEXT},
                                    {"configurationNamingContext", "CN=Configuration," MODEL_CONTEXT},
                                    {"schemaNamingContext", "CN=Schema,CN=Configuration," MODEL_CONTEXT},
                                    {"dnsHostName", host},
                                    {"dsServiceName", "CN=NTDS Settings"},
                                    {"highestCommittedUSN", usn},
                                    {"currentTime", "20261122100307.0Z"}};
    struct directory_attribute attributes[9];
    struct directory_object object = {.attributes = attributes};
    if (strcmp(query->base, "CN=NTDS Settings") == 0) {
        values[0] = (struct bytes){id, sizeof id};
        attributes[0] = (struct directory_attribute){
            .name = {(const uint8_t *)"invocationId", 12}, .value_count = 1, .values = values};
        object.dn = (struct bytes){(const uint8_t *)query->base, strlen(query->base)};
        object.attribute_count = 1;
        return server_give(session, &object);
    }
    for (unsigned i = 0; i < 8; i++) {
        values[i] = (struct bytes){(const uint8_t *)pairs[i][1], strlen(pairs[i][1])};
        attributes[i] =
            (struct directory_attribute){.name = {(const uint8_t *)pairs[i][0], strlen(pairs[i][0])},
                                         .value_count = 1,
                                         .values = &values[i]};
    }
    for (unsigned i = 0; i < 4; i++)
        oids[i] = (struct bytes){(const uint8_t *)controls[i], strlen(controls[i])};
    attributes[8] = (struct directory_attribute){
        .name = {(const uint8_t *)"supportedControl", 16}, .value_count = 4, .values = oids};
    object.attribute_count = 9;
    return server_give(session, &object);
}

/* Of the configuration there is one object, always the same. */
static void server_configuration(struct server_session *session, struct ldap_result *result)
{
    static const struct bytes classes[] = {{(const uint8_t *)"top", 3}, {(const uint8_t *)"site", 4}};
    static const struct bytes created = {(const uint8_t *)"20261122100000.0Z", 17};
    static const uint8_t id[16] = {0xcf, 1};
    static const struct bytes guid = {id, sizeof id};
    static const char dn[] =
        "<GUID=cf010000000000000000000000000000>;CN=Headquarters,CN=Sites,CN=Configuration," MODEL_CONTEXT;
    const struct directory_attribute attributes[] = {
        {.name = {(const uint8_t *)"objectGUID", 10}, .value_count = 1, .values = &guid},
        {.name = {(const uint8_t *)"objectClass", 11}, .value_count = 2, .values = classes},
        {.name = {(const uint8_t *)"whenCreated", 11}, .value_count = 1, .values = &created}};
    const struct directory_object object = {
        .dn = {(const uint8_t *)dn, sizeof dn - 1}, .attribute_count = 3, .attributes = attributes};
    if (!session->query.dirsync || session->query.cookie.size == 0)
        server_give(session, &object);
    result->cookie = (struct bytes){(const uint8_t *)"configuration", session->query.dirsync ? 13 : 0};
}

/* A filter (RFC 4511 4.5.1.7) as text, each byte of a GUID escaped. */
static void server_filter(struct text *t, struct cursor *from)
{
    struct ber filter = ber_next(from);
    static const char *const comparisons[] = {[3] = "=", [5] = ">=", [6] = "<="};
    unsigned kind = filter.tag & 0x1f;
    text_char(t, '(');
    if (kind <= 2) {
        text_char(t, "&|!"[kind]);
        while (!cursor_done(&filter.value))
            server_filter(t, &filter.value);
    } else if (kind == 7) {
        text_put(t, filter.value.at, cursor_left(&filter.value));
        text_string(t, "=*");
    } else if (kind == 3 || kind == 5 || kind == 6) {
        struct ber name = ber_next(&filter.value), value = ber_next(&filter.value);
        bool guid = server_is(name.value, "objectGUID");
        text_put(t, name.value.at, cursor_left(&name.value));
        text_string(t, comparisons[kind]);
        for (; !cursor_done(&value.value); cursor_skip(&value.value, 1)) {
            text_string(t, guid ? "\\" : "");
            if (guid)
                text_hex(t, (struct bytes){value.value.at, 1});
            else
                text_char(t, (char)*value.value.at);
        }
    }
    text_char(t, ')');
}

static void server_search(struct server_session *session, struct cursor request, struct cursor controls)
{
    static _Thread_local char base[2048], filter[16384], names[128][64];
    static _Thread_local const char *list[129];
    static _Thread_local uint8_t cookie[4096];
    struct ldap_query *query = &session->query;
    struct ldap_result result = {0};
    memset(query, 0, sizeof *query);
    struct ber dn = ber_next(&request), scope = ber_next(&request);
    for (unsigned i = 0; i < 4; i++)
        ber_next(&request); /* dereferencing, limits, types only */
    struct text text = text_to(filter, sizeof filter);
    server_filter(&text, &request);
    text_end(&text);
    struct ber attributes = ber_next(&request);
    unsigned count = 0;
    while (!cursor_done(&attributes.value) && count < 128) {
        struct ber name = ber_next(&attributes.value);
        snprintf(names[count], sizeof names[count], "%.*s", (int)cursor_left(&name.value),
                 (const char *)name.value.at);
        list[count] = names[count];
        count++;
    }
    list[count] = NULL;
    snprintf(base, sizeof base, "%.*s", (int)cursor_left(&dn.value), (const char *)dn.value.at);
    query->base = base;
    query->scope = (enum ldap_scope)server_number(scope.value);
    query->filter = filter;
    query->attributes = list;
    server_controls(controls, query);
    atomic_fetch_add(&session->server->searches, 1);
    pthread_mutex_lock(session->server->lock);
    const struct model *model = session->server->model;
    const struct model_controller *dc = &model->controllers[session->server->controller];
    if ((!base[0] && count > 1) || strcmp(base, "CN=NTDS Settings") == 0)
        server_root(session);
    else if (strncmp(base, "CN=Configuration", 16) == 0)
        server_configuration(session, &result);
    else
        model_ask(model, dc, query, server_give, session, &result, cookie, sizeof cookie);
    pthread_mutex_unlock(session->server->lock);
    server_result(session, LDAP_OP_SEARCH_DONE, &result);
}

static bool server_answer(struct server_session *session, struct bytes message)
{
    struct cursor whole = cursor_of_bytes(message);
    struct ber outer = ber_next(&whole), id = ber_next(&outer.value);
    session->id = server_number(id.value);
    struct ber operation = ber_next(&outer.value), controls = ber_next(&outer.value);
    if (operation.tag == LDAP_OP_BIND) {
        struct ldap_result fine = {0};
        server_result(session, LDAP_OP_BOUND, &fine);
    } else if (operation.tag == LDAP_OP_SEARCH) {
        server_search(session, operation.value, controls.value);
    }
    return operation.tag != LDAP_OP_UNBIND && !session->failed;
}

static void *server_serve(void *context)
{
    struct server_link *link = context;
    struct server_session *session = calloc(1, sizeof *session);
    uint8_t *in = malloc(SERVER_MESSAGE);
    size_t have = 0;
    session->server = link->server;
    gnutls_init(&session->tls, GNUTLS_SERVER);
    gnutls_set_default_priority(session->tls);
    gnutls_credentials_set(session->tls, GNUTLS_CRD_CERTIFICATE, link->server->credentials);
    gnutls_transport_set_int(session->tls, atomic_load(&link->socket));
    int shaken;
    do
        shaken = gnutls_handshake(session->tls);
    while (shaken < 0 && !gnutls_error_is_fatal(shaken));
    while (shaken == 0) {
        ssize_t got = gnutls_record_recv(session->tls, in + have, SERVER_MESSAGE - have);
        if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
        size_t size;
        while ((size = ldap_reply_size((struct bytes){in, have}, SERVER_MESSAGE)) > 0 && size <= have) {
            if (!server_answer(session, (struct bytes){in, size}))
                shaken = -1;
            memmove(in, in + size, have - size);
            have -= size;
        }
    }
    gnutls_deinit(session->tls);
    shutdown(atomic_load(&link->socket), SHUT_RDWR);
    free(in);
    free(session);
    return NULL;
}

static void *server_listen(void *context)
{
    struct directory_server *server = context;
    for (;;) {
        int socket = accept(server->listener, NULL, NULL);
        if (socket < 0 || atomic_load(&server->ending))
            return NULL;
        struct server_link *link = &server->links[server->link_count % SERVER_LINKS];
        if (atomic_load(&server->cut_off)) {
            close(socket);
            continue;
        }
        if (link->used) { /* the oldest: long done */
            shutdown(atomic_load(&link->socket), SHUT_RDWR);
            pthread_join(link->thread, NULL);
            close(atomic_load(&link->socket));
        }
        link->server = server;
        atomic_store(&link->socket, socket);
        link->used = pthread_create(&link->thread, NULL, server_serve, link) == 0;
        server->link_count++;
    }
}

/* Connections end, and no new one is served until it is let in again. */
static void server_cut_off(struct directory_server *server, bool off)
{
    atomic_store(&server->cut_off, off);
    for (unsigned i = 0; i < SERVER_LINKS && off; i++) {
        int socket = atomic_load(&server->links[i].socket);
        if (socket >= 0)
            shutdown(socket, SHUT_RDWR);
    }
}

static void server_open(struct directory_server *server, struct model *model, pthread_mutex_t *lock,
                        unsigned controller, gnutls_certificate_credentials_t credentials)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    memset(server, 0, sizeof *server);
    server->model = model;
    server->lock = lock;
    server->controller = controller;
    server->credentials = credentials;
    for (unsigned i = 0; i < SERVER_LINKS; i++)
        atomic_store(&server->links[i].socket, -1);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, server_listen, server), 0);
}

static void server_close(struct directory_server *server)
{
    atomic_store(&server->ending, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (unsigned i = 0; i < SERVER_LINKS; i++) {
        struct server_link *link = &server->links[i];
        if (!link->used)
            continue;
        shutdown(atomic_load(&link->socket), SHUT_RDWR);
        pthread_join(link->thread, NULL);
        close(atomic_load(&link->socket));
    }
}
